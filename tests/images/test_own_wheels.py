from __future__ import annotations

import importlib.metadata
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import uv

from localpipe.images import catalogue, own_wheels, wheels
from localpipe.images.jars import wheel_of_jars
from localpipe.images.resources import containers_dir
from localpipe.images.sdk_pins import Part
from localpipe.images.spark_jars import SPARK_S3

(XGBOOST,) = catalogue.named("xgboost:1.2-1")
(EXACT_XGBOOST,) = catalogue.named("xgboost:1.2-1-exact")


def test_the_programs_wheel_names_the_tag_it_stands_for(tmp_path: Path) -> None:
    path = own_wheels.program_wheel(XGBOOST, "xgboost/algorithm", containers_dir(), tmp_path)
    with zipfile.ZipFile(path) as wheel:
        assert wheel.read("localpipe_xgboost/tag.txt") == b"1.2-1"
        assert b"train = localpipe_xgboost.train:main" in wheel.read("localpipe_xgboost-1.dist-info/entry_points.txt")


def test_each_program_has_the_scripts_of_its_own_package(tmp_path: Path) -> None:
    def scripts(name: str, program: str) -> list[str]:
        (stand_in,) = catalogue.named(name)
        with zipfile.ZipFile(own_wheels.program_wheel(stand_in, program, containers_dir(), tmp_path)) as wheel:
            (entry_points,) = (each for each in wheel.namelist() if each.endswith("entry_points.txt"))
            return wheel.read(entry_points).decode().splitlines()[1:]

    assert scripts("xgboost:1.2-1", "xgboost/algorithm") == [
        "serve = localpipe_xgboost.serve:main",
        "train = localpipe_xgboost.train:main",
    ]
    assert scripts("xgboost:1.2-1", "serving/program") == []
    assert scripts("scikit-learn:1.2-1", "serving/program") == ["serve = localpipe_serve.programs:scikit_learn"]
    assert scripts("pytorch:2.13", "serving/program") == ["serve = localpipe_serve.programs:pytorch"]


def test_a_package_is_installed_under_the_name_that_requirements_call_it(tmp_path: Path) -> None:
    pins = XGBOOST.pins
    assert own_wheels.aliases(pins) == ("xgboost==3.2.0",)
    (wheel,) = own_wheels.alias_wheels(pins, tmp_path)
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--offline", f"--target={tmp_path / 'site'}"]
    subprocess.run([*install, f"--python={sys.executable}", wheel], check=True, capture_output=True)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path / "site")])
    assert (found.name, found.version) == ("xgboost", "3.2.0")
    assert own_wheels.aliases(EXACT_XGBOOST.pins) == ()


def test_a_part_of_a_package_is_installed_beside_another_version_of_it(tmp_path: Path) -> None:
    files = {"sdk/__init__.py": b"", "sdk/lineage/__init__.py": b"", "sdk/core/__init__.py": b"", "sdk/core/job.py": b""}
    whole = wheels.pure_wheel(tmp_path, "sdk_core", "2.27.0", files, {})
    part = own_wheels.wheel_of_part(Part(requirement="sdk-core==2.27.0", folder="sdk/core"), whole, tmp_path)
    assert part.name == "localpipe_sdk_core-2.27.0-py3-none-any.whl"
    with zipfile.ZipFile(part) as archive:
        modules = [name for name in archive.namelist() if name.endswith(".py")]
    assert modules == ["sdk/core/__init__.py", "sdk/core/job.py"]


def test_the_jars_for_s3_are_put_into_spark_and_only_some_classes_of_the_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.jar"
    with zipfile.ZipFile(bundle, "w") as jar:
        jar.writestr(f"{SPARK_S3.classes}A.class", b"")
        jar.writestr("com/amazonaws/services/ec2/B.class", b"")
    archive = tmp_path / "sagemaker_pyspark-1.4.5.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for name in ("hadoop-aws-3.3.1", "aws-java-sdk-bundle-1", "aws-java-sdk-sagemaker-1"):
            packed.add(bundle, f"sagemaker_pyspark-1.4.5/deps/jars/{name}.jar")
    with zipfile.ZipFile(wheel_of_jars(SPARK_S3, archive, tmp_path)) as wheel:
        jars = {name: wheel.read(name) for name in wheel.namelist() if name.endswith(".jar")}
    assert list(jars) == ["pyspark/jars/hadoop-aws-3.3.1.jar", "pyspark/jars/aws-java-sdk-bundle-1.jar"]
    with zipfile.ZipFile(io.BytesIO(jars["pyspark/jars/aws-java-sdk-bundle-1.jar"])) as jar:
        assert jar.namelist() == [f"{SPARK_S3.classes}A.class"]


def test_whatever_is_installed_counts_for_the_content() -> None:
    def digest_of(stand_in: catalogue.StandIn) -> str:
        return own_wheels.content_digest(stand_in, containers_dir())

    others = (
        replace(XGBOOST, pins=XGBOOST.pins[1:]),
        replace(XGBOOST, programs=()),
        replace(XGBOOST, constraints=()),
        replace(XGBOOST, parts=(Part(requirement="a==1", folder="a"),)),
        replace(XGBOOST, jars=(SPARK_S3,)),
        replace(XGBOOST, scripts=()),
    )
    assert len({digest_of(each) for each in (XGBOOST, *others)}) == 1 + len(others)
    assert digest_of(XGBOOST) == digest_of(replace(XGBOOST, notes=("other",)))
