"""What a step left here: the objects that it wrote, and the files of its hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.engine.reuse import objects_under
from localpipe.service.views import started_steps
from localpipe.staging.targets import AttemptLayout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution


@dataclass(frozen=True, kw_only=True)
class HostFiles:
    """What one host of a step left here: its log, and the directory that stands for its `/`, where there is one."""

    name: str
    log_file: Path
    root_dir: Path | None


def host_files(step: StepExecution) -> tuple[HostFiles, ...]:
    """The hosts of the step's last attempt; none of a step whose containers never ran."""
    logs = [Path(log_file) for log_file in step.log_files]
    return tuple(HostFiles(name=log.stem, log_file=log, root_dir=_root_dir(log)) for log in logs)


def _root_dir(log: Path) -> Path | None:
    """The directory of the host of a log, in the attempt that the log lies in."""
    root_dir = AttemptLayout(log.parent.parent).host(log.stem).root_dir
    return root_dir if root_dir.is_dir() else None


def artifacts_of(execution: PipelineExecution, step_name: str | None = None) -> list[JSON]:
    """The objects that lie now under the outputs of each started step: `StepName`, `S3Uri`, `Path`, `Size`."""
    steps = [execution.step(step_name)] if step_name else started_steps(execution.state)
    return [
        {"StepName": step.step, "S3Uri": str(info.uri), "Path": str(info.path), "Size": info.size}
        for step in steps
        for info in objects_of(step, execution.home.store)
    ]


def objects_of(step: StepExecution, store: ObjectStore) -> Iterator[ObjectInfo]:
    """Yield the objects that lie now under the outputs of a step's last attempt."""
    for uri in step.outputs:
        yield from objects_under(S3Uri.parse(uri), store)
