"""Training on two hosts for real: they find each other by the names that the job tells them, and agree on a result."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

import localpipe
from localpipe.core.names import S3Uri
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localpipe.api import Step
    from localpipe.core import JSON

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PYTORCH = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.0.1-cpu-py310"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1"
RUNNERS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("sandbox", marks=[pytest.mark.docker, pytest.mark.sandbox]),
    pytest.param("process", marks=pytest.mark.sandbox),
]

GLOO = """
import json, os
import torch, torch.distributed as distributed

hosts, me = json.loads(os.environ["SM_HOSTS"]), os.environ["SM_CURRENT_HOST"]
distributed.init_process_group("gloo", rank=hosts.index(me), world_size=len(hosts))
rows = [[float(x) for x in line.split(",")] for name in sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
        for line in open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], name))]
data = torch.tensor(rows)
torch.manual_seed(distributed.get_rank())
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
for epoch in range(200):
    loss = torch.nn.functional.mse_loss(model(data[:, 1:]), data[:, :1])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
weights = [round(value, 6) for parameter in model.parameters() for value in parameter.flatten().tolist()]
result = {"host": me, "rows": len(rows), "weights": weights, "world": distributed.get_world_size()}
print("RESULT " + json.dumps(result), flush=True)
if distributed.get_rank() == 0:
    torch.save(model.module.state_dict(), os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))
distributed.barrier()
os._exit(0)  # on a machine under load, torch 2.13 may abort while it takes its gloo threads down
"""
ELASTIC = """
import json, os
import torch, torch.distributed as distributed

distributed.init_process_group("gloo")
total = torch.tensor([distributed.get_rank() + 1.0])
distributed.all_reduce(total)
result = {"host": os.environ["SM_CURRENT_HOST"], "rank": distributed.get_rank(), "total": total.item()}
print("RESULT " + json.dumps(result), flush=True)
distributed.destroy_process_group()
"""
RABIT = """
import json, os
import numpy, xgboost
from sagemaker_xgboost_container import distributed

def train(rows, is_master):
    matrix = xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])
    booster = xgboost.train({"tree_method": "hist", "max_depth": 2}, matrix, num_boost_round=5)
    predicted = booster.predict(xgboost.DMatrix(numpy.array([[1.0], [6.0]]))).tolist()
    result = {"host": os.environ["SM_CURRENT_HOST"], "rows": len(rows), "master": is_master, "predicted": predicted}
    print("RESULT " + json.dumps(result), flush=True)
    if is_master:
        booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "model.json"))

if __name__ == "__main__":
    place = os.environ["SM_CHANNEL_TRAIN"]
    rows = numpy.concatenate([numpy.loadtxt(os.path.join(place, name), delimiter=",") for name in os.listdir(place)])
    distributed.rabit_run(
        exec_fun=train, args={"rows": rows}, include_in_training=True, hosts=json.loads(os.environ["SM_HOSTS"]),
        current_host=os.environ["SM_CURRENT_HOST"], update_rabit_args=True,
    )
"""


def an_archive(script: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("train.py")
        member.size = len(script)
        archive.addfile(member, io.BytesIO(script.encode()))
    return packed.getvalue()


def two_hosts(image: str, hyperparameters: Mapping[str, str], *, train: str = "data/") -> JSON:
    """A pipeline of one training job; the objects of its channel are shared out."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{train}", "S3DataDistributionType": "ShardedByS3Key"}
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "HyperParameters": dict(hyperparameters),
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"},
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 120},
        "RoleArn": "arn:aws:iam::111122223333:role/test",
    }
    step = {"Name": "Train", "Type": "Training", "Arguments": arguments}
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]}


def in_script_mode(**more: str) -> dict[str, str]:
    """The hyperparameters that the SDK's estimators give for `train.py`."""
    where = "s3://bucket/code/sourcedir.tar.gz"
    return {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(where), **more}


