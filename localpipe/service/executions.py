"""Executions: start, drive, stop, retry, find, describe. Named as SageMaker names them.

Follows: service.md sections 5 and 9.1.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from localpipe.core.names import AttemptKey, ExecutionName, job_name
from localpipe.core.times import iso_time
from localpipe.engine.resolve import World
from localpipe.errors import NotFound, UsageError
from localpipe.journal.lease import driving, is_driven, ring
from localpipe.scheduling.events import ExecutionStarted, RetryRequested, StopRequested
from localpipe.scheduling.state import fold
from localpipe.service.functions import function_host, kept_functions
from localpipe.service.parts import part_of
from localpipe.service.pipelines import Pipeline, read_pipeline
from localpipe.service.preflight import Preflight
from localpipe.service.requests import fitter
from localpipe.service.results import results_of
from localpipe.service.serving_images import what_serves
from localpipe.service.tuning_jobs import training_jobs_of
from localpipe.service.views import execution_document
from localpipe.service.wiring import RUNNER_OF_NO_JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from localpipe.core import JSON
    from localpipe.core.ports import Runner
    from localpipe.engine.endpoint import JobEndpoint
    from localpipe.scheduling.events import Recorded
    from localpipe.scheduling.history import StepExecution
    from localpipe.scheduling.state import ExecutionState
    from localpipe.service.wiring import Home

_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
LAST = "last"
_CAN_BE_RETRIED = ("Failed", "Stopped")


@dataclass(frozen=True, kw_only=True)
class PipelineExecution:
    """One execution as its journal tells it.

    `home` has the settings that the execution keeps. The graph of `pipeline` has the steps that the execution runs and those
    that it reuses. `driven`: a process drives it at this moment.
    """

    home: Home
    name: ExecutionName
    started: ExecutionStarted
    pipeline: Pipeline
    state: ExecutionState
    driven: bool

    @property
    def status(self) -> str:
        """The service's word for where it stands."""
        return self.state.status.value

    def document(self) -> JSON:
        """The document of `--json`."""
        return execution_document(self.name, self.state, self.pipeline.steps, self.home.step_types, self.home.model)

    def key(self, step: StepExecution) -> AttemptKey:
        """The last attempt of a step."""
        return AttemptKey(execution_id=self.name.execution_id, step=step.step, attempt=step.attempt)

    def step(self, name: str) -> StepExecution:
        """A step that has started. Raises NotFound, naming the nearest."""
        step = self.state.steps.get(name)
        if step is None or step.attempt == 0:
            started = [s.step for s in self.state.steps.values() if s.attempt]
            if name in self.pipeline.steps:
                raise UsageError(f"Step {name!r} has not started in execution {self.name.execution_id}.")
            raise NotFound("step", name, get_close_matches(name, started, n=1))
        return step


def start_pipeline_execution(home: Home, ready: Preflight) -> str:
    """Write down that the pipeline is to run, and return the execution id. Nothing runs yet: `drive` does that."""
    execution_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
    home.execution_dir(execution_id).mkdir(parents=True)
    started = ExecutionStarted(
        pipeline_name=ready.pipeline.name,
        execution_id=execution_id,
        definition=ready.pipeline.definition.source,
        parameters=ready.parameters,
        max_parallel=ready.max_parallel,
        settings={
            **home.settings.kept(),
            "runner": ready.runner_name or RUNNER_OF_NO_JOBS,
            "faults": [str(fault) for fault in ready.faults],
        },
        notes=ready.notes,
        images={image.image_uri: what_serves(image, home.settings) for image in ready.images},
        selection=ready.selection,
        functions=kept_functions(home, ready.functions, home.execution_dir(execution_id) / "functions"),
    )
    home.journal.append(execution_id, [started, *ready.reused])
    return execution_id


