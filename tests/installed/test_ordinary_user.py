"""localpipe as most people have it: installed from the wheel, by an ordinary user, used in an empty folder.

Root makes the user; everything else that user does. Files that containers wrote as root must be the user's in the end.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = "localpipe-test"
PYTHON = "/usr/bin/python3"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can make an ordinary user"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(directory), str(ROOT)], check=True
    )
    return next(directory.glob("*.whl"))


class Person:
    """An ordinary user with a home directory, who may use the Docker engine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "work"

    def types(self, *command: str) -> subprocess.CompletedProcess[str]:
        clean = {"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "USER": USER}
        passed = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "UV_", "SSL_"))}
        user = pwd.getpwnam(USER)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
        return subprocess.run(
            [*as_user, *command], cwd=self.folder, env={**passed, **clean}, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def person(wheel: Path) -> Iterator[Person]:
    home = Path("/var/tmp") / USER  # noqa: S108 - outside of root's own directories
    subprocess.run(["userdel", USER], capture_output=True, check=False)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["useradd", "--create-home", "--home-dir", str(home), USER], check=True)
    subprocess.run(["usermod", "-aG", "docker", USER], capture_output=True, check=False)
    someone = Person(home)
    shutil.copy(wheel, home)
    someone.folder.mkdir()
    shutil.chown(someone.folder, USER)
    someone.folder.chmod(0o755)
    venv = someone.types(PYTHON, "-m", "venv", str(home / "venv"))
    assert venv.returncode == 0, venv.stderr
    installed = someone.types(str(home / "venv/bin/pip"), "install", "--quiet", str(home / wheel.name))
    assert installed.returncode == 0, installed.stderr
    yield someone
    subprocess.run(["pkill", "-KILL", "-u", USER], check=False)
    subprocess.run(["userdel", USER], capture_output=True, check=False)
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    "runner", [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
)
def test_the_abalone_pipeline_runs_and_every_file_is_the_users(runner: str, person: Person) -> None:
    sample = person.folder / f"abalone-{runner}"
    shutil.copytree(ROOT / "sample_pipelines" / "abalone", sample)
    subprocess.run(["chown", "-R", USER, str(sample)], check=True)
    definition = str(sample / "definition.json")
    ended = person.types(
        str(person.home / "venv/bin/localpipe"),
        "run",
        definition,
        "--runner",
        runner,
        "--json",
        "--home",
        str(sample / "home"),
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["PipelineExecutionStatus"] == "Succeeded"
    uid = pwd.getpwnam(USER).pw_uid
    foreign = [str(path) for path in (sample / "home").rglob("*") if path.lstat().st_uid != uid]
    assert not foreign
    removed = person.types("rm", "-r", str(sample / "home"))
    assert removed.returncode == 0, removed.stderr


def test_what_the_wheel_ships_is_enough_in_an_empty_folder(person: Person) -> None:
    binary = str(person.home / "venv/bin/localpipe")
    assert person.types(binary, "init", "mine").returncode == 0
    assert (person.folder / "mine" / "pipeline.py").exists()
    doctor = person.types(binary, "doctor")
    assert "runner process" in doctor.stdout, doctor.stderr
    mapped = person.types(binary, "images", "map", "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1")
    assert "localpipe/xgboost:1.5-1" in mapped.stdout, mapped.stderr
