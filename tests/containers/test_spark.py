"""The Spark stand-in: what `smspark-submit` makes of its options and configuration, and a PySparkProcessor end to end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from localpipe_spark import configuration, options, submission
from localpipe_spark.errors import UserError
from localpipe_spark.options import Options

from localpipe.core.names import S3Uri
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

APP = "/opt/ml/processing/input/code/app.py"
SPARK = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.3-cpu-py39-v1.0"
RUNNERS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("sandbox", marks=[pytest.mark.docker, pytest.mark.sandbox]),
    pytest.param("process", marks=pytest.mark.sandbox),
]


def test_options_stand_before_the_application_and_arguments_after_it() -> None:
    arguments = ["--local-spark-event-logs-dir", "/events/", "--py-files", "/a.py", APP, "--jars", "x", "-v"]
    assert options.parse(arguments) == Options(
        app=APP, app_arguments=("--jars", "x", "-v"), py_files="/a.py", event_logs_dir="/events/"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: app"),
        (["--conf", "spark.a=b", APP], "unrecognized arguments: --conf"),
        (["--spark-event-logs-s3-uri", "s3://b/e", APP], "--spark-event-logs-s3-uri is not supported"),
    ],
)
def test_what_smspark_submit_does_not_take_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        options.parse(arguments)


def test_a_directory_of_dependencies_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("b.jar", "a.jar"):
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    wanted = Options(app="app.jar", app_arguments=("1", "two words"), main_class="org.Main", jars=f"s3://b/x.jar,{tmp_path}")
    assert submission.command(wanted) == (
        *("--master", "local[*]", "--class", "org.Main"),
        *("--jars", f"s3://b/x.jar,{tmp_path}/a.jar,{tmp_path}/b.jar"),
        *("app.jar", "1", "two words"),
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [("helper.py", "The path 'helper.py' must be absolute."), ("/no/such", "There is no file at /no/such.")],
)
def test_a_dependency_that_is_not_there_is_said(path: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        submission.command(Options(app=APP, files=path))


def test_the_events_go_where_they_are_wanted() -> None:
    properties = submission.default_properties(Options(app=APP, event_logs_dir="/opt/ml/processing/spark-events/"), "")
    assert properties["spark.eventLog.enabled"] == "true"
    assert properties["spark.eventLog.dir"] == "file:///opt/ml/processing/spark-events"
    assert "spark.eventLog.enabled" not in submission.default_properties(Options(app=APP), "")


def test_spark_is_led_to_the_jobs_s3_where_there_is_one() -> None:
    properties = submission.default_properties(Options(app=APP), "http://172.17.0.1:9000")
    assert properties["spark.hadoop.fs.s3a.endpoint"] == "http://172.17.0.1:9000"
    assert not [name for name in submission.default_properties(Options(app=APP), "") if "s3" in name]


def test_classifications_become_the_files_of_sparks_configuration() -> None:
    given = [
        {"Classification": "spark-defaults", "Properties": {"spark.driver.memory": "1g", "spark.a": 1}},
        {"Classification": "core-site", "Properties": {"a&b": "<"}},
        {
            "Classification": "spark-env",
            "Properties": {},
            "Configurations": [{"Classification": "export", "Properties": {"PLACE": "/x"}}],
        },
        {"Classification": "yarn-site", "Properties": {"yarn.a": "b"}},
    ]
    assert configuration.files(given, {"spark.driver.memory": "2g"}) == {
        "spark-defaults.conf": "spark.driver.memory 1g\nspark.a 1\n",
        "core-site.xml": (
            "<configuration>\n  <property><name>a&amp;b</name><value>&lt;</value></property>\n</configuration>\n"
        ),
        "spark-env.sh": "export PLACE=/x\n",
    }
    assert configuration.without_effect(given) == ("yarn-site",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"Classification": "spark-default"},
            "'spark-default' is no Classification of the Spark image. Did you mean spark-defaults?",
        ),
        (
            {"Classification": "spark-env", "Properties": {"A": "b"}},
            "spark-env needs Configurations of the Classification `export`.",
        ),
    ],
)
def test_a_configuration_that_the_image_would_refuse_is_refused(given: JSON, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        configuration.files([given], {})


def test_a_configuration_may_be_one_classification_or_a_list_and_nothing_else() -> None:
    one = {"Classification": "core-site", "Properties": {}}
    assert configuration.classifications_of(one) == configuration.classifications_of([one]) == (one,)
    with pytest.raises(UserError, match="it must be a list of objects"):
        configuration.classifications_of("core-site")


PIPELINE = f"""
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.spark.processing import PySparkProcessor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

