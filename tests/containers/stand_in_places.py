"""The stand-ins as a job sees them: a tree for /opt/ml, run in an image and in a virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tarfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from docker.errors import ImageNotFound
from served import Served

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images import catalogue
from localpipe.images.environments import Environments
from localpipe.images.resources import containers_dir
from localpipe.runners.engine_address import docker_client, engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENGINE_SECONDS = 60


@dataclass(frozen=True)
class OptMl:
    """A hand-made /opt/ml."""

    root: Path
    channels: dict[str, dict[str, str]] = field(default_factory=dict)

    def channel(self, name: str, files: dict[str, str], content_type: str | None = "text/csv") -> OptMl:
        directory = self.root / "input" / "data" / name
        directory.mkdir(parents=True)
        for file, text in files.items():
            (directory / file).write_text(text)
        self.channels[name] = {"TrainingInputMode": "File"} | ({"ContentType": content_type} if content_type else {})
        return self

    def code(self, files: dict[str, str]) -> dict[str, str]:
        """Put the files into a code archive in channel `code`, as for an isolated job; the hyperparameters that name it."""
        source = self.root / "source"
        source.mkdir(parents=True)
        for name, text in files.items():
            (source / name).write_text(text)
        self.channel("code", {}, None)
        with tarfile.open(self.root / "input" / "data" / "code" / "sourcedir.tar.gz", "w:gz") as archive:
            for name in files:
                archive.add(source / name, name)
        return {
            "sagemaker_program": json.dumps(next(iter(files))),
            "sagemaker_submit_directory": json.dumps("/opt/ml/input/data/code/sourcedir.tar.gz"),
        }

    def configure(self, hyperparameters: dict[str, str]) -> OptMl:
        config = self.root / "input" / "config"
        config.mkdir(parents=True, exist_ok=True)
        resources = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
        (config / "inputdataconfig.json").write_text(json.dumps(self.channels))
        (config / "resourceconfig.json").write_text(json.dumps(resources))
        (self.root / "model").mkdir(exist_ok=True)
        (self.root / "output" / "data").mkdir(parents=True, exist_ok=True)
        return self

    @property
    def failure(self) -> str:
        return (self.root / "output" / "failure").read_text()


class Image:
    """Runs a command in the stand-in's image, without network."""

    def __init__(self, name: str) -> None:
        self.image = catalogue.named(name)[0].local_image
        try:
            with closing(docker_client(engine_address(os.environ), _ENGINE_SECONDS)) as client:
                client.images.get(self.image)
        except ImageNotFound:
            pytest.skip(f"{self.image} is not built")
        except RunnerUnavailable as error:
            pytest.skip(str(error))

    def run(self, tree: OptMl, *command: str) -> subprocess.CompletedProcess[str]:
        options = ["--rm", "--network", "none", "--hostname", "algo-1", "--add-host", "algo-1:127.0.0.1"]
        options += ["-v", f"{tree.root}:/opt/ml"]
        return _run(["docker", "run", *options, self.image, *command])

    @contextmanager
    def serving(self, tree: OptMl, **environment: str) -> Iterator[Served]:
        """The model in the tree, served at the container's own address."""
        options = ["--detach", "-v", f"{tree.root}:/opt/ml", "-v", f"{tree.root / 'model'}:/opt/ml/model:ro"]
        options += [f"--env={name}={value}" for name, value in environment.items()]
        container = _run(["docker", "run", *options, self.image, "serve"]).stdout.strip()
        try:
            found = _run(
                ["docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container]
            ).stdout.strip()
            yield Served(
                host=found,
                port=8080,
                log=lambda: _run(["docker", "logs", container]).stdout,
                signal=lambda signum: _run(["docker", "kill", "--signal", str(signum), container]),
                wait=lambda: int(_run(["docker", "wait", container]).stdout),
            )
        finally:
            _run(["docker", "rm", "--force", container])


class VirtualEnvironment:
    """Runs a command in the stand-in's virtual environment, in its own mount and network namespace."""

    def __init__(self, name: str) -> None:
        if not shutil.which("bwrap"):
            pytest.skip("bubblewrap is not installed")
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localpipe"
        environments = Environments(cache=cache, containers=containers_dir(), mappings={})
        try:
            self.path = environments.ensure(catalogue.named(name)[0].local_image, print)
        except (ImageMissing, RunnerUnavailable) as error:
            pytest.skip(str(error))

    def run(self, tree: OptMl, *command: str) -> subprocess.CompletedProcess[str]:
        options = [*self._options(tree), "--unshare-net", "--unshare-uts", "--hostname", "algo-1"]
        return _run(["bwrap", *options, *command])

    @contextmanager
    def serving(self, tree: OptMl, **environment: str) -> Iterator[Served]:
        """The model in the tree, served at a port of this machine that is free, by a first process."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log, (told, tell) = tree.root.with_name(f"served-at-{port}.log"), os.pipe()
        options = [*self._options(tree), "--ro-bind", str(tree.root / "model"), "/opt/ml/model", "--die-with-parent"]
        options += ["--unshare-pid", "--as-pid-1", "--info-fd", str(tell)]
        for name, value in {"SAGEMAKER_BIND_TO_PORT": str(port), **environment}.items():
            options += ["--setenv", name, value]
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bwrap", *options, "serve"], stdout=output, stderr=subprocess.STDOUT, pass_fds=[tell]
            )
        os.close(tell)
        with process:
            try:
                first_process = _first_process(told)
                yield Served(
                    host="127.0.0.1",
                    port=port,
                    log=log.read_text,
                    signal=lambda signum: os.kill(first_process, signum),
                    wait=process.wait,
                )
            finally:
                process.kill()

    def _options(self, tree: OptMl) -> list[str]:
        hosts = tree.root.with_name("hosts")
        hosts.write_text("127.0.0.1 localhost algo-1\n")
        variables = {**catalogue.IMAGE_ENVIRONMENT, "HOME": "/tmp", "PATH": f"{self.path / 'bin'}:/usr/bin:/bin"}  # noqa: S108
        options = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--clearenv"]
        options += ["--ro-bind", str(hosts), "/etc/hosts"]
        options += ["--tmpfs", "/tmp", "--tmpfs", "/opt", "--bind", str(tree.root), "/opt/ml"]  # noqa: S108 - a private one
        return options + [part for name, value in variables.items() for part in ("--setenv", name, value)]


Place = Image | VirtualEnvironment


def _first_process(told: int) -> int:
    """What bubblewrap tells of the process that it started; the descriptor is closed."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        text += os.read(told, 4096)
    os.close(told)
    return json.loads(text)["child-pid"]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100)
