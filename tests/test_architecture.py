"""Which package may import which: docs/architecture.md, checked by walking the imports."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localpipe.steps import STEP_TYPES

ROOT = Path(__file__).resolve().parents[1] / "localpipe"

# package → the packages and modules of localpipe that it may import besides itself
ALLOWED = {
    "errors": set(),
    "core": {"errors"},
    "machine": {"core"},
    "databases": set(),
    "settings": {"core", "errors", "machine"},
    "definition": {"core", "errors"},
    "scheduling": {"core", "definition", "errors"},
    "transform": {"core", "errors"},
    "jobs": {"core", "errors", "transform"},
    "steps": {"core", "definition", "jobs", "errors"},
    "store": {"core", "databases", "errors"},
    "caching": {"core", "definition", "errors"},
    "registry": {"core", "databases", "errors"},
    "journal": {"core", "databases", "scheduling", "errors"},
    "images": {"core", "errors"},
    "functions": {"core", "errors"},
    "staging": {"core", "errors"},
    "runners": {"core", "errors"},
    "tuning": {"core", "errors"},
    "engine": {
        "core", "definition", "scheduling", "caching", "tuning", "transform", "jobs", "steps", "store", "registry",
        "journal", "staging", "errors",
    },
    "server": {"core", "errors"},
    "service": {
        "core", "definition", "scheduling", "caching", "tuning", "jobs", "steps", "store", "registry", "journal", "images",
        "staging", "runners", "functions", "engine", "server", "settings", "errors",
    },
    "authoring": {"core", "server", "service", "settings", "errors"},
    "api": {"authoring", "service", "settings", "scheduling", "core", "errors"},
    "cli": {"authoring", "server", "service", "settings", "scheduling", "core", "errors", "_version"},
}  # fmt: skip

PURE = ("core", "definition", "scheduling", "caching", "tuning", "transform", "jobs", "steps")
EFFECTS = {
    "asyncio", "http", "logging", "os", "random", "secrets", "shutil", "signal", "socket",
    "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
LIBRARIES = {"definition": {"jsonpath_ng"}, "scheduling": {"networkx"}, "tuning": {"optuna"}}
ALWAYS = {"__future__", "typing_extensions"}


def imports_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files_of(package: str) -> list[Path]:
    single = ROOT / f"{package}.py"
    return [single] if single.exists() else sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_the_architecture_allows(package: str) -> None:
    known = {path.stem if path.is_file() else path.name for path in ROOT.iterdir()}
    for file in files_of(package):
        used = {name.split(".")[1] for name in imports_of(file) if name.startswith("localpipe.")} & known
        wrong = used - ALLOWED[package] - {package}
        assert not wrong, (
            f"{file.relative_to(ROOT.parent)} imports {sorted(wrong)}; {package} may import {sorted(ALLOWED[package])}"
        )


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_touches_no_file_socket_clock_thread_or_randomness(package: str) -> None:
    standard = sys.stdlib_module_names
    for file in files_of(package):
        for name in imports_of(file):
            top = name.split(".")[0]
            assert top not in EFFECTS, f"{file.relative_to(ROOT.parent)} imports {name}; {package} is pure"
            if top not in standard and top not in ALWAYS and top != "localpipe":
                assert top in LIBRARIES.get(package, set()), f"{file.relative_to(ROOT.parent)} imports the library {top}"


def test_every_package_is_in_the_table() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"_containers"} <= set(ALLOWED)


def test_nobody_reaches_into_another_package() -> None:
    for file in sorted(ROOT.rglob("*.py")):
        here = file.relative_to(ROOT.parent).parts
        for name in sorted(imports_of(file)):
            parts = name.split(".")
            private = next((i for i, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")), None)
            if parts[0] == "localpipe" and private is not None:
                owner = parts[: min(private, 2)]
                assert list(here[: len(owner)]) == owner, f"{file.relative_to(ROOT.parent)} imports {name}, which is private"


def test_step_types_are_told_apart_only_in_steps() -> None:
    kinds = {kind.type for kind in STEP_TYPES}
    for file in sorted(ROOT.rglob("*.py")):
        if file.relative_to(ROOT).parts[0] in {"steps", "registry"}:  # the registry's kinds of resources share a word
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            told = kinds & set(told_apart(node))
            assert not told, (
                f"{file.relative_to(ROOT.parent)}:{getattr(node, 'lineno', 0)} asks for a step of type {', '.join(told)}"
            )


def told_apart(node: ast.AST) -> Iterator[object]:
    """The constants that a comparison, a mapping or a pattern tells apart."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = (
                others if any(isinstance(op, ast.In | ast.NotIn) for op in ops) else [left, *others]
            )  # not: `"Key" in row`
            yield from (inner.value for side in sides for inner in ast.walk(side) if isinstance(inner, ast.Constant))
        case ast.Dict():
            yield from (inner.value for inner in (*node.keys, *node.values) if isinstance(inner, ast.Constant))
        case ast.MatchValue(value=ast.Constant(value=value)):
            yield value


@pytest.mark.parametrize(
    "text",
    [
        'step.type == "Training"',
        '"Training" != kind',
        'kind in ("Fail", "Training")',
        '{"Training": 1}',
        '{"a": "Training"}',
    ],
)
def test_a_step_type_that_is_told_apart_is_found(text: str) -> None:
    assert "Training" in [value for node in ast.walk(ast.parse(text)) for value in told_apart(node)]


def test_only_settings_and_the_edge_read_the_environment() -> None:
    edge = {"cli", "api.py", "authoring"}
    wiring = {ROOT / "service" / "wiring.py", ROOT / "service" / "images.py"}
    wiring.add(ROOT / "functions" / "bootstrap.py")  # a program of its own, whose environment is made for it
    for file in sorted(ROOT.rglob("*.py")):
        if file.relative_to(ROOT).parts[0] in edge or file in wiring or "localpipe_launcher" in file.parts:
            continue
        assert "os.environ" not in file.read_text(encoding="utf-8"), f"{file.relative_to(ROOT.parent)} reads the environment"
