from __future__ import annotations

import json

import pytest

from localpipe.core import JSON
from localpipe.definition.json_paths import parse_json_path, read_scalar
from localpipe.errors import ExpressionError

DOCUMENT = json.dumps({"a": {"b c": [1, 2.5, {"d": "x"}]}, "Result": [True], "n": None, "o": {}, "k-1": 3, "0": "zero"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a['b c'][0]", 1),
        ("a['b c'][1]", 2.5),
        ('a["b c"][-1].d', "x"),
        ("Result[0]", True),
        ("$['Result'][0]", True),
        ("k-1", 3),
        ("['0']", "zero"),
    ],
)
def test_path_gives_the_scalar_with_its_type(path: str, expected: JSON) -> None:
    value = read_scalar(DOCUMENT, path, "file")
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("path", ["a.*", "a[*]", "a..b", "a[0:1]", "a[0,1]", "a[?(@.x)]", "a['x','y']", "*"])
def test_path_with_many_answers_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="could give several values; Std:JsonGet takes one scalar"):
        parse_json_path(path)


@pytest.mark.parametrize("path", ["", "a[", "a.", "$a", "$.", "a b", "m[v]", "a.length()", "a['b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a JSON path that Std:JsonGet takes"):
        parse_json_path(path)


@pytest.mark.parametrize(
    "name",
    [
        "validation:rmse",
        "acc@5",
        "where",
        "p/r",
        "x%",
        "A+B",
        "é",
        "$x",
        "$",
        "a|b",
        "`parent`",
        "it's",
        "back\\slash",
        "0",
        "a*",
    ],
)
def test_a_name_after_a_dot_may_hold_what_jayway_takes(name: str) -> None:
    assert parse_json_path(f"m.{name}") == ("m", name)
    assert parse_json_path(f"$.m.{name}[0].v") == ("m", name, 0, "v")
    assert read_scalar(json.dumps({"m": {name: 1}}), f"m.{name}", "file") == 1


def test_quoted_names_may_hold_any_character() -> None:
    assert parse_json_path("a['x|y*'].b[\"it's\"]") == ("a", "x|y*", "b", "it's")


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            '{"m": {"mse": 1, "x y": [1, {"z": 2}]}, "n": null}',
            "m.rmse",
            "file has no value at 'm.rmse'. It has: m.mse, m['x y'][0], m['x y'][1].z.",
        ),
        ('{"a": [1]}', "a[3]", "file has no value at 'a[3]'. It has: a[0]."),
        ('{"a": [1]}', "a.b", "file has no value at 'a.b'. It has: a[0]."),
        ('{"a": null}', "a", "file has null at 'a', not a scalar. It has no values."),
        ('{"a": {"b": 1}}', "a", "file has an object at 'a', not a scalar. It has: a.b."),
        ("[1]", "$", "file has a list at '$', not a scalar. It has: [0]."),
        (
            "{",
            "a",
            (
                "file is not valid JSON (line 1, column 2: Expecting property name enclosed in double quotes), "
                "so 'a' has no value."
            ),
        ),
        ('{"a": NaN}', "a", "file is not valid JSON (NaN is no JSON number), so 'a' has no value."),
        ('\ufeff{"a": 1}', "a", "file is not valid JSON (it begins with a byte order mark (BOM)), so 'a' has no value."),
        ("9" * 5000, "a", "file is not valid JSON (it has a number of 5000 digits), so 'a' has no value."),
        ('{"a": 1e999}', "a", "file has a number at 'a' that is too large for a double."),
        ('{"a": "\\ud800"}', "a", "file has a text at 'a' that holds half a surrogate pair, which is no character."),
        ("[" * 100_000, "a", "file is nested too deeply to be read."),
        (None, "a", "file does not exist, so 'a' has no value."),
    ],
)
def test_missing_value_names_the_paths_that_there_are(text: str | None, path: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        read_scalar(text, path, "file")
    assert str(error.value) == message


def test_at_most_twenty_paths_are_listed() -> None:
    with pytest.raises(ExpressionError) as error:
        read_scalar(json.dumps({f"k{n}": n for n in range(21)}), "x", "file")
    assert str(error.value).endswith("k18, k19, ....")
