"""The containers of a model, which serve for as long as an attempt needs them. Follows: containers.md 3.1, 3.2, 3.8."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobExit
from localpipe.engine.signals import Signals
from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Prepared, Running
    from localpipe.engine.job import JobContext

_STOP_GRACE_SECONDS = 30.0
_LAST_SECONDS = 2.0
"""How long a container has to end when nothing is asked of it any more. The service gives 30; what it does then is lost."""
_LOG_TAIL_BYTES = 2048
_LOG_TAIL_LINES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Started:
    """A container that runs, and who tells it to stop."""

    staged: StagedJob
    running: Running
    signals: Signals


class ModelContainers:
    """One worker thread makes and starts them; any thread may stop them; `remove` comes last.

    `over` is set once it makes no sense to go on asking: a container has ended, or they were told to stop.
    Mutable: holds what exists of them and how they ended. `_lock` guards all of it.
    """

    def __init__(self, specs: Sequence[JobSpec], key: AttemptKey, context: JobContext) -> None:
        self.specs, self._key, self._context = tuple(specs), key, context
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._prepared: list[tuple[StagedJob, Prepared]] = []
        self._started: list[_Started] = []
        self._ended: list[tuple[StagedJob, JobExit]] = []
        self._stop_signal: signal.Signals | None = None

    @property
    def stopped(self) -> bool:
        """Whether they were told to stop."""
        return self._stop_signal is not None

    @property
    def log_files(self) -> tuple[Path, ...]:
        """The log of each container that was started."""
        return tuple(host.log_file for each in self._started for host in each.staged.hosts)

    @property
    def repeat_command(self) -> str:
        """What runs the first container again by hand."""
        return self._context.runner.repeat_command(self._started[0].staged)

    def make(self, environment: Callable[[JobSpec], Mapping[str, str]]) -> None:
        """Stage and prepare all of them. Raises what staging and preparing raise; `take_back` undoes it."""
        context = self._context
        for child, spec in enumerate(self.specs, start=1):
            key = replace(self._key, child=child)
            with context.at_disk:
                given, overlays = environment(spec), context.runner.overlays
                staged = context.stager.stage(spec, key, given, anew=True, overlays=overlays)
            context.runner.ensure_image(spec.image_uri)
            self._prepared.append((staged, context.runner.prepare(staged)))

    def start(self) -> None:
        """Start all of them at once, unless they were told to stop. Raises JobFailed for one that cannot be started."""
        prepared, self._prepared = self._prepared, []
        with ThreadPoolExecutor(len(prepared)) as threads:
            starting = [threads.submit(each.start) for _, each in prepared]
        for (staged, each), start in zip(prepared, starting, strict=True):
            if start.exception() is None:
                self._take_note(staged, start.result())
            else:
                self._prepared.append((staged, each))
        for start in starting:
            start.result()

    def addresses(self) -> list[tuple[str, int]]:
        """Where each container is reached, in their order. Raises LocalpipeError where one is not, as when it has ended."""
        ports = [spec.port for spec in self.specs if spec.port]
        return [each.running.address(port) for each, port in zip(self._started, ports, strict=True)]

    def stop(self, *, kill: bool) -> None:
        """Tell them to end: SIGTERM and, after the grace, SIGKILL; or SIGKILL at once."""
        with self._lock:
            self._stop_signal = signum = signal.SIGKILL if kill else signal.SIGTERM
            started = tuple(self._started)
        self.over.set()
        for each in started:
            each.signals.try_to_send(signum)

    def quit(self) -> None:
        """Nothing is asked of them any more; waits for nothing."""
        self.over.set()
        for each in self._started:
            _try(each.running.signal, signal.SIGTERM)

    def take_back(self) -> None:
        """Remove those that were prepared and not started."""
        prepared, self._prepared = self._prepared, []
        for _, each in prepared:
            _try(each.remove)

    def remove(self) -> None:
        """Wait a moment for their end, then remove them."""
        with self._lock:
            started, self._started = self._started, []
        for each in started:
            _try(each.running.wait, _LAST_SECONDS)
            each.signals.end()
            _try(each.running.remove)

    def end(self) -> str:
        """How the first that ended did, in a sentence with the end of its log; empty while all run."""
        with self._lock:
            if not self._ended:
                return ""
            staged, exit_ = self._ended[0]
        host = staged.hosts[0]
        why = "ran out of memory and was killed" if exit_.out_of_memory else f"ended with exit code {exit_.exit_code}"
        told = [exit_.message] if exit_.message else _last_lines(host.log_file)
        return f"Container {host.name} {why}" + (f": {' | '.join(told)}" if told else ".")

    def _take_note(self, staged: StagedJob, running: Running) -> None:
        grace_seconds = min(self._context.grace_seconds, _STOP_GRACE_SECONDS)
        started = _Started(staged, running, Signals(staged.key, running, grace_seconds))
        with self._lock:
            self._started.append(started)
            stop_signal = self._stop_signal
        threading.Thread(target=self._attend, args=(started,), daemon=True, name=f"serving {staged.key}").start()
        if stop_signal:
            started.signals.try_to_send(stop_signal)

    def _attend(self, started: _Started) -> None:
        """Note the end of a container."""
        try:
            exit_ = started.running.wait()
        except (LocalpipeError, OSError) as error:
            exit_ = JobExit(exit_code=-1, message=str(error))
        started.signals.end()
        if exit_:
            with self._lock:
                self._ended.append((started.staged, exit_))
            self.over.set()


def _last_lines(log_file: Path) -> list[str]:
    """The last words of a container; none where it said nothing."""
    if not log_file.is_file():
        return []
    with log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - _LOG_TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:]


def _try(action: Callable[..., object], *arguments: object) -> None:
    """Do something to a container that nobody waits for any more: what is in the way is logged."""
    try:
        action(*arguments)
    except (LocalpipeError, OSError) as error:
        _log.warning("a serving container is left behind; `localpipe gc` removes it: %s", error)
