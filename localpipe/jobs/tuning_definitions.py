"""The training job definitions of a tuning job's request: one or several, each with what it tunes and what it does not.

Follows: containers.md 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.tuning import Objective, TrainingDefinition
from localpipe.jobs.tuning_autotune import hinted_constants
from localpipe.jobs.tuning_ranges import ranges_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localpipe.core import JSON

    _Member: TypeAlias = tuple[str, JSON]
    """The path of a member and its value, None where it is not there."""

ONE, SEVERAL = "TrainingJobDefinition", "TrainingJobDefinitions"
CONFIG = "HyperParameterTuningJobConfig"
OBJECTIVE = "HyperParameterTuningJobObjective"
FLEXIBLE = "HyperParameterTuningResourceConfig"
"""What stands in place of ResourceConfig where a definition names several instance types."""

_SAME_MEMBERS = (
    *("AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "RoleArn"),
    *("VpcConfig", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"),
    *("CheckpointConfig", "RetryStrategy", "Environment"),
)


@dataclass(frozen=True, kw_only=True)
class WrittenDefinition:
    """A definition as it stands in a request, its ranges and its objective, each with its path below the request.

    Of the only definition of a request the latter two stand in the job's configuration.
    """

    path: str
    definition: JSON
    ranges_path: str
    ranges: JSON
    objective_path: str
    objective: JSON


def definitions_in(request: JSON) -> Iterator[WrittenDefinition]:
    """Yield the definitions that are structures."""
    one, several, config = request.get(ONE), request.get(SEVERAL), request.get(CONFIG)
    if isinstance(one, dict) and isinstance(config, dict):
        yield _written(
            one, ONE, ranges=_member(config, CONFIG, "ParameterRanges"), objective=_member(config, CONFIG, OBJECTIVE)
        )
    for index, each in enumerate(several if isinstance(several, list) else ()):
        if isinstance(each, dict):
            path = f"{SEVERAL}[{index}]"
            ranges, objective = _member(each, path, "HyperParameterRanges"), _member(each, path, "TuningObjective")
            yield _written(each, path, ranges=ranges, objective=objective)


def _written(definition: JSON, path: str, *, ranges: _Member, objective: _Member) -> WrittenDefinition:
    return WrittenDefinition(
        path=path,
        definition=definition,
        ranges_path=ranges[0],
        ranges=ranges[1],
        objective_path=objective[0],
        objective=objective[1],
    )


def _member(holder: JSON, path: str, name: str) -> _Member:
    return f"{path}.{name}", holder.get(name)


def training_definitions(request: JSON) -> tuple[TrainingDefinition, ...]:
    """The definitions of a request that has no problems."""
    tags = {"Tags": request["Tags"]} if request.get("Tags") else {}
    return tuple(
        TrainingDefinition(
            name=each.definition.get("DefinitionName"),
            request=training_request(each.definition, hinted_constants(each.ranges)) | tags,
            ranges=ranges_of(each.ranges),
            objective=Objective(metric=each.objective["MetricName"], maximize=each.objective["Type"] == "Maximize"),
        )
        for each in definitions_in(request)
    )


def training_request(definition: JSON, constants: Mapping[str, str] | None = None) -> JSON:
    """The CreateTrainingJob request of a definition, with its static hyperparameters; `constants`: more of those.

    Of several instance types it takes the first, which the service tries first, too. What has not the form that it must
    have, which is refused by that, is left out.
    """
    request = {name: definition[name] for name in _SAME_MEMBERS if definition.get(name) is not None}
    if isinstance(flexible := definition.get(FLEXIBLE), dict):
        request["ResourceConfig"] = _first_instances(flexible)
    static = definition.get("StaticHyperParameters")
    return request | {"HyperParameters": {**(static if isinstance(static, dict) else {}), **(constants or {})}}


def _first_instances(flexible: JSON) -> JSON:
    configs = flexible.get("InstanceConfigs")
    first = configs[0] if isinstance(configs, list) and configs else None
    wanted = {**flexible, **(first if isinstance(first, dict) else {})}
    names = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
    return {name: wanted[name] for name in names if name in wanted}
