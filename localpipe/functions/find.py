"""Which code a step's Lambda function has here: named in the settings, or made by the script. Pure."""

from __future__ import annotations

import ast
import io
import zipfile
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from localpipe.core.functions import FUNCTION_NAME, function_name, names_from_nearest
from localpipe.functions.names import defines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.functions import CapturedFunction, Function

_USUAL_HANDLERS = ("lambda_handler", "handler")
NAME_IT = (
    'Name its handler in localpipe.toml: [lambda] "{name}" = "handlers/file.py:function". Or have the script make it: '
    'Lambda(function_name="{name}", script=..., handler=...) of the SDK.'
)


def find_function(
    arn: str, named: Mapping[str, Function], captured: Mapping[str, CapturedFunction]
) -> Function | CapturedFunction | None:
    """The function of an ARN, or of what else names it; None if it is nowhere.

    `named`: by what the settings call it, the nearest of which wins, else by the first pattern that fits; also over what the
    script made: `captured`, by name.
    """
    names = names_from_nearest(arn)
    fitting = (called for called in named if any(fnmatchcase(name, called) for name in names))
    called = next((name for name in names if name in named), None) or next(fitting, None)
    return named[called] if called is not None else captured.get(function_name(arn))


def usable_handler(function: CapturedFunction) -> str:
    """The handler of a captured function. Raises ValueError, with the reason, for one that cannot be called here.

    A script that only told a function's code has not told its handler: it is the only one of the usual names.
    """
    if not FUNCTION_NAME.fullmatch(function.name):
        raise ValueError("the name of a Lambda function has up to 64 letters, digits, '-' and '_'")
    if function.image:
        raise ValueError(f"it is made of a container image ({function.image})")
    if function.runtime and not function.runtime.startswith("python"):
        raise ValueError(f"its runtime is {function.runtime}; functions in Python are called here")
    try:
        with zipfile.ZipFile(io.BytesIO(function.archive)) as archive:
            return _checked_handler(function.handler, archive) if function.handler else _only_handler(archive)
    except zipfile.BadZipFile:
        raise ValueError("its code is no zip archive") from None


def _checked_handler(handler: str, archive: zipfile.ZipFile) -> str:
    module, _, function = handler.rpartition(".")
    module = module.replace(".", "/")
    found = {f"{module}.py", f"{module}/__init__.py"} & set(archive.namelist())
    if not module or not found:
        raise ValueError(f"its handler is {handler!r}, and its code has no {module or handler}.py")
    if not any(defines(archive.read(name), function) for name in found):
        raise ValueError(f"its handler is {handler!r}, and {min(found)} has no {function}")
    return handler


def _only_handler(archive: zipfile.ZipFile) -> str:
    found = [
        f"{name.removesuffix('.py')}.{function}"
        for name in archive.namelist()
        if name.endswith(".py") and "/" not in name
        for function in _functions_of(archive.read(name))
        if function in _USUAL_HANDLERS
    ]
    if len(found) != 1:
        has = f"it has {', '.join(found)}" if found else "it has no lambda_handler"
        raise ValueError(f"the script tells its code alone, not its handler, and {has}")
    return found[0]


def _functions_of(code: bytes) -> list[str]:
    try:
        return [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return []
