"""Executes the author's script as Python itself would: as a module that is imported, or as the program (`__main__`)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import notebook

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "localpipe.toml", ".git")
NOTEBOOK_SUFFIX = ".ipynb"


def package_of(script: Path) -> tuple[str, Path]:
    """The dotted package that a script stands in ("" for none) and the folder that this package is imported from."""
    folder = script.absolute().parent
    parts: list[str] = []
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def project_root(folder: Path) -> Path | None:
    """The nearest folder, from `folder` upwards, that holds one of `PROJECT_FILES`."""
    for candidate in (folder, *folder.parents):
        if any((candidate / name).exists() for name in PROJECT_FILES):
            return candidate
    return None


def search_path(script: Path, before: list[str]) -> list[str]:
    """`before` with what the script may import from besides.

    Its own folder comes first, as in `python script.py`. The folder its package is imported from, the working folder (as in
    `python -m`) and the root of its project come last: a folder there that is named as an installed package hides none.
    """
    folder = script.absolute().parent
    last = (package_of(script)[1], Path.cwd(), project_root(folder))
    return list(dict.fromkeys([str(folder), *before, *(str(path) for path in last if path)]))


def execute(script: Path, names: Mapping[str, Any], *, as_program: bool) -> ModuleType:
    """Run the script's code once, in a module that has `names` from the start; return the module.

    As a program its `__name__` is `__main__`; otherwise the name by which it would be imported. It stays in `sys.modules`
    only while it runs: what the SDK pickles afterwards (`@step` functions) is then pickled by value, as for a program.
    """
    package = package_of(script)[0]
    name = f"{package}.{script.stem}" if package else script.stem
    module = ModuleType("__main__" if as_program else name)
    module.__file__ = str(script.absolute())
    module.__package__ = package
    module.__spec__ = None if as_program else importlib.machinery.ModuleSpec(name, None, origin=module.__file__)
    vars(module).update(names)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        exec(compile(_source(script), module.__file__, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - our purpose
    finally:
        _restore(module.__name__, before)
    return module


def read(script: Path) -> str:
    """The script's text, decoded as Python decodes source files (encoding line, byte order mark); a notebook's code."""
    if script.suffix == NOTEBOOK_SUFFIX:
        return notebook.source_of(script.read_text(encoding="utf-8-sig"))
    return importlib.util.decode_source(script.read_bytes())


def _source(script: Path) -> str:
    """What `read` gives; tracebacks show the lines of a notebook's code, not of its JSON."""
    text = read(script)
    if script.suffix == NOTEBOOK_SUFFIX:
        name = str(script.absolute())
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return text


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module
