"""The real SDKs, from the interpreters that LOCALPIPE_TEST_SDK_V2 and LOCALPIPE_TEST_SDK_V3 name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import starlette
from authoring_support import ROLE

from localpipe.authoring import AuthoredDefinition, load_target, write_template
from localpipe.authoring.localpipe_launcher.local_mode import NOTE
from localpipe.core import JSON
from localpipe.core.names import Identity
from localpipe.store import LocalStore

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent
CHECKOUT = TESTS.parents[1]
SAMPLES = CHECKOUT / "sample_pipelines"
DEPENDENCIES = Path(starlette.__file__).parents[1]
REAL_LOOKING = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
}
BUCKET = "sagemaker-us-east-1-123456789012"

Compile = Callable[..., AuthoredDefinition]


def python_of(sdk: str) -> str:
    variable = f"LOCALPIPE_TEST_SDK_{sdk.upper()}"
    if not os.environ.get(variable):
        pytest.skip(f"{variable} names no Python with the SageMaker SDK {sdk}")
    return os.environ[variable]


@pytest.fixture
def identity() -> Identity:
    """In the region that the samples name."""
    return Identity(account="123456789012", region="us-east-1", role_arn=ROLE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with credentials and a profile that look real."""
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    keys = f"aws_access_key_id = {REAL_LOOKING['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = real\n"
    (folder / "credentials").write_text(f"[default]\n{keys}[prod]\n{keys}")
    (folder / "config").write_text("[profile prod]\nregion = us-west-2\n")
    return folder.parent


@pytest.fixture
def connections(tmp_path: Path) -> Callable[[], list[JSON]]:
    """What the author's process tried to reach: `["connect" or "resolve", host]` each."""
    record = tmp_path / "connections"
    return lambda: [json.loads(line) for line in record.read_text().splitlines()]


@pytest.fixture
def compiled(store: LocalStore, identity: Identity, home: Path, tmp_path: Path) -> Compile:
    """Compiles a script as an author with credentials would, recording the connections."""

    def compile_script(script: Path, sdk: str, **variables: str) -> AuthoredDefinition:
        environ = {
            **os.environ,
            **variables,
            **REAL_LOOKING,
            "HOME": str(home),
            "PYTHONPATH": str(TESTS / "recording"),
            "RECORDED_CONNECTIONS": str(tmp_path / "connections"),
        }
        return load_target(script, store=store, identity=identity, environ=environ, python=python_of(sdk))

    return compile_script


def step_names(authored: AuthoredDefinition) -> list[str]:
    return [step["Name"] for step in json.loads(authored.definition)["Steps"]]


def only_loopback(connections: list[JSON]) -> bool:
    return bool(connections) and {host for _, host in connections} <= {"127.0.0.1", "localhost"}


def test_a_seed_shaped_pipeline_compiles_and_uploads_its_code(
    compiled: Compile, keys: Callable[[str], list[str]], connections: Callable[[], list[JSON]]
) -> None:
    authored = compiled(SAMPLES / "abalone" / "pipelines" / "abalone" / "pipeline.py", "v2")
    assert authored.pipeline_name == "AbalonePipeline"
    assert step_names(authored) == [
        "PreprocessAbaloneData",
        "TrainAbaloneModel",
        "EvaluateAbaloneModel",
        "CheckMSEAbaloneEvaluation",
    ]
    assert sorted(key.rpartition("/")[2] for key in keys(BUCKET)) == ["evaluate.py", "preprocess.py"]
    assert only_loopback(connections())


def test_the_samples_definition_is_what_the_sdk_makes_of_it(compiled: Compile) -> None:
    authored = compiled(SAMPLES / "abalone" / "make_definition.py", "v2")
    assert json.loads(authored.definition) == json.loads((SAMPLES / "abalone" / "definition.json").read_text())


def test_local_inputs_and_a_source_folder_are_uploaded(compiled: Compile, keys: Callable[[str], list[str]]) -> None:
    authored = compiled(SAMPLES / "champion" / "pipeline.py", "v2")
    assert step_names(authored) == ["Prepare", "TrainRidge", "TrainForest", "TrainBoosting", "Compare", "IsRidgeChampion"]
    uploaded = keys(BUCKET)
    assert "ChampionPipeline/Prepare/input/data/demand.csv" in uploaded
    assert {key.rpartition("/")[2] for key in uploaded} == {"demand.csv", "prepare.py", "compare.py", "sourcedir.tar.gz"}


