"""The rules of training jobs (containers.md section 2), seen from inside of real jobs on each runner."""

from __future__ import annotations

import gzip
import json
import struct

import pytest
from real_jobs import IMAGE, ROLE, Bench, Ran, a_channel, training

from localpipe.errors import DefinitionError

CONFIG, DATA, MODEL, OUTPUT = "/opt/ml/input/config", "/opt/ml/input/data", "/opt/ml/model", "/opt/ml/output"
HYPERPARAMETERS = {
    "epochs": "5",
    "optimizer": '"adam"',
    "layers": "[1,2]",
    "plain": "text",
    "_tuning_objective_metric": "loss",
}
ENVIRONMENT = {"PLAIN": "1", "DOCUMENT": '{"a": [1, "b c"]}'}
METRICS = [
    {"Name": "loss", "Regex": "loss=([0-9.]+)"},
    {"Name": "accuracy", "Regex": "accuracy=([^ ]+)"},
    {"Name": "tabbed", "Regex": r"\[1\]#011tabbed:(\S+)"},
    {"Name": "raw", "Regex": r"\[1\]\ttabbed:(\S+)"},
    {"Name": "broken", "Regex": "broken=(.+)"},
    {"Name": "absent", "Regex": "absent=(.+)"},
]
TWO_HOSTS = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
DEBUGGING = {
    "DebugHookConfig": {"S3OutputPath": "s3://bucket/debug", "CollectionConfigurations": []},
    "DebugRuleConfigurations": [{"RuleConfigurationName": "b", "RuleEvaluatorImage": IMAGE}],
    "ProfilerConfig": {"S3OutputPath": "s3://bucket/debug", "DisableProfiler": False},
    "ProfilerRuleConfigurations": [
        {"RuleConfigurationName": name, "RuleEvaluatorImage": IMAGE} for name in ("second", "first")
    ],
}

