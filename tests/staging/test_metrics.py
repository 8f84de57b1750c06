from __future__ import annotations

from localpipe.core.jobspec import MetricDatum, MetricDefinition
from localpipe.staging.metrics import final_metrics


def final(lines: list[str], **regexes: str) -> dict[str, float]:
    found = final_metrics([MetricDefinition(name=name, regex=regex) for name, regex in regexes.items()], lines, 5.0)
    return {datum.name: datum.value for datum in found}


def test_the_last_match_wins() -> None:
    assert final(["loss=3.5", "loss=1e-2 done"], loss=r"loss=(\S+)") == {"loss": 0.01}


def test_a_datum_carries_the_time() -> None:
    assert final_metrics([MetricDefinition(name="x", regex="x=(.*)")], ["x=1"], 5.0) == (
        MetricDatum(name="x", value=1.0, at=5.0),
    )


def test_a_metric_without_a_match_is_absent() -> None:
    assert final(["acc=1"], loss="loss=(.*)", acc="acc=(.*)") == {"acc": 1.0}


def test_tabs_are_found_as_they_are_and_as_the_log_agent_shows_them() -> None:
    line = "[3]\ttrain-rmse:0.5"
    assert final([line], shown=r".*\[[0-9]+\].*#011train-rmse:(\S+)", raw=r"\ttrain-rmse:(\S+)") == {
        "shown": 0.5,
        "raw": 0.5,
    }


def test_a_number_ends_at_a_tab_in_either_form() -> None:
    line = "[3]\ttrain-rmse:0.5\tvalidation-rmse:0.7"
    assert final([line], shown=r".*\[[0-9]+\].*#011train-rmse:(\S+)", raw=r"train-rmse:(.*)\tval") == {
        "shown": 0.5,
        "raw": 0.5,
    }


def test_last_values_that_are_no_finite_numbers_are_left_out() -> None:
    assert final(["a=1 b=1 c=1", "a=nan b=inf"], a=r"a=(\S+)", b=r"b=(\S+)", c=r"c=(\S+)") == {"c": 1.0}


def test_what_is_no_number_is_no_value() -> None:
    assert final(["a=1", "a=high"], a=r"a=(\S+)") == {"a": 1.0}


def test_a_regex_without_group_gives_nothing() -> None:
    assert final(["a=1"], a=r"a=\S+") == {}


def test_a_group_that_takes_no_part_gives_nothing() -> None:
    assert final(["b"], a=r"(a)?b") == {}


def test_there_are_at_most_forty() -> None:
    assert len(final(["v=1"], **{f"m{number}": "v=(.*)" for number in range(41)})) == 40
