"""A store and a stager to try specs on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, HostSpec, InputMode, JobKind, JobSpec, Limits, OutputForm, OutputSpec
from localpipe.core.names import AttemptKey, S3Uri
from localpipe.staging import Stager

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.jobspec import JobEnd, StagedJob
    from localpipe.staging import Collected
    from localpipe.store import LocalStore

KEY = AttemptKey(execution_id="abcdefghij12", step="Train", attempt=1)
OPT_ML = PurePosixPath("/opt/ml")
SPEC = JobSpec(
    kind=JobKind.TRAINING,
    image_uri="image:1",
    entrypoint=None,
    arguments=("train",),
    hosts=(HostSpec(name="algo-1", files=()),),
    channels=(),
    outputs=(),
    directories=(),
    mount_roots=(OPT_ML,),
    environment={},
    max_runtime_seconds=60,
    network_isolated=False,
    job_name="job",
    job_arn="arn",
)


TWO_HOSTS = (HostSpec(name="algo-1", files=()), HostSpec(name="algo-2", files=()))


def a_channel(
    uri: str, name: str = "train", directory: str = "", mode: InputMode = InputMode.FILE, **more: object
) -> Channel:
    return Channel(
        name=name,
        uri=S3Uri.parse(uri),
        container_dir=PurePosixPath(directory or f"/opt/ml/input/data/{name}"),
        mode=mode,
        path="$.Steps[0].Arguments",
        **more,  # type: ignore[arg-type]  # passed on unchanged
    )


def an_output(directory: str, uri: str, name: str = "", form: OutputForm = OutputForm.TREE, **more: object) -> OutputSpec:
    return OutputSpec(
        name=name or PurePosixPath(directory).name,
        container_dir=PurePosixPath(directory),
        uri=S3Uri.parse(uri),
        form=form,
        **more,  # type: ignore[arg-type]  # passed on unchanged
    )


def tree(directory: Path) -> dict[str, str | None]:
    """Every path below a directory with its text, None for a directory."""
    found = sorted(directory.rglob("*"))
    return {path.relative_to(directory).as_posix(): path.read_text() if path.is_file() else None for path in found}


def files(directory: Path) -> dict[str, str]:
    """Every file below a directory with its text."""
    return {name: text for name, text in tree(directory).items() if text is not None}


@dataclass(frozen=True)
class Bench:
    """A store and a stager in a directory of their own."""

    directory: Path
    store: LocalStore

    @property
    def attempt_dir(self) -> Path:
        return self.directory / "runs" / "Train" / "1"

    @property
    def root(self) -> Path:
        return self.root_of("algo-1")

    def root_of(self, host: str) -> Path:
        return self.attempt_dir / host / "root"

    @property
    def stager(self) -> Stager:
        return Stager(
            store=self.store,
            attempt_dir=lambda key: self.directory / "runs" / key.step / str(key.attempt),
            nearest_prefix=lambda uri: f"near {uri}",
            limits=lambda _: Limits(),
        )

    def put(self, objects: Mapping[str, str]) -> None:
        """Objects of bucket `b` by key."""
        for key, text in objects.items():
            self.store.put(S3Uri("b", key), text.encode())

    def objects(self, prefix: str = "") -> dict[str, str]:
        """The same the other way round."""
        return {info.uri.key: info.path.read_text() for info in self.store.list(S3Uri("b", prefix))}

    def stage(self, spec: JobSpec = SPEC, *, overlays: bool = False, anew: bool = True, **changes: object) -> StagedJob:
        changed = replace(spec, **changes)  # type: ignore[arg-type]  # names of members
        make = self.stager.stage if anew else self.stager.describe
        return make(changed, KEY, {"A": "1"}, overlays=overlays)

    def write(self, container_path: str, text: str | bytes, host: str = "algo-1") -> Path:
        """What a container would write."""
        path = self.root_of(host) / container_path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def collect(self, spec: JobSpec, end: JobEnd, now: float = 100.0, failed_host: str = "") -> Collected:
        staged = self.stager.describe(spec, KEY, {}, overlays=False)
        with self.stager.serving(spec, staged, lambda: None) as serving:
            pass
        return self.stager.collect(spec, staged, end, serving.uploads, now=now, failed_host=failed_host)
