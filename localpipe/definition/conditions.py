"""The conditions of a Condition step: their form, and whether they hold for evaluated values.

Follows: service.md section 3.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from localpipe.definition.expression_forms import check_scalar, unknown_members
from localpipe.definition.wording import (
    EXPECTING_ARRAY,
    EXPECTING_OBJECT,
    PARSE_PREFIX,
    did_you_mean,
    element,
    kind_of,
    member,
    shown,
)
from localpipe.errors import ExpressionError, Problem

if TYPE_CHECKING:
    from localpipe.core import JSON

_Scalar: TypeAlias = str | int | float | bool

_COMPARISONS: Mapping[str, Callable[[_Scalar, _Scalar], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_EQUALITIES = frozenset({"Equals", "NotEquals"})
_MEMBERSHIPS = ("In", "NotIn")
_TYPES = (*_COMPARISONS, *_MEMBERSHIPS, "Not", "Or")
_UNKNOWN_EXPRESSION = f"{PARSE_PREFIX}Cannot parse object, unknown property 'Expression'."
_OLD_SDK = (
    "Old versions of the SageMaker SDK write it instead of 'Condition', and SageMaker refuses it as well: upgrade the SDK, "
    "or rename the member."
)
"""Follows: service.md sections 1.6, 3."""
_IN_SPELLINGS = (("QueryValue", "Values"), ("Value", "In"))


def evaluate_conditions(conditions: JSON, path: str) -> bool:
    """Whether all conditions hold; an empty list does. Their operands are values: every expression has been evaluated.

    Numbers compare as numbers, strings by code point, booleans only for equality; nothing is converted. Conditions are
    looked at from left to right, up to the first that decides; In and NotIn look at every element, so that their order does
    not matter. `path` is the JSON path of the list, for errors.

    Raises ExpressionError, naming both values and their types, for operands that cannot be compared.
    """
    return all(_holds(condition, element(path, index)) for index, condition in enumerate(conditions or ()))


def _holds(condition: JSON, path: str) -> bool:
    kind: str = condition["Type"]
    if kind == "Not":
        return not _holds(condition["Condition"], member(path, "Condition"))
    if kind == "Or":
        at = member(path, "Conditions")
        return any(_holds(inner, element(at, index)) for index, inner in enumerate(condition["Conditions"]))
    if kind in _MEMBERSHIPS:
        query, values = (condition[key] for key in _in_spelling(condition))
        matches = [_compare("Equals", query, value, path) for value in values]
        return any(matches) == (kind == "In")
    return _compare(kind, condition["LeftValue"], condition["RightValue"], path)


def _compare(kind: str, left: JSON, right: JSON, path: str) -> bool:
    family = _family(left)
    if family is None or family != _family(right):
        raise ExpressionError(
            f"{kind} at {path} cannot compare {shown(left)} ({kind_of(left)}) with {shown(right)} ({kind_of(right)})."
        )
    if family == "boolean" and kind not in _EQUALITIES:
        raise ExpressionError(
            f"{kind} at {path} cannot order the booleans {shown(left)} and {shown(right)}; only Equals compares them."
        )
    return _COMPARISONS[kind](left, right)


def _family(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def _in_spelling(condition: Mapping[str, JSON]) -> tuple[str, str]:
    """The members that hold the value and the list: the SDK's, or those of the published schema."""
    return next((names for names in _IN_SPELLINGS if condition.get(names[0]) is not None), _IN_SPELLINGS[0])


def check_conditions(conditions: JSON, path: str) -> list[Problem]:
    """Every problem in the form of a list of conditions, in the service's words. Absent (None) is an empty list."""
    return list(_check_list(conditions if conditions is not None else [], path))


def _check_list(conditions: JSON, path: str) -> Iterator[Problem]:
    if not isinstance(conditions, list):
        yield Problem(path, EXPECTING_ARRAY, f"Conditions is a list; found {kind_of(conditions)}.")
        return
    for index, condition in enumerate(conditions):
        yield from _check(condition, element(path, index))


def _check(condition: JSON, path: str) -> Iterator[Problem]:
    if not isinstance(condition, dict):
        yield Problem(path, EXPECTING_OBJECT, f"A condition is an object; found {kind_of(condition)}.")
        return
    kind = condition.get("Type")
    if not isinstance(kind, str):
        yield _unknown_type(kind, member(path, "Type"))
    elif kind in _COMPARISONS:
        yield from unknown_members(condition, ("Type", "LeftValue", "RightValue"), path)
        yield from check_scalar(condition.get("LeftValue"), member(path, "LeftValue"))
        yield from check_scalar(condition.get("RightValue"), member(path, "RightValue"))
    elif kind in _MEMBERSHIPS:
        yield from _check_membership(condition, path)
    elif kind == "Not" and "Expression" in condition and "Condition" not in condition:
        yield Problem(member(path, "Expression"), _UNKNOWN_EXPRESSION, _OLD_SDK)
    elif kind == "Not":
        yield from unknown_members(condition, ("Type", "Condition"), path)
        yield from _check(condition.get("Condition"), member(path, "Condition"))
    elif kind == "Or":
        yield from unknown_members(condition, ("Type", "Conditions"), path)
        yield from _check_list(condition.get("Conditions"), member(path, "Conditions"))
    else:
        yield _unknown_type(kind, member(path, "Type"))


def _check_membership(condition: Mapping[str, JSON], path: str) -> Iterator[Problem]:
    query, values = _in_spelling(condition)
    yield from unknown_members(condition, ("Type", query, values), path)
    yield from check_scalar(condition.get(query), member(path, query))
    candidates, at = condition.get(values), member(path, values)
    if not isinstance(candidates, list):
        yield Problem(at, EXPECTING_ARRAY, f"{condition['Type']} takes a list; found {kind_of(candidates)}.")
        return
    for index, candidate in enumerate(candidates):
        yield from check_scalar(candidate, element(at, index))


def _unknown_type(kind: JSON, path: str) -> Problem:
    if kind == "And":
        return Problem(path, "there is no condition type 'And'.", "List the conditions one after the other: all must hold.")
    remedy = did_you_mean(kind, _TYPES) if isinstance(kind, str) else f"Write one of {', '.join(_TYPES)}."
    return Problem(path, f"{PARSE_PREFIX}{shown(kind)} is no type of condition.", remedy)
