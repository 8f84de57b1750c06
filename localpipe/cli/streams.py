"""Standard input, output and error that are missing, full, or read by nobody any more. Imports nothing heavy."""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_STDOUT, _STDERR = 1, 2


def open_missing_streams() -> None:
    """Give the process the standard streams that it was started without (`2>&-`): the next file would take their numbers."""
    for number, name, mode in ((0, "stdin", "r"), (_STDOUT, "stdout", "w"), (_STDERR, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def tell(text: str) -> None:
    """A line on standard error. A reader that has gone (`2>&1 | head`), or a file on a full disk, ends nothing."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _discard(_STDERR)


def output_has_no_reader() -> bool:
    """Whether what read standard output has gone (`| head`)."""
    output = select.poll()
    output.register(_STDOUT, 0)  # errors and a hang-up are told in any case
    return bool(output.poll(0))


def forget_unwritten() -> None:
    """Let the interpreter not try again, as it exits, to write what could not be written: it would end with a status of
    its own.
    """
    _flush_or_discard(_STDOUT, sys.stdout)
    _flush_or_discard(_STDERR, sys.stderr)


def _flush_or_discard(number: int, stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        _discard(number)


def _discard(number: int) -> None:
    """From now on what is written to a standard stream goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
