"""Fixtures of every test folder: botocore's service model as a judge of documents, and requests as the SDKs compile them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

from localpipe.core import JSON

Misfits: TypeAlias = Callable[[str, JSON], list[str]]

_REQUESTS = Path(__file__).parent / "jobs" / "requests"
_TYPES: dict[str, tuple[Any, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


@pytest.fixture(scope="session", autouse=True)
def own_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Room of its own for the jobs of these tests: other executions of the user leave them alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def misfits() -> Misfits:
    """A function: what in a document does not fit a shape of SageMaker's service model; [] for one that fits whole."""
    model: ServiceModel = botocore.session.Session().get_service_model("sagemaker")
    return lambda shape_name, document: _misfits(model.shape_for(shape_name), document, "$")


@pytest.fixture
def sdk_request() -> Callable[[str], JSON]:
    """A function: a Create request that an SDK compiled, expressions resolved, by name of its file in jobs/requests."""
    return lambda name: json.loads((_REQUESTS / f"{name}.json").read_text())


def _misfits(shape: Shape, value: JSON, path: str) -> list[str]:
    if not isinstance(value, _TYPES[shape.type_name]) or (isinstance(value, bool) and shape.type_name != "boolean"):
        return [f"{path}: {value!r} is no {shape.type_name}"]
    if isinstance(shape, StructureShape):
        return _structure_misfits(shape, value, path)
    if isinstance(shape, ListShape):
        return [problem for i, inner in enumerate(value) for problem in _misfits(shape.member, inner, f"{path}[{i}]")]
    if isinstance(shape, MapShape):
        return [problem for key, inner in value.items() for problem in _misfits(shape.value, inner, f"{path}.{key}")]
    return _scalar_misfits(shape, value, path)


def _structure_misfits(shape: StructureShape, value: JSON, path: str) -> list[str]:
    unknown = [f"{path}.{name} is unknown" for name in value if name not in shape.members]
    missing = [f"{path}.{name} is missing" for name in shape.required_members if name not in value]
    inner = [
        problem
        for name, member in shape.members.items()
        if name in value
        for problem in _misfits(member, value[name], f"{path}.{name}")
    ]
    return unknown + missing + inner


def _scalar_misfits(shape: Shape, value: JSON, path: str) -> list[str]:
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        return [f"{path}: {value!r} is none of {shape.enum}"]
    size = len(value) if isinstance(value, str) else value
    if size > shape.metadata.get("max", size):
        return [f"{path}: more than {shape.metadata['max']}"]
    if size < shape.metadata.get("min", size):
        return [f"{path}: less than {shape.metadata['min']}"]
    return []
