"""Many steps at once on Docker, and what is left behind: containers, networks, volumes, mounts, file descriptors, threads.

usage: stress.py [--steps N] [--seconds S] [--at-once N] [--every-nth-fails N] [--image IMAGE]

Prints a JSON document; `left` is empty where nothing was left. Counts nothing but its own: what bears its home's name, and
what this process holds more than before the run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import docker

from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import DOCKER, Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

_IMAGE_URI = "111122223333.dkr.ecr.us-east-1.amazonaws.com/stress:1"
_OUT = "/opt/ml/processing/out"


def main() -> None:
    options = _parser().parse_args()
    pipeline = _pipeline(options.steps, options.seconds, options.every_nth_fails)
    with tempfile.TemporaryDirectory(prefix="stress-") as scratch:
        directory = Path(scratch)
        settings = f'[slots]\njobs = {options.at_once}\n[images]\n"*/stress:*" = "{options.image}"\n'
        (directory / "localpipe.toml").write_text(settings)
        _run(directory / "first", directory, _pipeline(1, 0, 0))  # modules, pools and caches that a process keeps
        before = _held()
        started = time.perf_counter()
        statuses = _run(directory / "home", directory, pipeline)
        seconds = time.perf_counter() - started
        left = {**_of_this_process(before), **_of_the_engine(directory)}
    document = {
        "seconds": round(seconds, 2),
        "statuses": statuses,
        "peak_mib": _peak_kib() >> 10,
        "left": {what: found for what, found in left.items() if found},
    }
    print(json.dumps(document, indent=1))
    sys.exit(bool(document["left"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--every-nth-fails", type=int, default=0, metavar="N", help="0: none")
    parser.add_argument("--image", default="localpipe-base:bookworm")
    return parser


def _pipeline(steps: int, seconds: float, every_nth_fails: int) -> JSON:
    fails = [bool(every_nth_fails) and number % every_nth_fails == 0 for number in range(1, steps + 1)]
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [],
        "Steps": [_step(f"Step{number:03}", seconds, status=int(failing)) for number, failing in enumerate(fails, 1)],
    }


def _step(name: str, seconds: float, *, status: int) -> JSON:
    output = {"S3Uri": f"s3://stress/{name}", "LocalPath": _OUT, "S3UploadMode": "EndOfJob"}
    script = f"sleep {seconds}; echo done > {_OUT}/done; exit {status}"
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": "arn:aws:iam::111122223333:role/stress",
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "AppSpecification": {"ImageUri": _IMAGE_URI, "ContainerEntrypoint": ["sh", "-c", script]},
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
        },
    }


def _run(home_dir: Path, directory: Path, pipeline: JSON) -> JSON:
    """How many steps came to which status, with the execution's own."""
    with closing(Home(load_settings({"home": str(home_dir), "runner": DOCKER}, {}, directory))) as home:
        ready = preflight(home, pipeline, "stress", {})
        execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
        ended = drive(execution, lambda fact: None)
        steps = Counter(row["StepStatus"] for row in ended.document()["Steps"])
        return {"execution": ended.status, "steps": dict(sorted(steps.items()))}


def _held() -> tuple[Counter[str], Counter[str]]:
    """The file descriptors of this process, by what they lead to, and its threads, by name."""
    descriptors = Path("/proc/self/fd")
    kinds = Counter(_kind(str(path.readlink())) for path in descriptors.iterdir() if path.is_symlink())
    return kinds, Counter(thread.name for thread in threading.enumerate())


def _kind(target: str) -> str:
    """`socket:[123]` → `socket`; files keep their name."""
    return target.partition(":[")[0]


def _of_this_process(before: tuple[Counter[str], Counter[str]]) -> JSON:
    descriptors, threads = (now - then for now, then in zip(_held(), before, strict=True))
    return {"descriptors": dict(descriptors), "threads": dict(threads)}


def _of_the_engine(directory: Path) -> JSON:
    """What the engine still has of the homes below a directory, and what is mounted from or onto them."""
    with closing(docker.APIClient(version="auto")) as api:
        has = {
            "containers": api.containers(all=True),
            "networks": api.networks(),
            "volumes": api.volumes()["Volumes"] or [],
        }
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        **{what: [each for each in found if str(directory) in json.dumps(each)] for what, found in has.items()},
        "mounts": [line for line in mounts if str(directory) in line],
    }


def _peak_kib() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
