"""`make demo`: the abalone pipeline, on Docker where an engine answers and its images can be had, else as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[1] / "sample_pipelines" / "abalone"
IMAGES = ("scikit-learn:0.23-1", "xgboost:1.0-1")


def main() -> int:
    """Run the sample and say which branch was taken and the error that decided it."""
    runner = choose_runner()
    print(f"Running the abalone pipeline on the {runner} runner.\n", flush=True)
    command = [
        sys.executable,
        "-m",
        "localpipe",
        "run",
        "definition.json",
        "--name",
        "abalone",
        "--runner",
        runner,
        "--json",
    ]
    ended = subprocess.run(command, cwd=SAMPLE, stdout=subprocess.PIPE, check=False)
    if not ended.stdout:
        return ended.returncode
    document = json.loads(ended.stdout)
    steps = {step["StepName"]: step for step in document["Steps"]}
    print(f"\nBranch taken: {branch(steps)}")
    print(f"MSE: {mse(steps)}")
    print(f"Pipeline: {document['PipelineExecutionStatus']}")
    return ended.returncode


def branch(steps: dict[str, dict]) -> str:
    """Which branch the condition opened."""
    condition = steps.get("CheckMSEAbaloneEvaluation", {}).get("Metadata", {}).get("Condition")
    if condition is None:
        return "none: the condition was not reached"
    if condition["Outcome"] == "True":
        return "IfSteps: registered and created the model"
    return "ElseSteps: failed with the author's message"


def choose_runner() -> str:
    """`docker` if the images are built or can be built, else `process`; says why."""
    here = [sys.executable, "-m", "localpipe"]
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        print("No Docker engine answers: jobs run as sandboxed processes.")
        return "process"
    bases = [[], ["--base", "localpipe-base:bookworm"]]
    if any(subprocess.run([*here, "images", "build", *IMAGES, *base], check=False).returncode == 0 for base in bases):
        return "docker"
    print("The images cannot be built here: jobs run as sandboxed processes.")
    return "process"


def mse(steps: dict[str, dict]) -> str:
    """The error that the evaluation step wrote."""
    evaluation = steps.get("EvaluateAbaloneModel")
    if evaluation is None or evaluation["StepStatus"] != "Succeeded":
        return "unknown: the model was not evaluated"
    uri = evaluation["Properties"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    command = [sys.executable, "-m", "localpipe", "s3", "cat", f"{uri}/evaluation.json"]
    report = json.loads(subprocess.run(command, cwd=SAMPLE, stdout=subprocess.PIPE, check=True).stdout)
    return str(report["regression_metrics"]["mse"]["value"])


if __name__ == "__main__":
    sys.exit(main())
