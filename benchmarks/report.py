"""What localpipe adds to the bare job, in one run: chain of 10, fan-out of 8, large inputs, 1,000 instant steps, a second
run that is answered from the first, start-up.

usage: report.py [--repeat N] [docker] [process] [sandbox] [plan] [again] [startup]      default: all that can run here

Ours and the bare loop take turns in the same run, so that a noisy machine disturbs both. Medians, with the spread beside.
The bare Docker job: create, start, wait, remove by the docker SDK, with the same image, script and bind mounts. The bare
sandbox: one bubblewrap over this machine's root, with the same interpreter, script and mounts. The sandbox runner stands
against the bare Docker job, whose image it shares.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from localpipe.core.names import S3Uri
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.executions import describe_pipeline_execution, drive, start_pipeline_execution
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

SAMPLES = Path(__file__).resolve().parents[1] / "sample_pipelines"
PARTS = ["docker", "process", "sandbox", "plan", "again", "startup"]
IMAGE_URI = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
IMAGE = "localpipe/scikit-learn:1.2-1"
PROCESSING = "/opt/ml/processing"
CHAIN, FAN, SLEEP_SECONDS, STEPS = 10, 8, 2.0, 1000
NOT_SHOWN = {"dev", "opt", "proc", "tmp", "var"}
"""Of this machine's root: the sandbox has its own, and below /var an engine's mounts come and go."""

SCRIPT = """
import pathlib, shutil, sys, time
time.sleep(float(sys.argv[1]))
source, target = pathlib.Path("/opt/ml/processing/in"), pathlib.Path("/opt/ml/processing/out")
for path in source.rglob("*"):
    if path.is_file():
        shutil.copyfile(path, target / path.name)
