"""A job of one attempt under odd timing: stopped while it starts, failing to start, failing to publish."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import pytest
from support import places

from localpipe.core.faults import Fault, parse_fault
from localpipe.core.jobspec import (
    HostSpec,
    JobEnd,
    JobExit,
    JobKind,
    JobResult,
    JobSpec,
    Limits,
    OutputSpec,
    Restart,
    StagedJob,
)
from localpipe.core.names import AttemptKey, S3Uri
from localpipe.core.room import ONE_JOB
from localpipe.engine.job import JobContext, JobRun, Launch
from localpipe.engine.slots import Slots
from localpipe.errors import JOB_INTERNAL_ERROR, HomeUnusable, JobFailed
from localpipe.runners.scripted import ScriptedContainer, ScriptedRunner
from localpipe.staging import Stager
from localpipe.store import LocalStore

CHECKPOINTS = PurePosixPath("/opt/ml/checkpoints")
CHECKPOINTED = OutputSpec(
    name="checkpoints",
    container_dir=CHECKPOINTS,
    uri=S3Uri("b", "ckpt"),
    published_on=frozenset(JobEnd),
    continuous=True,
    mirrored=True,
)
KEY = AttemptKey(execution_id="e" * 12, step="S", attempt=1)


class Clock:
    def now(self) -> float:
        return 50.0


def spec() -> JobSpec:
    output = OutputSpec(name="out", container_dir=PurePosixPath("/opt/ml/processing/out"), uri=S3Uri("b", "out"))
    return JobSpec(
        kind=JobKind.PROCESSING,
        image_uri="image",
        entrypoint=("run",),
        arguments=None,
        hosts=(HostSpec(name="algo-1", files=()),),
        channels=(),
        outputs=(output,),
        directories=(),
        mount_roots=(),
        environment={},
        max_runtime_seconds=60,
        network_isolated=False,
        job_name="job",
        job_arn="arn",
    )


@dataclass
class Prepared:
    """What a runner hands back from `prepare`; `starting` decides how the start goes."""

    starting: Callable[[], object]
    removed: threading.Event = field(default_factory=threading.Event)

    def start(self) -> object:
        return self.starting()

    def remove(self) -> None:
        self.removed.set()


class Preparing(ScriptedRunner):
    """A scripted runner whose preparation is in the test's hands."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self._given = prepared

    def prepare(self, job: StagedJob) -> Prepared:
        return self._given


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "s3", {})


@pytest.fixture
def stager(tmp_path: Path, store: LocalStore) -> Stager:
    return a_stager(tmp_path, store)


def a_stager(tmp_path: Path, store: LocalStore) -> Stager:
    return Stager(
        store=store,
        attempt_dir=lambda key: tmp_path / "attempt",
        nearest_prefix=lambda uri: None,
        limits=lambda instance_type: Limits(),
    )


def job(
    runner: ScriptedRunner,
    stager: Stager,
    slots: Slots | None = None,
    wanted: JobSpec | None = None,
    *,
    key: AttemptKey = KEY,
    grace_seconds: float = 0.01,
    fault: Fault | None = None,
    clock: Clock | Telling | None = None,
) -> JobRun:
    context = JobContext(
        runner=runner,
        slots=slots or places(1),
        stager=stager,
        clock=clock or Clock(),
        grace_seconds=grace_seconds,
        at_disk=nullcontext(),
        made_ahead=lambda key: None,
        size=lambda spec: ONE_JOB,
    )
    return JobRun(wanted or spec(), key, context, fault)


def run(
    job: JobRun,
    launched: Callable[[Launch], None] = lambda launch: None,
    waits: Callable[[str], None] = lambda lacking: None,
) -> JobResult:
    return job.run(dict, launched, created_at=1.0, reattach=False, launched_at=None, waits=waits)


@pytest.mark.parametrize("error", [JobFailed("taken back"), FileNotFoundError("its directory went")])
def test_a_stop_while_it_starts_ends_stopped_however_the_start_breaks(error: Exception, stager: Stager) -> None:
    prepared = Prepared(starting=lambda: None)

    def start() -> object:
        stopping = threading.Thread(target=stopped.stop, kwargs={"kill": False})
        stopping.start()
        assert prepared.removed.wait(10)
        stopping.join()
        raise error

    prepared.starting = start
    stopped = job(Preparing(prepared), stager)
    assert run(stopped).end is JobEnd.STOPPED


