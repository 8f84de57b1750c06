"""Records of an object, and payloads of records. Follows: containers.md 3.5."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpipe.core.transform import SplitType
from localpipe.errors import JobFailed
from localpipe.transform.batching import Record, batches, body_of, separator_of
from localpipe.transform.splitting import split


def in_pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def record_io(payload: bytes, part: int = 0) -> bytes:
    return struct.pack("<II", 0xCED7230A, part << 29 | len(payload)) + payload + b"\0" * (-len(payload) % 4)


def tf_record(payload: bytes) -> bytes:
    return struct.pack("<QI", len(payload), 1) + payload + b"sums"


@given(lines=st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b".")), max_size=9), size=st.integers(1, 7))
@settings(max_examples=100)
def test_lines_come_back_however_the_object_is_cut(lines: list[bytes], size: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    assert list(split(in_pieces(content, size), SplitType.LINE, None)) == lines


def test_a_last_line_need_not_end() -> None:
    assert list(split([b"a\nb"], SplitType.LINE, None)) == [b"a", b"b"]


def test_an_object_that_is_not_split_is_one_record_even_if_it_is_empty() -> None:
    assert list(split([b"a\n", b"b"], SplitType.NONE, None)) == [b"a\nb"]
    assert list(split([], SplitType.NONE, None)) == [b""]
    assert list(split([], SplitType.LINE, None)) == []


@pytest.mark.parametrize("size", [1, 5, 100])
def test_framed_records_keep_their_framing(size: int) -> None:
    wrapped = [record_io(b"one"), record_io(b"four"), record_io(b"")]
    assert list(split(in_pieces(b"".join(wrapped), size), SplitType.RECORD_IO, None)) == wrapped
    framed = [tf_record(b"one"), tf_record(b"")]
    assert list(split(in_pieces(b"".join(framed), size), SplitType.TF_RECORD, None)) == framed


@pytest.mark.parametrize(
    ("chunks", "kind", "count"),
    [
        ([tf_record(b"x" * 20) * 60_000], SplitType.TF_RECORD, 60_000),
        ([record_io(b"x" * 20) * 60_000], SplitType.RECORD_IO, 60_000),
        ([b"x" * 2_000] * 20_000, SplitType.LINE, 1),
        ([record_io(b"x" * 2_000, 2)] * 20_000 + [record_io(b"", 3)], SplitType.RECORD_IO, 1),
    ],
)
def test_the_time_grows_with_the_length_alone(chunks: list[bytes], kind: SplitType, count: int) -> None:
    began = time.process_time()
    assert sum(1 for _ in split(chunks, kind, None)) == count
    assert time.process_time() - began < 2


def test_a_record_in_parts_is_one_record() -> None:
    parts = record_io(b"one", 1) + record_io(b"two", 2) + record_io(b"three", 3)
    whole = record_io(b"four")
    assert list(split([parts + whole], SplitType.RECORD_IO, None)) == [parts, whole]


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"no record at all", SplitType.RECORD_IO, "The object is not RecordIO."),
        (record_io(b"one")[:-2], SplitType.RECORD_IO, "The object ends within a RecordIO record."),
        (tf_record(b"one") + b"x", SplitType.TF_RECORD, "The object ends within a TFRecord record."),
    ],
)
def test_what_is_no_record_is_refused(content: bytes, kind: SplitType, said: str) -> None:
    with pytest.raises(JobFailed) as refused:
        list(split([content], kind, None))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"1234567", SplitType.NONE),
        (b"12\n1234567", SplitType.LINE),
        (record_io(b"1234567"), SplitType.RECORD_IO),
        (tf_record(b"1234567"), SplitType.TF_RECORD),
    ],
)
def test_a_record_beyond_the_limit_is_refused_in_the_services_words(content: bytes, kind: SplitType) -> None:
    with pytest.raises(JobFailed, match=r"^Too much data for max payload size$"):
        list(split([content], kind, 6))


def test_a_line_that_does_not_end_is_refused_before_it_is_read_whole() -> None:
    read = []

    def endless() -> object:
        while True:
            read.append(1)
            yield b"x" * 10

    with pytest.raises(JobFailed, match="Too much data"):
        list(split(endless(), SplitType.LINE, 25))  # type: ignore[arg-type]  # it is a generator of bytes
    assert len(read) == 3


def records(*texts: bytes) -> list[Record]:
    return [Record(text, text) for text in texts]


def bodies(*texts: bytes, single: bool = False, limit_bytes: int | None) -> list[bytes]:
    made = batches(records(*texts), single=single, separator=b"\n", limit_bytes=limit_bytes)
    return [body_of(batch, b"\n") for batch in made]


def test_as_many_whole_records_as_fit_are_one_payload() -> None:
    assert bodies(b"aa", b"bb", b"c", b"dd", limit_bytes=5) == [b"aa\nbb", b"c\ndd"]
    assert bodies(b"aa", b"bb", limit_bytes=4) == [b"aa", b"bb"]
    assert bodies(b"aa", b"bb", limit_bytes=None) == [b"aa\nbb"]
    assert bodies(limit_bytes=5) == []


def test_single_records_are_sent_alone_without_their_newline() -> None:
    assert bodies(b"aa", b"", b"c", single=True, limit_bytes=100) == [b"aa", b"", b"c"]


def test_what_is_sent_counts_not_what_it_was_filtered_from() -> None:
    made = batches([Record(b"a long one", b"a"), Record(b"b", b"b")], single=False, separator=b"\n", limit_bytes=3)
    assert [body_of(batch, b"\n") for batch in made] == [b"a\nb"]
    with pytest.raises(JobFailed, match="Too much data"):
        list(batches(records(b"1234"), single=True, separator=b"", limit_bytes=3))


@given(
    texts=st.lists(st.binary(min_size=1, max_size=8), max_size=12),
    limit=st.integers(8, 30),
    split_type=st.sampled_from([SplitType.LINE, SplitType.RECORD_IO]),
)
@settings(max_examples=100)
def test_payloads_hold_all_records_in_order_and_none_is_too_long(
    texts: list[bytes], limit: int, split_type: SplitType
) -> None:
    separator = separator_of(split_type)
    made = list(batches(records(*texts), single=False, separator=separator, limit_bytes=limit))
    assert [record.original for batch in made for record in batch] == texts
    assert all(len(body_of(batch, separator)) <= limit for batch in made)
