"""Requests of the SDKs, changed at random: refused with a place or done, never an error of ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import Loader
from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.core import JSON
from localpipe.core.names import ExecutionName, Identity
from localpipe.core.work import ResolvedStep, RunJob, RunTransform, RunTuning
from localpipe.definition.model import StepDefinition
from localpipe.definition.requests import check_request, fit_to_request
from localpipe.errors import ExpressionError, JobFailed
from localpipe.steps import step_types

IDENTITY = Identity(account="123456789012", region="us-east-1", role_arn="arn:aws:iam::123456789012:role/SageMaker")
EXECUTION = ExecutionName(pipeline_name="p", execution_id="abcdefghij12", identity=IDENTITY)
REQUESTS = Path(__file__).parents[1] / "jobs" / "requests"
MODEL = Loader().load_service_model("sagemaker", "service-2")
TYPES = {
    "processor": "Processing",
    "estimator": "Training",
    "repack": "Training",
    "trainer": "Training",
    "tuner": "Tuning",
    "several": "Tuning",
    "transformer": "Transform",
}
JUNK = st.sampled_from([None, True, 0, 2, -1.5, "", "x", "s3://b", "Pipe", "..", [], ["x"], {}, {"Get": "Parameters.X"}])


def places(value: JSON, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inner:
        yield (*path, key)
        yield from places(member, (*path, key))


def replaced(request: JSON, path: tuple[str | int, ...], junk: JSON) -> JSON:
    changed = copy.deepcopy(request)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return changed


@pytest.mark.parametrize(
    "name",
    [
        "v2_sklearn_processor",
        "v2_xgboost_estimator",
        "v2_repack",
        "v3_model_trainer",
        "v2_tuner",
        "v2_tuner_of_several",
        "v3_transformer",
    ],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_request_with_a_changed_member_is_refused_or_run(name: str, data: st.DataObject) -> None:
    step_type = step_types()[TYPES[name.rpartition("_")[2]]]
    request = json.loads((REQUESTS / f"{name}.json").read_text())
    changed = replaced(request, data.draw(st.sampled_from(list(places(request)))), data.draw(JUNK))
    path = "$.Steps[0].Arguments"
    step = StepDefinition(name="S", type=step_type.type, path="$.Steps[0]", arguments=changed)
    problems = list(step_type.check(step))
    assert step_type.request_shape is not None
    may_lack = frozenset({step_type.job_name_argument or ""})
    problems += check_request(step_type.request_shape, changed, MODEL, path, lambda _: None, may_lack=may_lack)
    assert all(problem.path.startswith(path) for problem in problems)
    if problems or '"Get"' in json.dumps(changed):
        return
    try:
        work = step_type.work(
            ResolvedStep(
                name="S",
                type=step_type.type,
                path="$.Steps[0]",
                arguments=fit_to_request(step_type.request_shape, changed, MODEL),
                fields={},
                property_files=(),
                execution=EXECUTION,
                job_name="job-1",
                attempt=1,
                at=0.0,
            ),
        )
    except (ExpressionError, JobFailed):
        return
    assert isinstance(work, RunJob | RunTuning | RunTransform)
