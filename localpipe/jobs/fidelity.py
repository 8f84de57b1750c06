"""Rules on the members of a Create request: what becomes of each here, and the sentences that requests share.

Every member that the service model knows is in the table of its request, alone or with all below it, or is refused outright
(`jobs/unsupported.py`), so that none is ignored in silence. A member that is not there is not judged. Of two rules of a
table, none covers the other's member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.fidelity import Rule, Verdict
from localpipe.core.names import LOCAL_FILES, S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core import JSON
    from localpipe.core.fidelity import Circumstances

NOT_ENFORCED = "Not enforced: the job ran without AWS credentials, and nothing was forbidden it."
KEPT_ROLE = "Kept as data; nothing is allowed or forbidden by it."
NO_VPC = "The job was in no VPC: it had the network of this machine's containers or of the machine."
KEPT_VPC = "Kept as data; nothing is connected to it."
PLAIN_TRAFFIC = "Traffic between the hosts of the job was not encrypted."
NOT_ENCRYPTED = "Nothing was encrypted: objects and disks are ordinary files of this machine."
NO_VOLUME = "The job had the free space of this machine's disk, however much that was."
ONE_USER = (
    "The job had one user, who owned every file and could not become another, open a raw socket or make a device. "
    "Of `/sys` it saw the processors and memory, not the network interfaces or its control group."
)
NOT_SHIELDED = (
    "The containers of an isolated model reached nothing but, on Docker, what listens on all addresses of this machine."
)
NO_TAGS = "Tags are not kept."
NO_TRIAL = "No trial component was made; Describe shows the member."
NO_DEBUGGER = "No debugger, profiler or rule ran, and nothing was saved for one; Describe shows the member."
NO_ACCESS_CHECK = "The data came from the local S3, where no agreement or hub is asked."


def exact(*members: str) -> tuple[Rule, ...]:
    """As on the service."""
    return tuple(Rule(member=member, verdict=Verdict.EXACT, told="", note=lambda _value, _run: "") for member in members)


def approximated(member: str, told: str) -> Rule:
    """Approximated in one way, wherever it is switched on."""
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=lambda value, _: told if value else "")


def ignored(member: str, told: str, when: Callable[[JSON], bool] = bool) -> Rule:
    """Without effect. `when`: which values ask for one."""
    return Rule(member=member, verdict=Verdict.IGNORED, told=told, note=lambda value, _: told if when(value) else "")


def image(member: str) -> Rule:
    """The URI of an image, by what served it in the run."""

    def note(value: JSON, run: Circumstances) -> str:
        return " ".join(filter(None, (_served(value, run), ONE_USER if run.one_user else "")))

    told = f"What stood for the image, with its versions; the very image is exact. In a sandbox: {ONE_USER}"
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def model(member: str) -> Rule:
    """The name of a model, by what served the images of its containers and what an isolated one could reach."""

    def note(value: JSON, run: Circumstances) -> str:
        described = run.model(str(value))
        if described is None:
            return f"What served the model {value} is not on record: it is not registered any more."
        containers = described.get("Containers") or [described["PrimaryContainer"]]
        served = [_served(uri, run) for uri in dict.fromkeys(container["Image"] for container in containers)]
        exposed = described["EnableNetworkIsolation"] and not run.shields_machine
        return " ".join(filter(None, (*served, ONE_USER if run.one_user else "", NOT_SHIELDED if exposed else "")))

    told = (
        f"What stood for the images of the model's containers, with its versions; the very images are exact. {NOT_SHIELDED}"
    )
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=f"{told} In a sandbox: {ONE_USER}", note=note)


def source(member: str) -> Rule:
    """The URI of an input, by the mounts that it was read from."""

    def note(value: JSON, run: Circumstances) -> str:
        around, within = _mounted(value, run.mounts)
        directories = " and ".join(str(directory) for directory in (*around, *within))
        part = "" if around else "in part "
        by = "" if str(value).startswith(f"s3://{LOCAL_FILES}/") else " by [s3.mounts]"
        return f"Read {part}from {directories}{by}, as it was at that moment." if directories else ""

    told = (
        "A local path, or below or above a prefix of `[s3.mounts]`: read from that directory, as it was at that moment. "
        "Else exact."
    )
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def target(member: str) -> Rule:
    """The URI of an output, by whether it is a local path."""

    def note(value: JSON, _run: Circumstances) -> str:
        path = str(value).removeprefix(f"s3://{LOCAL_FILES}")
        return f"Written to {path}, a directory of this machine." if path != str(value) else ""

    told = "A local path: written to that directory. Else exact."
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def instance(member: str) -> Rule:
    """An instance type, by whether the job was held to it."""

    def note(value: JSON, run: Circumstances) -> str:
        if run.limits_kept(str(value)):
            return f"The job had no more processors and memory than {value}; the rest was this machine's."
        why = ": this runner cannot do what `[instances] enforce` asks, the Docker runner can" if run.limits_refused else ""
        return f"The job had the processors and memory of this machine, not those of {value}{why}."

    told = "The job had what this machine has, on Docker by `[instances] enforce` at most the type's processors and memory."
    return Rule(member=member, verdict=Verdict.APPROXIMATED, told=told, note=note)


def below(parent: str, *members: str) -> tuple[str, ...]:
    """Members of one parent, as paths."""
    return tuple(f"{parent}.{member}" for member in members)


def _served(image_uri: JSON, run: Circumstances) -> str:
    """What served an image in the run; empty: it did itself."""
    return run.images.get(str(image_uri), f"What served {image_uri} was not known before the run and is not on record.")


def _mounted(value: JSON, mounts: Mapping[S3Uri, Path]) -> tuple[list[Path], list[Path]]:
    """The directory that an input lies in, of the innermost mount around it, and those of mounts that it holds."""
    try:
        uri = S3Uri.parse(str(value))
    except ValueError:
        return [], []
    around = sorted((mount for mount in mounts if mount.holds(uri)), key=lambda mount: len(mount.key))
    listed = (mount for mount in mounts if mount.bucket == uri.bucket and mount.child("").key.startswith(uri.key))
    return [mounts[mount] for mount in around[-1:]], [mounts[mount] for mount in listed if mount not in around]
