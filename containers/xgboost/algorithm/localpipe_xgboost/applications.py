"""What answers HTTP for a model: the author's functions, or the built-in algorithm's own prediction.

Follows: containers.md 3.2; the image's own package, github.com/aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localpipe_serve import server, user_code
from localpipe_serve.routes import Routes
from localpipe_serve.toolkit import invoker

from localpipe_xgboost.inference import Inference, loaded
from localpipe_xgboost.script_defaults import ScriptDefaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe_serve.routes import Invoke

_MEBIBYTE = 1024 * 1024
_MAX_BYTES = 6 * _MEBIBYTE


def of_script(environ: Mapping[str, str]) -> Routes:
    """Load the model by the author's script. Raises what its `model_fn` does."""
    return _routes(invoker(ScriptDefaults()), environ)


def of_algorithm(environ: Mapping[str, str]) -> Routes:
    """Load the built-in algorithm's models. Raises UserError where they cannot be loaded."""
    models = loaded(Path(user_code.MODEL_DIR), together=environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true") == "true")
    return _routes(Inference.of(models, environ).invoke, environ)


def _routes(invoke: Invoke, environ: Mapping[str, str]) -> Routes:
    """With the answer to `/execution-parameters` and the limit that AWS's container has in both modes."""
    max_bytes = int(environ.get("MAX_CONTENT_LENGTH") or _MAX_BYTES)
    parameters = {
        "MaxConcurrentTransforms": server.workers(environ),
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": max_bytes // _MEBIBYTE,
    }
    return Routes(invoke, parameters, max_bytes)
