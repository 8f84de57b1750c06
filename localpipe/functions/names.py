"""What the code of a module defines, as far as its text tells. Pure."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAKES_NAMES = frozenset({"exec", "globals", "setattr", "vars"})
"""A module that calls one of these may define what its text does not name."""


def defines(code: bytes, name: str) -> bool:
    """Whether a module of that code may have something of that name; True where its text does not tell."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):  # for a newer Python, or it fails when it is called
        return True
    return not {name, "*", "__getattr__", *_MAKES_NAMES}.isdisjoint(_names(tree))


def _names(node: ast.AST) -> Iterator[str]:
    """What is bound or called by name in a module, not in its functions and classes, but for names they call global."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _DEFINITIONS):
            yield child.name
            yield from (name for each in ast.walk(child) if isinstance(each, ast.Global) for name in each.names)
            continue
        if isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.Name) and (isinstance(child.ctx, ast.Store) or child.id in _MAKES_NAMES):
            yield child.id
        yield from _names(child)
