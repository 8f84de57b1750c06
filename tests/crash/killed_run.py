"""Runs or resumes an execution and kills itself with SIGKILL at a chosen point.

usage: killed_run.py start|resume HOME RUNNER DEFINITION POINT

POINT is `never`; `event:N`, right after the N-th fact is in the journal; or, with effects done and no fact of them yet:
`started:N`, after the N-th job has started; `ended:N`, after the N-th job has ended and before its outputs are collected;
`removing:N`, before the N-th job's containers are removed; `listed:N`, in the staging of a job, before the N-th listing of a
channel's objects; `stored:N`, after the N-th object or whole directory was put, by a job or while its outputs are published.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from localpipe.core.jobspec import JobExit, StagedJob
from localpipe.core.names import S3Uri
from localpipe.core.ports import ObjectInfo, ObjectStore, Prepared, Runner, Running
from localpipe.scheduling.events import Recorded
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings


class Death:
    """Kills the process when its point is reached for the N-th time."""

    def __init__(self, point: str) -> None:
        self._kind, _, count = point.partition(":")
        self._left = int(count or 0)
        self._lock = threading.Lock()

    def reached(self, kind: str) -> None:
        with self._lock:
            if kind == self._kind:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """What a runner hands out, watched: everything else is its own."""

    def __init__(self, inner: Runner | Prepared | Running, death: Death) -> None:
        self._inner, self._death = inner, death

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._inner, name)

    def prepare(self, job: StagedJob, *, ahead: bool = False) -> Watched:
        return Watched(self._inner.prepare(job, ahead=ahead), self._death)

    def start(self) -> Watched:
        running = self._inner.start()
        self._death.reached("started")
        return Watched(running, self._death)

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        ended = self._inner.wait(timeout_seconds)
        self._death.reached("ended")
        return ended

    def remove(self) -> None:
        self._death.reached("removing")
        self._inner.remove()


class WatchedStore:
    """The local S3, watched."""

    def __init__(self, inner: ObjectStore, death: Death) -> None:
        self._inner, self._death = inner, death

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._inner, name)

    def list(self, prefix: S3Uri, *, start_after: str = "") -> Iterator[ObjectInfo]:
        self._death.reached("listed")
        return self._inner.list(prefix, start_after=start_after)

    def put(self, uri: S3Uri, source: BinaryIO | bytes | Path, **options: Any) -> ObjectInfo:
        put = self._inner.put(uri, source, **options)
        self._death.reached("stored")
        return put

    def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
        put = self._inner.put_directory(prefix, directory)
        if put:
            self._death.reached("stored")
        return put


def main() -> None:
    what, home_dir, runner_name, definition, point = sys.argv[1:]
    home = Home(load_settings({"home": home_dir, "runner": runner_name}, {}, Path(home_dir).parent))
    if what == "start":
        ready = preflight(home, json.loads(Path(definition).read_text()), "crash", {})
        start_pipeline_execution(home, ready)
    death = Death(point)

    def observe(fact: Recorded) -> None:
        death.reached("event")

    execution = describe_pipeline_execution(home, "last")
    execution.home.store = WatchedStore(execution.home.store, death)
    print(drive(execution, observe, Watched(home.runner(runner_name), death)).status)


main()
