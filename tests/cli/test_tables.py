"""Tables on terminals of several widths."""

from __future__ import annotations

from localpipe.cli.tables import laid_out

ROWS = [("Prepare", "Succeeded", "10:00", ""), ("Train", "Failed", "10:01", "out of memory")]
HEADINGS = ("STEP", "STATUS", "STARTED", "")


def test_as_wide_as_it_takes_where_there_is_no_terminal() -> None:
    assert laid_out(ROWS, HEADINGS) == [
        "STEP     STATUS     STARTED",
        "Prepare  Succeeded  10:00",
        "Train    Failed     10:01    out of memory",
    ]


def test_a_last_column_without_heading_may_be_broken_at_the_edge() -> None:
    assert laid_out(ROWS, HEADINGS, width=27) == laid_out(ROWS, HEADINGS)


def test_a_narrow_terminal_goes_without_what_is_expendable() -> None:
    assert laid_out(ROWS, HEADINGS, expendable=("STARTED",), width=26) == [
        "STEP     STATUS",
        "Prepare  Succeeded",
        "Train    Failed     out of memory",
    ]


def test_a_terminal_too_narrow_for_columns_has_the_cells_below_each_other() -> None:
    assert laid_out(ROWS, HEADINGS, expendable=("STARTED",), width=17) == [
        "Prepare",
        "  Succeeded",
        "Train",
        "  Failed",
        "  out of memory",
    ]


def test_no_rows_no_lines() -> None:
    assert laid_out([], HEADINGS) == []
    assert laid_out([], HEADINGS, width=5) == []
