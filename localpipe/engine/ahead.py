"""Containers made before their inputs are there, for steps that come next.

The job is described with what is known of it. What a container is made from rarely depends on what earlier steps give: it
is the image, the command, the environment and the places of the mounts. When the step starts its job is described anew: the
container serves if, and only if, that gives the same value. See docs/decisions/0013.
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

    from localpipe.core.jobspec import StagedJob
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
    """The containers made ahead and not taken yet. Any thread may call it. What is never taken, a sweep removes.

    Mutable: `has_begun` tells whether any were ever asked for.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self.has_begun = False
        self._made: dict[AttemptKey, Future[MadeAhead | None]] = {}

    def begin(self, attempt: Attempt, submit: Callable[..., Future[MadeAhead | None]]) -> None:
        """Have an attempt's containers made by a thread of `submit`; once, however often it is asked."""
        with self._lock:
            self.has_begun = True
            if attempt.key not in self._made:
                self._made[attempt.key] = submit(self._make, attempt)

    def take(self, key: AttemptKey) -> MadeAhead | None:
        """What was made for an attempt, None if nothing was; waits for what is being made."""
        with self._lock:
            making = self._made.pop(key, None)
        return making.result() if making else None

    def _make(self, attempt: Attempt) -> MadeAhead | None:
        """None where too little is known, or where there is trouble: it will be told when the step starts."""
        world = self._world
        try:
            job = _foreseen(attempt, world)
            return MadeAhead(job=job, prepared=world.runner.prepare(job)) if job else None
        except (LocalpipeError, OSError) as error:
            _log.info("%s: nothing is made ahead: %s", attempt.key, error)
            return None


def _foreseen(attempt: Attempt, world: World) -> StagedJob | None:
    """The job as far as it is known; None if its container depends on more.

    Raises what resolving and staging raise.
    """
    step = attempt.step
    arguments = with_unknowns(step.arguments, known=attempt.values)
    foreseen = replace(attempt, step=replace(step, arguments=arguments, fields={}))
    work = world.step_types[step.type].work(resolve(foreseen, world))
    if not isinstance(work, RunJob):
        return None
    environment = whole_environment(work.spec, world)
    job = world.stager.stage(work.spec, attempt.key, environment, anew=False, overlays=world.runner.overlays)
    words = (job.image_uri, *(job.entrypoint or ()), *(job.arguments or ()), *job.environment.values())
    return None if any(map(is_unknown, words)) else job
