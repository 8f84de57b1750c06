from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from localpipe.authoring.localpipe_launcher.waiting import MOST_READS, MOST_SWALLOWED, START, NothingToWaitFor, ScriptEnded

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/P/execution/authored0000"
DESCRIBE = "sagemaker:DescribePipelineExecution"


class GivenUp(Exception):
    """What the watcher does with a script that cannot be ended."""


def give_up() -> None:
    raise GivenUp


@pytest.fixture
def waiting() -> Iterator[NothingToWaitFor]:
    watcher = NothingToWaitFor(None, give_up, longest_pause=0.05)
    before = signal.getsignal(signal.SIGALRM)
    yield watcher
    watcher.rest()
    signal.signal(signal.SIGALRM, before)


def test_nothing_ends_a_script_that_has_started_no_pipeline(waiting: NothingToWaitFor) -> None:
    for _ in range(2 * MOST_READS):
        waiting.before_call("s3:ListObjectsV2", {})
    waiting.before_call("sagemaker:ListPipelineExecutions", {"PipelineName": "P"})
    waiting.before_call("sagemaker:ListPipelineExecutions", {"PipelineName": "P"})


def test_the_second_look_at_a_status_ends_it(waiting: NothingToWaitFor) -> None:
    waiting.before_call(START, {"PipelineName": "P"})
    waiting.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})
    with pytest.raises(ScriptEnded):
        waiting.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})


def test_many_calls_that_only_read_end_it_and_one_that_changes_something_is_a_new_beginning(
    waiting: NothingToWaitFor,
) -> None:
    waiting.before_call(START, {"PipelineName": "P"})
    for _ in range(MOST_READS):
        waiting.before_call("s3:HeadObject", {})
    waiting.before_call("s3:PutObject", {})
    for _ in range(MOST_READS):
        waiting.before_call("s3:HeadObject", {})
    with pytest.raises(ScriptEnded):
        waiting.before_call("s3:HeadObject", {})


def test_a_long_pause_ends_it(waiting: NothingToWaitFor) -> None:
    waiting.before_call(START, {"PipelineName": "P"})
    with pytest.raises(ScriptEnded):
        signal.pause()


def test_one_that_will_not_be_ended_is_given_up(waiting: NothingToWaitFor) -> None:
    waiting.before_call(START, {"PipelineName": "P"})
    waiting.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})
    for _ in range(MOST_SWALLOWED):
        with pytest.raises(ScriptEnded):
            waiting.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})
    with pytest.raises(GivenUp):
        waiting.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})


def test_the_executions_of_other_pipelines_than_the_wanted_one_may_be_waited_for() -> None:
    watcher = NothingToWaitFor("Q", give_up)
    watcher.before_call(START, {"PipelineName": "P"})
    for _ in range(3):
        watcher.before_call(DESCRIBE, {"PipelineExecutionArn": ARN})
    watcher.rest()
