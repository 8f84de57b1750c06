"""PyTorch and TensorFlow by AWS's own framework packages on the toolkit."""

from __future__ import annotations

import pytest
from stand_in_places import OptMl, Place, VirtualEnvironment

pytestmark = pytest.mark.slow

TRAINING = """
import argparse, os, torch
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
given = parser.parse_args()
torch.manual_seed(1)
rows = [[float(x) for x in line.split(",")] for line in open(os.environ["SM_CHANNEL_TRAIN"] + "/t.csv")]
data = torch.tensor(rows)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
losses = []
for epoch in range(given.epochs):
    loss = torch.nn.functional.mse_loss(model(data[:, 1:]), data[:, :1])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    losses.append(loss.item())
print(f"BETTER {losses[-1] < losses[0]} MASTER {os.environ['MASTER_ADDR']} {os.environ['SM_DLC_TORCH_VERSION']}")
torch.save(model.state_dict(), os.path.join(given.model_dir, "model.pth"))
"""
TENSORFLOW = """
import os, numpy, tensorflow
model = tensorflow.keras.Sequential([tensorflow.keras.layers.Input((1,)), tensorflow.keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
history = model.fit(numpy.arange(8.0).reshape(-1, 1) / 8, numpy.arange(8.0), epochs=3, verbose=0).history["loss"]
print(f"BETTER {history[-1] < history[0]} {os.environ['SM_CHANNEL_TRAIN']}")
model.export(os.environ["SM_MODEL_DIR"] + "/1")
"""
SLOW_WORDS = """
import time

class Loss:
    def __str__(self):
        time.sleep(0.5)
        return "0.5"

print("loss", Loss())
"""
HOSTS = """
import os, sys, torch, torch.distributed as distributed, torch.multiprocessing as processes

def host(rank, size):
    distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:7777", rank=rank, world_size=size)
    total = torch.tensor([float(rank + 1)])
    distributed.all_reduce(total)
    assert total.item() == 3
    distributed.destroy_process_group()

if __name__ == "__main__":
    processes.spawn(host, (2,), nprocs=2)
    print("AGREED")
"""


def test_a_pytorch_script_trains_by_aws_s_framework_package(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("pytorch:2.13")
    rows = "".join(f"{2 * x + 1},{x}\n" for x in range(8))
    hyperparameters = opt_ml.code({"train.py": TRAINING}) | {"epochs": "50"}
    outcome = place.run(opt_ml.channel("train", {"t.csv": rows}).configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "BETTER True MASTER algo-1 2.13.0+cpu" in outcome.stdout
    assert (opt_ml.root / "model" / "model.pth").exists()


def test_what_a_script_prints_word_by_word_becomes_lines_as_in_aws_s_unbuffered_images(
    place_kind: type[Place], opt_ml: OptMl
) -> None:
    outcome = place_kind("pytorch:2.13").run(opt_ml.configure(opt_ml.code({"train.py": SLOW_WORDS})), "train")
    assert outcome.returncode == 0, outcome.stdout
    printed = [line for line in outcome.stdout.splitlines() if line]
    assert printed.index("loss") < printed.index("0.5")  # the toolkit's own lines may come between


def test_processes_find_each_other_by_gloo(place_kind: type[Place], opt_ml: OptMl) -> None:
    place = place_kind("pytorch:2.13")
    (opt_ml.configure({}).root / "hosts.py").write_text(HOSTS)
    outcome = place.run(opt_ml, "python3", "/opt/ml/hosts.py")
    assert outcome.returncode == 0, outcome.stdout
    assert "AGREED" in outcome.stdout


@pytest.mark.sandbox
def test_a_tensorflow_script_trains_and_exports_its_model(opt_ml: OptMl) -> None:
    place = VirtualEnvironment("tensorflow:2.21")
    hyperparameters = opt_ml.code({"train.py": TENSORFLOW})
    outcome = place.run(opt_ml.channel("train", {"t.csv": "1\n"}).configure(hyperparameters), "train")
    assert outcome.returncode == 0, outcome.stdout
    assert "BETTER True /opt/ml/input/data/train" in outcome.stdout
    assert (opt_ml.root / "model" / "1" / "saved_model.pb").exists()
