"""Models and model packages as people look at them: one with all that is known of it, two side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from localpipe.core.names import S3Uri
from localpipe.core.times import iso_time
from localpipe.errors import NotFound
from localpipe.registry.resources import MODEL, PACKAGE
from localpipe.service.lineage import lineage
from localpipe.service.views import with_iso_times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.ports import ObjectInfo, ObjectStore
    from localpipe.registry.resources import Approval, Resource
    from localpipe.service.wiring import Home

_SHAPES = {MODEL: "DescribeModelOutput", PACKAGE: "DescribeModelPackageOutput"}
_REPACK = "_repack_"
_CLOCK_STEP_SECONDS = 0.001
"""Times of facts are cut to it, those of files are not."""
_ALWAYS_OTHER = frozenset({"sagemaker_job_name"})


@dataclass(frozen=True, kw_only=True)
class MetricsReport:
    """A document of ModelMetrics. `source`: where it is named (`ModelQuality.Statistics`); `values`: its numbers by path.

    `found`: whether it lies in the local S3 and is JSON. `newer`: it was written since the model was made, so it may tell of
    another one: a pipeline that writes to the same place each time.
    """

    source: str
    uri: str
    found: bool
    newer: bool
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ModelData:
    """A model artifact. `path` None: it is not in the local S3, or it is a prefix. `newer`: as of `MetricsReport`."""

    uri: str
    path: str | None
    newer: bool


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """A resource with all that is known of it. `lineage` None: nobody knows."""

    resource: Resource
    lineage: Sequence[JSON] | None
    metrics: Sequence[MetricsReport]
    data: Sequence[ModelData]

    @property
    def containers(self) -> Sequence[JSON]:
        """What it is served by."""
        return containers_of(self.resource.description)

    def document(self, model: JSON) -> JSON:
        """What `models show --json` prints; `model` is the service model."""
        origin = self.resource.origin
        return {
            self.resource.kind: with_iso_times(self.resource.description, _SHAPES[self.resource.kind], model),
            "PipelineExecutionArn": origin.execution_arn if origin else None,
            "StepName": origin.step if origin else None,
            "Lineage": self.lineage,
            "Metrics": [
                {
                    "Source": each.source,
                    "S3Uri": each.uri,
                    "Found": each.found,
                    "WrittenSince": each.newer,
                    "Values": each.values,
                }
                for each in self.metrics
            ],
            "ModelData": [{"S3Uri": each.uri, "Path": each.path, "WrittenSince": each.newer} for each in self.data],
            "ApprovalHistory": [_approval(each) for each in self.resource.approvals],
        }


@dataclass(frozen=True, kw_only=True)
class Side:
    """One line of two models side by side: what, and its value in each; None where it has none."""

    kind: str
    name: str
    left: JSON
    right: JSON


def find_model(home: Home, name: str) -> Resource:
    """The model or package of that name or ARN, `<group>/<version>`, or the newest package of a group. Raises NotFound."""
    resources = home.registry.resources()
    for each in resources:
        if name in (each.arn, each.name):
            return each
    group = name.partition(":model-package-group/")[2] or name
    versions = [each for each in resources if each.description.get("ModelPackageGroupName") == group]
    if versions:
        return versions[-1]
    remedy = "`localpipe models` lists those of this home."
    raise NotFound("model or model package", name, get_close_matches(name, [each.name for each in resources]), remedy)


def view_model(home: Home, name: str) -> ModelView:
    """All that is known of a model or a package. Raises NotFound."""
    resource = find_model(home, name)
    made_at = resource.description["CreationTime"]
    reports = _reports(resource.description.get("ModelMetrics", {}), "")
    return ModelView(
        resource=resource,
        lineage=lineage(home, resource),
        metrics=[_report(home.store, source, uri, made_at) for source, uri in reports],
        data=[_data(home.store, uri, made_at) for uri in data_uris(resource.description)],
    )


def containers_of(description: JSON) -> Sequence[JSON]:
    """The containers of a model or a package, in order."""
    if "PrimaryContainer" in description:
        return [description["PrimaryContainer"]]
    found: Sequence[JSON] = description.get("Containers") or description.get("InferenceSpecification", {}).get(
        "Containers", []
    )
    return found


def data_uris(description: JSON) -> Sequence[str]:
    """The S3 URIs of the model data of a model or a package, each once."""
    sources = (
        container.get("ModelDataUrl") or container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
        for container in containers_of(description)
    )
    return list(dict.fromkeys(filter(None, sources)))


def side_by_side(left: ModelView, right: ModelView) -> Sequence[Side]:
    """Two models compared: every metric of either, then the hyperparameters and members of containers that differ."""
    return [
        *_sides("metric", _metrics(left), _metrics(right)),
        *_different("hyperparameter", _hyperparameters(left), _hyperparameters(right)),
        *_different("container", dict(leaves(list(left.containers))), dict(leaves(list(right.containers)))),
    ]


def leaves(value: JSON, path: str = "") -> Iterator[tuple[str, JSON]]:
    """Every scalar below a value with its path, as in `a.b[0]`; `path` is that of the value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _approval(approval: Approval) -> JSON:
    return {
        "Time": iso_time(approval.at),
        "ModelApprovalStatus": approval.status,
        "ApprovalDescription": approval.reason or None,
    }


