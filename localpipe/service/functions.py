"""The Lambda functions that a pipeline calls: found before it runs, kept with its execution, called from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.functions import CapturedFunction, Function, function_name
from localpipe.errors import DefinitionError, Problem
from localpipe.functions.find import NAME_IT, find_function, usable_handler
from localpipe.functions.names import defines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.ports import FunctionHost, Runner
    from localpipe.definition.model import StepDefinition
    from localpipe.engine.endpoint import JobEndpoint
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home

_ARN = "FunctionArn"


def find_functions(
    home: Home, steps: Iterable[StepDefinition], captured: Mapping[str, CapturedFunction]
) -> Mapping[str, Function | CapturedFunction]:
    """The function of each ARN that a step calls. Raises DefinitionError, naming each step whose function is not here."""
    found: dict[str, Function | CapturedFunction] = {}
    problems = []
    for step in steps:
        arn = step.fields.get(_ARN)
        if arn is None or arn in found:
            continue
        function = find_function(arn, home.settings.functions, captured)
        reason = _why_not(function)
        if function and not reason:
            found[arn] = function
        else:
            name = function_name(arn)
            problems.append(
                Problem(
                    f"{step.path}.{_ARN}",
                    f"step {step.name!r}: Lambda function {name!r} cannot be called here: {reason}.",
                    NAME_IT.format(name=name),
                    unsupported=True,
                )
            )
    if problems:
        raise DefinitionError(problems)
    return found


def _why_not(function: Function | CapturedFunction | None) -> str:
    """Why it cannot be called; empty if it can."""
    match function:
        case None:
            return "its code is nowhere"
        case Function():
            return _why_not_named(function)
        case CapturedFunction():
            try:
                usable_handler(function)
            except ValueError as error:
                return str(error)
            return ""


def _why_not_named(function: Function) -> str:
    """Why what the settings name cannot be called; empty if it can, or its text does not tell."""
    module, _, name = function.handler.rpartition(".")
    file = function.file
    if file is None:
        place = function.directory / module.replace(".", "/")
        file = next((each for each in (place.with_name(f"{place.name}.py"), place / "__init__.py") if each.is_file()), None)
        if file is None:
            compiled = any(place.parent.glob(f"{place.name}.*.so"))
            return "" if compiled else f"there is no module {module} in {function.directory}"
    if not file.is_file():
        return f"there is no file {file}"
    return "" if defines(file.read_bytes(), name) else f"{file} has no {name}"


def described(function: Function | CapturedFunction) -> str:
    """Where its code comes from, in words."""
    match function:
        case Function(file=None):
            return function.handler
        case Function(file=file):
            return f"{file}:{function.handler.rpartition('.')[2]}"
        case CapturedFunction():
            return f"{usable_handler(function)}, made by the script"


def function_notes(functions: Mapping[str, Function | CapturedFunction]) -> Iterator[str]:
    """What differs from Lambda, and the author should know."""
    for function in functions.values():
        if isinstance(function, CapturedFunction) and function.layers:
            yield (
                f"Lambda function {function.name!r}: its layers are not here; "
                "packages that it imports must be installed in its Python (setting `python`)."
            )


def kept_functions(home: Home, found: Mapping[str, Function | CapturedFunction], directory: Path) -> Mapping[str, JSON]:
    """What the execution is to know of its functions, by ARN; the code that a script made goes below `directory`."""
    from localpipe.functions.keep import unpacked

    if not found:
        return {}
    python = home.authors_python()
    return {arn: unpacked(function, directory, python).to_json() for arn, function in found.items()}


def function_host(execution: PipelineExecution, endpoint: JobEndpoint, runner: Runner) -> FunctionHost:
    """What calls the functions of an execution. They run on this machine, so they reach the local S3 where it listens."""
    functions = {arn: Function.from_json(kept) for arn, kept in execution.started.functions.items()}
    return execution.home.functions(functions, lambda: endpoint.environment(runner.endpoint_host()))