def drive(
    execution: PipelineExecution,
    observe: Callable[[Recorded], None],
    runner: Runner | None = None,
    *,
    first: Callable[[], None] | None = None,
) -> PipelineExecution:
    """Run an execution from where its journal stands to its end, in this process; return it as it is then.

    `observe` sees every fact, old ones first. `runner` replaces the one that the execution keeps (tests, benchmarks).
    `first` may write facts: it is done when no other process can drive the execution, before its facts are read.
    Raises ExecutionBusy if another process drives it, NotFound if it has been removed.
    """
    from localpipe.engine.loop import Engine
    from localpipe.engine.perform import Performer

    home, name = execution.home, execution.name
    directory = home.execution_dir(name.execution_id)
    runner = runner or home.runner(home.settings.runner)
    with driving(directory) as bell:
        if home.journal.started(name.execution_id) is None:
            raise NotFound("execution", name.execution_id)
        endpoint = endpoint_of(execution, runner, directory)
        endpoint.resume()
        world = world_of(execution, runner, endpoint)
        try:
            if first:
                first()
            Engine(
                plan=execution.pipeline.plan(),
                execution_id=name.execution_id,
                journal=home.journal,
                performer=Performer(world),
                clock=home.clock,
                bell=bell,
                job_name=partial(_job_name, execution.pipeline, home),
                observe=observe,
            ).run()
        finally:
            endpoint.close()
    return replace(execution, state=fold(home.journal.read(name.execution_id)), driven=False)


def world_of(execution: PipelineExecution, runner: Runner, endpoint: JobEndpoint) -> World:
    """The effects in which the steps of an execution are done."""
    home = execution.home
    return World(
        execution=execution.name,
        started_at=execution.state.started_at,
        parameters=execution.started.parameters,
        steps=execution.pipeline.steps,
        step_types=home.step_types,
        fit=fitter(home),
        store=home.store,
        registry=home.registry,
        functions=function_host(execution, endpoint, runner),
        queues=home.queues(),
        runner=runner,
        slots=home.slots(execution.name.execution_id),
        size=home.size,
        faults=home.settings.faults,
        stager=home.stager(),
        clock=home.clock,
        grace_seconds=home.settings.stop_grace_seconds,
        job_environment=_environment_of(execution, endpoint),
        max_trials=home.settings.max_trials,
        tuning_jobs=partial(training_jobs_of, home),
        results=results_of(execution.name, home, runner),
    )


def describe_pipeline_execution(home: Home, execution: str) -> PipelineExecution:
    """The execution named by an ARN, an id or `last`. Raises NotFound."""
    started = _find(home, execution)
    kept = home.keeping(started.settings)
    driven = is_driven(home.execution_dir(started.execution_id))  # first: a driver writes the end before it leaves
    name = ExecutionName(
        pipeline_name=started.pipeline_name, execution_id=started.execution_id, identity=kept.settings.identity
    )
    state = fold(home.journal.read(started.execution_id))
    return PipelineExecution(
        home=kept,
        name=name,
        started=started,
        pipeline=part_of(read_pipeline(kept, started.definition, started.pipeline_name), state),
        state=state,
        driven=driven,
    )


def refreshed(execution: PipelineExecution) -> PipelineExecution:
    """The execution as its journal tells it now."""
    execution_id = execution.name.execution_id
    driven = is_driven(execution.home.execution_dir(execution_id))  # first: a driver writes the end before it leaves
    return replace(execution, state=fold(execution.home.journal.read(execution_id)), driven=driven)


def list_pipeline_executions(home: Home) -> Sequence[JSON]:
    """Every execution of the home, newest first, in words for people and programs.

    `Interrupted`: it has not ended and no process drives it.
    """
    rows = []
    for started in reversed(home.journal.executions()):
        driven = is_driven(home.execution_dir(started.execution_id))
        state = fold(home.journal.read(started.execution_id))
        rows.append(
            {
                "ExecutionId": started.execution_id,
                "PipelineName": started.pipeline_name,
                "Status": state.status.value,
                "StartTime": iso_time(state.started_at),
                "Interrupted": not state.finished and not driven,
            }
        )
    return rows


