"""What a script of the author's leaves out, done as AWS's image does it; `model_fn` has no default."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from sagemaker_containers import _encoders, _errors
from sagemaker_inference import content_types
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.errors import BaseInferenceToolkitError
from sagemaker_xgboost_container import encoder

if TYPE_CHECKING:
    import numpy as np
    import xgboost as xgb


class ScriptDefaults(DefaultInferenceHandler):
    """A request becomes a DMatrix, a Booster predicts, the prediction goes out as JSON, CSV or NPY."""

    def default_model_fn(self, model_dir: str, context: object = None) -> xgb.Booster:
        """Raises NotImplementedError."""
        del model_dir, context
        raise NotImplementedError("Please provide a model_fn implementation: the script has none.")

    def default_input_fn(self, input_data: str | bytes, content_type: str, context: object = None) -> xgb.DMatrix:
        """CSV or libsvm. Raises BaseInferenceToolkitError with status 415 for any other."""
        del context
        try:
            return encoder.decode(input_data, content_type or content_types.JSON)
        except _errors.UnsupportedFormatError as error:
            raise _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, error) from None

    def default_predict_fn(self, data: xgb.DMatrix, model: xgb.Booster, context: object = None) -> np.ndarray:
        """The Booster's own prediction."""
        del context
        return model.predict(data, validate_features=False)

    def default_output_fn(self, prediction: np.ndarray, accept: str, context: object = None) -> str | bytes:
        """Raises BaseInferenceToolkitError with status 406 for what is none of the three."""
        del context
        try:
            return _encoders.encode(prediction, accept)
        except _errors.UnsupportedFormatError as error:
            raise _refused(HTTPStatus.NOT_ACCEPTABLE, error) from None


def _refused(status: HTTPStatus, error: Exception) -> BaseInferenceToolkitError:
    return BaseInferenceToolkitError(int(status), str(error), status.phrase)
