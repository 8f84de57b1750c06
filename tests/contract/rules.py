"""The table of the rules of containers.md sections 1 to 4; `docs/reference/contract.md` is made from it.

One row for each statement there: a row of a table, an item of a list or a paragraph that does not lead to one of these. Its
number is its section with its place in it, from 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import rules_of_processing
import rules_of_serving
import rules_of_training
import rules_of_tuning
from rules_model import FILES, MARKS, RUNNERS, Rule

__all__ = ["FILES", "MARKS", "RULES", "RUNNERS", "Rule"]

_SECTIONS = (rules_of_processing, rules_of_training, rules_of_serving, rules_of_tuning)
RULES: Mapping[str, Rule] = {rule.number: rule for section in _SECTIONS for rule in section.RULES}
"""By number, in the order of the document."""
