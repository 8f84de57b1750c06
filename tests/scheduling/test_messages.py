"""Steps that wait for an answer: told of a stop by a second message, and waited for; a kill ends the wait."""

from __future__ import annotations

import pytest
from stories import a_plan, after, failed, launched, signalled, started, step, stopped, succeeded

from localpipe.core.names import AttemptKey, attempt_token
from localpipe.scheduling.decide import Record, StartAttempt, StopAttempt, decide
from localpipe.scheduling.events import ExecutionFinished, StopRequested, from_json, to_json
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.messages import asking_to_stop, asks_to_stop, message_sent

KEY = AttemptKey(execution_id="abcdefghij12", step="Ask", attempt=1)
ARN = "arn:aws:sagemaker:us-east-1:111122223333:pipeline/pipe/execution/abcdefghij12"
SENT = message_sent(KEY, "https://queue", {"number": 5}, ARN)
PLAN = a_plan(step("Ask"), step("Job"), step("Then", needs=("Ask",)))
WAITING = (started("Ask"), SENT)
STOP = StopRequested()


@pytest.mark.documented
def test_a_message_has_the_body_of_the_service() -> None:
    assert SENT.message == {
        "token": attempt_token(KEY),
        "pipelineExecutionArn": ARN,
        "arguments": {"number": 5},
        "status": "Executing",
    }
    assert len(SENT.token) == 10
    assert SENT.token.isalnum()
    assert from_json("MessageSent", to_json(SENT)) == SENT


def test_a_step_that_waits_for_an_answer_executes_and_holds_up_what_needs_it() -> None:
    state = after(PLAN, *WAITING, started("Job"), launched("Job"))
    assert state.steps["Ask"].status is StepStatus.EXECUTING
    assert state.steps["Ask"].attempts[-1].message == SENT
    assert decide(PLAN, state, 100) == []
    assert decide(PLAN, after(PLAN, *WAITING, started("Job"), succeeded("Ask")), 100) == [StartAttempt("Then", 1)]


@pytest.mark.documented
def test_a_stop_sends_a_second_message_once_and_waits_on() -> None:
    asked = after(PLAN, *WAITING, started("Job"), STOP)
    second = asking_to_stop(SENT)
    assert (second.token, second.message["status"], asks_to_stop(second)) == (SENT.token, "Stopping", True)
    assert decide(PLAN, asked, 100) == [
        StopAttempt("Ask", 1, kill=False),
        StopAttempt("Job", 1, kill=False),
        Record(second),
    ]
    told = (*WAITING, started("Job"), STOP, signalled("Ask"), signalled("Job"), second, stopped("Job"))
    state = after(PLAN, *told)
    assert state.steps["Ask"].status is StepStatus.STOPPING
    assert decide(PLAN, state, 100) == []


@pytest.mark.assumed
@pytest.mark.parametrize("answer", [succeeded("Ask"), failed("Ask")], ids=["succeeded", "failed"])
def test_an_answer_ends_an_execution_that_is_to_stop(answer: object) -> None:
    told = (*WAITING, started("Job"), succeeded("Job"), STOP, signalled("Ask"), asking_to_stop(SENT), answer)
    assert decide(PLAN, after(PLAN, *told), 100) == [Record(ExecutionFinished("Stopped"))]


def test_a_kill_ends_the_wait() -> None:
    kill = StopRequested(kill=True)
    at_once = after(PLAN, *WAITING, started("Job"), succeeded("Job"), kill)
    assert decide(PLAN, at_once, 100) == [StopAttempt("Ask", 1, kill=True), Record(stopped("Ask"))]
    told = (*WAITING, started("Job"), succeeded("Job"), STOP, signalled("Ask"), asking_to_stop(SENT), kill)
    assert decide(PLAN, after(PLAN, *told), 100) == [StopAttempt("Ask", 1, kill=True), Record(stopped("Ask"))]
    ended = after(PLAN, *told, signalled("Ask"), stopped("Ask"))
    assert decide(PLAN, ended, 100) == [Record(ExecutionFinished("Stopped"))]


def test_a_message_that_comes_after_the_stop_is_followed_by_the_second_one_or_is_given_up() -> None:
    late = (started("Ask"), started("Job"), succeeded("Job"), STOP, signalled("Ask"), SENT)
    assert decide(PLAN, after(PLAN, *late), 100) == [Record(asking_to_stop(SENT))]
    killed = (started("Ask"), started("Job"), succeeded("Job"), StopRequested(kill=True), signalled("Ask"), SENT)
    assert decide(PLAN, after(PLAN, *killed), 100) == [Record(stopped("Ask"))]


def test_a_step_that_ends_the_execution_has_the_others_told() -> None:
    state = after(PLAN, *WAITING, started("Job"), failed("Job", ends_execution=True))
    assert decide(PLAN, state, 100) == [StopAttempt("Ask", 1, kill=False), Record(asking_to_stop(SENT))]
