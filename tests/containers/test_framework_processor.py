"""FrameworkProcessors as both SDKs compile them: code from a folder, its requirements installed, then the script."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RUNNERS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("process", marks=pytest.mark.sandbox),
]
SCIKIT_LEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.0.1-cpu-py310"
V2 = """
from sagemaker.processing import FrameworkProcessor
from sagemaker.pytorch import PyTorch
from sagemaker.sklearn import SKLearn
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

session = PipelineSession()

def processor(estimator, image, **version):
    return FrameworkProcessor(
        estimator, image_uri=image, role="arn:aws:iam::111122223333:role/R", instance_count=1,
        instance_type="ml.m5.xlarge", sagemaker_session=session, **version,
    )

processors = {{
    "SciKitLearn": processor(SKLearn, "{scikit_learn}", framework_version="1.2-1"),
    "PyTorch": processor(PyTorch, "{pytorch}", framework_version="2.0.1", py_version="py310"),
}}
steps = [
    ProcessingStep(name, step_args=each.run(code="process.py", source_dir="code", arguments=["--rate", "0.5"]))
    for name, each in processors.items()
]
pipeline = Pipeline("framework", steps=steps, sagemaker_session=session)
"""
V3 = """
from sagemaker.core.processing import FrameworkProcessor
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

session = PipelineSession()
steps = []
for name, image in {{"SciKitLearn": "{scikit_learn}", "PyTorch": "{pytorch}"}}.items():
    processor = FrameworkProcessor(
        image_uri=image, role="arn:aws:iam::111122223333:role/R", instance_count=1, instance_type="ml.m5.xlarge",
        sagemaker_session=session,
    )
    run = processor.run(
        code="process.py", source_dir="code", requirements="requirements.txt", arguments=["--rate", "0.5"]
    )
    steps.append(ProcessingStep(name=name, step_args=run))
pipeline = Pipeline(name="framework", steps=steps, sagemaker_session=session)
"""
PROCESS = """
import importlib.util, sys, tiny
here = [name for name in ("sklearn", "torch") if importlib.util.find_spec(name)]
print("PROCESS", tiny.VALUE, sys.argv[1:], here[-1])
"""


def a_wheel() -> bytes:
    """A package `tiny` of one module."""
    packed = io.BytesIO()
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 'installed'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return packed.getvalue()


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(("sdk", "script"), [("V2", V2), ("V3", V3)])
def test_requirements_are_installed_and_the_script_gets_its_arguments(
    sdk: str, script: str, runner: str, tmp_path: Path
) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk} names no Python with that SDK")
    code = tmp_path / "code"
    code.mkdir()
    (tmp_path / "pipeline.py").write_text(script.format(scikit_learn=SCIKIT_LEARN, pytorch=PYTORCH))
    (code / "process.py").write_text(PROCESS)
    (code / "requirements.txt").write_text("--no-index\n./tiny-1.0-py3-none-any.whl\n")
    (code / "tiny-1.0-py3-none-any.whl").write_bytes(a_wheel())
    options = ["--python", python, "--runner", runner, "--json", "--home", str(tmp_path / "home")]
    command = [sys.executable, "-m", "localpipe", "run", "pipeline.py", *options]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if ended.returncode == 3:
        pytest.skip(ended.stderr)
    assert ended.returncode == 0, ended.stderr
    logs = {step["StepName"]: Path(step["LogFiles"][0]).read_text() for step in json.loads(ended.stdout)["Steps"]}
    assert "PROCESS installed ['--rate', '0.5'] sklearn" in logs["SciKitLearn"]
    assert "PROCESS installed ['--rate', '0.5'] torch" in logs["PyTorch"]