def _reports(value: JSON, place: str) -> Iterator[tuple[str, str]]:
    """Where each document of ModelMetrics is named, and its URI."""
    if "S3Uri" in value:
        yield place, value["S3Uri"]
        return
    for name, inner in value.items():
        yield from _reports(inner, f"{place}.{name}" if place else name)


def _report(store: ObjectStore, source: str, uri: str, made_at: float) -> MetricsReport:
    info = _object(store, uri)
    try:
        document = json.loads(info.path.read_bytes()) if info else None
    except ValueError:
        document = None
    return MetricsReport(
        source=source,
        uri=uri,
        found=document is not None,
        newer=info is not None and _is_newer(info, made_at),
        values=dict(_numbers(document)),
    )


def _numbers(document: JSON) -> Iterator[tuple[str, float]]:
    for path, value in leaves(document):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield path, value


def _data(store: ObjectStore, uri: str, made_at: float) -> ModelData:
    info = _object(store, uri)
    newer = info is not None and _is_newer(info, made_at)
    return ModelData(uri=uri, path=str(info.path) if info else None, newer=newer)


def _is_newer(info: ObjectInfo, made_at: float) -> bool:
    return info.modified_at >= made_at + _CLOCK_STEP_SECONDS


def _object(store: ObjectStore, text: str) -> ObjectInfo | None:
    try:
        return store.head(S3Uri.parse(text))
    except ValueError:  # no S3 URI: the service takes other addresses as well
        return None


def _metrics(view: ModelView) -> Mapping[str, JSON]:
    """Of its reports, then of the training jobs that it came from."""
    reported = {f"{each.source}: {path}": value for each in view.metrics for path, value in each.values.items()}
    trained = {
        f"{row['StepName']}: {name}": value for row in view.lineage or () for name, value in row.get("Metrics", {}).items()
    }
    return reported | trained


def _hyperparameters(view: ModelView) -> Mapping[str, JSON]:
    """Of the training jobs that it came from, those that only repack left out; without the step's name where it is one job.

    Follows: service.md section 11.4.
    """
    rows = [row for row in view.lineage or () if "HyperParameters" in row and not _repacks(row["HyperParameters"])]
    return {
        name if len(rows) == 1 else f"{row['StepName']}: {name}": value
        for row in rows
        for name, value in row["HyperParameters"].items()
        if name not in _ALWAYS_OTHER
    }


def _repacks(hyperparameters: Mapping[str, str]) -> bool:
    return hyperparameters.get("sagemaker_program", "").strip('"').startswith(_REPACK)


def _different(kind: str, left: Mapping[str, JSON], right: Mapping[str, JSON]) -> Iterator[Side]:
    return (side for side in _sides(kind, left, right) if side.left != side.right)


def _sides(kind: str, left: Mapping[str, JSON], right: Mapping[str, JSON]) -> Iterator[Side]:
    for name in dict.fromkeys([*left, *right]):
        yield Side(kind=kind, name=name, left=left.get(name), right=right.get(name))
