"""The author's own code that runs outside of any container: Lambda functions, commands that serve a queue."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core import JSON

DEFAULT_TIMEOUT_SECONDS = 120
LONGEST_TIMEOUT_SECONDS = 600
"""The limits of a Lambda step. Follows: service.md section 11.1."""

DEFAULT_MEMORY_MB = 128
FUNCTION_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
"""The name of a function. Follows: AWS Lambda API Reference, CreateFunction."""

FUNCTION_ARN = "arn:aws:lambda:REGION:ACCOUNT:function:NAME"
_REFERENCE = re.compile(
    r"(?:(?:(?:arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:)?(?P<account>[0-9]{12}:))?(?P<kind>function:))?"
    rf"(?!arn:)(?P<name>{FUNCTION_NAME.pattern})(?::(?:\$LATEST|[a-zA-Z0-9-_]+))?"
)
"""A function's name, ARN or partial ARN. Follows: AWS Lambda API Reference, Invoke, FunctionName."""

_SETTINGS = ("handler", "timeout", "environment")


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function whose code lies on this machine.

    `handler`: `<module>.<function>` as Lambda names it, where the module is found in `directory`. `file`: the one that the
    settings name, None where they name a module or the script made the function. `python` None: the author's.
    """

    handler: str
    directory: Path
    file: Path | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_mb: int = DEFAULT_MEMORY_MB
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path | None = None

    def to_json(self) -> JSON:
        """All of it, as the journal keeps it."""
        return {
            "handler": self.handler,
            "directory": str(self.directory),
            "file": str(self.file) if self.file else None,
            "timeout_seconds": self.timeout_seconds,
            "memory_mb": self.memory_mb,
            "environment": dict(self.environment),
            "python": str(self.python) if self.python else None,
        }

    @classmethod
    def from_json(cls, document: JSON) -> Function:
        """What `to_json` gave."""
        places = {name: document[name] and Path(document[name]) for name in ("directory", "file", "python")}
        return cls(**{**document, **places})


@dataclass(frozen=True, kw_only=True)
class CapturedFunction:
    """A Lambda function as a script made it while its pipeline was compiled.

    `archive`: the zip file of its code. `handler`, `runtime`: empty where the script told its code alone. `image`: the
    container image that it is made of instead, else empty. `layers`: how many it has.
    """

    name: str
    archive: bytes = field(default=b"", repr=False)
    handler: str = ""
    runtime: str = ""
    image: str = ""
    layers: int = 0
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_mb: int = DEFAULT_MEMORY_MB
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QueueCommand:
    """What is done with a message that arrives in a queue: `line` is run by a shell in `directory`."""

    line: str
    directory: Path


class FunctionEnd(str, Enum):
    """How a call of a function ended.

    RAISED: by an exception, or its code could not be loaded. EXITED: its process ended without an answer. REFUSED: it could
    not be started. STOPPED: it was told to end, or not to begin.
    """

    RETURNED = "Returned"
    RAISED = "Raised"
    EXITED = "Exited"
    TIMED_OUT = "TimedOut"
    REFUSED = "Refused"
    STOPPED = "Stopped"


@dataclass(frozen=True, kw_only=True)
class FunctionExit:
    """What is left of a call. `text`: the answer as JSON text if it RETURNED, else what is known of the reason."""

    end: FunctionEnd
    text: str = ""


def names_function(text: str) -> bool:
    """Whether a text can name a function: its name, its ARN or a part of that, with or without a version or alias."""
    return bool(_REFERENCE.fullmatch(text))


def function_name(reference: str) -> str:
    """The name of a function that is named by itself, its ARN or a part of that, with or without a version or alias."""
    found = _REFERENCE.fullmatch(reference)
    return found["name"] if found else reference


def names_from_nearest(reference: str) -> tuple[str, ...]:
    """All that a function is named by if it is named by this: with its version or alias, then without, of each the longest
    first, the last one its plain name.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return (reference,)
    starts = sorted({0, *(found.start(part) for part in ("account", "kind", "name") if found[part])})
    names = (reference[start:end] for end in (None, found.end("name")) for start in starts)
    return tuple(dict.fromkeys(names))


def function_from_settings(value: JSON, beside: Callable[[str], Path]) -> Function:
    """What an entry of `[lambda]` names: `"handlers/notify.py:handler"` or `"package.module:handler"`, alone or in a table.

    `beside`: the place of a path or a module that is written there; a module in a folder is
    `"folder/package.module:handler"`. Raises ValueError, with the reason.
    """
    table = value if isinstance(value, dict) else {"handler": value}
    for key in table:
        if key not in _SETTINGS:
            raise ValueError(f"{key!r} is not known; known are {', '.join(_SETTINGS)}")
    place, function = _place(table.get("handler"))
    timeout, environment = table.get("timeout", DEFAULT_TIMEOUT_SECONDS), table.get("environment", {})
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_TIMEOUT_SECONDS:
        raise ValueError(f"timeout = {timeout!r} must be a number of seconds up to {LONGEST_TIMEOUT_SECONDS}")
    if not isinstance(environment, dict) or not all(isinstance(text, str) for text in environment.values()):
        raise ValueError("environment must be a table of texts")
    path = beside(place)
    is_file = place.endswith(".py")
    return Function(
        handler=f"{path.stem if is_file else path.name}.{function}",
        directory=path.parent,
        file=path if is_file else None,
        timeout_seconds=timeout,
        environment=environment,
    )


def _place(text: JSON) -> tuple[str, str]:
    """The file or module, and the function in it."""
    place, _, function = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not (place and function.isidentifier()):
        raise ValueError('it must be "handlers/notify.py:handler" or "package.module:handler"')
    return place, function
