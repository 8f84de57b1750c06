"""PURE: the command line of `smspark-submit`. Options stand before the application; what follows it is the application's."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from localpipe_spark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Options:
    """What was asked for; empty text where an option was not given.

    `jars`, `py_files` and `files` are lists with commas, of files, directories and S3 URIs. `event_logs_dir`: where the
    events of the application go.
    """

    app: str
    app_arguments: tuple[str, ...] = ()
    main_class: str = ""
    jars: str = ""
    py_files: str = ""
    files: str = ""
    event_logs_dir: str = ""
    verbose: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}.\n{self.format_usage().strip()}")


def parse(arguments: Sequence[str]) -> Options:
    """Raises UserError for an option that is not there: Spark is configured by the processor's `configuration`."""
    parser = _Parser(prog="smspark-submit", allow_abbrev=False, add_help=False)
    parser.add_argument("--class", dest="main_class", default="")
    for name in ("jars", "py-files", "files"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--local-spark-event-logs-dir", dest="event_logs_dir", default="")
    parser.add_argument("--spark-event-logs-s3-uri", dest="event_logs_uri", default="")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("app")
    parser.add_argument("app_arguments", nargs=argparse.REMAINDER)
    given = vars(parser.parse_args(arguments))
    if given.pop("event_logs_uri"):
        raise UserError(
            "--spark-event-logs-s3-uri is not supported: have the directory of --local-spark-event-logs-dir uploaded by an"
            " output, as the SDK does for `spark_event_logs_s3_uri`."
        )
    return Options(**{**given, "app_arguments": tuple(given["app_arguments"])})
