"""The SageMaker calls that a script makes while it defines a pipeline: answered plausibly, and what they say captured.

Nothing runs: a pipeline that the script starts is `Executing` for as long as the script lives, or `Succeeded` at once where
another one is the one that is wanted. Follows: service.md sections 9.1, 9.2, 9.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from localpipe.core.names import Identity, S3Uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.past import PastExecution
    from localpipe.core.ports import ObjectStore

History: TypeAlias = Callable[[str], "Iterable[PastExecution]"]
"""From a pipeline's name to the executions that there were of it, newest first."""

OF_SCRIPT = "authored"
"""How the id of an execution begins that a script starts itself."""

_INVALID_IF_MISSING = frozenset(
    {
        "DescribeAlgorithm",
        "DescribeCodeRepository",
        "DescribeEndpoint",
        "DescribeEndpointConfig",
        "DescribeInferenceComponent",
        "DescribeModel",
        "DescribeModelPackage",
        "DescribeNotebookInstance",
        "DescribeNotebookInstanceLifecycleConfig",
        "DescribeProject",
        "DescribeSubscribedWorkteam",
        "DescribeWorkforce",
        "DescribeWorkteam",
    }
)
"""Describe operations for which botocore's model of SageMaker declares no ResourceNotFound."""


def missing_code(operation: str) -> str | None:
    """The error code of a Describe operation for what is not there; None for an operation that describes nothing.

    Scripts look for what may or may not be there, as AWS's image building template does for its images, and go on without.
    Assumed for `_INVALID_IF_MISSING`: they answer as DescribeModelPackageGroup does.
    """
    if not operation.startswith("Describe"):
        return None
    return "ValidationException" if operation in _INVALID_IF_MISSING else "ResourceNotFound"


class CallRefused(Exception):
    """The call is answered with an AWS error: `code` and `message`."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class CapturedPipeline:
    """What a script sent. `start`: its last StartPipelineExecution, None if it did not start the pipeline.

    `max_parallel`: the pipeline's own setting, None where it has none.
    """

    name: str
    definition: str
    role_arn: str
    max_parallel: int | None = None
    start: CapturedStart | None = None


@dataclass(frozen=True, kw_only=True)
class CapturedStart:
    """A StartPipelineExecution. `max_parallel` None: the pipeline's. `selective`: its SelectiveExecutionConfig, or None."""

    parameters: Mapping[str, str]
    max_parallel: int | None = None
    selective: JSON = None


def no_history(pipeline_name: str) -> Iterable[PastExecution]:
    """There was no execution."""
    del pipeline_name
    return ()


