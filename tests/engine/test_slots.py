"""Room for jobs: shared by executions, in this process and in others, whatever becomes of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localpipe.core.room import Room, Size
from localpipe.engine.claims import Claim, parse_claim
from localpipe.engine.slots import Slots
from localpipe.errors import HomeUnusable

GIB = 1 << 30
ONE, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
MakeSlots = Callable[..., Slots]


@pytest.fixture
def slots(tmp_path: Path) -> MakeSlots:
    def make(jobs: int, execution_id: str = ONE, **room: float) -> Slots:
        return Slots(Room(jobs=jobs, **room), tmp_path / "slots", execution_id)  # type: ignore[arg-type]

    return make


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """An execution in another process: takes a place with `ask`, says so, and gives it back when it is sent a line."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from localpipe.core.room import Room\n"
        "from localpipe.engine.slots import Slots\n"
        "slots = Slots(Room(jobs=1), Path(sys.argv[1]), sys.argv[2])\n"
        "while True:\n"
        "    ticket = slots.ask()\n"
        "    print('asked', flush=True)\n"
        "    ticket.wait()\n"
        "    print('has it', flush=True)\n"
        "    sys.stdin.readline() or sys.exit()\n"
        "    slots.give_back(ticket)\n"
    )
    started: list[subprocess.Popen[str]] = []

    def start(execution_id: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "slots"), execution_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_places_are_given_in_the_order_they_are_asked_for(slots: MakeSlots) -> None:
    two = slots(2)
    first, second, third, fourth = (two.ask() for _ in range(4))
    assert [ticket.served for ticket in (first, second, third, fourth)] == [True, True, False, False]
    two.give_back(second)
    assert (third.served, fourth.served) == (True, False)
    two.give_back(second)
    assert not fourth.served
    two.give_back(first)
    assert fourth.served


def test_a_place_in_the_line_can_be_given_up(slots: MakeSlots) -> None:
    one = slots(1)
    first, second, third = (one.ask() for _ in range(3))
    one.give_back(second)
    assert not second.wait()
    one.give_back(first)
    assert third.wait()


def test_jobs_that_run_already_count_beyond_the_limit(slots: MakeSlots) -> None:
    one = slots(1)
    first, found = one.ask(), one.take()
    second = one.ask()
    one.give_back(first)
    assert not second.served
    one.give_back(found)
    assert second.served


def test_whoever_has_to_wait_is_told_what_for_and_who_has_it(slots: MakeSlots) -> None:
    one, other = slots(2), slots(2, OTHER)
    assert [one.ask().lacking, other.ask().lacking] == ["", ""]
    assert one.ask().lacking == (
        f"waits for room: wants 1 job slot; 2 of 2 are taken (jobs run: 1 by this execution, 1 by execution {OTHER})"
    )


@pytest.mark.parametrize(
    ("room", "size", "lacking"),
    [
        ({"cpus": 4}, Size(cpus=4), "wants 4 processors; 2 of 4 are taken"),
        ({"cpus": 4}, Size(cpus=96), "wants 4 processors; 2 of 4 are taken"),
        ({"memory_bytes": 4 * GIB}, Size(memory_bytes=3 * GIB), "wants 3 GiB of memory; 2 of 4 are taken"),
        ({"gpus": 1}, Size(gpus=8), "wants 1 GPU; 1 of 1 are taken"),
        ({"cpus": 4, "memory_bytes": 4 * GIB, "gpus": 2}, Size(cpus=2, memory_bytes=2 * GIB, gpus=1), ""),
        ({"gpus": 1}, Size(cpus=96), ""),
        ({}, Size(cpus=96, memory_bytes=400 * GIB, gpus=8), ""),
    ],
)
def test_a_job_takes_what_its_instance_has_of_what_is_counted(
    slots: MakeSlots, room: dict[str, float], size: Size, lacking: str
) -> None:
    several = slots(8, **room)
    several.ask(Size(cpus=2, memory_bytes=2 * GIB, gpus=1))
    told = several.ask(size).lacking
    assert told == (f"waits for room: {lacking} (jobs run: 1 by this execution)" if lacking else "")


def test_a_job_that_asks_for_more_than_there_is_runs_alone(slots: MakeSlots) -> None:
    small = slots(8, cpus=4)
    large = small.ask(Size(cpus=96))
    assert large.served
    after = small.ask(Size(cpus=1))
    assert not after.served
    small.give_back(large)
    assert after.wait()


def test_small_jobs_do_not_pass_a_large_one_that_waits(slots: MakeSlots) -> None:
    four, other = slots(8, cpus=4), slots(8, OTHER, cpus=4)
    running = four.ask(Size(cpus=2))
    large = other.ask(Size(cpus=4))
    small = four.ask(Size(cpus=1))
    assert small.lacking == (
        f"waits for room: execution {OTHER} waits before it, for processors (jobs run: 1 by this execution)"
    )
    four.give_back(running)
    assert large.wait()
    other.give_back(large)
    assert small.wait()


