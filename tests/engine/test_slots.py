from __future__ import annotations

from localpipe.engine.slots import Slots


def test_places_are_given_in_the_order_they_are_asked_for() -> None:
    slots = Slots(2)
    first, second, third, fourth = (slots.ask() for _ in range(4))
    assert [ticket.served for ticket in (first, second, third, fourth)] == [True, True, False, False]
    slots.give_back(second)
    assert (third.served, fourth.served) == (True, False)
    slots.give_back(second)
    assert not fourth.served
    slots.give_back(first)
    assert fourth.served


def test_a_place_in_the_line_can_be_given_up() -> None:
    slots = Slots(1)
    first, second, third = (slots.ask() for _ in range(3))
    slots.give_back(second)
    assert not second.wait()
    slots.give_back(first)
    assert third.wait()


def test_jobs_that_run_already_count_beyond_the_limit() -> None:
    slots = Slots(1)
    first, found = slots.ask(), slots.take()
    second = slots.ask()
    slots.give_back(first)
    assert not second.served
    slots.give_back(found)
    assert second.served
