"""Takes typed members out of a JSON object and keeps every problem met on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.definition.expression_forms import unknown_members
from localpipe.definition.wording import EXPECTING_ARRAY, EXPECTING_OBJECT, PARSE_PREFIX, element, kind_of, member, shown
from localpipe.errors import Problem

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from localpipe.core import JSON


class Reader:
    """One object of the definition. A member that is null counts as absent; a wrong one is reported and counts as absent.

    Mutable: appends to `problems`, which the readers of one definition share.
    """

    def __init__(self, value: JSON, path: str, problems: list[Problem], what: str) -> None:
        self.path, self.problems = path, problems
        self.is_object = isinstance(value, dict)
        self.members: dict[str, JSON] = {k: v for k, v in value.items() if v is not None} if self.is_object else {}
        if not self.is_object:
            self.report(EXPECTING_OBJECT, f"{what} is an object; found {kind_of(value)}: {shown(value)}.")

    def report(self, message: str, remedy: str = "", at: str | None = None) -> None:
        """Keep a problem of this object, or of its member `at`."""
        self.problems.append(Problem(self.path if at is None else member(self.path, at), message, remedy))

    def only(self, *known: str) -> None:
        """Report every member that is not known."""
        self.problems.extend(unknown_members(self.members, known, self.path))

    def text(self, name: str, *, longest: int | None = None, required: bool = False) -> str | None:
        """A string member of at most `longest` characters."""
        value = self.members.get(name)
        if value is None:
            if required and self.is_object:
                self.report(f"{PARSE_PREFIX}'{name}' is missing.", f"Add {name}, a string.")
        elif not isinstance(value, str):
            self.report(f"{PARSE_PREFIX}'{name}' is a literal string; found {kind_of(value)}: {shown(value)}.", at=name)
        elif longest is not None and len(value) > longest:
            self.report(f"'{name}' has {len(value)} characters; at most {longest} are allowed.", at=name)
        else:
            return value
        return None

    def name(self, name: str, pattern: re.Pattern[str], rule: str) -> str | None:
        """A required string member that names something; `rule` says in words what the pattern allows.

        One that does not match is reported and returned all the same, so that references to it are not reported too.
        """
        value = self.text(name, required=True)
        if value is not None and not pattern.fullmatch(value):
            self.report(f"{shown(value)} is not allowed as a name.", rule, at=name)
        return value

    def boolean(self, name: str) -> bool | None:
        """A boolean member."""
        value = self.members.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.report(f"{PARSE_PREFIX}'{name}' is true or false; found {kind_of(value)}: {shown(value)}.", at=name)
        return None

    def number(self, name: str, most: float | None = None, *, whole: bool = False) -> float | None:
        """A number member from 0 to `most` (None: no limit), without a fraction if `whole`."""
        value = self.members.get(name)
        if value is None:
            return None
        bounds = "of at least 0" if most is None else f"from 0 to {most:g}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not (whole and value % 1)
        if is_number and 0 <= value <= (value if most is None else most):
            return int(value) if whole else value
        self.report(f"'{name}' is {'an integer' if whole else 'a number'} {bounds}; found {shown(value)}.", at=name)
        return None

    def items(self, name: str) -> Sequence[tuple[JSON, str]]:
        """The elements of a list member, each with its JSON path; none if the list is absent."""
        value = self.members.get(name, [])
        if isinstance(value, list):
            at = member(self.path, name)
            return [(inner, element(at, index)) for index, inner in enumerate(value)]
        self.report(EXPECTING_ARRAY, f"{name} is a list; found {kind_of(value)}: {shown(value)}.", at=name)
        return []
