"""What localpipe takes although SageMaker may not: said before the run, never refused.

Follows: service.md sections 3 (Branch rules), 6 and 13 (no. 6 and 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.check import all_steps
from localpipe.definition.expressions import is_expression
from localpipe.definition.requests import LOOSE_MAPS
from localpipe.definition.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from localpipe.definition.model import PipelineDefinition, StepDefinition
    from localpipe.definition.property_paths import ServiceModel
    from localpipe.definition.step_kind import StepKind


def doubts(definition: PipelineDefinition, step_types: Mapping[str, StepKind], model: ServiceModel) -> Iterator[str]:
    """Sentences on a definition that has been checked, step by step in document order."""
    steps = list(all_steps(definition, step_types))
    scope = Scope.of(definition, steps, step_types, model)
    for step in steps:
        yield from _nested(step, step_types)
        yield from _waiting_for_branches(step, scope)
        yield from _uncast(step, scope)
        yield from _ageless(step)


def _nested(step: StepDefinition, step_types: Mapping[str, StepKind]) -> Iterator[str]:
    inner = [each for branch in step_types[step.type].branches(step).values() for each in branch]
    if nested := [each.name for each in inner if step_types[each.type].branches(each)]:
        yield (
            f"Step {step.name!r} ({step.type}) has steps with branches in its own: {_listed(nested)}. SageMaker's guide "
            "calls that unsupported, though its SDK writes it."
        )


def _waiting_for_branches(step: StepDefinition, scope: Scope) -> Iterator[str]:
    for dependency in step.depends_on:
        target = scope.steps[dependency.step]
        if scope.step_types[target.type].branches(target):
            yield (
                f"Step {step.name!r} depends on {target.name!r} ({target.type}) by DependsOn: SageMaker has been seen to "
                "refuse that. A reference to one of its properties makes it wait as well."
            )


def _uncast(step: StepDefinition, scope: Scope) -> Iterator[str]:
    """Maps of texts that take references of any type: SDK v3 writes such."""
    for name in LOOSE_MAPS & step.arguments.keys():
        entries = (step.arguments[name] or {}).items()
        uncast = [key for key, value in entries if is_expression(value) and scope.type_of(value) not in {None, "String"}]
        if uncast:
            yield (
                f"Step {step.name!r}: {name} takes text, but {_listed(uncast)} refers to a number or boolean, "
                "which SageMaker may refuse. In the SDK, `.to_string()` casts it."
            )


def _ageless(step: StepDefinition) -> Iterator[str]:
    """Follows: service.md section 6, `ExpireAfter` grammar."""
    if step.cache and step.cache.enabled and step.cache.expire_after is None:
        yield (
            f"Step {step.name!r}: its CacheConfig has no ExpireAfter, which SageMaker's guide demands. A result of any age "
            "stands for it here."
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
