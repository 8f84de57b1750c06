"""Channels by manifest in File mode; see test_stage.py for prefixes and test_pipes.py for Pipe mode."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest
from staging_bench import a_channel, files

from localpipe.core.jobspec import DataType, HostSpec
from localpipe.errors import InputNotFound, JobFailed

if TYPE_CHECKING:
    from staging_bench import Bench

    from localpipe.core.jobspec import Channel

DIRECTORY = "opt/ml/input/data/train"


def by_manifest(**changes: object) -> Channel:
    return replace(a_channel("s3://b/m", **changes), data_type=DataType.MANIFEST_FILE)  # type: ignore[arg-type]  # passed on


@pytest.mark.documented
def test_a_manifest_gives_each_object_under_its_relative_key(bench: Bench) -> None:
    bench.put({"x/a": "A", "x/y/b": "B", "x/c": "C", "m": '[{"prefix": "s3://b/x/"}, "y/b", "a"]'})
    bench.stage(channels=(by_manifest(),))
    assert files(bench.root / DIRECTORY) == {"a": "A", "y/b": "B"}


def test_a_manifest_is_a_view_where_the_runner_has_overlays(bench: Bench) -> None:
    bench.put({"x/a": "A", "m": '[{"prefix": "s3://b/x/"}, "a"]'})
    bench.stage(channels=(by_manifest(directory="/opt/ml/processing/in"),), overlays=True)
    assert files(bench.attempt_dir / "views/train") == {"a": "A"}


@pytest.mark.documented
def test_a_missing_object_fails_the_job_by_its_name(bench: Bench) -> None:
    bench.put({"x/a": "A", "m": '[{"prefix": "s3://b/x/"}, "a", "gone"]'})
    with pytest.raises(JobFailed) as failed:
        bench.stage(channels=(by_manifest(),))
    assert str(failed.value) == "Input 'train': the manifest s3://b/m names s3://b/x/gone, and there is no such object."


def test_a_manifest_that_is_not_there_is_a_missing_input(bench: Bench) -> None:
    with pytest.raises(InputNotFound, match="No S3 objects found under S3 URL 's3://b/m' given in input 'train'"):
        bench.stage(channels=(by_manifest(),))


def test_a_manifest_cannot_lead_out_of_the_directory(bench: Bench) -> None:
    bench.put({"x/../../a": "A", "m": '[{"prefix": "s3://b/x/"}, "../../a"]'})
    with pytest.raises(JobFailed, match=r"'\.\./\.\./a' is no relative path with proper names"):
        bench.stage(channels=(by_manifest(),))


@pytest.mark.documented
def test_a_manifest_is_sharded_over_hosts(bench: Bench) -> None:
    bench.put({"x/a": "A", "x/b": "B", "x/c": "C", "m": '[{"prefix": "s3://b/x/"}, "a", "b", "c"]'})
    hosts = tuple(HostSpec(name=name, files=()) for name in ("algo-1", "algo-2"))
    bench.stage(hosts=hosts, channels=(replace(by_manifest(), sharded=True),), mount_roots=(PurePosixPath("/opt/ml"),))
    assert files(bench.root_of("algo-1") / DIRECTORY) == {"a": "A", "c": "C"}
    assert files(bench.root_of("algo-2") / DIRECTORY) == {"b": "B"}