LOOKS = training(
    "Looks",
    *("write", f"{MODEL}/weights", "w", "write", f"{MODEL}/sub/more", "m", "write", f"{OUTPUT}/data/report", "r"),
    *("write", f"{OUTPUT}/success", "", "write", "/opt/ml/input/sm_training.env", "X=1", "write", f"{DATA}/train/x", "new"),
    *("print", "loss=0.5", "print", "loss=0.25", "warn", "accuracy=0.75", "print", "[1]\ttabbed:3.5", "print", "broken=nan"),
    "connect",
    channels=[
        a_channel("train", "s3://bucket/data/tr", ContentType="text/csv"),
        a_channel("fast", "s3://bucket/data/train", InputMode="FastFile"),
        a_channel("packed", "s3://bucket/packed/", CompressionType="None", RecordWrapperType="None"),
    ],
    algorithm={"MetricDefinitions": METRICS},
    HyperParameters=HYPERPARAMETERS,
    Environment=ENVIRONMENT,
    **DEBUGGING,
)
BARE = {
    "Name": "Bare",
    "Type": "Training",
    "Arguments": {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh"],
            "ContainerArguments": ["-c", "find /opt/ml -type f -exec grep -H . {} +; pwd"],
        },
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/bare"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "RoleArn": ROLE,
    },
}
NO_TRAIN = {
    **BARE,
    "Name": "NoTrain",
    "Arguments": {**BARE["Arguments"], "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"}},
}
ENTRYPOINT_ALONE = training("Alone", algorithm={"ContainerEntrypoint": ["hostname"]})
FAILS = training(
    "Fails",
    *("write", f"{MODEL}/weights", "w", "write", f"{OUTPUT}/data/partial", "p"),
    *("repeat", f"{OUTPUT}/failure", "why ", "500", "exit", "4"),
)
FAILS_SILENTLY = training("FailsSilently", "exit", "1")
TIMES_OUT = training("TimesOut", "write", f"{MODEL}/weights", "w", "wait", StoppingCondition={"MaxRuntimeInSeconds": 3})
NO_OBJECTS = training(
    "NoObjects", channels=[a_channel("gone", "s3://bucket-of-another/gone")], fields={"DependsOn": ["Bare"]}
)
ISOLATED = training("Isolated", "connect", EnableNetworkIsolation=True)
KEPT_WARM = training(
    "KeptWarm",
    cluster={"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30, "KeepAlivePeriodInSeconds": 60},
)
ON_A_GPU = training("OnAGpu", cluster={"InstanceCount": 1, "InstanceType": "ml.g4dn.xlarge", "VolumeSizeInGB": 30})
DRIVER = """
export MASTER=$(python3 -c "
import json
config = json.load(open('/opt/ml/input/config/resourceconfig.json'))
print(config['current_host'], config['current_instance_type'], config['hosts'][0], config['network_interface_name'])")
echo "DRIVEN='$MASTER $TRAINING_JOB_NAME'" > /opt/ml/input/sm_training.env
. /opt/ml/input/sm_training.env
echo "driven by $DRIVEN"
ls /opt/ml/input/data/code
"""
DRIVEN = training(
    "Driven",
    channels=[a_channel("sm_drivers", "s3://bucket/drivers")],
    algorithm={
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": ["-c", f"chmod +x {DATA}/sm_drivers/sm_train.sh && {DATA}/sm_drivers/sm_train.sh"],
    },
)
SPOT = training(
    "Spot",
    EnableManagedSpotTraining=True,
    StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    RetryStrategy={"MaximumRetryAttempts": 3},
)


@pytest.fixture(scope="module")
def ran(bench: Bench) -> Ran:
    for key in ("data/train/x", "data/trial/y", "data/test/z"):
        bench.put(f"s3://bucket/{key}", f"content of {key}")
    bench.put("s3://bucket/packed/file.gz", gzip.compress(b"packed"))
    bench.put("s3://bucket/drivers/sm_train.sh", f"#!/bin/bash\n{DRIVER}")
    steps = [
        NO_TRAIN,
        DRIVEN,
        ON_A_GPU,
        LOOKS,
        BARE,
        ENTRYPOINT_ALONE,
        FAILS,
        FAILS_SILENTLY,
        TIMES_OUT,
        NO_OBJECTS,
        ISOLATED,
        KEPT_WARM,
        SPOT,
    ]
    return bench.run(*steps)


def status(ran: Ran, step: str) -> tuple[str, str]:
    return ran.properties(step)["TrainingJobStatus"], ran.properties(step)["SecondaryStatus"]


def model_of(ran: Ran, step: str) -> str:
    return ran.properties(step)["ModelArtifacts"]["S3ModelArtifacts"]


# What is executed


def test_entrypoint_and_arguments_are_run_without_train(ran: Ran) -> None:
    assert ran.seen("Isolated")["arguments"] == ["connect"]


def test_an_entrypoint_alone_runs_without_train(ran: Ran) -> None:
    assert ran.said("Alone") == ["algo-1\n"]


def test_an_image_without_train_is_said_plainly(ran: Ran) -> None:
    assert ran.status("NoTrain") == "Failed"
    assert "The image has no executable 'train'" in ran.reason("NoTrain")


def test_the_model_trainers_driver_runs(ran: Ran) -> None:
    job = ran.properties("Driven")["TrainingJobName"]
    assert ran.said("Driven") == [f"driven by algo-1 ml.m5.large algo-1 eth0 {job}\nlook.py\n"]


# Directories


def test_directories_are_there_empty_and_writable(ran: Ran) -> None:
    seen = ran.seen("Isolated")
    for directory in (MODEL, OUTPUT, f"{OUTPUT}/data", f"{OUTPUT}/metrics/sagemaker"):
        assert directory in seen["writable"], directory
        assert not [path for path, text in seen["files"].items() if path.startswith(f"{directory}/") and text is not None]


def test_the_input_directory_is_writable(ran: Ran) -> None:
    assert "/opt/ml/input" in ran.seen("Looks")["writable"]
    assert status(ran, "Looks") == ("Completed", "Completed")


def test_no_code_directory_is_made_for_the_toolkit(ran: Ran) -> None:
    assert "/opt/ml/code" not in ran.seen("Looks")["files"]


def test_a_success_file_means_nothing(ran: Ran) -> None:
    assert status(ran, "Looks") == ("Completed", "Completed")


# Channels


def test_channels_are_directories_with_paths_as_in_processing(ran: Ran) -> None:
    found = ran.seen("Looks")["files"]
    assert found[f"{DATA}/train/train/x"] == "content of data/train/x"
    assert found[f"{DATA}/train/trial/y"] == "content of data/trial/y"
    assert found[f"{DATA}/fast/x"] == "content of data/train/x"


def test_no_copy_of_what_was_downloaded_is_made(ran: Ran) -> None:
    assert [path for path in ran.seen("Looks")["files"] if path.endswith("-manifest")] == []


def test_a_fast_file_channel_is_read_only_and_a_file_channel_is_not(ran: Ran) -> None:
    writable = ran.seen("Looks")["writable"]
    assert f"{DATA}/train" in writable
    assert f"{DATA}/fast" not in writable
    assert ran.objects("s3://bucket/data/train/") == {"x": b"content of data/train/x"}


def test_packed_objects_stay_packed_in_file_mode(ran: Ran) -> None:
    assert ran.seen("Looks")["files"][f"{DATA}/packed/file.gz"] == "(bytes)"


def test_a_manifest_names_the_objects(bench: Bench) -> None:
    bench.put("s3://bucket/listed/a/1", "one")
    bench.put("s3://bucket/listed/a/2", "two")
    bench.put("s3://bucket/lists/some.manifest", json.dumps([{"prefix": "s3://bucket/listed/"}, "a/1"]))
    channel = a_channel("some", "s3://bucket/lists/some.manifest", {"S3DataType": "ManifestFile"})
    ran = bench.run(training("Manifest", channels=[channel]))
    found = ran.seen("Manifest")["files"]
    assert found[f"{DATA}/some/a/1"] == "one"
    assert f"{DATA}/some/a/2" not in found


def test_hosts_share_the_objects_of_a_sharded_channel(bench: Bench) -> None:
    for name in "abc":
        bench.put(f"s3://bucket/shards/{name}", name)
    channel = a_channel("shards", "s3://bucket/shards/", {"S3DataDistributionType": "ShardedByS3Key"})
    ran = bench.run(training("Shards", channels=[channel], cluster=TWO_HOSTS))
    found = [[path[-1] for path in ran.seen("Shards", host)["files"] if f"{DATA}/shards/" in path] for host in (0, 1)]
    assert found == [["a", "c"], ["b"]]
    assert ran.config("Shards", f"{CONFIG}/inputdataconfig.json")["shards"]["S3DistributionType"] == "ShardedByS3Key"


def test_a_pipe_gives_all_objects_in_each_epoch(bench: Bench) -> None:
    for name in "ab":
        bench.put(f"s3://bucket/piped/{name}", f"{name}\n")
    channel = a_channel("pipe", "s3://bucket/piped/", InputMode="Pipe")
    ran = bench.run(training("Pipe", "read", f"{DATA}/pipe_0", "read", f"{DATA}/pipe_1", channels=[channel]))
    assert ran.read("Pipe") == [b"a\nb\n", b"a\nb\n"]
    assert ran.config("Pipe", f"{CONFIG}/inputdataconfig.json")["pipe"]["TrainingInputMode"] == "Pipe"


def test_a_pipe_unpacks_gzip(bench: Bench) -> None:
    bench.put("s3://bucket/gzipped/a.gz", gzip.compress(b"unpacked"))
    channel = a_channel("pipe", "s3://bucket/gzipped/", InputMode="Pipe", CompressionType="Gzip")
    ran = bench.run(training("Gzip", "read", f"{DATA}/pipe_0", channels=[channel]))
    assert ran.read("Gzip") == [b"unpacked"]


def test_a_pipe_wraps_each_object_as_a_record(bench: Bench) -> None:
    for name, content in {"a": b"12345", "b": b"1234"}.items():
        bench.put(f"s3://bucket/records/{name}", content)
    channel = a_channel("pipe", "s3://bucket/records/", InputMode="Pipe", RecordWrapperType="RecordIO")
    ran = bench.run(training("Records", "read", f"{DATA}/pipe_0", channels=[channel]))
    magic = 0xCED7230A
    assert ran.read("Records") == [
        struct.pack("<II", magic, 5) + b"12345\0\0\0" + struct.pack("<II", magic, 4) + b"1234",
    ]


def test_a_pipe_shuffles_the_objects_of_each_epoch(bench: Bench) -> None:
    for number in range(20):
        bench.put(f"s3://bucket/many/{number:02}", f"{number:02}")
    channel = a_channel("pipe", "s3://bucket/many/", InputMode="Pipe", ShuffleConfig={"Seed": 7})
    ran = bench.run(training("Shuffle", "read", f"{DATA}/pipe_0", "read", f"{DATA}/pipe_1", channels=[channel]))
    epochs = [[epoch[at : at + 2] for at in range(0, len(epoch), 2)] for epoch in ran.read("Shuffle")]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [b"%02d" % number for number in range(20)]


def test_an_augmented_manifest_is_streamed_by_attribute(bench: Bench) -> None:
    bench.put("s3://bucket/images/1", "pixels")
    bench.put("s3://bucket/lists/some.lines", json.dumps({"image-ref": "s3://bucket/images/1", "label": 3, "other": 0}))
    source = {"S3DataType": "AugmentedManifestFile", "AttributeNames": ["image-ref", "label"]}
    channel = a_channel("pipe", "s3://bucket/lists/some.lines", source, InputMode="Pipe")
    ran = bench.run(training("Augmented", "read", f"{DATA}/pipe_0", channels=[channel]))
    (streamed,) = ran.read("Augmented")
    assert streamed.index(b"pixels") < streamed.index(b"3")


def test_pipe_and_fast_file_do_not_go_together(bench: Bench) -> None:
    bench.put("s3://bucket/data/train/x", "content of data/train/x")
    channels = [
        a_channel("a", "s3://bucket/data/", InputMode="Pipe"),
        a_channel("b", "s3://bucket/data/", InputMode="FastFile"),
    ]
    with pytest.raises(DefinitionError, match="Cannot use both 'Pipe' and 'FastFile'"):
        bench.start(training("Mixed", channels=channels))


# Configuration files


def test_hyperparameters_are_text_by_text(ran: Ran) -> None:
    assert ran.config("Looks", f"{CONFIG}/hyperparameters.json") == HYPERPARAMETERS


def test_channels_are_described_and_a_fast_file_one_shows_as_file(ran: Ran) -> None:
    plain = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    assert ran.config("Looks", f"{CONFIG}/inputdataconfig.json") == {
        "code": plain,
        "train": {**plain, "ContentType": "text/csv"},
        "fast": plain,
        "packed": plain,
    }


def test_the_resource_configuration_is_whole(ran: Ran) -> None:
    assert ran.config("Looks", f"{CONFIG}/resourceconfig.json") == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
        "topology": None,
    }


