"""The routes of a model's container: `/ping`, `/execution-parameters`, `/invocations`. Follows: containers.md 3.2."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    Invoke = Callable[[bytes, "str | None", "str | None"], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What `/invocations` answers. `status` other than 200: the body says why."""

    body: str | bytes
    content_type: str = "text/plain"
    status: int = HTTPStatus.OK


@dataclass(frozen=True)
class Routes:
    """The application of one loaded model.

    `invoke` gets body, content type and accept, the last two None where the request has none. `parameters`: the answer to
    `/execution-parameters`; without, that is not found. `max_bytes`: larger bodies are refused, None: none is.
    """

    invoke: Invoke
    parameters: Mapping[str, object] | None = None
    max_bytes: int | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI calls it."""
        try:
            response: Response | HTTPException = self._answer(Request(environ))
        except HTTPException as refused:
            response = refused
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/ping":
            return Response()
        if request.path == "/execution-parameters" and self.parameters is not None:
            return Response(json.dumps(self.parameters), mimetype="application/json")
        if request.path != "/invocations":
            raise NotFound
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        return self._invoked(request)

    def _invoked(self, request: Request) -> Response:
        body = request.get_data(cache=False)
        if self.max_bytes is not None and len(body) > self.max_bytes:
            raise RequestEntityTooLarge(f"The request has {len(body)} bytes; the container takes {self.max_bytes}.")
        answer = self.invoke(body, request.headers.get("Content-Type"), request.headers.get("Accept"))
        return Response(answer.body, status=answer.status, content_type=answer.content_type)
