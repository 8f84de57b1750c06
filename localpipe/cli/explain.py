"""`explain`: why a step was answered from an earlier result, or was not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from localpipe.cli.common import home_option, json_option, print_json, table
from localpipe.cli.finding import find_execution
from localpipe.service.explain import explain as explained
from localpipe.service.explain import short_digests

if TYPE_CHECKING:
    from localpipe.core import JSON

_LONGEST_CELL = 60
_ABSENT = "-"


@click.command()
@click.argument("execution", metavar="EXEC")
@click.argument("step")
@json_option
@home_option
def explain(execution: str, step: str, as_json: bool, home: str | None) -> None:  # noqa: FBT001 - click passes by name
    """Say why STEP was answered from an earlier result or was not, member by member. EXEC is an ARN, an id or `last`."""
    explanation = explained(find_execution(home, execution), step)
    if as_json:
        print_json(explanation.document)
        return
    click.echo(explanation.outcome)
    for compared in explanation.comparisons:
        click.echo(f"\n{compared.sentence}")
        rows = [(path, _cell(old), _cell(new), name) for path, old, new, name in compared.changes]
        table(rows, ("MEMBER", "THEN", "NOW", ""))


def _cell(value: JSON) -> str:
    """The value in one short line; a long one without its middle."""
    if value is None:
        return _ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = short_digests(" ".join(text.split()))
    if len(text) <= _LONGEST_CELL:
        return text
    end = (_LONGEST_CELL - 1) // 2
    return f"{text[: _LONGEST_CELL - 1 - end]}…{text[-end:]}"
