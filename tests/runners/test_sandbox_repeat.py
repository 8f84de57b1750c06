from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from localpipe.runners._sandbox_directory import make_directory
from localpipe.runners._sandbox_launcher import Bubblewrap, Launcher, UtilLinux
from localpipe.runners._sandbox_plan import ROOT, Layer, RootFileSystem, SandboxPlan, Tools
from localpipe.runners._sandbox_repeat import repeat_script

TOP = PurePosixPath("/")
SHOW_WORDS = 'printf %s "$0"; exit 3'
SHOW_FILES = "find . | sort; find . -type l -exec readlink {} +; find . -type f -exec cat {} +"


def a_plan(place: Path, *, overlays: bool = True) -> SandboxPlan:
    below = place / "below"
    return SandboxPlan(
        directory=place / "it's again",
        host_name="algo-1",
        root=RootFileSystem(below=below),
        layers=(Layer(ROOT, below, TOP), Layer("venv", below, TOP / "venv")) if overlays else (),
        binds=(),
        files={TOP / "etc" / "x": b"%'\0\n\xff"},
        environment={"AWS_SECRET_ACCESS_KEY": "hush", "PIP_INDEX_URL": "http://me:hush@index/simple", "SEED": "7"},
        command=("python3", "run.py"),
        network_isolated=False,
    )


def test_a_script_keeps_its_words_and_its_exit_status(tmp_path: Path) -> None:
    script = repeat_script(a_plan(tmp_path), ("sh", "-c", SHOW_WORDS, "it's\n\\n 100% \udcff\n"))
    done = subprocess.run("sh", input=script, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"it's\n\\n 100% \xff\n"), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overlays", [True, False])
def test_a_script_makes_the_directory_that_a_start_finds(tmp_path: Path, *, overlays: bool) -> None:
    (tmp_path / "below" / "locked").mkdir(parents=True)
    (tmp_path / "below" / "link").symlink_to("/nowhere")
    plan = a_plan(tmp_path, overlays=overlays)
    script = repeat_script(plan, ("sh", "-c", SHOW_FILES))
    seen = subprocess.run("sh", input=script, capture_output=True, check=True).stdout
    make_directory(plan)
    made = subprocess.run(["sh", "-c", SHOW_FILES], cwd=plan.directory, capture_output=True, check=True).stdout
    assert seen == made
    assert b"%'\0\n\xff" in seen


@pytest.mark.parametrize("launcher", [Bubblewrap(Tools(bwrap="/usr/bin/bwrap", unshare="/usr/bin/unshare")), UtilLinux("x")])
def test_what_is_written_down_leaves_credentials_out(tmp_path: Path, launcher: Launcher) -> None:
    line = launcher.repeat_line(a_plan(tmp_path))
    assert "hush" not in " ".join(line)
    assert "SEED" in " ".join(line)
    assert line[-2:] == ("python3", "run.py")
