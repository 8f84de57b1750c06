"""What trouble of this machine counts as for retry policies: the table is in docs/guide.md, "Retries and faults".

What the container engine says is told apart by the runners. Follows: service.md section 7 ("map container-engine trouble
onto these types"); which trouble counts as which type is our choice.
"""

from __future__ import annotations

import errno

from localpipe import errors
from localpipe.errors import JobFailed, RunnerUnavailable

_SERVICE_FAULT = "Step.SERVICE_FAULT"
_CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE})


def before_the_start(error: Exception) -> str | None:
    """The exception type of what kept a job from being started: trouble of the engine is the Create call's.

    None: it is never retried, since it would be the same again (an image or an input that is not there, ...).
    """
    match error:
        case RunnerUnavailable() | JobFailed(exception_type=errors.JOB_INTERNAL_ERROR):
            return _SERVICE_FAULT
        case JobFailed(exception_type=exception_type):
            return exception_type
        case OSError(errno=number) if number in _EXHAUSTED:
            return _CAPACITY_ERROR
        case _:
            return None
