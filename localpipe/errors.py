"""Every error localpipe raises on purpose.

    LocalpipeError
      ├ UsageError                  a wrong flag, target or setting                               exit 2
      ├ DefinitionError(problems)   the definition cannot run; every problem with its JSON path   exit 2
      ├ ParameterError(problems)    a start parameter is unknown, missing or of the wrong type    exit 2
      ├ NotSupported(feature, instead)   known to SageMaker, not to localpipe                     exit 2
      ├ AuthoringError              the author's script failed or made no pipeline                exit 2
      ├ NotFound(kind, name)        an execution, step, object or model that is not there         exit 2
      ├ RunnerUnavailable(reason, remedy)   this machine cannot run it                            exit 3
      ├ ImageMissing ─ ImagesMissing   an image, or several, that no runner can have here         exit 3
      ├ HomeUnusable                the home cannot be written or read                            exit 3
      ├ StoreError                  the local S3 cannot do it; carries the S3 error code
      ├ JournalError ─ ConflictingAppend · NewerSchema · ExecutionBusy
      ├ ExpressionError             a reference has no value; the step that uses it fails
      ├ JobFailed ─ InputNotFound   the job could not be started; the step fails
      └ InvalidTransition           our bug: never reported as the user's step failure           exit 70

An error has fields first and builds its sentence from them. `code` is the AWS error code of the service for the same fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a definition: where (`path`, a JSON path), what, and what to do instead.

    `unsupported` marks what SageMaker knows and localpipe does not; it is refused all the same.
    """

    path: str
    message: str
    remedy: str = ""
    unsupported: bool = False

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}"
        return f"{text} {self.remedy}" if self.remedy else text


class LocalpipeError(Exception):
    """The root. `exit_status` is what the command line ends with; `code` is the AWS error code."""

    exit_status: ClassVar[int] = 2
    code: ClassVar[str] = "ValidationException"


class UsageError(LocalpipeError):
    """A command, target or setting that cannot be meant as it stands."""


class _ProblemsError(LocalpipeError):
    """Several problems reported together. `problems` is never empty and keeps the order of the definition."""

    title: ClassVar[str]

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        lines = [f"{self.title} ({len(self.problems)}):" if len(self.problems) > 1 else f"{self.title}:"]
        super().__init__("\n".join([*lines, *(f"  {problem}" for problem in self.problems)]))


class DefinitionError(_ProblemsError):
    """The definition cannot run."""

    title = "The pipeline definition has problems"


class ParameterError(_ProblemsError):
    """The values given at the start do not fit the declared parameters."""

    title = "The pipeline parameters have problems"


class NotSupported(LocalpipeError):
    """Known to SageMaker, not to localpipe (yet): `feature` names it, `instead` says what to do."""

    def __init__(self, feature: str, instead: str) -> None:
        self.feature, self.instead = feature, instead
        super().__init__(f"{feature} is not supported. {instead}")


class AuthoringError(LocalpipeError):
    """The author's script failed or left no pipeline. The message carries the author's own traceback where there is one."""


class NotFound(LocalpipeError):
    """Something named is not there. `near` are names that are, nearest first; `remedy` helps where there is none."""

    code = "ResourceNotFound"

    def __init__(self, kind: str, name: str, near: Sequence[str] = (), remedy: str = "") -> None:
        self.kind, self.name, self.near, self.remedy = kind, name, tuple(near), remedy
        hint = f"Did you mean {' or '.join(repr(n) for n in self.near)}?" if self.near else remedy
        super().__init__(f"There is no {kind} {name!r}. {hint}".rstrip())


class RunnerUnavailable(LocalpipeError):
    """This machine cannot run the job: `reason` says why, `remedy` what to type."""

    exit_status = 3

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason, self.remedy = reason, remedy
        super().__init__(f"{reason} {remedy}".strip())


class ImageMissing(LocalpipeError):
    """No image (or environment) for `image_uri` can be had here; `remedy` is the command that helps."""

    exit_status = 3

    def __init__(self, image_uri: str, reason: str, remedy: str) -> None:
        self.image_uri, self.reason, self.remedy = image_uri, reason, remedy
        super().__init__(f"Image {image_uri}: {reason} {remedy}".strip())


class ImagesMissing(ImageMissing):
    """Several images at once: `missing`, two or more. The other fields are those of the first."""

    def __init__(self, missing: Sequence[ImageMissing]) -> None:
        super().__init__(missing[0].image_uri, missing[0].reason, missing[0].remedy)
        self.missing = tuple(missing)

    def __str__(self) -> str:
        lines = "\n".join(f"  {image.image_uri}: {image.reason} {image.remedy}".rstrip() for image in self.missing)
        return f"Images cannot be had ({len(self.missing)}):\n{lines}"


class HomeUnusable(LocalpipeError):
    """The home directory cannot be used; the message names it and says why."""

    exit_status = 3


class StoreError(LocalpipeError):
    """The local S3 cannot do it. `s3_code` is the S3 error code (`NoSuchKey`, `NoSuchBucket`, ...)."""

    def __init__(self, s3_code: str, message: str) -> None:
        self.s3_code = s3_code
        super().__init__(message)


class JournalError(LocalpipeError):
    """The journal of facts cannot be read or written."""

    exit_status = 3


class ConflictingAppend(JournalError):
    """A fact came in since the decision was made; fold and decide again."""


class NewerSchema(JournalError):
    """The journal was written by a newer localpipe."""


class ExecutionBusy(JournalError):
    """Another process drives this execution."""

    exit_status = 2


class ExpressionError(LocalpipeError):
    """A reference or json path has no value. The message names the expression and, for a json path, the paths there are."""


JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
"""The exception type that trouble of this machine counts as: RetryPolicies may name it. Follows: service.md section 7."""


class JobFailed(LocalpipeError):
    """A job could not be started. `exception_type` is the RetryPolicies name it counts as, or None: never retried.

    Follows: service.md section 7.
    """

    def __init__(self, message: str, exception_type: str | None = None) -> None:
        self.exception_type = exception_type
        super().__init__(message)


class InputNotFound(JobFailed):
    """A channel's S3 prefix has no objects. `near` is the nearest prefix that has some, or None."""

    def __init__(self, channel: str, uri: str, path: str, near: str | None) -> None:
        self.channel, self.uri, self.path, self.near = channel, uri, path, near
        hint = f" Did you mean {near} ?" if near else ""
        super().__init__(f"No S3 objects found under S3 URL {uri!r} given in input {channel!r} at {path}.{hint}")


class InvalidTransition(LocalpipeError):
    """A bug of localpipe: an event that cannot follow the ones before. `story` lists them.

    `step` None: an event of the whole execution.
    """

    exit_status = 70

    def __init__(self, step: str | None, event: str, status: str, story: str) -> None:
        self.step, self.event, self.status, self.story = step, event, status, story
        subject = "execution" if step is None else f"step {step!r}"
        super().__init__(f"{subject}: {event} while {status}. Story: {story}")
