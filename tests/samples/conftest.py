"""The service model as a judge of the steps that `--json` shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import pytest

from localpipe.core import JSON

PROPERTIES: Mapping[str, str] = {
    "ProcessingJob": "DescribeProcessingJobResponse",
    "TrainingJob": "DescribeTrainingJobResponse",
    "TuningJob": "DescribeHyperParameterTuningJobResponse",
    "TransformJob": "DescribeTransformJobResponse",
    "Model": "DescribeModelOutput",
    "RegisterModel": "DescribeModelPackageOutput",
}
"""Shape of the properties, by the member of the metadata that a step of the type has."""
TOP_MODELS = ("TrainingJobSummaries", "ListTrainingJobsForHyperParameterTuningJobResponse")
NOT_OF_A_VERSION = "$.ModelPackageName is missing"
"""A package of a group has a version in place of a name, although the service model asks for one."""


@pytest.fixture
def strangers(misfits: Callable[[str, JSON], list[str]]) -> Callable[[JSON], list[str]]:
    """A function: what in the steps of a document does not fit the service model; [] if all does."""

    def of_row(row: JSON) -> list[str]:
        found = misfits("PipelineExecutionStepMetadata", row["Metadata"])
        properties = with_times(row.get("Properties"))
        for member in row["Metadata"].keys() & PROPERTIES.keys():
            summaries, shape = TOP_MODELS
            if summaries in properties:
                found += misfits(shape, {summaries: properties.pop(summaries)})
            found += misfits(PROPERTIES[member], properties)
        return [f"{row['StepName']}: {problem}" for problem in found if problem != NOT_OF_A_VERSION]

    return lambda document: [problem for row in document["Steps"] for problem in of_row(row)]


def with_times(value: JSON) -> JSON:
    """A value with its times as seconds, in which the model has them."""
    if isinstance(value, dict):
        return {key: with_times(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_times(inner) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    return value
