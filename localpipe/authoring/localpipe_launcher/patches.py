"""Attributes replaced for a while, and modules changed at the moment they are imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_ABSENT = object()


class Patches:
    """Replaced attributes of modules and classes. One owner; `undo` puts back what was there, last replaced first."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Set `owner.name` to `make(what is there)`. An inherited attribute is inherited again after `undo`."""
        self._undo.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, make(getattr(owner, name)))

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            owner, name, before = self._undo.pop()
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)


class AfterImport:
    """Calls an action with a module right after it is imported, or at once if it is there already.

    `actions`: full module name → action. Effective from `install` to `remove`.
    """

    def __init__(self, actions: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._actions = actions

    def install(self) -> None:
        """Act on the modules that are there; watch for the others."""
        for name, action in self._actions.items():
            if name in sys.modules:
                action(sys.modules[name])
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Watch no longer."""
        sys.meta_path.remove(self)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders give, with the action added behind its `exec_module`."""
        action = self._actions.get(fullname)
        spec = _find_elsewhere(self, fullname, path, target) if action else None
        if spec is not None and spec.loader is not None and action:
            _act_after_exec(spec.loader, action)
        return spec


def _find_elsewhere(
    ours: AfterImport, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if finder is not ours:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


def _act_after_exec(loader: Any, action: Callable[[ModuleType], None]) -> None:
    execute = loader.exec_module

    def execute_and_act(module: ModuleType) -> None:
        execute(module)
        action(module)

    loader.exec_module = execute_and_act
