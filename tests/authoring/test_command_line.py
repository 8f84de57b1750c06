"""The options of `run`, `check` and `graph` that are the author's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from localpipe.cli import localpipe


@pytest.mark.parametrize("command", ["run", "check", "graph"])
def test_what_follows_two_dashes_is_the_scripts(command: str, tmp_path: Path) -> None:
    script = tmp_path / "pipeline.py"
    script.write_text("import sys\nraise ValueError(sys.argv[1:])\n")
    arguments = [command, str(script), "--home", str(tmp_path / "home"), "--", "--region", "eu-west-1", "--", "-h"]
    ended = CliRunner().invoke(localpipe, arguments)
    assert str(ended.exception).endswith("ValueError: ['--region', 'eu-west-1', '--', '-h']")


def test_without_dashes_a_second_target_is_refused(tmp_path: Path) -> None:
    ended = CliRunner().invoke(localpipe, ["check", "pipeline.py", "other.py", "--home", str(tmp_path)])
    assert ended.exit_code == 2
    assert "Got unexpected extra argument (other.py)" in ended.output


def test_the_usage_tells_of_them() -> None:
    assert "TARGET [-- ARGS...]" in CliRunner().invoke(localpipe, ["run", "--help"]).output


def test_a_definition_takes_no_arguments(tmp_path: Path) -> None:
    definition = tmp_path / "definition.json"
    definition.write_text("{}")
    options = ["--function", "f", "--arg", "a=1", "--home", str(tmp_path / "home"), "--", "x"]
    ended = CliRunner().invoke(localpipe, ["graph", str(definition), *options])
    assert str(ended.exception) == "Only a script (.py, .ipynb) takes --function, --arg, -- ARGS."
