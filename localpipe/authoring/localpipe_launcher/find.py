"""Finds the pipelines that a script made, and calls the function that makes one with values by name."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from .patches import AfterImport, Patches
from .redirect import loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

PIPELINE_MODULES = ("sagemaker.workflow.pipeline", "sagemaker.mlops.workflow.pipeline")
"""Where the class `Pipeline` is: SDK v2, SDK v3."""

GET_PIPELINE = "get_pipeline"
"""The function of AWS's MLOps seed template."""

MAKER_NAME = re.compile(r"((get|create|build|make|define)_(\w+_)?)?pipeline")
"""How a function is named that evidently makes a pipeline."""

PARAMETER_VALUES: Mapping[str, str] = {
    "region": "region",
    "region_name": "region",
    "aws_region": "region",
    "role": "role",
    "role_arn": "role",
    "execution_role": "role",
    "default_bucket": "bucket",
    "bucket": "bucket",
    "bucket_name": "bucket",
    "sagemaker_project_arn": "project_arn",
    "sagemaker_project_id": "project_id",
    "sagemaker_project_name": "project_name",
    "model_package_group_name": "name",
    "pipeline_name": "name",
    "base_job_prefix": "name",
    "sagemaker_session": "session",
    "pipeline_session": "session",
    "session": "session",
}
"""Parameter of the function → which of our values it takes. The first names are those of AWS's MLOps seed template."""

GUESSES: tuple[tuple[str, str], ...] = (
    (r"boto3?_sess(ion)?$", "boto_session"),
    (r"sess(ion)?$", "session"),
    (r"prefix$", "name"),
    (r"region(_name)?$", "region"),
    (r"bucket(_name)?$", "bucket"),
    (r"role(_arn|_name)?$", "role"),
    (r"account(_id)?$", "account"),
    (r"name$", "name"),
)
"""How the last words of other parameters tell which value they take, where they have no default; the first that fits."""

GIVEN_DESPITE_NONE = frozenset({"region", "role", "bucket"})
"""Values given also where the signature's default is None; the other defaults are the author's choice."""


class FunctionNotFound(Exception):
    """The script has no function of the name asked for. `names`: those that evidently make a pipeline."""

    def __init__(self, wanted: str, names: Iterable[str]) -> None:
        self.wanted = wanted
        self.names = tuple(names)
        super().__init__(wanted)


class SeveralFunctions(Exception):
    """Several functions (`names`) evidently make a pipeline."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


class UnknownParameters(Exception):
    """The function has parameters without default (`names`) that nobody gives a value."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(", ".join(self.names))


class UnknownArguments(Exception):
    """The user gives arguments (`names`) that the function does not take. `taken`: its own; None: there is no function."""

    def __init__(self, names: Iterable[str], taken: Iterable[str] | None) -> None:
        self.names = tuple(names)
        self.taken = None if taken is None else tuple(taken)
        super().__init__(", ".join(self.names))


