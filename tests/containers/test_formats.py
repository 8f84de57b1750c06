from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localpipe_xgboost import formats
from localpipe_xgboost.errors import UserError


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, "libsvm"),
        ("", "libsvm"),
        ("libsvm", "libsvm"),
        ("text/x-libsvm", "libsvm"),
        ("text/csv", "csv"),
        ("csv", "csv"),
        ("application/x-parquet", "parquet"),
        ("text/csv; label_size=1; charset=utf8", "csv"),
    ],
)
def test_content_types(content_type: str | None, expected: str) -> None:
    assert formats.format_of(content_type, "train") == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, "libsvm"),
        ("", "libsvm"),
        ("text/libsvm", "libsvm"),
        ("Text/CSV; charset=utf-8", "csv"),
        ("application/x-recordio-protobuf", "recordio-protobuf"),
    ],
)
def test_content_types_of_a_request(content_type: str | None, expected: str) -> None:
    assert formats.request_format(content_type) == expected


def test_a_request_of_another_content_type_is_refused_with_those_that_the_model_takes() -> None:
    with pytest.raises(UserError) as raised:
        formats.request_format("application/x-parquet")
    assert str(raised.value) == (
        "Content type 'application/x-parquet' is not supported; the model takes text/csv, text/libsvm,"
        " application/x-recordio-protobuf."
    )


def test_a_content_type_that_the_stand_in_cannot_read_is_refused_with_those_it_can() -> None:
    with pytest.raises(UserError) as raised:
        formats.format_of("application/x-recordio-protobuf", "train")
    assert str(raised.value) == (
        "Channel train: content type 'application/x-recordio-protobuf' is not supported;"
        " it takes application/x-parquet, csv, libsvm, parquet, text/csv, text/libsvm, text/x-libsvm."
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["rings,sex\n", "1,2\n"], "f line 1: 'rings' in column 1 is not a number. "),
        (["1,2\n", "\n", "1,True\n"], "f line 3: 'True' in column 2 is not a number. "),
        (["1,2\n", "1,2,3\n"], "f line 2: 3 columns, where the first line has 2."),
        (["1;2\n", "1;x\n"], "f line 2: 'x' in column 2 is not a number. "),
        ([], "f: there is no data in it."),
    ],
)
def test_csv_problems_name_the_line(lines: list[str], expected: str) -> None:
    assert formats.csv_problem(lines, "f").startswith(expected)


def test_an_empty_field_is_a_missing_value() -> None:
    assert formats.is_number(" ")


def test_libsvm_rows() -> None:
    rows = formats.SparseRows()
    rows.add(["1 0:0.5 3:2  # a comment\n", "\n", "0:2 qid:7 1:1.5\n"], "f")
    assert list(rows.labels) == [1, 0]
    assert list(rows.weights) == [2]
    assert list(rows.groups) == [7]
    assert list(rows.row_starts) == [0, 2, 3]
    assert list(rows.indexes) == [0, 3, 1]
    assert list(rows.feature_values) == [0.5, 2, 1.5]


@pytest.mark.parametrize("line", ["1,2,3", "1 2", "1 a:2", "1 -1:2", "x 1:2"])
def test_a_line_that_is_no_libsvm_is_named(line: str) -> None:
    with pytest.raises(UserError, match=r"^f line 2: '.*' is not libsvm, `label index:value ...` "):
        formats.SparseRows().add(["1 1:1", line], "f")


@settings(max_examples=50)
@given(st.lists(st.text(alphabet="01.:;, qidx#-e\n", max_size=30)))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    try:
        formats.SparseRows().add(lines, "f")
    except UserError as error:
        assert str(error).startswith("f line ")  # noqa: PT017 - a property of every outcome
    assert formats.csv_problem(lines, "f").startswith("f") or all(map(str.strip, lines))
