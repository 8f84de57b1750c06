"""No signal is ignored or blocked in a job because it is in localpipe: under `nohup`, in the background of a script.

Programs inherit that, and no shell takes it back. A Python of its own does before it becomes the launcher, and only where
there is something to take back: it costs ten milliseconds.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_plan import SYSTEM_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

BECOME = f"""\
import os, signal, sys
for number in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.execve(sys.argv[1], sys.argv[1:], {{'PATH': {SYSTEM_PATH!r}}})
"""
"""Python: becomes its arguments, of which the first is an absolute path, with every signal as it is by default."""

_OF_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""What every Python ignores, and takes back itself for what it starts."""


def with_default_signals(argv: Sequence[str]) -> tuple[str, ...]:
    """The command that becomes `argv`, whose program is an absolute path, and hands on no signal of this process."""
    ignored = any(signal.getsignal(number) is signal.SIG_IGN for number in signal.valid_signals() - _OF_PYTHON)
    if not ignored and not signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        return tuple(argv)
    return (sys.executable, "-I", "-S", "-c", BECOME, *argv)
