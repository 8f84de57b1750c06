"""The console script `train`."""

from __future__ import annotations

import os
from pathlib import Path

from sagemaker_training.cli import train as toolkit

_MODULE = Path(__file__).with_name("module.txt")


def main() -> None:
    """Run the toolkit, which reads the configuration, has AWS's module run the script and writes the failure file.

    AWS's images set the variable; here a job of the process runner needs it too.
    """
    os.environ.setdefault("SAGEMAKER_TRAINING_MODULE", _MODULE.read_text())
    toolkit.main()
