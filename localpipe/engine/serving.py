"""The containers of a model, which serve for as long as an attempt needs them. Follows: containers.md 3.1, 3.2, 3.8."""

from __future__ import annotations

import logging
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from localpipe.engine.signals import Signals
from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import JobExit, JobSpec, StagedJob
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
    """A container that runs, and who tells it to stop. `over`: set when its end is known, or will not be."""

    staged: StagedJob
    running: Running
    signals: Signals
    over: threading.Event = field(default_factory=threading.Event)


class ModelContainers:
    """One worker thread makes and starts them; any thread may stop them; `remove` comes last.

    `over` is set once it makes no sense to go on asking: a container has ended or is lost, or they were told to stop.
    Mutable: holds what exists of them and how they ended. `_lock` guards all of it.
    """

    def __init__(self, specs: Sequence[JobSpec], key: AttemptKey, context: JobContext) -> None:
        self.specs, self._key, self._context = tuple(specs), key, context
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._prepared: list[tuple[StagedJob, Prepared]] = []
        self._started: list[_Started] = []
        self._ended: list[tuple[StagedJob, JobExit]] = []
        self._lost: list[str] = []
        self._stop_signal: signal.Signals | None = None

    @property
    def stopped(self) -> bool:
        """Whether they were told to stop."""
        with self._lock:
            return self._stop_signal is not None

    @property
    def lost(self) -> str:
        """Why the engine cannot say what became of one; empty while it can."""
        with self._lock:
            return self._lost[0] if self._lost else ""

    @property
    def log_files(self) -> tuple[Path, ...]:
        """The log of each container that was started."""
        return tuple(host.log_file for each in self._now_started() for host in each.staged.hosts)

    @property
    def repeat_command(self) -> str:
        """What runs the first container again by hand."""
        return self._context.runner.repeat_command(self._now_started()[0].staged)

    def make(self, environment: Callable[[JobSpec], Mapping[str, str]]) -> None:
        """Stage and prepare all of them. Raises what staging and preparing raise; `take_back` undoes it."""
        context = self._context
        for child, spec in enumerate(self.specs, start=1):
            key = replace(self._key, child=child)
            with context.at_disk:
                given, overlays = environment(spec), context.runner.overlays
                staged = context.stager.stage(spec, key, given, overlays=overlays)
            context.runner.ensure_image(spec.image_uri)
            prepared = context.runner.prepare(staged)
            with self._lock:
                self._prepared.append((staged, prepared))

    def start(self) -> bool:
        """Start all of them at once; False, and none is, if they were told to stop.

        Raises JobFailed for one that cannot be started.
        """
        with self._lock:
            if self._stop_signal is not None:
                return False
            prepared, self._prepared = self._prepared, []
        with ThreadPoolExecutor(len(prepared)) as threads:
            starting = [threads.submit(each.start) for _, each in prepared]
        for (staged, each), start in zip(prepared, starting, strict=True):
            if start.exception() is None:
                self._take_note(staged, start.result())
            else:
                with self._lock:
                    self._prepared.append((staged, each))
        for start in starting:
            start.result()
        return True

    def addresses(self) -> list[tuple[str, int]]:
        """Where each container is reached, in their order. Raises LocalpipeError where one is not, as when it has ended."""
        ports = [spec.port for spec in self.specs if spec.port]
        return [each.running.address(port) for each, port in zip(self._now_started(), ports, strict=True)]

    def stop(self, *, kill: bool) -> None:
        """Tell them to end: SIGTERM and, after the grace, SIGKILL; or SIGKILL at once."""
        with self._lock:
            self._stop_signal = signum = signal.SIGKILL if kill else signal.SIGTERM
        self._tell(signum)

    def quit(self) -> None:
        """Nothing is asked of them any more; waits for nothing."""
        self._tell(signal.SIGTERM)

    def take_back(self) -> None:
        """Remove those that were prepared and not started."""
        with self._lock:
            prepared, self._prepared = self._prepared, []
        for _, each in prepared:
            _remove(each)

    def remove(self) -> None:
        """Wait a moment for the end of all of them, then remove them."""
        with self._lock:
            started, self._started = self._started, []
        if started:
            with ThreadPoolExecutor(len(started)) as threads:
                list(threads.map(_ended_and_removed, started))

    def end(self) -> str:
        """How the first that ended did, in a sentence with the end of its log; empty if none has."""
        with self._lock:
            if not self._ended:
                return ""
            staged, exit_ = self._ended[0]
        host = staged.hosts[0]
        why = "ran out of memory and was killed" if exit_.out_of_memory else f"ended with exit code {exit_.exit_code}"
        told = [exit_.message] if exit_.message else _last_lines(host.log_file)
        return f"Container {host.name} {why}" + (f": {' | '.join(told)}" if told else ".")

    def _now_started(self) -> tuple[_Started, ...]:
        with self._lock:
            return tuple(self._started)

    def _tell(self, signum: signal.Signals) -> None:
        self.over.set()
        for each in self._now_started():
            each.signals.try_to_send(signum)

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
        """Note the end of a container, or that the engine cannot say it."""
        try:
            exit_ = self._followed(started)
        except (LocalpipeError, OSError) as error:
            with self._lock:
                self._lost.append(str(error))
        else:
            with self._lock:
                self._ended.append((started.staged, exit_))
        started.signals.end()
        started.over.set()
        self.over.set()

    def _followed(self, started: _Started) -> JobExit:
        """How a container ended. One whose engine went silent is asked for once more. Raises what then is in the way."""
        try:
            return _exit_of(started.running)
        except (LocalpipeError, OSError):
            found = self._context.runner.find(started.staged.key)
            if found is None:
                raise
        started.signals.turn_to(found)
        with self._lock:
            self._started = [replace(each, running=found) if each is started else each for each in self._started]
        return _exit_of(found)


def _exit_of(running: Running) -> JobExit:
    while (exit_ := running.wait()) is None:
        pass
    return exit_


def _ended_and_removed(started: _Started) -> None:
    """Remove a container that has ended, or had a moment to do so."""
    started.over.wait(_LAST_SECONDS)
    started.signals.end()
    _remove(started.running)


def _remove(container: Prepared | Running) -> None:
    """Remove one that nobody waits for any more: what is in the way is logged."""
    try:
        container.remove()
    except (LocalpipeError, OSError) as error:
        _log.warning("a serving container is left behind; `localpipe gc` removes it: %s", error)


def _last_lines(log_file: Path) -> list[str]:
    """The last words of a container; none where it said nothing."""
    if not log_file.is_file():
        return []
    with log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - _LOG_TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:]
