"""The rules of processing jobs (containers.md section 1), seen from inside of real jobs on each runner."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from real_jobs import BASE_IMAGE, CODE, IMAGE, PROCESSING_LOOK, ROLE, Bench, Ran, an_input, an_output, processing

from localpipe.errors import ImageMissing

if TYPE_CHECKING:
    from localpipe.core import JSON

INPUT, OUTPUT = "/opt/ml/processing/input", "/opt/ml/processing/output"
MESSAGE = "/opt/ml/output/message"
PROCESSING_CONFIG, RESOURCE_CONFIG = "/opt/ml/config/processingjobconfig.json", "/opt/ml/config/resourceconfig.json"
NOT_TEXT = base64.b64encode(b"\xff\xfe").decode()
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
ENVIRONMENT = {"PLAIN": "1", "DOCUMENT": '{"a": [1, "b c"]}', "PROCESSING_JOB_NAME": "mine"}

PLAIN = processing(
    "Plain",
    *("write", f"{OUTPUT}/tree/a/b.txt", "written", "link", f"{OUTPUT}/tree/link", "/etc/passwd"),
    *("remove", f"{OUTPUT}/box/attributes.json", "write", f"{OUTPUT}/box/attributes.json", '{"a": 1}'),
    *("write", MESSAGE, "all is well", "write", f"{INPUT}/one/file.csv", "changed", "connect"),
    inputs=[
        an_input("one", "s3://bucket/one/file.csv"),
        an_input("string", "s3://bucket/data/tr"),
        an_input("folder", "s3://bucket/data/train"),
        an_input("slash", "s3://bucket/data/train/"),
        an_input("markers", "s3://bucket/markers/"),
        an_input("inner", "s3://bucket/one/", f"{INPUT}/folder/inner"),
    ],
    outputs=[
        an_output("tree", "s3://bucket/out/tree"),
        an_output("empty", "s3://bucket/out/empty"),
        an_output("box", "s3://bucket/out/box"),
        an_output("attributes", "s3://bucket/out/attributes", f"{OUTPUT}/box/attributes.json"),
    ],
    Environment=ENVIRONMENT,
    NetworkConfig={"EnableInterContainerTrafficEncryption": True, "EnableNetworkIsolation": False, "VpcConfig": VPC},
)
BARE = {
    "Name": "Bare",
    "Type": "Processing",
    "Arguments": {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": list(PROCESSING_LOOK)},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
        "RoleArn": ROLE,
        "ProcessingInputs": [an_input("code", CODE)],
    },
}
NEXT = processing(
    "Next",
    inputs=[an_input("tree", {"Get": "Steps.Plain.ProcessingOutputConfig.Outputs['tree'].S3Output.S3Uri"})],
)
ISOLATED = processing("Isolated", "connect", NetworkConfig={"EnableNetworkIsolation": True})
FAILS = processing(
    "Fails",
    *("write", f"{OUTPUT}/kept/file", "x", "write", MESSAGE, "it went wrong", "write", "/opt/ml/output/failure", "not read"),
    *("exit", "3"),
    outputs=[an_output("kept", "s3://bucket/out/failed")],
)
TIMES_OUT = processing(
    "TimesOut",
    *("write", MESSAGE, "as far as it went", "wait"),
    StoppingCondition={"MaxRuntimeInSeconds": 3},
)
BAD_MESSAGE = processing("BadMessage", "bytes", MESSAGE, NOT_TEXT)
LONG_MESSAGE = processing("LongMessage", "repeat", MESSAGE, "x", "3000")
NO_OBJECTS = processing(
    "NoObjects", inputs=[an_input("gone", "s3://bucket-of-another/gone")], fields={"DependsOn": ["Bare"]}
)
DEFAULTS = ("code", "one", "string", "folder", "slash", "markers", "inner")


@pytest.fixture(scope="module")
def ran(bench: Bench) -> Ran:
    for key in ("one/file.csv", "data/train/x", "data/trial/y", "data/test/z", "markers/file", "out/tree/before"):
        bench.put(f"s3://bucket/{key}", f"content of {key}")
    bench.put("s3://bucket/markers/folder/", "")
    return bench.run(PLAIN, BARE, NEXT, ISOLATED, FAILS, TIMES_OUT, BAD_MESSAGE, LONG_MESSAGE, NO_OBJECTS)


def files(ran: Ran, step: str, directory: str) -> list[str]:
    """What lies below a directory, directories left out."""
    found = ran.seen(step)["files"]
    return [
        path.removeprefix(f"{directory}/") for path, text in found.items() if text is not None and f"{directory}/" in path
    ]


# What is executed


def test_entrypoint_and_arguments_are_run(ran: Ran) -> None:
    assert ran.seen("Isolated")["arguments"] == ["connect"]


def test_an_entrypoint_alone_runs_alone(ran: Ran) -> None:
    assert ran.seen("Bare")["arguments"] == []


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        ({}, "image-entrypoint image-command"),
        ({"ContainerArguments": ["given"]}, "image-entrypoint given"),
        ({"ContainerEntrypoint": ["echo", "own"]}, "own"),
        ({"ContainerEntrypoint": ["echo", "own"], "ContainerArguments": ["given"]}, "own given"),
    ],
)
def test_what_the_image_runs_by_itself(bench: Bench, given: JSON, printed: str) -> None:
    step = processing("Image")
    step["Arguments"]["AppSpecification"] = {"ImageUri": an_image_with_entrypoint(bench), **given}
    ran = bench.run(step)
    if bench.runner == "process" and "ContainerEntrypoint" not in given:
        assert "The job runs the ENTRYPOINT of image" in ran.reason("Image")
    else:
        assert ran.said("Image") == [f"{printed}\n"]


def test_the_working_directory_is_the_images(bench: Bench) -> None:
    step = processing("Where")
    step["Arguments"]["AppSpecification"] = {
        "ImageUri": an_image_with_entrypoint(bench),
        "ContainerEntrypoint": ["sh", "-c", "pwd"],
    }
    assert bench.run(step).said("Where") == ["/\n" if bench.runner == "process" else "/srv\n"]


def an_image_with_entrypoint(bench: Bench) -> str:
    """Built by the engine, which the process runner needs not."""
    if bench.runner == "process":
        return IMAGE
    recipe = f'FROM {BASE_IMAGE}\nWORKDIR /srv\nENTRYPOINT ["echo", "image-entrypoint"]\nCMD ["image-command"]\n'
    docker.from_env().images.build(fileobj=io.BytesIO(recipe.encode()), tag="localpipe-test/contract", rm=True)
    return "localpipe-test/contract:latest"


def test_it_is_the_first_process_of_its_host(ran: Ran) -> None:
    assert (ran.seen("Bare")["process"], ran.seen("Bare")["host"]) == (1, "algo-1")


# Variables


def test_variables_of_the_request_come_unchanged_and_win(ran: Ran) -> None:
    seen = ran.seen("Plain")["environment"]
    assert {name: seen[name] for name in ENVIRONMENT} == ENVIRONMENT


def test_the_region_and_the_names_of_the_job_are_variables(ran: Ran) -> None:
    seen, properties = ran.seen("Bare")["environment"], ran.properties("Bare")
    assert seen["AWS_REGION"] == "us-east-1"
    assert seen["PROCESSING_JOB_NAME"] == properties["ProcessingJobName"]
    assert seen["PROCESSING_JOB_ARN"] == properties["ProcessingJobArn"]


def test_credentials_are_static_and_of_this_run(ran: Ran) -> None:
    seen = ran.seen("Bare")["environment"]
    assert seen["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert seen["AWS_ACCESS_KEY_ID"]
    assert not {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4"} & set(seen)


def test_the_interface_is_named_and_a_cpu_job_sees_no_gpu(ran: Ran) -> None:
    seen = ran.seen("Bare")["environment"]
    assert (seen["DMLC_INTERFACE"], seen["NVIDIA_VISIBLE_DEVICES"]) == ("eth0", "void")


def test_there_are_no_variables_of_the_toolkit(ran: Ran) -> None:
    assert [name for name in ran.seen("Plain")["environment"] if name.startswith("SM_")] == []


# Configuration files


def test_the_configuration_echoes_the_request_with_the_arn(ran: Ran) -> None:
    config, properties = ran.config("Plain", PROCESSING_CONFIG), ran.properties("Plain")
    assert config["ProcessingJobArn"] == properties["ProcessingJobArn"]
    assert config["ProcessingJobName"] == properties["ProcessingJobName"]
    assert config["Environment"] == ENVIRONMENT
    assert config["AppSpecification"]["ImageUri"] == IMAGE
    assert config["AppSpecification"]["ContainerEntrypoint"] == list(PROCESSING_LOOK)
    assert config["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": None,
    }
    assert config["RoleArn"] == ROLE


def test_absent_values_are_null_in_the_configuration(ran: Ran) -> None:
    config = ran.config("Bare", PROCESSING_CONFIG)
    assert config["Environment"] is None
    assert config["AppSpecification"]["ContainerArguments"] is None
    assert config["ProcessingOutputConfig"] == {"Outputs": [], "KmsKeyId": None}
    assert config["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}


def test_inputs_and_outputs_stand_in_the_configuration(ran: Ran) -> None:
    config = ran.config("Plain", PROCESSING_CONFIG)
    assert [entry["InputName"] for entry in config["ProcessingInputs"]] == list(DEFAULTS)
    assert config["ProcessingInputs"][1]["S3Input"] == {
        "LocalPath": f"{INPUT}/one",
        "S3Uri": "s3://bucket/one/file.csv",
        "S3DataDistributionType": "FullyReplicated",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3CompressionType": "None",
        "S3DownloadMode": "StartOfJob",
    }
    assert config["ProcessingOutputConfig"]["Outputs"][0] == {
        "OutputName": "tree",
        "AppManaged": False,
        "S3Output": {"LocalPath": f"{OUTPUT}/tree", "S3Uri": "s3://bucket/out/tree", "S3UploadMode": "EndOfJob"},
        "FeatureStoreOutput": None,
    }


def test_the_network_stands_in_the_configuration_when_given(ran: Ran) -> None:
    assert ran.config("Plain", PROCESSING_CONFIG)["NetworkConfig"]["VpcConfig"] == VPC
    assert "NetworkConfig" not in ran.config("Bare", PROCESSING_CONFIG)


def test_describe_does_not_show_the_download_mode(ran: Ran) -> None:
    assert all("S3DownloadMode" not in entry["S3Input"] for entry in ran.properties("Plain")["ProcessingInputs"])


def test_the_resource_configuration_names_the_host(ran: Ran) -> None:
    config = ran.config("Bare", RESOURCE_CONFIG)
    assert (config["current_host"], config["hosts"], config["network_interface_name"]) == ("algo-1", ["algo-1"], "eth0")
    assert (config["current_instance_type"], config["current_group_name"]) == ("ml.m5.large", "homogeneousCluster")


def test_several_hosts_know_one_another(bench: Bench) -> None:
    ran = bench.run(
        processing(
            "Hosts",
            *("resolve", "algo-1", "resolve", "algo-2", "write", f"{OUTPUT}/all/same", "x"),
            cluster={"InstanceCount": 2},
            outputs=[an_output("all", "s3://bucket/out/hosts")],
        ),
    )
    configs = [json.loads(ran.seen("Hosts", host)["files"][RESOURCE_CONFIG]) for host in (0, 1)]
    assert [config["hosts"] for config in configs] == [["algo-1", "algo-2"]] * 2
    assert [config["current_host"] for config in configs] == ["algo-1", "algo-2"]
    assert ran.said("Hosts") == ["resolved algo-1\nresolved algo-2\n"] * 2
    assert ran.objects("s3://bucket/out/hosts/") == {"same": b"x"}


# Inputs


def test_a_uri_of_one_object_is_a_file_of_its_base_name(ran: Ran) -> None:
    assert files(ran, "Plain", f"{INPUT}/one") == ["file.csv"]


def test_a_prefix_is_one_of_text_and_keeps_what_follows_its_directory(ran: Ran) -> None:
    assert files(ran, "Plain", f"{INPUT}/string") == ["train/x", "trial/y"]


def test_a_prefix_with_and_without_its_slash_gives_the_same(ran: Ran) -> None:
    assert files(ran, "Plain", f"{INPUT}/slash") == ["x"]
    assert files(ran, "Plain", f"{INPUT}/folder") == ["inner/file.csv", "x"]


def test_folder_markers_are_directories(ran: Ran) -> None:
    found = ran.seen("Plain")["files"]
    assert files(ran, "Plain", f"{INPUT}/markers") == ["file"]
    assert f"{INPUT}/markers/folder" in found


def test_an_input_may_lie_in_another(ran: Ran) -> None:
    assert f"{INPUT}/folder/inner/file.csv" in ran.seen("Plain")["files"]


def test_an_input_without_objects_fails_the_job(ran: Ran) -> None:
    assert ran.status("NoObjects") == "Failed"
    assert ran.reason("NoObjects").startswith("ClientError: ")
    assert "s3://bucket-of-another/gone" in ran.reason("NoObjects")


def test_a_job_may_write_into_its_input_and_the_object_stays(ran: Ran) -> None:
    assert f"{INPUT}/one" in ran.seen("Plain")["writable"]
    assert ran.objects("s3://bucket/one/") == {"file.csv": b"content of one/file.csv"}


def test_a_manifest_names_the_objects(bench: Bench) -> None:
    bench.put("s3://bucket/listed/a/1", "one")
    bench.put("s3://bucket/listed/a/2", "two")
    bench.put("s3://bucket/lists/some.manifest", json.dumps([{"prefix": "s3://bucket/listed/"}, "a/1"]))
    ran = bench.run(
        processing("Manifest", inputs=[an_input("some", "s3://bucket/lists/some.manifest", S3DataType="ManifestFile")]),
    )
    assert files(ran, "Manifest", f"{INPUT}/some") == ["a/1"]


def test_objects_are_streamed_in_pipe_mode_and_unpacked(bench: Bench) -> None:
    bench.put("s3://bucket/two-packed/1.gz", gzip.compress(b"one\n"))
    bench.put("s3://bucket/two-packed/2.gz", gzip.compress(b"two\n"))
    pipe = an_input("pipe", "s3://bucket/two-packed/", S3InputMode="Pipe", S3CompressionType="Gzip")
    ran = bench.run(processing("Pipe", "read", f"{INPUT}/pipe_0", inputs=[pipe]))
    assert ran.read("Pipe") == [b"one\ntwo\n"]


def test_hosts_share_the_objects_of_a_sharded_input(bench: Bench) -> None:
    for name in "abc":
        bench.put(f"s3://bucket/shards/{name}", name)
    sharded = an_input("shards", "s3://bucket/shards/", S3DataDistributionType="ShardedByS3Key")
    ran = bench.run(processing("Shards", inputs=[sharded], cluster={"InstanceCount": 2}))
    found = [[path[-1] for path in ran.seen("Shards", host)["files"] if f"{INPUT}/shards/" in path] for host in (0, 1)]
    assert found == [["a", "c"], ["b"]]


def test_inputs_and_outputs_that_the_container_manages_are_left_to_it(bench: Bench) -> None:
    managed = {"AppManaged": True}
    ran = bench.run(
        processing(
            "Managed",
            *("write", f"{OUTPUT}/own/file", "x"),
            inputs=[an_input("own", "s3://bucket/no/such") | managed],
            outputs=[an_output("own", "s3://bucket/out/own") | managed],
        ),
    )
    assert not [path for path in ran.seen("Managed")["files"] if path.endswith("/own")]
    assert ran.objects("s3://bucket/out/own") == {}


# Outputs


def test_output_directories_are_there_empty_and_writable(ran: Ran) -> None:
    seen = ran.seen("Plain")
    for directory in (f"{OUTPUT}/tree", f"{OUTPUT}/empty", f"{OUTPUT}/box/attributes.json", "/opt/ml/output"):
        assert directory in seen["writable"], directory
        assert not [path for path in seen["files"] if path.startswith(f"{directory}/")]


def test_root_temporary_and_home_directory_are_writable(ran: Ran) -> None:
    assert {"/", "/tmp", ran.seen("Bare")["environment"]["HOME"]} <= set(ran.seen("Bare")["writable"])  # noqa: S108 - the job\'s own


def test_files_are_uploaded_with_their_paths_and_links_are_not(ran: Ran) -> None:
    assert ran.objects("s3://bucket/out/tree/") == {"a/b.txt": b"written", "before": b"content of out/tree/before"}


def test_an_empty_output_writes_nothing(ran: Ran) -> None:
    assert ran.status("Plain") == "Succeeded"
    assert ran.objects("s3://bucket/out/empty") == {}


def test_an_output_that_became_a_file_is_one_object(ran: Ran) -> None:
    assert list(ran.objects("s3://bucket/out/attributes").values()) == [b'{"a": 1}']


def test_an_output_is_addressed_by_its_name(ran: Ran) -> None:
    assert files(ran, "Next", f"{INPUT}/tree") == ["a/b.txt", "before"]


def test_outputs_of_a_failed_job_are_not_published(ran: Ran) -> None:
    assert ran.objects("s3://bucket/out/failed") == {}


def test_a_continuous_output_is_uploaded_while_the_job_runs(bench: Bench) -> None:
    arrived: list[bool] = []
    with bench.answering(lambda: arrived.append(bench.has("s3://bucket/out/live/early"))) as call:
        step = processing(
            "Continuous",
            *("write", f"{OUTPUT}/live/early", "x", *call, "write", f"{OUTPUT}/live/late", "y", "exit", "3"),
            outputs=[an_output("live", "s3://bucket/out/live", mode="Continuous")],
        )
        ran = bench.run(step)
    assert arrived == [True]
    assert ran.objects("s3://bucket/out/live/") == {"early": b"x", "late": b"y"}


# How it ends


def test_a_job_that_exits_with_zero_is_completed(ran: Ran) -> None:
    assert ran.properties("Plain")["ProcessingJobStatus"] == "Completed"
    assert ran.properties("Plain")["ExitMessage"] == "all is well"
    assert "FailureReason" not in ran.properties("Plain")


def test_a_job_that_exits_otherwise_is_failed(ran: Ran) -> None:
    described = ran.properties("Fails")
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: See job logs for more information"
    assert described["ExitMessage"] == "it went wrong"


def test_the_failure_file_is_not_one_of_processing(ran: Ran) -> None:
    told = [ran.properties("Fails")["FailureReason"], ran.properties("Fails")["ExitMessage"], ran.reason("Fails")]
    assert [text for text in told if "not read" in text] == []


def test_a_message_is_cut_at_a_kilobyte(ran: Ran) -> None:
    assert ran.properties("LongMessage")["ExitMessage"] == "x" * 1024


def test_a_message_that_is_no_text_fails_the_job(ran: Ran) -> None:
    assert ran.properties("BadMessage")["ProcessingJobStatus"] == "Failed"
    assert ran.properties("BadMessage")["FailureReason"].startswith("ClientError: ")


def test_a_job_beyond_its_time_is_stopped_and_its_step_fails(ran: Ran) -> None:
    assert ran.properties("TimesOut")["ProcessingJobStatus"] == "Stopped"
    assert ran.properties("TimesOut")["ExitMessage"] == "as far as it went"
    assert ran.status("TimesOut") == "Failed"
    assert "MaxRuntimeInSeconds (3)" in ran.reason("TimesOut")


def test_a_job_that_is_told_to_stop_gets_sigterm_and_is_stopped(bench: Bench) -> None:
    with bench.answering(bench.stop_the_last) as call:
        ran = bench.run(processing("Waits", "write", MESSAGE, "so far", *call, "wait"))
    assert ran.properties("Waits")["ProcessingJobStatus"] == "Stopped"
    assert ran.properties("Waits")["ExitMessage"] == "so far"
    assert ran.execution.status == "Stopped"


# AWS's own images


@pytest.mark.parametrize(
    "repository",
    ["sagemaker-clarify-processing:1.0", "sagemaker-model-monitor-analyzer", "sagemaker-data-wrangler-container:3"],
)
def test_an_image_of_awss_alone_is_refused_by_name(bench: Bench, tmp_path: Path, repository: str) -> None:
    without_images = Bench(bench.runner, tmp_path, settings="")
    step = processing("Theirs")
    step["Arguments"]["AppSpecification"] = {"ImageUri": f"205585389593.dkr.ecr.us-east-1.amazonaws.com/{repository}"}
    with pytest.raises(ImageMissing, match=f"{repository}: step 'Theirs': "):
        without_images.start(step)
    without_images.home.close()


# Without a network


def test_an_isolated_job_has_no_network_and_no_credentials(ran: Ran) -> None:
    assert ran.said("Isolated")[0].startswith("not connected")
    assert [name for name in ran.seen("Isolated")["environment"] if "KEY" in name or "CREDENTIALS" in name] == []


def test_an_open_job_reaches_the_local_s3(ran: Ran) -> None:
    assert ran.said("Plain") == ["connected\n"]
