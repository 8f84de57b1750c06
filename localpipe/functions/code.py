"""What tells the code of a Lambda function from other code that had its name."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from localpipe.functions.imports import modules_of, with_imported

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from localpipe.core.functions import Function

_COMPILED = ".pyc"


def code_digest(function: Function, kept_below: Path) -> str:
    """A digest of a function's code, handler and variables. Raises OSError.

    Of code that an execution keeps, below `kept_below`, all files count; of the user's own the module with the handler and
    what it imports from beside it (`with_imported`). A file that is not there counts as none.
    """
    contents = {
        str(file.relative_to(function.directory)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(_files(function, kept_below))
        if file.is_file() and file.suffix != _COMPILED
    }
    told = [function.handler, dict(function.environment), contents]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _files(function: Function, kept_below: Path) -> Iterable[Path]:
    if kept_below in function.directory.parents:
        return function.directory.rglob("*")
    module = function.handler.partition(".")[0]
    begun = [function.file] if function.file else modules_of(module, function.directory)
    return with_imported(begun, function.directory)
