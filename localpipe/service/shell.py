"""A shell in a step: in the container of its job, or in a new one over the files that the job was staged with."""

from __future__ import annotations

import shlex
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.ports import CommandLine
from localpipe.core.tuning import TrialDetail
from localpipe.core.work import RunJob, RunTransform, RunTuning
from localpipe.engine.resolve import Attempt, resolve, step_values, whole_environment
from localpipe.errors import UsageError
from localpipe.jobs.serving import model_named, serving_specs
from localpipe.jobs.tuning import trial_request, trial_spec
from localpipe.scheduling.history import BUSY
from localpipe.service.executions import endpoint_of, refreshed, world_of
from localpipe.service.own_jobs import own_job
from localpipe.service.views import reuse_words
from localpipe.settings import JOB_COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core.jobspec import JobSpec, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.transform import TransformSpec
    from localpipe.core.tuning import TuningSpec
    from localpipe.engine.resolve import World
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution

_OPEN_SHELL = "command -v bash >/dev/null && exec bash || exec sh"


@dataclass(frozen=True, kw_only=True)
class Shell:
    """How to enter a step: a command line, and the command that the step itself runs or ran there.

    In the shell, `eval "$LOCALPIPE_COMMAND"` does it again. `alone_as`: the host that it is where the job had others,
    which do not run beside it; else empty.
    """

    line: CommandLine
    own_command: str
    alone_as: str = ""


@contextmanager
def enter(
    execution: PipelineExecution, step_name: str, *, terminal: bool, host_name: str | None = None, job: int | None = None
) -> Iterator[Shell]:
    """A shell in the step's container, or in a new one over what it left; the local S3 answers while it is open.

    `terminal`: whether the caller's standard input is one. `host_name`: which of the job's hosts, None for the first. `job`:
    which of the step's own jobs, from 1; None: it has none.

    Raises UsageError for a step that runs no container, whose job never came to run, or whose job another process is about
    to start or to collect, and for a host or a job that it has not.
    """
    runner = execution.home.runner(execution.home.settings.runner)
    step = execution.step(step_name)
    with tempfile.TemporaryDirectory(prefix="localpipe-shell-") as directory:
        endpoint = endpoint_of(execution, runner, Path(directory))
        try:
            staged = _staged(execution, step, world_of(execution, runner, endpoint), host_name, job)
            host = _index_of(host_name, staged)
            own_command = shlex.join(runner.job_command(staged))
            script = ["sh", "-c", f"export {JOB_COMMAND}={shlex.quote(own_command)}; {_OPEN_SHELL}"]
            entered = runner.enter(staged.key, script, terminal=terminal, host=host) if step.status in BUSY else None
            if entered:
                yield Shell(line=CommandLine(argv=tuple(entered)), own_command=own_command)
            else:
                _refuse_what_is_in_hand(refreshed(execution), step_name, job)
                runner.ensure_image(staged.image_uri)
                alone = replace(staged, hosts=(staged.hosts[host],))
                alone_as = alone.hosts[0].name if len(staged.hosts) > 1 else ""
                line = runner.shell(alone, script, terminal=terminal)
                yield Shell(line=line, own_command=own_command, alone_as=alone_as)
                runner.reclaim(staged.attempt_dir, staged.image_uri)
        finally:
            endpoint.close()


def _index_of(host_name: str | None, staged: StagedJob) -> int:
    """Which of the job's hosts it is, from 0. Raises UsageError, naming those that there are."""
    names = [host.name for host in staged.hosts]
    if host_name is not None and host_name not in names:
        raise UsageError(f"Step {staged.key.step!r} has no host {host_name!r}. Its hosts: {', '.join(names)}.")
    return 0 if host_name is None else names.index(host_name)


def _refuse_what_is_in_hand(execution: PipelineExecution, step_name: str, job: int | None) -> None:
    """A shell over the files of a job that is about to start, or whose outputs are being read, would change them."""
    step = execution.step(step_name)
    status, busy = step.status.value, step.status in BUSY
    if job is not None:
        own = own_job(step, job)
        status, busy = own.status.value, busy and not own.status.ended
    if busy and execution.driven:
        raise UsageError(
            f"Step {step_name!r} is {status}, and its job does not run at this moment: it waits for its turn, is "
            "being made ready or has just ended. Try again when it runs."
        )


def _staged(
    execution: PipelineExecution, step: StepExecution, world: World, host_name: str | None, job: int | None
) -> StagedJob:
    """The job of the step's last attempt, described again from the journal; of the containers of a model that one."""
    definition = execution.pipeline.steps[step.step]
    if job is not None:
        own_job(step, job)
    launched = step.last is not None and step.last.launched_at is not None
    never_ran = job is None and step.status not in BUSY and not launched
    if never_ran or not execution.home.attempt_dir(execution.key(step)).is_dir():
        if step.status in BUSY:
            reason = "its job is not made ready yet."
        elif step.last and step.last.reused:
            reason = f"it was not done here; {reuse_words(step.last.reused)}."
        elif step.reason:
            reason = f"its job was not made ready. {step.reason}"
        else:
            reason = f"a {definition.type} step runs no container."
        raise UsageError(f"There is nothing to enter in step {step.step!r}: {reason}")
    attempt = Attempt(
        key=execution.key(step),
        step=definition,
        job_name=step.job_name,
        at=step.attempts[-1].started_at,
        values={name: step_values(each) for name, each in execution.state.steps.items()},
        reattach=True,
    )
    work = world.step_types[definition.type].work(resolve(attempt, world))
    match work:
        case RunTuning(spec=tuning):
            key, spec = _trial(tuning, attempt.key, step, job)
        case RunJob(spec=spec):
            key = attempt.key
        case RunTransform(spec=transform):
            key, spec = _container(transform, attempt.key, world, host_name)
        case _:
            reason = f"a {definition.type} step runs no container."
            raise UsageError(f"There is nothing to enter in step {step.step!r}: {reason}")
    environment = whole_environment(spec, world)
    return world.stager.describe(spec, key, environment, overlays=world.runner.overlays)


def _trial(tuning: TuningSpec, key: AttemptKey, step: StepExecution, job: int | None) -> tuple[AttemptKey, JobSpec]:
    """A training job of a tuning job. Raises UsageError where it is not said which."""
    if job is None:
        raise UsageError(f"Step {step.step!r} runs training jobs: say which by --job N. `localpipe show` lists them.")
    own = own_job(step, job)
    detail = TrialDetail.from_json(own.detail)
    request = trial_request(tuning, detail.definition, detail.parameters, own.job_name)
    return replace(key, child=job), trial_spec(tuning, request, own.job_name)


def _container(transform: TransformSpec, key: AttemptKey, world: World, host_name: str | None) -> tuple[AttemptKey, JobSpec]:
    """The container of a model that is called so, else the first."""
    model = model_named(transform.model_name, world.registry.models())
    containers = serving_specs(model, transform, world.execution.identity)
    named = (child for child, spec in enumerate(containers, start=1) if spec.hosts[0].name == host_name)
    child = next(named, 1)
    return replace(key, child=child), containers[child - 1]
