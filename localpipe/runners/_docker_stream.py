"""What a container prints: as it comes, to who is attached, or from the copy that the engine keeps."""

from __future__ import annotations

import select
from collections import defaultdict
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableMapping
    from socket import SocketIO

    from docker import APIClient

_HEADER_BYTES = 8  # stream, three zeros, and the length in four bytes
_PAUSE_SECONDS = 1.0
_LONGEST_PART_BYTES = 1 << 18  # a longer line is not waited for


class AttachedStream:
    """A connection to a container's streams, made before it starts so that nothing is missed. Close it after use."""

    def __init__(self, api: APIClient, container: str, *, standard_input: bool = False) -> None:
        params = {"stdin": int(standard_input), "stdout": 1, "stderr": 1, "stream": 1}
        self._stream: SocketIO = api.attach_socket(container, params=params)

    def fileno(self) -> int:
        """The descriptor that the container's standard input is written to."""
        return self._stream.fileno()

    def has_news(self, seconds: float) -> bool:
        """Whether something was printed, or the end has come, by the end of a time."""
        coming = select.poll()
        coming.register(self._stream, select.POLLIN)
        return bool(coming.poll(seconds * 1000))

    def output(self) -> Iterator[bytes]:
        """The lines of standard output and error (see `whole_lines`), until the container has closed both."""
        return whole_lines(self._frames_and_pauses())

    def close(self) -> None:
        """Let go of the connection; the container goes on."""
        self._stream._response.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the SDK keeps the connection there

    def _frames_and_pauses(self) -> Iterator[tuple[int, bytes] | None]:
        """What the engine sends as it comes, and None once nothing has come for a while."""
        frames, coming = _frames(self._stream.read), select.poll()
        coming.register(self._stream, select.POLLIN)
        while True:
            if not coming.poll(_PAUSE_SECONDS * 1000):
                yield None
            frame = next(frames, None)
            if frame is None:
                return
            yield frame


@contextmanager
def kept_output(api: APIClient, container: str, *, begun_by: bytes = b"") -> Iterator[Iterable[bytes]]:
    """The engine's copy of all that a container has printed since its start, then what it prints until its end.

    But for a first line `begun_by`.

    The copy is the `local` log driver's, which keeps bytes that are no UTF-8. The SDK's own call does not say which stream
    a piece is from.
    """
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/logs"
    with closing(api.get(url, params={"stdout": 1, "stderr": 1, "follow": 1, "timestamps": 1}, stream=True)) as response:
        response.raise_for_status()
        yield _without_first(begun_by, whole_lines(mended_lines(_frames(response.raw.read))))


def _without_first(line: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield next(pieces, b"").removeprefix(line)
    yield from pieces


def whole_lines(pieces: Iterable[tuple[int, bytes] | None]) -> Iterator[bytes]:
    """What the streams of a container print, with no line of one inside a line of the other, as in the service's log.

    A piece is `(stream, text)`, or None when nothing has come for a while. A carriage return ends a line too, so that a
    progress bar is seen while it grows. A line without an end is given out in such a pause, when it is too long, and last;
    what follows it may be of the other stream.
    """
    unfinished: defaultdict[int, bytearray] = defaultdict(bytearray)
    for piece in pieces:
        if piece is None:
            yield from _taken(unfinished)
            continue
        stream, text = piece
        line = unfinished[stream]
        too_long = len(line) + len(text) > _LONGEST_PART_BYTES
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 or (len(text) if too_long else 0)
        if end:
            yield bytes(line) + text[:end]
            line.clear()
        line += text[end:]
    yield from _taken(unfinished)


def _taken(unfinished: MutableMapping[int, bytearray]) -> Iterator[bytes]:
    """The lines without an end, which are forgotten."""
    yield from (bytes(line) for line in unfinished.values() if line)
    unfinished.clear()


def mended_lines(messages: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The stream and text of log messages, each `(stream, b"<time> <text>")`.

    A line of more than 16 KiB comes in pieces of one time, and the `local` driver loses its line break: it is put back when
    the stream goes on with another time.
    """
    unfinished: dict[int, bytes] = {}
    for stream, message in messages:
        time, _, text = message.partition(b" ")
        if unfinished.pop(stream, time) != time:
            yield stream, b"\n"
        if not text.endswith(b"\n"):
            unfinished[stream] = time
        yield stream, text


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
