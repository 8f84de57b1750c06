from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from localpipe.images import catalogue, wheels
from localpipe.images.resources import containers_dir, requirements, shared_pins


def sdist(folder: Path, name: str, files: dict[str, str]) -> Path:
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def test_the_same_content_gives_the_same_wheel(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, second = (
        wheels.pure_wheel(folder, "demo", "1", {"demo.py": b"x = 1\n"}, {"demo": "demo:main"}) for folder in folders
    )
    assert first.name == "demo-1-py3-none-any.whl"
    assert first.read_bytes() == second.read_bytes()


def test_a_wheel_can_be_installed_and_its_script_runs(tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"def main():\n    print('hello')\n"}
    wheel = wheels.pure_wheel(tmp_path, "demo", "1", files, {"demo": "demo:main"})
    target = tmp_path / "site"
    wheels.run_uv("pip", "install", "--no-deps", "--offline", f"--python={sys.executable}", f"--target={target}", str(wheel))
    outcome = subprocess.run(
        [target / "bin" / "demo"], env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True
    )
    assert outcome.stdout == "hello\n"


@pytest.mark.parametrize("root", ["", "src/"])
def test_a_source_archive_becomes_a_wheel_of_its_modules_only(tmp_path: Path, root: str) -> None:
    files = {f"{root}demo_project/__init__.py": "", "setup.py": "raise SystemExit", "example.py": ""}
    archive = sdist(tmp_path, "demo_project-2.0", files)
    with zipfile.ZipFile(wheels.wheel_from_source(archive, tmp_path)) as wheel:
        modules = [name for name in wheel.namelist() if name.endswith(".py")]
    assert modules == ["demo_project/__init__.py"]


def test_spark_keeps_its_jars_and_its_programs_can_be_executed(tmp_path: Path) -> None:
    files = {
        "pyspark/__init__.py": "",
        "deps/bin/spark-submit": "#!/bin/sh\n",
        "deps/jars/a.jar": "x",
        "deps/data/b.csv": "",
    }
    archive = sdist(tmp_path, "pyspark-3.5.7", files)
    with zipfile.ZipFile(wheels.wheel_from_source(archive, tmp_path)) as wheel:
        modes = {
            entry.filename: entry.external_attr >> 16 for entry in wheel.infolist() if "dist-info" not in entry.filename
        }
    assert modes == {"pyspark/__init__.py": 0o100644, "pyspark/bin/spark-submit": 0o100755, "pyspark/jars/a.jar": 0o100644}


def test_the_toolkit_keeps_its_train_and_needs_no_compiler(tmp_path: Path) -> None:
    files = {"src/sagemaker_training/__init__.py": "", "src/sagemaker_training/c/gethostname.c": "int x;"}
    archive = sdist(tmp_path, "sagemaker_training-5.1.4", files)
    with zipfile.ZipFile(wheels.wheel_from_source(archive, tmp_path)) as wheel:
        assert "gethostname.py" in wheel.namelist()
        scripts = wheel.read("sagemaker_training-5.1.4.dist-info/entry_points.txt").decode()
    assert scripts == "[console_scripts]\ntrain = sagemaker_training.cli.train:main\n"


def test_a_folder_left_half_filled_is_filled_again_and_a_filled_one_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with suppress(ZeroDivisionError), wheels.filled(folder) as empty:
        assert empty
        (folder / "half").touch()
        raise ZeroDivisionError
    with wheels.filled(folder) as empty:
        assert empty
        assert not (folder / "half").exists()
        (folder / "whole").touch()
    with wheels.filled(folder) as empty:
        assert not empty
    assert (folder / "whole").exists()


def test_requirements_are_read_without_comments() -> None:
    assert requirements("# why\na==1   # because\n\nb==2\n") == ("a==1", "b==2")


def test_every_pin_is_exact_and_no_package_is_pinned_twice() -> None:
    shared = shared_pins(containers_dir())
    for stand_in in catalogue.all_stand_ins():
        names, equals, versions = zip(*(pin.partition("==") for pin in (*shared, *stand_in.pins)), strict=True)
        assert set(equals) == {"=="}
        assert all(versions)
        assert len(set(names)) == len(names)


def test_the_images_set_the_variables_that_processes_are_given_too() -> None:
    dockerfile = (containers_dir() / "python-base" / "Dockerfile").read_text()
    for name, value in catalogue.IMAGE_ENVIRONMENT.items():
        assert f"{name}={value}" in dockerfile
