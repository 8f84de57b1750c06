"""What a notebook, or a script exported from one, needs besides Python: its code cells, `get_ipython()`, `display()`.

Shell commands and magics do not run: they are noted. `%%writefile` does: notebooks write the code of their steps by it.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

RUN_AS_CODE = frozenset({"time", "timeit", "capture", "prun"})
"""Cell magics whose cell is Python that acts as it does without them."""

ASSIGNED = r"(?P<indent>\s*)(?P<target>[\w.,\s]+=\s*)?"
SHELL_LINE = re.compile(ASSIGNED + r"!(?P<command>.*)")
MAGIC_LINE = re.compile(ASSIGNED + r"%(?P<name>\w+)(?P<rest>.*)")
CELL_MAGIC = re.compile(r"\s*%%(?P<name>\w+)(?P<rest>[^\n]*)\n?(?P<body>.*)", re.DOTALL)


class NoNotebook(Exception):
    """The text is no notebook."""


def source_of(text: str) -> str:
    """The code cells of a notebook (its JSON text, version 4 of the format) as one script. Raises NoNotebook."""
    try:
        cells = json.loads(text)["cells"]
    except (ValueError, KeyError, TypeError):
        raise NoNotebook from None
    sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return "\n\n".join(map(_as_python, sources)) + "\n"


def _as_python(cell: str) -> str:
    """A cell with its shell commands and magics as calls of `get_ipython()`, as `jupyter nbconvert` writes them."""
    magic = CELL_MAGIC.fullmatch(cell)
    if magic and magic["name"] in RUN_AS_CODE:
        return _as_python(magic["body"])
    if magic:
        return f"get_ipython().run_cell_magic({magic['name']!r}, {magic['rest'].strip()!r}, {magic['body']!r})"
    return cell if _is_python(cell) else "\n".join(map(_line_as_python, cell.split("\n")))


def _line_as_python(line: str) -> str:
    shell, magic = SHELL_LINE.fullmatch(line), MAGIC_LINE.fullmatch(line)
    if shell:
        call = "getoutput" if shell["target"] else "system"
        return f"{shell['indent']}{shell['target'] or ''}get_ipython().{call}({shell['command'].strip()!r})"
    if magic:
        arguments = f"{magic['name']!r}, {magic['rest'].strip()!r}"
        return f"{magic['indent']}{magic['target'] or ''}get_ipython().run_line_magic({arguments})"
    return line


def _is_python(cell: str) -> bool:
    try:
        ast.parse(cell)
    except SyntaxError:
        return False
    return True


class Shell:
    """What `get_ipython()` returns. `tell` is given a sentence for each command that does not run."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def system(self, command: str) -> None:
        """`!command`."""
        self._skip(f"!{command}")

    def getoutput(self, command: str) -> list[str]:
        """`lines = !command`: there are none."""
        self._skip(f"!{command}")
        return []

    def run_line_magic(self, name: str, line: str, *_: Any) -> None:
        """`%name line`. What only sets up a notebook is not worth a word."""
        if name not in {"matplotlib", "load_ext", "autoreload", "config"}:
            self._skip(f"%{name} {line}".rstrip())

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """`%%name line` before a cell: `%%writefile` is done."""
        if name == "writefile":
            _write_file(line, cell)
        else:
            self._skip(f"%%{name} {line}".rstrip())

    def __getattr__(self, name: str) -> Any:
        """What only a notebook has. Raises AttributeError with a sentence for the author."""
        raise AttributeError(f"localpipe runs no notebook: get_ipython().{name} is not there")

    def _skip(self, command: str) -> None:
        self._tell(f"The notebook's `{command}` did not run: do it in the Python of the script if it is needed.")


def _write_file(line: str, cell: str) -> None:
    appends = line.startswith(("-a ", "--append "))
    name = line.partition(" ")[2] if appends else line
    with Path(name.strip().strip("'\"")).expanduser().open("a" if appends else "w", encoding="utf-8") as file:
        file.write(cell)
