"""The members of a step with what lies behind them in the place of names: digests of objects, images and models. Pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from localpipe.caching.signature import digest_of, members_of
from localpipe.core.names import S3Uri, local_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from localpipe.core import JSON
    from localpipe.core.signature import Signature
    from localpipe.core.work import ResolvedStep

_PROPERTY_FILES = "PropertyFiles"
_CODE = "Code"
_IMAGES = frozenset({"ImageUri", "TrainingImage", "Image"})
_MODEL = "ModelName"
_JOB_NAMES = frozenset({"sagemaker_job_name"})
"""Hyperparameters in which the SDK tells its toolkits the name of the job, with a time stamp."""
_DATA_TYPE, _DATA_URI = "S3DataType", "S3Uri"
_MANIFESTS = ("ManifestFile", "AugmentedManifestFile")
CONTENT = "content:"
"""Before a digest that stands for the objects under a URI."""
_URI = re.compile(r"s3://[A-Za-z0-9][^\s\"'\\,;<>|(){}\[\]]*")


class NameOf(Enum):
    """What a name in a step is the name of, and what is to be found behind it; None: nothing."""

    OBJECTS = auto()
    """A digest of all objects under a prefix, by relative key."""
    MANIFEST = auto()
    """A digest of a manifest and of all objects that it names."""
    IMAGE = auto()
    """What tells a local image from others of its name."""
    MODEL = auto()
    """The containers of a model."""
    FUNCTION = auto()
    """A digest of a Lambda function's code."""


@dataclass(frozen=True)
class Name:
    """One name: an S3 URI, an image URI, a model's name or a function's ARN."""

    of: NameOf
    text: str


def names_behind(step: ResolvedStep, signature: Signature, found: Mapping[Name, JSON]) -> AbstractSet[Name]:
    """The names that `content_values` needs besides those in `found`: what lies behind one may name others."""
    if signature.function:
        return {_function(step, signature)} - found.keys()
    wanted: set[Name] = set()

    def look(name: Name) -> JSON:
        if name not in found:
            wanted.add(name)
        return found.get(name)

    _Substitution(signature, look).of(step.arguments, "Arguments")
    return wanted


def content_values(step: ResolvedStep, signature: Signature, found: Mapping[Name, JSON]) -> dict[str, JSON]:
    """Member → value, without what says only where, and with contents in place of names.

    An S3 URI under which nothing lies stays as it is, as does a whole bucket: a step that is told of one may write there. So
    do all that a function is called with, and a directory of this machine that is written to: people look for files there.
    """
    if signature.function:
        code = found[_function(step, signature)]
        return {**members_of(step, signature.members), **({_CODE: f"{CONTENT}{code}"} if code else {})}
    members = (*signature.members, *signature.also)
    arguments = _Substitution(signature, found.__getitem__).of(step.arguments, "Arguments")
    values = members_of(replace(step, arguments=arguments), members)
    files = [asdict(file) for file in step.property_files]
    return {**values, **({_PROPERTY_FILES: files} if files else {})}


def _function(step: ResolvedStep, signature: Signature) -> Name:
    return Name(NameOf.FUNCTION, step.fields[signature.function])


@dataclass(frozen=True)
class _Substitution:
    """`of` replaces what a value holds by what `behind` tells; `path` is where it stands, as `Signature` writes it."""

    signature: Signature
    behind: Callable[[Name], JSON]

    def of(self, value: JSON, path: str) -> JSON:
        if not self._counts(path):
            return value
        if isinstance(value, dict):
            return self._members(value, path)
        if isinstance(value, list):
            return [self.of(each, f"{path}[*]") for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _members(self, value: Mapping[str, JSON], path: str) -> JSON:
        inner = {key: (each, f"{path}.{key}") for key, each in value.items() if key not in _JOB_NAMES}
        found = {
            key: self._named(key, each, place) for key, (each, place) in inner.items() if place not in self.signature.places
        }
        found |= {
            key: each
            for key, (each, place) in inner.items()
            if place in self.signature.places and isinstance(each, str) and local_path(each)
        }
        if value.get(_DATA_TYPE) in _MANIFESTS and _URI.match(str(value.get(_DATA_URI))):
            found[_DATA_URI] = self._content(NameOf.MANIFEST, value[_DATA_URI])
        return found

    def _counts(self, path: str) -> bool:
        """Whether it belongs to a member that is compared, or holds one."""
        if path in self.signature.kept:
            return False
        members = (*self.signature.members, *self.signature.also)
        return any(_is_below(path, each) or _is_below(each, path) for each in members)

    def _named(self, name: str, value: JSON, path: str) -> JSON:
        if name in _IMAGES and isinstance(value, str):
            return self.behind(Name(NameOf.IMAGE, value))
        if name == _MODEL and isinstance(value, str):
            containers = self.behind(Name(NameOf.MODEL, value))
            return value if containers is None else digest_of(self.of(containers, path))
        return self.of(value, path)

    def _text(self, text: str) -> str:
        return _URI.sub(lambda found: self._objects(found[0]), text)

    def _objects(self, uri: str) -> str:
        return self._content(NameOf.OBJECTS, uri) if S3Uri.parse(uri).key else uri

    def _content(self, of: NameOf, uri: str) -> str:
        digest = self.behind(Name(of, uri))
        return f"{CONTENT}{digest}" if digest else uri


def named_in_manifest(text: str) -> tuple[S3Uri, ...]:
    """The objects that a manifest or an augmented manifest names, in its order; of one that cannot be used, what is seen.

    Follows: containers.md 2.4.
    """
    with suppress(ValueError, TypeError, LookupError):
        head, *rest = json.loads(text)
        return tuple(S3Uri.parse(f"{head['prefix']}{relative}") for relative in rest)
    return tuple(S3Uri.parse(found) for found in _URI.findall(text))


def _is_below(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))