def test_sdk_v3_compiles_with_code_and_drivers(
    compiled: Compile, keys: Callable[[str], list[str]], connections: Callable[[], list[JSON]]
) -> None:
    authored = compiled(SAMPLES / "digits" / "pipeline.py", "v3")
    assert authored.pipeline_name == "DigitsPipeline"
    assert step_names(authored) == ["PrepareDigits", "TrainDigits", "EvaluateDigits", "AreDigitsRecognised"]
    uploaded = [key.partition("/input/")[2] for key in keys(BUCKET)]
    assert {"code/train.py", "sm_drivers/sm_train.sh"} <= set(uploaded)
    assert not any("local mode" in note for note in authored.notes)
    assert only_loopback(connections())


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_the_templates_compile(sdk: str, compiled: Compile, tmp_path: Path) -> None:
    write_template(tmp_path / "mine", sdk)
    authored = compiled(tmp_path / "mine" / "pipeline.py", sdk)
    assert authored.pipeline_name == "MyPipeline"
    assert step_names(authored) == ["Prepare", "Train"]


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_a_script_that_upserts_starts_and_waits_under_a_named_profile(
    sdk: str, compiled: Compile, connections: Callable[[], list[JSON]]
) -> None:
    authored = compiled(TESTS / "scripts" / f"start_{sdk}.py", sdk)
    assert authored.pipeline_name == f"Started{sdk.upper()}"
    assert authored.parameters == {"Alpha": "2"}
    assert authored.notes == (
        "The script waits for an execution that it started; it was ended there, and the run begins afterwards.",
        "Parameters that the script starts the pipeline with: Alpha.",
    )
    assert only_loopback(connections())


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_a_script_for_the_sdks_local_mode_makes_the_same_definition_and_starts_nothing(sdk: str, compiled: Compile) -> None:
    def arguments(**variables: str) -> str:
        authored = compiled(TESTS / "scripts" / f"local_{sdk}.py", sdk, **variables)
        assert authored.pipeline_name == "Local"
        assert [note for note in authored.notes if "local mode" in note] == (
            [NOTE] if "Local" in variables["SESSION"] else []
        )
        return re.sub(r"job-\d+", "job", authored.definition)

    local = arguments(SESSION="LocalPipelineSession", INSTANCE="local")
    assert json.loads(local) == json.loads(arguments(SESSION="PipelineSession", INSTANCE="ml.m5.large"))


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_pythons_that_the_script_starts_reach_nothing_but_the_endpoint(
    sdk: str, compiled: Compile, connections: Callable[[], list[JSON]], keys: Callable[[str], list[str]], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in (f"job_{sdk}.py", "job.py", "starter.py", f"upsert_{sdk}.py", "module_v3.py"):
        shutil.copy(TESTS / "scripts" / name, work)
    authored = compiled(work / "starter.py", sdk)
    assert step_names(authored) == ["Job"]
    assert keys("hard-coded") == ["from-a-pool"]
    assert only_loopback(connections())


@pytest.mark.parametrize(("sdk", "script"), [("v2", "job_v2.py"), ("v3", "module_v3.py")])
def test_a_pipeline_object_reaches_nothing_but_the_endpoint_although_real_credentials_lie_about(
    sdk: str, script: str, home: Path, tmp_path: Path, connections: Callable[[], list[JSON]]
) -> None:
    environ = {
        **os.environ,
        **REAL_LOOKING,
        "HOME": str(home),
        "SDK": sdk,
        "SCRIPT": str(TESTS / "scripts" / script),
        "PYTHONPATH": str(TESTS / "recording"),
        "RECORDED_CONNECTIONS": str(tmp_path / "connections"),
        "SAGEMAKER_VALIDATE_ROLE": "false",  # while it is constructed, outside of localpipe, SDK v3 would ask IAM
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    ended = subprocess.run(
        [python_of(sdk), str(TESTS / "compile_object.py"), str(CHECKOUT), str(DEPENDENCIES), str(tmp_path / "s3")],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert [step["Name"] for step in json.loads(ended.stdout.splitlines()[-1])["Steps"]] == ["Job"]
    assert only_loopback(connections())


@pytest.mark.sandbox
@pytest.mark.parametrize(("sdk", "script"), [("v2", "start_v2.py"), ("v3", "start_v3.py")])
def test_it_all_works_without_any_network(sdk: str, script: str, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and `unshare` for a network namespace of its own")
    ended = subprocess.run(
        [
            *("unshare", "-n", sys.executable, str(TESTS / "compile_offline.py")),
            *(str(TESTS / "scripts" / script), python_of(sdk), str(tmp_path / "s3")),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"Started{sdk.upper()}\n"
