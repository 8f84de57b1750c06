from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from localpipe.core.functions import (
    CapturedFunction,
    Function,
    function_from_settings,
    function_name,
    names_from_nearest,
    names_function,
)
from localpipe.functions.find import find_function, usable_handler
from localpipe.functions.keep import unpacked
from localpipe.functions.names import defines

ARN = "arn:aws:lambda:us-east-1:123456789012:function:notify"
Zipped = Callable[[dict[str, str]], bytes]


def named(handler: str) -> Function:
    return Function(handler=handler, directory=Path("/code"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("notify", ("notify",)),
        ("notify:prod", ("notify:prod", "notify")),
        ("function:notify", ("function:notify", "notify")),
        ("123456789012:function:notify", ("123456789012:function:notify", "function:notify", "notify")),
        (ARN, (ARN, "123456789012:function:notify", "function:notify", "notify")),
        (
            f"{ARN}:$LATEST",
            (
                f"{ARN}:$LATEST", "123456789012:function:notify:$LATEST", "function:notify:$LATEST", "notify:$LATEST",
                ARN, "123456789012:function:notify", "function:notify", "notify",
            ),
        ),
    ],
)  # fmt: skip
def test_a_function_is_named_by_itself_its_arn_or_a_part_of_that(text: str, names: tuple[str, ...]) -> None:
    assert names_function(text)
    assert names_from_nearest(text) == names
    assert function_name(text) == "notify"


@pytest.mark.parametrize(
    "text",
    ["", "arn:aws:lambda:us-east-1:123456789012:notify", ARN.replace("lambda", "sqs"), "a:function:notify", "a b", "a:b:c"],
)
def test_what_names_no_function_is_told_apart(text: str) -> None:
    assert not names_function(text)


def test_the_first_pattern_that_fits_counts_where_no_name_does() -> None:
    first, second, exact = named("a.a"), named("b.b"), named("c.c")
    patterns = {"not*": first, "*:function:*": second}
    assert find_function("notify", patterns, {}) == first
    assert find_function(ARN, patterns, {"notify": CapturedFunction(name="notify")}) == first
    assert find_function(ARN, {"*:prod": first, "*:function:*": second}, {}) == second
    assert find_function(f"{ARN}:prod", {"*:prod": first}, {}) == first
    assert find_function(f"{ARN}:prod", {"*": first, "notify:prod": exact}, {}) == exact
    assert find_function(f"{ARN}:test", {"notify:prod": exact}, {}) is None


def test_the_nearest_name_in_the_settings_wins_and_wins_over_the_script() -> None:
    captured = {"notify": CapturedFunction(name="notify")}
    by_name, by_arn, by_version = named("a.a"), named("b.b"), named("c.c")
    everywhere = {"notify": by_name, ARN: by_arn, f"{ARN}:prod": by_version}
    assert find_function(f"{ARN}:prod", everywhere, captured) == by_version
    assert find_function(ARN, everywhere, captured) == by_arn
    assert find_function(f"{ARN}:test", everywhere, captured) == by_arn
    assert find_function(ARN, {"notify": by_name}, captured) == by_name
    assert find_function(f"{ARN}:prod", {"other": by_name}, captured) == captured["notify"]
    assert find_function(ARN, {}, {}) is None


