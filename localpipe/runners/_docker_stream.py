"""What a container prints: as it comes, to who is attached, or from the copy that the engine keeps."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from socket import SocketIO

    from docker import APIClient

_HEADER_BYTES = 8  # stream, three zeros, and the length in four bytes


class AttachedStream:
    """A connection to a container's streams, made before it starts so that nothing is missed. Close it after use."""

    def __init__(self, api: APIClient, container: str, *, standard_input: bool = False) -> None:
        params = {"stdin": int(standard_input), "stdout": 1, "stderr": 1, "stream": 1}
        self._stream: SocketIO = api.attach_socket(container, params=params)

    def fileno(self) -> int:
        """The descriptor that the container's standard input is written to."""
        return self._stream.fileno()

    def output(self) -> Iterator[bytes]:
        """Pieces of standard output and error in the order they come, until the container has closed both."""
        return (piece for _, piece in _frames(self._stream.read))

    def close(self) -> None:
        """Let go of the connection; the container goes on."""
        self._stream._response.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the SDK keeps the connection there


@contextmanager
def kept_output(api: APIClient, container: str) -> Iterator[Iterable[bytes]]:
    """The engine's copy of all that a container has printed since its start, then what it prints until its end.

    The copy is the `local` log driver's, which keeps bytes that are no UTF-8. The SDK's own call does not say which stream
    a piece is from.
    """
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/logs"
    with closing(api.get(url, params={"stdout": 1, "stderr": 1, "follow": 1, "timestamps": 1}, stream=True)) as response:
        response.raise_for_status()
        yield mended_lines(_frames(response.raw.read))


def mended_lines(messages: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """The text of log messages, each `(stream, b"<time> <text>")`.

    A line of more than 16 KiB comes in pieces of one time, and the `local` driver loses its line break: it is put back when
    the stream goes on with another time.
    """
    unfinished: dict[int, bytes] = {}
    for stream, message in messages:
        time, _, text = message.partition(b" ")
        if unfinished.pop(stream, time) != time:
            yield b"\n"
        if not text.endswith(b"\n"):
            unfinished[stream] = time
        yield text


def _frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """What the engine sends: the number of the stream and a piece of it, until the end."""
    while True:
        header = _exactly(read, _HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return
        yield header[0], _exactly(read, int.from_bytes(header[4:], "big"))


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """That many bytes; fewer at the end of the stream."""
    pieces = []
    while count:
        piece = read(count)
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
