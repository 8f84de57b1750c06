"""What the author's script failed of, as values: his traceback without our frames, and what is known of the cause."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .local_mode import LocalContainerRefused
from .redirect import REFUSED_HEADER, loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from traceback import FrameSummary, TracebackException

OUR_FOLDER = str(Path(__file__).parent)
ARGUMENT_PARSERS = frozenset({"argparse.py", "optparse.py"})
"""They call into the author's code only to have it end the program."""

COMMAND_FRAMEWORKS = frozenset({("click", "core.py"), ("typer", "core.py")})
"""They run the author's code, and end the program themselves with USAGE_STATUS if its arguments are wrong."""

USAGE_STATUS = 2


def failure(error: BaseException) -> Mapping[str, Any]:
    """The result for an error of the author's code.

    `traceback`: as text, without our frames; `own_frames`: only the author's. `missing_module`: its name, if that is the
    error. `wants_arguments`: the arguments of its command line are wrong. `refused`: what it asked for and is not served,
    as a rule a `<service>:<Operation>`. `sdk`: the version of the SDK. `sdk_import_failed`: it is there and cannot be
    imported. `sdk_hidden_by`: the author's own module or package that is found in its place. Each may be None or False.
    """
    shown = _without_our_frames(traceback.TracebackException.from_exception(error))
    own = [frame for frame in shown.stack if _is_authors(frame.filename)]
    return {
        "outcome": "failed",
        "traceback": "".join(shown.format()),
        "own_frames": "".join(traceback.StackSummary.from_list(own).format()),
        "last_line": last_line(error),
        "missing_module": error.name if isinstance(error, ModuleNotFoundError) else None,
        "wants_arguments": _wants_arguments(error, own),
        "refused": _refused(error),
        "sdk": _sdk_version(),
        "sdk_import_failed": _is_import_of_sdk(error, shown.stack),
        "sdk_hidden_by": _sdk_hidden_by(),
    }


def last_line(error: BaseException) -> str:
    """`ValueError: no such table`."""
    return traceback.format_exception_only(type(error), error)[-1].strip()


def _is_import_of_sdk(error: BaseException, frames: Sequence[FrameSummary]) -> bool:
    """Whether the error came up within the SDK by an import: an ImportError, or one of a module that was being loaded.

    A package of another version than the SDK was made for shows itself as either.
    """
    if not frames or "sagemaker" not in Path(frames[-1].filename).parts or _is_authors(frames[-1].filename):
        return False
    beyond = takewhile(lambda frame: not _is_authors(frame.filename), reversed(frames))
    is_loading = any(frame.name == "<module>" for frame in beyond)
    return isinstance(error, ImportError) or (isinstance(error, AttributeError) and is_loading)


def _wants_arguments(error: BaseException, own: list[FrameSummary]) -> bool:
    if isinstance(error, SystemExit):
        passed = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        by_framework = bool(passed) and passed[-1].parts[-2:] in COMMAND_FRAMEWORKS and error.code == USAGE_STATUS
        return by_framework or any(file.name in ARGUMENT_PARSERS for file in passed)
    return isinstance(error, IndexError) and bool(own) and "sys.argv" in (own[-1].line or "")


def _refused(error: BaseException) -> str | None:
    for link in _chain(error):
        if isinstance(link, LocalContainerRefused):
            return link.refused
        call = _refused_call(link)
        if call:
            return call
    return None


def _refused_call(error: BaseException) -> str | None:
    client_error = loaded("botocore.exceptions", "ClientError")
    if client_error is None or not isinstance(error, client_error):
        return None
    response: Any = getattr(error, "response", {})
    refused: str | None = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(REFUSED_HEADER)
    return refused


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came of, as a traceback shows them."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _sdk_version() -> str | None:
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        return None
    try:
        return metadata.version("sagemaker")
    except metadata.PackageNotFoundError:
        return None


def _sdk_hidden_by() -> str | None:
    module = sys.modules.get("sagemaker")
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    place = next((str(place) for place in places if place), None)
    return place if place and _sdk_version() and _is_authors(place) and not _is_of_the_sdk(place) else None


def _is_of_the_sdk(place: str) -> bool:
    """An editable install or a checkout on PYTHONPATH is the SDK too."""
    return (Path(place).parent / "workflow").is_dir()


def _is_authors(file: str) -> bool:
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if file.startswith(("<frozen", OUR_FOLDER)) or {"site-packages", "dist-packages"} & set(Path(file).parts):
        return False
    return not any(file.startswith(str(Path(folder)) + "/") for folder in installed if folder)


def _without_our_frames(shown: TracebackException) -> TracebackException:
    kept = [frame for frame in shown.stack if not frame.filename.startswith((OUR_FOLDER, "<frozen importlib"))]
    shown.stack = traceback.StackSummary.from_list(kept)
    for chained in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        if chained is not None:
            _without_our_frames(chained)
    return shown
