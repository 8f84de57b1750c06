"""The containers of a model under odd timing, without anybody who asks them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from http_model import until_stopped
from support import places

from localpipe.core.jobspec import JobEnd, JobExit, JobSpec, Limits, StagedJob
from localpipe.core.names import AttemptKey, Identity, S3Uri
from localpipe.core.room import ONE_JOB
from localpipe.core.transform import TransformSpec
from localpipe.engine.job import JobContext
from localpipe.engine.serving import ModelContainers
from localpipe.engine.transform import TransformRun
from localpipe.errors import JobFailed
from localpipe.jobs.serving import serving_specs
from localpipe.jobs.transform import transform_spec
from localpipe.runners.scripted import ScriptedRunner
from localpipe.staging import Stager
from localpipe.store import LocalStore

KEY = AttemptKey(execution_id="e" * 12, step="S", attempt=1)
IDENTITY = Identity(account="111122223333", region="us-east-1", role_arn="arn")
REQUEST = {
    "ModelName": "model",
    "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
    "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}


class Clock:
    def now(self) -> float:
        return 50.0


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "s3", {})
    store.put(S3Uri("bucket", "in/a"), b"1\n")
    return store


Context = Callable[[ScriptedRunner], JobContext]


@pytest.fixture
def context(tmp_path: Path, store: LocalStore) -> Context:
    def attempt_dir(key: AttemptKey) -> Path:
        return tmp_path / f"attempt-{key.child}"

    stager = Stager(
        store=store, attempt_dir=attempt_dir, nearest_prefix=lambda uri: None, limits=lambda instance_type: Limits()
    )
    return lambda runner: JobContext(
        runner=runner,
        slots=places(1),
        stager=stager,
        clock=Clock(),
        grace_seconds=60,
        at_disk=nullcontext(),
        made_ahead=lambda key: None,
        size=lambda spec: ONE_JOB,
    )


def wanted(count: int) -> tuple[TransformSpec, tuple[JobSpec, ...]]:
    spec = transform_spec(REQUEST, job_name="job", identity=IDENTITY)
    return spec, serving_specs({"Containers": [{"Image": "image:1"}] * count}, spec, IDENTITY)


def containers(context: JobContext, count: int = 1) -> ModelContainers:
    made = ModelContainers(wanted(count)[1], KEY, context)
    made.make(lambda spec: {})
    return made


@dataclass
class Ending:
    """A container that has ended, or of which nobody knows; `removing`: what its removal waits for."""

    exit: JobExit | None
    removing: Callable[[], object] = lambda: None
    removed: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_seconds: float | None = None) -> JobExit:
        if self.exit is None:
            raise JobFailed("the engine does not answer")
        return self.exit

    def signal(self, signum: int) -> None:
        """It does not hear it any more."""

    def remove(self) -> None:
        self.removing()
        self.removed.set()


class Giving(ScriptedRunner):
    """What it starts is in the test's hands."""

    def __init__(self, given: Ending) -> None:
        super().__init__()
        self._given = given

    def start(self, job: StagedJob) -> object:
        return self._given

    def find(self, key: AttemptKey) -> None:
        """It does not know it any more."""


def test_containers_that_were_told_to_stop_are_not_started(context: Context) -> None:
    runner = ScriptedRunner(default=until_stopped)
    made = containers(context(runner), count=2)
    made.stop(kill=False)
    assert made.start() is False
    made.take_back()
    made.remove()
    assert runner.started == []


def test_containers_are_removed_all_at_once(context: Context) -> None:
    together = threading.Barrier(3, timeout=10)
    made = containers(context(Giving(Ending(JobExit(exit_code=0), removing=together.wait))), count=3)
    made.start()
    made.remove()
    assert not together.broken


def test_a_container_that_is_removed_is_not_said_to_be_left_behind(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    lost = Ending(None)
    made = containers(context(Giving(lost)))
    made.start()
    assert made.over.wait(10)
    made.quit()
    with caplog.at_level(logging.WARNING):
        made.remove()
    assert lost.removed.is_set()
    assert caplog.messages == []
    assert (made.lost, made.end()) == ("the engine does not answer", "")


def test_a_container_that_cannot_be_removed_is_said_to_be_left_behind(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise JobFailed("it is busy")

    made = containers(context(Giving(Ending(JobExit(exit_code=0), removing=fails))))
    made.start()
    with caplog.at_level(logging.WARNING):
        made.remove()
    assert caplog.messages == ["a serving container is left behind; `localpipe gc` removes it: it is busy"]


def test_a_container_that_never_answers_fails_the_job_when_its_time_is_up(context: Context, store: LocalStore) -> None:
    spec, specs = wanted(1)
    nobody_listens = ScriptedRunner(default=until_stopped, address_of=lambda key, port: ("127.0.0.1", 1))
    run = TransformRun(spec, specs, KEY, context(nobody_listens), store, healthy_seconds=0)
    result = run.run(lambda container: {}, lambda logs, line: None, created_at=1.0, waits=lambda lacking: None)
    run.clean()
    told = (
        "AlgorithmError: Container container-1 did not answer GET /ping on port 8080 with 200 within 0 seconds: "
        "at last it refused the connection."
    )
    assert (result.end, result.detail) == (JobEnd.FAILED, told)
    assert replace(KEY, child=1) in nobody_listens.started
