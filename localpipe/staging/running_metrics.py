"""The values of a metric as a running job logs them."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.staging.metrics import metric_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from localpipe.core.jobspec import MetricDefinition

_log = logging.getLogger(__name__)


@contextmanager
def following_metric(
    definitions: Sequence[MetricDefinition], name: str, log_files: Iterable[Path], report: Callable[[float], None]
) -> Iterator[None]:
    """Report each value that a metric has in the logs, from their start on, until the block is left.

    `report` is called by one thread at a time. Where the machine does not tell of changes, all values come at the end.
    """
    followed = _Followed(definitions, name, log_files, report)
    with ExitStack() as stack:
        stack.callback(followed.read)
        from localpipe.staging.watch import GROWING, watching  # imports watchdog

        try:
            stack.enter_context(watching(((place, followed.read_on) for place in followed.directories), GROWING))
        except OSError as error:
            _log.warning("metric %s is read when its job has ended: %s", name, error)
        followed.read()
        yield


def logged_values(definitions: Sequence[MetricDefinition], name: str, log_files: Iterable[Path]) -> tuple[float, ...]:
    """Each value that a metric has in the logs of a job that has ended."""
    values: list[float] = []
    _Followed(definitions, name, log_files, values.append).read()
    return tuple(values)


class _Followed:
    """Logs and how far they have been read. Mutable, guarded by a lock: the watching thread reads, and the job's."""

    def __init__(
        self,
        definitions: Sequence[MetricDefinition],
        name: str,
        log_files: Iterable[Path],
        report: Callable[[float], None],
    ) -> None:
        self._definitions, self._name, self._report = definitions, name, report
        self._read: dict[Path, int] = dict.fromkeys(log_files, 0)
        self._lock = threading.Lock()

    @property
    def directories(self) -> Iterable[Path]:
        return dict.fromkeys(log_file.parent for log_file in self._read)

    def read_on(self, changed: Path) -> None:
        if changed in self._read:
            self.read()

    def read(self) -> None:
        """Report what has come since the last time, but for a line that is not whole yet."""
        with self._lock:
            for log_file in self._read:
                for value in metric_values(self._definitions, self._name, self._new_lines(log_file)):
                    self._report(value)

    def _new_lines(self, log_file: Path) -> Iterator[str]:
        if not log_file.exists():
            return
        with log_file.open("rb") as stream:
            stream.seek(self._read[log_file])
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._read[log_file] += len(line)
                yield line.decode(errors="replace").rstrip("\r\n")
