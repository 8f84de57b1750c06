"""Jobs that localpipe serves while they run: Pipe mode in the life of a job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from support import places

from localpipe.core.jobspec import (
    Channel,
    HostSpec,
    InputMode,
    JobEnd,
    JobExit,
    JobKind,
    JobResult,
    JobSpec,
    Limits,
    OutputSpec,
)
from localpipe.core.names import AttemptKey, S3Uri
from localpipe.core.room import ONE_JOB
from localpipe.engine.job import JobContext, JobRun, Launch
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.staging import Stager
from localpipe.store import LocalStore

KEY = AttemptKey(execution_id="e" * 12, step="S", attempt=1)
MODEL, FAILURE = PurePosixPath("/opt/ml/model"), PurePosixPath("/opt/ml/output/failure")
CHANNEL = Channel(
    name="train", uri=S3Uri("b", "data"), container_dir=PurePosixPath("/opt/ml/input/data/train"), mode=InputMode.PIPE
)
SPEC = JobSpec(
    kind=JobKind.TRAINING,
    image_uri="image",
    entrypoint=("run",),
    arguments=None,
    hosts=(HostSpec(name="algo-1", files=()),),
    channels=(CHANNEL,),
    outputs=(),
    directories=(),
    mount_roots=(PurePosixPath("/opt/ml/input"),),
    environment={},
    max_runtime_seconds=60,
    network_isolated=False,
    job_name="job",
    job_arn="arn",
)


class Clock:
    def now(self) -> float:
        return 50.0


Run = Callable[..., JobResult]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "s3", {})


@pytest.fixture
def run(tmp_path: Path, store: LocalStore) -> Run:
    """Run a job that reads `a`, `b` from its channel, on a runner."""
    for key in ("a", "b"):
        store.put(S3Uri("b", f"data/{key}"), key.encode())
    stager = Stager(
        store=store,
        attempt_dir=lambda _: tmp_path / "attempt",
        nearest_prefix=lambda _: None,
        limits=lambda _: Limits(),
    )

    def run_it(
        runner: ScriptedRunner,
        *,
        spec: JobSpec = SPEC,
        reattach: bool = False,
        launched: Callable[[Launch], None] = lambda _: None,
    ) -> JobResult:
        context = JobContext(
            runner=runner,
            slots=places(1),
            stager=stager,
            clock=Clock(),
            grace_seconds=0.01,
            at_disk=nullcontext(),
            made_ahead=lambda key: None,
            size=lambda spec: ONE_JOB,
        )
        job = JobRun(spec, KEY, context)
        return job.run(dict, launched, created_at=1.0, reattach=reattach, launched_at=7.0 if reattach else None)

    return run_it


def epoch(container: ScriptedContainer, number: int) -> bytes:
    return container.path(PurePosixPath(f"/opt/ml/input/data/train_{number}")).read_bytes()


def test_a_job_reads_its_epochs_while_it_runs(run: Run) -> None:
    read: list[bytes] = []

    def train(container: ScriptedContainer) -> int:
        read.extend(epoch(container, number) for number in range(2))
        return 0

    assert run(ScriptedRunner({"S": train})).end is JobEnd.COMPLETED
    assert read == [b"ab", b"ab"]


def test_a_job_that_cannot_be_fed_on_is_killed_and_fails_with_what_it_had(run: Run, store: LocalStore) -> None:
    def train(container: ScriptedContainer) -> int:
        container.write(MODEL / "weights", "W")
        container.write(FAILURE, "the input ended early")
        epoch(container, 0)
        container.next_signal(20)
        return 0

    model = OutputSpec(name="model", container_dir=MODEL, uri=S3Uri("b", "model"), published_on=frozenset({JobEnd.CUT_OFF}))
    spec = replace(
        SPEC,
        channels=(replace(CHANNEL, gunzip=True),),
        outputs=(model,),
        mount_roots=(PurePosixPath("/opt/ml"),),
        failure_file=FAILURE,
    )
    launches: list[Launch] = []
    result = run(ScriptedRunner({"S": train}), spec=spec, launched=launches.append)
    assert (result.end, result.started_at, len(launches)) == (JobEnd.CUT_OFF, 50.0, 1)
    assert result.detail.startswith("Input 'train': object s3://b/data/a cannot be unpacked as gzip: ")
    assert (result.failure, result.exception_type) == ("the input ended early", None)
    assert store.head(S3Uri("b", "model/weights"))


def test_the_failure_is_that_of_the_host_that_failed_first(run: Run) -> None:
    def train(container: ScriptedContainer) -> JobExit:
        for host in container.job.hosts:
            written = host.mounts[0].host_dir / FAILURE.relative_to(host.mounts[0].container_dir)
            written.parent.mkdir()
            written.write_text(f"{host.name} failed")
        return JobExit(exit_code=3, host=1)

    hosts = tuple(HostSpec(name=name, files=()) for name in ("algo-1", "algo-2"))
    spec = replace(SPEC, hosts=hosts, channels=(), mount_roots=(PurePosixPath("/opt/ml"),), failure_file=FAILURE)
    result = run(ScriptedRunner({"S": train}), spec=spec)
    assert (result.failure, result.failed_host) == ("algo-2 failed", "algo-2")


def test_a_job_without_its_input_never_starts(run: Run) -> None:
    runner = ScriptedRunner()
    result = run(runner, spec=replace(SPEC, channels=(replace(CHANNEL, uri=S3Uri("b", "none")),)))
    assert (result.end, runner.started) == (JobEnd.REFUSED, [])
    assert result.detail == "No S3 objects found under S3 URL 's3://b/none' given in input 'train' at ."


def test_a_job_found_in_the_middle_of_its_pipe_is_ended_and_run_anew(run: Run) -> None:
    class Left(ScriptedRunner):
        """A job was left running by a killed localpipe."""

        def find(self, key: AttemptKey) -> object:
            return self.left

        class left:  # noqa: N801 - an object, not a type
            removed = False

            @classmethod
            def remove(cls) -> None:
                cls.removed = True

    read: list[bytes] = []
    launches: list[bool] = []

    def train(container: ScriptedContainer) -> int:
        assert Left.left.removed
        read.append(epoch(container, 0))
        return 0

    result = run(Left({"S": train}), reattach=True, launched=lambda launch: launches.append(launch.found))
    assert (result.end, result.started_at) == (JobEnd.COMPLETED, 50.0)
    assert (read, launches) == ([b"ab"], [False])
