"""The pipelines that are measured, as values: whoever runs them (localpipe, a bare loop, the SDK) reads the same ones.

Needs nothing but the standard library, since the Python of the SDK imports it too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "sample_pipelines" / "abalone"
PROCESSING = "/opt/ml/processing"
CODE_DIR = f"{PROCESSING}/input/code"
DATA = "data"
"""The input that is there from the start; others are named `<step>/<output>`."""
MODEL = "model"
CHAIN, FAN, SLEEP_SECONDS = 10, 8, 2
BIG, MANY, SMALL, PER_FOLDER = 2 << 30, 10_000, 4096, 1000


@dataclass(frozen=True, kw_only=True)
class Image:
    """A stand-in by its local name, and the address by which a definition names it."""

    local: str
    uri: str


_REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SKLEARN = Image(local="localpipe/scikit-learn:1.2-1", uri=f"{_REGISTRY}/sagemaker-scikit-learn:1.2-1-cpu-py3")
XGBOOST = Image(local="localpipe/xgboost:1.0-1", uri=f"{_REGISTRY}/sagemaker-xgboost:1.0-1-cpu-py3")


@dataclass(frozen=True, kw_only=True)
class Processing:
    """A script in a processing job. `inputs`: folder below /opt/ml/processing → DATA or `<step>/<output>`."""

    name: str
    script: Path
    inputs: Mapping[str, str]
    outputs: tuple[str, ...] = ("out",)
    arguments: tuple[str, ...] = ()
    image: Image = SKLEARN


@dataclass(frozen=True, kw_only=True)
class Training:
    """The image's own `train`. `inputs`: channel → `<step>/<output>`; its output is MODEL, a model.tar.gz."""

    name: str
    inputs: Mapping[str, str]
    hyperparameters: Mapping[str, str]
    image: Image = XGBOOST


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The last stage runs only if the number at `json_path` in a JSON file of an output is at most `limit`."""

    step: str
    output: str
    file: str
    json_path: str
    limit: float


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Stages follow one another; the steps of one are independent. `fill` makes the data in an empty directory.

    `sdk_by_path`: the SDK's local mode hands data on as `file://`, its best case, for through an S3 server it takes minutes.
    """

    key: str
    title: str
    stages: tuple[tuple[Processing | Training, ...], ...]
    fill: Callable[[Path], None] = field(compare=False)
    gate: Gate | None = None
    sdk_by_path: bool = False

    @property
    def steps(self) -> tuple[Processing | Training, ...]:
        return tuple(step for stage in self.stages for step in stage)


def _copy(name: str, *sources: str, seconds: int = 0) -> Processing:
    names = ["in"] if len(sources) == 1 else [f"in{index}" for index in range(len(sources))]
    return Processing(
        name=name,
        script=HERE / "jobs" / "copy_inputs.py",
        inputs=dict(zip(names, sources, strict=True)),
        arguments=(str(seconds),),
    )


def _two_steps(key: str, title: str, fill: Callable[[Path], None]) -> Scenario:
    look = Processing(name="Look", script=HERE / "jobs" / "look.py", inputs={"in": "Copy/out"})
    stages = ((_copy("Copy", DATA),), (look,))
    return Scenario(key=key, title=title, stages=stages, fill=fill, sdk_by_path=True)


def _abalone() -> Scenario:
    return Scenario(
        key="abalone",
        title="abalone: 4 jobs and a condition",
        stages=(
            (
                Processing(
                    name="Prepare",
                    script=HERE / "jobs" / "prepare.py",
                    inputs={"in": DATA},
                    outputs=("train", "validation", "test"),
                ),
            ),
            (
                Training(
                    name="Train",
                    inputs={"train": "Prepare/train", "validation": "Prepare/validation"},
                    hyperparameters={"objective": "reg:squarederror", "num_round": "50", "max_depth": "5", "eta": "0.2"},
                ),
            ),
            (
                Processing(
                    name="Evaluate",
                    script=SAMPLE / "pipelines" / "abalone" / "evaluate.py",
                    inputs={"model": f"Train/{MODEL}", "test": "Prepare/test"},
                    outputs=("evaluation",),
                    image=XGBOOST,
                ),
            ),
            (_copy("Publish", "Evaluate/evaluation"),),
        ),
        fill=_abalones,
        gate=Gate(
            step="Evaluate",
            output="evaluation",
            file="evaluation.json",
            json_path="regression_metrics.mse.value",
            limit=20.0,
        ),
    )


def _hello(directory: Path) -> None:
    (directory / "x.txt").write_text("hello\n" * 100)


def _abalones(directory: Path) -> None:
    shutil.copy(SAMPLE / "data" / "abalone.csv", directory)


def _one_big_file(directory: Path) -> None:
    with (directory / "big.bin").open("wb") as file:
        file.truncate(BIG)  # zeros that take no place: its copies do


def _many_small_files(directory: Path) -> None:
    for folder in range(MANY // PER_FOLDER):
        (directory / str(folder)).mkdir()
        for number in range(PER_FOLDER):
            (directory / str(folder) / f"{number}.bin").write_bytes(bytes(SMALL))


_CHAIN = tuple((_copy(f"Step{index}", f"Step{index - 1}/out" if index else DATA),) for index in range(CHAIN))
_FAN = tuple(_copy(f"Middle{index}", "First/out", seconds=SLEEP_SECONDS) for index in range(FAN))
_LAST = _copy("Last", *(f"{step.name}/out" for step in _FAN))

SCENARIOS: Mapping[str, Scenario] = {
    scenario.key: scenario
    for scenario in (
        Scenario(key="chain", title=f"chain of {CHAIN}", stages=_CHAIN, fill=_hello),
        Scenario(
            key="fan",
            title=f"fan-out of {FAN} sleeping {SLEEP_SECONDS} s",
            stages=((_copy("First", DATA),), _FAN, (_LAST,)),
            fill=_hello,
        ),
        _abalone(),
        _two_steps("big", f"{BIG >> 30} GiB in one file through 2 steps", _one_big_file),
        _two_steps("many", f"{MANY:,} files of {SMALL >> 10} KiB through 2 steps", _many_small_files),
    )
}
WARM_UP = "abalone"
"""The scenario that uses every image, and most of what is in them."""
