"""From what containers left on disk to objects of the store, and to what the job's description needs of it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.core.jobspec import OutputForm
from localpipe.errors import JobFailed, StoreError
from localpipe.staging import files
from localpipe.staging.archive import write_archive
from localpipe.staging.metrics import final_metrics
from localpipe.staging.targets import AttemptLayout, overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path, PurePosixPath

    from localpipe.core.jobspec import JobEnd, JobSpec, MetricDatum, OutputSpec, StagedJob
    from localpipe.core.ports import ObjectStore

_FAILURE_CHARACTERS = 1024  # containers.md 2.11
_MESSAGE_BYTES = 1024  # containers.md 1.8
_UTF8_BYTES = 4  # the longest character


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What a job left. `failure`, `exit_message`: text of the file, None if there is none.

    `message_undecodable`: the message file is not UTF-8, which fails the job with a ClientError (containers.md 1.8);
    `exit_message` is None then.
    """

    failure: str | None = None
    exit_message: str | None = None
    message_undecodable: bool = False
    metrics: tuple[MetricDatum, ...] = ()
    property_files: Mapping[str, str] = field(default_factory=dict)


def collect(spec: JobSpec, staged: StagedJob, end: JobEnd, store: ObjectStore, *, now: float) -> Collected:
    """Publish the outputs that `end` publishes, then read what the containers left.

    May be done again after a crash at any point and ends the same: a file is either still in the working directory or
    in the store already, and archives are made again from files that stay. Raises JobFailed for a file whose name no
    object can have, StoreError.
    """
    layout = AttemptLayout(staged.attempt_dir)
    for output in spec.outputs:
        if end in output.published_on:
            _publish(output, spec, layout, store)
    root = layout.root_dir
    message = files.read_start(root, spec.message_file, _MESSAGE_BYTES) if spec.message_file else None
    exit_message = _decoded_start(message)
    return Collected(
        failure=_failure(root, spec.failure_file),
        exit_message=exit_message,
        message_undecodable=message is not None and exit_message is None,
        metrics=final_metrics(spec.metrics, _log_lines(staged), now),
        property_files=_property_files(spec, end, store),
    )


def _publish(output: OutputSpec, spec: JobSpec, layout: AttemptLayout, store: ObjectStore) -> None:
    """Upload one output; its directory may have become a file, or be gone."""
    source = files.resolve_inside(layout.root_dir, output.container_dir)
    if source is not None:
        files.open_up(source)
    if output.form is OutputForm.TAR_GZ:
        _publish_archive(output, source, layout, store)
    elif source is not None:
        shared = any(overlap(output.container_dir, other.container_dir) for other in spec.outputs if other is not output)
        _publish_tree(output, source, store, move=not shared)


def _publish_tree(output: OutputSpec, source: Path, store: ObjectStore, *, move: bool) -> None:
    """Upload each regular file. `move`: it leaves the working directory, so that nothing is copied or read."""
    base, paths = (source.parent, [source]) if source.is_file() else (source, files.regular_files(source))
    for path in paths:
        name = path.relative_to(base).as_posix()
        if not _is_text(name):
            raise JobFailed(f"Output {output.name!r}: the file name {name!r} is not UTF-8, so no object can have it.")
        store.put(output.uri.child(name), path, move=move)


def _is_text(name: str) -> bool:
    """Whether a file name is UTF-8; the bytes of others come as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _publish_archive(output: OutputSpec, source: Path | None, layout: AttemptLayout, store: ObjectStore) -> None:
    """Upload the archive; of an empty directory only where the output says so."""
    if not output.even_if_empty and (source is None or (source.is_dir() and not any(source.iterdir()))):
        return
    layout.outgoing_dir.mkdir(exist_ok=True)
    archive = layout.outgoing_dir / f"{output.name}.tar.gz"
    write_archive(source, archive)
    store.put(output.uri, archive, move=True)


def _property_files(spec: JobSpec, end: JobEnd, store: ObjectStore) -> dict[str, str]:
    """The text of each declared file that is in the store, for outputs that this end publishes."""
    uris = {output.name: output.uri for output in spec.outputs if end in output.published_on}
    found = {}
    for declared in spec.property_files:
        if declared.output_name not in uris:
            continue
        try:
            with store.open(uris[declared.output_name].child(declared.file_path)) as stream:
                found[declared.name] = stream.read().decode(errors="replace")
        except StoreError as error:
            if error.s3_code not in {"NoSuchKey", "NoSuchBucket"}:
                raise
    return found


def _failure(root: Path, failure_file: PurePosixPath | None) -> str | None:
    """The first characters of the failure file."""
    if failure_file is None:
        return None
    content = files.read_start(root, failure_file, _FAILURE_CHARACTERS * _UTF8_BYTES)
    return None if content is None else content.decode(errors="replace")[:_FAILURE_CHARACTERS]


def _decoded_start(content: bytes | None) -> str | None:
    """The text of a file's first bytes, a character cut at their end left out; None if they are no UTF-8."""
    if content is None:
        return None
    whole = len(content) < _MESSAGE_BYTES
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(content, final=whole)
    except UnicodeDecodeError:
        return None


def _log_lines(staged: StagedJob) -> Iterator[str]:
    """Every line of every host's log, without its end; bytes that are no UTF-8 are replaced."""
    for host in staged.hosts:
        if host.log_file.exists():
            with host.log_file.open("rb") as log:
                yield from (line.decode(errors="replace").rstrip("\r\n") for line in log)
