"""The script by which a person runs a sandboxed job again. Pure: text as a value."""

from __future__ import annotations

import platform
import shlex
import string
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from localpipe.runners._sandbox_filter import filter_program
from localpipe.runners._sandbox_plan import AND_REMOVE, FILTER_FILE, LAYER_PARTS, ROOT, ROOT_DIR, TOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.runners._sandbox_plan import SandboxPlan

_PLAIN = frozenset(string.ascii_letters + string.digits + " .:-/")


def repeat_script(plan: SandboxPlan, words: Sequence[str]) -> bytes:
    """A script for any POSIX shell: makes a plan's directory, runs words in it with the filter on 4, and removes it.

    It makes what `make_directory` makes, and ends with the status of the words.
    """
    directory = shlex.quote(str(plan.directory))
    made = dict.fromkeys((ROOT, *(layer.name for layer in plan.layers)))
    own = [(str(plan.own_dir / path.relative_to(TOP)), content) for path, content in plan.files.items()]
    places = {str(PurePosixPath(path).parent) for path, _ in own}
    lines = (
        "set -e",
        f"rm -rf {directory}",
        f"mkdir {directory}",
        f"cd {directory}",
        shlex.join(("mkdir", "-p", *(f"{name}/{part}" for name in made for part in LAYER_PARTS), *sorted(places))),
        *(shlex.join(("ln", "-s", str(layer.lower), f"{layer.name}/lower")) for layer in plan.layers),
        *(() if plan.root_layered else (shlex.join(("cp", "-a", f"{plan.root.below}/.", ROOT_DIR)),)),
        *(f"{_printed(content)} >{shlex.quote(path)}" for path, content in own),
        f"{_printed(filter_program(platform.machine()))} >{FILTER_FILE}",
        "set +e",
        f"{shlex.join(words)} 4<{FILTER_FILE}",
        AND_REMOVE,
    )
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def _printed(content: bytes) -> str:
    """The command that prints bytes, whatever they are."""
    return "printf '" + "".join(chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in content) + "'"