def test_the_three_files_are_there_without_channels_or_hyperparameters(ran: Ran) -> None:
    lines = ran.said("Bare")[0].splitlines()
    assert sorted(line.partition(":")[0] for line in lines[:-1]) == [
        f"{CONFIG}/{name}config.json" if name != "hyperparameters" else f"{CONFIG}/hyperparameters.json"
        for name in ("hyperparameters", "inputdata", "resource")
    ]
    assert f"{CONFIG}/inputdataconfig.json:{{}}" in lines
    assert f"{CONFIG}/hyperparameters.json:{{}}" in lines


def test_no_other_configuration_files_are_there(ran: Ran) -> None:
    found = [path for path in ran.seen("Looks")["files"] if path.startswith(f"{CONFIG}/")]
    assert found == [f"{CONFIG}/{name}.json" for name in ("hyperparameters", "inputdataconfig", "resourceconfig")]


def test_checkpoints_are_there_and_go_back(bench: Bench) -> None:
    bench.put("s3://bucket/checkpoints/1", "first")
    bench.put("s3://bucket/checkpoints/old", "old")
    ran = bench.run(
        training(
            "Checkpoints",
            *("write", "/opt/ml/checkpoints/2", "second", "remove", "/opt/ml/checkpoints/old", "exit", "1"),
            CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"},
        ),
    )
    assert ran.seen("Checkpoints")["files"]["/opt/ml/checkpoints/1"] == "first"
    assert ran.objects("s3://bucket/checkpoints/") == {"1": b"first", "2": b"second"}
    assert ran.config("Checkpoints", f"{CONFIG}/checkpointconfig.json") == {
        "LocalPath": "/opt/ml/checkpoints",
        "S3Uri": "s3://bucket/checkpoints",
    }


