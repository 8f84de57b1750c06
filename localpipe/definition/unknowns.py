"""Values that are not known yet: what waits for a step is taken as an S3 URI in a bucket that no store has. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.expressions import GET, JSON_GET, referenced_steps

if TYPE_CHECKING:
    from collections.abc import Collection

    from localpipe.core import JSON

_BUCKET = "known-when-it-runs"


def with_unknowns(value: JSON, known: Collection[str] = ()) -> JSON:
    """The value with each reference to a step, but for the `known` ones, and each Std:JsonGet replaced by an unknown URI."""
    if isinstance(value, list):
        return [with_unknowns(inner, known) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {GET} and not referenced_steps(value) <= set(known):
        return f"s3://{_BUCKET}/{value[GET]}"
    if set(value) == {JSON_GET}:
        return f"s3://{_BUCKET}/JsonGet"
    return {key: with_unknowns(inner, known) for key, inner in value.items()}


def is_unknown(text: str) -> bool:
    """Whether a part of a text is only known when its step starts."""
    return _BUCKET in text
