"""The objects of a transform job on their way through its model. Follows: containers.md 3.3, 3.5 to 3.8.

Payloads are sent by several threads at once; one thread reads objects, and writes outputs in the order of their records.
What is in memory is bounded by the payloads under way.
"""

from __future__ import annotations

import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from typing_extensions import assert_never

from localpipe.engine.payloads import Payloads
from localpipe.errors import JobFailed
from localpipe.transform.forms import form_of
from localpipe.transform.outputs import Processing, output_uri

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from localpipe.core.names import S3Uri
    from localpipe.core.ports import ObjectStore
    from localpipe.core.transform import TransformSpec
    from localpipe.engine.invocations import Answer, Body, ModelClient
    from localpipe.engine.payloads import Payload
    from localpipe.staging import Stager
    from localpipe.transform.tunables import Tunables

_CLIENT_ERRORS = range(400, 500)
_TOO_MANY_REQUESTS = 429
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0  # UNVERIFIED: how long the service waits before it asks again


@dataclass(frozen=True)
class ObjectFault:
    """Why an object has no output. `by_model`: its container is to blame, else the data or the request."""

    source: S3Uri
    reason: str
    by_model: bool = False


@dataclass(frozen=True)
class _Sent:
    """A payload under way."""

    source: S3Uri
    payload: Payload
    answer: Future[Answer]


@dataclass(frozen=True)
class _AtEnd:
    """Nothing more is sent of an object. `fault`: what ended it early."""

    source: S3Uri
    fault: ObjectFault | None


_Step: TypeAlias = _Sent | _AtEnd


@dataclass
class _Output:
    """The output of one object as it grows. Mutable."""

    source: S3Uri
    path: Path
    file: IO[bytes]
    fault: ObjectFault | None = None


