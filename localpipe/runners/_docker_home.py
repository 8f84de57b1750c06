"""A Docker engine as the containers of one home need it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.runners._docker_errors import gone_is_fine
from localpipe.runners._docker_reclaim import ReclaimHelper, has_foreign, take_as_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from docker import APIClient

    from localpipe.core import JSON
    from localpipe.runners._docker_engine import EngineFacts

HOME_LABEL = "localpipe.home"
"""The label that says which home a container, or a network of several, belongs to."""


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine has. `platform`: the one to run it as (`linux/amd64`), None for the engine's own."""

    name: str
    platform: str | None


@dataclass(frozen=True)
class DockerEngine:
    """A connected engine as the containers of one home need it. `grace_seconds`: see `DockerRunner`."""

    api: APIClient
    facts: EngineFacts
    home: Path
    helper: ReclaimHelper
    grace_seconds: float

    def containers(self, labels: Mapping[str, str]) -> list[JSON]:
        """The home's containers with these labels, whatever their state, in the shape of the engine's list."""
        wanted = {HOME_LABEL: str(self.home), **labels}
        return list(self.api.containers(all=True, filters={"label": [f"{name}={value}" for name, value in wanted.items()]}))

    def networks(self) -> list[JSON]:
        """The networks of the home's jobs of several hosts."""
        return list(self.api.networks(filters={"label": f"{HOME_LABEL}={self.home}"}))

    def remove(self, container: str) -> None:
        """Remove a container and its volumes, whatever it does; one that is not there is no error."""
        with gone_is_fine():
            self.api.remove_container(container, v=True, force=True)

    def reclaim(self, directories: Sequence[Path], image: str) -> bool:
        """Give directories and all below to the user; False if that takes root and no helper could do it."""
        user, group = os.getuid(), os.getgid()
        if not has_foreign(directories, user):
            return True
        if user == 0:
            take_as_root(directories, user, group)
            return True
        return self.helper.reclaim(directories, image)