def test_settings_name_a_file_or_a_module() -> None:
    folder = Path("/project")
    by_file = function_from_settings("handlers/notify.py:on_end", folder.joinpath)
    assert (by_file.handler, by_file.directory, by_file.timeout_seconds) == ("notify.on_end", folder / "handlers", 120)
    assert by_file.file == folder / "handlers" / "notify.py"
    by_module = function_from_settings("company.notify:handler", folder.joinpath)
    assert (by_module.handler, by_module.directory) == ("company.notify.handler", folder)
    assert by_module.file is None
    table = function_from_settings({"handler": "n.py:h", "timeout": 9, "environment": {"A": "b"}}, folder.joinpath)
    assert (table.handler, table.timeout_seconds, table.environment) == ("n.h", 9, {"A": "b"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("notify", 'it must be "handlers/notify.py:handler" or "package.module:handler"'),
        ("notify.py:", 'it must be "handlers/notify.py:handler"'),
        (7, 'it must be "handlers/notify.py:handler"'),
        ({"handler": "n.py:h", "timeout": 601}, "timeout = 601 must be a number of seconds up to 600"),
        ({"handler": "n.py:h", "timeout": True}, "timeout = True must be a number of seconds up to 600"),
        ({"handler": "n.py:h", "environment": {"A": 1}}, "environment must be a table of texts"),
        ({"handler": "n.py:h", "memory": 1}, "'memory' is not known; known are handler, timeout, environment"),
    ],
)
def test_settings_that_name_no_function_say_why(value: object, reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        function_from_settings(value, Path("/project").joinpath)
    assert str(refused.value).startswith(reason)


def test_a_function_of_a_script_is_unpacked_with_all_that_it_was_made_with(zipped: Zipped, tmp_path: Path) -> None:
    archive = zipped({"notify.py": "def handler(e, c): pass", "data/x.txt": "x"})
    captured = CapturedFunction(
        name="notify", archive=archive, handler="notify.handler", timeout_seconds=900, memory_mb=512, environment={"A": "b"}
    )
    function = unpacked(captured, tmp_path, Path("/python"))
    assert (function.directory / "data" / "x.txt").read_text() == "x"
    assert (function.handler, function.timeout_seconds, function.memory_mb) == ("notify.handler", 600, 512)
    assert (function.environment, function.python) == ({"A": "b"}, Path("/python"))
    assert Function.from_json(function.to_json()) == function


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "..", "", "a/b", "n" * 65])
def test_the_code_of_a_function_stays_in_its_place_whatever_its_name(zipped: Zipped, tmp_path: Path, name: str) -> None:
    archive = zipped({"notify.py": "def handler(e, c): pass"})
    captured = CapturedFunction(name=name, archive=archive, handler="notify.handler")
    with pytest.raises(ValueError, match="the name of a Lambda function has up to 64 letters"):
        unpacked(captured, tmp_path / "a" / "b", Path("/python"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def handler(event, context): pass", True),
        ("async def handler(event, context): pass", True),
        ("class handler: pass", True),
        ("handler = print", True),
        ("first, handler = 1, print", True),
        ("handler: object = print", True),
        ("from company import run as handler", True),
        ("import handler.more", True),
        ("try:\n    import x\nexcept ImportError:\n    def handler(event, context): pass", True),
        ("def make():\n    global handler\n    handler = print\nmake()", True),
        ("from company import *", True),
        ("def __getattr__(name): return print", True),
        ("globals()['handler'] = print", True),
        ("exec('handler = print')", True),
        ("not Python at all", True),
        ("", False),
        ("def handle(event, context): pass", False),
        ("class Notifier:\n    def handler(self): pass", False),
        ("def make():\n    handler = print", False),
        ("print(handler)", False),
    ],
)
def test_a_text_tells_what_a_module_defines_or_leaves_it_open(code: str, told: bool) -> None:  # noqa: FBT001
    assert defines(code.encode(), "handler") is told


def test_a_function_of_the_settings_stays_where_it_is(tmp_path: Path) -> None:
    function = unpacked(named("a.b"), tmp_path, Path("/python"))
    assert (function.directory, function.python) == (Path("/code"), Path("/python"))
    assert not list(tmp_path.iterdir())


def test_a_script_that_tells_its_code_alone_has_the_only_usual_handler(zipped: Zipped) -> None:
    archive = zipped({"notify.py": "def helper(): pass\ndef lambda_handler(event, context): pass", "more.py": "x = 1"})
    assert usable_handler(CapturedFunction(name="n", archive=archive)) == "notify.lambda_handler"


@pytest.mark.parametrize(
    ("files", "changes", "reason"),
    [
        ({"a.py": ""}, {"handler": "b.handler"}, "its handler is 'b.handler', and its code has no b.py"),
        ({"a.py": "x = 1"}, {"handler": "a.handler"}, "its handler is 'a.handler', and a.py has no handler"),
        ({"a.py": ""}, {"name": "../../out"}, "the name of a Lambda function has up to 64 letters, digits, '-' and '_'"),
        ({"a.py": ""}, {"handler": "handler"}, "its handler is 'handler', and its code has no handler.py"),
        (
            {"index.js": ""},
            {"handler": "index.handler", "runtime": "nodejs22.x"},
            "its runtime is nodejs22.x; functions in Python are called here",
        ),
        ({}, {"image": "1.dkr.ecr.us-east-1.amazonaws.com/f:1"}, "it is made of a container image (1.dkr.ecr"),
        ({"a.py": "def f(): pass"}, {}, "the script tells its code alone, not its handler, and it has no lambda_handler"),
        (
            {"a.py": "def handler(e, c): pass", "b.py": "def lambda_handler(e, c): pass"},
            {},
            "the script tells its code alone, not its handler, and it has a.handler, b.lambda_handler",
        ),
    ],
)
def test_a_function_that_cannot_be_called_here_says_why(
    zipped: Zipped, files: dict[str, str], changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        usable_handler(CapturedFunction(**{"name": "n", "archive": zipped(files), **changes}))
    assert str(refused.value).startswith(reason)


def test_code_that_is_no_archive_is_refused() -> None:
    with pytest.raises(ValueError, match="its code is no zip archive"):
        usable_handler(CapturedFunction(name="n", archive=b"plain", handler="a.b"))


def test_a_handler_may_lie_in_a_package(zipped: Zipped) -> None:
    code = "def handler(event, context): pass"
    archive = zipped({"company/__init__.py": code, "company/notify.py": code})
    for handler in ("company.notify.handler", "company/notify.handler", "company.handler"):
        assert usable_handler(CapturedFunction(name="n", archive=archive, handler=handler)) == handler
