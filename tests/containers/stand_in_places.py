"""The stand-ins as a job sees them: a tree for /opt/ml, run in an image and in a virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images import catalogue
from localpipe.images.environments import Environments
from localpipe.images.resources import containers_dir
from localpipe.runners.engine_address import docker_client, engine_address

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
        hosts = tree.root.with_name("hosts")
        hosts.write_text("127.0.0.1 localhost algo-1\n")
        variables = {**catalogue.IMAGE_ENVIRONMENT, "HOME": "/tmp", "PATH": f"{self.path / 'bin'}:/usr/bin:/bin"}  # noqa: S108
        options = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-net", "--unshare-uts", "--clearenv"]
        options += ["--hostname", "algo-1", "--ro-bind", str(hosts), "/etc/hosts"]
        options += ["--tmpfs", "/tmp", "--tmpfs", "/opt", "--bind", str(tree.root), "/opt/ml"]  # noqa: S108 - a private one
        options += [part for name, value in variables.items() for part in ("--setenv", name, value)]
        return _run(["bwrap", *options, *command])


Place = Image | VirtualEnvironment


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100)
