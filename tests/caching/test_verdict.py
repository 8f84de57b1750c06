from __future__ import annotations

from dataclasses import replace

import pytest

from localpipe.caching.changes import Change
from localpipe.caching.signature import Compared, Comparison
from localpipe.caching.verdict import CacheMode, CacheVerdict, Earlier, Outputs, age_limit, decides, judge, why_off
from localpipe.core.signature import Signature
from localpipe.definition.model import CacheConfig

DAY = 86_400
NOW = 1_000_000_000.0
COMPARED = Compared(by=Comparison.SERVICE, values={"Environment": {"A": "1"}}, key="k", step_key="s")
EARLIER = Earlier(source="arn", ended_at=NOW - DAY, key="k", values=COMPARED.values, outputs=Outputs.THERE)
ENABLED = CacheConfig(enabled=True, expire_after=None)
DISABLED = CacheConfig(enabled=False, expire_after="P30D")
SIGNATURE = Signature(members=("Arguments.Environment",))


def verdict(
    earlier: Earlier | None, cache: CacheConfig | None = ENABLED, by: Comparison = Comparison.SERVICE
) -> CacheVerdict:
    return judge(replace(COMPARED, by=by), earlier, cache, now=NOW).verdict


def test_an_equal_earlier_result_is_a_hit() -> None:
    assert verdict(EARLIER) is CacheVerdict.HIT


def test_without_an_earlier_result_the_step_is_the_first() -> None:
    assert verdict(None) is CacheVerdict.FIRST


def test_a_different_earlier_result_says_what_changed() -> None:
    other = replace(EARLIER, key="", values={"Environment": {"A": "0"}})
    judgement = judge(COMPARED, other, ENABLED, now=NOW)
    assert (judgement.verdict, judgement.changes) == (CacheVerdict.CHANGED, (Change("Environment.A", "0", "1"),))


@pytest.mark.parametrize(
    ("expire_after", "expected"),
    [
        ("P1D", CacheVerdict.HIT),
        ("PT23H", CacheVerdict.EXPIRED),
        ("T25H", CacheVerdict.HIT),
        (None, CacheVerdict.HIT),
        ("P0D", CacheVerdict.EXPIRED),
    ],
)
def test_a_result_expires_by_the_age_of_its_step(expire_after: str | None, expected: CacheVerdict) -> None:
    assert verdict(EARLIER, CacheConfig(enabled=True, expire_after=expire_after)) is expected


def test_a_config_that_is_not_enabled_sets_no_age() -> None:
    assert age_limit(DISABLED) is None
    assert age_limit(None) is None


def test_a_result_whose_outputs_are_gone_is_a_miss() -> None:
    assert verdict(replace(EARLIER, outputs=Outputs.GONE)) is CacheVerdict.GONE


def test_outputs_written_anew_by_something_else_count_only_by_content() -> None:
    overwritten = replace(EARLIER, outputs=Outputs.OVERWRITTEN)
    assert verdict(overwritten) is CacheVerdict.HIT
    assert verdict(overwritten, by=Comparison.CONTENT) is CacheVerdict.OVERWRITTEN


S, C = Comparison.SERVICE, Comparison.CONTENT


@pytest.mark.parametrize(
    ("by", "mode", "cache", "expected"),
    [
        (S, CacheMode.SERVICE, ENABLED, ""),
        (S, CacheMode.SERVICE, None, "The step has no CacheConfig."),
        (S, CacheMode.SERVICE, DISABLED, "The step's CacheConfig is not Enabled."),
        (S, CacheMode.CONTENT, ENABLED, "Contents decide in this execution (--cache content)."),
        (C, CacheMode.CONTENT, ENABLED, ""),
        (C, CacheMode.CONTENT, None, ""),
        (C, CacheMode.CONTENT, DISABLED, "The step's CacheConfig is not Enabled."),
        (S, CacheMode.OFF, ENABLED, "Caching is off for this execution (--cache off)."),
    ],
)
def test_what_makes_a_verdict_not_count(by: Comparison, mode: CacheMode, cache: CacheConfig | None, expected: str) -> None:
    assert why_off(by, mode, SIGNATURE, cache) == expected


def test_a_step_without_contents_is_compared_as_the_service_does() -> None:
    called = Signature(members=("SqsQueueUrl",), has_contents=False)
    assert decides(CacheMode.CONTENT, called) is Comparison.SERVICE
    assert why_off(S, CacheMode.CONTENT, called, ENABLED) == ""
    assert why_off(S, CacheMode.CONTENT, called, None) == "The step has no CacheConfig."


def test_a_step_that_calls_a_function_is_compared_by_its_code_where_its_author_asks_for_caching() -> None:
    called = Signature(members=("FunctionArn",), has_contents=False, function="FunctionArn")
    assert decides(CacheMode.CONTENT, called) is Comparison.CONTENT
    assert why_off(C, CacheMode.CONTENT, called, ENABLED) == ""
    assert why_off(C, CacheMode.CONTENT, called, None) == "The step has no CacheConfig."
