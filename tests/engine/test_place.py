"""The place of one job among the slots, whoever comes first: its turn or a stop."""

from __future__ import annotations

import threading

import pytest
from support import places

from localpipe.core.room import ONE_JOB
from localpipe.engine.place import Place
from localpipe.engine.slots import Slots


@pytest.fixture
def slots() -> Slots:
    return places(1)


def test_a_place_is_had_until_it_is_given_back(slots: Slots) -> None:
    told: list[str] = []
    place = Place(slots, ONE_JOB, lambda: False)
    assert place.wait(told.append)
    assert told == []
    other = slots.ask()
    assert not other.served
    place.give_back()
    assert other.served
    place.give_back()
    assert not slots.ask().served


def test_a_job_that_was_told_to_stop_does_not_stand_in_line(slots: Slots) -> None:
    assert not Place(slots, ONE_JOB, lambda: True).wait(pytest.fail)
    assert slots.ask().served


def test_a_job_is_told_what_it_waits_for_and_can_be_taken_out_of_the_line(slots: Slots) -> None:
    stopped = threading.Event()
    running = slots.ask()
    place = Place(slots, ONE_JOB, stopped.is_set)

    def stop(lacking: str) -> None:
        assert lacking == "waits for room: wants 1 job slot; 1 of 1 are taken (jobs run: 1 by this execution)"
        stopped.set()
        place.give_back()

    assert not place.wait(stop)
    slots.give_back(running)
    assert slots.ask().served


def test_a_job_that_runs_already_counts_beyond_the_room(slots: Slots) -> None:
    running, found = slots.ask(), Place(slots, ONE_JOB, lambda: False)
    found.take()
    slots.give_back(running)
    waiting = slots.ask()
    assert not waiting.served
    found.give_back()
    assert waiting.served
