"""The logs of a step's hosts as one text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import BinaryIO

_CHUNK_BYTES = 1 << 16
_OWN_JOBS = "jobs"
_NUMBERED = "algo-"
"""How the hosts of training jobs are called: every job has the same."""


def print_new(
    log_files: Sequence[str], printed: MutableMapping[str, int], out: BinaryIO, *, ended: bool, named: bool = False
) -> None:
    """Print what each log has beyond what was printed of it; `printed` is kept up to date: bytes by log file.

    An only log is printed as it is. Of several, each line begins with its host, or with the number of its job where the step
    has jobs of its own, and a line without its end is printed when the step has `ended`. `named`: so it is with an only log,
    since there may be others later.
    """
    for log_file in log_files:
        path = Path(log_file)
        if path.exists():
            with path.open("rb") as stream:
                stream.seek(printed.get(log_file, 0))
                if len(log_files) == 1 and not named:
                    _copy(stream, out)
                else:
                    _copy_lines(stream, f"{name_of_log(log_file)} | ".encode(), out, ended=ended)
                printed[log_file] = stream.tell()
    out.flush()


def name_of_log(log_file: str) -> str:
    """The host that wrote a log, `algo-1`, `container-2` of a model; of a numbered job of the attempt its number, `003`.

    Where such a job has several hosts, all but the first have theirs, too.

    Follows the place of a log in the attempt's directory: `logs/<host>.log`, of its own jobs below `jobs/<number>`.
    """
    *_, above, job, _, file = ("", "", "", *Path(log_file).parts)
    host = Path(file).stem
    if above != _OWN_JOBS or not host.startswith(_NUMBERED):
        return host
    return job if host == "algo-1" else f"{job} {host}"


def whole_text(log_files: Sequence[str]) -> str:
    """All that the logs of a step that has ended hold, as `print_new` prints it; bytes that are no UTF-8 are replaced."""
    out = io.BytesIO()
    print_new(log_files, {}, out, ended=True)
    return out.getvalue().decode(errors="replace")


def _copy(log: BinaryIO, out: BinaryIO) -> None:
    while chunk := log.read(_CHUNK_BYTES):
        out.write(chunk)


def _copy_lines(log: BinaryIO, prefix: bytes, out: BinaryIO, *, ended: bool) -> None:
    while line := log.readline():
        whole = line.endswith(b"\n")
        if not whole and not ended:
            log.seek(-len(line), 1)
            return
        out.write(prefix + line + (b"" if whole else b"\n"))
