"""Places of [0, 1] and the values of ranges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.core.tuning import CategoricalRange, ContinuousRange, IntegerRange, Range, Scaling
from localpipe.tuning.ranges import combinations, place_of, size_of, value_at

PLACES = st.floats(0, 1)
LINEAR = ContinuousRange(name="x", low=-2.0, high=6.0)
LOGARITHMIC = ContinuousRange(name="x", low=0.001, high=10.0, scaling=Scaling.LOGARITHMIC)
REVERSE = ContinuousRange(name="x", low=0.0, high=0.9999, scaling=Scaling.REVERSE_LOGARITHMIC)
WHOLE = IntegerRange(name="x", low=1, high=8)
LOGARITHMIC_WHOLE = IntegerRange(name="x", low=1, high=1000, scaling=Scaling.LOGARITHMIC)
WORDS = CategoricalRange(name="x", values=("a", '"b"', "c"))
ALL = (LINEAR, LOGARITHMIC, REVERSE, WHOLE, LOGARITHMIC_WHOLE, WORDS)


@pytest.mark.parametrize(
    ("range_", "place", "value"),
    [
        (LINEAR, 0.0, "-2.0"),
        (LINEAR, 0.5, "2.0"),
        (LINEAR, 1.0, "6.0"),
        (ContinuousRange(name="x", low=1e-05, high=1e-05), 0.3, "1e-05"),
        (LOGARITHMIC, 0.25, "0.01"),
        (REVERSE, 0.5, "0.99"),
        (WHOLE, 0.0, "1"),
        (WHOLE, 0.999, "8"),
        (WHOLE, 1.0, "8"),
        (WORDS, 0.5, '"b"'),
        (WORDS, 1.0, "c"),
    ],
)
def test_a_place_is_a_value_in_the_measure_of_the_scaling(range_: Range, place: float, value: str) -> None:
    found = value_at(range_, place)
    assert found == value or float(found) == pytest.approx(float(value))


def test_of_a_logarithmic_range_each_power_has_the_same_share() -> None:
    values = [int(value_at(LOGARITHMIC_WHOLE, number / 3000)) for number in range(3000)]
    shares = [sum(low <= value < low * 10 for value in values) / 3000 for low in (1, 10, 100)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.01)


@given(st.sampled_from(ALL), PLACES)
@settings(max_examples=100)
def test_a_value_lies_in_its_range_and_where_it_came_from(range_: Range, place: float) -> None:
    value = value_at(range_, place)
    found = place_of(range_, value)
    assert found is not None
    assert 0 <= found <= 1
    assert value_at(range_, found) == value or float(value_at(range_, found)) == pytest.approx(float(value))


@pytest.mark.parametrize(
    ("range_", "value"), [(LINEAR, "6.5"), (LINEAR, "many"), (WHOLE, "9"), (WORDS, "b"), (LOGARITHMIC, "0")]
)
def test_what_is_outside_has_no_place(range_: Range, value: str) -> None:
    assert place_of(range_, value) is None


def test_sizes_and_combinations() -> None:
    assert size_of([WHOLE, WORDS]) == 24
    assert size_of([WHOLE, LINEAR]) is None
    assert size_of([ContinuousRange(name="x", low=2.0, high=2.0)]) == 1
    two = CategoricalRange(name="y", values=("1", "2"))
    assert list(combinations([CategoricalRange(name="x", values=("a", "b")), two])) == [
        {"x": "a", "y": "1"},
        {"x": "a", "y": "2"},
        {"x": "b", "y": "1"},
        {"x": "b", "y": "2"},
    ]
