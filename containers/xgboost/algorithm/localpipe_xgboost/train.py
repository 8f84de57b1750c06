"""The console script `train` and the framework module that AWS's training toolkit calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sagemaker_training import entry_point, environment, errors
from sagemaker_training.cli import train as toolkit

from localpipe_xgboost.errors import UserError

_MODULE = "SAGEMAKER_TRAINING_MODULE"


def main() -> None:
    """Run the toolkit, which reads the configuration, calls `framework` and writes the failure file."""
    os.environ.setdefault(_MODULE, f"{__name__}:{framework.__name__}")
    toolkit.main()


def framework() -> None:
    """Run the author's script where `sagemaker_program` names one, else the built-in algorithm.

    Raises the toolkit's ClientError, whose text becomes the failure file and whose exit status is 1.
    """
    env = environment.Environment()
    if env.user_entry_point:
        entry_point.run(env.module_dir, env.user_entry_point, env.to_cmd_args(), env.to_env_vars())
        return
    sys.stdout.reconfigure(line_buffering=True)  # a metric line is seen when its round ends
    from localpipe_xgboost import algorithm

    try:
        algorithm.run(Path(env.input_config_dir), Path(env.input_dir) / "data", Path(env.model_dir))
    except UserError as error:
        raise errors.ClientError(str(error)) from error
