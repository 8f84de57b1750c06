"""PURE: AWS image URI → the stand-in that localpipe can make for it, what differs, and what to type where none is there.

Only repository and tag drive the choice; account, region and host suffix are ignored. A tag that is not in the tables is
never answered by a neighbour's stand-in: it is refused with the known tags, and the user may map it under `[images]`.
Follows: containers.md section 5; practice.md "Scripts: what breaks a naive container".
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from posixpath import commonprefix
from typing import TYPE_CHECKING

from localpipe.core.image_archive import archive_of
from localpipe.errors import NotFound
from localpipe.images.families import FAMILIES, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.images.families import Family, PythonVersion
    from localpipe.images.sdk_pins import Part
    from localpipe.images.spark_jars import Jars

PREFERRED_PYTHON: PythonVersion = (3, 11)
"""The Python of the stand-ins but where the image is named after another: the newest with wheels of pandas 1.5."""

IMAGE_ENVIRONMENT: Mapping[str, str] = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
"""Variables that the images set, as AWS's do, and that a process in a virtual environment needs too. Below the job's own."""

_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z0-9.-]+)")
_LOCAL_PREFIX = "localpipe/"
_EXACT_SUFFIX = "-exact"
_GPU = "-gpu-"


@dataclass(frozen=True, kw_only=True)
class ImageRef:
    """The parts of an image URI. `account` and `region` are empty where the host is not an ECR registry.

    `host` is empty for a bare name; `repository` may have slashes. `tag` and `digest` are empty where not given.
    """

    uri: str
    host: str = ""
    account: str = ""
    region: str = ""
    suffix: str = ""
    fips: bool = False
    repository: str
    tag: str = ""
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """What localpipe makes in place of an AWS image.

    `pins` are complete: with the pins that all families share (`containers/python-base/requirements.txt`) nothing else is
    installed but `parts`, single folders of distributions, and `jars`. `pythons` are the Python versions for which every
    pin has a wheel. `programs` are the folders below `containers/` with localpipe's own, `scripts` their console scripts,
    each with its `module:function`; `training_module` what AWS's toolkit calls in place of the script. `constraints`: what
    pip keeps to in a job. `aws` False: AWS has no such image. `notes`: what differs from the image that was asked for.
    """

    family: str
    tag: str
    exact: bool
    framework: str
    version: str
    pins: tuple[str, ...]
    pythons: tuple[PythonVersion, ...]
    programs: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    training_module: str = ""
    parts: tuple[Part, ...] = ()
    jars: tuple[Jars, ...] = ()
    constraints: tuple[str, ...] = ()
    aws: bool = True
    notes: tuple[str, ...] = ()

    @property
    def preferred_python(self) -> PythonVersion:
        """The Python to make it with where there is a choice."""
        return PREFERRED_PYTHON if PREFERRED_PYTHON in self.pythons else self.pythons[0]

    @property
    def name(self) -> str:
        """`scikit-learn:1.2-1`: how the command line calls it."""
        return f"{self.family}:{self.tag}{_EXACT_SUFFIX if self.exact else ''}"

    @property
    def local_image(self) -> str:
        """The name of the local image: `localpipe/scikit-learn:1.2-1`."""
        return f"{_LOCAL_PREFIX}{self.name}"

    @property
    def serves(self) -> bool:
        """Whether it serves models over HTTP: it has a `serve`."""
        return any(name == "serve" for name, _ in self.scripts)

    @property
    def build_command(self) -> str:
        """What to type to have the image."""
        return f"localpipe images build {self.name}"


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Why no image is there for a URI, and what helps."""

    reason: str
    remedy: str


_BY_REPOSITORY = {repository: family for family in FAMILIES for repository in family.repositories}
_BY_NAME = {family.name: family for family in FAMILIES}


