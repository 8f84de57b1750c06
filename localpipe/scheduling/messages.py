"""The messages of Callback steps: what lies in the queue while a step waits, and once it is to stop.

Follows: service.md sections 5.6 and 11.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localpipe.core.names import attempt_token
from localpipe.scheduling.events import MessageSent

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.names import AttemptKey

_EXECUTING, _STOPPING = "Executing", "Stopping"


def message_sent(
    key: AttemptKey, queue_url: str, arguments: JSON, execution_arn: str, *, log_files: tuple[str, ...] = ()
) -> MessageSent:
    """The first message of an attempt."""
    token = attempt_token(key)
    body = {"token": token, "pipelineExecutionArn": execution_arn, "arguments": arguments, "status": _EXECUTING}
    return MessageSent(key.step, key.attempt, token, queue_url, body, log_files)


def asks_to_stop(sent: MessageSent) -> bool:
    """Whether it is the second message, which says that the step is to stop."""
    return bool(sent.message["status"] == _STOPPING)


def asking_to_stop(sent: MessageSent) -> MessageSent:
    """The second message. The step waits for an answer all the same."""
    return replace(sent, message={**sent.message, "status": _STOPPING})
