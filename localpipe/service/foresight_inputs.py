"""Which inputs of a pipeline are not there, and whether a step that comes before could still write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.definition.unknowns import is_unknown
from localpipe.service.foresight import steps_before

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from localpipe.core.jobspec import Channel, JobSpec
    from localpipe.core.ports import ObjectStore
    from localpipe.scheduling.graph import PipelineGraph
    from localpipe.service.foresight import ForeseenJob

_S3_URI = re.compile(r"s3://[^/\s\"',\\]+(?:/[^\s\"',\\]*)?")


@dataclass(frozen=True)
class MissingInput:
    """A channel whose objects are not there and that no step before is known to write.

    `may_come`: a job before reaches S3, so its script could write there, in a bucket that nobody handed to it even.
    """

    job: ForeseenJob
    channel: Channel
    may_come: bool


def missing_inputs(
    jobs: Sequence[ForeseenJob], graph: PipelineGraph, store: ObjectStore, unseen: Collection[str] = ()
) -> Iterator[MissingInput]:
    """Yield the inputs that are not there; none of those that a step before has an output for, or is told of.

    Only steps that run in any case count; behind a condition, the step fails when it starts. `jobs`: all that `foresee`
    gave; one of which nothing is known is taken to write anything, as are the steps `unseen`.
    """
    by_step: dict[str, list[ForeseenJob]] = {}
    for job in jobs:
        by_step.setdefault(job.node.name, []).append(job)
    for job in jobs:
        if job.node.guards:
            continue
        for channel in job.spec.channels if job.spec else ():
            if is_unknown(str(channel.uri)) or _exists(store, channel.uri):
                continue
            before = [node.name for node in steps_before(job.node, graph)]
            specs = [each.spec for name in before for each in by_step.get(name, ())]
            seen = [spec for spec in specs if spec]
            if len(seen) < len(specs) or not set(unseen).isdisjoint(before):
                continue
            if not any(_writes(spec, channel.uri) for spec in seen):
                yield MissingInput(job, channel, may_come=not all(spec.network_isolated for spec in seen))


def _exists(store: ObjectStore, uri: S3Uri) -> bool:
    return next(iter(store.list(uri)), None) is not None


def _writes(spec: JobSpec, uri: S3Uri) -> bool:
    """Whether a job has an output that overlaps, or reaches S3 and is handed an S3 URI that does."""
    if any(is_unknown(str(output.uri)) or _overlap(output.uri, uri) for output in spec.outputs):
        return True
    named = (S3Uri.parse(found) for text in _handed_to(spec) for found in _S3_URI.findall(text))
    return not spec.network_isolated and any(_overlap(other, uri) for other in named)


def _handed_to(spec: JobSpec) -> Iterator[str]:
    """The texts that the author hands to a job."""
    yield from spec.entrypoint or ()
    yield from spec.arguments or ()
    yield from spec.environment.values()
    yield from (file.text for host in spec.hosts for file in host.files)


def _overlap(one: S3Uri, other: S3Uri) -> bool:
    return one.bucket == other.bucket and (one.key.startswith(other.key) or other.key.startswith(one.key))
