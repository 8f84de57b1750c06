"""Serving containers: a model in DescribeModel shape → the `JobSpec` of each of its containers.

Follows: containers.md 3.1, 3.8.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Channel, HostSpec, InputMode, JobKind, JobSpec
from localpipe.core.names import S3Uri
from localpipe.core.transform import SERVING_PORT
from localpipe.core.work import create_refused
from localpipe.errors import JobFailed
from localpipe.jobs.layout import instance_environment
from localpipe.jobs.requests import service_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.core.transform import TransformSpec

_MODEL_DIR = PurePosixPath("/opt/ml/model")
_NO_LIMIT_SECONDS = 28 * 24 * 60 * 60  # a transform job has no limit of its own
_OPERATION = "CreateTransformJob"
_PORTS = {"SAGEMAKER_BIND_TO_PORT": str(SERVING_PORT), "SAGEMAKER_SAFE_PORT_RANGE": "21000-21099"}
"""What containers are told that share a host; here each has a network of its own. UNVERIFIED: the range."""


def model_named(name: str, models: Iterable[JSON]) -> JSON:
    """The model of that name. Raises JobFailed, in the service's words, for none. Follows: service.md section 9.3."""
    for model in models:
        if model["ModelName"] == name:
            return model
    raise JobFailed(create_refused(_OPERATION, f'Could not find model "{name}".'))


def unservable(model: JSON) -> str:
    """Why no batch transform, or none of localpipe's, runs the model, in sentences; empty: nothing is in the way.

    What is not known of it yet says nothing. Follows: containers.md 3.8.
    """
    containers = _containers(model)
    if model.get("InferenceExecutionConfig", {}).get("Mode") == "Direct":
        return "A batch transform runs containers one after the other; the model says Direct."
    if any(container.get("Mode") == "MultiModel" for container in containers):
        return "A batch transform does not run multi-model containers."
    if any(container.get("AdditionalModelDataSources") for container in containers):
        return "AdditionalModelDataSources is not supported. Put all into the model's archive."
    return ""


def serving_specs(model: JSON, spec: TransformSpec, identity: Identity) -> tuple[JobSpec, ...]:
    """The containers of a model as a transform job runs them, in the order in which requests pass through them.

    Raises JobFailed for what a batch transform cannot run, or localpipe cannot.
    """
    if why_not := unservable(model):
        raise _refused(why_not)
    containers = _containers(model)
    isolated = model.get("EnableNetworkIsolation", False)
    shared = _PORTS if len(containers) > 1 else {}
    return tuple(
        _serving_spec(container, number, spec, {**service_environment(identity), **shared}, isolated=isolated)
        for number, container in enumerate(containers, start=1)
    )


def _serving_spec(container: JSON, number: int, spec: TransformSpec, given: Mapping[str, str], *, isolated: bool) -> JobSpec:
    """One container. The job's variables win over its own, those over the service's. Follows: containers.md 3.1, 3.4."""
    if not container.get("Image"):
        raise _refused("A container of the model names no image.")
    data = _model_data(container)
    return JobSpec(
        kind=JobKind.TRANSFORM,
        image_uri=container["Image"],
        entrypoint=None,
        arguments=("serve",),
        hosts=(
            HostSpec(
                name=container.get("ContainerHostname") or f"container-{number}",
                files=(),
                instance_type=spec.instance_type,
                environment=instance_environment(spec.instance_type),
            ),
        ),
        channels=() if data is None else (data,),
        outputs=(),
        directories=(_MODEL_DIR,) if data is None else (),
        mount_roots=(),
        environment={**given, **container.get("Environment", {}), **spec.environment},
        max_runtime_seconds=_NO_LIMIT_SECONDS,
        network_isolated=isolated,
        port=SERVING_PORT,
        job_name=spec.job_name,
        job_arn=spec.job_arn,
    )


def _containers(model: JSON) -> list[JSON]:
    return model.get("Containers") or [model["PrimaryContainer"]]


def _model_data(container: JSON) -> Channel | None:
    """The model's files: those of an archive, an object or a prefix. None: it has none."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        uri, unpacks = container.get("ModelDataUrl"), True
    else:
        uri, unpacks = source["S3Uri"], source["CompressionType"] == "Gzip"
    if not uri:
        return None
    try:
        parsed = S3Uri.parse(uri)
    except ValueError as error:
        raise _refused(f"{error}.") from error
    return Channel(
        name="model", uri=parsed, container_dir=_MODEL_DIR, mode=InputMode.FAST_FILE, unpacks=unpacks, path="the model"
    )


def _refused(detail: str) -> JobFailed:
    return JobFailed(create_refused(_OPERATION, detail))
