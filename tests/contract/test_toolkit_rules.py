"""AWS's own training toolkit, unchanged, in the scikit-learn stand-in of each runner (containers.md 2.8 and 2.9)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

import docker
import pytest
from real_jobs import Bench, Ran, a_channel, an_input, processing, training

from localpipe.errors import ImageMissing

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

STAND_IN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ELSE = "/tmp/base"  # noqa: S108 - in the job
WITH_CODE = "localpipe-test/with-code"
DUMP = """
import json, os, pathlib, sys
sys.path and print("DUMP", json.dumps({
    "arguments": sys.argv[1:],
    "program": sys.argv[0],
    "directory": os.getcwd(),
    "python_path": os.environ["PYTHONPATH"].split(":"),
    "variables": {name: value for name, value in os.environ.items() if name.startswith("SM_")},
    "files": sorted(os.listdir(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml") + "/code")),
}), flush=True)
"""
USES_REQUIREMENT = "import tiny\nprint('TINY', tiny.VALUE)\n" + DUMP
FAILS = """
import sys
print("about to fail")
print("the last words", file=sys.stderr)
sys.exit(7)
"""
KEEPS = """
import os, pathlib
pathlib.Path(os.environ["SM_OUTPUT_INTERMEDIATE_DIR"], "half.txt").write_text("half done")
"""
SHELL = 'echo SHELL "$@" "$SM_HP_RATE"\npwd\n'
SETUP = "from setuptools import setup\nsetup(name='package', version='1', py_modules=['package'])\n"
RUNPROC = """#!/bin/bash
cd /opt/ml/processing/input/code/
tar -xzf sourcedir.tar.gz
set -e
if [[ -f 'requirements.txt' ]]; then
    pip uninstall --yes --quiet typing || true
    pip install --quiet -r requirements.txt
fi
python process.py "$@"
"""
PROCESS = "import sys, tiny\nprint('PROCESS', tiny.VALUE, sys.argv[1:])\n"

HYPERPARAMETERS = {
    "flag": "true",
    "off": "false",
    "mapping": '{"b": 2, "a": 1}',
    "items": '[1, "two"]',
    "nothing": "null",
    "negative": "-5",
    "rate": "0.5",
    "text": '"two words"',
    "unquoted": "plain",
    "umlaut": '"gr\\u00fcn"',
    "a-dash": "1",
    "n": "3",
    "_tuning_objective_metric": "loss",
}
ARGUMENTS = [
    *("--a-dash", "1"),
    *("--flag", "True"),
    *("--items", "[1, 'two']"),
    *("--mapping", "a=1,b=2"),
    *("-n", "3"),
    *("--negative", "-5"),
    *("--nothing", ""),
    *("--off", "False"),
    *("--rate", "0.5"),
    *("--text", "two words"),
    *("--umlaut", "grün"),
    *("--unquoted", "plain"),
]


def an_archive(files: Mapping[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def a_wheel() -> bytes:
    """A package `tiny` of one module, as its wheel."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 'installed'\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\n")
    return packed.getvalue()


WHEEL = "tiny-1.0-py3-none-any.whl"
REQUIREMENTS = f"--no-index\n./{WHEEL}\n"
CODE = {
    "dump": {"train.py": USES_REQUIREMENT, "requirements.txt": REQUIREMENTS, WHEEL: a_wheel()},
    "plain": {"train.py": DUMP},
    "intermediate": {"train.py": KEEPS},
    "fails": {"train.py": FAILS},
    "shell": {"run.sh": SHELL},
    "package": {"package.py": DUMP, "setup.py": SETUP},
    "process": {"process.py": PROCESS, "requirements.txt": REQUIREMENTS, WHEEL: a_wheel()},
}


def scripted(name: str, code: str, program: str, *, image: str = STAND_IN, more: JSON = None, **request: JSON) -> JSON:
    """A training step in script mode, as the SDK's estimators compile it."""
    hyperparameters = {
        "sagemaker_program": json.dumps(program),
        "sagemaker_submit_directory": json.dumps(f"s3://bucket/toolkit/{code}/sourcedir.tar.gz"),
        "sagemaker_container_log_level": "20",
        "sagemaker_region": '"us-east-1"',
        **(more or {}),
    }
    step = training(name, HyperParameters=hyperparameters, **request)
    step["Arguments"]["AlgorithmSpecification"] = {"TrainingImage": image, "TrainingInputMode": "File"}
    step["Arguments"]["InputDataConfig"] = request.get("InputDataConfig", [a_channel("my-data", "s3://bucket/data/train")])
    return step


SCRIPT = scripted("Script", "dump", "train.py", more=HYPERPARAMETERS)
ELSEWHERE = scripted("Elsewhere", "plain", "train.py", Environment={"SAGEMAKER_BASE_DIR": ELSE})
ELSEWHERE["Arguments"]["AlgorithmSpecification"] |= {
    "ContainerEntrypoint": ["sh", "-c", f"cp -r /opt/ml {ELSE} && mkdir -p {ELSE}/code && exec train"]
}
FAILING = scripted("Failing", "fails", "train.py", more={"rate": "0.5"})
SHELL_ENTRY = scripted("Shell", "shell", "run.sh", more={"rate": "0.5"})
PACKAGE = scripted("Package", "package", "package.py", more={"rate": "0.5"}, Environment={"PIP_NO_BUILD_ISOLATION": "0"})
INTERMEDIATE = scripted("Intermediate", "intermediate", "train.py", more={"sagemaker_s3_output": '"s3://bucket/synced"'})
BY_MPI = scripted("ByMpi", "plain", "train.py", more={"sagemaker_mpi_enabled": "true"})
IN_CHANNEL = scripted(
    "InChannel",
    "plain",
    "train.py",
    more={"sagemaker_submit_directory": json.dumps("/opt/ml/input/data/code/sourcedir.tar.gz")},
    EnableNetworkIsolation=True,
    InputDataConfig=[a_channel("code", "s3://bucket/toolkit/plain/sourcedir.tar.gz")],
)
UNNAMED = scripted("Unnamed", "plain", "train.py")


def a_framework_processor(name: str, code: str) -> JSON:
    step = processing(name, "--rate", "0.5")
    step["Arguments"]["AppSpecification"] |= {
        "ImageUri": STAND_IN,
        "ContainerEntrypoint": ["/bin/bash", "/opt/ml/processing/input/entrypoint/runproc.sh"],
    }
    step["Arguments"]["ProcessingInputs"] = [
        an_input("code", code, "/opt/ml/processing/input/code/"),
        an_input("entrypoint", "s3://bucket/toolkit/runproc.sh", "/opt/ml/processing/input/entrypoint"),
    ]
    return step


FRAMEWORK_V2 = a_framework_processor("FrameworkV2", "s3://bucket/toolkit/process/sourcedir.tar.gz")
FRAMEWORK_V3 = a_framework_processor("FrameworkV3", "s3://bucket/toolkit/process")


@pytest.fixture(scope="module")
def ran(bench: Bench) -> Ran:
    fill(bench)
    steps = [SCRIPT, ELSEWHERE, FAILING, SHELL_ENTRY, PACKAGE, INTERMEDIATE, BY_MPI, IN_CHANNEL, UNNAMED]
    try:
        return bench.run(*steps, FRAMEWORK_V2, FRAMEWORK_V3)
    except ImageMissing as error:
        pytest.skip(str(error))


def fill(bench: Bench) -> None:
    bench.put("s3://bucket/data/train/x", "1")
    bench.put("s3://bucket/toolkit/runproc.sh", RUNPROC)
    for name, files in CODE.items():
        bench.put(f"s3://bucket/toolkit/{name}/sourcedir.tar.gz", an_archive(files))


def dump(ran: Ran, step: str, host: int = 0) -> JSON:
    line = next(line for line in ran.said(step)[host].splitlines() if line.startswith("DUMP "))
    return json.loads(line.removeprefix("DUMP "))


def test_hyperparameters_of_every_kind_become_arguments_sorted_by_name(ran: Ran) -> None:
    assert dump(ran, "Script")["arguments"] == ARGUMENTS


def test_hyperparameters_become_variables_without_those_of_the_framework(ran: Ran) -> None:
    variables = dump(ran, "Script")["variables"]
    assert json.loads(variables["SM_HPS"]) == {
        "flag": True,
        "off": False,
        "mapping": {"a": 1, "b": 2},
        "items": [1, "two"],
        "nothing": None,
        "negative": -5,
        "rate": 0.5,
        "text": "two words",
        "unquoted": "plain",
        "umlaut": "grün",
        "a-dash": 1,
        "n": 3,
    }
    assert (variables["SM_HP_TEXT"], variables["SM_HP_A-DASH"], variables["SM_HP_FLAG"]) == ("two words", "1", "true")
    assert json.loads(variables["SM_USER_ARGS"]) == ARGUMENTS


def test_directories_channels_and_the_program_are_variables(ran: Ran) -> None:
    variables = dump(ran, "Script")["variables"]
    assert {name: variables[name] for name in variables if name.endswith("_DIR")} == {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_INPUT_DIR": "/opt/ml/input",
        "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "SM_OUTPUT_DIR": "/opt/ml/output",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
        "SM_MODULE_DIR": "s3://bucket/toolkit/dump/sourcedir.tar.gz",
    }
    assert json.loads(variables["SM_CHANNELS"]) == ["my-data"]
    assert variables["SM_CHANNEL_MY-DATA"] == "/opt/ml/input/data/my-data"
    assert (variables["SM_USER_ENTRY_POINT"], variables["SM_MODULE_NAME"]) == ("train.py", "train")
    assert variables["SM_LOG_LEVEL"] == "20"


def test_the_cluster_is_told_in_variables(ran: Ran) -> None:
    variables = dump(ran, "Script")["variables"]
    assert (json.loads(variables["SM_HOSTS"]), variables["SM_CURRENT_HOST"]) == (["algo-1"], "algo-1")
    assert variables["SM_NETWORK_INTERFACE_NAME"] == "eth0"
    assert (variables["SM_NUM_GPUS"], variables["SM_NUM_NEURONS"]) == ("0", "0")
    assert int(variables["SM_NUM_CPUS"]) >= 1
    assert variables["SM_CURRENT_INSTANCE_TYPE"] == "ml.m5.large"
    assert variables["SM_CURRENT_INSTANCE_GROUP"] == "homogeneousCluster"
    assert json.loads(variables["SM_CURRENT_INSTANCE_GROUP_HOSTS"]) == ["algo-1"]
    assert json.loads(variables["SM_INSTANCE_GROUPS"]) == ["homogeneousCluster"]


def test_the_configuration_files_are_variables(ran: Ran) -> None:
    variables = dump(ran, "Script")["variables"]
    assert json.loads(variables["SM_INPUT_DATA_CONFIG"])["my-data"]["TrainingInputMode"] == "File"
    assert json.loads(variables["SM_RESOURCE_CONFIG"])["hosts"] == ["algo-1"]
    assert isinstance(json.loads(variables["SM_FRAMEWORK_PARAMS"]), dict)
    assert "_tuning_objective_metric" not in json.loads(variables["SM_TRAINING_ENV"])["hyperparameters"]


def test_the_code_is_fetched_from_s3_and_runs_in_its_directory(ran: Ran) -> None:
    seen = dump(ran, "Unnamed")
    assert (seen["program"], seen["directory"], seen["files"]) == ("train.py", "/opt/ml/code", ["train.py"])
    assert seen["python_path"][0] == "/opt/ml/code"


def test_requirements_are_installed(ran: Ran) -> None:
    assert "TINY installed" in ran.said("Script")[0]


def test_the_code_may_come_by_a_channel_without_a_network(ran: Ran) -> None:
    assert dump(ran, "InChannel")["files"] == ["train.py"]


def test_another_base_directory_is_taken(ran: Ran) -> None:
    assert dump(ran, "Elsewhere")["variables"]["SM_MODEL_DIR"] == f"{ELSE}/model"


def test_a_shell_script_is_run_with_the_arguments(ran: Ran) -> None:
    assert "SHELL --rate 0.5 0.5\n/opt/ml/code\n" in ran.said("Shell")[0]


def test_a_package_is_installed_and_run_as_a_module(ran: Ran) -> None:
    assert dump(ran, "Package")["arguments"] == ["--rate", "0.5"]


def test_a_failing_script_is_told_in_the_toolkits_words(ran: Ran) -> None:
    reason = ran.properties("Failing")["FailureReason"]
    first, exit_code, message, command = reason.splitlines()
    assert first == "AlgorithmError: ExecuteUserScriptError:"
    assert exit_code == "ExitCode 7"
    assert message.startswith('ErrorMessage "')
    assert command.endswith(' train.py --rate 0.5", exit code: 1')


def test_a_script_that_ends_well_leaves_a_success_file(ran: Ran) -> None:
    host = ran.execution.home.attempt_dir(ran.execution.key(ran.execution.step("Unnamed")))
    assert len(list(host.rglob("output/success"))) == 1


def test_intermediate_output_is_synchronised(ran: Ran) -> None:
    (key,) = ran.objects("s3://bucket/synced/")
    assert key.endswith("/output/intermediate/half.txt")


def test_a_distribution_whose_program_is_not_there_fails_by_name(ran: Ran) -> None:
    assert ran.status("ByMpi") == "Failed"
    assert "SSH daemon not found" in ran.said("ByMpi")[0]


def test_a_framework_processor_unpacks_installs_and_runs(ran: Ran) -> None:
    for step in ("FrameworkV2", "FrameworkV3"):
        assert "PROCESS installed ['--rate', '0.5']" in ran.said(step)[0]


def test_several_hosts_are_told_to_the_script(bench: Bench) -> None:
    fill(bench)
    cluster = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    ran = bench.run(scripted("Hosts", "plain", "train.py", cluster=cluster))
    seen = [dump(ran, "Hosts", host)["variables"] for host in (0, 1)]
    assert [json.loads(variables["SM_HOSTS"]) for variables in seen] == [["algo-1", "algo-2"]] * 2
    assert [variables["SM_CURRENT_HOST"] for variables in seen] == ["algo-1", "algo-2"]
    assert {variables["SM_OUTPUT_DATA_DIR"] for variables in seen} == {"/opt/ml/output/data"}


def test_code_that_the_image_ships_is_not_fetched(bench: Bench) -> None:
    if bench.runner == "process":
        assert dump(bench.run(scripted("Fetched", "plain", "train.py")), "Fetched")["files"] == ["train.py"]
        return
    image = bench.home.runner(bench.runner).image(STAND_IN).local
    if image is None:
        pytest.skip("the scikit-learn stand-in is not built")
    recipe = f"FROM {image}\nRUN mkdir -p /opt/ml/code && echo 'print(\"SHIPPED\")' > /opt/ml/code/train.py\n"
    docker.from_env().images.build(fileobj=io.BytesIO(recipe.encode()), tag=WITH_CODE, rm=True)
    ran = bench.run(scripted("Shipped", "no-such-code", "train.py", image=f"{WITH_CODE}:latest"))
    assert "SHIPPED" in ran.said("Shipped")[0]


# XGBoost

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1"
TREES = {"num_round": "2", "objective": "reg:squarederror"}


@pytest.fixture(scope="module")
def boosted(bench: Bench) -> Ran:
    fill(bench)
    bench.put("s3://bucket/table/data.csv", "1,2\n2,4\n3,6\n")
    algorithm = scripted("Algorithm", "", "", image=XGBOOST)
    algorithm["Arguments"] |= {
        "HyperParameters": TREES,
        "InputDataConfig": [a_channel("train", "s3://bucket/table", ContentType="text/csv")],
    }
    without_train = {**algorithm, "Name": "WithoutTrain", "Arguments": {**algorithm["Arguments"]}}
    without_train["Arguments"]["InputDataConfig"] = [a_channel("other", "s3://bucket/table", ContentType="text/csv")]
    try:
        return bench.run(algorithm, without_train, scripted("Script", "plain", "train.py", image=XGBOOST))
    except ImageMissing as error:
        pytest.skip(str(error))


def test_xgboost_runs_its_algorithm_or_a_script(boosted: Ran) -> None:
    assert "#011train-rmse:" in boosted.said("Algorithm")[0] or "\ttrain-rmse:" in boosted.said("Algorithm")[0]
    assert list(boosted.archive(boosted.properties("Algorithm")["ModelArtifacts"]["S3ModelArtifacts"])) == ["xgboost-model"]
    assert dump(boosted, "Script")["program"] == "train.py"


def test_xgboosts_algorithm_wants_channel_train(boosted: Ran) -> None:
    assert boosted.status("WithoutTrain") == "Failed"
    assert "train" in boosted.reason("WithoutTrain")