def trained(definition: JSON, objects: Mapping[str, bytes], runner: str, folder: Path) -> Step:
    """The step, which succeeded."""
    home = Home(load_settings({"home": folder / "home", "runner": runner}, {}, folder))
    try:
        availability = home.runner(runner).check()
        image = definition["Steps"][0]["Arguments"]["AlgorithmSpecification"]["TrainingImage"]
        status = home.runner(runner).image(image)
        if not availability.usable or status.local is None:
            pytest.skip(f"{availability.reason}{availability.remedy}{status.reason}{status.remedy}")
        for key, content in objects.items():
            home.store.put(S3Uri("bucket", key), content)
    finally:
        home.close()
    step = localpipe.run(definition, name="hosts", runner=runner, home=folder / "home").steps["Train"]
    assert step.status == "Succeeded", f"{step.failure_reason}\n{step.log}"
    return step


def results(step: Step) -> list[JSON]:
    """What each host printed as its result, by the name of the host."""
    found = [json.loads(line) for line in re.findall(r"RESULT (\{.*\})", step.log)]
    return sorted(found, key=lambda result: result["host"])


def model_files(step: Step) -> dict[str, bytes]:
    (path,) = (path for uri, path in step.artifacts.items() if uri.endswith("model.tar.gz"))
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # type: ignore[union-attr]  # files


def a_line(start: int, stop: int) -> bytes:
    """Rows of y = 2x + 1, the label first."""
    return "".join(f"{2 * x + 1},{x}\n" for x in range(start, stop)).encode()


@pytest.mark.parametrize("runner", RUNNERS)
def test_two_pytorch_hosts_average_their_gradients_by_gloo(runner: str, tmp_path: Path) -> None:
    objects = {"code/sourcedir.tar.gz": an_archive(GLOO), "data/a.csv": a_line(0, 3), "data/b.csv": a_line(3, 5)}
    step = trained(two_hosts(PYTORCH, in_script_mode()), objects, runner, tmp_path)
    first, second = results(step)
    assert (first["host"], first["rows"], first["world"]) == ("algo-1", 3, 2)
    assert (second["host"], second["rows"], second["world"]) == ("algo-2", 2, 2)
    assert first["weights"] == second["weights"]
    assert first["weights"] == pytest.approx([2, 1], abs=0.1)
    assert list(model_files(step)) == ["model.pth"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_torchrun_of_the_toolkit_joins_two_hosts(runner: str, tmp_path: Path) -> None:
    definition = two_hosts(PYTORCH, in_script_mode(sagemaker_torch_distributed_enabled="true"))
    objects = {"code/sourcedir.tar.gz": an_archive(ELASTIC), "data/a.csv": b"1\n", "data/b.csv": b"2\n"}
    step = trained(definition, objects, runner, tmp_path)
    assert results(step) == [{"host": "algo-1", "rank": 0, "total": 3.0}, {"host": "algo-2", "rank": 1, "total": 3.0}]


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_xgboost_script_joins_two_hosts_by_rabit(runner: str, tmp_path: Path) -> None:
    objects = {"code/sourcedir.tar.gz": an_archive(RABIT), "data/a.csv": a_line(0, 5), "data/b.csv": a_line(5, 8)}
    step = trained(two_hosts(XGBOOST, in_script_mode()), objects, runner, tmp_path)
    first, second = results(step)
    assert [(first["rows"], first["master"]), (second["rows"], second["master"])] == [(5, True), (3, False)]
    assert first["predicted"] == second["predicted"]
    assert list(model_files(step)) == ["model.json"]


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_xgboost_algorithm_trains_on_the_shards_of_two_hosts_as_on_the_whole(runner: str, tmp_path: Path) -> None:
    hyperparameters = {"num_round": "5", "objective": "reg:squarederror", "max_depth": "2", "tree_method": "hist"}
    objects = {"data/a.csv": a_line(0, 5), "data/b.csv": a_line(5, 8)}
    step = trained(two_hosts(XGBOOST, hyperparameters), objects, runner, tmp_path)
    (last,) = set(re.findall(r"\[4\].*train-rmse:(\S+)", step.log))
    assert float(last) < 3
    assert list(model_files(step)) == ["xgboost-model"]
