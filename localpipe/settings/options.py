"""The settings with one value each: their names, their defaults, and what may be given for them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ENVIRONMENT_PREFIX = "LOCALPIPE_"
JOB_COMMAND = "LOCALPIPE_COMMAND"
"""No setting: what `localpipe shell` exports, the command that the step itself runs."""
INTERPRETERS = ("python", "unknown_image_python")
"""The options that name a Python."""
RUNNER_CHOICES = ("auto", "docker", "process", "sandbox")
CACHE_CHOICES = ("service", "content", "off")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be text")  # noqa: TRY004 - told with its origin by whoever reads the layers
    return value


def _path(value: object) -> Path:
    """A `~` is the user's home."""
    return (value if isinstance(value, Path) else Path(_text(value))).expanduser()


def count(value: object) -> int:
    """A whole number of at least 1, given as one or as its digits. Raises ValueError for anything else."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("it must be a whole number of at least 1")
    return int(text)


def _seconds(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError("it must be a number of seconds, such as 120")
    return number


def _runner(value: object) -> str:
    return _one_of(value, RUNNER_CHOICES)


def _cache(value: object) -> str:
    return _one_of(value, CACHE_CHOICES)


def _one_of(value: object, choices: Sequence[str]) -> str:
    if value not in choices:
        raise ValueError(f"it must be {', '.join(choices[:-1])} or {choices[-1]}")
    return str(value)


def _region(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", text):
        raise ValueError("it must be a region such as us-east-1")
    return text


def _account(value: object) -> str:
    text = str(value)
    if not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError("it must be 12 digits")
    return text


def _flag(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    text = str(value).lower()
    if text not in words:
        raise ValueError("it must be true or false")
    return words[text]


@dataclass(frozen=True)
class Option:
    """One key of `localpipe.toml`; `LOCALPIPE_<NAME>` in the environment. `meaning` is what the reference page says."""

    name: str
    parse: Callable[[object], Any]
    default: object
    meaning: str


OPTIONS: tuple[Option, ...] = (
    Option("home", _path, None, "Where executions, the local S3 and the registry are kept"),
    Option("runner", _runner, "auto", "auto, docker, process or sandbox; auto takes Docker where an engine answers"),
    Option("region", _region, "us-east-1", "The region that ARNs and containers show"),
    Option("account", _account, "111122223333", "The account that ARNs and containers show"),
    Option("role", _text, "localpipe", "The execution role's name where the pipeline gives none"),
    Option(
        "cache",
        _cache,
        "service",
        "service: steps with CacheConfig are answered from earlier results by their arguments, as on the service; content: "
        "every step that can be, by the contents of its inputs, code and image; off: every step is done",
    ),
    Option("max_parallel", count, None, "MaxParallelExecutionSteps where the run gives none; unset: unlimited"),
    Option("max_trials", count, None, "The most training jobs of a tuning job; unset: as many as it asks for"),
    Option("stop_grace_seconds", _seconds, 120.0, "Seconds between SIGTERM and SIGKILL, as on the service"),
    Option("python", _text, None, "The Python that runs the author's script; unset: of the active environment"),
    Option(
        "unknown_image_python",
        _text,
        None,
        "The Python, with its virtual environment, that the process runner has serve images without a stand-in; "
        "unset: they are refused",
    ),
    Option("xgboost_exact", _flag, False, "Use the XGBoost version of the tag (200 MB) instead of the small stand-in"),
)