"""


MANY, BIG = 10_000, 2 << 30
LOOK = """
import os, pathlib
sizes = [path.stat().st_size for path in pathlib.Path("/opt/ml/processing/in").rglob("*") if path.is_file()]
pathlib.Path("/opt/ml/processing/out/sizes").write_text(f"{len(sizes)} {sum(sizes)}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    wanted = options.what or PARTS
    print("| what | ours, median s | spread | bare, median s | spread | ratio | added per step, ms |")
    print("|---|---|---|---|---|---|---|")
    with scratch() as directory:
        for runner in ("docker", "process", "sandbox"):
            if runner in wanted:
                jobs(runner, directory, options.repeat)
        if "plan" in wanted:
            plan(directory, options.repeat)
        if "again" in wanted:
            again(directory, options.repeat)
    if "startup" in wanted:
        startup(options.repeat)


def jobs(runner: str, directory: Path, repeat: int) -> None:
    """Chain and fan-out on a runner, each in turn with its bare loop."""
    home = opened(directory / runner, runner)
    if not home.runner(runner).check().usable:
        print(f"| {runner}: cannot be used here | | | | | | |")
        return
    bare = BareSandbox(directory / runner, home) if runner == "process" else BareDocker(directory / runner)
    chain, fan = chain_definition(), fan_definition()
    run(home, chain)  # warm: environments, imports, page cache
    ours, theirs = alternate(repeat, lambda: run(home, chain), bare.chain)
    row(f"{runner}: chain of {CHAIN}", ours, theirs, CHAIN)
    ours, theirs = alternate(max(2, repeat // 2), lambda: run(home, fan), bare.fan)
    row(f"{runner}: fan-out of {FAN} sleeping {SLEEP_SECONDS:.0f} s", ours, theirs, 3)
    for what, prefix in ((f"{MANY:,} files of 4 KiB", "many"), (f"{BIG >> 30} GiB in one file", "big")):
        fill(home, bare.directory / prefix, prefix)
        ours, theirs = alternate(repeat, partial(run, home, looking(prefix)), partial(bare.look, prefix))
        row(f"{runner}: {what}, looked at by two steps", ours, theirs, 2)


def looking(prefix: str) -> dict[str, Any]:
    """Two steps, one after the other, that look at all objects of a prefix."""
    steps = [processing(name, uri=f"s3://data/{prefix}", script="look.py") for name in ("Look1", "Look2")]
    steps[1]["DependsOn"] = ["Look1"]
    return pipeline(steps)


def fill(home: Home, directory: Path, prefix: str) -> None:
    """The same data for the bare job in a directory and for ours under a prefix."""
    directory.mkdir()
    count, size = (MANY, 4096) if prefix == "many" else (1, BIG)
    for number in range(count):
        with (directory / f"{number:05}").open("wb") as file:
            file.truncate(size)
        with tempfile.NamedTemporaryFile(dir=home.store.scratch_dir(), delete=False) as file:
            file.truncate(size)
        home.store.put(S3Uri("data", f"{prefix}/{number:05}"), Path(file.name), move=True)


def plan(directory: Path, repeat: int) -> None:
    """A thousand steps: planned, decided and journalled; then with jobs that end at once, staged and collected too."""
    # No name begins another: a prefix in S3 is text, and S1 would read S10's output too.
    names = [f"S{index:04}" for index in range(STEPS)]
    jobs_ = [processing(name, source=names[index - 1] if index % 10 else "") for index, name in enumerate(names)]
    instant = [condition(f"C{index}", f"C{index - 1}" if index % 10 else "") for index in range(STEPS)]
    for what, steps in (("instant steps (conditions)", instant), ("scripted jobs, staged and collected", jobs_)):
        times = []
        for index in range(max(2, repeat // 2)):
            home = opened(directory / f"plan-{what[:7]}-{index}", "process")
            started = time.perf_counter()
            run(home, pipeline(steps), ScriptedRunner(default=copies))
            times.append(time.perf_counter() - started)
        print(f"| {STEPS} {what} | {statistics.median(times):.2f} | {spread(times)} | | | | |", flush=True)


def condition(name: str, after: str) -> dict[str, Any]:
    """A step that needs no job."""
    arguments = {"Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}], "IfSteps": [], "ElseSteps": []}
    return {"Name": name, "Type": "Condition", "DependsOn": [after] if after else [], "Arguments": arguments}


def again(directory: Path, repeat: int) -> None:
    """The abalone pipeline when all its jobs have run before: the whole command, by values and by contents."""
    for runner in ("docker", "process"):
        if not opened(directory / f"again-{runner}", runner).runner(runner).check().usable:
            print(f"| {runner}: cannot be used here | | | | | | |")
            continue
        for mode in ("service", "content"):
            folder = directory / f"abalone-{runner}-{mode}"
            shutil.copytree(SAMPLES / "abalone", folder)
            with_cache_config(folder / "definition.json")
            command = [sys.executable, "-m", "localpipe", "run", "definition.json", "--runner", runner, "--cache", mode]
            run_it = partial(subprocess.run, command, cwd=folder, check=True, capture_output=True)
            run_it()
            bare = partial(subprocess.run, [sys.executable, "-c", "pass"], check=True)
            row(f"{runner}: abalone again, --cache {mode} (bare: python -c pass)", *alternate(repeat, run_it, bare), 6)


def with_cache_config(definition: Path) -> None:
    document = json.loads(definition.read_text())
    for step in document["Steps"]:
        if step["Type"] in {"Processing", "Training"}:
            step["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    definition.write_text(json.dumps(document))


def startup(repeat: int) -> None:
    """The command line against a bare interpreter."""
    ours, theirs = alternate(
        repeat * 2,
        lambda: subprocess.run([sys.executable, "-m", "localpipe", "--help"], check=True, capture_output=True),
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True, capture_output=True),
    )
    row("localpipe --help (bare: python -c pass)", ours, theirs, 1)


def copies(container: Any) -> int:
    """What the script does, for the scripted runner."""
    out = Path(PROCESSING) / "out"
    container.write(type(container.job.hosts[0].mounts[0].container_dir)(out / "x.txt"), "hello")
    return 0


def run(home: Home, definition: dict[str, Any], runner: ScriptedRunner | None = None) -> None:
    """One execution in this process, from the definition to the end."""
    ready = preflight(home, definition, "bench", {}, runner=runner)
    execution = describe_pipeline_execution(home, start_pipeline_execution(home, ready))
    ended = drive(execution, lambda fact: None, runner)
    assert ended.status == "Succeeded", ended.document()


def processing(
    name: str,
    *,
    source: str = "",
    seconds: float = 0,
    inputs: Sequence[str] = (),
    uri: str = "s3://data/x",
    script: str = "copy_all.py",
) -> dict[str, Any]:
    """A step that runs a script on its input, or on those of several steps; by default it copies them to its output."""
    uris = {"in": out_of(source) if source else uri}
    if inputs:
        uris = {f"in{index}": out_of(step) for index, step in enumerate(inputs)}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "RoleArn": "arn:aws:iam::111122223333:role/bench",
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "AppSpecification": {
                "ImageUri": IMAGE_URI,
                "ContainerEntrypoint": ["python3", f"{PROCESSING}/code/{script}", str(seconds)],
            },
            "ProcessingInputs": [
                given("code", f"s3://code/{script}"),
                *(given(key, uri) for key, uri in uris.items()),
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://bench/{name}/output/out",  # as the SDK writes it
                            "LocalPath": f"{PROCESSING}/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
    }


def given(name: str, uri: Any) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"{PROCESSING}/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def out_of(step: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}


def pipeline(steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)}


def chain_definition() -> dict[str, Any]:
    return pipeline([processing(f"S{index}", source=f"S{index - 1}" if index else "") for index in range(CHAIN)])


def fan_definition() -> dict[str, Any]:
    """One step, then eight beside each other that sleep, then one that joins them."""
    middle = [processing(f"M{index}", source="First", seconds=SLEEP_SECONDS) for index in range(FAN)]
    return pipeline([processing("First"), *middle, processing("Last", inputs=[step["Name"] for step in middle])])


class Bare:
    """The scenarios with nothing but jobs; `job` runs one, with inputs by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / type(self).__name__
        (self.directory / "code").mkdir(parents=True)
        (self.directory / "code" / "copy_all.py").write_text(SCRIPT)
        (self.directory / "code" / "look.py").write_text(LOOK)
        (self.directory / "data").mkdir()
        (self.directory / "data" / "x").write_text("hello")

    def job(self, binds: dict[str, Path], seconds: float, script: str) -> None:
        raise NotImplementedError

    def step(self, name: str, source: Path, seconds: float = 0, script: str = "copy_all.py") -> Path:
        target = self.directory / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        self.job({"code": self.directory / "code", "in": source, "out": target}, seconds, script)
        return target

    def chain(self) -> None:
        source = self.directory / "data"
        for index in range(CHAIN):
            source = self.step(f"S{index}", source)

    def fan(self) -> None:
        first = self.step("First", self.directory / "data")
        with concurrent.futures.ThreadPoolExecutor(FAN) as pool:
            list(pool.map(lambda index: self.step(f"M{index}", first, SLEEP_SECONDS), range(FAN)))
        self.step("Last", first)

    def look(self, prefix: str) -> None:
        for name in ("Look1", "Look2"):
            self.step(name, self.directory / prefix, script="look.py")


class BareDocker(Bare):
    """Create, start, wait, remove."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        import docker

        self.client = docker.from_env()

    def job(self, binds: dict[str, Path], seconds: float, script: str) -> None:
        volumes = [f"{path}:{PROCESSING}/{name}" for name, path in binds.items()]
        command = ["python3", f"{PROCESSING}/code/{script}", str(seconds)]
        container = self.client.containers.create(IMAGE, command, volumes=volumes)
        container.start()
        assert container.wait()["StatusCode"] == 0, container.logs()
        container.remove()


class BareSandbox(Bare):
    """One bubblewrap a job."""

    def __init__(self, directory: Path, home: Home) -> None:
        super().__init__(directory)
        home.runner("process").ensure_image(IMAGE_URI)
        self.python = Path(home.runner("process").image(IMAGE_URI).local or "") / "bin" / "python3"

    def job(self, binds: dict[str, Path], seconds: float, script: str) -> None:
        mounts = [part for name, path in binds.items() for part in ("--bind", str(path), f"{PROCESSING}/{name}")]
        command = [str(self.python), f"{PROCESSING}/code/{script}", str(seconds)]
        shown = [str(path) for path in Path("/").iterdir() if path.name not in NOT_SHOWN]
        root = [part for path in shown for part in ("--ro-bind", path, path)]
        sandbox = ["bwrap", *root, "--tmpfs", "/opt", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc"]
        subprocess.run([*sandbox, "--unshare-pid", "--unshare-user", *mounts, *command], check=True)


def alternate(repeat: int, ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Seconds of each, taking turns."""
    results: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeat):
        for side, action in enumerate((ours, theirs)):
            started = time.perf_counter()
            action()
            results[side].append(time.perf_counter() - started)
    return results


def row(what: str, ours: list[float], theirs: list[float], steps_in_a_row: int) -> None:
    mine, bare = statistics.median(ours), statistics.median(theirs)
    added = 1000 * (mine - bare) / steps_in_a_row
    print(
        f"| {what} | {mine:.3f} | {spread(ours)} | {bare:.3f} | {spread(theirs)} | {mine / bare:.2f} | {added:.0f} |",
        flush=True,
    )


def spread(times: list[float]) -> str:
    return f"{min(times):.2f}-{max(times):.2f}"


def opened(directory: Path, runner: str) -> Home:
    home = Home(load_settings({"home": str(directory / "home"), "runner": runner}, {}, directory))
    home.store.put(S3Uri("data", "x/x.txt"), b"hello")
    home.store.put(S3Uri("code", "copy_all.py"), SCRIPT.encode())
    home.store.put(S3Uri("code", "look.py"), LOOK.encode())
    return home


@contextmanager
def scratch() -> Iterator[Path]:
    """On the disk of the checkout: a memory file system would flatter both."""
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=Path(__file__).parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
