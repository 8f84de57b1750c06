"""The table of the rules of service.md sections 1 to 8, 9.3, 10 and 11; `docs/reference/coverage.md` is made from it.

One row for each statement there: a row of a table, an item of a list or a paragraph that does not lead to one of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import coverage_of_definitions
import coverage_of_executions
import coverage_of_special_steps
from coverage_rows import Row
from rule_tables import ROOT, numbered

SERVICE: Path = ROOT / "docs" / "rules" / "service.md"
STATEMENTS: Mapping[str, str] = numbered(SERVICE.read_text(encoding="utf-8"), r"(?:[1-8]|10|11)(?:\.|$)|9\.3$")
"""By number, in the order of the document."""

_ROWS = (*coverage_of_definitions.ROWS, *coverage_of_executions.ROWS, *coverage_of_special_steps.ROWS)
ROWS: Mapping[str, Row] = {row.number: row for row in _ROWS}


def titles() -> Mapping[str, str]:
    """Title of each section that has statements, by its number, without its source marks."""
    text = SERVICE.read_text(encoding="utf-8")
    found = dict(re.findall(r"^##+ (\d+(?:\.\d+)?)\.? (.+?)(?: \[.*\])?$", text, re.MULTILINE))
    return {section: found[section] for section in dict.fromkeys(number.partition("-")[0] for number in STATEMENTS)}
