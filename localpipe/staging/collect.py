"""From what containers left on disk to objects of the store, and to what the job's description needs of it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localpipe.core.jobspec import OutputForm
from localpipe.errors import StoreError
from localpipe.staging import files, making
from localpipe.staging.archive import write_archive
from localpipe.staging.metrics import FinalMetrics, final_metrics
from localpipe.staging.targets import AttemptLayout, folder_of, overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from localpipe.core.jobspec import JobEnd, JobSpec, OutputSpec, StagedJob
    from localpipe.core.ports import ObjectStore
    from localpipe.staging.uploads import Uploads

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
    metrics: FinalMetrics = field(default_factory=FinalMetrics)
    property_files: Mapping[str, str] = field(default_factory=dict)


def collect(
    spec: JobSpec,
    staged: StagedJob,
    end: JobEnd,
    store: ObjectStore,
    uploads: Uploads,
    *,
    now: float,
    failed_host: str = "",
) -> Collected:
    """Publish the outputs that `end` publishes, then read what the containers left. `uploads`: what went up meanwhile.

    Of several hosts the failure is that of `failed_host`, which failed first, or else of the first one that tells one; their
    messages are put together (containers.md 1.8). May be done again after a crash at any point and ends the same: a file is
    either still in the working directory or in the store already, and archives are made again from files that stay. Raises
    JobFailed for a file whose name no object can have, StoreError.
    """
    layout = AttemptLayout(staged.attempt_dir)
    roots = [layout.host(host.name).root_dir for host in spec.hosts]
    for output in spec.outputs:
        if output.continuous:
            uploads.finish(output)
        elif end in output.published_on:
            _publish(output, spec, roots, layout.outgoing_dir, store)
    heard_first = sorted(spec.hosts, key=lambda host: host.name != failed_host)
    message = _message(roots, spec.message_file)
    exit_message = _decoded_start(message)
    return Collected(
        failure=_failure((layout.host(host.name).root_dir for host in heard_first), spec.failure_file),
        exit_message=exit_message,
        message_undecodable=message is not None and exit_message is None,
        metrics=final_metrics(spec.metrics, _log_lines(staged), now),
        property_files=_property_files(spec, end, store),
    )


def _publish(output: OutputSpec, spec: JobSpec, roots: Sequence[Path], outgoing_dir: Path, store: ObjectStore) -> None:
    """Upload one output of all hosts, in their order; a directory may have become a file, or be gone."""
    found = [files.resolve_inside(root, output.container_dir) for root in roots]
    sources = [source for source in found if source is not None]
    if output.form is OutputForm.TAR_GZ:
        for source in sources:
            files.open_up(source)
        _publish_archive(output, sources, outgoing_dir, store)
        return
    shared = any(overlap(output.container_dir, other.container_dir) for other in spec.outputs if other is not output)
    for source in sources:
        _publish_tree(output, source, store, move=not shared)


def _publish_tree(output: OutputSpec, source: Path, store: ObjectStore, *, move: bool) -> None:
    """Upload each regular file. `move`: it leaves the working directory, so that nothing is copied or read.

    Nearly always the directory moves as a whole, and an empty one takes its place for who looks into the job later.
    """
    if move and source.is_dir() and store.put_directory(folder_of(output), source):
        making.make_dirs(str(source), below=str(source.parent))
        return
    files.open_up(source)
    for name, path in files.named_files(source):
        store.put(files.object_of(output, name), path, move=move)


def _publish_archive(output: OutputSpec, sources: Sequence[Path], outgoing_dir: Path, store: ObjectStore) -> None:
    """Upload the archive; of empty directories only where the output says so."""
    if not output.even_if_empty and not any(source.is_file() or any(source.iterdir()) for source in sources):
        return
    outgoing_dir.mkdir(exist_ok=True)
    archive = outgoing_dir / f"{output.name}.tar.gz"
    write_archive(sources, archive)
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


def _failure(roots: Iterable[Path], failure_file: PurePosixPath | None) -> str | None:
    """The first characters of the first failure file."""
    limit = _FAILURE_CHARACTERS * _UTF8_BYTES
    found = (files.read_start(root, failure_file, limit) for root in roots) if failure_file else ()
    content = next((start for start in found if start is not None), None)
    return None if content is None else content.decode(errors="replace")[:_FAILURE_CHARACTERS]


def _message(roots: Iterable[Path], message_file: PurePosixPath | None) -> bytes | None:
    """The first bytes of the message files put together."""
    found = [files.read_start(root, message_file, _MESSAGE_BYTES) for root in roots] if message_file else []
    contents = [start for start in found if start is not None]
    return b"".join(contents)[:_MESSAGE_BYTES] if contents else None


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
