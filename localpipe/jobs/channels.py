"""What a Create request says about its channels: their modes, and which members go together.

The service's wording of these refusals is not recorded, but for mixed modes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from localpipe.core.jobspec import DataType, InputMode
from localpipe.core.work import create_refused
from localpipe.errors import JobFailed, Problem
from localpipe.jobs.members import members, texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from enum import Enum

    from localpipe.core import JSON

    _E = TypeVar("_E", bound=Enum)

SHARDED = "ShardedByS3Key"
GZIP = "Gzip"
RECORD_IO = "RecordIO"

_S3_DATA_TYPE = "DataSource.S3DataSource.S3DataType"
_ONLY_WITH_PIPE = (
    ("CompressionType", GZIP),
    ("RecordWrapperType", RECORD_IO),
    (_S3_DATA_TYPE, DataType.AUGMENTED_MANIFEST_FILE.value),
)


def choice(kind: type[_E], text: str, what: str, operation: str) -> _E:
    """A member of an enumeration by its value. Raises JobFailed for none: an expression may have given the text."""
    for each in kind:
        if each.value == text:
            return each
    raise JobFailed(create_refused(operation, f"{text!r} is no {what}."))


def training_channel_problems(request: JSON, path: str) -> Iterator[Problem]:
    """Members of training channels that do not go together; a mode that an expression gives is judged when it is known.

    Follows: containers.md 2.4, 2.5.
    """
    modes: set[str] = set()
    for place, channel in members(request, "InputDataConfig[*]", path):
        mode = _training_mode(request, channel)
        if mode is None:
            continue
        modes.add(mode)
        if mode != InputMode.PIPE.value:
            yield from _without_pipe(channel, _ONLY_WITH_PIPE, place, mode)
        for where, data_type in texts(channel, _S3_DATA_TYPE, place):
            yield from _data_type_problems(channel, data_type, where, mode)
    if {InputMode.PIPE.value, InputMode.FAST_FILE.value} <= modes:
        message = "Cannot use both 'Pipe' and 'FastFile' TrainingInputMode on the same Training Job."
        yield Problem(f"{path}.InputDataConfig", message)


def processing_input_problems(request: JSON, path: str) -> Iterator[Problem]:
    """The same of processing inputs. Follows: containers.md 1.6."""
    for place, s3_input in members(request, "ProcessingInputs[*].S3Input", path):
        mode = next((found for _, found in members(s3_input, "S3InputMode", "")), None)
        if mode is None or mode == InputMode.FILE.value:
            yield from _without_pipe(s3_input, [("S3CompressionType", GZIP)], place, InputMode.FILE.value)


def _training_mode(request: JSON, channel: JSON) -> str | None:
    """The channel's own mode, else the job's, else File; None where an expression gives it."""
    own = [mode for _, mode in members(channel, "InputMode", "")]
    of_job = [mode for _, mode in members(request, "AlgorithmSpecification.TrainingInputMode", "")]
    mode = next(iter([*own, *of_job]), InputMode.FILE.value)
    return mode if isinstance(mode, str) else None


def _without_pipe(structure: JSON, table: Iterable[tuple[str, str]], path: str, mode: str) -> Iterator[Problem]:
    for member, value in table:
        for place, found in texts(structure, member, path):
            if found == value:
                yield Problem(
                    place, f"{value} goes with Pipe mode only, and this input comes in {mode} mode.", "Use Pipe mode."
                )


def _data_type_problems(channel: JSON, data_type: str, path: str, mode: str) -> Iterator[Problem]:
    if data_type == DataType.MANIFEST_FILE.value and mode == InputMode.FAST_FILE.value:
        yield Problem(path, "FastFile mode takes S3Prefix only.", "Use File mode.")
    named = any(names for _, names in members(channel, "DataSource.S3DataSource.AttributeNames", ""))
    if data_type == DataType.AUGMENTED_MANIFEST_FILE.value and not named:
        yield Problem(path, "AttributeNames is missing: it says which attributes of a line are streamed.")
