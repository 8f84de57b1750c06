"""One transform job from its spec to its `JobResult`: serve the model, send it the objects, put away what it answers.

Its containers are jobs of the attempt (`AttemptKey.child`); one place among the slots is for all of them. After a crash it
is done anew: outputs are put whole, so nothing of the earlier run is in the way.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from localpipe.core.jobspec import JobEnd, JobResult
from localpipe.core.times import iso_time
from localpipe.engine.ending import refused_result
from localpipe.engine.invocations import ModelClient
from localpipe.engine.place import Place
from localpipe.engine.serving import ModelContainers
from localpipe.engine.through_model import ThroughModel
from localpipe.errors import (
    JOB_INTERNAL_ERROR,
    HomeUnusable,
    InvalidTransition,
    JobFailed,
    LocalpipeError,
    NotSupported,
    RunnerUnavailable,
    StoreError,
)
from localpipe.staging.targets import AttemptLayout
from localpipe.transform.tunables import tunables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from localpipe.core.jobspec import JobSpec
    from localpipe.core.names import AttemptKey, S3Uri
    from localpipe.core.ports import ObjectStore
    from localpipe.core.transform import TransformSpec
    from localpipe.engine.job import JobContext
    from localpipe.engine.through_model import ObjectFault

_HEALTHY_SECONDS = 4 * 60
_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 1.0
_DATA_LOG = "data-log"
"""How the service names the log in which it tells of objects itself."""
_SEE_LOGS = "See job logs for more information"


class TransformRun:
    """A transform job of one attempt. One worker thread calls `run`; any thread may call `stop`; `clean` comes last.

    `healthy_seconds`: how long its containers have until all of them answer.
    Mutable: holds its place among the slots; the containers hold themselves.
    """

    def __init__(
        self,
        spec: TransformSpec,
        containers: Sequence[JobSpec],
        key: AttemptKey,
        context: JobContext,
        store: ObjectStore,
        *,
        healthy_seconds: float = _HEALTHY_SECONDS,
    ) -> None:
        self._spec, self._key, self._context, self._store = spec, key, context, store
        self._healthy_seconds = healthy_seconds
        self._model = ModelContainers(containers, key, context)
        self._place = Place(context.slots, context.size(containers[0]), lambda: self._model.stopped)

    def run(
        self,
        environment: Callable[[JobSpec], Mapping[str, str]],
        launched: Callable[[tuple[Path, ...], str], None],
        *,
        created_at: float,
        waits: Callable[[str], None],
    ) -> JobResult:
        """Run the job to its end. Never raises for what is the job's or the machine's fault.

        `environment` gives the whole environment of a container; `launched` is called with the logs and the command that
        repeats the first container, once they run; `waits` before that if there is no room yet.
        """
        try:
            return self._ran(environment, launched, waits, created_at)
        except InvalidTransition:
            raise
        except (LocalpipeError, OSError) as error:
            return refused_result(error, created_at, self._context.clock.now())
        finally:
            self._model.quit()
            self._model.take_back()
            self._place.give_back()

    def stop(self, *, kill: bool) -> None:
        """Tell the containers to end, and leave the line where it waits for room."""
        self._model.stop(kill=kill)
        self._place.give_back()

    def clean(self) -> None:
        """Remove the containers."""
        self._model.remove()

    def _ran(
        self,
        environment: Callable[[JobSpec], Mapping[str, str]],
        launched: Callable[[tuple[Path, ...], str], None],
        waits: Callable[[str], None],
        created_at: float,
    ) -> JobResult:
        self._remove_earlier()
        prefix, sources = self._context.stager.objects(self._spec.source)
        self._model.make(environment)
        started_at = self._context.clock.now() if self._place.wait(waits) and self._model.start() else None
        if started_at is None:
            return self._result(JobEnd.STOPPED, created_at, None)
        log_file = AttemptLayout(self._context.stager.attempt_dir(self._key)).log_file(_DATA_LOG)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        launched((*self._model.log_files, log_file), self._model.repeat_command)
        end, detail = self._ended(prefix, sources, log_file)
        return self._result(end, created_at, started_at, detail)

    def _ended(self, prefix: S3Uri, sources: Iterable[S3Uri], log_file: Path) -> tuple[JobEnd, str]:
        """How a job whose containers run ends, and why. Raises NotSupported, JobFailed where nobody can reach them."""
        model = self._model
        try:
            reason = self._served(prefix, sources, log_file)
        except (StoreError, HomeUnusable, OSError) as error:
            return JobEnd.UNPUBLISHED, str(error)
        except (RunnerUnavailable, NotSupported, JobFailed) as error:
            model.over.wait(_PATIENCE_SECONDS)  # one that has ended is not reached any more
            reason = f"AlgorithmError: {end}" if (end := model.end()) else ""
            if not reason and not model.over.is_set():
                if isinstance(error, RunnerUnavailable):
                    return JobEnd.LOST, str(error)
                raise
        if model.stopped:
            return JobEnd.STOPPED, ""
        if model.lost:
            return JobEnd.LOST, model.lost
        return JobEnd.FAILED if reason else JobEnd.COMPLETED, reason

    def _served(self, prefix: S3Uri, sources: Iterable[S3Uri], log_file: Path) -> str:
        """Transform the objects; the job's FailureReason, empty if it has none or was stopped."""
        with ExitStack() as stack, log_file.open("w", encoding="utf-8", buffering=1) as log:
            probes = self._clients(stack, timeout_seconds=1, connections=1)
            if trouble := self._healthy(probes):
                return f"AlgorithmError: {trouble}"
            chosen = tunables(self._spec, probes[0].execution_parameters())
            clients = self._clients(stack, timeout_seconds=self._spec.timeout_seconds, connections=chosen.max_concurrent)

            def tell(text: str) -> None:
                log.write(f"{iso_time(self._context.clock.now())}:[sagemaker logs]: {text}\n")

            tell(str(chosen))
            stager, store, over = self._context.stager, self._store, self._model.over
            through = ThroughModel(self._spec, clients, chosen, stager=stager, store=store, over=over, log=tell)
            faults = through.run(prefix, sources)
        return f"AlgorithmError: {end}" if (end := self._model.end()) else _reason(faults)

    def _clients(self, stack: ExitStack, *, timeout_seconds: float, connections: int) -> list[ModelClient]:
        """One client for each container, closed with the stack."""
        scratch_dir = str(self._store.scratch_dir())
        return [
            stack.enter_context(
                closing(
                    ModelClient(address, scratch_dir=scratch_dir, timeout_seconds=timeout_seconds, connections=connections)
                )
            )
            for address in self._model.addresses()
        ]

    def _healthy(self, clients: Sequence[ModelClient]) -> str:
        """Wait until every container answers; why that is in vain, empty if they do or were stopped."""
        deadline = self._context.clock.now() + self._healthy_seconds
        for client, spec in zip(clients, self._model.specs, strict=True):
            while sickness := client.sickness():
                if self._model.over.wait(_PAUSE_SECONDS):
                    return self._model.end()
                if self._context.clock.now() >= deadline:
                    name, limit = spec.hosts[0].name, self._healthy_seconds
                    told = f"did not answer GET /ping on port {spec.port} with 200 within {limit:g} seconds"
                    return f"Container {name} {told}: at last {sickness}."
        return ""

    def _remove_earlier(self) -> None:
        """Remove the containers that a killed localpipe, or an earlier attempt of the step, left."""
        key = self._key
        self._context.runner.sweep(
            lambda found: (found.execution_id, found.step) != (key.execution_id, key.step) or found.attempt > key.attempt
        )

    def _result(self, end: JobEnd, created_at: float, started_at: float | None, detail: str = "") -> JobResult:
        return JobResult(
            end=end,
            created_at=created_at,
            started_at=started_at,
            ended_at=self._context.clock.now(),
            detail=detail,
            exception_type=JOB_INTERNAL_ERROR if end is JobEnd.LOST else None,
        )


def _reason(faults: Sequence[ObjectFault]) -> str:
    """FailureReason of a job whose containers served to the end; empty if nothing went wrong."""
    if not faults:
        return ""
    first = faults[0]
    others = _others(len(faults) - 1)
    kind = "AlgorithmError" if any(fault.by_model for fault in faults) else "ClientError"
    return f"{kind}: {_SEE_LOGS}: {first.source.bucket}/{first.source.key}: {first.reason}{others}"


def _others(count: int) -> str:
    """What there is to tell of the objects that failed beside the first."""
    if not count:
        return ""
    return f" ({count} other object{'s' if count > 1 else ''} failed, too.)"
