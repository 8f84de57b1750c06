"""What in an execution was as on the service, what came near it and what was ignored: by step and member.

Judged from the execution's own record, so the answer stays the same when images and settings have changed since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.caching.verdict import CacheMode
from localpipe.core.fidelity import Circumstances, Verdict
from localpipe.core.times import iso_time
from localpipe.definition.expressions import EvaluationContext, evaluate, is_expression
from localpipe.engine.resolve import execution_variables, step_values
from localpipe.errors import ExpressionError
from localpipe.jobs.instances import limits_of
from localpipe.jobs.members import members
from localpipe.service.views import started_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.fidelity import Rule
    from localpipe.core.ports import Runner
    from localpipe.definition.expressions import StepValues
    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.scheduling.events import ExecutionStarted
    from localpipe.scheduling.history import StepExecution
    from localpipe.service.executions import PipelineExecution
    from localpipe.steps.base import StepType

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The verdict on one member. `step` None: of the pipeline itself. `note`: why, in a sentence; empty for `Exact`.

    `member`: its path below the step's Arguments, or the name of a member of the step or the pipeline.
    """

    step: str | None
    member: str
    verdict: Verdict
    note: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The same verdict for the same reason, told once for all members and steps that share it.

    `members` are without list indexes. Neither they nor `steps` repeat; both are in the order of the findings. `steps` is
    empty for members of the pipeline itself.
    """

    verdict: Verdict
    note: str
    members: tuple[str, ...]
    steps: tuple[str, ...]


def fidelity(execution: PipelineExecution, runner: Runner | None = None) -> Sequence[Finding]:
    """The verdict on every member that the pipeline and the requests of its steps have.

    A step whose request was not carried out (not reached, refused, reused) has nothing to judge. `runner` replaces the one
    that the execution keeps (tests).
    """
    circumstances = _circumstances(execution, runner or execution.home.runner(execution.home.settings.runner))
    values = {name: step_values(step) for name, step in execution.state.steps.items()}
    findings = list(_of_pipeline(execution.pipeline.definition))
    for step in started_steps(execution.state):
        if (step.last and step.last.reused) or not (step.log_files or step.properties):
            continue
        definition = execution.pipeline.steps[step.step]
        kind = execution.home.step_types[definition.type]
        findings += _of_step(definition, kind, execution.home.settings.cache)
        if kind.fidelity:
            request = {**definition.arguments, **definition.fields}
            request = _with_values(request, _context(execution, step, kind, values))
            findings += judged(step.step, request, kind.fidelity, circumstances)
    return findings


def judged(step: str, request: JSON, rules: Iterable[Rule], circumstances: Circumstances) -> Iterator[Finding]:
    """The verdict on every member of a request that is there, in the order of the rules."""
    for rule in rules:
        for place, value in members(request, rule.member, ""):
            note = rule.note(value, circumstances)
            yield Finding(step=step, member=place[1:], verdict=rule.verdict if note else Verdict.EXACT, note=note)


def differences(findings: Iterable[Finding]) -> Sequence[Difference]:
    """What was not exact: approximations, then what was ignored, each in the order of the findings."""
    shared: dict[tuple[Verdict, str], list[Finding]] = {}
    for finding in findings:
        shared.setdefault((finding.verdict, finding.note), []).append(finding)
    return [
        Difference(
            verdict=verdict,
            note=note,
            members=tuple(dict.fromkeys(_INDEX.sub("", each.member) for each in alike)),
            steps=tuple(dict.fromkeys(each.step for each in alike if each.step is not None)),
        )
        for wanted in (Verdict.APPROXIMATED, Verdict.IGNORED)
        for (verdict, note), alike in shared.items()
        if verdict is wanted
    ]


def inexact(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Those that are to be told one by one."""
    return (each for each in findings if each.verdict is not Verdict.EXACT)


def fidelity_rows(findings: Iterable[Finding]) -> Sequence[JSON]:
    """What was not exact, as the rows of `show --fidelity --json`."""
    return [
        {"StepName": each.step, "Member": each.member, "Verdict": each.verdict.value, "Note": each.note}
        for each in inexact(findings)
    ]


def notes_beside_images(started: ExecutionStarted) -> Sequence[str]:
    """What was noted before the run, but for what differs in images: findings say that."""
    return [note for note in started.notes if note.partition(": ")[0] not in started.images]


def _circumstances(execution: PipelineExecution, runner: Runner) -> Circumstances:
    settings = execution.home.settings  # those that the execution keeps

    def limits_kept(instance_type: str) -> bool:
        limits = limits_of(instance_type, overrides=settings.instances, enforce=settings.enforce_instances)
        return runner.keeps_limits and limits.memory_bytes is not None

    def model(name: str) -> JSON | None:
        return next((each for each in execution.home.registry.models() if each["ModelName"] == name), None)

    return Circumstances(
        images=execution.started.images,
        mounts=settings.s3_mounts,
        limits_kept=limits_kept,
        limits_refused=settings.enforce_instances and not runner.keeps_limits,
        one_user=runner.one_user,
        shields_machine=runner.shields_machine,
        max_trials=settings.max_trials,
        model=model,
    )


def _of_pipeline(definition: PipelineDefinition) -> Iterator[Finding]:
    for member, value, note in (
        ("PipelineExperimentConfig", definition.experiment, "No experiment or trial was made."),
        ("MlflowConfig", definition.mlflow, "Nothing was written to an MLflow server."),
    ):
        if value:
            yield Finding(step=None, member=member, verdict=Verdict.IGNORED, note=note)


def _of_step(step: StepDefinition, kind: StepType, cache: str) -> Iterator[Finding]:
    if step.cache and step.cache.enabled and (kind.signature is None or cache == CacheMode.OFF):
        why = f"a {step.type} step is never answered from an earlier result" if kind.signature is None else "--cache off"
        note = f"Not applied: {why}."
        yield Finding(step=step.name, member="CacheConfig", verdict=Verdict.IGNORED, note=note)


def _context(
    execution: PipelineExecution, step: StepExecution, kind: StepType, values: Mapping[str, StepValues]
) -> EvaluationContext:
    """What the expressions of a step's last attempt referred to, but for objects of S3, which may be others by now."""
    variables = execution_variables(
        execution.name,
        started=iso_time(execution.state.started_at),
        current=iso_time(step.attempts[-1].started_at),
        job_name_argument=kind.job_name_argument,
        job_name=step.job_name,
    )
    return EvaluationContext(parameters=execution.started.parameters, execution=variables, steps=values, documents={})


def _with_values(value: JSON, context: EvaluationContext) -> JSON:
    """The value with each expression that has a value replaced by it; the others stay."""
    if is_expression(value):
        try:
            return evaluate(value, context, "")
        except ExpressionError:
            return value
    if isinstance(value, list):
        return [_with_values(inner, context) for inner in value]
    if isinstance(value, dict):
        return {key: _with_values(inner, context) for key, inner in value.items()}
    return value