def test_instance_groups_have_their_hosts_and_channels(bench: Bench) -> None:
    bench.put("s3://bucket/data/train/x", "content of data/train/x")
    groups = [{"InstanceGroupName": name, "InstanceType": "ml.m5.large", "InstanceCount": 1} for name in ("one", "two")]
    channels = [a_channel("only", "s3://bucket/data/train", {"InstanceGroupNames": ["two"]})]
    step = training("Groups", channels=channels, cluster={"InstanceGroups": groups, "VolumeSizeInGB": 30})
    ran = bench.run(step)
    configs = [json.loads(ran.seen("Groups", host)["files"][f"{CONFIG}/resourceconfig.json"]) for host in (0, 1)]
    assert [config["current_group_name"] for config in configs] == ["one", "two"]
    assert [f"{DATA}/only/x" in ran.seen("Groups", host)["files"] for host in (0, 1)] == [False, True]


# Variables


def test_the_names_of_the_job_and_the_region_are_variables(ran: Ran) -> None:
    seen, properties = ran.seen("Looks")["environment"], ran.properties("Looks")
    assert (seen["TRAINING_JOB_NAME"], seen["TRAINING_JOB_ARN"]) == (
        properties["TrainingJobName"],
        properties["TrainingJobArn"],
    )
    assert (seen["AWS_REGION"], seen["AWS_DEFAULT_REGION"]) == ("us-east-1", "us-east-1")


