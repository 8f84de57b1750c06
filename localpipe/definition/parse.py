"""From definition JSON to `PipelineDefinition`, or every problem at once, each with its JSON path.

Only the grammar is read here; `check.py` looks at what it means. An explicit null counts as absent.
Follows: service.md sections 1.1 to 1.3, 4, 6, 7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localpipe.core.jobspec import PropertyFileSpec
from localpipe.definition.document import read_document
from localpipe.definition.durations import duration_seconds
from localpipe.definition.expression_forms import check_scalar
from localpipe.definition.model import CacheConfig, Dependency, Parameter, PipelineDefinition, RetryPolicy, StepDefinition
from localpipe.definition.reader import Reader
from localpipe.definition.wording import PARSE_PREFIX, did_you_mean, kind_of, member, scalar_text, shown
from localpipe.errors import JOB_INTERNAL_ERROR, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON

VERSION = "2020-12-01"
PARAMETER_TYPES = ("String", "Integer", "Float", "Boolean")
TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
EXCEPTION_TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    JOB_INTERNAL_ERROR,
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.JOB_CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)

_TOP_LEVEL = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
_CONFIGS: Mapping[str, tuple[str, ...]] = {
    "PipelineExperimentConfig": ("ExperimentName", "TrialName"),
    "MlflowConfig": ("MlflowResourceArn", "MlflowExperimentName"),
}
"""Follows: service.md section 1.1."""
_STEP_MEMBERS = (
    "Name",
    "Type",
    "Arguments",
    "DependsOn",
    "DisplayName",
    "Description",
    "CacheConfig",
    "RetryPolicies",
    "PropertyFiles",
)
_FIELDS = (
    "FunctionArn",
    "SqsQueueUrl",
    "OutputParameters",
    "CheckType",
    "ModelPackageGroupName",
    "SkipCheck",
    "FailOnViolation",
    "RegisterNewBaseline",
    "SuppliedBaselineStatistics",
    "SuppliedBaselineConstraints",
    "ModelName",
)
_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_STEP_NAME_RULE = "Use 1 to 64 letters, digits, hyphens and underscores."
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9\-_]{1,256}")
_PARAMETER_NAME_RULE = "Use 1 to 256 letters, digits, hyphens and underscores."
_LONGEST_DISPLAY_NAME = 256
_LONGEST_DESCRIPTION = 3072
_LONGEST_PARAMETER_TEXT = 4096
_LONGEST_INTERVAL_SECONDS = 43200
_MOST_ATTEMPTS = 20
_DEFAULT_ATTEMPTS = 5
_LONGEST_EXPIRE_MINUTES = 14400


def read_definition(source: str | bytes | Mapping[str, JSON]) -> tuple[PipelineDefinition, list[Problem]]:
    """The definition as far as it can be read, and every problem of its grammar, in document order.

    The branches of a condition stay JSON in its arguments; `parse_step_list` reads them.
    """
    document, problems = read_document(source)
    if problems:
        return PipelineDefinition(source=None, parameters=(), steps=(), experiment=None), problems
    reader = Reader(document, "$", problems, "A pipeline definition")
    reader.only(*_TOP_LEVEL)
    version = reader.text("Version")
    if version not in {None, VERSION}:
        reader.report(f"version {shown(version)} is not known.", f"Write {VERSION!r}.", at="Version")
    if "Metadata" in reader.members:
        Reader(reader.members["Metadata"], "$.Metadata", problems, "Metadata")
    for name, settings in _CONFIGS.items():
        _check_config(reader, name, settings)
    parameters = _parameters(reader)
    steps = parse_step_list(reader.members.get("Steps", []), "$.Steps", problems)
    if reader.is_object and reader.members.get("Steps", []) == []:
        reader.report(f"{PARSE_PREFIX}The definition has no steps.", "Add Steps, a list of at least one.")
    definition = PipelineDefinition(
        source=document,
        parameters=parameters,
        steps=steps,
        experiment=reader.members.get("PipelineExperimentConfig"),
        mlflow=reader.members.get("MlflowConfig"),
    )
    return definition, problems


def _check_config(definition: Reader, name: str, settings: tuple[str, ...]) -> None:
    """Report what is wrong with a config of the execution: an object whose members take text or an expression."""
    if name not in definition.members:
        return
    reader = Reader(definition.members[name], member(definition.path, name), definition.problems, name)
    reader.only(*settings)
    for setting in settings:
        if setting in reader.members:
            reader.problems.extend(check_scalar(reader.members[setting], member(reader.path, setting)))


def parse_step_list(value: JSON, path: str, problems: list[Problem]) -> tuple[StepDefinition, ...]:
    """The steps of a list at `path`; None is an empty one. Appends every problem to `problems`.

    A step without a usable Name or Type is left out.
    """
    holder, name = path.rsplit(".", 1)
    listed = Reader({name: value}, holder, problems, name)
    steps = [_step(inner, at, problems) for inner, at in listed.items(name)]
    return tuple(step for step in steps if step is not None)


def _step(value: JSON, path: str, problems: list[Problem]) -> StepDefinition | None:
    reader = Reader(value, path, problems, "A step")
    reader.only(*_STEP_MEMBERS, *_FIELDS)
    name = reader.name("Name", _STEP_NAME, _STEP_NAME_RULE)
    step_type = reader.text("Type", required=True)
    arguments = reader.members.get("Arguments", {})
    Reader(arguments, member(path, "Arguments"), problems, "Arguments")
    display_name = reader.text("DisplayName", longest=_LONGEST_DISPLAY_NAME)
    description = reader.text("Description", longest=_LONGEST_DESCRIPTION)
    depends_on = [_dependency(inner, at, problems) for inner, at in reader.items("DependsOn")]
    retry_policies = [_retry_policy(inner, at, problems) for inner, at in reader.items("RetryPolicies")]
    cache, property_files = _cache(reader), _property_files(reader)
    if name is None or step_type is None:
        return None
    return StepDefinition(
        name=name,
        type=step_type,
        path=path,
        arguments=arguments if isinstance(arguments, dict) else {},
        depends_on=tuple(dependency for dependency in depends_on if dependency is not None),
        display_name=display_name,
        description=description,
        cache=cache,
        retry_policies=tuple(retry_policies),
        property_files=property_files,
        fields={key: reader.members[key] for key in _FIELDS if key in reader.members},
    )


def _dependency(value: JSON, path: str, problems: list[Problem]) -> Dependency | None:
    if isinstance(value, str):
        return Dependency(step=value)
    reader = Reader(value, path, problems, "An entry of DependsOn that is no step name")
    reader.only("Step", "Trigger")
    step, trigger = reader.text("Step", required=True), reader.text("Trigger")
    if trigger is not None and trigger not in TRIGGERS:
        reader.report(f"{shown(trigger)} is no trigger.", did_you_mean(trigger, TRIGGERS), at="Trigger")
    return Dependency(step=step, trigger=trigger or TRIGGERS[0]) if step is not None else None


def _cache(step: Reader) -> CacheConfig | None:
    if "CacheConfig" not in step.members:
        return None
    reader = Reader(step.members["CacheConfig"], member(step.path, "CacheConfig"), step.problems, "CacheConfig")
    reader.only("Enabled", "ExpireAfter")
    enabled, expire_after = reader.boolean("Enabled") or False, reader.text("ExpireAfter")
    if enabled and expire_after is not None and duration_seconds(expire_after) is None:
        remedy = "Write an ISO 8601 duration such as P30D or PT1H."
        reader.report(f"{shown(expire_after)} is no duration.", remedy, at="ExpireAfter")
    return CacheConfig(enabled=enabled, expire_after=expire_after)


def _retry_policy(value: JSON, path: str, problems: list[Problem]) -> RetryPolicy:
    reader = Reader(value, path, problems, "A retry policy")
    reader.only("ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
    interval = reader.number("IntervalSeconds", _LONGEST_INTERVAL_SECONDS)
    backoff = reader.number("BackoffRate")
    attempts = reader.number("MaxAttempts", _MOST_ATTEMPTS, whole=True)
    expire_after = reader.number("ExpireAfterMin", _LONGEST_EXPIRE_MINUTES)
    if "MaxAttempts" in reader.members and "ExpireAfterMin" in reader.members:
        reader.report("a retry policy takes one of MaxAttempts and ExpireAfterMin, not both.", "Remove one of them.")
    if attempts is None and expire_after is None:
        attempts = _DEFAULT_ATTEMPTS
    return RetryPolicy(
        exception_types=_exception_types(reader),
        interval_seconds=1 if interval is None else interval,
        backoff_rate=2.0 if backoff is None else backoff,
        max_attempts=None if attempts is None else int(attempts),
        expire_after_minutes=expire_after,
    )


def _exception_types(policy: Reader) -> tuple[str, ...]:
    if isinstance(policy.members.get("ExceptionType"), str):
        policy.members["ExceptionType"] = [policy.members["ExceptionType"]]
    named = policy.items("ExceptionType")
    if policy.is_object and not named:
        policy.report("a retry policy names at least one exception type.", f"Name one of {', '.join(EXCEPTION_TYPES)}.")
    for name, path in named:
        if name not in EXCEPTION_TYPES:
            remedy = did_you_mean(str(name), EXCEPTION_TYPES)
            policy.problems.append(Problem(path, f"{shown(name)} is no exception type.", remedy))
    return tuple(name for name, _ in named if isinstance(name, str))


def _property_files(step: Reader) -> tuple[PropertyFileSpec, ...]:
    read = [_property_file(inner, at, step.problems) for inner, at in step.items("PropertyFiles")]
    files = [spec for spec in read if spec is not None]
    _report_repeated((spec.name for spec in files), "property file", step, "PropertyFiles")
    return tuple(files)


def _property_file(value: JSON, path: str, problems: list[Problem]) -> PropertyFileSpec | None:
    reader = Reader(value, path, problems, "A property file")
    reader.only("PropertyFileName", "OutputName", "FilePath")
    name, output, file_path = (reader.text(key, required=True) for key in ("PropertyFileName", "OutputName", "FilePath"))
    if name is None or output is None or file_path is None:
        return None
    return PropertyFileSpec(name=name, output_name=output, file_path=file_path)


def _parameters(definition: Reader) -> tuple[Parameter, ...]:
    read = [_parameter(inner, at, definition.problems) for inner, at in definition.items("Parameters")]
    parameters = [parameter for parameter in read if parameter is not None]
    _report_repeated((parameter.name for parameter in parameters), "parameter", definition, "Parameters")
    return tuple(parameters)


def _report_repeated(names: Iterable[str], what: str, holder: Reader, at: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            holder.report(f"there is more than one {what} {name!r}.", "Rename or remove all but one.", at=at)
        seen.add(name)


def _parameter(value: JSON, path: str, problems: list[Problem]) -> Parameter | None:
    reader = Reader(value, path, problems, "A parameter")
    reader.only("Name", "Type", "DefaultValue", "EnumValues", "Description")
    name = reader.name("Name", _PARAMETER_NAME, _PARAMETER_NAME_RULE)
    parameter_type = reader.text("Type") or "String"
    reader.text("Description", longest=_LONGEST_PARAMETER_TEXT)
    if parameter_type not in PARAMETER_TYPES:
        remedy = did_you_mean(parameter_type, PARAMETER_TYPES)
        reader.report(f"{shown(parameter_type)} is no parameter type.", remedy, at="Type")
        parameter_type = "String"
    enum = _enum_values(reader)
    default = _default(reader, parameter_type, enum)
    return Parameter(name=name, type=parameter_type, default=default, enum=enum, path=path) if name is not None else None


def _enum_values(parameter: Reader) -> tuple[str, ...] | None:
    """None where any value will do: without a list, or with an empty one."""
    values = parameter.items("EnumValues")
    for value, path in values:
        if not isinstance(value, str):
            found = f"{kind_of(value)}: {shown(value)}"
            parameter.problems.append(Problem(path, f"{PARSE_PREFIX}an enum value is a string; found {found}."))
    return tuple(value for value, _ in values if isinstance(value, str)) or None


def _default(parameter: Reader, parameter_type: str, enum: tuple[str, ...] | None) -> JSON:
    default = parameter.members.get("DefaultValue")
    if default is None:
        return None
    if not _has_type(default, parameter_type):
        found = f"{kind_of(default)}: {shown(default)}"
        parameter.report(f"the default of a parameter of type {parameter_type} cannot be {found}.", at="DefaultValue")
    elif isinstance(default, str) and len(default) > _LONGEST_PARAMETER_TEXT:
        message = f"the default has {len(default)} characters; at most {_LONGEST_PARAMETER_TEXT} are allowed."
        parameter.report(message, at="DefaultValue")
    elif enum is not None and scalar_text(default) not in enum:
        remedy = f"Allowed are {', '.join(map(repr, enum))}."
        parameter.report(f"the default {shown(default)} is not among the EnumValues.", remedy, at="DefaultValue")
    return default


def _has_type(value: JSON, parameter_type: str) -> bool:
    if isinstance(value, bool):
        return parameter_type == "Boolean"
    types: Mapping[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Float": (int, float), "Boolean": ()}
    return isinstance(value, types[parameter_type])
