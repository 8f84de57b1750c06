"""All settings as one value, and what an execution keeps of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.faults import Fault, parse_fault
from localpipe.core.functions import Function, QueueCommand
from localpipe.core.jobspec import Limits
from localpipe.core.names import Identity, S3Uri
from localpipe.core.room import Room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.image_build import ImageBuild

_OLDER_SLOTS = "job_slots"
"""What older executions kept of `[slots]`: how many jobs of one execution ran at once."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, resolved. `origins`: where each value came from (`default`, the path of a
    `localpipe.toml`, `LOCALPIPE_...`, `--...`). `image_builds`: those local images of `images` that
    are built before a run. `instances`: what the file says that instance types have. `s3_outputs`: local directories that
    a pipeline writes to, by the prefixes that stand for them.
    """

    home: Path
    runner: str
    region: str
    account: str
    role: str
    cache: str
    max_parallel: int | None
    max_trials: int | None
    stop_grace_seconds: float
    python: Path | None
    unknown_image_python: Path | None
    xgboost_exact: bool
    s3_mounts: Mapping[S3Uri, Path]
    images: Mapping[str, str]
    room: Room
    enforce_instances: bool
    instances: Mapping[str, Limits]
    faults: tuple[Fault, ...] = ()
    s3_outputs: Mapping[S3Uri, Path] = field(default_factory=dict)
    image_builds: Mapping[str, ImageBuild] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    queue_commands: Mapping[str, QueueCommand] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def identity(self) -> Identity:
        """The account, region and role that everything is shown under."""
        role_arn = self.role if self.role.startswith("arn:") else f"arn:aws:iam::{self.account}:role/{self.role}"
        return Identity(account=self.account, region=self.region, role_arn=role_arn)

    def kept(self) -> JSON:
        """What an execution keeps of them for its life, as JSON: all but the home and the Python of the author's script."""
        return {
            "runner": self.runner,
            "region": self.region,
            "account": self.account,
            "role": self.role,
            "cache": self.cache,
            "max_parallel": self.max_parallel,
            "max_trials": self.max_trials,
            "stop_grace_seconds": self.stop_grace_seconds,
            "unknown_image_python": str(self.unknown_image_python) if self.unknown_image_python else None,
            "xgboost_exact": self.xgboost_exact,
            "s3_mounts": {str(uri): str(path) for uri, path in self.s3_mounts.items()},
            "s3_outputs": {str(uri): str(path) for uri, path in self.s3_outputs.items()},
            "images": dict(self.images),
            "room": asdict(self.room),
            "enforce_instances": self.enforce_instances,
            "queue_commands": {url: [command.line, str(command.directory)] for url, command in self.queue_commands.items()},
            "instances": {name: asdict(limits) for name, limits in self.instances.items()},
        }

    def with_kept(self, kept: JSON) -> Settings:
        """These settings with what an execution kept in place of today's: of its own it has the `faults` asked for."""
        return replace(
            self,
            **{
                **{name: value for name, value in kept.items() if name != _OLDER_SLOTS},
                "unknown_image_python": Path(python) if (python := kept.get("unknown_image_python")) else None,
                "room": Room(**kept["room"]) if "room" in kept else Room(jobs=kept[_OLDER_SLOTS]),
                "faults": tuple(map(parse_fault, kept.get("faults", ()))),
                "instances": {name: Limits(**limits) for name, limits in kept.get("instances", {}).items()},
                "queue_commands": {
                    url: QueueCommand(line=line, directory=Path(directory))
                    for url, (line, directory) in kept.get("queue_commands", {}).items()
                },
                "s3_mounts": {S3Uri.parse(uri): Path(path) for uri, path in kept["s3_mounts"].items()},
                "s3_outputs": {S3Uri.parse(uri): Path(path) for uri, path in kept.get("s3_outputs", {}).items()},
            },
        )
