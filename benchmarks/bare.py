"""A scenario with nothing but its jobs: no engine, no S3, no journal. Outputs are handed on by path, so it is the floor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeAlias

import docker
from scenarios import CODE_DIR, DATA, MODEL, PROCESSING, Gate, Image, Processing, Scenario, Training

from localpipe.service.wiring import cache_dir

Job: TypeAlias = Callable[[Image, Sequence[str], Mapping[str, Path]], None]
"""Runs a command in an image with host directories by container directory. Any thread may call it."""

_TRAINING = "/opt/ml"
_RESOURCES = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}


def run(scenario: Scenario, job: Job, directory: Path) -> float:
    """Run a scenario in an empty directory and return its seconds. Raises what `job` raises, AssertionError at the gate."""
    data = directory / DATA
    data.mkdir()
    scenario.fill(data)
    os.sync()
    started = time.perf_counter()
    for stage in scenario.stages:
        if scenario.gate and stage is scenario.stages[-1]:
            _pass(scenario.gate, directory)
        with ThreadPoolExecutor(len(stage)) as pool:
            list(pool.map(lambda step: _do(step, job, directory), stage))
    return time.perf_counter() - started


def _do(step: Processing | Training, job: Job, directory: Path) -> None:
    if isinstance(step, Training):
        _train(step, job, directory)
    else:
        _process(step, job, directory)


def _process(step: Processing, job: Job, directory: Path) -> None:
    own = directory / step.name
    (own / "code").mkdir(parents=True)
    shutil.copy(step.script, own / "code")
    binds = {f"{PROCESSING}/{name}": directory / source for name, source in step.inputs.items()}
    for name in step.outputs:
        (own / name).mkdir()
        binds[f"{PROCESSING}/{name}"] = own / name
    binds[CODE_DIR] = own / "code"
    job(step.image, ["python3", f"{CODE_DIR}/{step.script.name}", *step.arguments], binds)


def _train(step: Training, job: Job, directory: Path) -> None:
    own = directory / step.name
    for name in ("config", "made", "output", MODEL):
        (own / name).mkdir(parents=True)
    channels = {name: {"TrainingInputMode": "File", "ContentType": "text/csv"} for name in step.inputs}
    for file, document in (
        ("hyperparameters", dict(step.hyperparameters)),
        ("inputdataconfig", channels),
        ("resourceconfig", _RESOURCES),
    ):
        (own / "config" / f"{file}.json").write_text(json.dumps(document))
    binds = {f"{_TRAINING}/input/data/{name}": directory / source for name, source in step.inputs.items()}
    binds |= {f"{_TRAINING}/input/config": own / "config", f"{_TRAINING}/model": own / "made"}
    job(step.image, ["train"], {**binds, f"{_TRAINING}/output": own / "output"})
    with tarfile.open(own / MODEL / "model.tar.gz", "w:gz") as archive:
        for path in (own / "made").iterdir():
            archive.add(path, path.name)


def _pass(gate: Gate, directory: Path) -> None:
    value = json.loads((directory / gate.step / gate.output / gate.file).read_text())
    for name in gate.json_path.split("."):
        value = value[name]
    assert value <= gate.limit, f"{gate.json_path} is {value}, above {gate.limit}"


class DockerLoop:
    """A container a job: create, start, wait, remove by the docker SDK."""

    def __init__(self) -> None:
        self._client = docker.from_env()

    def __call__(self, image: Image, command: Sequence[str], binds: Mapping[str, Path]) -> None:
        volumes = [f"{host}:{inside}" for inside, host in binds.items()]
        container = self._client.containers.create(image.local, list(command), volumes=volumes)
        container.start()
        status = container.wait()["StatusCode"]
        assert status == 0, container.logs().decode()
        container.remove()


class SandboxLoop:
    """A bubblewrap a job, over the image's root as the sandbox runner has exported it."""

    def __init__(self) -> None:
        self._client = docker.from_env()
        self._looking = threading.Lock()
        self._base = cache(self._looked_up)

    def __call__(self, image: Image, command: Sequence[str], binds: Mapping[str, Path]) -> None:
        with self._looking:
            base = self._base(image)
        mounts = [part for inside in sorted(binds) for part in ("--bind", str(binds[inside]), inside)]
        ended = subprocess.run([*base, *mounts, *command], check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr

    def _looked_up(self, image: Image) -> Sequence[str]:
        """The command line as far as it is the image's: its files read-only, but for an /opt where mounts can be made."""
        found = self._client.images.get(image.local)
        root = cache_dir(os.environ) / "images" / str(found.id).rpartition(":")[2] / "root"
        variables = (text.split("=", 1) for text in found.attrs["Config"]["Env"])
        return [
            *("bwrap", "--unshare-pid", "--ro-bind", str(root), "/", "--dev", "/dev", "--proc", "/proc"),
            *("--tmpfs", "/tmp", "--tmpfs", "/opt"),
            *(part for path in (root / "opt").iterdir() for part in ("--ro-bind", str(path), f"/opt/{path.name}")),
            *("--clearenv", *(part for name, value in variables for part in ("--setenv", name, value))),
        ]