def test_a_job_told_to_stop_before_it_is_prepared_never_starts(stager: Stager) -> None:
    def start() -> object:
        raise AssertionError("it was started")

    prepared = Prepared(starting=start)
    stopped = job(Preparing(prepared), stager)
    stopped.stop(kill=False)
    assert run(stopped).end is JobEnd.STOPPED
    assert prepared.removed.is_set()


def test_a_start_that_fails_is_refused_and_leaves_no_preparation(stager: Stager) -> None:
    def start() -> object:
        raise JobFailed("no such executable")

    prepared = Prepared(starting=start)
    result = run(job(Preparing(prepared), stager))
    assert (result.end, result.detail, result.exception_type) == (JobEnd.REFUSED, "no such executable", None)
    assert prepared.removed.is_set()


def test_a_disk_that_refuses_the_outputs_fails_the_job_and_not_the_run(tmp_path: Path, store: LocalStore) -> None:
    class Full(LocalStore):
        def put_directory(self, *arguments: object) -> bool:
            raise HomeUnusable("The disk is full.")

    stager = a_stager(tmp_path, Full(tmp_path / "full", {}))
    runner = ScriptedRunner(
        {"S": lambda container: container.write(PurePosixPath("/opt/ml/processing/out/x"), "x") or 3 * 0}
    )
    result = run(job(runner, stager))
    assert (result.end, result.exit_code, result.detail) == (JobEnd.UNPUBLISHED, 0, "The disk is full.")


def test_a_job_that_ignores_its_signal_is_killed_after_the_grace(stager: Stager) -> None:
    seen: list[int | None] = []

    def stubborn(container: ScriptedContainer) -> int:
        seen.append(container.next_signal(20))
        container.next_signal(20)
        return 0

    told = job(ScriptedRunner({"S": stubborn}), stager)
    result = run(told, lambda launch: threading.Thread(target=told.stop, kwargs={"kill": False}).start())
    assert seen == [signal.SIGTERM]
    assert (result.end, result.exit_code) == (JobEnd.STOPPED, 128 + signal.SIGKILL)


def test_a_job_found_again_keeps_the_time_at_which_it_started(stager: Stager) -> None:
    class Left(ScriptedRunner):
        def find(self, key: AttemptKey) -> object:
            return Ended(JobExit(exit_code=0))

    @dataclass
    class Ended:
        exit: JobExit

        def wait(self, timeout_seconds: float | None = None) -> JobExit:
            return self.exit

        def shell_command(self, command: Sequence[str]) -> Sequence[str]:
            return command

        def remove(self) -> None:
            """Nothing is left."""

    stager.stage(spec(), KEY, {}, overlays=False)
    found = job(Left(), stager).run(dict, lambda launch: None, created_at=1.0, reattach=True, launched_at=7.0)
    assert (found.end, found.created_at, found.started_at, found.ended_at) == (JobEnd.COMPLETED, 1.0, 7.0, 50.0)


class Silent:
    """A job whose engine goes silent: the first wait fails; `found_again` is what a second look gives."""

    def wait(self, timeout_seconds: float | None = None) -> JobExit:
        raise JobFailed("the engine does not answer", "SageMaker.JOB_INTERNAL_ERROR")

    def remove(self) -> None:
        """Nothing can be done."""


def test_a_job_whose_engine_went_silent_is_asked_for_once_more(stager: Stager) -> None:
    class Blinking(ScriptedRunner):
        def start(self, job: StagedJob) -> object:
            self.real = super().start(job)
            return Silent()

        def find(self, key: AttemptKey) -> object:
            return self.real

    assert run(job(Blinking(), stager)).end is JobEnd.COMPLETED


def test_a_job_whose_engine_stays_silent_is_lost_and_counts_as_an_internal_error(stager: Stager) -> None:
    class Gone(ScriptedRunner):
        def start(self, job: StagedJob) -> object:
            return Silent()

        def find(self, key: AttemptKey) -> object:
            raise JobFailed("the engine does not answer")

    result = run(job(Gone(), stager))
    assert (result.end, result.exception_type) == (JobEnd.LOST, "SageMaker.JOB_INTERNAL_ERROR")


