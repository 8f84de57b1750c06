"""Settings: which of several values counts, where each came from, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from localpipe.core.faults import Fault, FaultKind
from localpipe.core.functions import Function, QueueCommand
from localpipe.core.image_build import ImageBuild
from localpipe.core.jobspec import Limits
from localpipe.core.names import S3Uri
from localpipe.core.room import Room
from localpipe.errors import UsageError
from localpipe.machine import machine_limits
from localpipe.settings import OPTIONS, TABLES, load_settings


def write(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "localpipe.toml"
    file.write_text(text)
    return file


def refusal(directory: Path, text: str) -> str:
    file = write(directory, text)
    with pytest.raises(UsageError) as raised:
        load_settings({}, {}, directory)
    return str(raised.value).replace(str(file), "FILE")


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, {}, tmp_path)
    assert settings.home == tmp_path / ".localpipe"
    assert (settings.runner, settings.region, settings.account) == ("auto", "us-east-1", "111122223333")
    assert settings.identity.role_arn == "arn:aws:iam::111122223333:role/localpipe"
    assert settings.stop_grace_seconds == 120
    assert set(settings.origins.values()) == {"default"}
    assert set(settings.origins) == {option.name for option in OPTIONS} | set(TABLES)


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'runner = "docker"\nregion = "eu-west-1"\naccount = "999999999999"\n')
    environ = {"LOCALPIPE_RUNNER": "process", "LOCALPIPE_REGION": "eu-north-1"}
    settings = load_settings({"runner": "auto", "region": None}, environ, tmp_path)
    assert (settings.runner, settings.origins["runner"]) == ("auto", "--runner")
    assert (settings.region, settings.origins["region"]) == ("eu-north-1", "LOCALPIPE_REGION")
    assert (settings.account, settings.origins["account"]) == ("999999999999", str(file))


def test_an_empty_variable_is_not_given(tmp_path: Path) -> None:
    settings = load_settings({}, {"LOCALPIPE_HOME": "", "LOCALPIPE_RUNNER": ""}, tmp_path)
    assert (settings.home, settings.runner) == (tmp_path / ".localpipe", "auto")


def test_the_home_is_the_nearest_parents(tmp_path: Path) -> None:
    (tmp_path / "project" / ".localpipe").mkdir(parents=True)
    below = tmp_path / "project" / "a" / "b"
    below.mkdir(parents=True)
    settings = load_settings({}, {}, below)
    assert settings.home == tmp_path / "project" / ".localpipe"
    assert settings.origins["home"] == "nearest parent that has one"


def test_a_home_that_is_named_counts_from_where_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, 'home = "of-the-file"\n')
    here = tmp_path / "here"
    here.mkdir()
    assert load_settings({}, {}, here).home == tmp_path / "of-the-file"
    assert load_settings({}, {"LOCALPIPE_HOME": "of-the-variable"}, here).home == here / "of-the-variable"
    assert load_settings({"home": "of-the-flag"}, {"LOCALPIPE_HOME": "x"}, here).home == here / "of-the-flag"


def test_the_file_lies_in_the_nearest_parent_else_beside_the_target(tmp_path: Path) -> None:
    beside = write(tmp_path / "project", 'region = "eu-west-1"\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert load_settings({}, {}, tmp_path / "project").origins["region"] == str(beside)
    assert load_settings({}, {}, elsewhere).region == "us-east-1"
    assert load_settings({}, {}, elsewhere, tmp_path / "project").region == "eu-west-1"
    near = write(elsewhere, 'region = "eu-north-1"\n')
    assert load_settings({}, {}, elsewhere, tmp_path / "project").origins["region"] == str(near)


def test_tables(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[s3.mounts]\n"s3://company-data/raw" = "./data"\n[images]\n"*/mine:*" = "mine:dev"\n[slots]\njobs = 3\n',
    )
    settings = load_settings({}, {}, tmp_path)
    assert settings.s3_mounts == {S3Uri("company-data", "raw"): tmp_path / "data"}
    assert settings.images == {"*/mine:*": "mine:dev"}
    assert settings.room.jobs == 3


def test_functions_and_queue_commands(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[lambda]\nnotify = "handlers/notify.py:tell"\n"my-*" = { handler = "news:tell", timeout = 9 }\n'
        'own = "~/own.py:tell"\n'
        '[callback]\n"https://sqs.*/approvals" = "python3 approve.py"\n',
    )
    settings = load_settings({}, {}, tmp_path)
    assert settings.functions == {
        "notify": Function(handler="notify.tell", directory=tmp_path / "handlers", file=tmp_path / "handlers" / "notify.py"),
        "my-*": Function(handler="news.tell", directory=tmp_path, timeout_seconds=9),
        "own": Function(handler="own.tell", directory=Path.home(), file=Path.home() / "own.py"),
    }
    assert settings.queue_commands == {
        "https://sqs.*/approvals": QueueCommand(line="python3 approve.py", directory=tmp_path)
    }
    kept = json.loads(json.dumps(settings.kept()))
    assert load_settings({}, {}, tmp_path.parent).with_kept(kept).queue_commands == settings.queue_commands


def test_instances(tmp_path: Path) -> None:
    assert not load_settings({}, {}, tmp_path).enforce_instances
    write(tmp_path, '[instances]\nenforce = true\n"ml.m5.large" = { cpus = 1, memory_gib = 0.5, gpus = 1 }\n')
    settings = load_settings({}, {}, tmp_path)
    assert settings.enforce_instances
    assert settings.instances == {"ml.m5.large": Limits(cpus=1, memory_bytes=1 << 29, gpus=1)}
    assert settings.with_kept(json.loads(json.dumps(settings.kept()))) == settings


def test_an_image_to_be_built_gets_a_local_name_and_keeps_its_place_among_the_patterns(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[images]\n"*/mine:1" = "mine:dev"\n"*/mine:*" = { build = "./My Docker", target = "job", args = { A = "1" } }\n'
        '"*" = "rest:dev"\n',
    )
    settings = load_settings({}, {}, tmp_path)
    name = settings.images["*/mine:*"]
    assert name.startswith("localpipe-own/my-docker:")
    assert list(settings.images.items()) == [("*/mine:1", "mine:dev"), ("*/mine:*", name), ("*", "rest:dev")]
    expected = ImageBuild(context=tmp_path / "My Docker", dockerfile="Dockerfile", args={"A": "1"}, target="job")
    assert settings.image_builds == {name: expected}
    assert settings.with_kept(settings.kept()) == settings


def test_the_path_of_an_images_archive_begins_at_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[images]\n"*/mine:*" = "oci:./x/../image.tar"\n"*" = "oci:/other.tar"\n')
    settings = load_settings({}, {}, tmp_path)
    assert settings.images == {"*/mine:*": f"oci:{tmp_path}/image.tar", "*": "oci:/other.tar"}


def test_an_interpreter_is_a_path_or_a_command(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    write(tmp_path, 'python = "venv/bin/python"\n')
    below = tmp_path / "below"
    below.mkdir()
    assert load_settings({}, {}, below).python == python
    assert load_settings({"python": "python"}, {"PATH": str(python.parent)}, below).python == python
    assert load_settings({"python": "../venv/bin/python"}, {}, below).python == below / ".." / "venv" / "bin" / "python"
    with pytest.raises(UsageError, match=r"^python = 'nopython' \(--python\): there is no such program\."):
        load_settings({"python": "nopython"}, {"PATH": str(python.parent)}, below)


def test_the_python_of_scripts_is_not_the_one_of_unknown_images(tmp_path: Path) -> None:
    python = str(Path(sys.executable).absolute())
    settings = load_settings({"python": python}, {}, tmp_path)
    assert (settings.python, settings.unknown_image_python) == (Path(python), None)
    assert "python" not in settings.kept()
    settings = load_settings({}, {"LOCALPIPE_UNKNOWN_IMAGE_PYTHON": python}, tmp_path)
    assert (settings.python, settings.unknown_image_python) == (None, Path(python))
    assert load_settings({}, {}, tmp_path).with_kept(settings.kept()).unknown_image_python == Path(python)
    with pytest.raises(UsageError, match=r"^unknown_image_python = '\./no' \(LOCALPIPE_UNKNOWN_IMAGE_PYTHON\): there is no"):
        load_settings({}, {"LOCALPIPE_UNKNOWN_IMAGE_PYTHON": "./no"}, tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "there is no such program"),
        ("folder", "it is a directory"),
        ("text", "it is not executable for this user"),
        ("loop", "it cannot be looked at (Too many levels of symbolic links)"),
    ],
)
def test_why_an_interpreter_cannot_be_taken(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").touch(mode=0o644)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError) as raised:
        load_settings({"python": f"./{name}"}, {}, tmp_path)
    assert str(raised.value) == f"python = './{name}' (--python): {reason}. Give the path of an interpreter."


@pytest.mark.parametrize("target", [Path("x" * 300), Path("a\0"), Path("loop/below")])
def test_beside_a_target_that_cannot_be_looked_at_is_no_file(target: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert load_settings({}, {}, tmp_path, tmp_path / target).origins["home"] == "default"


def test_what_an_execution_keeps_comes_back(tmp_path: Path) -> None:
    write(tmp_path, 'runner = "process"\n[s3.mounts]\n"s3://b/p" = "d"\n[images]\n"a" = "b"\n')
    kept = load_settings({}, {}, tmp_path)
    other = tmp_path / "other"
    write(other, 'runner = "docker"\nhome = "h"\n')
    restored = load_settings({}, {}, other).with_kept(kept.kept())
    assert restored.home == other / "h"
    assert restored.kept() == kept.kept()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('runer = "docker"', "Unknown key in FILE: runer. Did you mean runner?"),
        ('runner = "podman"', "runner = 'podman' (FILE): it must be auto, docker, process or sandbox."),
        ("max_parallel = 0", "max_parallel = 0 (FILE): it must be a whole number of at least 1."),
        ("max_parallel = true", "max_parallel = True (FILE): it must be a whole number of at least 1."),
        ('stop_grace_seconds = "soon"', "stop_grace_seconds = 'soon' (FILE): it must be a number of seconds, such as 120."),
        ("stop_grace_seconds = nan", "stop_grace_seconds = nan (FILE): it must be a number of seconds, such as 120."),
        ('account = "12"', "account = '12' (FILE): it must be 12 digits."),
        ('region = "here"', "region = 'here' (FILE): it must be a region such as us-east-1."),
        ("role = 5", "role = 5 (FILE): it must be text."),
        ('xgboost_exact = "perhaps"', "xgboost_exact = 'perhaps' (FILE): it must be true or false."),
        ("s3 = 1", "s3 in FILE must be a table: [s3]."),
        ("[s3]\nmount = {}", "Unknown key of [s3] in FILE: mount. Did you mean mounts?"),
        ("[s3]\nmounts = 1", "s3.mounts in FILE must be a table: [s3.mounts]."),
        ('[s3.mounts]\n"s3://b/p" = 1', '[s3.mounts] "s3://b/p" in FILE must be text in quotes, not 1.'),
        ('[s3.mounts]\nb = "x"', "[s3.mounts] in FILE: 'b' is not an S3 URI (s3://bucket/key)"),
        ("[images]\na = 1", '[images] "a" in FILE must be text in quotes, not 1.'),
        ("[images]\na = {}", '[images] "a" in FILE must name the folder of its Dockerfile: { build = "./docker" }.'),
        ('[images]\na = { bild = "." }', 'Unknown key of [images] "a" in FILE: bild. Did you mean build?'),
        (
            '[images]\na = { build = ".", args = { N = 1 } }',
            '[images] "a" in FILE: `build`, `dockerfile` and `target` must be text, `args` a table of texts.',
        ),
        ("[instances]\nenforce = 1", "[instances] enforce = 1 in FILE: it must be true or false."),
        ("[instances]\nenforced = true", "Unknown key of [instances] in FILE: enforced. Did you mean enforce?"),
        (
            '[instances]\n"ml.m5.large" = { cpus = 2 }',
            (
                '[instances] "ml.m5.large" in FILE must say what it has: { cpus = 2, memory_gib = 8 }, '
                "with `gpus` where it has some."
            ),
        ),
        (
            '[instances]\n"ml.m5.large" = { cpus = 2, memory = 8 }',
            'Unknown key of [instances] "ml.m5.large" in FILE: memory. Did you mean memory_gib?',
        ),
        ("lambda = 1", "lambda in FILE must be a table: [lambda]."),
        (
            '[lambda]\n"arn:x" = "n.py:h"',
            (
                '[lambda] "arn:x" in FILE names no function: write its name, its ARN '
                '(arn:aws:lambda:REGION:ACCOUNT:function:NAME), or a pattern of them, such as "my-*".'
            ),
        ),
        (
            '[lambda]\nnotify = "notify.py"',
            '[lambda] "notify" in FILE: it must be "handlers/notify.py:handler" or "package.module:handler".',
        ),
        ('[callback]\n"https://q" = 1', '[callback] "https://q" in FILE must be text in quotes, not 1.'),
        ("[slots]\nJobs = 1", "Unknown key of [slots] in FILE: Jobs. Did you mean jobs?"),
        ("[slots]\njobs = 0", "[slots] jobs = 0 in FILE: it must be a whole number of at least 1."),
        ("[slots]\ncpus = 0", "[slots] cpus = 0 in FILE: it must be a number above 0."),
        ("[slots]\nmemory_gib = 'all'", "[slots] memory_gib = 'all' in FILE: it must be a number above 0."),
        ("[slots]\ngpus = true", "[slots] gpus = True in FILE: it must be a number above 0."),
    ],
)
def test_refusals(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == sentence


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "runner = [").startswith("FILE cannot be read: ")


def test_in_the_shell_of_a_step_localpipe_can_be_used(tmp_path: Path) -> None:
    assert load_settings({}, {"LOCALPIPE_COMMAND": "python3 train.py"}, tmp_path).runner == "auto"


def test_unknown_variables_are_refused_but_those_of_the_tests(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^Unknown environment variable: LOCALPIPE_RUNER\. Did you mean LOCALPIPE_RUNNER\?$"
    ):
        load_settings({}, {"LOCALPIPE_RUNER": "docker"}, tmp_path)
    with pytest.raises(UsageError, match=r"^Unknown environment variable: LOCALPIPE_ZZZ\. Known are LOCALPIPE_ACCOUNT, "):
        load_settings({}, {"LOCALPIPE_ZZZ": ""}, tmp_path)
    assert load_settings({}, {"LOCALPIPE_TEST_SDK_V2": "x"}, tmp_path).runner == "auto"


def test_the_room_for_jobs_is_what_the_file_says(tmp_path: Path) -> None:
    write(tmp_path, "[slots]\njobs = 3\ncpus = 2.5\nmemory_gib = 4\ngpus = 1\n")
    settings = load_settings({}, {}, tmp_path)
    assert settings.room == Room(jobs=3, cpus=2.5, memory_bytes=4 << 30, gpus=1)
    assert settings.with_kept(json.loads(json.dumps(settings.kept()))) == settings


def test_processors_and_memory_count_where_instances_are_enforced(tmp_path: Path) -> None:
    machine = machine_limits()
    write(tmp_path, "[slots]\njobs = 3\n")
    assert load_settings({}, {}, tmp_path).room == Room(jobs=3, gpus=machine.gpus or None)
    write(tmp_path, "[slots]\njobs = 3\n[instances]\nenforce = true\n")
    assert load_settings({}, {}, tmp_path).room == Room(
        jobs=3, cpus=machine.cpus, memory_bytes=machine.memory_bytes, gpus=machine.gpus or None
    )


def test_an_execution_keeps_the_faults_that_were_asked_for(tmp_path: Path) -> None:
    settings = load_settings({}, {}, tmp_path)
    kept = {**settings.kept(), "faults": ["Train=time-limit*2@3"]}
    assert settings.with_kept(kept).faults == (Fault(step="Train", kind=FaultKind.TIME_LIMIT, times=2, after_seconds=3),)


def test_an_older_execution_keeps_its_number_of_jobs(tmp_path: Path) -> None:
    settings = load_settings({}, {}, tmp_path)
    kept = {name: value for name, value in settings.kept().items() if name != "room"}
    assert settings.with_kept({**kept, "job_slots": 5}).room == Room(jobs=5)