class Recorder:
    """Keeps every SDK `Pipeline` that is constructed while it is installed."""

    def __init__(self) -> None:
        self.constructed: list[Any] = []
        self._patches = Patches()
        self._hook = AfterImport(dict.fromkeys(PIPELINE_MODULES, self._watch))

    def install(self) -> None:
        """Watch the constructors."""
        self._hook.install()

    def _watch(self, module: ModuleType) -> None:
        def recorded(init: Callable[..., None]) -> Callable[..., None]:
            def __init__(pipeline: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it takes the place of one
                init(pipeline, *args, **kwargs)
                self.constructed.append(pipeline)

            return __init__

        self._patches.replace(module.Pipeline, "__init__", recorded)


def is_pipeline(value: Any) -> bool:
    """Whether a value is a `Pipeline` of an SDK that is loaded."""
    return isinstance(value, _pipeline_classes())


def _pipeline_classes() -> tuple[type, ...]:
    return tuple(cls for cls in (loaded(module, "Pipeline") for module in PIPELINE_MODULES) if cls is not None)


def by_name(pipelines: Iterable[Any]) -> dict[str, Any]:
    """Pipelines by their names; the later of two with one name wins."""
    return {str(pipeline.name): pipeline for pipeline in pipelines}


def module_level(module: ModuleType) -> dict[str, Any]:
    """The pipelines that the module's variables hold."""
    return by_name(value for value in vars(module).values() if is_pipeline(value))


def own_get_pipeline(module: ModuleType) -> Callable[..., Any] | None:
    """The `get_pipeline` that the module itself defines, None if it has none."""
    function = getattr(module, GET_PIPELINE, None)
    return function if _is_own(function, module) else None


def function_of(module: ModuleType, name: str | None) -> Callable[..., Any] | None:
    """The function of the name, or the one that evidently makes the pipeline: None if there is none.

    That is the module's own `get_pipeline`; else the only one of its own that is named like one or annotated to return a
    Pipeline; else a `get_pipeline` that it imports. Raises FunctionNotFound, SeveralFunctions.
    """
    if name is not None:
        function = getattr(module, name, None)
        if not callable(function):
            raise FunctionNotFound(name, evident_makers(module))
        return function  # type: ignore[no-any-return] # whatever the author gave the name
    makers = evident_makers(module)
    if GET_PIPELINE in makers:
        return makers[GET_PIPELINE]
    if len(makers) > 1:
        raise SeveralFunctions(makers)
    imported = getattr(module, GET_PIPELINE, None)
    return next(iter(makers.values()), imported if callable(imported) else None)


def evident_makers(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The module's own functions, by name, that are named like a maker of pipelines or annotated to return one."""
    own = {name: value for name, value in vars(module).items() if _is_own(value, module) and not name.startswith("_")}
    return {n: f for n, f in own.items() if MAKER_NAME.fullmatch(n) or _is_annotated(f, module)}


def _is_own(value: Any, module: ModuleType) -> bool:
    return inspect.isroutine(value) and getattr(value, "__module__", None) == module.__name__


def _is_annotated(function: Callable[..., Any], module: ModuleType) -> bool:
    annotation = getattr(function, "__annotations__", {}).get("return")
    returned = vars(module).get(annotation) if isinstance(annotation, str) else annotation
    return inspect.isclass(returned) and issubclass(returned, _pipeline_classes())


def call_maker(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The pipelines, by name, that a function returns, alone or in a tuple or list."""
    returned = function(**arguments)
    return by_name(
        value for value in (returned if isinstance(returned, (tuple, list)) else [returned]) if is_pipeline(value)
    )


def arguments_for(
    signature: inspect.Signature, values: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The arguments, by name, that a signature takes: those `given` by the user, else of `values`.

    `values` are keyed as the values of `PARAMETER_VALUES`; sessions are made by the SDK when they are asked for. A given
    text becomes a number or boolean where the signature wants one. Raises UnknownParameters, UnknownArguments.
    """
    given = given or {}
    named = {n: p for n, p in signature.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    surplus = [name for name in given if name not in named]
    if surplus and not any(p.kind == p.VAR_KEYWORD for p in signature.parameters.values()):
        raise UnknownArguments(surplus, named)
    arguments = {name: given[name] for name in surplus}
    unknown = []
    for name, parameter in named.items():
        value = PARAMETER_VALUES.get(name) or (_guess(name) if parameter.default is parameter.empty else None)
        if name in given:
            arguments[name] = _typed(given[name], parameter)
        elif parameter.default is parameter.empty and value is None:
            unknown.append(name)
        elif value is not None and _is_wanted(parameter, value):
            arguments[name] = _value(value, values)
    if unknown:
        raise UnknownParameters(unknown)
    return arguments


def guessed(arguments: Mapping[str, Any], given: Iterable[str]) -> dict[str, str]:
    """Those of the arguments that are texts for which only the last words of their names speak."""
    known = {*PARAMETER_VALUES, *given}
    return {name: value for name, value in arguments.items() if name not in known and isinstance(value, str)}


def _guess(name: str) -> str | None:
    return next((value for pattern, value in GUESSES if re.search(r"(^|_)" + pattern, name)), None)


def _typed(value: Any, parameter: inspect.Parameter) -> Any:
    """The value as the parameter's annotation or default wants it. Raises ValueError for text that is no such value."""
    by_default = type(parameter.default).__name__
    kind = parameter.annotation if isinstance(parameter.annotation, str) else getattr(parameter.annotation, "__name__", "")
    convert = CONVERSIONS.get(kind) or CONVERSIONS.get(by_default)
    return convert(value) if convert and isinstance(value, str) else value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


CONVERSIONS: Mapping[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _boolean}
"""Name of the wanted type → from text."""


def _value(value: str, values: Mapping[str, Any]) -> Any:
    if value == "session":
        return _pipeline_session(values)
    if value == "boto_session":
        return importlib.import_module("boto3").Session(region_name=values["region"])
    return values[value]


def _is_wanted(parameter: inspect.Parameter, value: str) -> bool:
    if parameter.default is parameter.empty:
        return True
    return parameter.default is None and value in GIVEN_DESPITE_NONE


def _pipeline_session(values: Mapping[str, Any]) -> Any:
    """A `PipelineSession` of the author's SDK."""
    try:
        module = importlib.import_module("sagemaker.workflow.pipeline_context")  # SDK v2
    except ImportError:
        module = importlib.import_module("sagemaker.core.workflow.pipeline_context")  # SDK v3
    return module.PipelineSession(default_bucket=values["bucket"])