def test_a_job_that_is_found_and_goes_silent_again_is_lost(stager: Stager) -> None:
    class Fading(ScriptedRunner):
        def start(self, job: StagedJob) -> object:
            return Silent()

        def find(self, key: AttemptKey) -> object:
            return Silent()

    result = run(job(Fading(), stager))
    assert (result.end, result.detail, result.started_at) == (JobEnd.LOST, "the engine does not answer", 50.0)


class Overdue(Silent):
    """Its time is up at once, and then its engine goes silent."""

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        return super().wait() if timeout_seconds is None else None

    def signal(self, signum: int) -> None:
        """Whoever is told does not hear it any more."""


class GoingSilent(ScriptedRunner):
    """Its first job goes silent when its time is up. `told`: the first signal of each later one."""

    def __init__(self, *, found_again: bool) -> None:
        super().__init__(default=self._listen)
        self.told: list[int | None] = []
        self._found_again, self._starts = found_again, 0

    def start(self, job: StagedJob) -> object:
        self._starts += 1
        if self._starts > 1:
            return super().start(job)
        if self._found_again:
            super().start(job).signal(signal.SIGTERM)
        return Overdue()

    def find(self, key: AttemptKey) -> object:
        return super().find(key) if self._found_again else None

    def _listen(self, container: ScriptedContainer) -> int:
        self.told.append(container.next_signal(20))
        return 0


def test_a_lost_job_that_is_started_again_has_its_time_limit_too(stager: Stager) -> None:
    runner = GoingSilent(found_again=False)
    wanted = replace(spec(), max_runtime_seconds=0, restarts=1)
    assert run(job(runner, stager, wanted=wanted, grace_seconds=60)).end is JobEnd.TIMED_OUT
    assert runner.told == [signal.SIGTERM]


def test_a_job_whose_time_was_up_when_its_engine_went_silent_timed_out(stager: Stager) -> None:
    runner = GoingSilent(found_again=True)
    assert run(job(runner, stager, wanted=replace(spec(), max_runtime_seconds=0), grace_seconds=60)).end is JobEnd.TIMED_OUT


def test_a_stop_leaves_nobody_behind_who_would_kill(stager: Stager) -> None:
    before = set(threading.enumerate())
    told = job(ScriptedRunner({"S": lambda container: container.next_signal(20) or 1}), stager, grace_seconds=60)
    assert run(told, lambda launch: told.stop(kill=False)).end is JobEnd.STOPPED
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


def test_what_earlier_attempts_of_the_step_left_is_removed_before_the_next(stager: Stager) -> None:
    runner = ScriptedRunner({"T": lambda container: container.next_signal(20) or 1})
    other = replace(KEY, step="T")
    for key in (KEY, other):
        runner.start(stager.stage(spec(), key, {}, overlays=False))
    second = job(runner, stager, key=replace(KEY, attempt=2))
    assert run(second).end is JobEnd.COMPLETED
    assert (runner.find(KEY), runner.find(other) is None) == (None, False)
    runner.sweep(lambda key: False)


def test_engine_trouble_before_the_start_is_trouble_of_the_create_call(stager: Stager) -> None:
    def start() -> object:
        raise JobFailed("the engine does not answer", "SageMaker.JOB_INTERNAL_ERROR")

    result = run(job(Preparing(Prepared(starting=start)), stager))
    assert (result.end, result.exception_type) == (JobEnd.REFUSED, "Step.SERVICE_FAULT")


# Places


def test_a_job_without_a_place_is_prepared_and_not_started_before_another_has_ended(stager: Stager) -> None:
    slots, runner, told = places(1), ScriptedRunner(), queue.SimpleQueue[str]()
    other = slots.take()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, job(runner, stager, slots), waits=told.put)
        assert told.get(timeout=10) == "waits for room: wants 1 job slot; 1 of 1 are taken (jobs run: 1 by this execution)"
        assert runner.started == []
        slots.give_back(other)
        assert waiting.result(10).end is JobEnd.COMPLETED
    assert runner.started == [KEY]


def test_a_job_that_waits_for_its_turn_can_be_stopped(stager: Stager) -> None:
    slots, prepared = places(1), Prepared(starting=lambda: pytest.fail("it was started"))
    told = queue.SimpleQueue[str]()
    slots.take()
    waiting = job(Preparing(prepared), stager, slots)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(run, waiting, waits=told.put)
        told.get(timeout=10)
        waiting.stop(kill=False)
        assert result.result(10).end is JobEnd.STOPPED
    assert prepared.removed.is_set()


