"""A parsed pipeline definition: frozen values. Arguments stay JSON until they are resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.jobspec import PropertyFileSpec


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A declared pipeline parameter. `type` is `String`, `Integer`, `Float` or `Boolean`. `default` None: none declared.

    `enum` None: any value. Follows: service.md section 4.
    """

    name: str
    type: str
    default: JSON
    enum: tuple[str, ...] | None
    path: str


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """An entry of DependsOn. `trigger` is the outcome waited for: `Completed`, `Failed`, `Stopped` or `Any`."""

    step: str
    trigger: str = "Completed"


@dataclass(frozen=True, kw_only=True)
class CacheConfig:
    """`expire_after` is the text of ExpireAfter, None where it is absent."""

    enabled: bool
    expire_after: str | None


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """One entry of RetryPolicies, defaults filled in. Exactly one of the two limits is not None.

    Follows: service.md section 7.
    """

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2.0
    max_attempts: int | None = 5
    expire_after_minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class StepDefinition:
    """One step as the author wrote it. `path` is its JSON path, e.g. `$.Steps[2].Arguments.IfSteps[0]`.

    `fields` are step-level members that only some types have (`FunctionArn`, `OutputParameters`, `CheckType`, ...).
    """

    name: str
    type: str
    path: str
    arguments: JSON
    depends_on: tuple[Dependency, ...] = ()
    display_name: str | None = None
    description: str | None = None
    cache: CacheConfig | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    property_files: tuple[PropertyFileSpec, ...] = ()
    fields: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PipelineDefinition:
    """A whole definition, `Version` 2020-12-01. `steps` are the top-level ones, in the author's order.

    `source` is the JSON document it was parsed from. `experiment` is PipelineExperimentConfig, `mlflow` is MlflowConfig;
    None where they are absent.
    """

    source: JSON
    parameters: tuple[Parameter, ...]
    steps: tuple[StepDefinition, ...]
    experiment: JSON
    mlflow: JSON = None