def test_metrics_directory_interface_and_gpus_are_variables(ran: Ran) -> None:
    seen = ran.seen("Looks")["environment"]
    assert seen["SAGEMAKER_METRICS_DIRECTORY"] == f"{OUTPUT}/metrics/sagemaker"
    assert (seen["DMLC_INTERFACE"], seen["NVIDIA_VISIBLE_DEVICES"]) == ("eth0", "void")


def test_a_gpu_job_is_not_told_that_there_is_none(ran: Ran) -> None:
    assert ran.seen("OnAGpu")["environment"].get("NVIDIA_VISIBLE_DEVICES") != "void"


def test_variables_of_the_request_come_unchanged(ran: Ran) -> None:
    seen = ran.seen("Looks")["environment"]
    assert {name: seen[name] for name in ENVIRONMENT} == ENVIRONMENT


def test_there_are_no_variables_of_the_toolkit(ran: Ran) -> None:
    assert [name for name in ran.seen("Looks")["environment"] if name.startswith("SM_")] == []


def test_credentials_are_static_and_lead_to_the_local_s3(ran: Ran) -> None:
    seen = ran.seen("Looks")["environment"]
    assert seen["AWS_ENDPOINT_URL"] == seen["S3_ENDPOINT_URL"]
    assert seen["AWS_EXECUTION_ENV"] == "AWS_ECS_EC2"
    assert not {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4"} & set(seen)
    assert "\nconnected\n" in ran.said("Looks")[0]


def test_an_isolated_job_has_no_network_and_no_credentials(ran: Ran) -> None:
    assert ran.said("Isolated")[0].startswith("not connected")
    assert [name for name in ran.seen("Isolated")["environment"] if "KEY" in name or "CREDENTIALS" in name] == []


# How it ends


def test_a_job_that_exits_with_zero_is_completed(ran: Ran) -> None:
    assert status(ran, "Bare") == ("Completed", "Completed")


def test_a_job_that_fails_tells_its_failure_file_and_exit_code(ran: Ran) -> None:
    reason = ran.properties("Fails")["FailureReason"]
    assert status(ran, "Fails") == ("Failed", "Failed")
    assert reason.startswith("AlgorithmError: why why ")
    assert reason.endswith(", exit code: 4")
    assert len(reason) == 1024


def test_a_job_that_fails_without_a_file_tells_its_exit_code(ran: Ran) -> None:
    assert ran.properties("FailsSilently")["FailureReason"] == "AlgorithmError: , exit code: 1"


def test_a_failed_job_publishes_its_output_and_no_model(ran: Ran) -> None:
    directory = model_of(ran, "Fails").rpartition("/")[0]
    assert list(ran.objects(f"{directory}/")) == ["output.tar.gz"]
    assert ran.archive(f"{directory}/output.tar.gz") == {"partial": b"p"}


def test_a_channel_without_objects_fails_the_job(ran: Ran) -> None:
    assert ran.status("NoObjects") == "Failed"
    assert ran.reason("NoObjects").startswith("ClientError: ")
    assert "s3://bucket-of-another/gone" in ran.reason("NoObjects")


def test_a_job_beyond_its_time_publishes_its_model_and_its_step_fails(ran: Ran) -> None:
    assert status(ran, "TimesOut") == ("Stopped", "MaxRuntimeExceeded")
    assert ran.archive(model_of(ran, "TimesOut")) == {"weights": b"w"}
    assert ran.status("TimesOut") == "Failed"
    assert "MaxRuntimeInSeconds (3)" in ran.reason("TimesOut")


def test_a_job_that_is_told_to_stop_gets_sigterm_and_publishes_its_model(bench: Bench) -> None:
    with bench.answering(bench.stop_the_last) as call:
        ran = bench.run(training("Waits", "write", f"{MODEL}/weights", "w", *call, "wait"))
    assert status(ran, "Waits") == ("Stopped", "Stopped")
    assert ran.archive(model_of(ran, "Waits")) == {"weights": b"w"}


def test_status_transitions_tell_what_was_done(ran: Ran) -> None:
    rows = ran.properties("Looks")["SecondaryStatusTransitions"]
    assert [row["Status"] for row in rows if row["Status"] != "DownloadingTrainingImage"] == [
        *("Starting", "Downloading", "Training", "Uploading", "Completed")
    ]
    assert rows[-1]["StatusMessage"] == "Training job completed"


def test_times_are_told(ran: Ran) -> None:
    described = ran.properties("Looks")
    assert described["TrainingStartTime"] <= described["TrainingEndTime"]
    assert described["TrainingTimeInSeconds"] == described["BillableTimeInSeconds"] >= 1


# Artifacts


def test_the_model_is_an_archive_of_the_directorys_contents(ran: Ran) -> None:
    job = ran.properties("Looks")["TrainingJobName"]
    assert model_of(ran, "Looks") == f"s3://bucket/models/Looks/{job}/output/model.tar.gz"
    assert ran.archive(model_of(ran, "Looks")) == {"weights": b"w", "sub/more": b"m"}


def test_output_data_is_an_archive_of_the_directorys_contents(ran: Ran) -> None:
    assert ran.archive(model_of(ran, "Looks").replace("model.tar", "output.tar")) == {"report": b"r"}


def test_an_empty_model_is_an_archive_too(ran: Ran) -> None:
    assert ran.archive(model_of(ran, "Bare")) == {}
    assert model_of(ran, "Bare").startswith("s3://bucket/models/bare/pipelines-")


def test_an_uncompressed_model_is_a_prefix(bench: Bench) -> None:
    step = training(
        "Uncompressed",
        *("write", f"{MODEL}/sub/weights", "w"),
        OutputDataConfig={"S3OutputPath": "s3://bucket/models", "CompressionType": "NONE"},
    )
    ran = bench.run(step)
    prefix = model_of(ran, "Uncompressed").rstrip("/")
    assert prefix.endswith("/output/model")
    assert ran.objects(f"{prefix}/") == {"sub/weights": b"w"}


# Metrics


def test_the_last_value_of_each_metric_is_told(ran: Ran) -> None:
    found = {metric["MetricName"]: metric["Value"] for metric in ran.properties("Looks")["FinalMetricDataList"]}
    assert found == {"loss": 0.25, "accuracy": 0.75, "tabbed": 3.5, "raw": 3.5}


# Several hosts and the rest


def test_hosts_reach_one_another_and_their_artifacts_are_merged(bench: Bench) -> None:
    ran = bench.run(
        training(
            "Hosts",
            *("on", "algo-1", "serve", "5000", "on", "algo-2", "reach", "algo-1", "5000"),
            *("on", "algo-1", "write", f"{MODEL}/a", "1", "on", "algo-2", "write", f"{MODEL}/b", "2"),
            *("on", "algo-1", "write", f"{OUTPUT}/data/a", "1", "on", "algo-2", "write", f"{OUTPUT}/data/b", "2"),
            cluster=TWO_HOSTS,
        ),
    )
    assert ran.said("Hosts") == ["", "reached algo-1\n"]
    assert [ran.seen("Hosts", host)["host"] for host in (0, 1)] == ["algo-1", "algo-2"]
    assert ran.archive(model_of(ran, "Hosts")) == {"a": b"1", "b": b"2"}
    assert ran.archive(model_of(ran, "Hosts").replace("model.tar", "output.tar")) == {"a": b"1", "b": b"2"}


def test_the_failure_of_one_host_ends_the_others(bench: Bench) -> None:
    step = training(
        "OneFails",
        *("on", "algo-1", "serve", "23456", "on", "algo-2", "reach", "algo-1", "23456"),
        *("on", "algo-2", "write", f"{OUTPUT}/failure", "mine", "on", "algo-2", "exit", "3", "on", "algo-1", "wait"),
        cluster=TWO_HOSTS,
    )
    ran = bench.run(step)
    assert ran.properties("OneFails")["FailureReason"] == "AlgorithmError: mine, exit code: 3"
    first, _ = ran.said("OneFails")
    assert first.endswith("told to end\n")


def test_shared_memory_is_generous(ran: Ran) -> None:
    assert ran.seen("Looks")["shared_memory"] > 1 << 30


def test_a_warm_pool_may_be_asked_for(ran: Ran) -> None:
    assert status(ran, "KeptWarm") == ("Completed", "Completed")
    directory = ran.seen("KeptWarm")["environment"]["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"]
    assert directory in ran.seen("KeptWarm")["writable"]
    assert "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY" not in ran.seen("Looks")["environment"]
    assert ran.properties("KeptWarm")["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 60


def test_a_spot_job_runs_as_any_other(ran: Ran) -> None:
    described = ran.properties("Spot")
    assert status(ran, "Spot") == ("Completed", "Completed")
    assert described["EnableManagedSpotTraining"]
    assert described["BillableTimeInSeconds"] == described["TrainingTimeInSeconds"]
    assert described["RetryStrategy"] == {"MaximumRetryAttempts": 3}


def test_debugging_and_profiling_are_echoed_and_do_nothing(ran: Ran) -> None:
    described = ran.properties("Looks")
    assert {name: described[name] for name in DEBUGGING} == DEBUGGING
    assert described["ProfilingStatus"] == "Enabled"
    assert described["DebugRuleEvaluationStatuses"] == described["ProfilerRuleEvaluationStatuses"] == []
