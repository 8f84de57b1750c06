"""Training that goes on where an earlier job of the same checkpoints stopped. Follows: containers.md 2.12."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import xgboost as xgb

from sagemaker_xgboost_container.distributed import collective

CHECKPOINT_FILENAME = "xgboost-checkpoint"
_DEFAULT_ROUNDS = 10
_NAME = re.compile(rf"{CHECKPOINT_FILENAME}\.(\d+)")


def train(train_args: dict[str, Any], checkpoint_dir: str) -> xgb.Booster:
    """`xgboost.train(**train_args)` that begins with the newest checkpoint and writes one after each round."""
    model, done = load_checkpoint(checkpoint_dir)
    own = {
        "callbacks": [*train_args.get("callbacks", ()), save_checkpoint(checkpoint_dir)],
        "num_boost_round": max(0, train_args.get("num_boost_round", _DEFAULT_ROUNDS) - done),
        "xgb_model": model,
    }
    return xgb.train(**{**train_args, **own})


def load_checkpoint(checkpoint_dir: str | None) -> tuple[str | None, int]:
    """The newest checkpoint that can be read and how many rounds it has seen; `(None, 0)` without one."""
    for done, path in sorted(_checkpoints(checkpoint_dir), reverse=True):
        try:
            xgb.Booster(model_file=str(path))
        except xgb.core.XGBoostError:  # the job was stopped while it was written
            continue
        return str(path), done
    return None, 0


def save_checkpoint(
    checkpoint_dir: str, start_iteration: int = 0, max_to_keep: int = 5, num_round: int | None = None
) -> SaveCheckpoint:
    """The callback for `xgboost.train`. `start_iteration` and `num_round` are AWS's: the model knows its rounds."""
    del start_iteration, num_round
    return SaveCheckpoint(checkpoint_dir, max_to_keep)


class SaveCheckpoint(xgb.callback.TrainingCallback):
    """Writes the model after each round, on the first of several hosts; keeps the newest."""

    def __init__(self, checkpoint_dir: str, max_to_keep: int = 5) -> None:
        super().__init__()
        self._directory, self._keep = Path(checkpoint_dir), max_to_keep
        self._directory.mkdir(parents=True, exist_ok=True)

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: object) -> bool:
        """XGBoost calls it. Never stops the training."""
        del epoch, evals_log
        if collective is None or collective.get_rank() == 0:
            half = self._directory / f"{CHECKPOINT_FILENAME}.sagemaker-ignore"
            half.write_bytes(model.save_raw())
            half.rename(self._directory / f"{CHECKPOINT_FILENAME}.{model.num_boosted_rounds() - 1}")
            for _, path in sorted(_checkpoints(str(self._directory)))[: -self._keep]:
                path.unlink()
        return False


def _checkpoints(directory: str | None) -> list[tuple[int, Path]]:
    """Rounds seen → file. The files count their rounds from 0."""
    if not directory or not Path(directory).is_dir():
        return []
    found = ((_NAME.fullmatch(path.name), path) for path in Path(directory).iterdir())
    return [(int(match[1]) + 1, path) for match, path in found if match]
