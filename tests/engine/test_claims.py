"""Whose turn it is, of all claims to the room of a machine."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.core.room import Room, Size
from localpipe.engine.claims import Claim, who_is_before

JOB, CPU, GPU = Size(), Size(cpus=1), Size(cpus=1, gpus=1)
SIZES = {"": JOB, "c": CPU, "C": Size(cpus=4), "g": GPU, "G": Size(cpus=1, gpus=2)}
ROOM = Room(jobs=8, cpus=4, gpus=2)


def line(text: str, **room: int) -> list[Claim]:
    """Claims such as `1ha` and `2wbG`: number, held or waiting, execution, and what it takes if not just a slot."""
    return [
        Claim(
            number=int(each[0]),
            held=each[1] == "h",
            execution_id=each[2],
            size=SIZES[each[3:]],
            room=replace(ROOM, jobs=room.get(each[2], ROOM.jobs)),
        )
        for each in text.split()
    ]


@pytest.mark.parametrize(
    ("claims", "before"),
    [
        ("1wa", None),
        ("1wac 2wbc", None),
        ("1waC 2wbc", "1: processors"),
        ("1hac 2waC 3wbC", None),
        ("1hac 2hbc 3wbc 4waC 5wcc", None),
        ("1hac 2wbC 3wac", "2: processors"),
        ("1hag 2hbG 3wbg 4wac", None),
        ("1hag 2wbG 3wcc", None),
        ("1hag 2wbG 3wcg", "2: GPUs"),
        ("1hag 2wbG 3wcg 4wdc", None),
    ],
)
def test_whom_the_last_of_the_line_lets_go_first(claims: str, before: str | None) -> None:
    *others, last = line(claims)
    found = who_is_before(last, others)
    assert (f"{found.claim.number}: {', '.join(sorted(found.wanted))}" if found else None) == before


def test_a_gpu_job_that_waits_holds_the_last_slot_only_when_it_can_use_it() -> None:
    *others, last = line("1hag 2wbG 3wc", a=2, b=2, c=2)
    assert who_is_before(last, others) is None
    *others, last = line("1ha 2wbG 3wc", a=2, b=2, c=2)
    found = who_is_before(last, others)
    assert found
    assert (found.claim.number, found.wanted) == (2, frozenset({"job slots"}))


def test_who_is_kept_out_by_a_stricter_setting_holds_the_line_for_nobody() -> None:
    *others, last = line("1ha 2wb 3wc", b=1)
    assert who_is_before(last, others) is None


claims = st.lists(
    st.tuples(st.booleans(), st.sampled_from("abcd"), st.sampled_from(list(SIZES))).map(
        lambda each: Claim(number=0, held=each[0], execution_id=each[1], size=SIZES[each[2]], room=ROOM)
    ),
    min_size=1,
    max_size=10,
).map(lambda found: [replace(claim, number=number) for number, claim in enumerate(found)])


@given(claims)
@settings(max_examples=100, deadline=None)
def test_where_nothing_runs_somebody_may_go(found: list[Claim]) -> None:
    waiting = [replace(claim, held=False) for claim in found]
    assert any(who_is_before(claim, [each for each in waiting if each != claim]) is None for claim in waiting)


@given(claims, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_all_get_their_room_however_many_come_after_them(found: list[Claim], random: Random) -> None:
    """Jobs end in any order; whoever is served is followed at once by another job of a new execution that takes as much."""
    held, waiting = [claim for claim in found if claim.held], [claim for claim in found if not claim.held]
    first_ones, number = set(waiting), len(found)
    for _ in range(200):
        for claim in sorted(waiting, key=lambda _: random.random()):
            others = [each for each in (*held, *waiting) if each != claim]
            if ROOM.lacks(claim.size, [each.size for each in held]) or who_is_before(claim, others):
                continue
            waiting.remove(claim)
            held.append(replace(claim, held=True))
            waiting.append(replace(claim, number=number, execution_id=f"n{number}"))
            number += 1
        if first_ones.isdisjoint(waiting):
            return
        held.pop(random.randrange(len(held)))
    raise AssertionError(first_ones & set(waiting))
