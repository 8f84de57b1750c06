from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images import environments
from localpipe.images.environments import Environments
from localpipe.images.resources import containers_dir
from localpipe.images.wheels import locked

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"
STEP_IMAGE = "localpipe/base-python-311:1.0"
PYTHON_3_11 = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the running Python is not 3.11")


def environments_in(cache: Path, **options: object) -> Environments:
    return Environments(**{"cache": cache, "containers": containers_dir(), "mappings": {}} | options)  # type: ignore[arg-type]


@PYTHON_3_11
def test_a_known_image_has_a_place_before_it_is_made(tmp_path: Path) -> None:
    status = environments_in(tmp_path).environment(XGBOOST)
    assert status.path is not None
    assert status.path.parent == tmp_path / "environments"
    assert status.path.name.startswith("xgboost-1.0-1-")
    assert not status.ready
    assert status.notes == ("XGBoost 3.2.0 stands for 1.0-1 (`xgboost_exact = true` takes 1.0.2)",)
    assert status.python == "3.11"
    assert not status.path.exists()


@PYTHON_3_11
def test_other_pins_have_another_place(tmp_path: Path) -> None:
    default, exact = (environments_in(tmp_path, exact=exact).environment(XGBOOST) for exact in (False, True))
    assert default.path != exact.path
    assert exact.notes == ()


def test_an_unknown_image_is_refused_with_what_helps(tmp_path: Path) -> None:
    status = environments_in(tmp_path).environment("my-image:1")
    assert (status.path, status.reason) == (None, "localpipe has no stand-in for this repository.")
    assert status.remedy == (
        'Map it in localpipe.toml under [images], for example "my-image:1" = "localpipe/scikit-learn:1.2-1",'
        " name a Python that serves it (setting `unknown_image_python`), or use the Docker runner."
    )
    with pytest.raises(ImageMissing, match="my-image:1: localpipe has no stand-in"):
        environments_in(tmp_path).ensure("my-image:1", print)


def test_an_interpreter_serves_unknown_images(tmp_path: Path) -> None:
    python = Path(sys.executable)
    status = environments_in(tmp_path, unknown_python=python).environment("my-image:1")
    assert (status.path, status.ready) == (python.parents[1], True)
    assert status.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert environments_in(tmp_path, unknown_python=python).ensure("my-image:1", print) == python.parents[1]


def test_a_linked_interpreter_stands_for_its_installation(tmp_path: Path) -> None:
    real, link = tmp_path / "python-3.11" / "bin" / "python3.11", tmp_path / "bin" / "python"
    for file in (real, real.parents[1] / "lib" / "python3.11" / "os.py"):
        file.parent.mkdir(parents=True)
        file.touch()
    link.parent.mkdir()
    link.symlink_to(real)
    status = environments_in(tmp_path, unknown_python=link).environment("my-image:1")
    assert (status.path, status.ready) == (real.parents[1], True)


@pytest.mark.parametrize("prefix", ["", ".local"])
def test_an_interpreter_beside_a_users_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    python = tmp_path / prefix / "bin" / "python3"
    for file in (python, tmp_path / prefix / "lib" / "python3.11" / "os.py"):
        file.parent.mkdir(parents=True)
        file.touch()
    status = environments_in(tmp_path, unknown_python=python).environment("my-image:1")
    assert status.path is None
    assert status.reason == (
        f"the setting `unknown_image_python` names {python}, which has no directory of its own that jobs could be shown."
    )
    assert status.remedy == f"Make a virtual environment (`{python} -m venv DIRECTORY`) and name the Python in it."


def test_a_wrapper_of_an_interpreter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shims").mkdir()
    (tmp_path / "shims" / "python").touch()
    status = environments_in(tmp_path, unknown_python=tmp_path / "shims" / "python").environment("my-image:1")
    assert status.path is None
    assert "-m venv DIRECTORY" in status.remedy


