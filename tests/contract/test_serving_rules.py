"""The rules of batch transform (containers.md section 3), seen from inside of real models on each runner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from real_jobs import ROLE, Bench, Ran
from test_toolkit_rules import STAND_IN, an_archive

from localpipe.errors import ImageMissing

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOKS = """
import json, os, pathlib
from helper import files_below
def model_fn(model_dir):
    return pathlib.Path(model_dir)
def transform_fn(model, body, content_type, accept):
    seen = {
        "body": body.decode() if isinstance(body, bytes) else body,
        "content_type": content_type,
        "accept": accept,
        "environment": dict(os.environ),
        "model": files_below(model),
        "writable": os.access(model, os.W_OK),
        "opt_ml": sorted(os.listdir("/opt/ml")),
    }
    return json.dumps(seen), "application/x-seen"
"""
HELPER = """
def files_below(directory):
    found = (path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(str(path.relative_to(directory)) for path in found)
"""
DOUBLES = """
def model_fn(model_dir):
    return 2
def predict_fn(data, model):
    if data.sum() > 100:
        raise ValueError("too much")
    return data * model
"""
HOOKED = """
def model_fn(model_dir): return 3
def input_fn(body, content_type): return float(body)
def predict_fn(data, model): return data * model
def output_fn(prediction, accept): return f"{prediction} {accept}", "text/plain"
"""
SCRIPT = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def a_container(data: str, environment: Mapping[str, str] | None = None, **more: JSON) -> JSON:
    return {"Image": STAND_IN, "ModelDataUrl": data, "Environment": {**SCRIPT, **(environment or {})}, **more}


def a_model(name: str, *containers: JSON) -> JSON:
    given = {"PrimaryContainer": containers[0]} if len(containers) == 1 else {"Containers": list(containers)}
    return {"Name": name, "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, **given}}


def asking(
    name: str, model: str, data: str, *, source: JSON = None, accept: str | None = None, lines: bool = True, **request: JSON
) -> JSON:
    """A transform step that splits its objects by line unless `source` says otherwise."""
    arguments = {
        "ModelName": {"Get": f"Steps.{model}.ModelName"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/asked/{data}"}},
            **({"ContentType": "text/csv", "SplitType": "Line"} if source is None else source),
        },
        "TransformOutput": {
            "S3OutputPath": f"s3://bucket/answers/{name}",
            **({"Accept": accept} if accept else {}),
            **({"AssembleWith": "Line"} if lines else {}),
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **request,
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments}


TUNABLES = {"BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 2, "MaxPayloadInMB": 1}
UNCOMPRESSED = {
    "S3DataSource": {"S3Uri": "s3://bucket/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"},
}
LOOKING = a_model("Looking", a_container("s3://bucket/looks.tar.gz", {"A": "model", "B": "model"}))
LOOK = asking("Look", "Looking", "rows", accept="application/x-seen", Environment={"B": "job"}, **TUNABLES)
WHOLE = asking("Whole", "Looking", "rows", source={"ContentType": "text/csv"}, lines=False)
IN_TURN = a_model(
    "InTurn",
    a_container("s3://bucket/doubles.tar.gz"),
    {"Image": STAND_IN, "ModelDataSource": UNCOMPRESSED, "Environment": SCRIPT},
)
PASS_ON = asking("PassOn", "InTurn", "numbers", accept="application/x-seen")
DOUBLING = a_model(
    "Doubling", a_container("s3://bucket/doubles.tar.gz", {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
)
DOUBLE = asking("Double", "Doubling", "numbers")
AS_JSON = asking("AsJson", "Doubling", "numbers", accept="application/json")
TOO_MUCH = asking("TooMuch", "Doubling", "much")
NOT_TAKEN = asking("NotTaken", "Doubling", "numbers", source={"ContentType": "image/png", "SplitType": "Line"})
NOT_GIVEN = asking("NotGiven", "Doubling", "numbers", accept="image/png")
AS_NPY = asking("AsNpy", "Doubling", "numbers", accept="application/x-npy", lines=False)
FROM_NPY = asking("FromNpy", "Doubling", "", source={"ContentType": "application/x-npy"}, accept="application/json")
FROM_NPY["Arguments"]["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://bucket/answers/AsNpy"
FROM_NPY["DependsOn"] = ["AsNpy"]
HOOKING = a_model("Hooking", a_container("s3://bucket/hooked.tar.gz"))
HOOK = asking("Hook", "Hooking", "numbers", source={"ContentType": "text/plain", "SplitType": "Line"}, **TUNABLES)


@pytest.fixture(scope="module")
def ran(bench: Bench) -> Ran:
    looks = {"code/inference.py": LOOKS, "code/helper.py": HELPER, "weights": "5"}
    bench.put("s3://bucket/looks.tar.gz", an_archive({**looks, "code/requirements.txt": "numpy\n"}))
    bench.put("s3://bucket/doubles.tar.gz", an_archive({"code/inference.py": DOUBLES}))
    bench.put("s3://bucket/hooked.tar.gz", an_archive({"code/inference.py": HOOKED}))
    for name, text in looks.items():
        bench.put(f"s3://bucket/plain/{name}", text)
    bench.put("s3://bucket/asked/rows/a.csv", "1,2\n3,4\n")
    bench.put("s3://bucket/asked/rows/deep/b.csv", "x,y\n5,6")
    bench.put("s3://bucket/asked/numbers/n.csv", "1\n2\n")
    bench.put("s3://bucket/asked/much/m.csv", "1000\n")
    bench.put("s3://bucket/answers/Double/n.csv.out", "of an earlier job")
    bench.put("s3://bucket/answers/Double/other.txt", "of someone else")
    models = [LOOKING, IN_TURN, DOUBLING, HOOKING]
    asked = [LOOK, WHOLE, PASS_ON, DOUBLE, AS_JSON, TOO_MUCH, NOT_TAKEN, NOT_GIVEN, AS_NPY, FROM_NPY, HOOK]
    try:
        return bench.run(*models, *asked)
    except ImageMissing as error:
        pytest.skip(str(error))


def answers(ran: Ran, step: str) -> dict[str, str]:
    """Name of an output → its text."""
    assert ran.status(step) == "Succeeded", ran.reason(step)
    return {name.removeprefix("/"): text.decode() for name, text in ran.objects(f"s3://bucket/answers/{step}").items()}


def seen(ran: Ran, step: str, output: str) -> list[JSON]:
    """What the model saw, for each request whose answer is in an output."""
    return [json.loads(line) for line in answers(ran, step)[output].splitlines()]


# Start-up


def test_the_image_runs_with_serve_and_is_asked_at_port_8080(ran: Ran) -> None:
    first = seen(ran, "Look", "a.csv.out")[0]
    assert "SAGEMAKER_BIND_TO_PORT" not in first["environment"]


def test_the_model_is_unpacked_and_cannot_be_written(ran: Ran) -> None:
    first = seen(ran, "Look", "a.csv.out")[0]
    assert first["model"] == ["code/helper.py", "code/inference.py", "code/requirements.txt", "weights"]
    assert not first["writable"]


def test_there_are_no_inputs_of_a_job(ran: Ran) -> None:
    assert "input" not in seen(ran, "Look", "a.csv.out")[0]["opt_ml"]


def test_variables_of_the_job_win_over_those_of_the_model(ran: Ran) -> None:
    environment = seen(ran, "Look", "a.csv.out")[0]["environment"]
    assert (environment["A"], environment["B"]) == ("model", "job")


# Requests and answers


def test_a_model_gets_the_payload_with_its_content_type_and_accept(ran: Ran) -> None:
    first, second = seen(ran, "Look", "a.csv.out")
    assert (first["body"], second["body"]) == ("1,2", "3,4")
    assert (first["content_type"], first["accept"]) == ("text/csv", "application/x-seen")


def test_each_object_has_its_output_by_its_path(ran: Ran) -> None:
    assert list(answers(ran, "Look")) == ["a.csv.out", "deep/b.csv.out"]


def test_a_header_is_a_record_as_any_other(ran: Ran) -> None:
    assert [each["body"] for each in seen(ran, "Look", "deep/b.csv.out")] == ["x,y", "5,6"]


def test_an_output_that_is_there_is_overwritten_and_others_are_left_alone(ran: Ran) -> None:
    assert answers(ran, "Double") == {"n.csv.out": "2.0\n4.0\n", "other.txt": "of someone else"}


def test_an_object_that_is_not_split_is_one_payload(ran: Ran) -> None:
    (whole,) = seen(ran, "Whole", "a.csv.out")
    assert whole["body"] == "1,2\n3,4\n"
    assert not answers(ran, "Whole")["a.csv.out"].endswith("\n")


def test_what_the_request_sets_and_the_job_are_variables(ran: Ran) -> None:
    environment = seen(ran, "Look", "a.csv.out")[0]["environment"]
    assert environment["SAGEMAKER_BATCH"] == "true"
    assert environment["TRANSFORM_JOB_ARN"] == ran.properties("Look")["TransformJobArn"]
    assert environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "1"
    assert environment["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
    assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "2"
    whole = seen(ran, "Whole", "a.csv.out")[0]["environment"]
    assert not whole.keys() & {"SAGEMAKER_MAX_PAYLOAD_IN_MB", "SAGEMAKER_BATCH_STRATEGY"}


# Several containers


def test_a_container_gets_the_answer_of_the_one_before_and_has_its_own_model(ran: Ran) -> None:
    (second,) = seen(ran, "PassOn", "n.csv.out")
    assert json.loads(second["body"]) == [2.0, 4.0]
    assert (second["content_type"], second["accept"]) == ("application/json", "application/x-seen")
    assert second["model"] == ["code/helper.py", "code/inference.py", "weights"]
    assert second["environment"]["SAGEMAKER_BIND_TO_PORT"] == "8080"


# The inference toolkit, in the stand-in


def test_the_models_code_is_on_the_path_and_its_requirements_are_installed(ran: Ran) -> None:
    environment = seen(ran, "Look", "a.csv.out")[0]["environment"]
    assert "/opt/ml/model/code" in environment["PYTHONPATH"].split(":")
    said = ran.said("Look")[0]
    assert "Requirement already satisfied: numpy" in said


def test_a_script_gives_three_hooks_or_leaves_them_to_the_defaults(ran: Ran) -> None:
    assert answers(ran, "Hook") == {"n.csv.out": "3.0 application/json\n6.0 application/json\n"}


def test_json_csv_and_npy_are_read_and_written_without_a_hook(ran: Ran) -> None:
    assert json.loads(answers(ran, "AsJson")["n.csv.out"]) == [2.0, 4.0]
    assert ran.objects("s3://bucket/answers/AsNpy")["/n.csv.out"].startswith(b"\x93NUMPY")
    assert json.loads(answers(ran, "FromNpy")["n.csv.out.out"]) == [4.0, 8.0]


def test_an_absent_accept_is_that_of_the_variable(ran: Ran) -> None:
    assert answers(ran, "Double")["n.csv.out"] == "2.0\n4.0\n"


def test_what_a_model_refuses_and_raises_fails_the_job(ran: Ran) -> None:
    assert ": 415: " in ran.reason("NotTaken")
    assert ": 406: " in ran.reason("NotGiven")
    assert ": 500: ValueError: too much" in ran.reason("TooMuch")
    assert ran.objects("s3://bucket/answers/TooMuch") == {}
