"""The requests that a model's container is sent. Follows: containers.md 3.2."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import RemoteDisconnected
from typing import IO, TYPE_CHECKING, TypeAlias

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from localpipe.core import JSON

Body: TypeAlias = bytes | Callable[[], Iterable[bytes]]
"""What is sent: at once, or in chunks that can be asked for again."""

_PROBE_SECONDS = 2.0
_POOL_SECONDS = 60
"""How long a request waits for a connection. There is one for each that is made at once."""
_OK = 200
_CHUNK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 8 << 20
_MESSAGE_BYTES = 2048


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a request. `status` None: no whole answer came; `trouble` says why."""

    status: int | None
    content_type: str = ""
    content: IO[bytes]
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether the model has answered it."""
        return self.status == _OK

    def chunks(self) -> Iterator[bytes]:
        """The content from its beginning."""
        self.content.seek(0)
        while chunk := self.content.read(_CHUNK_BYTES):
            yield chunk

    def message(self) -> str:
        """The beginning of the content, as text."""
        self.content.seek(0)
        return self.content.read(_MESSAGE_BYTES).decode(errors="replace").strip()


class ModelClient:
    """Speaks to one container, over connections that are kept open. Any thread may call it."""

    def __init__(self, address: tuple[str, int], *, scratch_dir: str, timeout_seconds: float, connections: int) -> None:
        """`scratch_dir`: where answers lie that are too long for memory."""
        host, port = address
        self._timeout_seconds = timeout_seconds
        self._pool = HTTPConnectionPool(host, port, maxsize=connections, block=True)
        self._scratch_dir, self._timeout = scratch_dir, Timeout(total=None, connect=_PROBE_SECONDS, read=timeout_seconds)

    def sickness(self) -> str:
        """What came of `GET /ping` instead of 200, within two seconds, as it follows the container's name; else empty."""
        answer = self._get("/ping")
        return "" if answer.good else answer.trouble or f"it answered with {answer.status}"

    def execution_parameters(self) -> JSON | None:
        """What `GET /execution-parameters` gives; None where that is nothing to go by."""
        answer = self._get("/execution-parameters")
        try:
            return json.loads(answer.message()) if answer.good else None
        except ValueError:
            return None

    def invoke(self, body: Body, *, content_type: str, accept: str) -> Answer:
        """`POST /invocations`, whose answer is to be closed. A body that is not there as a whole is sent in chunks.

        Raises what making the body raises, and OSError where there is no room for the answer.
        """
        headers = {"Content-Type": content_type, "Accept": accept}
        content = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=self._scratch_dir)  # noqa: SIM115 - the answer's
        given = {name: value for name, value in headers.items() if value}
        try:
            return self._ask("POST", "/invocations", self._timeout, content, body=body, headers=given)
        except BaseException:  # Ctrl-C too: only an answer that is given is closed by others
            content.close()
            raise

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()

    def _get(self, path: str) -> Answer:
        return self._ask("GET", path, Timeout(total=_PROBE_SECONDS), io.BytesIO())

    def _ask(
        self,
        method: str,
        path: str,
        timeout: Timeout,
        content: IO[bytes],
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, read into `content`. Raises OSError of the body and of `content`."""
        try:
            response = self._pool.urlopen(
                method,
                path,
                body=_made(body) if callable(body) else body,
                headers=headers,
                retries=False,
                timeout=timeout,
                pool_timeout=_POOL_SECONDS,
                preload_content=False,
                chunked=callable(body),
            )
            _read(response, content)
        except HTTPError as error:
            return Answer(
                status=None,
                content=content,
                trouble=_trouble(error, _PROBE_SECONDS if timeout.total else self._timeout_seconds),
            )
        except _NotMade as error:
            raise error.trouble from error
        return Answer(status=response.status, content_type=response.headers.get("Content-Type", ""), content=content)


def _trouble(error: HTTPError, limit_seconds: float) -> str:
    """Why no whole answer came, in words that follow the container's name."""
    cause = error.__cause__ or error.__context__
    match error:
        case NewConnectionError():
            refused = isinstance(cause, ConnectionRefusedError)
            return "it refused the connection" if refused else f"it cannot be reached: {cause}"
        case ConnectTimeoutError():
            return f"it took no connection within {_PROBE_SECONDS:g} seconds"
        case ReadTimeoutError():
            return f"it did not answer within {limit_seconds:g} seconds"
        case ProtocolError(args=(_, RemoteDisconnected() | ConnectionError())):
            return "it closed the connection without an answer"
        case ProtocolError():
            return f"its answer broke off, or is none: {error}"
        case _:
            return str(error)


class _NotMade(Exception):
    """A body cannot be made. urllib3 would take an OSError for one of the connection."""

    def __init__(self, trouble: OSError) -> None:
        self.trouble = trouble
        super().__init__(str(trouble))


def _made(body: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """The chunks of a body. Raises _NotMade."""
    try:
        yield from body()
    except OSError as error:
        raise _NotMade(error) from error


def _read(response: BaseHTTPResponse, content: IO[bytes]) -> None:
    """Read a response, then let go of its connection. Raises HTTPError of the response, OSError of `content`."""
    try:
        for chunk in response.stream(_CHUNK_BYTES):
            content.write(chunk)
    except BaseException:  # Ctrl-C too
        response.close()  # or the next on its connection would read the rest
        raise
    finally:
        response.release_conn()
