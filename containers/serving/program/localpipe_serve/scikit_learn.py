"""AWS's own handler layer of the scikit-learn images, `sagemaker_containers`, around the author's script.

What the script leaves out is done as AWS's `sagemaker_sklearn_container` does it; `model_fn` has no default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sagemaker_containers.beta.framework import content_types, encoders, transformer, worker

if TYPE_CHECKING:
    from types import ModuleType

    from werkzeug.exceptions import InternalServerError


def application(script: ModuleType) -> worker.Worker:
    """The Flask application of a script, its model loaded. Raises what the script's `model_fn` does.

    A script may answer `/execution-parameters` by `execution_parameters_fn`; without, that is not found.
    """
    handlers = _transformer(script)
    handlers.initialize()
    parameters = getattr(script, "execution_parameters_fn", None)
    app = worker.Worker(handlers.transform, module_name=script.__name__, execution_parameters_fn=parameters)
    app.register_error_handler(500, _failed)
    return app


def _transformer(script: ModuleType) -> transformer.Transformer:
    """AWS's transformer with the script's functions. Raises ValueError where they exclude each other.

    An error of theirs stays as it is, so that a format that is not supported gives 415 or 406.
    """
    hooks = {name: getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")}
    transform_fn = getattr(script, "transform_fn", None)
    if transform_fn is None:
        defaults = {"input_fn": input_fn, "predict_fn": predict_fn, "output_fn": output_fn}
        hooks = {name: hook or defaults[name] for name, hook in hooks.items()}
    model_fn = getattr(script, "model_fn", None)
    return transformer.Transformer(model_fn, transform_fn=transform_fn, error_class=lambda error: error, **hooks)


def input_fn(body: str | bytes, content_type: str) -> np.ndarray:
    """JSON and CSV as 32-bit floats, NPY as it is."""
    array = encoders.decode(body, content_type)
    return array.astype(np.float32) if content_type in content_types.UTF8_TYPES else array


def predict_fn(data: np.ndarray, model: Any) -> np.ndarray:
    """The model's own `predict`."""
    return model.predict(data)


def output_fn(prediction: np.ndarray, accept: str) -> worker.Response:
    """JSON, CSV or NPY."""
    return worker.Response(encoders.encode(prediction, accept), mimetype=accept)


def _failed(error: InternalServerError) -> worker.Response:
    """Flask has logged the traceback; the client reads what failed."""
    cause = error.original_exception or error
    return worker.Response(f"{type(cause).__name__}: {cause}", status=500, mimetype="text/plain")
