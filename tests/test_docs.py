"""The documentation is current, complete and true: what it says of the code comes from the code, and what it types works."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click
import pytest

from localpipe import errors
from localpipe.cli import localpipe as command_line
from localpipe.images.catalogue import all_stand_ins
from localpipe.scheduling.events import EVENT_TYPES
from localpipe.service.wiring import Home
from localpipe.settings import OPTIONS, TABLES, load_settings
from localpipe.steps import STEP_TYPES

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample_pipelines/**/*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
CITING = sorted(
    path
    for folder in ("localpipe", "containers", "tests", "scripts", "benchmarks", "docs/decisions")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md"} and path != Path(__file__)
)
WALKS = ("README.md", "docs/guide.md")

SDK = "LOCALPIPE_TEST_SDK_V2"
FAST, SLOW = frozenset({""}), frozenset({"", "slow"})
ELISION = "..."


def load_make_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "scripts" / "make_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def commands(group: click.Group = command_line, path: str = "localpipe") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands())


# What is generated


def test_generated_pages_are_current() -> None:
    for path, text in load_make_docs().documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)} is not current: run `make docs`"


def test_no_page_of_the_reference_is_left_over() -> None:
    assert {path.name for path in REFERENCE.iterdir()} == set(load_make_docs().PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_all_its_options(name: str) -> None:
    _, heading, rest = reference("commands.md").partition(f"`{name}`\n")
    section = re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    assert heading, f"{name} is not in the reference"
    assert COMMANDS[name].help, f"{name} has no help"
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts[-1]} has no help"
            assert all(spelling in section for spelling in option.opts), f"{name} {option.opts} is not in the reference"


@pytest.mark.parametrize("name", [*(option.name for option in OPTIONS), *TABLES])
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in reference("settings.md") or f"| `[{name}]` |" in reference("settings.md")


@pytest.mark.parametrize("name", [kind.type for kind in STEP_TYPES])
def test_every_step_type_is_documented(name: str) -> None:
    assert f"| `{name}` |" in reference("step-types.md")


@pytest.mark.parametrize("name", [name for name, cls in vars(errors).items() if isinstance(cls, type) and name[0] != "_"])
def test_every_error_class_is_documented(name: str) -> None:
    if issubclass(vars(errors)[name], errors.LocalpipeError):
        assert f"`{name}` |" in reference("errors.md")


def test_every_stand_in_and_every_fact_is_documented() -> None:
    assert all(f"| `{stand_in.name}` |" in reference("images.md") for stand_in in all_stand_ins())
    assert all(f"| `{name}` |" in reference("states.md") for name in EVENT_TYPES)


# What is written by hand


def test_the_readme_keeps_its_order() -> None:
    headings = re.findall(r"^## (.*)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [
        "Install",
        "Quick start",
        "What is supported",
        "How it differs from SageMaker",
        "Configuration",
        "How it works",
        "Contributing",
    ]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_page_names_a_place_of_some_machine(page: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:work|root|home|tmp|Users)/\S+", page.read_text(encoding="utf-8"))


def test_the_architecture_page_names_files_that_there_are() -> None:
    tree = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## What may import what")[0]
    package = ""
    for line in tree.splitlines():
        if found := re.match(r"      (\w+)/ ", line):
            package = found[1]
            assert (ROOT / "localpipe" / package).is_dir(), package
        elif re.match(r" {6,8}\w+\.py", line):
            for name in re.findall(r"\w+\.py(?!\w)", line.split("    ")[2 if line.startswith(" " * 8) else 1]):
                assert (ROOT / "localpipe" / package / name).is_file(), f"{package}/{name}"


def test_the_architecture_page_names_every_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for package in {path.parent.name for path in (ROOT / "localpipe").glob("*/__init__.py")} - {"_containers"}:
        assert f"\n      {package}/ " in text


@pytest.mark.parametrize("name", ["service.md", "containers.md"])
def test_every_rule_that_is_cited_is_there(name: str) -> None:
    rules = (ROOT / "docs" / "rules" / name).read_text(encoding="utf-8")
    there = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", rules, re.MULTILINE))
    cited = [(place, number) for place in CITING for number in cited_sections(name, place.read_text(encoding="utf-8"))]
    assert len(cited) > 20
    missing = [f"{place.relative_to(ROOT)}: {name} {number}" for place, number in cited if number not in there]
    assert not missing


def cited_sections(name: str, text: str) -> Iterator[str]:
    """The numbers in `service.md sections 1.2, 5.4 and 7`; not that of an item, as in `13, no. 4`."""
    number = r"\d+(?:\.\d+)?"
    some = rf"{re.escape(name)} (?:sections? )?({number}(?:(?:, | and | to | and section ){number})*)"
    for found in re.finditer(some, re.sub(r"\s+(?:# )?", " ", text)):
        yield from re.findall(number, found[1])


def test_sections_are_found_in_what_is_cited() -> None:
    text = "Follows: service.md sections 5.1, 3 (Branch\nrules); service.md\n    # section 13, no. 4, containers.md 2.12."
    assert list(cited_sections("service.md", text)) == ["5.1", "3", "13"]
    assert list(cited_sections("containers.md", text)) == ["2.12"]


# What it types


@dataclass(frozen=True)
class Line:
    """One command of a page, and what the page shows of its output."""

    number: int
    command: str
    shown: tuple[str, ...]


def lines_of(text: str, kinds: frozenset[str]) -> list[Line]:
    """The commands of the `console` and `python` blocks of some kinds, in order."""
    found = []
    for block in re.finditer(r"^```(console|python)(?: (\w+))?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        language, kind, content = block[1], block[2] or "", block[3]
        number = text.count("\n", 0, block.start(3)) + 1
        if kind not in kinds:
            continue
        if language == "python":
            found.append(Line(number, f"python - <<'END'\n{content}END", (ELISION,)))
        else:
            found += console_lines(content, number)
    return found


def console_lines(content: str, number: int) -> Iterator[Line]:
    for part in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", content, re.MULTILINE):
        yield Line(number + content.count("\n", 0, part.start()), part[1], tuple(part[2].splitlines()))


def type_all(lines: Sequence[Line], directory: Path, environ: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Type the commands into one shell; yield status and output of each."""
    mark = "@@ended"
    script = "".join(f"{{ {line.command}\n}} 2>&1; s=$?; printf '\\n{mark} %d\\n' $s; (exit $s)\n" for line in lines)
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    parts = re.split(rf"\n{mark} (\d+)\n", ended.stdout)
    assert len(parts) == 2 * len(lines) + 1, ended.stdout + ended.stderr
    for output, status in zip(parts[0:-1:2], parts[1::2], strict=True):
        yield int(status), output


