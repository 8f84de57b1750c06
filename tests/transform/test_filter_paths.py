"""The JSONPath of filters. Follows: containers.md 3.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localpipe.transform.json_paths import find, parse_json_path

if TYPE_CHECKING:
    from localpipe.core import JSON

DOCUMENT = {"id": 7, "a b": {"c": [1, 2, 3]}, "rows": [{"x": 1, "y": 2}, {"x": 3}], "it's": True, "none": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", DOCUMENT),
        ("$.id", 7),
        ("$['id']", 7),
        ('$["id"]', 7),
        ("$['a b'].c", [1, 2, 3]),
        ("$['a b'].c[0]", 1),
        ("$['a b'].c[-1]", 3),
        ("$['a b'].c[0,2]", [1, 3]),
        ("$['a b'].c[1:]", [2, 3]),
        ("$['a b'].c[:-1]", [1, 2]),
        ("$['a b'].c[0:2]", [1, 2]),
        ("$['a b'].c[*]", [1, 2, 3]),
        ("$['a b'].*", [[1, 2, 3]]),
        ("$.rows[*].x", [1, 3]),
        ("$.rows[*].y", [2]),
        ("$['id','none']", {"id": 7, "none": None}),
        ("$[ 'id' , 'absent' ]", {"id": 7}),
        ("$.rows[*]['x','y']", [{"x": 1, "y": 2}, {"x": 3}]),
        (r"$['it\'s']", True),
    ],
)
def test_a_path_finds(path: str, found: JSON) -> None:
    assert find(parse_json_path(path), DOCUMENT) == found


@pytest.mark.parametrize(
    "path", ["$.absent", "$.id.x", "$['a b'].c[5]", "$.rows[9:]", "$['x','y']", "$[0]", "$.id[*]", "$['a b'].c[0,3]"]
)
def test_a_path_that_finds_nothing_says_so(path: str) -> None:
    with pytest.raises(LookupError):
        find(parse_json_path(path), DOCUMENT)


def test_each_of_several_indexes_must_be_there() -> None:
    with pytest.raises(LookupError, match="A filter asks for index 7 where there are 4 values"):
        find(parse_json_path("$[0,7]"), ["1", "2", "3", "4"])


@pytest.mark.parametrize("path", ["", "id", "$..id", "$.rows[?(@.x)]", "$[(@.length-1)]", "$.", "$[", "$['a]", "$[1,'a']"])
def test_what_the_service_does_not_take_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"begin with|not understood"):
        parse_json_path(path)
