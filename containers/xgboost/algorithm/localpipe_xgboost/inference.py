"""Predict with the models of the built-in algorithm."""

from __future__ import annotations

import json
import logging
import pickle
import warnings
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import numpy as np
import xgboost as xgb
from localpipe_serve.routes import Answer

from localpipe_xgboost import answers, formats, payloads
from localpipe_xgboost.algorithm import first_lines, tag_version
from localpipe_xgboost.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LOGGER = logging.getLogger(__name__)
_VERSION = tag_version(xgb.__version__)
_VOTES = ("multi:softmax", "binary:hinge")


@dataclass(frozen=True)
class Model:
    """A loaded model. `pickled`: by an old tag; then the number of features is checked."""

    booster: xgb.Booster
    pickled: bool


def loaded(model_dir: Path, *, together: bool) -> list[Model]:
    """Every file of the directory, `together` False the first alone; hidden files are left out.

    Raises UserError where there is none or one is no model.
    """
    files = sorted(path for path in model_dir.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise UserError(f"There is no model in {model_dir}.")
    return [load(path) for path in (files if together else files[:1])]


def load(path: Path) -> Model:
    """A pickled Booster, or XGBoost's own format. Raises UserError."""
    try:
        booster, pickled = pickle.loads(path.read_bytes()), True  # noqa: S301 - the user's own model, as AWS loads it
    except Exception as no_pickle:  # noqa: BLE001 - a pickle may raise anything
        try:
            booster, pickled = _native(path), False
        except xgb.core.XGBoostError as error:
            raise UserError(
                f"Model at {path} cannot be loaded by XGBoost {xgb.__version__}:\n{no_pickle}\n{first_lines(str(error))}\n"
                "One that an older XGBoost wrote may need the tag's own version (`xgboost_exact = true`)."
            ) from error
    booster.set_param({"nthread": 1})  # each worker has one processor
    return Model(booster, pickled)


def _native(path: Path) -> xgb.Booster:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file's name does not end in the format's
        return xgb.Booster(model_file=str(path))


@dataclass(frozen=True)
class Inference:
    """Answers requests. `keys`: the selected contents, empty for plain predictions. `batch`: in a transform job."""

    models: Sequence[Model]
    objective: answers.Objective
    keys: tuple[str, ...]
    default_accept: str
    batch: bool

    @classmethod
    def of(cls, models: Sequence[Model], environ: Mapping[str, str]) -> Inference:
        """As a container's environment says."""
        keys = environ.get("SAGEMAKER_INFERENCE_OUTPUT", "").replace(" ", "").lower()
        return cls(
            models=models,
            objective=_objective(models[0].booster),
            keys=tuple(keys.split(",")) if keys else (),
            default_accept=environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or answers.CSV,
            batch=bool(environ.get("SAGEMAKER_BATCH")),
        )

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Predictions, or 204 for an empty body, 415 for what cannot be read, 400 for what does not fit the model.

        406 where the answer cannot be of that type. The reason is in the body and in the log.
        """
        if not body:
            return Answer("", status=HTTPStatus.NO_CONTENT)
        try:
            kind = formats.request_format(content_type)
            matrix = payloads.matrix(body, kind)
        except UserError as error:
            return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error))
        wanted = self._accept(accept)
        if wanted not in answers.ACCEPTS:
            known = ", ".join(answers.ACCEPTS)
            return _refused(HTTPStatus.NOT_ACCEPTABLE, f"Accept type {wanted} is not supported; the model gives {known}.")
        try:
            predictions = self._predicted(matrix, kind)
            return Answer(self._encoded(predictions, wanted), answers.CSV if self.batch and not self.keys else wanted)
        except (ValueError, xgb.core.XGBoostError) as error:
            return _refused(HTTPStatus.BAD_REQUEST, f"Unable to evaluate payload provided: {first_lines(str(error))}")

    def _accept(self, accept: str | None) -> str:
        name = (accept or "").partition(";")[0].strip().lower()
        return self.default_accept if name in {"", "*/*"} else name

    def _predicted(self, matrix: xgb.DMatrix, kind: str) -> list[float] | list[list[float]]:
        """Several models are averaged or, where they predict labels, vote."""
        each = np.array([_predict(model, matrix, kind) for model in self.models])
        if self.objective.name not in _VOTES:
            return each.mean(axis=0).tolist()
        return [_majority(votes) for votes in each.T]

    def _encoded(self, predictions: list[float] | list[list[float]], accept: str) -> str:
        if not self.keys:
            return answers.plain(predictions, accept, batch=self.batch)
        rows = answers.selected(predictions, self.keys, self.objective)
        return answers.encoded(rows, accept, batch=self.batch)


def _predict(model: Model, matrix: xgb.DMatrix, kind: str) -> np.ndarray:
    """With the rounds that early stopping found best. Raises ValueError where the features do not fit."""
    booster = model.booster
    if model.pickled:
        _check_width(len(booster.feature_names or ()) or booster.num_features(), matrix.num_col(), kind)
    if _VERSION >= (1, 4):
        best = booster.attr("best_iteration")
        rounds = {} if best is None else {"iteration_range": (0, int(best) + 1)}
    else:
        rounds = {"ntree_limit": getattr(booster, "best_ntree_limit", 0)}
    return booster.predict(matrix, validate_features=False, **rounds)


def _majority(votes: np.ndarray) -> float:
    """The label that most models predict, the smallest of several."""
    labels, counts = np.unique(votes, return_counts=True)
    return float(labels[counts.argmax()])


def _check_width(trained: int, given: int, kind: str) -> None:
    """Libsvm may leave out columns at the end; other formats none but that of index 0, which libsvm may have added."""
    fits = given <= trained + 1 if kind == formats.LIBSVM else given in {trained, trained - 1}
    if not fits:
        raise ValueError(f"Feature size of {kind} inference data {given} is not consistent with the model's, {trained}.")


def _objective(booster: xgb.Booster) -> answers.Objective:
    if not hasattr(booster, "save_config"):  # before XGBoost 1.0
        return answers.Objective("")
    learner = json.loads(booster.save_config())["learner"]
    return answers.Objective(learner["objective"]["name"], int(learner["learner_model_param"].get("num_class") or 0))


def _refused(status: HTTPStatus, message: str) -> Answer:
    _LOGGER.error(message)
    return Answer(message, status=status)