def walk(page: str, kinds: frozenset[str], directory: Path) -> None:
    """Type a page's commands in a folder with the samples; each must do what the page shows."""
    lines = lines_of((ROOT / page).read_text(encoding="utf-8"), kinds)
    assert lines
    shutil.copytree(ROOT / "sample_pipelines", directory / "sample_pipelines", ignore=shutil.ignore_patterns(".localpipe"))
    done = list(type_all(lines, directory, environment()))
    for index, (line, (status, output)) in enumerate(zip(lines, done, strict=True)):
        where = f"{page}:{line.number}: {line.command}\n{output}"
        asked = index + 1 < len(lines) and lines[index + 1].command == "echo $?"
        assert asked or status == 0, f"{where}\nended with {status}"
        assert not line.shown or shows(line.shown, output), f"{where}\nis not what the page shows"


def environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LOCALPIPE_") and name != "VIRTUAL_ENV"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{ours['PATH']}"
    python = {"LOCALPIPE_PYTHON": os.environ[SDK]} if SDK in os.environ else {}
    return {**ours, **python, "PATH": path, "LOCALPIPE_RUNNER": "process", "CI": "1"}


def shows(shown: Sequence[str], output: str) -> bool:
    """Whether a page shows this output: a line `...` stands for any lines; times, durations and ids may differ."""
    lines = "".join(f"{same(line)}\n" for line in output.splitlines())
    pattern = "".join(r"(?:.*\n)*?" if line == ELISION else f"{re.escape(same(line))}\n" for line in shown)
    return re.fullmatch(pattern, lines) is not None


def same(line: str) -> str:
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", line.rstrip())
    line = re.sub(r"\b\d\d:\d\d:\d\d\b", "TIME", line)
    line = re.sub(r"\d+\.\d+ s\b", "SECONDS", line)
    line = re.sub(r"(execution[ /]|artifacts )[a-z0-9]{12}\b", r"\1ID", line)
    return re.sub(r" {2,}", "  ", line)


@pytest.fixture
def sandboxes(tmp_path: Path) -> None:
    """Skips where the process runner cannot be used: the pages are typed on it."""
    availability = Home(load_settings({"home": tmp_path / "home"}, {}, tmp_path)).runner("process").check()
    if not availability.usable:
        pytest.skip(f"{availability.reason} {availability.remedy}")


@pytest.mark.sandbox
@pytest.mark.usefixtures("sandboxes")
@pytest.mark.parametrize("page", WALKS)
def test_what_a_page_types_before_anything_runs_works(page: str, tmp_path: Path) -> None:
    walk(page, FAST, tmp_path)


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("sandboxes")
@pytest.mark.parametrize("page", WALKS)
def test_what_a_page_types_works(page: str, tmp_path: Path) -> None:
    """Makes the environments the first time, from the package index."""
    walk(page, SLOW | ({"sdk"} if SDK in os.environ else frozenset()), tmp_path)


def test_pages_that_show_other_output_are_found() -> None:
    assert shows(["a  2.0 s", ELISION, "end"], "a  13.5 s\nb\nc\nend\n")
    assert shows([ELISION, "end"], "end\n")
    assert not shows(["a", "end"], "a\nb\nend\n")
    assert not shows(["MSE 4.6"], "MSE 4.5\n")