def parse_image_uri(uri: str) -> ImageRef:
    """Split an image URI: `[host/]repository[:tag][@digest]`; the host of ECR is split further."""
    rest, _, digest = uri.partition("@")
    first, slash, remainder = rest.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, remainder) if is_host else ("", rest)
    repository, _, tag = path.partition(":")
    ecr = _ECR_HOST.fullmatch(host)
    if not ecr:
        return ImageRef(uri=uri, host=host, repository=repository, tag=tag, digest=digest)
    return ImageRef(
        uri=uri,
        host=host,
        account=ecr["account"],
        region=ecr["region"],
        suffix=ecr["suffix"],
        fips=bool(ecr["fips"]),
        repository=repository,
        tag=tag,
        digest=digest,
    )


def stand_in(ref: ImageRef, *, exact: bool = False) -> StandIn | None:
    """The stand-in for an AWS image, or None: not an image of a known family, or a tag that the family has not.

    A local name (`localpipe/xgboost:1.5-1`) is a stand-in by itself, so that `[images]` may map to it.
    `exact`: the framework version that the tag names, where the default is a smaller one.
    """
    if ref.repository.startswith(_LOCAL_PREFIX) and not ref.host:
        family = _BY_NAME.get(ref.repository.removeprefix(_LOCAL_PREFIX))
        wanted = exact or ref.tag.endswith(_EXACT_SUFFIX)
        return _of(family, ref.tag.removesuffix(_EXACT_SUFFIX), exact=wanted) if family else None
    family = _BY_REPOSITORY.get(ref.repository)
    return _for_tag(family, ref.tag, exact=exact) if family else None


def named(name: str) -> tuple[StandIn, ...]:
    """The stand-in called `scikit-learn:1.2-1` (or by its local image's name), or all of the family `scikit-learn`.

    Raises NotFound with near names.
    """
    family = tuple(each for each in all_stand_ins() if each.family == name)
    found = stand_in(parse_image_uri(_LOCAL_PREFIX + name.removeprefix(_LOCAL_PREFIX)))
    if not family and found is None:
        known = [*_BY_NAME, *(each.name for each in all_stand_ins())]
        raise NotFound("stand-in image", name, difflib.get_close_matches(name, known, n=3, cutoff=0.5))
    return (found,) if found else family


def all_stand_ins() -> tuple[StandIn, ...]:
    """Every stand-in with its default versions, by family and tag."""
    found = (_of(family, tag, exact=False) for family in FAMILIES for tag in family.tags)
    return tuple(each for each in found if each)


def mapped(uri: str, mappings: Mapping[str, str]) -> str | None:
    """The local image that the user's `[images]` gives for a URI; None: no pattern fits."""
    pattern = fitting(uri, mappings)
    return None if pattern is None else mappings[pattern]


def fitting(uri: str, patterns: Iterable[str]) -> str | None:
    """The pattern of `[images]` that a URI falls under: the first that fits, in the order written."""
    return next((pattern for pattern in patterns if fnmatchcase(uri, pattern)), None)


def has_stand_in(uri: str, mappings: Mapping[str, str]) -> bool:
    """Whether localpipe makes what serves a URI, be it by a mapping of the user's."""
    return stand_in(parse_image_uri(mapped(uri, mappings) or uri)) is not None


def candidates(uri: str, mappings: Mapping[str, str], *, exact: bool = False) -> tuple[str, ...]:
    """Local images that may serve a URI, best first: the true image by its own name, then the stand-in.

    A mapping of the user's is the only candidate: what they asked for is there or it is missing, never replaced unseen.
    """
    image = mapped(uri, mappings)
    if image is not None:
        return (image,)
    found = stand_in(parse_image_uri(uri), exact=exact)
    return (uri, found.local_image) if found else (uri,)


def notes(uri: str, local_image: str, mappings: Mapping[str, str], *, exact: bool = False) -> tuple[str, ...]:
    """What differs when `local_image` serves `uri`; nothing for the true image or one that the user mapped."""
    found = None if mapped(uri, mappings) else stand_in(parse_image_uri(uri), exact=exact)
    return found.notes if found and found.local_image == local_image else ()


def absence(uri: str, mappings: Mapping[str, str], *, exact: bool = False) -> Absence:
    """Why no candidate for `uri` is there (the caller has looked), and the command that helps."""
    target = mapped(uri, mappings)
    found = stand_in(parse_image_uri(target or uri), exact=exact)
    if target is not None:
        return _mapped_absence(target, found)
    if found is not None:
        reason = f"neither the image nor its stand-in {found.local_image} is on this machine."
        return Absence(reason=reason, remedy=f"Build the stand-in: `{found.build_command}`.")
    return unknown(uri, example="my-image:latest", otherwise=f"or have the image itself: `docker pull {uri}`")


