"""A metric's values as a running job logs them."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from localpipe.core.jobspec import MetricDefinition
from localpipe.staging.running_metrics import following_metric, logged_values

if TYPE_CHECKING:
    from pathlib import Path

LOSS = (MetricDefinition(name="loss", regex=r"loss=(\S+)"), MetricDefinition(name="rate", regex=r"rate=(\S+)"))


def test_values_are_reported_as_they_are_logged_each_once(tmp_path: Path) -> None:
    log, seen = tmp_path / "algo-1.log", queue.SimpleQueue[float]()
    with log.open("w", buffering=1) as stream:
        stream.write("begins\nloss=3 rate=1\n")
        with following_metric(LOSS, "loss", [log], seen.put):
            assert seen.get(timeout=20) == 3.0
            stream.write("loss=2\nloss=nan\nloss=1")  # the last line is not whole yet
            assert seen.get(timeout=20) == 2.0
            stream.write(".5\n")
            assert seen.get(timeout=20) == 1.5
            stream.write("loss=0\n")
    values = [seen.get(timeout=0) for _ in range(seen.qsize())]
    assert values == [0.0]


def test_of_several_hosts_each_is_followed(tmp_path: Path) -> None:
    logs, seen = [tmp_path / "algo-1.log", tmp_path / "algo-2.log"], queue.SimpleQueue[float]()
    logs[0].write_text("")
    with following_metric(LOSS, "loss", logs, seen.put):
        logs[1].write_text("loss=7\n")
        assert seen.get(timeout=20) == 7.0


def test_the_values_of_a_job_that_has_ended_are_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "algo-1.log"
    log.write_text("loss=3\nloss=inf\nother\nloss=2\n")
    assert logged_values(LOSS, "loss", [log, tmp_path / "absent.log"]) == (3.0, 2.0)
    assert logged_values(LOSS, "rate", [log]) == ()
