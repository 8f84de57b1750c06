"""What a model is asked, and what of it is the model's fault."""

from __future__ import annotations

import errno
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from http_model import HttpModel, Reply, serving, sums

from localpipe.engine.invocations import ModelClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOO_LONG_FOR_MEMORY = b"x" * (9 << 20)


def client_of(model: HttpModel, scratch_dir: Path, timeout_seconds: float = 5) -> ModelClient:
    return ModelClient(
        ("127.0.0.1", model.port), scratch_dir=str(scratch_dir), timeout_seconds=timeout_seconds, connections=1
    )


def said(client: ModelClient, body: bytes) -> str:
    answer = client.invoke(body, content_type="text/csv", accept="")
    with answer.content:
        return answer.message() if answer.good else answer.trouble


def test_an_answer_that_cannot_be_put_down_is_no_fault_of_the_models_and_leaves_the_connection_to_others(
    tmp_path: Path,
) -> None:
    def answer(body: bytes, number: int) -> Reply:
        return (200, "", TOO_LONG_FOR_MEMORY) if number == 1 else sums(body, number)

    with serving(HttpModel(answer)) as model, closing(client_of(model, tmp_path / "gone")) as client:
        with pytest.raises(FileNotFoundError):
            said(client, b"1,2\n")
        answers: list[str] = []
        again = threading.Thread(target=lambda: answers.append(said(client, b"1,2\n")), daemon=True)
        again.start()
        again.join(5)
    assert answers == ["3"]


def test_an_input_that_cannot_be_read_while_it_is_sent_is_no_fault_of_the_models(tmp_path: Path) -> None:
    def unreadable() -> Iterator[bytes]:
        yield b"1,"
        raise OSError(errno.EIO, "Input/output error")

    with serving(HttpModel(sums)) as model, closing(client_of(model, tmp_path)) as client:
        with pytest.raises(OSError, match="Input/output error"):
            client.invoke(unreadable, content_type="text/csv", accept="")
        assert said(client, b"1,2\n") == "3"


def test_an_answer_that_breaks_off_is_the_models_fault(tmp_path: Path) -> None:
    with serving(HttpModel(lambda *_: (0, "", b""))) as model, closing(client_of(model, tmp_path)) as client:
        assert said(client, b"1") == "it closed the connection without an answer"


def test_what_is_wrong_with_a_container_is_said_in_plain_words(tmp_path: Path) -> None:
    over = threading.Event()

    def late(body: bytes, number: int) -> Reply:
        over.wait(20)
        return sums(body, number)

    with serving(HttpModel(late, pings_until_healthy=1)) as model, closing(client_of(model, tmp_path, 0.1)) as client:
        assert client.sickness() == "it answered with 503"
        assert client.sickness() == ""
        assert said(client, b"1") == "it did not answer within 0.1 seconds"
        over.set()
    with closing(ModelClient(("127.0.0.1", 1), scratch_dir="", timeout_seconds=1, connections=1)) as client:
        assert client.sickness() == "it refused the connection"
