"""Local paths and `file://` where an S3 URI may stand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Write, model
from support import output_of, pipeline, processing

import localpipe

if TYPE_CHECKING:
    from localpipe.core import JSON

IN, OUT = "/opt/ml/processing/in", "/opt/ml/processing/out"
UPPER = f"print(open('{IN}/a.txt').read().upper(), end='', file=open('{OUT}/b.txt', 'w'))"
SCRIPTS = Path(__file__).parents[1] / "authoring" / "scripts"


def step(name: str, program: str, *, source: JSON, target: JSON) -> JSON:
    made = processing(name, inputs={"in": source}, outputs=("out",))
    made["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-c", program]
    made["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = target
    return made


def put(place: Path, *files: str) -> None:
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text("one\n")


@pytest.mark.sandbox
def test_files_are_read_and_written_where_they_lie(cli: Cli, write: Write, place: Path) -> None:
    put(place, "data/a.txt", "elsewhere/a.txt")
    read_on = step(
        "Again", f"open('{OUT}/c.txt', 'w').write(open('{IN}/b.txt').read())", source=output_of("Up", "out"), target="out/c"
    )
    where = {"Name": "Data", "Type": "String", "DefaultValue": "data"}
    write(
        pipeline(step("Up", UPPER, source={"Get": "Parameters.Data"}, target="file://out/b"), read_on, parameters=(where,))
    )
    ended = cli("run", "pipe.json", "--runner", "process")
    assert ended.status == 0, ended.err
    assert [(place / file).read_text() for file in ("out/b/b.txt", "out/c/c.txt")] == ["ONE\n", "ONE\n"]
    assert [path.name for path in (place / "data").iterdir()] == ["a.txt"]
    assert f"  note: 'data' is read as s3://localpipe-files{place}/data.\n" in ended.err
    fidelity = cli("show", "last", "--fidelity").out
    assert f"\n    Read from {place}/data, as it was at that moment.\n" in fidelity
    assert f"\n    Written to {place}/out/b, a directory of this machine.\n" in fidelity
    assert [row["Path"] for row in cli("artifacts", "last", "--json").document] == [
        str(place / file) for file in ("out/b/b.txt", "out/c/c.txt")
    ]
    assert cli("run", "pipe.json", "--runner", "process", "-p", f"Data=file://{place}/elsewhere").status == 0
    assert cli("run", "pipe.json", "--runner", "process", "--only", "Again").status == 0


@pytest.mark.sandbox
def test_a_given_value_may_be_a_file_uri(cli: Cli, write: Write, place: Path) -> None:
    put(place, "mine/b.txt")
    program = f"open('{OUT}/c.txt', 'w').write(open('{IN}/b.txt').read())"
    first = step("Up", UPPER, source="s3://bucket/none", target="s3://bucket/up")
    write(pipeline(first, step("Again", program, source=output_of("Up", "out"), target="out")))
    given = "Steps.Up.ProcessingOutputConfig.Outputs[out].S3Output.S3Uri=file://mine"
    assert cli("run", "pipe.json", "--runner", "process", "--only", "Again", "--set", given).status == 0
    assert (place / "out/c.txt").read_text() == "one\n"
    plain = given.replace("file://", "./")
    assert cli("run", "pipe.json", "--runner", "process", "--only", "Again", "--set", plain).status == 0


@pytest.mark.sandbox
def test_results_in_a_directory_are_found_by_later_executions(cli: Cli, write: Write, place: Path) -> None:
    put(place, "data/a.txt")
    first = step("Up", UPPER, source="data", target={"Get": "Parameters.Out"})
    first["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P1D"}
    again = f"open('{OUT}/c.txt', 'w').write(open('{IN}/b.txt').read())"
    where = {"Name": "Out", "Type": "String", "DefaultValue": "s3://bucket/none"}
    second = step("Again", again, source=output_of("Up", "out"), target="s3://bucket/again")
    write(pipeline(first, second, parameters=(where,)))
    assert cli("run", "pipe.json", "--runner", "process", "-p", "Out=./one").status == 0
    one = f"s3://localpipe-files{place}/one"
    alone = cli("run", "pipe.json", "--runner", "process", "--only", "Again")
    assert alone.status == 0, alone.err
    ended = cli("run", "pipe.json", "--runner", "process", "-p", "Out=./two")
    there = f"; it lies in {place}/one; nothing was written to {place}/two\n"
    assert "  Up: Succeeded, cached: " in ended.err
    assert ended.err.count(there) == 2
    assert f"  note: './two' goes to s3://localpipe-files{place}/two.\n" in ended.err
    assert f"nothing was written to {place}/two" in cli("show", "last").out
    assert f" stands for it{there[:-1]}.\n" in cli("explain", "last", "Up").out
    as_told = cli("run", "pipe.json", "--runner", "process", "--cache", "off", "-p", f"Out={one}")
    assert as_told.status == 0, as_told.err
    assert " goes to " not in as_told.err
    assert not (place / "two").exists()


@pytest.mark.sandbox
def test_by_contents_a_step_is_done_again_for_another_directory(cli: Cli, write: Write, place: Path) -> None:
    put(place, "data/a.txt")
    where = {"Name": "Out", "Type": "String", "DefaultValue": "./one"}
    write(pipeline(step("Up", UPPER, source="data", target={"Get": "Parameters.Out"}), parameters=(where,)))
    run = ("run", "pipe.json", "--runner", "process", "--cache", "content")
    for target, is_done in (("one", True), ("one", False), ("two", True)):
        ended = cli(*run, "-p", f"Out=./{target}")
        assert ("cached: " in ended.err) != is_done, ended.err
        assert (place / target / "b.txt").read_text() == "ONE\n"
    assert f"s3://localpipe-files{place}/two" in " ".join(cli("explain", "last", "Up", "--json").out.split())


def test_nothing_is_copied_to_where_local_files_are_only_shown(cli: Cli, place: Path) -> None:
    put(place, "a.txt")
    ended = cli("s3", "cp", "a.txt", "s3://localpipe-files/data/a.txt")
    assert (ended.status, ended.err) == (
        2,
        "Error: s3://localpipe-files/data/a.txt shows a file or directory of this machine: write to /data/a.txt instead.\n",
    )


@pytest.mark.sandbox
def test_paths_of_a_definition_are_beside_it_and_of_a_dict_in_the_working_directory(
    place: Path, write: Write, cli: Cli
) -> None:
    put(place, "sub/data/a.txt", "data/a.txt")
    definition = pipeline(step("Up", UPPER, source="data", target="out"))
    write(definition, "sub/pipe.json")
    assert cli("run", "sub/pipe.json", "--runner", "process").status == 0
    assert [path.name for path in (place / "sub/out").iterdir()] == ["b.txt"]
    assert not (place / "out").exists()
    execution = localpipe.run(definition, runner="process", home=place / "home")
    assert [str(path) for path in execution.steps["Up"].artifacts.values()] == [f"{place}/out/b.txt"]


def test_a_model_may_be_a_local_file(cli: Cli, write: Write, place: Path) -> None:
    put(place, "model.tar.gz")
    keep = model("Keep")
    keep["Arguments"]["PrimaryContainer"]["ModelDataUrl"] = "model.tar.gz"
    ended = cli("run", write(pipeline(keep)), "--json")
    container = ended.document["Steps"][0]["Properties"]["PrimaryContainer"]
    assert container["ModelDataUrl"] == f"s3://localpipe-files{place}/model.tar.gz"


@pytest.mark.parametrize(
    ("read_write", "problem"),
    [
        (("dat", "out"), "{in}: there is no file or directory {place}/dat. Did you mean {place}/data?"),
        (
            ("bucket/key", "out"),
            "{in}: there is no file or directory {place}/bucket/key. Correct it, or write s3://BUCKET/KEY.",
        ),
        (("data", "data/a.txt"), "{out}: {place}/data/a.txt is a file. Name a directory to write to."),
        (
            ("data", "data"),
            "{out}: {place}/data is in {place}/data, which is read at {in}. Write to another directory.",
        ),
        (
            ("data", "data/out"),
            "{out}: {place}/data/out is in {place}/data, which is read at {in}. Write to another directory.",
        ),
    ],
)
def test_what_cannot_be_read_or_written_is_refused(
    cli: Cli, write: Write, place: Path, read_write: tuple[str, str], problem: str
) -> None:
    put(place, "data/a.txt")
    ended = cli("run", write(pipeline(step("Up", UPPER, source=read_write[0], target=read_write[1]))))
    arguments = "$.Steps[0].Arguments"
    places = {
        "in": f"{arguments}.ProcessingInputs[0].S3Input.S3Uri",
        "out": f"{arguments}.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
        "place": str(place),
    }
    assert (ended.status, ended.err.splitlines()[1].strip()) == (2, problem.format(**places))
    assert not (place / "out").exists()


def test_a_path_that_another_step_writes_need_not_be_there(cli: Cli, write: Write, place: Path) -> None:
    put(place, "data/a.txt")
    again = step("Again", "pass", source="out/up", target="out/again")
    again["DependsOn"] = ["Up"]
    checked = cli("check", write(pipeline(step("Up", UPPER, source="data", target="out/up"), again)), "--runner", "process")
    assert checked.status in {0, 3}
    assert "there is no file" not in checked.err
    assert not (place / "out").exists()


@pytest.mark.slow
@pytest.mark.sandbox
@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_the_sdks_hand_on_local_paths(cli: Cli, place: Path, sdk: str) -> None:
    python = os.environ.get(f"LOCALPIPE_TEST_SDK_{sdk.upper()}")
    if not python:
        pytest.skip(f"LOCALPIPE_TEST_SDK_{sdk.upper()} names no Python with that SDK")
    put(place, "data/a.txt")
    run = ["run", str(SCRIPTS / f"paths_{sdk}.py"), "--runner", "process", "--python", python, "-p", "Data=./data"]
    ended = cli(*run, *(["-p", "Out=file://out"] if sdk == "v2" else []))
    assert ended.status == 0, ended.err
    assert [file.name for file in (place / "out").rglob("*.*")] == [{"v2": "copied.txt", "v3": "model.tar.gz"}[sdk]]
