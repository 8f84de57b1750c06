"""One driver per execution, and waking it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localpipe.errors import ExecutionBusy
from localpipe.journal.lease import driving, is_driven, ring

DRIVER = """
import sys
from pathlib import Path
from localpipe.journal.lease import driving
with driving(Path(sys.argv[1])):
    print("driving", flush=True)
    sys.stdin.read()
"""


def test_a_second_driver_is_refused_and_told_who_drives(tmp_path: Path) -> None:
    with driving(tmp_path):
        assert is_driven(tmp_path)
        with pytest.raises(ExecutionBusy, match=str(os.getpid())), driving(tmp_path):
            pass
    assert not is_driven(tmp_path)
    with driving(tmp_path):
        pass


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "driving\n"
        assert is_driven(tmp_path)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    assert not is_driven(tmp_path)
    with driving(tmp_path):
        pass


def test_ringing_wakes_the_driver_and_is_no_error_without_one(tmp_path: Path) -> None:
    ring(tmp_path)
    with driving(tmp_path) as bell:
        ring(tmp_path)
        assert select.select([bell], [], [], 5)[0] == [bell]
    ring(tmp_path)
