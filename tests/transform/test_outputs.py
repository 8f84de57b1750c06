"""What becomes of responses: filtered, joined, put together, named. Follows: containers.md 3.5 to 3.7."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from localpipe.core.jobspec import Channel
from localpipe.core.names import S3Uri
from localpipe.core.transform import BatchStrategy, DataProcessing, SplitType, TransformSpec
from localpipe.errors import JobFailed
from localpipe.transform.outputs import Processing, output_uri
from localpipe.transform.tunables import Tunables, tunables

LINES = TransformSpec(
    model_name="model",
    source=Channel(name="TransformInput", uri=S3Uri("bucket", "in/"), container_dir=PurePosixPath("/")),
    split=SplitType.LINE,
    content_type="text/csv",
    output=S3Uri("bucket", "out"),
    accept="text/csv",
    assembles_lines=True,
    strategy=None,
    max_concurrent=None,
    max_payload_mb=None,
    timeout_seconds=600,
    max_retries=3,
    processing=DataProcessing(),
    environment={},
    instance_type="ml.m5.large",
    job_name="job",
    job_arn="arn",
)
JSON_LINES = replace(LINES, content_type="application/jsonlines", accept="application/jsonlines")
DOCUMENT = replace(
    LINES, split=SplitType.NONE, content_type="application/json", accept="application/json", assembles_lines=False
)


def written(spec: TransformSpec, originals: list[bytes], response: bytes) -> bytes:
    pieces = [response[at : at + 3] for at in range(0, len(response), 3)]
    return b"".join(Processing.of(spec).output(originals, pieces, spec.accept))


def doing(spec: TransformSpec, **processing: object) -> TransformSpec:
    return replace(spec, processing=DataProcessing(**processing))  # type: ignore[arg-type]  # its members


def test_a_response_is_written_as_it_is_but_that_lines_end() -> None:
    assert written(LINES, [b"x"], b"1\n2") == b"1\n2\n"
    assert written(LINES, [b"x"], b"1\n2\n") == b"1\n2\n"
    assert written(LINES, [b"x"], b"") == b"\n"
    assert written(replace(LINES, assembles_lines=False), [b"x"], b"1\n2") == b"1\n2"


def test_the_filter_of_the_input_leaves_fields_as_they_were() -> None:
    record = Processing.of(doing(LINES, input_filter="$[1:]")).record(b'7,"a, ""b""", 2.50,\r')
    assert record.sent == b'"a, ""b""", 2.50,'
    assert record.original == b'7,"a, ""b""", 2.50,\r'


def test_a_document_of_rows_is_filtered_row_by_row() -> None:
    spec = doing(replace(DOCUMENT, content_type="text/csv"), input_filter="$[0]")
    assert Processing.of(spec).record(b"1,2\n3,4\n").sent == b"1\n3"


def test_a_row_is_joined_on_the_right_of_the_whole_record() -> None:
    spec = doing(LINES, input_filter="$[1:]", joins_input=True)
    assert written(spec, [b"a,1", b"b,2\r"], b"0.5,x\n0.7,y\n") == b"a,1,0.5,x\nb,2,0.7,y\n"


def test_the_filter_of_the_output_comes_after_the_join() -> None:
    spec = doing(LINES, joins_input=True, output_filter="$[0,-1]")
    assert written(spec, [b"a,1", b"b,2"], b"0.5\n0.7") == b"a,0.5\nb,0.7\n"
    assert written(doing(LINES, output_filter="$[0]"), [b"a"], b"0.5,0.6\n0.7,0.8") == b"0.5\n0.7\n"


def test_an_object_gets_the_output_as_a_member() -> None:
    spec = doing(JSON_LINES, joins_input=True)
    assert written(spec, [b'{"id": 1.0}', b"[2]", b"{ }"], b'{"p":0.50}\n0.7\n1e3') == (
        b'{"id": 1.0,"SageMakerOutput":{"p":0.50}}\n{"SageMakerInput":[2],"SageMakerOutput":0.7}\n{"SageMakerOutput":1e3}\n'
    )
    assert written(spec, [b'{"SageMakerOutput":1,"id": 2}'], b"3") == b'{"SageMakerOutput":3,"id":2}\n'
    assert written(
        doing(JSON_LINES, joins_input=True, output_filter="$['id','SageMakerOutput']"), [b'{"id":1,"x":2}'], b"3"
    ) == (b'{"id":1,"SageMakerOutput":3}\n')


