"""What changes the key of each step type and what does not: the service's table, member by member of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import botocore.session
import pytest

from localpipe.caching.contents import Name, NameOf, content_values, named_in_manifest, names_behind
from localpipe.caching.signature import Comparison, compared, members_of
from localpipe.core.jobspec import PropertyFileSpec
from localpipe.core.names import ExecutionName, Identity, S3Uri
from localpipe.core.work import ResolvedStep
from localpipe.steps import STEP_TYPES, step_types

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.signature import Signature

MODEL = botocore.session.Session().get_service_model("sagemaker")
IDENTITY = Identity(account="111122223333", region="us-east-1", role_arn="arn:aws:iam::111122223333:role/r")
TYPES = step_types()

# Follows: service.md section 6, "Signature by type".
COUNTS = {
    "Processing": {"AppSpecification", "Environment", "ProcessingInputs"},
    "Training": {
        "AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "Environment",
        "HyperParameters", "InputDataConfig",
    },
    "Transform": {"DataProcessing", "Environment", "ModelName", "TransformInput"},
    "Tuning": {
        "HyperParameterTuningJobConfig", "TrainingJobDefinitions", "TrainingJobDefinition.AlgorithmSpecification",
        "TrainingJobDefinition.HyperParameterRanges", "TrainingJobDefinition.InputDataConfig",
        "TrainingJobDefinition.StaticHyperParameters", "TrainingJobDefinition.TuningObjective",
    },
}  # fmt: skip
ALSO_BY_CONTENT = {
    "Processing": {"ProcessingOutputConfig"},
    "Training": set[str](),
    "Transform": {"BatchStrategy", "TransformOutput"},
    "Tuning": {
        "WarmStartConfig", "Autotune", "TrainingJobDefinition.CheckpointConfig", "TrainingJobDefinition.Environment",
    },
}  # fmt: skip
OPENED = {"Tuning": "TrainingJobDefinition"}
"""The member of which only some members count."""


def members(kind: str) -> Iterator[str]:
    shape = MODEL.shape_for(TYPES[kind].request_shape or "")
    for name, member in shape.members.items():
        if OPENED.get(kind) == name:
            yield from (f"{name}.{inner}" for inner in member.members)
        else:
            yield name


def a_step(kind: str, arguments: JSON, *, name: str = "S", pipeline: str = "p", **more: JSON) -> ResolvedStep:
    values = {"fields": {}, "property_files": (), "attempt": 1, "at": 0.0, **more}
    execution = ExecutionName(pipeline_name=pipeline, execution_id="e", identity=IDENTITY)
    return ResolvedStep(name=name, type=kind, path="$", arguments=arguments, execution=execution, job_name="j", **values)


def service_key(step: ResolvedStep) -> str:
    signature = TYPES[step.type].signature
    assert signature is not None
    return compared(step, Comparison.SERVICE, members_of(step, signature.members)).key


def content_key(step: ResolvedStep, **objects: str) -> str:
    signature = TYPES[step.type].signature
    assert signature is not None
    return compared(step, Comparison.CONTENT, with_contents(step, signature, **objects)).key


def with_contents(step: ResolvedStep, signature: Signature, **objects: str) -> JSON:
    """`objects`: what lies behind URIs, by bucket."""
    found: dict[Name, JSON] = {}
    while names := names_behind(step, signature, found):
        found |= {name: behind(name, objects) for name in names}
    return content_values(step, signature, found)


def behind(name: Name, objects: Mapping[str, str]) -> JSON:
    match name.of:
        case NameOf.OBJECTS:
            return objects.get(S3Uri.parse(name.text).bucket)
        case NameOf.MANIFEST:
            return f"listed in {objects.get(S3Uri.parse(name.text).bucket)}"
        case NameOf.IMAGE:
            return f"local {name.text[-1]}"
        case NameOf.MODEL:
            return {"Containers": [name.text]} if name.text == "m" else None
        case NameOf.FUNCTION:
            return f"code of {name.text}"


def with_member(member: str, value: JSON) -> JSON:
    outer, _, inner = member.partition(".")
    return {outer: {inner: value}} if inner else {outer: value}


CASES = [(kind, member) for kind in COUNTS for member in members(kind)]


@pytest.mark.documented
@pytest.mark.parametrize(("kind", "member"), CASES)
def test_a_member_changes_the_key_exactly_if_the_service_compares_it(kind: str, member: str) -> None:
    one, other = (service_key(a_step(kind, with_member(member, {"A": value}))) for value in "12")
    assert (one != other) == (member in COUNTS[kind])


@pytest.mark.parametrize(("kind", "member"), CASES)
def test_a_member_changes_what_contents_are_compared_by_if_the_result_depends_on_it(kind: str, member: str) -> None:
    one, other = (content_key(a_step(kind, with_member(member, {"A": value}))) for value in "12")
    assert (one != other) == (member in COUNTS[kind] | ALSO_BY_CONTENT[kind])


def test_every_type_is_in_the_table_or_is_never_cached_or_has_no_request() -> None:
    cached = {kind.type for kind in STEP_TYPES if kind.signature is not None}
    assert cached == {*COUNTS, "Lambda", "Callback"}


@pytest.mark.assumed
@pytest.mark.parametrize(("kind", "field"), [("Lambda", "FunctionArn"), ("Callback", "SqsQueueUrl")])
def test_a_function_and_a_queue_are_told_by_their_name_and_arguments(kind: str, field: str) -> None:
    first = a_step(kind, {"a": 1}, fields={field: "x", "OutputParameters": [1]})
    assert service_key(first) == service_key(a_step(kind, {"a": 1}, fields={field: "x", "OutputParameters": [2]}))
    assert service_key(first) != service_key(a_step(kind, {"a": 2}, fields={field: "x"}))
    assert service_key(first) != service_key(a_step(kind, {"a": 1}, fields={field: "y"}))


@pytest.mark.documented
def test_keys_hold_within_one_pipeline_step_name_and_type() -> None:
    keys = {
        service_key(a_step("Processing", {"Environment": {"A": "1"}})),
        service_key(a_step("Processing", {"Environment": {"A": "1"}}, name="T")),
        service_key(a_step("Processing", {"Environment": {"A": "1"}}, pipeline="q")),
        service_key(a_step("Training", {"Environment": {"A": "1"}})),
    }
    assert len(keys) == 4


def test_the_order_of_members_does_not_count() -> None:
    assert service_key(a_step("Processing", {"Environment": {"A": "1", "B": "2"}})) == service_key(
        a_step("Processing", {"Environment": {"B": "2", "A": "1"}})
    )


def an_input(uri: str) -> JSON:
    return {"ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": uri, "LocalPath": "/x"}}]}


def test_contents_count_and_not_where_they_are() -> None:
    first = content_key(a_step("Processing", an_input("s3://one/2025/sourcedir.tar.gz")), one="d1")
    assert first == content_key(a_step("Processing", an_input("s3://two/2026/sourcedir.tar.gz")), two="d1")
    assert first != content_key(a_step("Processing", an_input("s3://one/2025/sourcedir.tar.gz")), one="d2")


@pytest.mark.parametrize(
    ("member", "form"),
    [
        ("HyperParameters", '"s3://{}/code/sourcedir.tar.gz"'),
        ("Environment", "s3://{}/data,s3://{}/more"),
    ],
)
def test_uris_within_texts_stand_for_contents(member: str, form: str) -> None:
    def key(bucket: str, **objects: str) -> str:
        return content_key(a_step("Training", {member: {"where": form.format(bucket, bucket)}}), **objects)

    assert key("one", one="d1") == key("two", two="d1")
    assert key("one", one="d1") != key("one", one="d2")
    assert key("one") != key("two"), "nothing lies there: the names are all there is"


def test_container_arguments_that_name_code_stand_for_it() -> None:
    def key(bucket: str, **objects: str) -> str:
        arguments = {"AppSpecification": {"ContainerArguments": ["--code", f"s3://{bucket}/a.py"]}}
        return content_key(a_step("Processing", arguments), **objects)

    assert key("one", one="d1") == key("two", two="d1") != key("two", two="d2")


@pytest.mark.parametrize("text", ["s3://", "s3:///x", "https://one/x", "s3:// one"])
def test_what_is_no_s3_uri_stays_as_it_is(text: str) -> None:
    source = {"S3DataType": "ManifestFile", "S3Uri": text}
    arguments = {"InputDataConfig": [source], "Environment": {"A": text}}
    signature = TYPES["Training"].signature
    assert signature is not None
    assert with_contents(a_step("Training", arguments), signature, one="d") == arguments


def test_a_whole_bucket_stays_a_name() -> None:
    assert content_key(a_step("Training", {"Environment": {"B": "s3://one"}}), one="d1") == content_key(
        a_step("Training", {"Environment": {"B": "s3://one"}}), one="d2"
    )


def test_the_time_stamped_name_that_the_sdk_writes_does_not_count() -> None:
    def named(text: str) -> JSON:
        return {"HyperParameters": {"sagemaker_job_name": text, "eta": "1"}}

    assert content_key(a_step("Training", named("a-2025"))) == content_key(a_step("Training", named("a-2026")))
    assert service_key(a_step("Training", named("a-2025"))) != service_key(a_step("Training", named("a-2026")))


@pytest.mark.parametrize("data_type", ["ManifestFile", "AugmentedManifestFile"])
def test_a_manifest_stands_for_all_that_it_names(data_type: str) -> None:
    source = {"S3DataType": data_type, "S3Uri": "s3://one/m"}
    arguments = {"InputDataConfig": [{"ChannelName": "c", "DataSource": {"S3DataSource": source}}]}
    signature = TYPES["Training"].signature
    assert signature is not None
    (channel,) = with_contents(a_step("Training", arguments), signature, one="d")["InputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == "content:listed in d"


@pytest.mark.parametrize(
    "text",
    [
        '[{"prefix": "s3://b/p/"}, "x", "y/z"]',
        '{"source-ref": "s3://b/p/x", "label": 1}\n{"source-ref": "s3://b/p/y/z"}',
    ],
)
def test_what_a_manifest_names(text: str) -> None:
    assert [str(uri) for uri in named_in_manifest(text)] == ["s3://b/p/x", "s3://b/p/y/z"]


def test_an_image_counts_as_it_is_here() -> None:
    def with_image(uri: str) -> JSON:
        return {"AlgorithmSpecification": {"TrainingImage": uri}}

    assert content_key(a_step("Training", with_image("x:1"))) == content_key(a_step("Training", with_image("y:1")))
    assert content_key(a_step("Training", with_image("x:1"))) != content_key(a_step("Training", with_image("x:2")))


def test_where_results_go_does_not_count_and_what_they_are_does() -> None:
    def outputs(uri: str, name: str = "o") -> JSON:
        return {"ProcessingOutputConfig": {"Outputs": [{"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": "/o"}}]}}

    first = content_key(a_step("Processing", outputs("s3://one/a")), one="d1")
    assert first == content_key(a_step("Processing", outputs("s3://one/b")), one="d2")
    assert first != content_key(a_step("Processing", outputs("s3://one/a", "other")), one="d1")


def test_checkpoints_count_by_their_place() -> None:
    def checkpoints(uri: str) -> JSON:
        return {"CheckpointConfig": {"S3Uri": uri, "LocalPath": "/opt/ml/checkpoints"}}

    first = content_key(a_step("Training", checkpoints("s3://one/c")))
    assert first == content_key(a_step("Training", checkpoints("s3://one/c")), one="written by the job")
    assert first != content_key(a_step("Training", checkpoints("s3://one/other")))


def test_a_declared_property_file_counts() -> None:
    file = PropertyFileSpec(name="R", output_name="o", file_path="r.json")
    assert content_key(a_step("Processing", {})) != content_key(a_step("Processing", {}, property_files=(file,)))


def test_a_model_counts_by_its_containers() -> None:
    known, unknown = (with_contents(a_step("Transform", {"ModelName": name}), SIGNATURE) for name in ("m", "n"))
    assert known["ModelName"] not in {"m", "n"}
    assert unknown == {"ModelName": "n"}


SIGNATURE = TYPES["Transform"].signature
assert SIGNATURE is not None


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("Processing", lambda uri: {"ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": uri}}]}}),
        ("Training", lambda uri: {"OutputDataConfig": {"S3OutputPath": uri}}),
        ("Transform", lambda uri: {"TransformOutput": {"S3OutputPath": uri}}),
        ("Tuning", lambda uri: {"TrainingJobDefinition": {"OutputDataConfig": {"S3OutputPath": uri}}}),
        ("Tuning", lambda uri: {"TrainingJobDefinitions": [{"OutputDataConfig": {"S3OutputPath": uri}}]}),
    ],
)
def test_by_contents_a_directory_of_this_machine_to_write_to_counts_and_a_prefix_does_not(
    kind: str, at: Callable[[str], JSON]
) -> None:
    def key(uri: str) -> str:
        return content_key(a_step(kind, at(uri)))

    assert key("s3://b/one") == key("s3://b/two")
    assert len({key("s3://b/one"), key("s3://localpipe-files/one"), key("s3://localpipe-files/two")}) == 3