def test_a_job_that_wants_nothing_of_what_is_short_passes_one_of_its_own_execution(slots: MakeSlots) -> None:
    several = slots(8, cpus=8, gpus=2)
    running = several.ask(Size(gpus=1))
    lacking = [several.ask(Size(gpus=size)).lacking for size in (2, 1)]
    assert lacking == [
        "waits for room: wants 2 GPUs; 1 of 2 are taken (jobs run: 1 by this execution)",
        "waits for room: another job of this execution waits before it, for GPUs (jobs run: 1 by this execution)",
    ]
    passing = several.ask(Size(cpus=1))
    assert passing.served
    for ticket in (running, passing):
        several.give_back(ticket)


def test_a_stricter_setting_holds_up_its_own_execution_alone(slots: MakeSlots) -> None:
    strict, other = slots(1), slots(3, OTHER)
    running = other.ask()
    waits = strict.ask()
    assert not waits.served
    more = [other.ask() for _ in range(2)]
    assert [ticket.served for ticket in more] == [True, True]
    for ticket in (running, *more):
        other.give_back(ticket)
    assert waits.wait()
    strict.give_back(waits)


def without_descriptors(scenario: str, directory: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(Path(__file__).with_name("without_descriptors.py")), scenario, str(directory)]
    return subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)


def test_a_ticket_that_cannot_be_posted_does_not_stay_in_line(tmp_path: Path) -> None:
    ended = without_descriptors("ask", tmp_path / "slots")
    lines = [f"{count} 0 2 Too many\nTrue\n" for count in range(3)]
    assert (ended.stdout, ended.stderr) == ("".join(lines), "")


def test_a_look_at_the_board_that_breaks_off_leaves_nothing_open(tmp_path: Path) -> None:
    assert without_descriptors("look", tmp_path / "slots").stdout == "0 Too many open files\n"


def test_who_gives_room_back_has_no_trouble_with_those_who_wait(
    slots: MakeSlots, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = slots(1)
    running, waiting = one.ask(), one.ask()
    (tmp_path / "loop").symlink_to("lock")
    (tmp_path / "loop").replace(tmp_path / "slots" / "lock")  # which nobody can open now: it leads to itself
    one.give_back(running)
    assert waiting.wait()
    assert "the room of this machine is not shared any more: " in caplog.text


def test_the_execution_with_fewer_jobs_gets_the_next_place(slots: MakeSlots) -> None:
    many, few = slots(2), slots(2, OTHER)
    first, second, *queued = (many.ask() for _ in range(5))
    late = few.ask()
    many.give_back(first)
    assert late.wait()
    many.give_back(second)
    assert queued[0].wait()
    few.give_back(late)
    assert queued[1].wait()


def test_a_place_taken_in_another_process_is_waited_for(
    slots: MakeSlots, elsewhere: Callable[[str], subprocess.Popen[str]]
) -> None:
    other = elsewhere(OTHER)
    assert [said(other), said(other)] == ["asked", "has it"]
    ticket = slots(1).ask()
    assert ticket.lacking == f"waits for room: wants 1 job slot; 1 of 1 are taken (jobs run: 1 by execution {OTHER})"
    go_on(other)
    assert ticket.wait()


def test_neither_of_two_processes_starves(slots: MakeSlots, elsewhere: Callable[[str], subprocess.Popen[str]]) -> None:
    mine, other = slots(1), elsewhere(OTHER)
    assert [said(other), said(other)] == ["asked", "has it"]
    ticket = mine.ask()
    for _ in range(5):
        go_on(other)
        assert ticket.wait()
        assert said(other) == "asked"
        after = mine.ask()
        mine.give_back(ticket)
        assert said(other) == "has it"
        assert not after.served
        ticket = after


def test_a_process_that_is_killed_frees_its_place_at_once(
    slots: MakeSlots, elsewhere: Callable[[str], subprocess.Popen[str]]
) -> None:
    holder = elsewhere(OTHER)
    assert [said(holder), said(holder)] == ["asked", "has it"]
    before = elsewhere("cccccccccccc")
    assert said(before) == "asked"
    ticket = slots(1).ask()
    before.kill()
    holder.kill()
    assert ticket.wait()


def test_nothing_is_left_of_claims_and_descriptors(slots: MakeSlots, tmp_path: Path) -> None:
    one = slots(1)
    tickets = [one.ask() for _ in range(10)]
    for ticket in tickets:
        assert ticket.wait()
        one.give_back(ticket)
    assert [path.name for path in (tmp_path / "slots").iterdir()] == ["lock"]


def test_a_directory_of_somebody_else_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = Slots(Room(jobs=1), tmp_path / "file" / "slots", ONE)
    with pytest.raises(HomeUnusable, match=r"Not a directory\. Set XDG_RUNTIME_DIR to a directory of yours\."):
        blocked.ask()


def test_the_name_of_a_claim_says_all_of_it() -> None:
    size = Size(jobs=1, cpus=2.5, memory_bytes=3 * GIB, gpus=1)
    claim = Claim(number=7, held=True, execution_id=ONE, size=size, room=Room(jobs=8, cpus=0.5, gpus=2))
    assert claim.name == "7.held.aaaaaaaaaaaa.1.2500.3072.1.8.500.-.2"
    assert parse_claim(claim.name) == claim
    assert [parse_claim(name) for name in ("lock", "7.held", "x.held.a.1.1.1.1.1.1.1.1")] == [None, None, None]