class ThroughModel:
    """One thread calls `run`, once. `over`: set when the containers serve no longer. `log` hears of each fault."""

    def __init__(
        self,
        spec: TransformSpec,
        clients: Sequence[ModelClient],
        tunables: Tunables,
        *,
        stager: Stager,
        store: ObjectStore,
        over: threading.Event,
        log: Callable[[str], None],
    ) -> None:
        self._spec, self._clients, self._tunables = spec, tuple(clients), tunables
        self._store, self._over, self._log = store, over, log
        self._processing = Processing.of(spec)
        self._payloads = Payloads(spec, tunables, self._processing, stager)
        self._output: _Output | None = None
        self._faults: list[ObjectFault] = []

    def run(self, prefix: S3Uri, sources: Iterable[S3Uri]) -> Sequence[ObjectFault]:
        """Transform the objects, each wholly or not at all; why some could not be.

        Ends early, with no more outputs, once it is `over`. `prefix`: what their outputs are named without.
        Raises StoreError, OSError where inputs cannot be read, answers or outputs not be written.
        """
        most = self._tunables.max_concurrent
        waiting: deque[_Step] = deque()
        with ThreadPoolExecutor(most, thread_name_prefix="invoke") as threads:
            try:
                for source in sources:
                    for step in self._steps(source, threads):
                        waiting.append(step)
                        if len(waiting) > most:
                            self._settle(waiting.popleft(), prefix)
                while waiting:
                    self._settle(waiting.popleft(), prefix)
            finally:
                for step in waiting:
                    if isinstance(step, _Sent) and not step.answer.cancel():
                        step.answer.add_done_callback(_let_go)
                self._discard()
        return self._faults

    def _steps(self, source: S3Uri, threads: ThreadPoolExecutor) -> Iterator[_Step]:
        """The payloads of an object, sent, and its end. Nothing more is read of one that cannot be transformed."""
        fault = None
        try:
            for payload in self._payloads.of(source):
                if self._over.is_set() or self._has_failed(source):
                    break
                yield _Sent(source, payload, threads.submit(self._through_all, payload.body))
        except JobFailed as error:
            fault = ObjectFault(source, str(error))
        yield _AtEnd(source, fault)

    def _has_failed(self, source: S3Uri) -> bool:
        output = self._output
        return output is not None and output.source == source and output.fault is not None

    def _through_all(self, body: Body) -> Answer:
        """What the last container answers: each gets the answer of the one before, with its content type.

        UNVERIFIED: that only the last is told what is wanted (Accept); AWS's samples have the others choose by themselves.
        """
        first, *others = self._clients
        answer = self._asked(first, body, self._spec.content_type)
        for client in others:
            if not answer.good:
                break
            with answer.content:
                body = answer.chunks if self._tunables.limit_bytes is None else b"".join(answer.chunks())
                answer = self._asked(client, body, answer.content_type)
        return answer

    def _asked(self, client: ModelClient, body: Body, content_type: str) -> Answer:
        """The answer to a request, asked again as often as the job says while there is hope."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        accept = self._spec.accept if client is self._clients[-1] else ""
        answer = client.invoke(body, content_type=content_type, accept=accept)
        for _ in range(self._spec.max_retries):
            if answer.good or not _passes(answer) or self._over.wait(pause_seconds):
                break
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            answer.content.close()
            answer = client.invoke(body, content_type=content_type, accept=accept)
        return answer

    def _settle(self, step: _Step, prefix: S3Uri) -> None:
        """Write what came of a step, unless its object has failed before; at the object's end publish its output."""
        output = self._opened(step.source)
        match step:
            case _Sent():
                fault = self._put_down(step.answer, step.payload, output)
                output.fault = output.fault or fault
            case _AtEnd():
                self._close(output, output.fault or step.fault, prefix)
            case _:
                assert_never(step)

    def _close(self, output: _Output, fault: ObjectFault | None, prefix: S3Uri) -> None:
        """Publish the output of an object, or tell why it has none."""
        self._output = None
        output.file.close()
        if fault:
            self._faults.append(fault)
            self._log(f"{output.source.bucket}/{output.source.key}: {fault.reason}")
        if fault or self._over.is_set():
            output.path.unlink()
        else:
            self._store.put(output_uri(self._spec.output, prefix, output.source), output.path, move=True)

    def _put_down(self, asked: Future[Answer], payload: Payload, output: _Output) -> ObjectFault | None:
        """Add an answer to its object's output, unless that makes no sense any more; why it cannot be."""
        try:
            answer = asked.result()
        except JobFailed as error:  # of a body that is made while it is sent
            return ObjectFault(output.source, str(error))
        with answer.content:
            makes_sense = output.fault is None and not self._over.is_set()
            return self._written(answer, payload, output) if makes_sense else None

    def _written(self, answer: Answer, payload: Payload, output: _Output) -> ObjectFault | None:
        """Add an answer to its object's output; why it cannot be."""
        if not answer.good:
            return _fault(answer, output.source)
        try:
            for piece in self._processing.output(payload.originals(), answer.chunks(), self._result_type(answer)):
                output.file.write(piece)
        except JobFailed as error:
            return ObjectFault(output.source, str(error))
        return None

    def _result_type(self, answer: Answer) -> str:
        """What the answer is: as it was wanted, as the container says, or else as the input is."""
        named = (self._spec.accept, answer.content_type, self._spec.content_type)
        return next((name for name in named if form_of(name)), "")

    def _opened(self, source: S3Uri) -> _Output:
        if self._output is None:
            file = tempfile.NamedTemporaryFile(dir=self._store.scratch_dir(), delete=False)  # noqa: SIM115 - kept open
            self._output = _Output(source, Path(file.name), file)
        return self._output

    def _discard(self) -> None:
        """Leave nothing behind of an output that was not finished."""
        if self._output:
            self._output.file.close()
            self._output.path.unlink(missing_ok=True)


def _let_go(answer: Future[Answer]) -> None:
    """Let go of an answer that nobody wants any more."""
    if not answer.cancelled() and answer.exception() is None:
        answer.result().content.close()


def _passes(answer: Answer) -> bool:
    """Whether the same request may fare better later. UNVERIFIED: that the service gives up at once on 4xx."""
    return answer.status is None or answer.status not in _CLIENT_ERRORS or answer.status == _TOO_MANY_REQUESTS


def _fault(answer: Answer, source: S3Uri) -> ObjectFault:
    """In the service's words, where they are known from its logs, with what the container said."""
    if answer.status is None:
        return ObjectFault(source, f"Unable to get response from algorithm: {answer.trouble}", by_model=True)
    said = f": {message}" if (message := answer.message()) else ""
    if answer.status in _CLIENT_ERRORS:
        return ObjectFault(source, f"ClientError: {answer.status}{said}")
    return ObjectFault(source, f"Bad HTTP status received from algorithm: {answer.status}{said}", by_model=True)