def test_a_document_is_joined_as_a_whole() -> None:
    assert written(doing(DOCUMENT, joins_input=True), [b'{"a":\n1}'], b"[1,\n2]\n") == b'{"a":\n1,"SageMakerOutput":[1,\n2]}'
    assert written(doing(DOCUMENT, output_filter="$.p"), [b"{}"], b'{"p": "\xc3\xa4"}') == '"ä"'.encode()


@pytest.mark.parametrize(
    ("spec", "response", "said"),
    [
        (doing(LINES, joins_input=True), b"1", "the model's output has not one row for each record"),
        (doing(LINES, joins_input=True), b"1\n2\n3", "the model's output has not one row for each record"),
        (doing(LINES, output_filter="$[4]"), b"1,2", "A filter finds nothing in a record"),
        (doing(JSON_LINES, output_filter="$.a"), b"no JSON", "A record is no JSON: "),
    ],
)
def test_a_response_that_does_not_fit_fails_its_object(spec: TransformSpec, response: bytes, said: str) -> None:
    with pytest.raises(JobFailed, match=said):
        written(spec, [b"a", b"b"], response)


def test_an_output_of_another_form_cannot_be_joined() -> None:
    processing = Processing.of(doing(LINES, joins_input=True))
    with pytest.raises(JobFailed, match="the output is JSON, the input is not"):
        list(processing.output([b"a"], [b"1"], "application/json"))
    with pytest.raises(JobFailed, match="The output is none of text/csv, application/json, application/jsonlines"):
        list(processing.output([b"a"], [b"1"], ""))


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("in/", "in/a.csv", "a.csv"),
        ("in", "in/a.csv", "a.csv"),
        ("in", "in/d/a.csv", "d/a.csv"),
        ("in/a.csv", "in/a.csv", "a.csv"),
        ("in/part-", "in/part-1.csv", "part-1.csv"),
        ("in/part-", "in/part-1/a", "part-1/a"),
        ("", "in/a.csv", "in/a.csv"),
        ("part", "part-1", "part-1"),
    ],
)
def test_an_output_is_named_after_the_path_below_the_prefix(prefix: str, key: str, name: str) -> None:
    found = output_uri(S3Uri("out", "p/"), S3Uri("b", prefix), S3Uri("b", key))
    assert found == S3Uri("out", f"p/{name}.out")


def test_the_request_wins_over_the_container_over_the_defaults() -> None:
    assert tunables(LINES, None) == Tunables(strategy=BatchStrategy.MULTI_RECORD, max_concurrent=1, max_payload_mb=6)
    answer = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 0}
    assert tunables(LINES, answer) == Tunables(strategy=BatchStrategy.SINGLE_RECORD, max_concurrent=8, max_payload_mb=0)
    asked = replace(LINES, strategy=BatchStrategy.MULTI_RECORD, max_concurrent=2, max_payload_mb=1)
    assert tunables(asked, answer) == Tunables(strategy=BatchStrategy.MULTI_RECORD, max_concurrent=2, max_payload_mb=1)


def test_an_answer_that_makes_no_sense_is_passed_over() -> None:
    answer = {"MaxConcurrentTransforms": "many", "BatchStrategy": 1, "MaxPayloadInMB": -1}
    assert str(tunables(LINES, answer)) == "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    assert tunables(LINES, ["x"]) == tunables(LINES, None)


def test_megabytes_are_counted_in_bytes_of_the_body() -> None:
    made = Tunables(strategy=BatchStrategy.MULTI_RECORD, max_concurrent=1, max_payload_mb=6)
    assert made.limit_bytes == 6 * 1024 * 1024
    assert replace(made, max_payload_mb=0).limit_bytes is None