session = PipelineSession()
processor = PySparkProcessor(
    framework_version="3.3", role="arn:aws:iam::111122223333:role/R", instance_count=2, instance_type="ml.m5.xlarge",
    image_uri="{SPARK}", sagemaker_session=session,
)
arguments = processor.run(
    submit_app="app.py", submit_py_files=["helper.py"], submit_files=["limit.txt"], arguments=["--column", "kind"],
    inputs=[ProcessingInput("s3://bucket/raw", "/opt/ml/processing/input/raw", input_name="raw")],
    outputs=[
        ProcessingOutput(output_name="counts", source="/opt/ml/processing/output/counts", destination="s3://bucket/counts")
    ],
    configuration=[{{"Classification": "spark-defaults", "Properties": {{"spark.sql.shuffle.partitions": "1"}}}}],
    spark_event_logs_s3_uri="s3://bucket/events",
)
pipeline = Pipeline("spark", steps=[ProcessingStep("Count", step_args=arguments)], sagemaker_session=session)
"""
APPLICATION = """
import argparse
from pyspark import SparkFiles
from pyspark.sql import SparkSession
from helper import at_least

parser = argparse.ArgumentParser()
parser.add_argument("--column")
given = parser.parse_args()
spark = SparkSession.builder.appName("count").getOrCreate()
limit = int(open(SparkFiles.get("limit.txt")).read())
table = spark.read.csv("file:///opt/ml/processing/input/raw", header=True).unionByName(
    spark.read.csv("s3a://bucket/more", header=True)
)
counts = at_least(table, limit).groupBy(given.column).count().orderBy(given.column)
counts.write.mode("overwrite").parquet("file:///opt/ml/processing/output/counts/table")
counts.write.csv("s3://bucket/direct")
rows, partitions = [tuple(row) for row in counts.collect()], spark.conf.get("spark.sql.shuffle.partitions")
print(f"COUNTS {rows} {partitions}", flush=True)  # at once: Spark's own lines may come between two writes
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_pyspark_processor_counts_what_it_is_given(runner: str, tmp_path: Path) -> None:
    python = os.environ.get("LOCALPIPE_TEST_SDK_V2")
    if not python:
        pytest.skip("LOCALPIPE_TEST_SDK_V2 names no Python with that SDK")
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "app.py").write_text(APPLICATION)
    (tmp_path / "helper.py").write_text("def at_least(table, limit):\n    return table.where(table.size >= limit)\n")
    (tmp_path / "limit.txt").write_text("2")
    home = Home(load_settings({"home": tmp_path / "home", "runner": runner}, {}, tmp_path))
    if home.runner(runner).image(SPARK).local is None:
        pytest.skip(home.runner(runner).image(SPARK).reason)
    home.store.put(S3Uri("bucket", "raw/a.csv"), b"kind,size\nbig,3\nsmall,1\n")
    home.store.put(S3Uri("bucket", "raw/b.csv"), b"kind,size\nbig,4\nmiddle,2\n")
    home.store.put(S3Uri("bucket", "more/c.csv"), b"kind,size\nbig,5\n")
    home.close()
    options = ["--python", python, "--runner", runner, "--json", "--home", str(tmp_path / "home")]
    command = [sys.executable, "-m", "localpipe", "run", "pipeline.py", *options]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (step,) = json.loads(ended.stdout)["Steps"]
    first, second = (Path(file).read_text() for file in step["LogFiles"])
    assert "COUNTS [('big', 3), ('middle', 1)] 1" in first
    assert second == "smspark-submit: algo-1 runs the application alone, in local mode; this host has nothing to do.\n"
    counts = [info.uri.key for info in home.store.list(S3Uri("bucket", "counts/"))]
    assert [key for key in counts if key.endswith(".parquet")]
    direct = [info.path.read_text() for info in home.store.list(S3Uri("bucket", "direct/part-"))]
    assert "".join(direct) == "big,3\nmiddle,1\n"
    logs = home.store.list(S3Uri("bucket", "events/"))
    (events,) = (info for info in logs if not info.uri.key.endswith(".inprogress"))
    assert '"Event":"SparkListenerApplicationEnd"' in events.path.read_text()
