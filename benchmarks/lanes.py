"""Who runs a scenario: localpipe on each runner, the bare loops, the SDK's local mode. Each in turn, and alone."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import bare
import docker
import measured
from comparison import BARE_DOCKER, BARE_SANDBOX, DOCKER, RUNNERS, SANDBOX, SDK
from measured import Sample
from scenarios import SCENARIOS

from localpipe.service.wiring import Home
from localpipe.settings import load_settings

Lane: TypeAlias = Callable[[str, Path], Sample]
"""Runs a scenario by its key in an empty directory."""

_COMPOSE_DIR = "com.docker.compose.project.working_dir"
_COMPOSE_VERSION = "Docker Compose version v2"
_PLUGIN = """#!/bin/sh
if [ "$1" = compose ] && [ "$2" = version ]; then echo "{version}"; exit 0; fi
exec "{program}" "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The SageMaker SDK's local mode. `python` has `sagemaker` 2 and `moto[server,s3]`; `compose` is Compose v2's program.

    `compose` None: the plugin that the `docker` command has.
    """

    python: str
    compose: Path | None


@contextmanager
def open_lanes(directory: Path, peer: Peer | None) -> Iterator[Mapping[str, Lane]]:
    """Every lane that can be used here, ready to run. The sandbox loop needs what the sandbox runner's first run exports."""
    home = Home(load_settings({"home": str(directory / "looked"), "runner": DOCKER}, {}, directory))
    usable = [name for name, availability in home.availability().items() if availability.usable]
    home.close()
    with ExitStack() as stack:
        lanes: dict[str, Lane] = {}
        for runner in RUNNERS:
            if runner in usable:
                pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
                stack.enter_context(pool)
                lanes[runner] = partial(_localpipe, pool, runner)
        if DOCKER in usable:
            lanes[BARE_DOCKER] = partial(_bare, bare.DockerLoop())
        if SANDBOX in usable and DOCKER in usable:
            lanes[BARE_SANDBOX] = partial(_bare, bare.SandboxLoop())
        if peer:
            lanes[SDK] = partial(_sdk, peer)
        yield lanes


def _localpipe(pool: ProcessPoolExecutor, runner: str, key: str, directory: Path) -> Sample:
    return pool.submit(measured.run, runner, key, directory).result()


def _bare(job: bare.Job, key: str, directory: Path) -> Sample:
    return Sample(seconds=bare.run(SCENARIOS[key], job, directory))


def _sdk(peer: Peer, key: str, directory: Path) -> Sample:
    """With a server of its own for each run: what one keeps of earlier runs must not weigh on later ones."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": str(directory),
        **({"DOCKER_CONFIG": str(_docker_config(peer.compose, directory))} if peer.compose else {}),
    }
    with _moto(peer.python, environment) as url:
        ended = subprocess.run(
            [peer.python, "-W", "ignore", Path(__file__).with_name("sdk_local.py"), key, url, directory],
            env={**environment, "AWS_ENDPOINT_URL": url},
            check=False,
            capture_output=True,
            text=True,
        )
    _remove_left_by_compose(directory)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return Sample(**json.loads(ended.stdout.splitlines()[-1]))


def _remove_left_by_compose(directory: Path) -> None:
    """The SDK leaves the containers of its jobs behind."""
    client = docker.from_env()
    for container in client.containers.list(all=True, filters={"label": _COMPOSE_DIR}):
        if container.labels[_COMPOSE_DIR].startswith(str(directory)):
            container.remove(force=True)
    client.close()


def _docker_config(compose: Path, directory: Path) -> Path:
    """A configuration of the `docker` command with that plugin.

    The SDK looks for `v2` in what `docker compose version` says, and some builds leave it out: then it takes the old
    `docker-compose`, which is slower.
    """
    plugin = directory / "docker-config" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(_PLUGIN.format(version=_COMPOSE_VERSION, program=compose.resolve()))
    plugin.chmod(0o755)
    return plugin.parents[1]


@contextmanager
def _moto(python: str, environment: Mapping[str, str]) -> Iterator[str]:
    """An S3 server on loopback; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert server.stderr
    said = []
    try:
        for line in server.stderr:
            said.append(line)
            if "Running on" in line:
                break
        else:
            raise AssertionError(f"moto's server has not started:\n{''.join(said)}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.stderr.close()
        server.wait()


@contextmanager
def scratch(parent: Path = Path(__file__).parent) -> Iterator[Path]:
    """A directory, by default on the disk of the checkout: a memory file system would flatter all."""
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
