"""Containers made, and held ready, before their inputs are there, for steps that come next.

The job is described with what is known of it. What a container is made from rarely depends on what earlier steps give: it
is the image, the command, the environment and the places of the mounts. When the step starts its job is described anew: the
container serves if, and only if, that gives the same value; then its directories, which are mounted by now, are filled.
See docs/decisions/0013 and 0033.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.core.work import RunJob
from localpipe.definition.unknowns import is_unknown, with_unknowns
from localpipe.engine.resolve import resolve, whole_environment
from localpipe.errors import LocalpipeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Prepared
    from localpipe.engine.resolve import Attempt, World

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MadeAhead:
    """Containers that exist for a job as it was foreseen."""

    job: StagedJob
    prepared: Prepared


class WorkAhead:
    """The containers made ahead and not taken yet. Any thread may call it. What a killed localpipe leaves, a sweep removes.

    Mutable: `has_begun` tells whether any were ever asked for.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self.has_begun = False
        self._made: dict[AttemptKey, Future[MadeAhead | None]] = {}

    def begin(self, attempt: Attempt, submit: Callable[..., Future[MadeAhead | None]]) -> None:
        """Have an attempt's containers made by a thread of `submit`; again only where there was too little to make them."""
        with self._lock:
            self.has_begun = True
            making = self._made.get(attempt.key)
            if making is None or (making.done() and making.result() is None):
                self._made[attempt.key] = submit(self._make, attempt)

    def take(self, job: StagedJob) -> Prepared | None:
        """What was made for exactly this job, None if nothing was; waits for what is being made.

        What was made for another one of the same attempt is taken back.
        """
        with self._lock:
            making = self._made.pop(job.key, None)
        made = making.result() if making else None
        if made is None or made.job == job:
            return made.prepared if made else None
        _take_back(made)
        return None

    def take_back(self) -> None:
        """Remove all that was not taken; what cannot be removed is left to a sweep."""
        with self._lock:
            makings, self._made = list(self._made.values()), {}
        for making in makings:
            if made := making.result():
                _take_back(made)

    def _make(self, attempt: Attempt) -> MadeAhead | None:
        """None where too little is known, or where there is trouble: it will be told when the step starts."""
        world = self._world
        try:
            spec = _foreseen(attempt, world)
            job = _described(spec, attempt.key, world) if spec else None
            if spec is None or job is None:
                return None
            world.stager.lay_out(spec, attempt.key, overlays=world.runner.overlays)
            return MadeAhead(job=job, prepared=world.runner.prepare(job, ahead=True))
        except (LocalpipeError, OSError) as error:
            _log.info("%s: nothing is made ahead: %s", attempt.key, error)
            return None


def _take_back(made: MadeAhead) -> None:
    try:
        made.prepared.remove()
    except (LocalpipeError, OSError) as error:
        _log.warning("%s: what was made ahead is left behind: %s", made.job.key, error)


def _foreseen(attempt: Attempt, world: World) -> JobSpec | None:
    """The step's job as far as it is known; None if it runs none. Raises what resolving raises."""
    step, step_type = attempt.step, world.step_types[attempt.step.type]
    if not step_type.runs_jobs:  # what is sent or called may be said in its fields, which are not known yet
        return None
    arguments = with_unknowns(step.arguments, known=attempt.values)
    foreseen = replace(attempt, step=replace(step, arguments=arguments, fields={}))
    work = step_type.work(resolve(foreseen, world))
    return work.spec if isinstance(work, RunJob) else None


def _described(spec: JobSpec, key: AttemptKey, world: World) -> StagedJob | None:
    """The job that its container is made from; None if that depends on more than is known. Raises what describing raises."""
    job = world.stager.describe(spec, key, whole_environment(spec, world), overlays=world.runner.overlays)
    words = (job.image_uri, *(job.entrypoint or ()), *(job.arguments or ()), *job.environment.values())
    return None if any(map(is_unknown, words)) else job
