"""Lambda and Callback steps end to end: the sample on every runner, and what both SDKs make of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localpipe.core import JSON

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = CHECKOUT / "tests" / "authoring" / "scripts"
RUNNERS = [pytest.param("docker", marks=pytest.mark.docker), pytest.param("process", marks=pytest.mark.sandbox)]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(folder: Path, target: str, sdk: str, *more: str) -> tuple[int, JSON]:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk} names no Python with that SDK")
    command = [sys.executable, "-m", "localpipe", "run", target, "--python", python, "--json", *more]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def rows_of(document: JSON) -> dict[str, JSON]:
    return {row["StepName"]: row for row in document["Steps"]}


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_good_model_is_announced_by_its_name_approved_and_recorded(
    runner: str, tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    folder = tmp_path / "notify"
    shutil.copytree(CHECKOUT / "sample_pipelines" / "notify", folder)
    status, document = run(folder, "pipeline.py", "V2", "--runner", runner)
    assert status == 0, json.dumps(document, indent=1)
    assert strangers(document) == []
    rows = rows_of(document)
    name = rows["Leaves-CreateModel"]["Properties"]["ModelName"]
    execution_id = document["PipelineExecutionArn"].rpartition("/")[2]
    announced = rows["Announce"]["Properties"]["OutputParameters"]
    assert announced == {"news": f"s3://leaves-news/{execution_id}/{name}.json", "percent": 90}
    news = json.loads((folder / ".localpipe/s3/leaves-news" / execution_id / f"{name}.json").read_text())
    assert news == {"text": f"{name} is right about 90 of 100 leaves", "approved": True, "by": "approve.py"}
    assert json.loads(rows["Record"]["Properties"]["OutputParameters"]["written"]) == news
    status, document = run(folder, "pipeline.py", "V2", "--runner", runner, "-p", "LeastAccuracy=0.999")
    assert status == 1
    assert strangers(document) == []
    assert list(rows_of(document)) == ["Train", "IsGoodEnough", "NotGoodEnough"]


@pytest.mark.parametrize("sdk", ["V2", "V3"])
def test_what_an_sdk_makes_of_functions_and_callbacks_runs(
    sdk: str, tmp_path: Path, strangers: Callable[[JSON], list[str]]
) -> None:
    line = f'{sys.executable} -c \'import json,os,sys; os.execlp("localpipe", "localpipe", "callback", "succeed", '
    line += 'json.load(sys.stdin)["token"], "-o", "ok=true")\''
    (tmp_path / "localpipe.toml").write_text(f'[callback]\n"*" = {json.dumps(line)}\n')
    status, document = run(tmp_path, str(SCRIPTS / f"functions_{sdk.lower()}.py"), sdk)
    assert status == 0, json.dumps(document, indent=1)
    assert strangers(document) == []
    outputs = {name: row["Properties"]["OutputParameters"] for name, row in rows_of(document).items()}
    assert outputs == {
        "First": {"said": "hello", "n": 5},
        "Ask": {"ok": True},
        "Second": {"said": "nothing from zipped"},
        "Third": {"said": "nothing from there"},
    }
