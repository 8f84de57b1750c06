"""The console scripts `serve` of the scikit-learn and the PyTorch images.

What is slow to import is imported before the workers are forked, so once, and after SIGTERM is heeded.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path

from localpipe_serve import server, user_code
from localpipe_serve.routes import Routes

_SCRIPT = "inference.py"
_NO_PROGRAM = (
    f"{user_code.PROGRAM} is not set: the scikit-learn image serves a model by the author's script. Give the model an"
    " entry_point (SDK), or the variable and the script in code/ of its archive."
)


def scikit_learn() -> None:
    """Serve the model in `/opt/ml/model` by the script that `SAGEMAKER_PROGRAM` names."""
    server.end_at_once()
    if not os.environ.get(user_code.PROGRAM):
        sys.exit(_NO_PROGRAM)
    name = user_code.prepare(os.environ)
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")  # by AWS's package, not by the author's code
    from localpipe_serve.scikit_learn import application

    server.run(lambda: application(importlib.import_module(name)))


def pytorch() -> None:
    """Serve the model in `/opt/ml/model` by `SAGEMAKER_PROGRAM`, `inference.py` by default, or without a script.

    Without one, the model is TorchScript and is called. AWS's own package does all of it.
    """
    server.end_at_once()
    if os.environ.get(user_code.PROGRAM) or Path(user_code.MODEL_DIR, "code", _SCRIPT).exists():
        os.environ.setdefault(user_code.PROGRAM, _SCRIPT)
        user_code.prepare(os.environ)
    from sagemaker_pytorch_serving_container.default_pytorch_inference_handler import DefaultPytorchInferenceHandler

    from localpipe_serve.toolkit import invoker

    server.run(lambda: Routes(invoker(DefaultPytorchInferenceHandler())))
