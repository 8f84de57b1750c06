"""Answers to callbacks: from any process, while nobody drives the execution, two at once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline

from localpipe.errors import NotFound, UsageError
from localpipe.scheduling.events import AttemptStarted, ExecutionStarted, MessageSent
from localpipe.service.callbacks import (
    send_pipeline_execution_step_failure,
    send_pipeline_execution_step_success,
    waiting_messages,
)
from localpipe.service.executions import (
    PipelineExecution,
    describe_pipeline_execution,
    drive,
    refreshed,
    retry_pipeline_execution,
    start_pipeline_execution,
    stop_pipeline_execution,
)
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.scheduling.events import Recorded

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/approvals"
Answer = Callable[[MessageSent], object]


def ask(name: str = "Ask", **arguments: JSON) -> JSON:
    outputs = [{"OutputName": "ok", "OutputType": "Boolean"}, {"OutputName": "note", "OutputType": "String"}]
    return {"Name": name, "Type": "Callback", "SqsQueueUrl": QUEUE, "Arguments": arguments, "OutputParameters": outputs}


def tell(reference: str) -> JSON:
    return {"Name": "Tell", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": reference}}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def started(home: Home, *steps: JSON) -> PipelineExecution:
    ready = preflight(home, pipeline(*steps), "test", {})
    assert ready.runner_name is None
    return describe_pipeline_execution(home, start_pipeline_execution(home, ready))


def run(execution: PipelineExecution, answer: Answer) -> PipelineExecution:
    """Drive it, with `answer` called for each message once it is written down, from a thread of its own."""
    threads: list[threading.Thread] = []

    def observe(fact: Recorded) -> None:
        if isinstance(fact.event, MessageSent):
            threads.append(threading.Thread(target=answer, args=(fact.event,)))
            threads[-1].start()

    ended = drive(execution, observe)
    for thread in threads:
        thread.join()
    return ended


def row(execution: PipelineExecution, step: str) -> JSON:
    return next(row for row in execution.document()["Steps"] if row["StepName"] == step)


def test_a_success_has_its_outputs_in_the_steps_that_follow(home: Home) -> None:
    def answer(sent: MessageSent) -> None:
        send_pipeline_execution_step_success(home, sent.token, {"ok": "true", "note": "fine"})

    ended = run(started(home, ask(number=5), tell("Steps.Ask.OutputParameters['note']")), answer)
    assert row(ended, "Tell")["FailureReason"] == "fine"
    asked = row(ended, "Ask")
    assert asked["StepStatus"] == "Succeeded"
    assert asked["Metadata"]["Callback"]["OutputParameters"] == [
        {"Name": "ok", "Value": "true"},
        {"Name": "note", "Value": "fine"},
    ]
    assert asked["Properties"]["OutputParameters"] == {"ok": True, "note": "fine"}


def test_a_failure_gives_the_step_its_reason(home: Home) -> None:
    ended = run(started(home, ask()), lambda sent: send_pipeline_execution_step_failure(home, sent.token, "not today"))
    assert ended.status == "Failed"
    assert (row(ended, "Ask")["StepStatus"], row(ended, "Ask")["FailureReason"]) == ("Failed", "not today")


@pytest.mark.assumed
def test_an_output_that_the_answer_leaves_out_is_missed_by_who_refers_to_it(home: Home) -> None:
    ended = run(
        started(home, ask(), tell("Steps.Ask.OutputParameters['note']")),
        lambda sent: send_pipeline_execution_step_success(home, sent.token, {"ok": "true"}),
    )
    assert row(ended, "Ask")["StepStatus"] == "Succeeded"
    assert row(ended, "Tell")["FailureReason"].startswith(
        "ClientError: Steps.Ask.OutputParameters['note'] has no value: 'OutputParameters' has no member 'note'."
    )


def test_a_message_that_waits_is_listed_and_seen_in_the_execution(home: Home) -> None:
    seen: list[JSON] = []
    assert waiting_messages(home) == []
    execution = started(home, ask(number=5))

    def answer(sent: MessageSent) -> None:
        seen.extend(waiting_messages(home))
        seen.append(row(refreshed(execution), "Ask"))
        send_pipeline_execution_step_success(home, sent.token, {})

    run(execution, answer)
    message, asked = seen
    assert message == {
        "token": message["token"],
        "pipelineExecutionArn": execution.name.arn,
        "arguments": {"number": 5},
        "status": "Executing",
        "queueUrl": QUEUE,
        "step": "Ask",
    }
    assert asked["StepStatus"] == "Executing"
    assert asked["Metadata"] == {
        "Callback": {"CallbackToken": message["token"], "SqsQueueUrl": QUEUE, "OutputParameters": []}
    }
    assert waiting_messages(home) == []


def test_of_many_answers_at_once_one_counts(home: Home) -> None:
    barrier = threading.Barrier(4)
    won: list[str] = []
    lost: list[str] = []

    def answer(sent: MessageSent) -> None:
        def one(number: int) -> None:
            barrier.wait()
            try:
                send_pipeline_execution_step_success(home, sent.token, {"note": str(number)})
                won.append(str(number))
            except UsageError as error:
                lost.append(str(error))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ended = run(started(home, ask()), answer)
    assert ended.status == "Succeeded"
    assert row(ended, "Ask")["Properties"]["OutputParameters"] == {"note": won[0]}
    assert (len(won), len(lost)) == (1, 3)
    assert all("has been used, or waits no more: step 'Ask' of execution" in text for text in lost)


def test_an_answer_that_does_not_fit_is_refused_and_the_step_waits_on(home: Home) -> None:
    refused: list[str] = []

    def answer(sent: MessageSent) -> None:
        for outputs in ({"OK": "true"}, {"ok": "maybe"}, {"note": "x" * 1025}):
            with pytest.raises(UsageError) as error:
                send_pipeline_execution_step_success(home, sent.token, outputs)
            refused.append(str(error.value))
        for reason in ("", "x" * 257):
            with pytest.raises(UsageError) as error:
                send_pipeline_execution_step_failure(home, sent.token, reason)
            refused.append(str(error.value))
        send_pipeline_execution_step_success(home, sent.token, {})

    assert run(started(home, ask()), answer).status == "Succeeded"
    assert refused == [
        "Step 'Ask': there is no output 'OK'. Did you mean 'ok'?",
        "Step 'Ask': output 'ok' is of type Boolean; found \"maybe\".",
        "Step 'Ask': output 'note' has 1025 characters; at most 1024 are allowed.",
        "The reason has 0 characters; it must have 1 to 256.",
        "The reason has 257 characters; it must have 1 to 256.",
    ]


def test_a_token_that_nobody_has_is_not_found(home: Home) -> None:
    with pytest.raises(NotFound) as error:
        send_pipeline_execution_step_success(home, "nobodyhas1", {})
    assert str(error.value) == (
        "There is no callback token 'nobodyhas1'. `localpipe callback list` lists those that wait for an answer."
    )
    assert error.value.code == "ResourceNotFound"


def test_a_retry_sends_a_new_token_and_the_old_one_is_used_up(home: Home) -> None:
    tokens: list[str] = []

    def refuse(sent: MessageSent) -> None:
        tokens.append(sent.token)
        send_pipeline_execution_step_failure(home, sent.token, "not yet")

    def accept(sent: MessageSent) -> None:
        tokens.append(sent.token)
        if len(tokens) == 3:  # the first message is told again to who takes the execution up
            with pytest.raises(UsageError, match="has been used, or waits no more"):
                send_pipeline_execution_step_success(home, tokens[0], {})
            send_pipeline_execution_step_success(home, sent.token, {})

    execution = run(started(home, ask()), refuse)
    retry_pipeline_execution(home, execution.name.execution_id)
    assert run(refreshed(execution), accept).status == "Succeeded"
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.documented
@pytest.mark.parametrize("succeed", [True, False])
def test_a_stop_sends_a_second_message_and_ends_when_it_is_answered(home: Home, succeed: bool) -> None:  # noqa: FBT001
    statuses: list[str] = []
    execution = started(home, ask(), tell("Steps.Ask.OutputParameters['note']"))

    def answer(sent: MessageSent) -> None:
        statuses.append(sent.message["status"])
        if len(statuses) == 1:
            stop_pipeline_execution(home, execution.name.execution_id)
            return
        assert refreshed(execution).status == "Stopping"
        assert waiting_messages(home)[0]["status"] == "Stopping"
        if succeed:
            send_pipeline_execution_step_success(home, sent.token, {"note": "done"})
        else:
            send_pipeline_execution_step_failure(home, sent.token, "cleaned up")

    ended = run(execution, answer)
    assert statuses == ["Executing", "Stopping"]
    assert ended.status == "Stopped"
    assert [(r["StepName"], r["StepStatus"]) for r in ended.document()["Steps"]] == [
        ("Ask", "Succeeded" if succeed else "Failed")
    ]


def test_a_kill_ends_the_wait_and_uses_the_token_up(home: Home) -> None:
    execution = started(home, ask())
    tokens: list[str] = []

    def kill(sent: MessageSent) -> None:
        tokens.append(sent.token)
        stop_pipeline_execution(home, execution.name.execution_id, kill=True)

    ended = run(execution, kill)
    assert (ended.status, row(ended, "Ask")["StepStatus"]) == ("Stopped", "Stopped")
    assert row(ended, "Ask")["Metadata"]["Callback"]["CallbackToken"] == tokens[0]
    with pytest.raises(UsageError, match=r"step 'Ask' of execution [a-z0-9]{12} is Stopped\."):
        send_pipeline_execution_step_success(home, tokens[0], {})


def test_an_execution_that_is_not_understood_keeps_nobody_from_answering(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    """It has sent a message: one with a step type of another localpipe, and one with a fact of a newer one."""
    unknown = {"Name": "Ask", "Type": "Unknown", "Arguments": {}}
    settings = home.settings.kept()
    for execution_id in ("typeunknown1", "factunknown1"):
        home.journal.append(
            execution_id,
            [
                ExecutionStarted("old", execution_id, pipeline(unknown), {}, None, settings),
                AttemptStarted("Ask", 1, "job"),
                MessageSent("Ask", 1, execution_id, QUEUE, {"token": execution_id, "status": "Executing"}),
            ],
        )
    with closing(sqlite3.connect(home.settings.home / "journal.db")) as journal, journal:
        journal.execute("UPDATE events SET schema = 99 WHERE execution = 'factunknown1' AND seq = 3")
    listed: list[str] = []

    def answer(sent: MessageSent) -> None:
        listed.extend(message["token"] for message in waiting_messages(home))
        with pytest.raises(NotFound):
            send_pipeline_execution_step_success(home, "nobodyhas1", {})
        send_pipeline_execution_step_success(home, sent.token, {})

    ended = run(started(home, ask()), answer)
    assert ended.status == "Succeeded"
    assert listed == ["typeunknown1", row(ended, "Ask")["Metadata"]["Callback"]["CallbackToken"]]
    assert "execution factunknown1 is left out: fact 3 is a MessageSent of schema 99" in caplog.text


def test_many_callbacks_wait_at_once(home: Home) -> None:
    count, lock = 40, threading.Lock()
    tokens: list[str] = []

    def answer_all_at_the_last(sent: MessageSent) -> None:
        with lock:
            tokens.append(sent.token)
            complete = len(tokens) == count
        if complete:
            assert len(waiting_messages(home)) == count
            for token in tokens:
                send_pipeline_execution_step_success(home, token, {})

    ended = run(started(home, *(ask(f"Ask{number:02}") for number in range(count))), answer_all_at_the_last)
    assert ended.status == "Succeeded"
    assert len(set(tokens)) == count
