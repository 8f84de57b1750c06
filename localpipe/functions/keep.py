"""Keeps the code of functions that a script made with the execution that calls them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

from localpipe.core.functions import LONGEST_TIMEOUT_SECONDS, CapturedFunction, Function
from localpipe.functions.find import usable_handler

if TYPE_CHECKING:
    from pathlib import Path


def unpacked(function: Function | CapturedFunction, directory: Path, python: Path) -> Function:
    """The function with its code below `directory`, so that a resumed execution finds it, and the Python it runs in.

    A file that the settings name stays where it is. Raises ValueError, OSError.
    """
    if isinstance(function, Function):
        return replace(function, python=python)
    handler = usable_handler(function)
    code = directory / function.name
    with zipfile.ZipFile(io.BytesIO(function.archive)) as archive:
        archive.extractall(code)
    return Function(
        handler=handler,
        directory=code,
        timeout_seconds=min(function.timeout_seconds, LONGEST_TIMEOUT_SECONDS),
        memory_mb=function.memory_mb,
        environment=function.environment,
        python=python,
    )
