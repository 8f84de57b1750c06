"""The table of the rules of containers.md sections 1 and 2; `docs/reference/contract.md` is made from it.

One row for each statement there: a row of a table, an item of a list or a paragraph that does not lead to one of these. Its
number is its section with its place in it, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import rules_of_processing
import rules_of_training
from rules_model import FILES, MARKS, RUNNERS, Rule

__all__ = ["FILES", "MARKS", "RULES", "RUNNERS", "Rule"]

RULES: Mapping[str, Rule] = {rule.number: rule for rule in (*rules_of_processing.RULES, *rules_of_training.RULES)}
"""By number, in the order of the document."""
