"""How long texts of a definition may be, and what is taken without effect."""

from __future__ import annotations

from localpipe.core import JSON
from localpipe.definition.parse import read_definition


def places_of_problems(**members: JSON) -> list[str]:
    steps = [{"Name": "C", "Type": "Condition", "Arguments": {}, "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}]
    _, problems = read_definition({"Steps": steps, **members})
    return [problem.path for problem in problems]


def test_the_name_of_a_parameter_may_have_256_characters() -> None:
    assert places_of_problems(Parameters=[{"Name": "x" * 256}]) == []
    assert places_of_problems(Parameters=[{"Name": "x" * 257}]) == ["$.Parameters[0].Name"]


def test_the_description_of_a_parameter_may_have_4096_characters() -> None:
    assert places_of_problems(Parameters=[{"Name": "P", "Description": "x" * 4096}]) == []
    assert places_of_problems(Parameters=[{"Name": "P", "Description": "x" * 4097}]) == ["$.Parameters[0].Description"]


def test_metadata_is_any_object() -> None:
    assert places_of_problems(Metadata={"any key": "x" * 2000}) == []
    assert places_of_problems(Metadata="text") == ["$.Metadata"]


def test_a_condition_may_have_a_cache_config() -> None:
    assert places_of_problems() == []
