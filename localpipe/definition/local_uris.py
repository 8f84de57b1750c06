"""Local paths and `file://` URIs where an S3 URI may stand: found, and written as URIs of a bucket that shows local files.

Where one may stand is told by the service model: members of a request whose pattern wants `s3://`, the parameter or the
beginning of the Std:Join that is there, and what Std:JsonGet reads. Any other text is left alone: a job's argument may be a
path inside the container. Pure: names alone are looked at, no file system.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.core.names import LOCAL_FILES, S3Uri, meant_uri
from localpipe.definition.expressions import GET, JOIN, JSON_GET, ParameterReference, is_expression, parse_reference
from localpipe.definition.wording import element, member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.definition.property_paths import ServiceModel

_FILE = re.compile(r"file:(?://(?:localhost(?=/))?)?", re.IGNORECASE)
"""Before a path, as RFC 8089 has it; after two slashes a name is no host but begins a relative path."""
_SHOWN = f"s3://{LOCAL_FILES}/"
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_BEGINNINGS = ("/", "./", "../", "~/")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PLACES_WRITTEN = re.compile(r"Output|^CheckpointConfig$|^Destination")
"""Members of a request at or below which a URI says where something is written; at any other it is read."""


@dataclass(frozen=True, kw_only=True)
class LocalUse:
    """A local path that is meant where an S3 URI may stand.

    `text`: as the author wrote it. `path`: absolute, normalised, with a slash at its end where the author wrote one.
    `written`: something is written there, else it is read. `whole`: it is the URI, else the beginning of one. `at`: the JSON
    path of the place, in the step at `step`, or outside of any ("").
    """

    text: str
    path: str
    written: bool
    whole: bool
    at: str
    step: str


@dataclass(frozen=True, kw_only=True)
class WithLocalUris:
    """A definition and start parameters whose local paths are URIs of the bucket; and what was found."""

    definition: JSON
    parameters: Mapping[str, JSON]
    uses: tuple[LocalUse, ...]


def is_local(text: str, *, whole: bool = True) -> bool:
    """Whether a text that stands for an S3 URI is a path instead: `file://...`, or without any scheme and not empty.

    A misspelt S3 URI (`s3:/bucket`) or an S3 ARN is none.

    So is a URI that shows a local path already, as an execution tells it.
    The beginning of one (not `whole`) may be less than a scheme, such as the `s3:/` that SDKs join with a bucket.
    """
    if whole:
        return says_file(text) or text.startswith(_SHOWN) or bool(text and not (_SCHEME.match(text) or meant_uri(text)))
    return says_file(text) or text.startswith((_SHOWN, *_BEGINNINGS))


def says_file(text: str) -> bool:
    """Whether a text can be nothing but a path: `file:...`."""
    return bool(_FILE.match(text))


def absolute(text: str, directory: str, user_home: str) -> str:
    """The path that a local text means, from an absolute directory; a slash at its end is kept.

    `user_home`: what `~` stands for. Only `file:` URIs are percent-encoded. Follows: RFC 8089.
    """
    path = _path(text)
    if path == "~" or path.startswith("~/"):
        path = user_home + path[1:]
    path = posixpath.normpath(posixpath.join(directory, path or "."))
    return f"{path.rstrip('/')}/" if text.endswith("/") else path


def _path(text: str) -> str:
    if text.startswith(_SHOWN):
        return f"/{text.removeprefix(_SHOWN)}"
    scheme = _FILE.match(text)
    return _decoded(text[scheme.end() :]) if scheme else text


def _decoded(text: str) -> str:
    """Without percent-encoding, which is of bytes."""
    encoded = text.encode(errors="surrogateescape")
    return _ENCODED.sub(lambda found: bytes.fromhex(found[1].decode()), encoded).decode(errors="surrogateescape")


def local_uri(path: str) -> str:
    """The URI that shows what is at an absolute path."""
    return str(S3Uri(LOCAL_FILES, path.lstrip("/")))


def with_local_uris(
    definition: JSON,
    parameters: Mapping[str, JSON],
    request_shapes: Mapping[str, str],
    model: ServiceModel,
    *,
    directory: str,
    working_directory: str,
    user_home: str,
) -> WithLocalUris:
    """Replace every local path that stands for an S3 URI.

    `request_shapes`: of each step type that has one. Relative paths in the definition are from `directory`, in start
    parameters from `working_directory`; both are absolute, as is `user_home` (`~`). What is not as it should be in the
    definition is left alone. A parameter that stands for no URI but has one as its default tells a job of it: what is given
    for it is a path where it begins like one.
    """
    finder = _Finder(model["shapes"], request_shapes, directory, user_home)
    changed = finder.anywhere(definition, "$", "")
    if isinstance(changed, dict) and isinstance(declared := changed.get("Parameters"), list):
        changed = {**changed, "Parameters": [finder.default(each, given=parameters) for each in declared]}
    given = {name: finder.parameter(name, value, working_directory) for name, value in parameters.items()}
    for name, at in _told_of_s3(definition).items():
        if name in given and not finder.places.get(name):
            given[name] = finder.told(given[name], working_directory, at)
    return WithLocalUris(definition=changed, parameters=given, uses=tuple(finder.uses))


@dataclass(frozen=True)
class _Place:
    """A place where an S3 URI may stand. `written`, `whole`, `at`, `step`: see `LocalUse`."""

    written: bool
    whole: bool
    at: str
    step: str


@dataclass
class _Finder:
    """Walks a definition. Mutable: what was found, and where each parameter stands for a URI."""

    shapes: Mapping[str, JSON]
    request_shapes: Mapping[str, str]
    directory: str
    user_home: str
    uses: list[LocalUse] = field(default_factory=list)
    places: dict[str, list[_Place]] = field(default_factory=dict)

    def anywhere(self, value: JSON, path: str, step: str) -> JSON:
        """Outside of requests: only steps and Std:JsonGet are looked for."""
        if isinstance(value, list):
            return [self.anywhere(inner, element(path, index), step) for index, inner in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if JSON_GET in value:
            return self._json_get(value, path, step)
        shape = self.request_shapes.get(kind) if isinstance(kind := value.get("Type"), str) else None
        if shape and "Arguments" in value:
            arguments = self._request(shape, value["Arguments"], _Place(False, True, f"{path}.Arguments", path))
            return {**value, "Arguments": arguments}
        return {name: self.anywhere(inner, member(path, name), step) for name, inner in value.items()}

    def _request(self, shape_name: str, value: JSON, place: _Place) -> JSON:
        shape = self.shapes[shape_name]
        kind = shape["type"]
        if kind == "structure" and isinstance(value, dict):
            return {name: self._member(shape, name, inner, place) for name, inner in value.items()}
        if kind == "list" and isinstance(value, list):
            inner_shape = shape["member"]["shape"]
            return [self._request(inner_shape, each, _inside(place, element(place.at, i))) for i, each in enumerate(value)]
        if kind == "map" and isinstance(value, dict) and not is_expression(value):
            inner_shape = shape["value"]["shape"]
            return {
                name: self._request(inner_shape, each, _inside(place, member(place.at, name)))
                for name, each in value.items()
            }
        return (
            self._uri(value, place) if "s3)://" in shape.get("pattern", "") else self.anywhere(value, place.at, place.step)
        )

    def _member(self, shape: JSON, name: str, value: JSON, place: _Place) -> JSON:
        inner = shape["members"].get(name)
        written = place.written or bool(_PLACES_WRITTEN.search(name))
        return (
            self._request(inner["shape"], value, _inside(place, member(place.at, name), written=written)) if inner else value
        )

    def _uri(self, value: JSON, place: _Place) -> JSON:
        """A URI, or the expression of one."""
        if isinstance(value, str):
            return self._text(value, self.directory, place)
        if not is_expression(value):
            return value
        if JSON_GET in value:
            return self._json_get(value, place.at, place.step)
        if JOIN in value:
            return self._join(value, place)
        reference = parse_reference(value[GET], place.at)
        if isinstance(reference, ParameterReference):
            self.places.setdefault(reference.name, []).append(place)
        return value

    def _join(self, value: JSON, place: _Place) -> JSON:
        """Only the beginning of a text says what it is."""
        body = value[JOIN]
        values = body.get("Values") if isinstance(body, dict) else None
        if not (isinstance(values, list) and values):
            return value
        at = element(f"{member(place.at, JOIN)}.Values", 0)
        return {JOIN: {**body, "Values": [self._uri(values[0], _Place(place.written, False, at, place.step)), *values[1:]]}}

    def _json_get(self, value: JSON, path: str, step: str) -> JSON:
        body = value[JSON_GET]
        if not isinstance(body, dict) or "S3Uri" not in body:
            return value
        at = f"{member(path, JSON_GET)}.S3Uri"
        return {**value, JSON_GET: {**body, "S3Uri": self._uri(body["S3Uri"], _Place(False, True, at, step))}}

    def default(self, declared: JSON, given: Mapping[str, JSON]) -> JSON:
        """A declared parameter; its default counts where no value is given."""
        if not isinstance(declared, dict) or "DefaultValue" not in declared or declared.get("Name") in given:
            return declared
        return {**declared, "DefaultValue": self.parameter(declared.get("Name"), declared["DefaultValue"], self.directory)}

    def parameter(self, name: JSON, value: JSON, directory: str) -> JSON:
        """The value of a parameter, in every place where it stands for a URI."""
        places = self.places.get(name, ()) if isinstance(name, str) else ()
        if not isinstance(value, str):
            return value
        written = [self._text(value, directory, place) for place in places]
        return next((text for text in written if text != value), value)

    def told(self, value: JSON, directory: str, at: str) -> JSON:
        """The value of a parameter that only tells a job of an S3 URI: a path there is one that begins like a path."""
        if not isinstance(value, str) or not is_local(value, whole=False):
            return value
        return self._text(value, directory, _Place(written=False, whole=True, at=at, step=""))

    def _text(self, text: str, directory: str, place: _Place) -> str:
        if not is_local(text, whole=place.whole):
            return text
        path = absolute(text, directory, self.user_home)
        use = LocalUse(text=text, path=path, written=place.written, whole=place.whole, at=place.at, step=place.step)
        self.uses.append(use)
        return local_uri(path)


def _told_of_s3(definition: JSON) -> Mapping[str, str]:
    """The parameters whose default is an S3 URI, each with its JSON path."""
    declared = definition.get("Parameters") if isinstance(definition, dict) else None
    return {
        each["Name"]: element("$.Parameters", index)
        for index, each in enumerate(declared if isinstance(declared, list) else ())
        if isinstance(each, dict) and isinstance(each.get("Name"), str) and str(each.get("DefaultValue")).startswith("s3://")
    }


def _inside(place: _Place, at: str, *, written: bool | None = None) -> _Place:
    return _Place(place.written if written is None else written, place.whole, at, place.step)
