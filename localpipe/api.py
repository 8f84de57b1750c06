"""The Python API: an adapter over the service, as the command line is."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from localpipe.authoring import Asked
from localpipe.authoring.preparing import author, prepare
from localpipe.service.artifacts import objects_of
from localpipe.service.callbacks import (
    send_pipeline_execution_step_failure,
    send_pipeline_execution_step_success,
    waiting_messages,
)
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.fidelity import fidelity, inexact
from localpipe.service.host_logs import whole_text
from localpipe.service.parts import WHOLE, Part
from localpipe.service.preflight import make_images
from localpipe.service.views import shown_status, started_steps
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from localpipe.authoring.target import SdkPipeline
    from localpipe.core import JSON
    from localpipe.scheduling.events import Recorded
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.fidelity import Finding
    from localpipe.service.preflight import Preflight

    Target: TypeAlias = str | Path | Mapping[str, JSON] | SdkPipeline


@dataclass(frozen=True, kw_only=True)
class Step:
    """How one step ended. `properties` has the Describe shape, with times in epoch seconds.

    `status`: the service's word. `failure_reason` is empty unless it failed. `branch_taken` is `IfSteps` or `ElseSteps` for
    a Condition, else None. `log`: standard output and error of its containers; of a job on several hosts each line begins
    with its host. `artifacts`: S3 URI → local file (read only) of what it wrote.
    """

    name: str
    status: str
    attempt_count: int
    properties: JSON
    failure_reason: str
    branch_taken: str | None
    log: str
    artifacts: Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """An execution that has ended. `status`: `Succeeded`, `Failed` or `Stopped`.

    `steps`: those that started, by name, in the order of their start, as the service lists them (service.md section 5.4): a
    step that is not in it was not reached, or stands behind a branch that was not taken. `document` is what
    `localpipe show --json` prints. `fidelity`: what came only near the service or was ignored, by step and member, as
    `localpipe show --fidelity` tells it.
    """

    arn: str
    pipeline_name: str
    status: str
    failure_reason: str
    steps: Mapping[str, Step]
    document: JSON
    fidelity: tuple[Finding, ...]


def run(
    target: Target,
    parameters: Mapping[str, str | int | float | bool] | None = None,
    *,
    name: str | None = None,
    runner: str | None = None,
    cache: str | None = None,
    max_parallel: int | None = None,
    max_trials: int | None = None,
    home: str | Path | None = None,
    python: str | None = None,
    pipeline: str | None = None,
    env: Mapping[str, str] | None = None,
    function: str | None = None,
    arguments: Mapping[str, JSON] | None = None,
    script_arguments: Sequence[str] = (),
    part: Part = WHOLE,
    faults: Sequence[str] = (),
    observe: Callable[[Recorded], None] | None = None,
) -> Execution:
    """Run a pipeline to its end and return what came of it. A failed pipeline is returned, not raised.

    `target`: a path to a definition or a script, a definition as a dict, or a `Pipeline` object of the SageMaker SDK, which
    is compiled so that nothing reaches AWS. `function` names the script's function that makes the pipeline (`get_pipeline`);
    `arguments` are given to it by name. `script_arguments` are the script's own (`sys.argv[1:]`). `part`: which steps run,
    all of them unless it says otherwise. `faults`: texts as `--fault` takes them. Other arguments are the options of
    `localpipe run`.
    Raises LocalpipeError for everything that is refused before anything runs.
    """
    flags = {
        "home": home,
        "runner": runner,
        "cache": cache,
        "max_parallel": max_parallel,
        "max_trials": max_trials,
        "python": python,
    }
    asked = _asked(pipeline, function, arguments, script_arguments)
    with _opened(target, flags) as opened:
        showing, ready = _prepare(opened, target, parameters, name, env, asked, part, faults)
        make_images(showing, ready)
        execution = describe_pipeline_execution(showing, start_pipeline_execution(showing, ready))
        return _ended(drive(execution, observe or _ignore))


def check(
    target: Target,
    parameters: Mapping[str, str | int | float | bool] | None = None,
    *,
    name: str | None = None,
    runner: str | None = None,
    home: str | Path | None = None,
    python: str | None = None,
    pipeline: str | None = None,
    env: Mapping[str, str] | None = None,
    function: str | None = None,
    arguments: Mapping[str, JSON] | None = None,
    script_arguments: Sequence[str] = (),
    part: Part = WHOLE,
    faults: Sequence[str] = (),
) -> tuple[str, ...]:
    """Raise LocalpipeError for all that would keep the pipeline from running here; return notes on what would differ."""
    asked = _asked(pipeline, function, arguments, script_arguments)
    with _opened(target, {"home": home, "runner": runner, "python": python}) as opened:
        _, ready = _prepare(opened, target, parameters, name, env, asked, part, faults)
        return ready.notes


def callbacks(*, home: str | Path | None = None) -> Sequence[JSON]:
    """The messages of Callback steps that wait for an answer, as `localpipe callback list --json` prints them."""
    with _opened(None, {"home": home}) as opened:
        return waiting_messages(opened)


def succeed_callback(
    token: str, outputs: Mapping[str, str | int | float | bool] | None = None, *, home: str | Path | None = None
) -> None:
    """Have the Callback step that waits for a token succeed with outputs; from any process, also while none drives it.

    Raises NotFound for a token that no step has, UsageError for one that is used or for outputs that do not fit.
    """
    with _opened(None, {"home": home}) as opened:
        send_pipeline_execution_step_success(opened, token, outputs or {})


def fail_callback(token: str, reason: str, *, home: str | Path | None = None) -> None:
    """Have the Callback step that waits for a token fail for a reason. Raises NotFound, UsageError."""
    with _opened(None, {"home": home}) as opened:
        send_pipeline_execution_step_failure(opened, token, reason)


@contextmanager
def _opened(target: Target | None, flags: Mapping[str, object]) -> Iterator[Home]:
    """The home, closed at the end. Raises UsageError for the settings, HomeUnusable."""
    beside = Path(target).parent if isinstance(target, str | Path) else None
    home = Home(load_settings(flags, os.environ, Path.cwd(), beside))
    home.check_writable()
    try:
        yield home
    finally:
        home.close()


def _asked(
    pipeline: str | None, function: str | None, arguments: Mapping[str, JSON] | None, script_arguments: Sequence[str]
) -> Asked:
    return Asked(
        pipeline=pipeline, function=function, arguments=arguments or {}, script_arguments=tuple(map(str, script_arguments))
    )


def _prepare(  # noqa: PLR0917 - the options of run, handed on
    home: Home,
    target: Target,
    parameters: Mapping[str, str | int | float | bool] | None,
    name: str | None,
    env: Mapping[str, str] | None,
    asked: Asked,
    part: Part,
    faults: Sequence[str],
) -> tuple[Home, Preflight]:
    authored = author(home, target, asked, {**os.environ, **(env or {})})
    return prepare(home, authored, parameters or {}, name=name, part=part, faults=faults)


def _ended(execution: PipelineExecution) -> Execution:
    return Execution(
        arn=execution.name.arn,
        pipeline_name=execution.name.pipeline_name,
        status=execution.status,
        failure_reason=execution.state.failure_reason,
        steps={step.step: _step(execution, step) for step in started_steps(execution.state)},
        document=execution.document(),
        fidelity=tuple(inexact(fidelity(execution))),
    )


def _step(execution: PipelineExecution, step: StepExecution) -> Step:
    return Step(
        name=step.step,
        status=shown_status(step),
        attempt_count=step.attempt,
        properties=step.properties or {},
        failure_reason=step.reason,
        branch_taken=step.branches_taken[0] if step.branches_taken else None,
        log=whole_text(step.log_files),
        artifacts={str(info.uri): info.path for info in objects_of(step, execution.home.store)},
    )


def _ignore(fact: Recorded) -> None:
    """Nobody watches."""
