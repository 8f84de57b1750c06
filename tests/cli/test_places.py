"""`s3`, `models`, `images`, `doctor`, `init`: what is where, and what this machine can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Cli, Write, decision, model


def test_objects_are_copied_listed_read_and_removed(cli: Cli, place: Path) -> None:
    (place / "data.csv").write_text("1,2\n")
    assert cli("s3", "cp", "data.csv", "s3://bucket/raw/a.csv").status == 0
    assert cli("s3", "cp", "data.csv", "s3://bucket/raw/b.csv").out == ""
    assert cli("s3", "ls").out == "s3://bucket\n"
    assert cli("s3", "ls", "s3://bucket/raw/").out == "s3://bucket/raw/a.csv\ns3://bucket/raw/b.csv\n"
    assert cli("s3", "ls", "s3://bucket/r").out == "s3://bucket/raw/\n"
    assert cli("s3", "ls", "s3://bucket/r", "--recursive").out.splitlines()[-1] == "s3://bucket/raw/b.csv"
    assert cli("s3", "cat", "s3://bucket/raw/a.csv").out == "1,2\n"
    assert cli("s3", "rm", "s3://bucket/raw/a.csv").status == 0
    assert cli("s3", "cp", "s3://bucket/raw/b.csv", "back.csv").status == 0
    assert (place / "back.csv").read_text() == "1,2\n"


def test_where_nothing_is_there_nothing_is_listed_and_no_home_made(cli: Cli, place: Path) -> None:
    for arguments in (("s3", "ls"), ("s3", "ls", "s3://bucket/x"), ("ls",), ("models",)):
        ended = cli(*arguments)
        assert (ended.status, ended.out) == (0, "")
    assert (cli("ls", "--json").document, cli("models", "--json").document) == ([], {"ModelPackages": [], "Models": []})
    assert cli("gc").out == "Nothing to remove.\n"
    assert list(place.iterdir()) == []


def test_the_home_may_be_named_before_and_after_a_command_of_a_group(cli: Cli, place: Path) -> None:
    (place / "data.csv").write_text("1")
    cli("s3", "--home", "elsewhere", "cp", "data.csv", "s3://bucket/a")
    assert cli("s3", "ls", "s3://bucket/", "--home", "elsewhere").out == "s3://bucket/a\n"
    assert (place / "elsewhere" / ".gitignore").read_text().endswith("*\n")
    assert cli("s3", "ls").out == ""


def test_mounted_directories_are_listed(cli: Cli, place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "a.csv").write_text("1")
    (place / "localpipe.toml").write_text('[s3.mounts]\n"s3://company/raw" = "./data"\n')
    assert cli("s3", "ls", "s3://company/", "--recursive").out == "s3://company/raw/a.csv\n"


def test_models_are_listed(cli: Cli, write: Write) -> None:
    cli("run", write(decision(else_steps=(model("Keep"),))))
    heading, line = cli("models").out.splitlines()
    assert heading.split("  ")[0] == "MODEL"
    assert line.startswith("pipelines-")
    assert line.endswith("s3://bucket/model.tar.gz")
    assert cli("models", "list").out.splitlines()[1] == line


def test_images_are_known_without_an_engine(cli: Cli) -> None:
    ended = cli("images")
    assert ended.status == 0
    assert ended.out.startswith("STAND-IN")
    assert "scikit-learn:1.2-1" in ended.out
    assert ended.err.startswith("Whether they are built cannot be told. No Docker engine answers at ")


def test_building_images_takes_an_engine(cli: Cli) -> None:
    ended = cli("images", "build", "scikit-learn:1.2-1")
    assert ended.status == 3
    assert ended.err.startswith("Error: No Docker engine answers at ")


def test_doctor_tells_what_is_missing_and_where_each_setting_came_from(
    cli: Cli, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "localpipe.toml").write_text('region = "eu-west-1"\n[slots]\njobs = 2\n')
    monkeypatch.setenv("LOCALPIPE_ACCOUNT", "999999999999")
    ended = cli("doctor")
    assert "[missing]  runner docker: No Docker engine answers at " in ended.out
    assert f"[ok]       home {place}/.localpipe: made by the first run\n" in ended.out
    shown = [line.split() for line in ended.out.splitlines()]
    assert ["region", "eu-west-1", f"{place}/localpipe.toml"] in shown
    assert ["account", "999999999999", "LOCALPIPE_ACCOUNT"] in shown
    assert ["slots", "jobs", "=", "2", f"{place}/localpipe.toml"] in shown
    assert ["max_parallel", "-", "default"] in shown
    assert re.search(r"\n\[(ok|missing)\]  +scripts", ended.out)
    assert not (place / ".localpipe").exists()


@pytest.mark.sandbox
def test_doctor_over_a_read_only_home_says_that_and_judges_the_runners_all_the_same(
    cli: Cli, place: Path, write: Write
) -> None:
    home = place / ".localpipe"
    elsewhere = re.findall(r"^.*runner process.*$", cli("doctor").out, re.MULTILINE)
    cli("run", write(decision()))
    read_only = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(home), str(home), sys.executable, "-m", "localpipe"]
    ended = subprocess.run([*read_only, "doctor"], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert f"[missing]  The home {home} cannot be written: " in ended.stdout
    assert re.findall(r"^.*runner process.*$", ended.stdout, re.MULTILINE) == elsewhere


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_init_writes_a_pipeline_and_overwrites_nothing(cli: Cli, place: Path, sdk: str) -> None:
    ended = cli("init", "my pipe", "--sdk", sdk)
    assert ended.status == 0
    assert ended.out.endswith("Next: cd 'my pipe' && localpipe run pipeline.py\n")
    assert (place / "my pipe" / "pipeline.py").exists()
    again = cli("init", "my pipe", "--sdk", sdk)
    assert again.status == 2
    assert "is there already, and nothing is overwritten" in again.err


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_what_init_writes_runs(cli: Cli, place: Path, sdk: str) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk.upper()}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk.upper()} names no Python with that SDK")
    cli("init", "--sdk", sdk)
    ended = cli("run", "pipeline.py", "--runner", "process", "--python", python, "--json")
    assert (ended.status, ended.document["PipelineExecutionStatus"]) == (0, "Succeeded")


def test_help_imports_nothing_heavy() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "localpipe", "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"boto3", "botocore", "docker", "networkx", "rich", "sqlite3", "starlette", "uvicorn", "asyncio"}


def test_rich_is_imported_for_the_live_view_alone(place: Path, write: Write) -> None:
    run = [sys.executable, "-X", "importtime", "-m", "localpipe", "run", write(decision())]
    shown = subprocess.run(run, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert "sqlite3" in imported
    assert "rich" not in imported
