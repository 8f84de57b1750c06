"""What trouble of the container engine means for a job: the one table.

Follows: service.md section 7 ("map container-engine trouble onto these types"). Which trouble counts as which type is our
choice; a retry policy for the type then applies as it would to the service's own trouble.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.errors import JOB_INTERNAL_ERROR, ImageMissing, JobFailed
from localpipe.runners._never_ran import not_executable, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.runners._never_ran import NotExecuted

_CAPACITY = "SageMaker.CAPACITY_ERROR"
_THROTTLING = "Step.THROTTLING"


@dataclass(frozen=True)
class _Trouble:
    """A regex of the engine's message, the reason in plain words, and the exception type."""

    pattern: str
    reason: str
    exception_type: str | None


_TROUBLES = (
    _Trouble(r"no command specified", "neither the job nor the image says what to run (ENTRYPOINT, CMD).", None),
    _Trouble(r"no space left on device", "no space is left on the disk.", _CAPACITY),
    _Trouble(r"cannot allocate memory|out of memory", "not enough memory is free.", _CAPACITY),
    _Trouble(r"resource temporarily unavailable|too many open files", "the machine is out of processes.", _CAPACITY),
    _Trouble(r"toomanyrequests|too many requests", "the engine takes no more requests for now.", _THROTTLING),
)
"""The first that fits counts. What the user can only mend in the image or the job is never retried."""

_EXECUTION = re.compile(r'exec: \\?"(?P<program>.+?)\\?": (?P<trouble>.*)', re.DOTALL)
_DENIED = ("permission denied", "is a directory")


def not_executed(text: str) -> NotExecuted | None:
    """Why a program was not executed, if that is what the engine's message tells of."""
    match = _EXECUTION.search(text)
    if match is None:
        return None
    denied = any(words in match["trouble"] for words in _DENIED)
    return not_executable(match["program"]) if denied else not_found(match["program"])


@contextmanager
def engine_errors(image_uri: str, doing: str) -> Iterator[None]:
    """Turn trouble of the engine, and of this machine's files, into JobFailed or ImageMissing.

    `doing` completes "The container could not be ...".
    """
    from docker.errors import APIError, DockerException, ImageNotFound
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ImageNotFound as error:
        raise ImageMissing(image_uri, "the image was removed a moment ago.", "Pull or build it again.") from error
    except APIError as error:
        otherwise = None if error.is_client_error() else JOB_INTERNAL_ERROR
        raise _explained(str(error.explanation or error), doing, otherwise) from error
    except (DockerException, RequestException, HTTPError, ConnectionError, TimeoutError) as error:
        raise _explained(f"the Docker engine does not answer any more ({error}).", doing, JOB_INTERNAL_ERROR) from error
    except OSError as error:
        raise _explained(f"{error}.", doing, JOB_INTERNAL_ERROR) from error


def _explained(text: str, doing: str, otherwise: str | None) -> JobFailed:
    """The trouble that a message tells of; one that no row of the table fits is told as it is, as type `otherwise`."""
    for trouble in _TROUBLES:
        if re.search(trouble.pattern, text, re.IGNORECASE):
            return JobFailed(f"The container could not be {doing}: {trouble.reason}", trouble.exception_type)
    return JobFailed(f"The container could not be {doing}: {text}", otherwise)


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Ignore that a container is not there any more, does not run, or is being removed already."""
    from docker.errors import APIError

    try:
        yield
    except APIError as error:
        if error.status_code not in {404, 409}:
            raise
