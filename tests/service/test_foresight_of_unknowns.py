"""Whatever of a request is only known in the run: what can be foreseen is told, and the rest is no error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline, processing

from localpipe.service.pipelines import read_pipeline
from localpipe.service.preflight import foreseen_jobs
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

REPORT = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Make.PropertyFiles.report"}, "Path": "x"}}
TYPES = {"processor": "Processing", "estimator": "Training", "trainer": "Training"}
REQUESTS = [
    *("v2_sklearn_processor", "v2_script_processor"),
    *("v2_sklearn_estimator", "v2_xgboost_estimator", "v3_model_trainer"),
]


def unknown_one_by_one(value: JSON) -> Iterator[JSON]:
    """The value, again and again, each time with another of its scalars only known in the run."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: changed} for changed in unknown_one_by_one(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in unknown_one_by_one(inner))
    else:
        yield REPORT


@pytest.mark.parametrize("name", REQUESTS)
def test_any_value_of_a_request_may_be_unknown(name: str, sdk_request: Callable[[str], JSON], tmp_path: Path) -> None:
    home = Home(load_settings({"home": tmp_path}, {}, tmp_path))
    kind = TYPES[name.rpartition("_")[2]]
    make = processing("Make", outputs=("out",))
    known = 0
    for arguments in unknown_one_by_one(sdk_request(name)):
        definition = pipeline(make, {"Name": "Use", "Type": kind, "Arguments": arguments})
        first, second = foreseen_jobs(home, read_pipeline(home, json.loads(json.dumps(definition)), "test"), {})
        assert (first.node.name, second.node.name) == ("Make", "Use")
        assert first.image_uri
        known += second.spec is not None
    assert known > 5