def stop_pipeline_execution(home: Home, execution_id: str, *, kill: bool = False) -> None:
    """Ask for the execution to stop; `kill` may follow a stop. Raises UsageError, in the service's words, if it is too late.

    Follows: service.md section 5.6.
    """
    state = fold(home.journal.read(execution_id))
    if state.finished or (state.stop and not kill):
        raise UsageError(
            f"Execution {execution_id} is {state.status}. Only pipelines with 'Executing' status can be stopped."
        )
    home.journal.append(execution_id, [StopRequested(kill=kill)])
    ring(home.execution_dir(execution_id))


def retry_pipeline_execution(home: Home, execution_id: str, *, max_parallel: int | None = None) -> None:
    """Ask for failed and stopped steps to be done again; to be the `first` of `drive`, which then does them.

    Raises UsageError unless the execution is Failed or Stopped. Follows: service.md section 5.7.
    """
    state = fold(home.journal.read(execution_id))
    check_retry(execution_id, state)
    home.journal.append(execution_id, [RetryRequested(max_parallel)])


def check_retry(execution_id: str, state: ExecutionState) -> None:
    """Raise UsageError for an execution that cannot be retried as it stands."""
    if state.status not in _CAN_BE_RETRIED:
        raise UsageError(
            f"Execution {execution_id} is {state.status}. Only executions with 'Failed' or 'Stopped' status can be retried."
        )


def _find(home: Home, execution: str) -> ExecutionStarted:
    wanted = execution.rsplit("/", 1)[-1]
    found = home.journal.last() if execution == LAST else home.journal.started(wanted)
    if found is None:
        raise NotFound("execution", execution, get_close_matches(wanted, home.journal.ids(), n=1))
    return found


def endpoint_of(execution: PipelineExecution, runner: Runner, directory: Path) -> JobEndpoint:
    """The local S3 as the jobs of an execution reach it; `directory` keeps its secret while it serves."""
    from localpipe.engine.endpoint import JobEndpoint
    from localpipe.server.on_demand import OnDemandServer

    home = execution.home

    def app(secret: str) -> ASGIApp:
        from localpipe.server.aws import aws_app, job_services
        from localpipe.server.packages import packages_app
        from localpipe.server.s3 import s3_app
        from localpipe.service.wiring import package_index

        s3 = s3_app(home.store, secret=secret, makes_buckets=True, region=home.settings.region)
        aws = aws_app(s3, job_services(execution.name.identity, secret))
        return packages_app(partial(package_index, secret), secret, aws)

    def serve(secret: str, port: int) -> OnDemandServer:
        return OnDemandServer(partial(app, secret), runner.endpoint_host(), port)

    return JobEndpoint(directory, home.settings.region, runner.endpoint_url_host(), serve)


def _environment_of(execution: PipelineExecution, endpoint: JobEndpoint) -> Callable[[str], Mapping[str, str]]:
    """The variables of a job by its image URI: where the local S3 is and, for a stand-in, the package index beside it.

    Any other image keeps its own index: it may be one that only its pip.conf knows.
    """
    from localpipe.images.catalogue import has_stand_in
    from localpipe.server.package_address import index_environment

    def environment(image_uri: str) -> Mapping[str, str]:
        leading = endpoint.environment()
        is_ours = has_stand_in(image_uri, execution.home.settings.images)
        return {**leading, **index_environment(leading)} if is_ours else leading

    return environment


def _job_name(pipeline: Pipeline, home: Home, step: str, key: AttemptKey) -> str:
    """The name of an attempt's job; a name left in the arguments is its prefix. Follows: service.md section 1.5."""
    definition = pipeline.graph.nodes[step].step
    step_type = home.step_types[definition.type]
    argument = step_type.job_name_argument
    prefix = (definition.arguments or {}).get(argument) if argument else None
    return job_name(key, prefix if isinstance(prefix, str) else None, step_type.job_name_limit)
