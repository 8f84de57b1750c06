"""What `spark-submit` is to run, in local mode, every directory of an option spelled out as its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localpipe_spark.errors import UserError

if TYPE_CHECKING:
    from localpipe_spark.options import Options

_DRIVER_MEMORY = "2g"  # AWS's for the driver, which in local mode is all there is


_S3 = {
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    "spark.hadoop.fs.s3a.path.style.access": "true",
}


def default_properties(options: Options, s3_endpoint: str) -> dict[str, str]:
    """Spark's properties where the author sets none. Nobody could reach the user interface in a job.

    `s3_endpoint`: URL of the S3 that the job reaches, empty where the network is isolated.
    """
    properties = {"spark.driver.memory": _DRIVER_MEMORY, "spark.ui.enabled": "false"}
    if s3_endpoint:
        properties |= {**_S3, "spark.hadoop.fs.s3a.endpoint": s3_endpoint}
    if options.event_logs_dir:
        properties |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": Path(options.event_logs_dir).as_uri()}
    return properties


def command(options: Options) -> tuple[str, ...]:
    """The arguments of `spark-submit`. Raises UserError for a path that is not absolute or holds no file."""
    wanted = {
        "--class": options.main_class,
        "--jars": expanded(options.jars),
        "--py-files": expanded(options.py_files),
        "--files": expanded(options.files),
    }
    given = [part for name, value in wanted.items() if value for part in (name, value)]
    verbose = ["--verbose"] if options.verbose else []
    return ("--master", "local[*]", *given, *verbose, options.app, *options.app_arguments)


def expanded(paths: str) -> str:
    """A list with commas in which the files of a directory stand for it. Raises UserError."""
    return ",".join(file for path in paths.split(",") if path for file in _files(path))


def _files(path: str) -> list[str]:
    if path.startswith(("s3://", "s3a://")):
        return [path]
    place = Path(path.removeprefix("file://"))
    if not place.is_absolute():
        raise UserError(f"The path {path!r} must be absolute.")
    found = sorted(map(str, filter(Path.is_file, place.iterdir()))) if place.is_dir() else [str(place)] * place.is_file()
    if not found:
        raise UserError(f"There is no file at {place}.")
    return found