@PYTHON_3_11
def test_an_image_named_after_another_python_is_refused_with_what_to_install(tmp_path: Path) -> None:
    uri = "236514542706.dkr.ecr.us-west-2.amazonaws.com/sagemaker-base-python-310:1.0"
    status = environments_in(tmp_path, base_python=Path(sys.executable)).environment(uri)
    assert status.path is None
    assert status.reason == f"its stand-in base-python-310:1.0 needs Python 3.10, and {sys.executable} is not that."
    assert status.remedy == "Install it (`uv python install 3.10`), or use the Docker runner."


def test_an_image_mapped_to_one_that_only_an_engine_runs_is_refused(tmp_path: Path) -> None:
    status = environments_in(tmp_path, mappings={"my-image:*": "mine:2"}).environment("my-image:1")
    assert status.path is None
    assert status.reason == "[images] in localpipe.toml maps it to mine:2, which is no stand-in that could be made here."
    assert status.remedy == (
        "Map it to a stand-in (`localpipe/scikit-learn:1.2-1`), name a Python that serves it"
        " (setting `unknown_image_python`), or use the Docker runner."
    )


def test_an_image_mapped_to_an_archive_is_refused(tmp_path: Path) -> None:
    status = environments_in(tmp_path, mappings={"my-image:*": "oci:/some/image.tar"}).environment("my-image:1")
    assert (status.path, status.remedy) == (None, "Use `--runner sandbox`.")
    assert status.reason == (
        "[images] in localpipe.toml maps it to the archive /some/image.tar, and the process runner runs no images."
    )


@PYTHON_3_11
def test_an_unknown_image_can_be_mapped_to_a_stand_in(tmp_path: Path) -> None:
    mapped = environments_in(tmp_path, mappings={"my-image*": "localpipe/xgboost:1.0-1"})
    assert mapped.environment("my-image:1").path == environments_in(tmp_path).environment(XGBOOST).path
    assert mapped.environment("my-image:1").notes == ()


def test_a_python_that_does_not_run_is_refused(tmp_path: Path) -> None:
    status = environments_in(tmp_path, base_python=tmp_path / "python").environment(XGBOOST)
    assert status.path is None
    assert status.reason == f"its stand-in xgboost:1.0-1 needs Python 3.10 or 3.11, and {tmp_path / 'python'} is not that."
    assert status.remedy == "Install it (`uv python install 3.11`), or use the Docker runner."


@pytest.mark.slow
def test_an_environment_is_made_once_and_said(tmp_path: Path) -> None:
    made = environments_in(tmp_path)
    said: list[str] = []
    path = made.ensure(STEP_IMAGE, said.append)
    assert said[0].startswith("Making the environment for base-python-311:1.0 with Python 3.11")
    assert made.environment(STEP_IMAGE).ready
    script = (
        "import boto3, requests, joblib, sagemaker.remote_function.invoke_function, sys;"
        " import sagemaker.core.remote_function.invoke_function; print(sys.prefix)"
    )
    outcome = subprocess.run([path / "bin" / "python", "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines()[-1] == str(path)
    assert {"python", "python3", "pip", "train"} <= {each.name for each in (path / "bin").iterdir()}
    said.clear()
    assert made.ensure(STEP_IMAGE, said.append) == path
    assert said == []


def test_the_containers_are_found_in_an_installed_package(tmp_path: Path) -> None:
    package = tmp_path / "localpipe"
    shutil.copytree(Path(environments.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(containers_dir(), package / "_containers")
    script = "from localpipe.images.resources import *; print(containers_dir(), len(shared_pins(containers_dir())) > 20)"
    outcome = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert outcome.stdout == f"{package / '_containers'} True\n"


def test_a_cache_that_cannot_be_written_is_named_with_what_to_set() -> None:
    with (
        pytest.raises(RunnerUnavailable, match=r"The cache /proc/none cannot be written: .+ Set XDG_CACHE_HOME"),
        locked(Path("/proc/none/environment")),
    ):
        pass
