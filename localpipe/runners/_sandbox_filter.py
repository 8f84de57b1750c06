"""The system call filter of sandboxes: changing a file's owner succeeds and changes nothing.

A container's root may give files away; a sandbox has one user, so `chown` would fail, and with it every `tar -x` run as
root (containers.md 1.10 has one). Files then stay with the user who runs localpipe, as they must.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# <linux/audit.h>, <asm/unistd.h>: machine → architecture number, and chown, fchown, lchown, fchownat as far as it has them
_ARCHITECTURES: Mapping[str, tuple[int, Sequence[int]]] = {
    "x86_64": (0xC000003E, (92, 93, 94, 260)),
    "aarch64": (0xC00000B7, (54, 55)),
}
# <linux/bpf_common.h>, <linux/seccomp.h>
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _SUCCEED = 0x7FFF0000, 0x00050000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET = 0, 4


def filter_program(machine: str) -> bytes:
    """The filter as bubblewrap's `--seccomp` reads it. On a machine that we have no numbers for it allows everything."""
    if machine not in _ARCHITECTURES:
        return _instruction(_RETURN, _ALLOW)
    architecture, calls = _ARCHITECTURES[machine]
    tests = [_instruction(_JUMP_IF_EQUAL, number, if_equal=len(calls) - position) for position, number in enumerate(calls)]
    return b"".join(
        [
            _instruction(_LOAD, _ARCHITECTURE_OFFSET),
            _instruction(_JUMP_IF_EQUAL, architecture, if_not=len(calls) + 1),
            _instruction(_LOAD, _NUMBER_OFFSET),
            *tests,
            _instruction(_RETURN, _ALLOW),
            _instruction(_RETURN, _SUCCEED),
        ]
    )


def _instruction(code: int, value: int, *, if_equal: int = 0, if_not: int = 0) -> bytes:
    """One `struct sock_filter`; the jumps count instructions that are skipped."""
    return struct.pack("=HBBI", code, if_equal, if_not, value)
