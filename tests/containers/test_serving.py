"""The stand-ins' `serve`, asked over HTTP by models that were really trained."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from served import Answer
from stand_in_places import VirtualEnvironment

if TYPE_CHECKING:
    from stand_in_places import OptMl, Place

ROWS = [[(index * 7) % 11 / 10 + 0.1, (index * 3) % 5 / 4 + 0.1, (index % 3) / 2 + 0.1] for index in range(60)]
TRAINING = "".join(f"{int(sum(row) * 2) % 3},{','.join(map(str, row))}\n" for row in ROWS)
ASKED = ROWS[:4]
CSV = "\n".join(",".join(map(str, row)) for row in ASKED)
LIBSVM = "\n".join(" ".join(f"{index}:{value}" for index, value in enumerate(row)) for row in ASKED)
LOAD_XGBOOST = """
import json, pickle, sys, warnings
import numpy, xgboost
warnings.simplefilter("ignore")
try:
    model = pickle.load(open("/opt/ml/model/xgboost-model", "rb"))
except Exception:
    model = xgboost.Booster(model_file="/opt/ml/model/xgboost-model")
rows = numpy.array(json.loads(sys.argv[1]), dtype="float32")
"""
PREDICT_XGBOOST = LOAD_XGBOOST + "print(json.dumps(model.predict(xgboost.DMatrix(rows)).tolist()))"
WRITE_RECORDS = """
import json, sys, numpy, scipy.sparse
from sagemaker_containers._encoders import array_to_recordio_protobuf as encoded
rows = numpy.array(json.loads(sys.argv[1]), dtype="float32")
open("/opt/ml/output/dense", "wb").write(encoded(rows))
open("/opt/ml/output/sparse", "wb").write(encoded(scipy.sparse.csr_matrix(rows)))
"""
TRAIN_SCIKIT_LEARN = """
import json, sys, joblib, numpy
from sklearn.linear_model import LinearRegression
rows = numpy.array(json.loads(sys.argv[1]), dtype="float32")
model = LinearRegression().fit(rows, rows.sum(1) ** 2)
joblib.dump(model, "/opt/ml/model/model.joblib")
print(json.dumps(model.predict(rows[:4]).tolist()))
"""
MODEL_FN = """
import os, joblib
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""


def printed(outcome: subprocess.CompletedProcess[str]) -> list[float]:
    assert outcome.returncode == 0, outcome.stdout
    return json.loads(outcome.stdout.splitlines()[-1])


def train_xgboost(place: Place, opt_ml: OptMl, **hyperparameters: str) -> list[float]:
    """What the trained model itself predicts for the rows that are asked."""
    opt_ml.channel("train", {"train.csv": TRAINING}).configure({"num_round": "3", **hyperparameters})
    outcome = place.run(opt_ml, "train")
    assert outcome.returncode == 0, outcome.stdout
    return printed(place.run(opt_ml, "python3", "-c", PREDICT_XGBOOST, json.dumps(ASKED)))


def train_scikit_learn(place: Place, opt_ml: OptMl) -> list[float]:
    opt_ml.configure({})
    return printed(place.run(opt_ml, "python3", "-c", TRAIN_SCIKIT_LEARN, json.dumps(ROWS)))