def a_place_is_free(slots: Slots) -> bool:
    return slots.ask().served


def test_a_place_is_free_again_before_the_outputs_are_published(tmp_path: Path) -> None:
    slots = places(1)
    free: list[bool] = []

    class Watched(LocalStore):
        def put_directory(self, prefix: S3Uri, directory: Path) -> bool:
            free.append(a_place_is_free(slots))
            return super().put_directory(prefix, directory)

    stager = a_stager(tmp_path, Watched(tmp_path / "s3", {}))
    writing = {"S": lambda container: container.write(PurePosixPath("/opt/ml/processing/out/x"), "x") or 3 * 0}
    assert run(job(ScriptedRunner(writing), stager, slots)).end is JobEnd.COMPLETED
    assert free == [True]


def test_a_job_that_cannot_be_started_frees_its_place(stager: Stager) -> None:
    slots = places(1)
    assert run(job(ScriptedRunner(refusals={"S": JobFailed("no")}), stager, slots)).end is JobEnd.REFUSED
    assert a_place_is_free(slots)


def test_a_mistake_of_ours_frees_the_place(stager: Stager) -> None:
    slots = places(1)
    with pytest.raises(ZeroDivisionError):
        run(job(ScriptedRunner({"S": lambda _: 1 // 0}), stager, slots))
    assert a_place_is_free(slots)


def test_a_job_that_was_found_running_has_its_place_beyond_the_limit(stager: Stager) -> None:
    slots, runner, go = places(1), ScriptedRunner({"S": lambda _: 0 if go.wait(10) else 1}), threading.Event()
    other = slots.ask()
    runner.prepare(stager.stage(spec(), KEY, {}, overlays=False)).start()
    seen: list[bool] = []

    def launched(launch: Launch) -> None:
        slots.give_back(other)
        ticket = slots.ask()
        seen.append(ticket.served)
        slots.give_back(ticket)
        go.set()

    found = job(runner, stager, slots).run(dict, launched, created_at=1.0, reattach=True, launched_at=7.0)
    assert (found.end, seen, a_place_is_free(slots)) == (JobEnd.COMPLETED, [False], True)


class Losing(ScriptedRunner):
    """A scripted runner whose engine loses the first jobs, and runs one that says where it stands after them."""

    def __init__(self, losses: int) -> None:
        self._losses = losses
        super().__init__(default=self._behave)

    def _behave(self, container: ScriptedContainer) -> int:
        done = sorted(path.name for path in container.path(CHECKPOINTS).iterdir())
        container.write(CHECKPOINTS / f"epoch-{len(done) + 1}", "W")
        if len(self.started) <= self._losses:
            raise JobFailed("the engine went away", exception_type=JOB_INTERNAL_ERROR)
        container.write(PurePosixPath("/opt/ml/processing/out/done"), " ".join(done))
        return 0

    def find(self, key: AttemptKey) -> None:
        """It does not know the job any more."""


@pytest.mark.documented
@pytest.mark.parametrize(
    ("losses", "end", "starts"), [(2, JobEnd.COMPLETED, 3), (3, JobEnd.LOST, 3), (0, JobEnd.COMPLETED, 1)]
)
def test_a_lost_job_is_started_again_with_its_checkpoints_as_often_as_its_strategy_says(
    stager: Stager, store: LocalStore, losses: int, end: JobEnd, starts: int
) -> None:
    runner = Losing(losses)
    wanted = replace(spec(), restarts=2, outputs=(*spec().outputs, CHECKPOINTED))
    launches: list[Launch] = []
    ended = run(job(runner, stager, wanted=wanted), launches.append)
    assert (ended.end, len(runner.started), len(launches)) == (end, starts, 1)
    assert ended.restarts == (Restart(ended_at=50.0, at=50.0, interrupted=False),) * (starts - 1)
    assert ended.started_at == 50.0
    assert [info.uri.key for info in store.list(S3Uri("b", "ckpt"))] == [f"ckpt/epoch-{n + 1}" for n in range(starts)]
    if end is JobEnd.COMPLETED:
        with store.open(S3Uri("b", "out/done")) as done:
            assert done.read().decode() == " ".join(f"epoch-{n + 1}" for n in range(losses))


def test_a_lost_job_without_a_strategy_is_not_started_again(stager: Stager) -> None:
    runner = Losing(1)
    checkpoints = OutputSpec(name="c", container_dir=CHECKPOINTS, uri=S3Uri("b", "ckpt"))
    ended = run(job(runner, stager, wanted=replace(spec(), outputs=(*spec().outputs, checkpoints))))
    assert (ended.end, len(runner.started), ended.exception_type) == (JobEnd.LOST, 1, JOB_INTERNAL_ERROR)


# Faults while it runs


def goes_on_from_checkpoints(container: ScriptedContainer) -> int:
    """Runs until it is told to stop, but for the last time; leaves a checkpoint each time."""
    done = sorted(path.name for path in container.path(CHECKPOINTS).iterdir())
    container.write(CHECKPOINTS / f"epoch-{len(done) + 1}", "W")
    container.write(PurePosixPath("/opt/ml/processing/out/done"), " ".join(done))
    return 0 if len(done) == 2 else 128 + (container.next_signal(20) or 0)


@pytest.mark.documented
def test_a_spot_job_that_is_interrupted_goes_on_from_its_checkpoints(stager: Stager, store: LocalStore) -> None:
    runner, launches = ScriptedRunner({"S": goes_on_from_checkpoints}), []
    wanted = replace(spec(), spot=True, outputs=(*spec().outputs, CHECKPOINTED))
    fault = parse_fault("S=spot-interruption*2@0")
    ended = run(job(runner, stager, wanted=wanted, fault=fault, grace_seconds=20), launches.append)
    assert (ended.end, len(runner.started), len(launches)) == (JobEnd.COMPLETED, 3, 1)
    assert ended.restarts == (Restart(ended_at=50.0, at=50.0, interrupted=True),) * 2
    with store.open(S3Uri("b", "out/done")) as done:
        assert done.read() == b"epoch-1 epoch-2"


def test_an_interrupted_job_that_ignores_its_signal_is_killed_and_goes_on(stager: Stager) -> None:
    def stubborn(container: ScriptedContainer) -> int:
        if len(runner.started) > 1:
            return 0
        return (container.next_signal(20) or 0) + (container.next_signal(20) or 0)

    runner = ScriptedRunner({"S": stubborn})
    ended = run(job(runner, stager, wanted=replace(spec(), spot=True), fault=parse_fault("S=spot-interruption@0")))
    assert (ended.end, len(runner.started), len(ended.restarts)) == (JobEnd.COMPLETED, 2, 1)


def test_a_job_that_is_stopped_while_it_is_interrupted_is_stopped(stager: Stager) -> None:
    def stops(container: ScriptedContainer) -> int:
        container.next_signal(20)
        told.stop(kill=False)
        return 0

    runner = ScriptedRunner({"S": stops})
    told = job(runner, stager, wanted=replace(spec(), spot=True), fault=parse_fault("S=spot-interruption*9@0"))
    ended = run(told)
    assert (ended.end, len(runner.started)) == (JobEnd.STOPPED, 1)


def test_a_job_that_cannot_go_on_after_an_interruption_is_lost(stager: Stager) -> None:
    class Gone(ScriptedRunner):
        def prepare(self, job: StagedJob, *, ahead: bool = False) -> object:
            if self.started:
                raise JobFailed("the engine went away")
            return super().prepare(job, ahead=ahead)

    runner = Gone({"S": lambda container: container.next_signal(20)})
    ended = run(job(runner, stager, wanted=replace(spec(), spot=True), fault=parse_fault("S=spot-interruption@0")))
    assert (ended.end, ended.detail, ended.exception_type) == (JobEnd.LOST, "the engine went away", JOB_INTERNAL_ERROR)


def test_a_time_limit_that_comes_sooner_ends_the_job_as_a_real_one(stager: Stager) -> None:
    seen: list[int | None] = []
    runner = ScriptedRunner({"S": lambda container: seen.append(container.next_signal(20)) or 3 * 0})
    ended = run(job(runner, stager, fault=parse_fault("S=time-limit@0"), grace_seconds=20))
    assert (ended.end, seen) == (JobEnd.TIMED_OUT, [signal.SIGTERM])


# How much time a job has


class Telling:
    """A clock that goes on by ten seconds whenever somebody looks at it."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        self._now += 10
        return self._now


def waits_for_its_end(container: ScriptedContainer) -> int:
    return 128 + (container.next_signal(20) or 0)


def a_spot_job(**more: int) -> JobSpec:
    return replace(spec(), kind=JobKind.TRAINING, spot=True, **{"max_runtime_seconds": 60, "max_wait_seconds": 60, **more})


@pytest.mark.documented
def test_a_spot_job_that_gets_no_room_within_its_wait_never_runs(stager: Stager) -> None:
    slots, runner, told = places(1), ScriptedRunner(), []
    other = slots.ask()
    ended = run(job(runner, stager, slots, a_spot_job(max_wait_seconds=49)), waits=told.append)
    assert (ended.end, ended.started_at, runner.started, len(told)) == (JobEnd.WAITED_OUT, None, [], 1)
    slots.give_back(other)
    assert run(job(runner, stager, slots)).end is JobEnd.COMPLETED  # nothing is left in the line


@pytest.mark.documented
def test_a_spot_job_that_runs_when_its_wait_is_over_is_told_to_end(stager: Stager) -> None:
    runner = ScriptedRunner({"S": waits_for_its_end})
    ended = run(job(runner, stager, wanted=a_spot_job(max_wait_seconds=49), grace_seconds=20))
    assert (ended.end, ended.started_at, ended.exit_code) == (JobEnd.WAITED_OUT, 50.0, 128 + signal.SIGTERM)


@pytest.mark.documented
def test_the_wait_of_a_spot_job_includes_its_interruptions(stager: Stager) -> None:
    runner, slots = ScriptedRunner({"S": waits_for_its_end}), places(1)
    wanted, fault = a_spot_job(max_wait_seconds=100), parse_fault("S=spot-interruption*99@0")
    ended = run(job(runner, stager, slots, wanted, fault=fault, grace_seconds=20, clock=Telling()))
    assert ended.end is JobEnd.WAITED_OUT
    assert 1 < len(runner.started) <= 10
    assert all(before.ended_at < before.at for before in ended.restarts)


@pytest.mark.documented
def test_all_runs_of_a_job_together_have_its_longest_runtime(stager: Stager) -> None:
    runner = ScriptedRunner({"S": waits_for_its_end})
    wanted = a_spot_job(max_runtime_seconds=35, max_wait_seconds=10_000)
    fault = parse_fault("S=spot-interruption*99@0")
    ended = run(job(runner, stager, wanted=wanted, fault=fault, grace_seconds=20, clock=Telling()))
    assert (ended.end, len(runner.started)) == (JobEnd.TIMED_OUT, 5)


def test_a_job_found_again_has_the_rest_of_its_time(stager: Stager) -> None:
    """It runs since 7, it is 50 now: a second is left, and two are given to see it end by itself."""
    runner = ScriptedRunner({"S": waits_for_its_end})
    runner.start(stager.stage(spec(), KEY, {}, overlays=False))
    found = job(runner, stager, wanted=replace(spec(), max_runtime_seconds=44), grace_seconds=20)
    ended = found.run(dict, lambda _: None, created_at=1.0, reattach=True, launched_at=7.0)
    assert (ended.end, ended.exit_code) == (JobEnd.TIMED_OUT, 128 + signal.SIGTERM)


def test_a_job_found_beyond_its_time_that_has_ended_is_taken_as_it_ended(stager: Stager) -> None:
    runner = ScriptedRunner({"S": lambda _: 0})
    runner.start(stager.stage(spec(), KEY, {}, overlays=False))
    found = job(runner, stager, wanted=replace(spec(), max_runtime_seconds=1))
    assert found.run(dict, lambda _: None, created_at=1.0, reattach=True, launched_at=7.0).end is JobEnd.COMPLETED


def test_a_job_that_is_run_anew_after_an_interruption_of_localpipe_has_all_its_time(stager: Stager) -> None:
    anew = job(ScriptedRunner(), stager, wanted=a_spot_job(max_runtime_seconds=10, max_wait_seconds=10))
    ended = anew.run(dict, lambda _: None, created_at=1.0, reattach=True, launched_at=7.0)
    assert (ended.end, ended.created_at) == (JobEnd.COMPLETED, 1.0)
