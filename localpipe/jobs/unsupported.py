"""What localpipe does not do of a job's Create request, one table per job type. What gets built deletes its lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localpipe.errors import Problem
from localpipe.jobs.members import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from localpipe.core import JSON


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """A member that is refused when it is there and `refuses` its value. `instead` says what to do about it."""

    member: str
    refuses: Callable[[JSON], bool]
    feature: str
    instead: str


def refused(request: JSON, table: Iterable[Unsupported], path: str) -> Iterator[Problem]:
    """A problem for every member of the request that the table refuses; an expression is judged once it is resolved."""
    for row in table:
        for place, value in members(request, row.member, path):
            if row.refuses(value):
                yield Problem(place, f"{row.feature} is not supported.", row.instead, unsupported=True)


def _is(*values: JSON) -> Callable[[JSON], bool]:
    return lambda value: value in values


_given: Callable[[JSON], bool] = bool

_PREFIX = "Name the objects by a prefix (S3Prefix)."
_S3_INPUT = "Put the data into the local S3 and use an S3 input."

PROCESSING: tuple[Unsupported, ...] = (
    Unsupported(
        member="ProcessingResources.ClusterConfig.InstancePreferences",
        refuses=_given,
        feature="A list of instance preferences",
        instead="Give InstanceType and InstanceCount.",
    ),
    Unsupported(
        member="ProcessingInputs[*].DatasetDefinition",
        refuses=_given,
        feature="An input from Athena or Redshift (DatasetDefinition)",
        instead=_S3_INPUT,
    ),
    Unsupported(
        member="ProcessingOutputConfig.Outputs[*].FeatureStoreOutput",
        refuses=_given,
        feature="An output to the feature store (FeatureStoreOutput)",
        instead="Use an S3 output.",
    ),
)

TRAINING: tuple[Unsupported, ...] = (
    Unsupported(
        member="AlgorithmSpecification.AlgorithmName",
        refuses=_given,
        feature="Training by an algorithm resource (AlgorithmName)",
        instead="Name its image as TrainingImage.",
    ),
    Unsupported(
        member="InputDataConfig[*].DataSource.S3DataSource.S3DataType",
        refuses=_is("Converse"),
        feature="A channel of conversations (Converse)",
        instead=_PREFIX,
    ),
    Unsupported(
        member="InputDataConfig[*].DataSource.FileSystemDataSource",
        refuses=_given,
        feature="A channel from EFS or FSx (FileSystemDataSource)",
        instead=_S3_INPUT,
    ),
    Unsupported(
        member="InputDataConfig[*].DataSource.DatasetSource",
        refuses=_given,
        feature="A channel from a dataset resource (DatasetSource)",
        instead=_S3_INPUT,
    ),
    Unsupported(
        member="ResourceConfig.InstancePreferences",
        refuses=_given,
        feature="A list of instance preferences",
        instead="Use InstanceType and InstanceCount.",
    ),
    Unsupported(
        member="ServerlessJobConfig",
        refuses=_given,
        feature="A serverless training job (ServerlessJobConfig)",
        instead="Use TrainingImage and ResourceConfig.",
    ),
)

_TUNED = ("TrainingJobDefinition", "TrainingJobDefinitions[*]")
_NOT_IN_DEFINITIONS = ("ServerlessJobConfig",)

TUNING: tuple[Unsupported, ...] = tuple(
    replace(row, member=f"{definition}.{row.member}")
    for definition in _TUNED
    for row in TRAINING
    if row.member not in _NOT_IN_DEFINITIONS
)

TRANSFORM: tuple[Unsupported, ...] = (
    Unsupported(
        member="TransformInput.DataSource.S3DataSource.S3DataType",
        refuses=_is("AugmentedManifestFile", "Converse"),
        feature="An input by an augmented manifest or of conversations (AugmentedManifestFile, Converse)",
        instead="Name the objects by a prefix (S3Prefix) or by a ManifestFile.",
    ),
)

BY_REQUEST: Mapping[str, tuple[Unsupported, ...]] = {
    "CreateProcessingJobRequest": PROCESSING,
    "CreateTrainingJobRequest": TRAINING,
    "CreateHyperParameterTuningJobRequest": TUNING,
    "CreateTransformJobRequest": TRANSFORM,
}
"""Every table, by the shape of its request."""
