"""A command that waits, in its container, until the job is to start, and then becomes the job's own.

Starting a container takes an engine a fifth of a second, for namespaces, mounts and the network. A shell of the image goes
through that ahead of the job's inputs, says that it is there, reads a line, and becomes the program: as the same first
process, with the environment, the directory and the standard input that it would have had. It ends if localpipe does, since
nobody holds the other end of its standard input then. See docs/decisions/0033.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.core.jobspec import StagedJob

ARRIVED = b"localpipe: waiting for the job to start\n"
"""The first line that such a container prints. It is not the job's."""
GO = b"\n"

_UNSET = ("PWD", "OLDPWD", "SHLVL")
NOT_KEPT = frozenset({*_UNSET, "PPID", "IFS", "OPTIND", "LINENO", "PS1", "PS2", "PS4", "RANDOM", "_", "BASH_VERSION"})
"""Variables that a shell has or makes for itself: a job that is given one would not find what it was given."""

_SCRIPT = rf"""
[ -z "${{BASH_VERSION-}}" ] && localpipe_program=$(command -v "$1") || exit
kernel_takes() {{
    [ -f "$1" ] && [ -x "$1" ] || return
    read -r localpipe_line <"$1"
    case $localpipe_line in
        "$(printf '\177ELF')"*) ;;
        '#!'*) [ "$2" = program ] && set -- ${{localpipe_line#??}} && kernel_takes "${{1-}}" interpreter ;;
        *) return 1 ;;
    esac
}}
kernel_takes "$localpipe_program" program || exit
echo "{ARRIVED.decode().strip()}"
read -r localpipe_line || exit
unset -f kernel_takes
unset localpipe_program localpipe_line {" ".join(_UNSET)}
exec "$@" </dev/null
"""
"""Leaves at once where it could not become the program without a trace: bash would leave variables behind; and of a program
that is not there, or that the kernel does not take, the engine tells in its own way."""


def waiting(job: StagedJob, command: Sequence[str]) -> StagedJob:
    """The job, to be created with a standard input, whose command becomes `command` once it has read `GO`."""
    return replace(job, entrypoint=("/bin/sh", "-c", _SCRIPT, "sh"), arguments=tuple(command))
