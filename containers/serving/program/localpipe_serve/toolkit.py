"""AWS's inference toolkit, `sagemaker_inference`, without its Java server: its transformer behind our routes."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sagemaker_inference.transformer import Transformer

from localpipe_serve.routes import Answer
from localpipe_serve.user_code import MODEL_DIR

if TYPE_CHECKING:
    from sagemaker_inference.default_inference_handler import DefaultInferenceHandler

    from localpipe_serve.routes import Invoke

_LOGGER = logging.getLogger(__name__)


def invoker(defaults: DefaultInferenceHandler) -> Invoke:
    """Load the model and return what answers requests by the author's functions, or the `defaults` for those left out.

    Raises what the author's `model_fn` does.
    """
    transformer, context = Transformer(default_inference_handler=defaults), Context()
    transformer.validate_and_initialize(model_dir=MODEL_DIR, context=context)

    def invoke(body: bytes, content_type: str | None, accept: str | None) -> Answer:
        context.begin(content_type, accept)
        (result,) = transformer.transform([{"body": body}], context)
        answer = Answer(_encoded(result), context.content_type, context.status)
        if answer.status != HTTPStatus.OK:
            _LOGGER.error("%s", answer.body)  # its message and the traceback
        return answer

    return invoke


class Context:
    """A request as the toolkit and the author's functions see it, named as AWS's model server names it.

    Mutable: the one request that a worker answers at a time.
    """

    model_name = "model"

    def __init__(self) -> None:
        self.system_properties = {"model_dir": MODEL_DIR}
        self.request_processor = [self]
        self.begin(None, None)

    def begin(self, content_type: str | None, accept: str | None) -> None:
        """Another request; what it does not say is left out."""
        headers = {"Content-Type": content_type, "Accept": accept}
        self._headers = {name: value for name, value in headers.items() if value is not None}
        self.content_type, self.status = "text/plain", int(HTTPStatus.OK)

    def get_request_properties(self) -> dict[str, str]:
        """The request's headers."""
        return self._headers

    def get_all_request_header(self, index: int) -> dict[str, str]:
        """The same; there is one request, with index 0."""
        del index
        return self._headers

    def get_request_header(self, index: int, key: str) -> str | None:
        """One header, None where the request has none of that name."""
        del index
        return next((value for name, value in self._headers.items() if name.lower() == key.lower()), None)

    def set_response_content_type(self, index: int, value: str) -> None:
        """The toolkit calls it after a prediction, the author's functions may."""
        del index
        self.content_type = value

    def set_response_status(self, code: int, phrase: str = "", index: int = 0) -> None:
        """The toolkit calls it where a request failed."""
        del phrase, index
        self.status = int(code)


def _encoded(result: Any) -> str | bytes:
    """What is neither text nor bytes goes out as JSON."""
    return result if isinstance(result, str | bytes | bytearray) else json.dumps(result)
