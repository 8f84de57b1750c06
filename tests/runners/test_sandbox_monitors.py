"""Directories of sandboxes, found among the working directories of all processes of the machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from localpipe.runners import _sandbox_process as processes


def test_a_fifo_in_somebody_s_working_directory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "process")
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as somebody:
        assert list(processes.directories_of_monitors(tmp_path.parent)) == []
        somebody.kill()


@pytest.mark.parametrize("content", [b"", b"notes about a process", b"1 (name) S", b"\xff\xfe"])
def test_a_file_of_that_name_with_something_else_in_it_is_no_monitor(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "process").write_bytes(content)
    assert processes.monitor_of(tmp_path) is None


def test_a_directory_of_that_name_is_no_monitor(tmp_path: Path) -> None:
    (tmp_path / "process").mkdir()
    assert processes.monitor_of(tmp_path) is None