def unknown(uri: str, *, example: str, otherwise: str) -> Absence:
    """Why a URI has no stand-in, and how to map it, to `example` for instance; `otherwise`: the runner's own alternative."""
    ref = parse_image_uri(uri)
    family = _BY_REPOSITORY.get(ref.repository)
    if family is None:
        reason, target = REFUSED.get(ref.repository, "localpipe has no stand-in for this repository."), example
    else:
        near = _nearest(ref.tag, family.tags)
        known = f"those such as {family.such_as}" if family.serves_all else ", ".join(family.tags)
        reason = f"localpipe has no stand-in for tag {ref.tag!r} of {ref.repository}; it has {known}."
        target = f"{_LOCAL_PREFIX}{family.name}:{near}"
    pattern = f"*/{ref.repository}:{ref.tag}*" if ref.host and ref.tag else uri
    remedy = f'Map it in localpipe.toml under [images], for example "{pattern}" = "{target}"'
    return Absence(reason=reason, remedy=f"{remedy}, {otherwise}.")


def _mapped_absence(target: str, found: StandIn | None) -> Absence:
    if archive := archive_of(target):
        reason = f"[images] in localpipe.toml maps it to the archive {archive}, which only the sandbox runner reads."
        remedy = f"Use `--runner sandbox`, or `docker load --input {archive}` and map it to the name that this prints."
        return Absence(reason=reason, remedy=remedy)
    reason = f"[images] in localpipe.toml maps it to {target}, which is not on this machine."
    if found is not None:
        return Absence(reason=reason, remedy=f"Build it: `{found.build_command}`.")
    if target.startswith(_LOCAL_PREFIX):
        return Absence(reason=reason, remedy="localpipe makes none of that name: `localpipe images` lists what it makes.")
    return Absence(reason=reason, remedy="Build or pull that image, or change the mapping.")


def _for_tag(family: Family, tag: str, *, exact: bool) -> StandIn | None:
    """The family's stand-in for a whole tag of AWS's, None where it has none."""
    match = re.fullmatch(family.tag_form, tag)
    if match is None:
        return None
    found = _of(family, family.serves_all or match["version"], exact=exact)
    if found is None or not family.serves_all:
        return found
    asked = f"{match['version']} on GPUs" if _GPU in tag else match["version"]
    return replace(found, notes=(f"{family.framework} {found.version} {family.by} stands for {asked}",))


def _of(family: Family, tag: str, *, exact: bool) -> StandIn | None:
    row = family.tags.get(tag)
    if row is None:
        return None
    exact = exact and bool(row.exact_pins)
    version = row.exact_version if exact else row.version
    return StandIn(
        family=family.name,
        tag=tag,
        exact=exact,
        framework=family.framework,
        version=version,
        pins=row.exact_pins if exact else row.pins,
        pythons=row.pythons,
        programs=family.programs,
        scripts=family.scripts,
        training_module=family.training_module,
        parts=family.parts,
        jars=family.jars,
        constraints=row.constraints,
        aws=family.aws,
        notes=_differences(family, tag, version, row.exact_version),
    )


def _differences(family: Family, tag: str, version: str, exact_version: str) -> tuple[str, ...]:
    """What to say where the version is not of the tag's own series: `1.2-1` holds a 1.2."""
    if not family.aws:
        return ("AWS has no such image",)
    if family.serves_all or version == exact_version or version.startswith(f"{tag.partition('-')[0]}."):
        return ()
    other = f" (`{family.name}_exact = true` takes {exact_version})" if exact_version else ""
    return (f"{family.framework} {version} stands for {tag}{other}",)


def _nearest(tag: str, known: Iterable[str]) -> str:
    """The known tag with the longest beginning in common; the newest of several."""
    return max(reversed(list(known)), key=lambda each: len(commonprefix([tag, each])))