def script(opt_ml: OptMl, **files: str) -> dict[str, str]:
    """Put files into the model's code; the environment that names `inference.py` of them."""
    code = opt_ml.root / "model" / "code"
    code.mkdir(parents=True)
    for name, text in files.items():
        (code / name.replace("_py", ".py").replace("_txt", ".txt")).write_text(text)
    return {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


@pytest.mark.parametrize("tag", ["1.0-1", "1.5-1"])
def test_xgboosts_algorithm_predicts_what_the_model_does(place_kind: type[Place], opt_ml: OptMl, tag: str) -> None:
    place = place_kind(f"xgboost:{tag}")
    expected = train_xgboost(place, opt_ml)
    assert place.run(opt_ml, "python3", "-c", WRITE_RECORDS, json.dumps(ASKED)).returncode == 0
    with place.serving(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS="2") as starting:
        served = starting.ready()
        answer = Answer(200, "text/csv", ",".join(map(str, expected)))
        assert served.invoke(CSV, "text/csv") == answer
        assert served.invoke(LIBSVM) == answer
        for kind in ("dense", "sparse"):
            body = (opt_ml.root / "output" / kind).read_bytes()
            assert served.invoke(body, "application/x-recordio-protobuf", "*/*") == answer
        assert json.loads(served.invoke(CSV, "text/csv", "application/json").text) == {
            "predictions": [{"score": score} for score in expected]
        }
        assert json.loads(served.get("/execution-parameters").text) == {
            "MaxConcurrentTransforms": 2,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": 6,
        }
        assert served.stop() == 0, served.log()


@pytest.mark.sandbox
def test_what_xgboosts_algorithm_refuses(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.0-1")
    train_xgboost(place, opt_ml)
    with place.serving(opt_ml, MAX_CONTENT_LENGTH="1048576") as starting:
        served = starting.ready()
        assert served.invoke("", "text/csv").status == 204
        assert served.invoke("a,b,c", "text/csv") == Answer(
            415, "text/plain", "The request is not csv: could not convert string to float: 'a'"
        )
        assert served.invoke("1 a:2", "text/libsvm").text.startswith("The request is not libsvm: invalid literal for int()")
        assert served.invoke("nothing", "application/x-recordio-protobuf").status == 415
        assert served.invoke(CSV, "image/png").status == 415
        too_wide = "Feature size of csv inference data 5 is not consistent with the model's, 3."
        assert served.invoke("1,2,3,4,5", "text/csv") == Answer(
            400, "text/plain", f"Unable to evaluate payload provided: {too_wide}"
        )
        assert served.invoke(CSV, "text/csv", "image/png") == Answer(
            406,
            "text/plain",
            "Accept type image/png is not supported; the model gives text/csv, application/json, application/jsonlines.",
        )
        assert served.invoke("1" * 1_048_577, "text/csv").status == 413
        assert served.get("/invocations").status == 405
        assert served.get("/models").status == 404
        assert "localpipe_xgboost.inference:The request is not csv" in served.log()


@pytest.mark.sandbox
def test_a_transform_job_gets_one_prediction_a_line_or_the_contents_it_asks_for(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    expected = train_xgboost(place, opt_ml, objective="multi:softprob", num_class="3")
    with place.serving(opt_ml, SAGEMAKER_BATCH="true") as starting:
        answer = starting.ready().invoke(CSV, "text/csv", "text/csv")
        assert answer == Answer(200, "text/csv", "".join(f"{classes}\n" for classes in expected))
    selecting = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label, probabilities"}
    with place.serving(opt_ml, **selecting) as starting:
        served = starting.ready()
        lines = served.invoke(CSV, "text/csv", "application/jsonlines").text.splitlines()
        assert [json.loads(line)["probabilities"] for line in lines] == expected
        first = served.invoke(CSV, "text/csv", "text/csv").text.splitlines()[0]
        assert first == f'{json.loads(lines[0])["predicted_label"]},"{expected[0]}"'


@pytest.mark.sandbox
def test_several_models_are_averaged(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    train_xgboost(place, opt_ml)
    split = LOAD_XGBOOST + (
        "for count in (1, 3): model[:count].save_model(f'/opt/ml/model/first-{count}.json')\n"
        "predicted = [model[:count].predict(xgboost.DMatrix(rows)) for count in (1, 3)]\n"
        "print(json.dumps(numpy.mean(predicted, axis=0).tolist()))"
    )
    expected = printed(place.run(opt_ml, "python3", "-c", split, json.dumps(ASKED)))
    (opt_ml.root / "model" / "xgboost-model").unlink()
    (opt_ml.root / "model" / ".hidden").write_text("no model")
    with place.serving(opt_ml) as starting:
        assert starting.ready().invoke(CSV, "text/csv").text == ",".join(map(str, expected))


@pytest.mark.sandbox
def test_a_script_of_xgboost_has_aws_defaults_for_what_it_leaves_out(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("xgboost:1.5-1")
    expected = train_xgboost(place, opt_ml)
    code = """
import os, xgboost
def model_fn(model_dir):
    return xgboost.Booster(model_file=os.path.join(model_dir, "xgboost-model"))
def predict_fn(data, model, context):
    if context.get_request_header(0, "content-type") == "text/x-libsvm":
        raise ValueError("no more")
    return model.predict(data)
"""
    with place.serving(opt_ml, **script(opt_ml, inference_py=code)) as starting:
        served = starting.ready()
        assert json.loads(served.invoke(CSV, "text/csv").text) == expected
        labelled = "\n".join(f"0 {line}" for line in LIBSVM.splitlines())  # as XGBoost itself reads files
        answer = served.invoke(labelled, "text/libsvm", "text/csv")
        assert [float(line) for line in answer.text.split()] == pytest.approx(expected)
        assert served.invoke(CSV, "image/png").status == 415
        assert served.invoke(CSV, "text/csv", "image/png").status == 406
        failed = served.invoke(labelled, "text/x-libsvm")
        assert (failed.status, failed.text.splitlines()[0]) == (500, "no more")
        assert "ValueError: no more" in served.log()
        assert served.get("/execution-parameters").status == 200


def test_a_script_of_scikit_learn_predicts_what_the_model_does(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("scikit-learn:1.2-1")
    expected = train_scikit_learn(place, opt_ml)
    environment = script(opt_ml, inference_py=MODEL_FN, requirements_txt="numpy\n")
    with place.serving(opt_ml, **environment) as starting:
        served = starting.ready()
        predicted = served.invoke(CSV, "text/csv")
        assert (predicted.status, predicted.content_type) == (200, "application/json")
        assert json.loads(predicted.text) == expected
        assert json.loads(served.invoke(json.dumps(ASKED), "application/json").text) == expected
        lines = served.invoke(CSV, "text/csv", "text/csv")
        assert [float(line) for line in lines.text.split()] == pytest.approx(expected)
        assert served.get("/execution-parameters").status == 404
        assert served.invoke(CSV, "image/png").status == 415
        assert served.invoke(CSV, "text/csv", "image/png").status == 406
        failed = served.invoke("[[1, 2]]", "application/json")
        assert failed == Answer(
            500,
            "text/plain; charset=utf-8",
            "ValueError: X has 2 features, but LinearRegression is expecting 3 features as input.",
        )
        assert "Traceback (most recent call last)" in served.log()
        assert "Requirement already satisfied: numpy" in served.log()
        assert served.stop() == 0


@pytest.mark.sandbox
def test_hooks_of_a_scikit_learn_script_from_an_archive(opt_ml: OptMl) -> None:
    code = """
import json, subprocess, sys
from sagemaker_containers.beta.framework import worker
from helper import doubled
def model_fn(model_dir): return 3 + subprocess.call([sys.executable, "-c", "import helper"])
def input_fn(body, content_type): return doubled(float(body))
def predict_fn(data, model): return data * model
def output_fn(prediction, accept): return worker.Response(json.dumps({"is": prediction}), mimetype=accept)
def execution_parameters_fn(): return worker.Response('{"MaxPayloadInMB": 1}', mimetype="application/json")
"""
    script(opt_ml.configure({}), inference_py=code, helper_py="def doubled(x): return 2 * x\n")
    model = opt_ml.root / "model"
    with tarfile.open(model / "sourcedir.tar.gz", "w:gz") as archive:
        archive.add(model / "code", ".")
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/sourcedir.tar.gz"}
    with VirtualEnvironment("scikit-learn:1.2-1").serving(opt_ml, **environment) as starting:
        served = starting.ready()
        assert served.invoke("2", "text/plain", "application/json") == Answer(200, "application/json", '{"is": 12.0}')
        assert served.get("/execution-parameters").text == '{"MaxPayloadInMB": 1}'


@pytest.mark.sandbox
def test_a_transform_fn_answers_alone(opt_ml: OptMl) -> None:
    code = """
def model_fn(model_dir): return 3
def transform_fn(model, body, content_type, accept): return f"{model} {body} {content_type} {accept}", "text/plain"
"""
    environment = script(opt_ml.configure({}), inference_py=code)
    accept = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    with VirtualEnvironment("scikit-learn:1.2-1").serving(opt_ml, **environment, **accept) as starting:
        assert starting.ready().invoke("[1]").text == "3 [1] application/json text/csv"


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("code", "environment", "status", "last_line"),
    [
        (
            "",
            {"SAGEMAKER_PROGRAM": ""},
            1,
            (
                "SAGEMAKER_PROGRAM is not set: the scikit-learn image serves a model by the author's script. Give the model"
                " an entry_point (SDK), or the variable and the script in code/ of its archive."
            ),
        ),
        (
            "",
            {"SAGEMAKER_PROGRAM": "other.py"},
            1,
            "SAGEMAKER_PROGRAM is 'other.py', which is not in /opt/ml/model/code (inference.py).",
        ),
        (
            "def model_fn(model_dir): return open(model_dir + '/none')",
            {},
            3,
            "The model cannot be loaded: FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/none'",
        ),
        (
            "def model_fn(model_dir): raise SystemExit(7)",
            {},
            3,
            "The model cannot be loaded: RuntimeError: its code ended the program: 7",
        ),
        (
            "def transform_fn(*_): pass\ndef input_fn(*_): pass",
            {},
            3,
            (
                "The model cannot be loaded: ValueError: Cannot use transform_fn implementation with input_fn, predict_fn,"
                " and/or output_fn"
            ),
        ),
    ],
)
def test_a_container_that_cannot_serve_ends_and_says_why_last(
    opt_ml: OptMl, code: str, environment: dict[str, str], status: int, last_line: str
) -> None:
    named = script(opt_ml.configure({}), inference_py=code)
    with VirtualEnvironment("scikit-learn:1.2-1").serving(opt_ml, **{**named, **environment}) as served:
        assert served.wait() == status, served.log()
        assert served.log().splitlines()[-1] == last_line


@pytest.mark.sandbox
def test_a_requirement_that_cannot_be_had_ends_the_container(opt_ml: OptMl) -> None:
    named = script(opt_ml.configure({}), inference_py=MODEL_FN, requirements_txt="--no-index\nno-such-package\n")
    with VirtualEnvironment("scikit-learn:1.2-1").serving(opt_ml, **named) as served:
        assert served.wait() == 1
        assert "No matching distribution found for no-such-package" in served.log()


def test_sigterm_ends_it_at_once_though_a_request_is_under_way(place_kind: type[Place], opt_ml: OptMl) -> None:
    os.mkfifo(opt_ml.configure({}).root / "output" / "begun")
    code = """
import threading
def model_fn(model_dir): return None
def transform_fn(model, body, content_type, accept):
    open("/opt/ml/output/begun", "w").close()
    threading.Event().wait()
"""
    place = place_kind("scikit-learn:1.2-1")
    with place.serving(opt_ml, **script(opt_ml, inference_py=code)) as starting, ThreadPoolExecutor(1) as thread:
        served = starting.ready()
        asked = thread.submit(served.invoke, "[1]")
        (opt_ml.root / "output" / "begun").read_text()
        assert served.stop() == 0
        assert isinstance(asked.exception(), OSError)


@pytest.mark.sandbox
def test_pytorch_calls_a_torchscript_model_or_the_hooks_of_inference_py(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("pytorch:2.13")
    save = (
        "import json, sys, torch; model = torch.jit.script(torch.nn.Linear(3, 1)); model.save('/opt/ml/model/model.pt');"
        " print(json.dumps(model(torch.tensor(json.loads(sys.argv[1]))).tolist()))"
    )
    expected = printed(place.run(opt_ml.configure({}), "python3", "-W", "ignore", "-c", save, json.dumps(ASKED)))
    with place.serving(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS="1") as starting:
        served = starting.ready()
        assert json.loads(served.invoke(json.dumps(ASKED), "application/json").text) == expected
        assert served.get("/execution-parameters").status == 404
    script(opt_ml, inference_py="def output_fn(prediction, accept): return str(prediction.shape), 'text/plain'\n")
    with place.serving(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS="1") as starting:
        answer = starting.ready().invoke(json.dumps(ASKED), "application/json")
        assert (answer.status, answer.text) == (200, "torch.Size([4, 1])")