class PipelineCapture:
    """The SageMaker of one script. Owns what it has received; `now` (epoch seconds) is the time of everything in it.

    `wanted`: the pipeline that is meant where the script makes several; executions of the others have succeeded. None: none
    has. `history`: the executions that there were of a pipeline before the script, newest first.
    """

    def __init__(
        self, store: ObjectStore, identity: Identity, now: float, wanted: str | None = None, history: History = no_history
    ) -> None:
        self._store = store
        self._history = history
        self._wanted = wanted
        self._identity = identity
        self._now = now
        self._pipelines: dict[str, CapturedPipeline] = {}
        self._executions: dict[str, str] = {}  # ARN → pipeline name
        self._groups: dict[str, JSON] = {}  # in Describe shape
        self.operations: Mapping[str, Callable[[JSON], JSON]] = {
            "CreatePipeline": self._create_pipeline,
            "UpdatePipeline": self._update_pipeline,
            "DescribePipeline": self._describe_pipeline,
            "DeletePipeline": self._delete_pipeline,
            "ListPipelines": self._list_pipelines,
            "StartPipelineExecution": self._start,
            "DescribePipelineExecution": self._describe_execution,
            "StopPipelineExecution": self._stop,
            "ListPipelineParametersForExecution": self._list_parameters,
            "DescribePipelineDefinitionForExecution": self._describe_definition,
            "ListPipelineExecutions": self._list_executions,
            "ListPipelineExecutionSteps": lambda _: {"PipelineExecutionSteps": []},
            "CreateModelPackageGroup": self._create_group,
            "DescribeModelPackageGroup": self._describe_group,
            "ListModelPackageGroups": self._list_groups,
            "ListModelPackages": lambda _: {"ModelPackageSummaryList": []},
            "AddTags": lambda request: {"Tags": request.get("Tags", [])},
            "ListTags": lambda _: {"Tags": []},
        }
        """Operation → its answer to a request. Raises CallRefused."""

    @property
    def pipelines(self) -> Mapping[str, CapturedPipeline]:
        """What was captured, by pipeline name, in the order it came."""
        return self._pipelines

    def _create_pipeline(self, request: JSON) -> JSON:
        name = request["PipelineName"]
        if name in self._pipelines:
            raise CallRefused(
                "ValidationException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            )
        definition = self._definition_of(request)
        self._pipelines[name] = CapturedPipeline(
            name=name, definition=definition or "", role_arn=request["RoleArn"], max_parallel=_max_parallel(request)
        )
        return {"PipelineArn": self._identity.arn("pipeline", name)}

    def _update_pipeline(self, request: JSON) -> JSON:
        pipeline = self._pipeline(request)
        definition = self._definition_of(request) or pipeline.definition
        role_arn = request.get("RoleArn") or pipeline.role_arn
        max_parallel = _max_parallel(request) or pipeline.max_parallel
        self._pipelines[pipeline.name] = replace(
            pipeline, definition=definition, role_arn=role_arn, max_parallel=max_parallel
        )
        return {"PipelineArn": self._identity.arn("pipeline", pipeline.name)}

    def _describe_pipeline(self, request: JSON) -> JSON:
        pipeline = self._pipeline(request)
        return {
            **self._summary(pipeline),
            "PipelineDefinition": pipeline.definition,
            "PipelineStatus": "Active",
        }

    def _delete_pipeline(self, request: JSON) -> JSON:
        """A script that tidies up after itself keeps its pipeline: it is what we came for."""
        return {"PipelineArn": self._identity.arn("pipeline", self._pipeline(request).name)}

    def _list_pipelines(self, request: JSON) -> JSON:
        prefix = request.get("PipelineNamePrefix", "")
        return {"PipelineSummaries": [self._summary(p) for p in self._pipelines.values() if p.name.startswith(prefix)]}

    def _start(self, request: JSON) -> JSON:
        pipeline = self._pipeline(request)
        start = CapturedStart(
            parameters={given["Name"]: given["Value"] for given in request.get("PipelineParameters") or []},
            max_parallel=_max_parallel(request),
            selective=request.get("SelectiveExecutionConfig"),
        )
        self._pipelines[pipeline.name] = replace(pipeline, start=start)
        arn = f"{self._identity.arn('pipeline', pipeline.name)}/execution/{OF_SCRIPT}{len(self._executions):04d}"
        self._executions[arn] = pipeline.name
        return {"PipelineExecutionArn": arn}

    def _describe_execution(self, request: JSON) -> JSON:
        if past := self._past(request["PipelineExecutionArn"]):
            return _summary_of(past) | {"PipelineArn": past.name.pipeline_arn, "CreationTime": past.started_at}
        name = self._executed(request)
        return {
            "PipelineArn": self._identity.arn("pipeline", name),
            "PipelineExecutionArn": request["PipelineExecutionArn"],
            "PipelineExecutionStatus": self._status(name),
            "CreationTime": self._now,
            "LastModifiedTime": self._now,
        }

    def _stop(self, request: JSON) -> JSON:
        """A script that stops what it has started has said all the same what there is to run."""
        self._executed(request)
        return {"PipelineExecutionArn": request["PipelineExecutionArn"]}

    def _list_parameters(self, request: JSON) -> JSON:
        """All parameters, those that have their defaults too. Follows: service.md section 4."""
        past = self._past(request["PipelineExecutionArn"])
        values = past.parameters if past else self._started_with(self._pipelines[self._executed(request)])
        return {
            "PipelineParameters": [
                {"Name": name, "Value": value if isinstance(value, str) else json.dumps(value)}
                for name, value in values.items()
                if value is not None
            ]
        }

    def _started_with(self, pipeline: CapturedPipeline) -> Mapping[str, JSON]:
        declared = json.loads(pipeline.definition).get("Parameters") or []
        values = {parameter["Name"]: parameter.get("DefaultValue") for parameter in declared}
        return values | dict(pipeline.start.parameters if pipeline.start else {})

    def _past(self, arn: str) -> PastExecution | None:
        """The execution of that ARN, if it was before the script."""
        pipeline_name = arn.rpartition(":pipeline/")[2].partition("/")[0]
        return next((past for past in self._history(pipeline_name) if past.name.arn == arn), None)

    def _status(self, pipeline_name: str) -> str:
        return "Executing" if self._wanted in {None, pipeline_name} else "Succeeded"

    def _describe_definition(self, request: JSON) -> JSON:
        return {"PipelineDefinition": self._pipelines[self._executed(request)].definition, "CreationTime": self._now}

    def _list_executions(self, request: JSON) -> JSON:
        """Newest first, as the service does unless it is told otherwise."""
        name = self._pipeline(request).name
        summaries = [
            {"PipelineExecutionArn": arn, "PipelineExecutionStatus": self._status(name), "StartTime": self._now}
            for arn, pipeline_name in reversed(self._executions.items())
            if pipeline_name == name
        ]
        return {"PipelineExecutionSummaries": [*summaries, *map(_summary_of, self._history(name))]}

    def _create_group(self, request: JSON) -> JSON:
        name = request["ModelPackageGroupName"]
        if name in self._groups:
            raise CallRefused("ValidationException", f"Model Package Group already exists: {self._group_arn(name)}")
        self._groups[name] = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": self._group_arn(name),
            "ModelPackageGroupDescription": request.get("ModelPackageGroupDescription", ""),
            "CreationTime": self._now,
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }
        return {"ModelPackageGroupArn": self._group_arn(name)}

    def _describe_group(self, request: JSON) -> JSON:
        name = _last_part(request["ModelPackageGroupName"])
        if name not in self._groups:
            raise CallRefused("ValidationException", f"ModelPackageGroup {self._group_arn(name)} does not exist.")
        return self._groups[name]

    def _list_groups(self, request: JSON) -> JSON:
        part = request.get("NameContains", "")
        return {"ModelPackageGroupSummaryList": [group for name, group in self._groups.items() if part in name]}

    def _group_arn(self, name: str) -> str:
        return self._identity.arn("model-package-group", name)

    def _definition_of(self, request: JSON) -> str | None:
        """The definition as text; None if the request has none. Definitions above 100 KB come by their place in S3."""
        location = request.get("PipelineDefinitionS3Location")
        if not location:
            text: str | None = request.get("PipelineDefinition")
            return text
        with self._store.open(S3Uri(location["Bucket"], location["ObjectKey"])) as file:
            return file.read().decode()

    def _pipeline(self, request: JSON) -> CapturedPipeline:
        name = _last_part(request["PipelineName"])
        if name not in self._pipelines:
            raise CallRefused("ResourceNotFound", f"Pipeline '{self._identity.arn('pipeline', name)}' does not exist.")
        return self._pipelines[name]

    def _executed(self, request: JSON) -> str:
        arn = request["PipelineExecutionArn"]
        if arn not in self._executions:
            raise CallRefused("ResourceNotFound", f"Pipeline execution '{arn}' does not exist.")
        return self._executions[arn]

    def _summary(self, pipeline: CapturedPipeline) -> dict[str, JSON]:
        return {
            "PipelineArn": self._identity.arn("pipeline", pipeline.name),
            "PipelineName": pipeline.name,
            "PipelineDisplayName": pipeline.name,
            "RoleArn": pipeline.role_arn,
            "CreationTime": self._now,
            "LastModifiedTime": self._now,
        }


def _summary_of(past: PastExecution) -> JSON:
    return {
        "PipelineExecutionArn": past.name.arn,
        "PipelineExecutionStatus": past.status,
        "StartTime": past.started_at,
    }


def _max_parallel(request: JSON) -> int | None:
    count: int | None = (request.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
    return count


def _last_part(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]
