"""The parts of the page on coverage: every statement of service.md, every member of a request, and what becomes of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from coverage_rows import Row

    from localpipe.core import JSON
    from localpipe.jobs.unsupported import Unsupported
    from localpipe.steps.base import StepType

_LONGEST = 200
_OWN_ARGUMENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "Lambda": (("Arguments", "All of them are the event of the function."),),
    "Callback": (("Arguments", "All of them are the `arguments` of the message."),),
    "Condition": (
        ("Arguments.Conditions", "All must hold."),
        ("Arguments.IfSteps", "The steps that run if they do."),
        ("Arguments.ElseSteps", "The steps that run if they do not."),
    ),
    "Fail": (("Arguments.ErrorMessage", "The reason of the step and of the execution."),),
}
"""What is in the arguments of the types that call no operation, and what it is for; each is as on the service."""
STATES = ("holds", "differs", "refused", "not localpipe's")


def statements(table: ModuleType, rows: ModuleType) -> Iterator[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    """Yield each section's title, headings and rows. `table`: tests' coverage_table, `rows`: their coverage_rows."""
    for section, title in table.titles().items():
        found = [
            _statement(number, text, table.ROWS[number], rows)
            for number, text in table.STATEMENTS.items()
            if number.startswith(f"{section}-")
        ]
        yield f"{section} {title}", ("No.", "The rule, in short", "Known", "Here", "Shown by"), found


def summary(table: ModuleType, rows: ModuleType) -> Iterator[tuple[str, ...]]:
    """For each way of knowing, how many statements hold, differ, are refused or are none of localpipe's matters."""
    counts: Counter[tuple[str, str]] = Counter()
    for number, text in table.STATEMENTS.items():
        row = table.ROWS[number]
        counts[rows.known_by(rows.marks_of(text, row)), row.state] += 1
    for known in sorted({known for known, _ in counts}, key=lambda word: (word.split(",")[0] != "observed", word)):
        yield known, *(str(counts[known, state] or "") for state in STATES)


def arguments(kind: StepType, model: JSON, tables: Mapping[str, Sequence[Unsupported]]) -> Iterator[tuple[str, str, str]]:
    """Yield every member of a step type's request below which there is no other, what becomes of it, and why.

    `tables`: what is refused, by the shape of the request. Members that one rule covers whole are one row. Of a type without
    a request the members of the step are told.
    """
    if not kind.request_shape:
        yield from ((rule.member, rule.verdict.value.lower(), rule.told) for rule in kind.fidelity)
        yield from ((member, "exact", what) for member, what in _OWN_ARGUMENTS[kind.type])
        return
    shape = str(kind.request_shape)
    refused = {row.member: row for row in tables.get(shape, ())}
    told: set[str] = set()
    for leaf in _leaves(shape, model["shapes"], "", ()):
        outright = next((row for row in refused.values() if row.refuses is bool and _covers(row.member, leaf)), None)
        rule = next((rule for rule in kind.fidelity if _covers(rule.member, leaf)), None)
        member = outright.member if outright else rule.member if rule else leaf
        if member in told:
            continue
        told.add(member)
        if outright:
            yield member, "refused", outright.instead
        elif rule:
            some = refused.get(member)
            yield member, rule.verdict.value.lower(), f"Of some values: {some.feature} is refused." if some else rule.told
        else:
            yield member, "not judged", ""


def made(table: ModuleType) -> Iterator[tuple[str, ...]]:
    """Yield, for each step type, the tests of its properties and of what each SDK makes of it. `table`: of step types."""
    for name, row in table.MADE.items():
        by_v3 = "<br>".join(filter(None, (_tests(row.by_v3), row.note)))
        yield f"`{name}`", _tests(row.described), _tests(row.by_v2), by_v3


def _leaves(shape_name: str, shapes: JSON, path: str, above: tuple[str, ...]) -> Iterator[str]:
    shape = shapes[shape_name]
    if shape["type"] == "list":
        yield from _leaves(shape["member"]["shape"], shapes, f"{path}[*]", above)
    elif shape["type"] == "structure" and shape.get("members") and shape_name not in above:
        for name, inner in shape["members"].items():
            yield from _leaves(inner["shape"], shapes, f"{path}.{name}" if path else name, (*above, shape_name))
    else:
        yield path


def _covers(member: str, leaf: str) -> bool:
    return leaf == member or leaf.startswith((f"{member}.", f"{member}[*]"))


def _statement(number: str, text: str, row: Row, rows: ModuleType) -> tuple[str, ...]:
    marks = rows.marks_of(text, row)
    here = row.state if not row.note else f"{row.state}: {row.note}"
    return number, _in_short(text, rows.MARKS), f"{rows.known_by(marks)} ({', '.join(marks)})", here, _tests(row.tests)


def _tests(names: Iterable[str]) -> str:
    return "<br>".join(f"`{key}` {test[5:].replace('_', ' ')}" for key, test in (name.split("::") for name in names))


def _in_short(text: str, marks: Iterable[str]) -> str:
    """A statement on one line: the cells of a row side by side, without the marks at its end, cut after some words."""
    if text.startswith("```"):
        return "The example."
    names = "|".join(name for name in marks if name.isalnum())
    cells = re.split(r"(?<!\\)\|", text.strip().strip("|")) if text.startswith("|") else [text.removeprefix("* ")]
    line = "; ".join(filter(None, (cell.strip().replace("\\|", "|") for cell in cells)))
    line = re.sub(rf";? ?\[(?:{names})\b[^\]]*\]\.?$", "", line).replace("**", "")
    line = re.sub(r"§(\d[\d.]*)", r"section \1", line)
    line = re.sub(r"(`[^`]*`)|\*", lambda found: found[1] or r"\*", line)
    if len(line) <= _LONGEST:
        return line
    cut = line[:_LONGEST].rpartition(" ")[0]
    return f"{cut}`…" if cut.count("`") % 2 else f"{cut} …"
