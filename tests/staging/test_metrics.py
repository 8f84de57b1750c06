from __future__ import annotations

from localpipe.core.jobspec import MetricDatum, MetricDefinition
from localpipe.staging.metrics import final_metrics, metric_values


def final(lines: list[str], **regexes: str) -> dict[str, float]:
    found = final_metrics([MetricDefinition(name=name, regex=regex) for name, regex in regexes.items()], lines, 5.0)
    return {datum.name: datum.value for datum in found.data}


def test_the_last_match_wins() -> None:
    assert final(["loss=3.5", "loss=1e-2 done"], loss=r"loss=(\S+)") == {"loss": 0.01}


def test_each_match_in_a_line_is_a_value_and_the_last_is_final() -> None:
    line = "epoch 1 loss=3.5; epoch 2 loss=none; epoch 3 loss=2.5"
    assert final([line], loss=r"loss=([^;]+)") == {"loss": 2.5}
    twice = [MetricDefinition(name="loss", regex=r"loss=([^;]+)"), MetricDefinition(name="loss", regex=r"epoch (\d)")]
    assert list(metric_values(twice, "loss", [line, "epoch 4 epoch 5", "loss=nan; loss=1"])) == [3.5, 2.5, 4, 5, 1]


def test_values_of_both_forms_of_a_tab_are_not_counted_twice() -> None:
    both = [MetricDefinition(name="loss", regex=r"loss=(\d)")]
    assert list(metric_values(both, "loss", ["loss=1\tloss=2"])) == [1, 2]


def test_a_datum_carries_the_time() -> None:
    assert final_metrics([MetricDefinition(name="x", regex="x=(.*)")], ["x=1"], 5.0).data == (
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


def test_what_a_metric_without_a_final_value_gave_last_is_kept() -> None:
    definitions = [MetricDefinition(name=name, regex=rf"{name}=([^;]*)") for name in "abcd"]
    found = final_metrics(definitions, ["a=high; b=nan; c=1", "c=low; a=low", "b=inf"], 5.0)
    assert found.unread == {"a": "low", "b": "inf"}
    assert [datum.name for datum in found.data] == ["c"]


def test_what_is_no_number_is_no_value() -> None:
    assert final(["a=1", "a=high"], a=r"a=(\S+)") == {"a": 1.0}


def test_a_regex_without_group_gives_nothing() -> None:
    assert final(["a=1"], a=r"a=\S+") == {}


def test_a_group_that_takes_no_part_gives_nothing() -> None:
    assert final(["b"], a=r"(a)?b") == {}


def test_there_are_at_most_forty() -> None:
    assert len(final(["v=1"], **{f"m{number}": "v=(.*)" for number in range(41)})) == 40
