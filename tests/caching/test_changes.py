from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.caching.changes import Change, changes
from localpipe.caching.signature import digest_of


def test_each_smallest_part_that_differs_is_named() -> None:
    old = {"Environment": {"A": "1", "B": "2"}, "AppSpecification": {"ImageUri": "x", "ContainerArguments": ["--a", "1"]}}
    new = {"Environment": {"A": "1", "C": "3"}, "AppSpecification": {"ImageUri": "x", "ContainerArguments": ["--a", "2"]}}
    assert changes(old, new) == (
        Change("Environment.B", "2", None),
        Change("Environment.C", None, "3"),
        Change("AppSpecification.ContainerArguments[1]", "1", "2"),
    )


def test_elements_with_names_are_told_by_them() -> None:
    def inputs(**uris: str) -> list[dict[str, object]]:
        return [{"InputName": name, "S3Input": {"S3Uri": uri}} for name, uri in uris.items()]

    old, new = {"ProcessingInputs": inputs(a="s3://b/1", b="s3://b/2")}, {"ProcessingInputs": inputs(b="s3://b/3")}
    assert changes(old, new) == (
        Change("ProcessingInputs['a']", inputs(a="s3://b/1")[0], None),
        Change("ProcessingInputs['b'].S3Input.S3Uri", "s3://b/2", "s3://b/3"),
    )


def test_a_member_that_one_of_them_lacks_is_told_whole() -> None:
    assert changes({}, {"Environment": {"A": "1"}}) == (Change("Environment", None, {"A": "1"}),)


def test_another_order_of_the_same_elements_is_a_change() -> None:
    old = [{"ChannelName": "train"}, {"ChannelName": "test"}]
    assert changes({"C": old}, {"C": old[::-1]}) == (Change("C", old, old[::-1]),)


SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([1.0, 2.5]) | st.sampled_from(["", "a", "1"])
NAMED = st.builds(lambda name, value: {"InputName": name, "V": value}, st.sampled_from("ab"), SCALARS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner | NAMED, max_size=3) | st.dictionaries(st.sampled_from(["A", "B", "InputName"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(old=VALUES, new=VALUES)
def test_there_are_changes_exactly_where_the_digests_differ(old: object, new: object) -> None:
    assert bool(changes(old, new)) == (digest_of(old) != digest_of(new))
    assert changes(old, old) == ()
