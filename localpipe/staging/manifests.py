"""What a manifest names. Pure. Follows: containers.md 2.4; SageMaker API Reference, "S3DataSource"."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.names import S3Uri
from localpipe.errors import JobFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.core import JSON
    from localpipe.core.jobspec import Channel

Attribute: TypeAlias = S3Uri | bytes
"""A value of an augmented manifest: the object that it names, or the value itself as it is streamed."""

_REFERENCE = "-ref"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The objects of a ManifestFile in its order. `prefix`: what stands before each of them, kept as it was written."""

    prefix: S3Uri
    uris: tuple[S3Uri, ...]


def parse_manifest(channel: Channel, content: bytes) -> Manifest:
    """Read a ManifestFile: a list whose first element is `{"prefix": ...}` and whose others are the rest of each URI.

    Raises JobFailed, naming the element, for anything else.
    """
    document = _json(channel, content, "it")
    if not isinstance(document, list) or not document:
        raise _broken(channel, 'it is no JSON list whose first element is {"prefix": "s3://..."}')
    head, *rest = document
    prefix = head.get("prefix") if isinstance(head, dict) else None
    base = _uri(channel, prefix, "its first element has as prefix")
    if not rest:
        raise _broken(channel, "it names no object after its prefix")
    for index, relative in enumerate(rest, start=1):
        if not isinstance(relative, str) or not relative:
            raise _broken(channel, f"element {index} is {json.dumps(relative)}, not the rest of a URI")
    return Manifest(prefix=base, uris=tuple(S3Uri(base.bucket, base.key + relative) for relative in rest))


def parse_augmented_manifest(channel: Channel, content: bytes) -> list[tuple[Attribute, ...]]:
    """Read an AugmentedManifestFile: of each JSON line the channel's attributes, in the channel's order.

    Raises JobFailed, naming the line, if it is no JSON object or lacks an attribute.
    """
    numbered = enumerate(content.split(b"\n"), start=1)
    lines = [_attributes(channel, number, line) for number, line in numbered if line.strip()]
    if not lines:
        raise _broken(channel, "it has no lines")
    return lines


def _attributes(channel: Channel, number: int, line: bytes) -> tuple[Attribute, ...]:
    document = _json(channel, line, f"line {number}")
    if not isinstance(document, dict):
        raise _broken(channel, f"line {number} is no JSON object")
    missing = [name for name in channel.attribute_names if name not in document]
    if missing:
        raise _broken(channel, f"line {number} has no attribute {missing[0]!r}; it has {_listed(list(document))}")
    return tuple(_attribute(channel, number, name, document[name]) for name in channel.attribute_names)


def _attribute(channel: Channel, number: int, name: str, value: JSON) -> Attribute:
    """An object for a name that ends in `-ref`, else the value as text.

    UNVERIFIED: that text is streamed as it is, without quotes, and other values as compact JSON. Documented is only that the
    number 1 becomes `1` (Developer Guide, "Augmented manifest file format for Pipe mode training").
    """
    if name.endswith(_REFERENCE):
        return _uri(channel, value, f"line {number} has as {name!r}")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def _json(channel: Channel, content: bytes, what: str) -> JSON:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _broken(channel, f"{what} is no JSON: {error}") from error


def _uri(channel: Channel, value: JSON, what: str) -> S3Uri:
    try:
        return S3Uri.parse(value)
    except (TypeError, ValueError) as error:
        raise _broken(channel, f"{what} {json.dumps(value)}, which is no S3 URI") from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _broken(channel: Channel, reason: str) -> JobFailed:
    return JobFailed(f"Input {channel.name!r}: the manifest {channel.uri} cannot be used: {reason}.")
