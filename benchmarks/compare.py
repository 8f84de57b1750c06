"""localpipe side by side with the least machinery and with the SDK's local mode: the same pipelines, in one run.

usage: compare.py [--repeat N] [--sdk PYTHON [--compose PROGRAM]] [--write PAGE] [chain] [fan] [abalone] [big] [many]

Each scenario is run in rounds; in a round every lane has its turn, every other round the other way round, so that a noisy
machine disturbs all alike: ratios are of the same round. Medians, with the spread beside. The chain, which is short, has
twice as many rounds.

  localpipe         each runner, from the definition's text to the end of the execution, in a process of its own
  bare Docker loop  create, start, wait, remove by the docker SDK: same images, scripts and binds; outputs handed on by path
  bare sandbox loop one bubblewrap a job, over the same image's root; the same otherwise
  SDK local mode    `Pipeline.start` alone: its compilation and its upload of the data are not counted; with moto as its S3,
                    but the two large inputs go by path (`file://`), its best case

--sdk names a Python with `sagemaker>=2.200,<3` and `moto[server,s3]`. Its local mode needs Docker Compose v2: the `docker`
command's plugin, or the program that --compose names. --write replaces the figures in a page, between its two marks.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker
from comparison import Results, report
from lanes import Lane, Peer, open_lanes, scratch
from measured import Sample
from scenarios import SCENARIOS, WARM_UP

_MARKS = ("<!-- measured -->", "<!-- end of measured -->")


def main() -> None:
    options = _parser().parse_args()
    peer = Peer(python=options.sdk, compose=options.compose) if options.sdk else None
    before, started = os.getloadavg()[0], time.monotonic()
    with scratch() as directory, open_lanes(directory, peer) as lanes:
        for name, lane in lanes.items():  # environments, exported images, imports, files of images in memory
            _turn(name, lane, WARM_UP, directory)
        results = measure(lanes, options.scenarios or list(SCENARIOS), options.repeat, directory)
        facts = _facts(directory, peer)
    minutes = (time.monotonic() - started) / 60
    load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after, {minutes:.0f} minutes"
    text = f"{facts}; {load}.\n\n{report(results)}"
    print(text)
    if options.write:
        _write(options.write, text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sdk", metavar="PYTHON")
    parser.add_argument("--compose", metavar="PROGRAM", type=Path)
    parser.add_argument("--write", metavar="PAGE", type=Path)
    return parser


def measure(lanes: Mapping[str, Lane], keys: Sequence[str], repeat: int, directory: Path) -> Results:
    """Every lane on every scenario. One turn beforehand is not counted: the first of a kind pays for memory being found."""
    samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    first = next(iter(lanes))
    for key in keys:
        _turn(first, lanes[first], key, directory)
        for turn in range(repeat * (2 if key == "chain" else 1)):
            order = list(lanes) if turn % 2 == 0 else list(reversed(lanes))
            for name in order:
                samples[key, name].append(_turn(name, lanes[name], key, directory))
    return Results(samples)


def _turn(name: str, lane: Lane, key: str, directory: Path) -> Sample:
    started = time.monotonic()
    with scratch(directory) as own:
        sample = lane(key, own)
    took = time.monotonic() - started
    print(f"{key}, {name}: {sample.seconds:.2f} s of {took:.1f} s with all around it", file=sys.stderr, flush=True)
    return sample


def _facts(directory: Path, peer: Peer | None) -> str:
    """The day, the class of machine, and the versions that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], check=True, capture_output=True, text=True).stdout.strip()
    engine = docker.from_env().version()["Version"]
    sdk = f", SageMaker SDK {_sdk_version(peer.python)}" if peer else ""
    machine = f"{os.cpu_count()} processors, {memory} GiB of memory, {kind}"
    return f"{time.strftime('%Y-%m-%d')}; {machine}; Docker engine {engine}{sdk}"


def _sdk_version(python: str) -> str:
    program = "from importlib.metadata import version; print(version('sagemaker'))"
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def _write(page: Path, text: str) -> None:
    """Put the figures between the page's two marks."""
    first, last = map(re.escape, _MARKS)
    whole, count = re.subn(f"(?s)({first}\n).*?({last})", lambda found: f"{found[1]}{text}\n{found[2]}", page.read_text())
    assert count == 1, f"{page} does not have {' and '.join(_MARKS)} once each"
    page.write_text(whole)


if __name__ == "__main__":
    main()
