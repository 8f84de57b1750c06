"""The package index beside the local S3, at a path that is no bucket's: what pip and uv in a job ask it for.

It is for who has the secret of the local S3 alone: it answers with this machine's own logins.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse

from localpipe.server.package_address import ROOT, USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from localpipe.core.package_file import PackageFile

_FILE_PARTS = 4
_ASK = {"WWW-Authenticate": 'Basic realm="localpipe"'}


class Index(Protocol):
    """Pages and files. Both raise LookupError for what is not there, with the reason."""

    def page(self, project: str) -> str:
        """A project's page."""
        ...

    def file(self, signature: str, place: str, sha256: str, filename: str) -> PackageFile:
        """What a link of a page leads to."""
        ...


def packages_app(index_of: Callable[[], Index], secret: str, inner: ASGIApp) -> ASGIApp:
    """The index where a path is its own, else the `inner` application. `index_of` is called once, when a job asks first.

    `secret`: the password of whoever may ask.
    """
    index = cache(index_of)
    login = f"Basic {base64.b64encode(f'{USER}:{secret}'.encode()).decode()}"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(f"{ROOT}/"):
            await inner(scope, receive, send)
            return
        request = Request(scope)
        if not secrets.compare_digest(request.headers.get("authorization", "").encode(), login.encode()):
            refusal = PlainTextResponse("The package index is for the jobs of one execution.", HTTPStatus.UNAUTHORIZED, _ASK)
            await refusal(scope, receive, send)
            return
        response = await asyncio.to_thread(_answer, index, request, path.removeprefix(f"{ROOT}/"))
        await response(scope, receive, send)

    return app


def _answer(index: Callable[[], Index], request: Request, path: str) -> Response:
    kind, *parts = path.strip("/").split("/")
    try:
        if request.method in {"GET", "HEAD"} and kind == "simple" and len(parts) == 1:
            return HTMLResponse(index().page(parts[0]))
        if request.method in {"GET", "HEAD"} and kind == "files" and len(parts) == _FILE_PARTS:
            return _sent(index().file(*parts))
    except LookupError as error:
        return PlainTextResponse(str(error), HTTPStatus.NOT_FOUND)
    except OSError as error:  # the cache cannot be written
        return PlainTextResponse(str(error), HTTPStatus.INSUFFICIENT_STORAGE)
    return PlainTextResponse("There is nothing at this path.", HTTPStatus.NOT_FOUND)


def _sent(download: PackageFile) -> Response:
    if download.path is not None:
        return FileResponse(download.path, media_type="application/octet-stream")
    headers = {"Content-Length": str(download.size)} if download.size is not None else None
    return StreamingResponse(download.blocks or iter(()), media_type="application/octet-stream", headers=headers)
