"""Which of the author's own files a module imports, as far as their text tells."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def with_imported(files: Iterable[Path], directory: Path) -> Iterator[Path]:
    """The files, and those in `directory`, where modules are looked for, that they import, directly or not; each once.

    Of a package all of its `.py` files count. What is imported by a name that is only known when it runs is not seen.
    Raises OSError.
    """
    waiting = list(files)
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        yield file
        for name in sorted(_imported(file.read_bytes())):
            waiting += modules_of(name, directory)


def modules_of(name: str, directory: Path) -> Iterator[Path]:
    """The files of a module or package of that name, without dots; none if it is not there."""
    yield from (directory / name).rglob("*.py")
    if (module := directory / f"{name}.py").is_file():
        yield module


def _imported(code: bytes) -> set[str]:
    """The first parts of the names of the modules that a module imports; relative imports stay in its package."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it fails when it is called
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}
