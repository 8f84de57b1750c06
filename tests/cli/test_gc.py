"""`gc`: what is kept, what goes, and that nobody loses an execution that goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import Cli, Write, decision

from localpipe.journal.lease import driving
from localpipe.runners.root_cache import KnownImage, RootCache


@pytest.fixture
def ran(cli: Cli, write: Write) -> list[str]:
    """The ids of three executions that ended, oldest first."""
    definition = write(decision())
    documents = [cli("run", definition, "--json").document for _ in range(3)]
    return [document["PipelineExecutionArn"].rpartition("/")[2] for document in documents]


def ids(cli: Cli) -> list[str]:
    return [row["ExecutionId"] for row in reversed(cli("ls", "--json").document)]


@pytest.mark.parametrize(("keep", "left"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (50, 3)])
def test_the_newest_are_kept(cli: Cli, ran: list[str], place: Path, keep: int, left: int) -> None:
    ended = cli("gc", "--older-than", "0", "--keep", str(keep))
    assert ended.status == 0
    gone, kept = ran[: 3 - left], ran[3 - left :]
    assert [line.split()[0] for line in ended.out.splitlines()] == (gone or ["Nothing"])
    assert ids(cli) == kept
    assert sorted(path.name for path in (place / ".localpipe" / "runs").iterdir()) == sorted(kept)


def test_a_dry_run_removes_nothing(cli: Cli, ran: list[str]) -> None:
    ended = cli("gc", "--older-than", "0", "--keep", "1", "--dry-run")
    assert [line.split()[0] for line in ended.out.splitlines()] == ran[:2]
    assert ids(cli) == ran


def test_what_ended_lately_is_kept(cli: Cli, ran: list[str]) -> None:
    assert cli("gc", "--keep", "0").out == "Nothing to remove.\n"
    assert ids(cli) == ran


def test_an_execution_that_a_process_drives_is_kept(cli: Cli, ran: list[str], place: Path) -> None:
    with driving(place / ".localpipe" / "runs" / ran[0]):
        cli("gc", "--older-than", "0", "--keep", "0")
    assert ids(cli) == ran[:1]


def test_what_an_earlier_gc_left_is_removed(cli: Cli, ran: list[str], place: Path) -> None:
    left = place / ".localpipe" / "runs" / ".trash-abc-1" / "Step"
    left.mkdir(parents=True)
    (left / "file").write_text("")
    left.chmod(0o555)
    assert cli("gc").status == 0
    assert not left.parent.exists()
    assert ids(cli) == ran


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache with the unpacked image of an archive that is gone, which was used long ago."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = tmp_path / "cache" / "localpipe" / "images"
    RootCache(images).add(KnownImage(name="oci:/gone.tar", image_id="sha256:abc", config={}), [[bytes(1024)]])
    os.utime(images / "abc", (100_000, 100_000))
    return tmp_path / "cache" / "localpipe"


def test_what_is_kept_for_jobs_is_listed(cli: Cli, cache: Path) -> None:
    heading, row, total = cli("gc", "--kept").out.splitlines()
    assert heading.split() == ["WHAT", "SIZE", "LAST", "USED", "WHERE"]
    assert row.startswith("unpacked image oci:/gone.tar  0.0 MiB  1970-01-0")
    assert row.endswith(str(cache / "images" / "abc"))
    assert total == f"0.0 MiB below {cache}"


@pytest.mark.docker
@pytest.mark.sandbox
def test_what_is_removed_of_it_is_said(cli: Cli, ran: list[str], cache: Path) -> None:
    assert ran
    assert cli("gc").out == "removed unpacked image oci:/gone.tar (0.0 MiB), which no job will want any more\n"
    assert not (cache / "images" / "abc").exists()
