"""A transform job from its step to the objects that it writes, with the model in this process. Follows: containers.md 3."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from http_model import HttpModel, Reply, serving, sums, until_stopped

from localpipe.core.names import S3Uri
from localpipe.errors import (
    JOB_INTERNAL_ERROR,
    DefinitionError,
    InvalidTransition,
    JobFailed,
    LocalpipeError,
    NotSupported,
    RunnerUnavailable,
)
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.executions import drive, stop_pipeline_execution
from localpipe.service.fidelity import fidelity

if TYPE_CHECKING:
    from conftest import Misfits, Start

    from localpipe.core import JSON
    from localpipe.core.jobspec import JobExit, StagedJob
    from localpipe.core.names import AttemptKey
    from localpipe.core.ports import Running
    from localpipe.runners.scripted import ScriptedContainer
    from localpipe.service.executions import PipelineExecution
    from localpipe.service.wiring import Home

ROLE = "arn:aws:iam::111122223333:role/test"
S3_SOURCE = {"S3Uri": "s3://bucket/more/", "S3DataType": "S3Prefix", "CompressionType": "None"}
ADDITIONAL = {"ChannelName": "more", "S3DataSource": S3_SOURCE}
CONTAINER = {"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}
CSV = {"ContentType": "text/csv", "SplitType": "Line"}
LINES = {"Accept": "text/csv", "AssembleWith": "Line"}


def a_pipeline(
    *containers: JSON,
    source: JSON | None = None,
    output: JSON | None = None,
    uri: str = "s3://bucket/in",
    data_type: str = "S3Prefix",
    **request: JSON,
) -> JSON:
    """A model and what transforms with it."""
    arguments = {
        "ModelName": {"Get": "Steps.Model.ModelName"},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": uri}},
            **(CSV if source is None else source),
        },
        "TransformOutput": {"S3OutputPath": "s3://bucket/out", **(LINES if output is None else output)},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **request,
    }
    model = {"ExecutionRoleArn": ROLE, "Containers": list(containers) or [CONTAINER]}
    steps = [
        {"Name": "Model", "Type": "Model", "Arguments": model},
        {"Name": "Transform", "Type": "Transform", "Arguments": arguments},
    ]
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps}


Transform = Callable[..., "PipelineExecution"]


@pytest.fixture
def transform(run: Start, home: Home) -> Iterator[Transform]:
    """Run a pipeline whose containers are these models, one after the other."""
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({"weights": b"5"}))
    with ExitStack() as stack:

        def run_it(
            definition: JSON, *models: HttpModel, behaviour: Callable[[ScriptedContainer], int] = until_stopped
        ) -> PipelineExecution:
            ports = [stack.enter_context(serving(model)).port for model in models]
            runner = ScriptedRunner({"Transform": behaviour}, address_of=address_among(ports))
            return run(definition, runner)

        yield run_it


def address_among(ports: list[int]) -> Callable[[AttemptKey, int], tuple[str, int]]:
    return lambda key, _: ("127.0.0.1", ports[key.child - 1])


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def put(home: Home, **objects: bytes) -> None:
    for name, content in objects.items():
        home.store.put(S3Uri("bucket", f"in/{name}"), content)


def outputs(home: Home) -> dict[str, bytes]:
    return {info.uri.key: info.path.read_bytes() for info in home.store.list(S3Uri("bucket", "out/"))}


def reason(execution: PipelineExecution) -> str:
    step = execution.state.steps["Transform"]
    assert step.status == "Failed"
    return step.reason


def log(execution: PipelineExecution, name: str) -> str:
    (file,) = [Path(file) for file in execution.state.steps["Transform"].log_files if Path(file).stem == name]
    return file.read_text()


def test_each_object_becomes_one_output(transform: Transform, home: Home, misfits: Misfits) -> None:
    put(home, a=b"1,2\n3,4\n", b=b"5,6")
    home.store.put(S3Uri("bucket", "in/deep/c"), b"7,8\n")
    model = HttpModel(sums)
    ended = transform(a_pipeline(), model)
    assert ended.status == "Succeeded", ended.state.steps
    assert outputs(home) == {"out/a.out": b"3\n7\n", "out/b.out": b"11\n", "out/deep/c.out": b"15\n"}
    assert sorted(model.bodies) == [b"1,2\n3,4", b"5,6", b"7,8"]
    assert {(headers["Content-Type"], headers["Accept"]) for headers in model.headers} == {("text/csv", "text/csv")}
    step = ended.state.steps["Transform"]
    assert misfits("DescribeTransformJobResponse", step.properties) == []
    assert step.properties["TransformJobStatus"] == "Completed"
    assert step.outputs == ("s3://bucket/out",)
    (row,) = [row for row in ended.document()["Steps"] if row["StepName"] == "Transform"]
    assert row["Metadata"] == {"TransformJob": {"Arn": step.properties["TransformJobArn"]}}


def test_filters_and_join_are_around_the_model(transform: Transform, home: Home) -> None:
    put(home, a=b"x,1,2\ny,3,4\n")
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    assert transform(a_pipeline(DataProcessing=processing), HttpModel(sums)).status == "Succeeded"
    assert outputs(home) == {"out/a.out": b"x,3\ny,7\n"}


def test_the_answer_of_a_container_is_the_request_of_the_next(transform: Transform, home: Home) -> None:
    put(home, a=b"1,2\n3,4\n")
    first = HttpModel(lambda body, _: (200, "application/x-sums", sums(body, 1)[2]))
    second = HttpModel(lambda body, _: (200, "text/csv", b"".join(b"%d\n" % -int(row) for row in body.split())))
    ended = transform(a_pipeline(CONTAINER, {**CONTAINER, "ContainerHostname": "second"}), first, second)
    assert ended.status == "Succeeded", ended.state.steps
    assert outputs(home) == {"out/a.out": b"-3\n-7\n"}
    assert [headers["Content-Type"] for headers in second.headers] == ["application/x-sums"]
    assert ["Accept" in headers for headers in (*first.headers, *second.headers)] == [False, True]
    names = [Path(file).stem for file in ended.state.steps["Transform"].log_files]
    assert names == ["container-1", "second", "data-log"]


def test_records_go_one_by_one_and_at_once_and_come_back_in_order(transform: Transform, home: Home) -> None:
    put(home, a=b"".join(b"%d\n" % number for number in range(20)))
    together = threading.Barrier(4, timeout=10)

    def answer(body: bytes, number: int) -> Reply:
        if number <= 4:
            together.wait()
        return 200, "text/csv", body

    model = HttpModel(answer)
    request = {"BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 4, "MaxPayloadInMB": 1}
    assert transform(a_pipeline(**request), model).status == "Succeeded"
    assert outputs(home)["out/a.out"] == b"".join(b"%d\n" % number for number in range(20))
    assert (len(model.bodies), model.most_at_once) == (20, 4)


def test_the_container_says_how_it_wants_to_be_asked(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n2\n")
    answer = {"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}
    model = HttpModel(sums, parameters=json.dumps(answer).encode(), pings_until_healthy=3)
    ended = transform(a_pipeline(), model)
    assert sorted(model.bodies) == [b"1", b"2"]
    said = "[sagemaker logs]: MaxConcurrentTransforms=3, MaxPayloadInMB=2, BatchStrategy=SINGLE_RECORD\n"
    assert log(ended, "data-log").endswith(said)


def test_a_payload_has_as_many_records_as_fit(transform: Transform, home: Home) -> None:
    line = b"1" * 300_000 + b"\n"
    put(home, a=line * 7)
    model = HttpModel(lambda body, _: (200, "text/csv", b"x\n" * len(body.split())))
    assert transform(a_pipeline(MaxPayloadInMB=1), model).status == "Succeeded"
    assert [len(body.split()) for body in model.bodies] == [3, 3, 1]
    assert outputs(home)["out/a.out"] == b"x\n" * 7


def test_without_a_limit_an_object_is_sent_in_chunks(transform: Transform, home: Home) -> None:
    put(home, a=b"x,1\ny,2\n")
    model = HttpModel(sums)
    processing = {"InputFilter": "$[1]", "JoinSource": "Input"}
    assert transform(a_pipeline(MaxPayloadInMB=0, DataProcessing=processing), model).status == "Succeeded"
    assert model.headers[0]["Transfer-Encoding"] == "chunked"
    assert outputs(home) == {"out/a.out": b"x,1,1\ny,2,2\n"}


def test_without_a_split_an_object_is_one_request(transform: Transform, home: Home) -> None:
    put(home, a=b"\x00\n\x01")
    model = HttpModel(lambda body, _: (200, "application/x-bytes", body[::-1]))
    assert transform(a_pipeline(source={}, output={}), model).status == "Succeeded"
    assert outputs(home) == {"out/a.out": b"\x01\n\x00"}
    assert "Content-Type" not in model.headers[0]


def test_packed_objects_are_unpacked(transform: Transform, home: Home) -> None:
    put(home, a=gzip.compress(b"1,2\n"))
    assert transform(a_pipeline(source={**CSV, "CompressionType": "Gzip"}), HttpModel(sums)).status == "Succeeded"
    assert outputs(home) == {"out/a.out": b"3\n"}


def test_a_manifest_names_the_objects(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n", b=b"2\n")
    home.store.put(S3Uri("bucket", "list"), json.dumps([{"prefix": "s3://bucket/"}, "in/b"]).encode())
    assert transform(a_pipeline(uri="s3://bucket/list", data_type="ManifestFile"), HttpModel(sums)).status == "Succeeded"
    assert outputs(home) == {"out/in/b.out": b"2\n"}


def test_an_object_that_fails_has_no_output_and_the_others_have_theirs(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n", b=b"2\nbad\n3\n", c=b"4\n")

    def answer(body: bytes, number: int) -> Reply:
        return (400, "text/plain", b"no number") if body == b"bad" else sums(body, number)

    model = HttpModel(answer)
    ended = transform(a_pipeline(BatchStrategy="SingleRecord"), model)
    told = "bucket/in/b: ClientError: 400: no number"
    assert reason(ended) == f"ClientError: ClientError: See job logs for more information: {told}"
    assert outputs(home) == {"out/a.out": b"1\n", "out/c.out": b"4\n"}
    assert model.bodies.count(b"bad") == 1
    assert f"[sagemaker logs]: {told}\n" in log(ended, "data-log")
    assert ended.state.steps["Transform"].properties["TransformJobStatus"] == "Failed"


def test_a_request_that_may_fare_better_is_made_again(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")

    def answer(body: bytes, number: int) -> Reply:
        return [(500, "", b""), (0, "", b""), sums(body, number)][number - 1]

    model = HttpModel(answer)
    assert transform(a_pipeline(), model).status == "Succeeded"
    assert (len(model.bodies), outputs(home)) == (3, {"out/a.out": b"1\n"})


def test_a_request_is_made_again_only_so_often(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n", b=b"2\n")
    model = HttpModel(lambda *_: (500, "text/plain", b"Traceback: out of luck"))
    ended = transform(a_pipeline(ModelClientConfig={"InvocationsMaxRetries": 1}), model)
    assert reason(ended) == (
        "ClientError: AlgorithmError: See job logs for more information: bucket/in/a: "
        "Bad HTTP status received from algorithm: 500: Traceback: out of luck (1 other object failed, too.)"
    )
    assert (len(model.bodies), outputs(home)) == (4, {})


def test_a_record_that_is_too_large_fails_its_object(transform: Transform, home: Home) -> None:
    put(home, a=b"1" * 1_100_000, b=b"1\n")
    ended = transform(a_pipeline(MaxPayloadInMB=1), HttpModel(sums))
    assert reason(ended).endswith("bucket/in/a: Too much data for max payload size")
    assert outputs(home) == {"out/b.out": b"1\n"}


def test_an_answer_that_takes_too_long_is_none(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")
    released = threading.Event()

    def answer(body: bytes, number: int) -> Reply:
        released.wait(10)
        return sums(body, number)

    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    try:
        ended = transform(a_pipeline(ModelClientConfig=client), HttpModel(answer))
    finally:
        released.set()
    assert "bucket/in/a: Unable to get response from algorithm: " in reason(ended)


def test_a_container_that_ends_before_it_is_healthy_tells_its_last_words(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")

    def dies(container: ScriptedContainer) -> int:
        container.log("Traceback (most recent call last):\n  no model here")
        return 3

    ended = transform(a_pipeline(), HttpModel(sums, pings_until_healthy=10**9), behaviour=dies)
    assert reason(ended) == (
        "ClientError: AlgorithmError: Container container-1 ended with exit code 3: "
        "Traceback (most recent call last): | no model here"
    )


def test_a_container_that_ended_before_it_could_be_reached_tells_its_last_words(run: Start, home: Home) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({}))

    def nowhere(key: AttemptKey, port: int) -> tuple[str, int]:
        raise NotSupported(f"Reaching port {port} of {key}", "It has none.")

    ended = run(a_pipeline(), ScriptedRunner({"Transform": lambda _: 127}, address_of=nowhere))
    assert reason(ended) == "ClientError: AlgorithmError: Container container-1 ended with exit code 127."


class Blinking(ScriptedRunner):
    """Nobody can wait for what it starts; `found_again`: a second look helps."""

    def __init__(self, *, port: int, found_again: bool) -> None:
        super().__init__(default=until_stopped, address_of=address_among([port]))
        self._found_again = found_again

    def start(self, job: StagedJob) -> object:
        return Silent(super().start(job))

    def find(self, key: AttemptKey) -> object:
        return super().find(key) if self._found_again else None


@dataclass
class Silent:
    real: Running

    def wait(self, timeout_seconds: float | None = None) -> JobExit:
        raise JobFailed("the engine does not answer", JOB_INTERNAL_ERROR)

    def address(self, port: int) -> tuple[str, int]:
        return self.real.address(port)

    def signal(self, signum: int) -> None:
        self.real.signal(signum)

    def remove(self) -> None:
        self.real.remove()


@pytest.mark.parametrize("found_again", [True, False])
def test_a_container_whose_engine_went_silent_is_asked_for_once_more(run: Start, home: Home, *, found_again: bool) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({}))
    with serving(HttpModel(sums)) as model:
        ended = run(a_pipeline(), Blinking(port=model.port, found_again=found_again))
    if found_again:
        assert outputs(home) == {"out/a.out": b"1\n"}
    else:
        assert reason(ended) == "ClientError: InternalServerError: the engine does not answer"


def unreached(error: LocalpipeError) -> ScriptedRunner:
    """Its containers run, and this is in the way of reaching them."""

    def nowhere(key: AttemptKey, port: int) -> tuple[str, int]:
        raise error

    return ScriptedRunner({"Transform": until_stopped}, address_of=nowhere)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RunnerUnavailable("the engine is gone.", "Start it."),
            "ClientError: InternalServerError: the engine is gone. Start",
        ),
        (NotSupported("Reaching it", "Do without."), "ClientError: Reaching it is not supported. Do without."),
        (JobFailed("it has no port"), "ClientError: it has no port"),
    ],
)
def test_a_container_that_cannot_be_reached_is_lost_only_where_that_may_pass(
    run: Start, home: Home, error: LocalpipeError, told: str
) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({}))
    assert reason(run(a_pipeline(), unreached(error))).startswith(told)


def test_a_bug_of_localpipes_fails_no_step(run: Start, home: Home) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({}))
    with pytest.raises(InvalidTransition):
        run(a_pipeline(), unreached(InvalidTransition("Transform", "an event", "Running", "a story")))


def test_an_answer_that_there_is_no_room_for_is_not_asked_for_again(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")

    def answer(body: bytes, number: int) -> Reply:
        shutil.rmtree(home.store.scratch_dir())
        return 200, "text/csv", b"x" * (9 << 20)  # too long for memory

    model = HttpModel(answer)
    assert reason(transform(a_pipeline(), model)).startswith("ClientError: ClientError: Artifact upload failed")
    assert len(model.bodies) == 1


def test_a_container_that_dies_at_work_ends_the_job(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n", b=b"2\n")
    asked = threading.Event()

    def answer(body: bytes, number: int) -> Reply:
        asked.set()
        return (0, "", b"") if number > 1 else sums(body, number)

    def dies(container: ScriptedContainer) -> int:
        asked.wait(10)
        container.log("Segmentation fault")
        return 139

    ended = transform(a_pipeline(ModelClientConfig={"InvocationsMaxRetries": 3}), HttpModel(answer), behaviour=dies)
    assert reason(ended).endswith("Container container-1 ended with exit code 139: Segmentation fault")


def test_a_job_that_is_stopped_writes_no_half_output(start: Start, home: Home) -> None:
    put(home, a=b"1\n2\n")
    home.store.put(S3Uri("bucket", "model.tar.gz"), packed({}))
    released = threading.Event()
    signals = []

    def answer(body: bytes, number: int) -> Reply:
        if number == 2:
            stop_pipeline_execution(home, execution.name.execution_id)
            released.wait(10)
            return 0, "", b""
        return sums(body, number)

    def serves(container: ScriptedContainer) -> int:
        signals.append(container.next_signal())
        released.set()
        return 0

    with serving(HttpModel(answer)) as model:
        runner = ScriptedRunner({"Transform": serves}, address_of=address_among([model.port]))
        execution = start(a_pipeline(BatchStrategy="SingleRecord"), runner)
        ended = drive(execution, lambda _: None, runner)
    step = ended.state.steps["Transform"]
    assert (step.status, step.properties["TransformJobStatus"]) == ("Stopped", "Stopped")
    assert (outputs(home), signals) == ({}, [15])


def test_a_model_without_data_or_with_files_of_its_own_is_served(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "plain/deep/file"), b"x")
    source = {"S3DataSource": {"S3Uri": "s3://bucket/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    seen = []

    def looks(container: ScriptedContainer) -> int:
        root = container.path(container.job.hosts[0].mounts[0].container_dir)
        seen.append(sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()))
        return until_stopped(container)

    models = [HttpModel(sums), HttpModel(sums), HttpModel(sums)]
    containers = (CONTAINER, {"Image": "image:1", "ModelDataSource": source}, {"Image": "image:1"})
    assert transform(a_pipeline(*containers), *models, behaviour=looks).status == "Succeeded"
    assert sorted(seen) == [[], ["deep/file"], ["weights"]]


def test_an_archive_that_is_none_is_told_before_anything_starts(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")
    home.store.put(S3Uri("bucket", "broken.tar.gz"), b"no archive")
    ended = transform(a_pipeline({**CONTAINER, "ModelDataUrl": "s3://bucket/broken.tar.gz"}), HttpModel(sums))
    assert "Input 'model': s3://bucket/broken.tar.gz cannot be unpacked as tar.gz: " in reason(ended)


def test_a_model_that_is_not_registered_is_refused_before_the_run(transform: Transform, home: Home) -> None:
    put(home, a=b"1\n")
    definition = a_pipeline(ModelName="nobody")
    with pytest.raises(DefinitionError) as refused:
        transform(definition, HttpModel(sums))
    assert "$.Steps[1].Arguments.ModelName: step 'Transform': there is no model 'nobody'." in str(refused.value)


UNSERVABLE = [
    ({"Containers": [{**CONTAINER, "Mode": "MultiModel"}]}, "A batch transform does not run multi-model containers."),
    (
        {"Containers": [CONTAINER, CONTAINER], "InferenceExecutionConfig": {"Mode": "Direct"}},
        "A batch transform runs containers one after the other; the model says Direct.",
    ),
    (
        {"PrimaryContainer": {**CONTAINER, "AdditionalModelDataSources": [ADDITIONAL]}},
        "AdditionalModelDataSources is not supported. Put all into the model's archive.",
    ),
]


@pytest.mark.parametrize(("model", "said"), UNSERVABLE)
@pytest.mark.parametrize("registered", [False, True])
def test_a_model_that_no_transform_runs_is_refused_before_the_run(
    transform: Transform, home: Home, run: Start, model: JSON, said: str, *, registered: bool
) -> None:
    put(home, a=b"1\n")
    definition = a_pipeline()
    model_step, transform_step = definition["Steps"]
    model_step["Arguments"] = {"ExecutionRoleArn": ROLE, **model}
    if registered:
        made = run({**definition, "Steps": [model_step]}).state.steps["Model"]
        assert made.status == "Succeeded"
        transform_step["Arguments"]["ModelName"] = made.properties["ModelName"]
        definition["Steps"] = [transform_step]
    with pytest.raises(DefinitionError) as refused:
        transform(definition, HttpModel(sums))
    place = f"$.Steps[{0 if registered else 1}].Arguments.ModelName"
    assert [str(problem) for problem in refused.value.problems] == [f"{place}: step 'Transform': {said}"]


def test_a_model_that_no_transform_runs_may_be_created(run: Start) -> None:
    definition = a_pipeline({**CONTAINER, "Mode": "MultiModel"})
    assert run({**definition, "Steps": definition["Steps"][:1]}).status == "Succeeded"


def test_the_report_on_a_transform_names_what_served_its_model(transform: Transform, home: Home) -> None:
    put(home, a=b"1,2\n")
    ended = transform(a_pipeline(), HttpModel(sums))
    served = "scripted stood for image:1."
    started = replace(ended.started, images={"image:1": served})
    told = replace(ended, started=started)
    found = {each.member: each.note for each in fidelity(told, ScriptedRunner()) if each.step == "Transform"}
    assert found["ModelName"] == served


def test_a_model_of_an_earlier_execution_is_run_by_its_name(transform: Transform, home: Home) -> None:
    put(home, a=b"1,2\n")
    first = transform(a_pipeline(), HttpModel(sums))
    name = first.state.steps["Model"].properties["ModelName"]
    definition = a_pipeline(ModelName=name)
    del definition["Steps"][0]
    assert transform(definition, HttpModel(sums)).status == "Succeeded"


def test_an_input_that_is_not_there_is_refused_before_the_run(transform: Transform) -> None:
    with pytest.raises(DefinitionError) as refused:
        transform(a_pipeline(uri="s3://bucket/nothing"), HttpModel(sums))
    assert "input 'TransformInput' has no objects under s3://bucket/nothing" in str(refused.value)


def test_a_body_that_cannot_be_made_while_it_is_sent_fails_its_object(transform: Transform, home: Home) -> None:
    put(home, a=b"1,2\n3\n", b=b"4,5\n")
    ended = transform(a_pipeline(MaxPayloadInMB=0, DataProcessing={"InputFilter": "$[1]"}), HttpModel(sums))
    assert reason(ended).endswith("bucket/in/a: A filter finds nothing in a record.")
    assert outputs(home) == {"out/b.out": b"5\n"}
