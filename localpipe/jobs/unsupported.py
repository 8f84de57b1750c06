"""What localpipe does not do of a job's Create request, one table per job type. What gets built deletes its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.errors import Problem
from localpipe.jobs.members import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


def _more_than_one(value: JSON) -> bool:
    return isinstance(value, (int, float)) and value > 1


_given: Callable[[JSON], bool] = bool

_ONE_HOST = "Set InstanceCount to 1."
_FILE_MODE = "Use File or FastFile mode."
_PREFIX = "Name the objects by a prefix (S3Prefix)."
_PLAIN_OBJECTS = "Unpack them in the job."
_S3_INPUT = "Put the data into the local S3 and use an S3 input."

PROCESSING: tuple[Unsupported, ...] = (
    Unsupported(
        member="ProcessingResources.ClusterConfig.InstanceCount",
        refuses=_more_than_one,
        feature="A processing job on several hosts",
        instead=_ONE_HOST,
    ),
    Unsupported(
        member="ProcessingResources.ClusterConfig.InstancePreferences",
        refuses=_given,
        feature="A list of instance preferences",
        instead="Give InstanceType and InstanceCount.",
    ),
    Unsupported(
        member="ProcessingInputs[*].S3Input.S3InputMode",
        refuses=_is("Pipe"),
        feature="Pipe mode",
        instead="Use File mode.",
    ),
    Unsupported(
        member="ProcessingInputs[*].S3Input.S3DataType",
        refuses=_is("ManifestFile"),
        feature="An input by manifest (ManifestFile)",
        instead=_PREFIX,
    ),
    Unsupported(
        member="ProcessingInputs[*].S3Input.S3CompressionType",
        refuses=_is("Gzip"),
        feature="Unpacking an input (Gzip)",
        instead=_PLAIN_OBJECTS,
    ),
    Unsupported(
        member="ProcessingInputs[*].DatasetDefinition",
        refuses=_given,
        feature="An input from Athena or Redshift (DatasetDefinition)",
        instead=_S3_INPUT,
    ),
    Unsupported(
        member="ProcessingInputs[*].AppManaged",
        refuses=_is(True),
        feature="An input that the container fetches for itself (AppManaged)",
        instead="Leave AppManaged out.",
    ),
    Unsupported(
        member="ProcessingOutputConfig.Outputs[*].S3Output.S3UploadMode",
        refuses=_is("Continuous"),
        feature="Uploading while the job runs (Continuous)",
        instead="Use EndOfJob.",
    ),
    Unsupported(
        member="ProcessingOutputConfig.Outputs[*].FeatureStoreOutput",
        refuses=_given,
        feature="An output to the feature store (FeatureStoreOutput)",
        instead="Use an S3 output.",
    ),
    Unsupported(
        member="ProcessingOutputConfig.Outputs[*].AppManaged",
        refuses=_is(True),
        feature="An output that the container uploads for itself (AppManaged)",
        instead="Leave AppManaged out.",
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
        member="AlgorithmSpecification.TrainingInputMode",
        refuses=_is("Pipe"),
        feature="Pipe mode",
        instead=_FILE_MODE,
    ),
    Unsupported(
        member="InputDataConfig[*].InputMode",
        refuses=_is("Pipe"),
        feature="Pipe mode",
        instead=_FILE_MODE,
    ),
    Unsupported(
        member="InputDataConfig[*].DataSource.S3DataSource.S3DataType",
        refuses=_is("ManifestFile", "AugmentedManifestFile", "Converse"),
        feature="A channel by manifest (ManifestFile, AugmentedManifestFile, Converse)",
        instead=_PREFIX,
    ),
    Unsupported(
        member="InputDataConfig[*].DataSource.S3DataSource.InstanceGroupNames",
        refuses=_given,
        feature="A channel for some instance groups",
        instead="Use InstanceType and InstanceCount.",
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
        member="InputDataConfig[*].CompressionType",
        refuses=_is("Gzip"),
        feature="Unpacking a channel (Gzip)",
        instead=_PLAIN_OBJECTS,
    ),
    Unsupported(
        member="InputDataConfig[*].RecordWrapperType",
        refuses=_is("RecordIO"),
        feature="Wrapping records (RecordIO)",
        instead="Store the objects in the form that the algorithm reads.",
    ),
    Unsupported(
        member="OutputDataConfig.CompressionType",
        refuses=_is("NONE"),
        feature="An uncompressed model (OutputDataConfig.CompressionType NONE)",
        instead="Leave CompressionType out.",
    ),
    Unsupported(
        member="CheckpointConfig",
        refuses=_given,
        feature="Synchronising checkpoints (CheckpointConfig)",
        instead="Leave CheckpointConfig out; the job then starts from nothing.",
    ),
    Unsupported(
        member="ResourceConfig.InstanceCount",
        refuses=_more_than_one,
        feature="A training job on several hosts",
        instead=_ONE_HOST,
    ),
    Unsupported(
        member="ResourceConfig.InstanceGroups",
        refuses=_given,
        feature="A cluster of instance groups",
        instead="Use InstanceType and InstanceCount.",
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
