"""The built-in algorithm: channels and hyperparameters in, metric lines and `xgboost-model` out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import xgboost as xgb
from sagemaker_xgboost_container import distributed

from localpipe_xgboost import channels, formats, hyperparameters, metrics
from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL_FILE = "xgboost-model"
_FIRST_NATIVE = (1, 3)
_TAG = Path(__file__).with_name("tag.txt")


def run(config_dir: Path, data_dir: Path, model_dir: Path) -> None:
    """Train as `config_dir` says on the channels below `data_dir`. Raises UserError for what the author can mend."""
    settings = hyperparameters.read(_json(config_dir / "hyperparameters.json"))
    configured = _json(config_dir / "inputdataconfig.json")
    if "train" not in configured:
        raise UserError(f"Missing required channel: train. The job has {', '.join(configured) or 'no channels'}.")
    resources = json.loads((config_dir / "resourceconfig.json").read_text())
    hosts, current_host = resources["hosts"], resources["current_host"]
    has_data = len(hosts) == 1 or channels.has_data(data_dir / "train")
    arguments = {
        "settings": settings,
        "watched": list(_watched(configured, data_dir, settings)) if has_data else [],
        "model_file": model_dir / MODEL_FILE,
    }
    try:
        if len(hosts) > 1:
            distributed.rabit_run(_train_and_save, arguments, has_data, hosts, current_host, update_rabit_args=True)
        else:
            _train_and_save(**arguments, is_master=True)
    except xgb.core.XGBoostError as error:
        raise UserError(f"XGBoost: {first_lines(str(error))}") from error


def tag_version(tag: str) -> tuple[int, ...]:
    """`1.2-1` → (1, 2)."""
    return tuple(int(part) for part in tag.partition("-")[0].split("."))


def save(booster: xgb.Booster, path: Path, version: tuple[int, ...]) -> None:
    """A pickle up to tag 1.2, XGBoost's own format from 1.3. Follows: practice.md, point 3."""
    if version >= _FIRST_NATIVE:
        booster.save_model(str(path))
    else:
        path.write_bytes(pickle.dumps(booster))


def _watched(
    configured: Mapping[str, Mapping[str, str]], data_dir: Path, settings: hyperparameters.Settings
) -> Iterator[tuple[xgb.DMatrix, str]]:
    """The channels to train on and to report on, `train` first."""
    columns = 0
    for channel in ("train", "validation"):
        if channel in configured:
            kind = formats.format_of(configured[channel].get("ContentType"), channel)
            files = channels.data_files(channel, data_dir / channel)
            matrix = channels.matrix(files, kind, weighted=settings.csv_weights, columns=columns)
            columns = matrix.num_col()
            yield matrix, channel


def _train_and_save(
    settings: hyperparameters.Settings, watched: list[tuple[xgb.DMatrix, str]], model_file: Path, *, is_master: bool
) -> None:
    """Train, with the other hosts if there are any; all come to the same model, and the first host saves it."""
    booster = _train(settings, watched)
    if is_master:
        save(booster, model_file, tag_version(_TAG.read_text()))


def _train(settings: hyperparameters.Settings, watched: list[tuple[xgb.DMatrix, str]]) -> xgb.Booster:
    native = [name for name in settings.metrics if name not in metrics.ADDED]
    parameters = dict(settings.parameters)
    if native:
        parameters["eval_metric"] = native
    own = metrics.function(settings.metrics)
    if own and not native:
        parameters["disable_default_eval_metric"] = 1
    return xgb.train(
        parameters,
        watched[0][0],
        num_boost_round=settings.num_round,
        evals=watched,
        verbose_eval=True,
        early_stopping_rounds=settings.early_stopping_rounds,
        maximize=metrics.maximize(settings.metrics),
        **({_custom_metric_argument(): own} if own else {}),
    )


def _custom_metric_argument() -> str:
    """The argument was called `feval` before XGBoost 1.6."""
    return "custom_metric" if tag_version(xgb.__version__)[:2] >= (1, 6) else "feval"


def first_lines(message: str) -> str:
    """XGBoost's message without its C++ stack."""
    return message.partition("Stack trace")[0].strip()


def _json(path: Path) -> dict[str, dict[str, str]]:
    return json.loads(path.read_text())
