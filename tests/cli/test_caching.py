"""What a user sees of steps that were not done: `run`, `show`, `logs` and `explain`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Write, decision
from support import output_of, pipeline, processing

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = pytest.mark.sandbox
CODE = "/opt/ml/processing/code/count.py"
COUNT = """
import pathlib
lines = pathlib.Path("/opt/ml/processing/raw/data.csv").read_text().splitlines()
print("counted", len(lines))
pathlib.Path("/opt/ml/processing/count/n.txt").write_text(str(len(lines)))
"""


def job(name: str, cache: JSON | None, argument: str, **uris: JSON) -> JSON:
    step = processing(name, inputs=uris, outputs=("count",), **({"CacheConfig": cache} if cache else {}))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", CODE]
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = [argument]
    return step


def counting(cache: JSON | None, *, argument: str = "a") -> JSON:
    code = "s3://bucket/code/count.py"
    second = job("Again", cache, "b", raw="s3://bucket/raw", code=code, before=output_of("Count", "count"))
    return pipeline(job("Count", cache, argument, raw="s3://bucket/raw", code=code), second)


@pytest.fixture
def data(place: Path, cli: Cli) -> None:
    (place / "data.csv").write_text("1\n2\n")
    (place / "count.py").write_text(COUNT)
    for name, prefix in (("data.csv", "raw"), ("count.py", "code")):
        assert cli("s3", "cp", name, f"s3://bucket/{prefix}/{name}").status == 0


def started(cli: Cli, *arguments: str) -> tuple[str, str]:
    """The id of a new execution and what was said of it."""
    ended = cli("run", "pipe.json", "--runner", "process", *arguments)
    assert ended.status == 0, ended.err
    found = re.search(r"execution (\w{12})\n", ended.err)
    assert found is not None
    return found[1], ended.err


def test_a_second_run_does_nothing_again_and_every_screen_says_so(cli: Cli, write: Write, data: None) -> None:
    write(counting({"Enabled": True, "ExpireAfter": "T12H"}))
    first, _ = started(cli)
    _, said = started(cli)
    assert f"  Succeeded  Count  cached: the result of execution {first}\n" in said
    assert re.search(rf"Count +Succeeded .* cached: the result of execution {first}\n", cli("show", "last").out)
    rows = cli("show", "last", "--json").document["Steps"]
    assert [row["CacheHitResult"]["SourcePipelineExecutionArn"].rpartition("/")[2] for row in rows] == [first, first]
    assert cli("logs", "last", "Count").out == "counted 2\n"
    assert [row["S3Uri"] for row in cli("artifacts", "last", "Count", "--json").document] == [
        "s3://bucket/Count/count/n.txt"
    ]
    explained = cli("explain", "last", "Count").out
    assert re.fullmatch(
        rf"Step Count was not done: the result of execution {first} stands for it\.\n\n"
        rf"As the service compares: it is equal to execution {first} \(ended \S+Z\)\.\n",
        explained,
    )


def test_the_log_of_a_step_whose_source_was_removed_is_said_to_be_gone(cli: Cli, write: Write, data: None) -> None:
    write(counting({"Enabled": True, "ExpireAfter": "T12H"}))
    first, _ = started(cli)
    started(cli)
    cli("gc", "--keep", "1", "--older-than", "0")
    found = cli("logs", "last", "Count")
    assert found.status == 2
    assert found.err == (
        f"Error: Step 'Count' has no log: it was not done here; cached: the result of execution {first}, "
        "and its log was removed there.\n"
    )


def test_explain_tells_what_changed_member_by_member(cli: Cli, write: Write, data: None) -> None:
    write(counting({"Enabled": True}))
    _, said = started(cli)
    note = (
        "note: Step 'Count': its CacheConfig has no ExpireAfter, which SageMaker's guide demands. "
        "A result of any age stands for it here."
    )
    assert note in said
    write(counting({"Enabled": True}, argument="z"))
    started(cli)
    assert cli("explain", "last", "Count").out.splitlines()[3:] == [
        "MEMBER                                  THEN  NOW",
        "AppSpecification.ContainerArguments[0]  a     z",
    ]
    (compared,) = cli("explain", "last", "Count", "--json").document["Comparisons"]
    assert compared["Changes"] == [{"Path": "AppSpecification.ContainerArguments[0]", "Old": "a", "New": "z", "Name": None}]


def test_with_contents_an_edited_script_is_done_and_an_unchanged_one_is_not(
    cli: Cli, write: Write, data: None, place: Path
) -> None:
    write(counting(None))
    started(cli, "--cache", "content")
    _, said = started(cli, "--cache", "content")
    assert said.count("cached: ") == 4
    (place / "count.py").write_text(f"{COUNT}\n# edited\n")
    cli("s3", "cp", "count.py", "s3://bucket/code/count.py")
    _, said = started(cli, "--cache", "content")
    assert said.count("cached: ") == 0
    out = cli("explain", "last", "Count").out
    assert re.search(
        r"^ProcessingInputs\['code'\]\.S3Input\.S3Uri  content:\w{12}  content:\w{12}  s3://bucket/code/count\.py$",
        out,
        re.MULTILINE,
    )
    assert "On the service it would have been done, with a CacheConfig that is Enabled it would not: it is equal to" in out


def test_a_result_whose_contents_were_not_recorded_is_told_of(cli: Cli, write: Write, data: None) -> None:
    write(counting(None))
    first, _ = started(cli)
    started(cli, "--cache", "content")
    assert (
        f"By contents: of its earlier results, the newest of which is execution {first}, the contents were not recorded.\n"
        in cli("explain", "last", "Count").out
    )


def test_caching_can_be_switched_off(cli: Cli, write: Write, data: None) -> None:
    write(counting({"Enabled": True, "ExpireAfter": "P1D"}))
    started(cli)
    _, said = started(cli, "--cache", "off")
    assert "cached" not in said
    out = cli("explain", "last", "Count").out
    assert out.startswith(
        "Step Count was done. Caching is off for this execution (--cache off).\n\nOn the service it would not"
    )
    assert "CacheConfig  in Count, Again\n    Not applied: --cache off.\n" in cli("show", "last", "--fidelity").out


def test_a_step_that_is_never_cached_says_so(cli: Cli, write: Write) -> None:
    write(decision())
    cli("run", "pipe.json")
    assert cli("explain", "last", "Check").out == (
        "Step Check was done: a Condition step is never answered from an earlier result.\n"
    )


def test_an_unknown_mode_is_refused(cli: Cli, write: Write) -> None:
    write(decision())
    assert cli("run", "pipe.json", "--cache", "always").status == 2
