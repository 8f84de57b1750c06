"""Object keys and the file names they are kept under: pure and one to one.

A key's components (the text between slashes) are directory and file names, and nearly always they are so unchanged. What a
file system cannot hold is written with `%%`, which occurs in no sensible name:

    component                               name
    any other                               itself
    empty (`a//b`, `/a`, `a/`)              %%
    `.` and `..`                            %%. and %%.%%.
    control characters                      %% and the letter of the caret notation: %%J for a line feed
    `%` before another `%`                  %%5
    longer than 255 bytes                   a directory `...%%+` that holds the rest

An escape is three bytes, so that the longest key still is a path that operating systems take.

A file system has one entry by a name, S3 may have both `a` and `a/b`. Then the object `a` lies beside the directory, in a
file `a%%=`. A name that holds `%%` and is not what these rules would write stands for no object: a file that is written
beside the objects has such a name (`new_unfinished_name`) until it is whole.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY_LIMIT_BYTES = 1024
"""Follows: Amazon S3 User Guide, "Naming Amazon S3 objects"."""

_NAME_LIMIT_BYTES = 255
_CHUNK_LIMIT_BYTES = 240
_EMPTY = "%%"
_GOES_ON = "%%+"
_BESIDE = "%%="
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%%([5.?-_])")
_CODES = {"%": "5", ".": ".", **{chr(code): chr(code ^ 0x40) for code in (*range(0x20), 0x7F)}}
_CHARACTERS = {code: character for character, code in _CODES.items()}
_ESCAPED_LENGTH = 3
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}%%part")
_UNUSABLE_NAMES = frozenset({".", ".."})


class Naming(Protocol):
    """How a directory's file names and the keys of its objects belong together."""

    def path(self, components: Sequence[str]) -> str | None:
        """The relative path of a file or directory; "" for no components, None if it cannot exist here."""
        ...

    def beside(self, components: Sequence[str]) -> str | None:
        """Where an object lies if its path is a directory; None if it cannot exist here. Never asked for no components."""
        ...

    def goes_on(self, name: str) -> bool:
        """Whether a directory of this name holds the rest of a component."""
        ...

    def component(self, names: Sequence[str]) -> str | None:
        """The component that a name, after the names of directories that go on to it, stands for; None: for none."""
        ...


class EscapedNaming:
    """The naming of the store's own directories: takes every key."""

    def path(self, components: Sequence[str]) -> str:
        """Never None."""
        return "/".join(name for component in components for name in names_of(component))

    def beside(self, components: Sequence[str]) -> str:
        """Never None."""
        *parents, last = components
        return "/".join(name for names in (*map(names_of, parents), beside_names_of(last)) for name in names)

    def goes_on(self, name: str) -> bool:
        """Whether it ends as the first part of a long component does."""
        return name.endswith(_GOES_ON)

    def component(self, names: Sequence[str]) -> str | None:
        """None for a name that these rules would not write."""
        component = "".join(_text_of(name) for name in names)
        written = tuple(names) == names_of(component) or tuple(names) == beside_names_of(component)
        return component if written and is_text(component) else None


class PlainNaming:
    """The naming of a directory that is not ours: names stand for themselves, and other keys do not exist."""

    def path(self, components: Sequence[str]) -> str | None:
        """None if a component is no file name, or that of a file that is not whole yet."""
        named = all(_is_name(component) and not is_unfinished(component) for component in components)
        return "/".join(components) if named else None

    def beside(self, components: Sequence[str]) -> None:
        """No name stands for an object beside a directory."""

    def goes_on(self, name: str) -> bool:  # noqa: ARG002 - the protocol's
        """No name goes on."""
        return False

    def component(self, names: Sequence[str]) -> str | None:
        """The name, if it is text at all and its file is whole."""
        (name,) = names
        return name if is_text(name) and not is_unfinished(name) else None


def names_of(component: str) -> tuple[str, ...]:
    """The names of a component: one, or several directories' and the last one's where it is too long for one."""
    if _is_name(component) and "%%" not in component and not _CONTROL.search(component):
        return (component,)
    return _chunk_names(component, "")


def beside_names_of(component: str) -> tuple[str, ...]:
    """The names of the file that holds an object while a directory has the component's own name."""
    return _chunk_names(component, _BESIDE)


def new_unfinished_name() -> str:
    """A new name for a file beside objects that is not whole yet: under each naming it stands for no object."""
    return f".{secrets.token_hex(8)}%%part"


def is_unfinished(name: str) -> bool:
    """Whether `new_unfinished_name` gave it."""
    return _UNFINISHED.fullmatch(name) is not None


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8, as each key can. File names read from a disk may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_name(component: str) -> bool:
    return (
        bool(component)
        and component not in _UNUSABLE_NAMES
        and "\0" not in component
        and len(component.encode(errors="surrogateescape")) <= _NAME_LIMIT_BYTES
    )


def _chunk_names(component: str, suffix: str) -> tuple[str, ...]:
    *first, last = _chunks(component)
    return (*(_escaped(chunk, _GOES_ON) for chunk in first), _escaped(last, suffix))


def _chunks(component: str) -> Iterator[str]:
    """Pieces of at least one character (but for an empty component) that fit a name however they are escaped."""
    start, used = 0, 0
    for position, character in enumerate(component):
        escapable = character == "%" or _CONTROL.match(character)
        cost = _ESCAPED_LENGTH if escapable else len(character.encode(errors="surrogateescape"))
        if used + cost > _CHUNK_LIMIT_BYTES:
            yield component[start:position]
            start, used = position, 0
        used += cost
    yield component[start:]


def _escaped(chunk: str, suffix: str) -> str:
    """Built from the end, since whether a `%` must be escaped depends on what follows it in the name."""
    if not chunk:
        return _EMPTY + suffix
    name = suffix
    for character in reversed(chunk):
        unusable = _CONTROL.match(character) or (character == "%" and name.startswith("%")) or chunk in _UNUSABLE_NAMES
        name = (f"%%{_CODES[character]}" if unusable else character) + name
    return name


def _text_of(name: str) -> str:
    if "%%" not in name:
        return name
    body = name[: -len(_GOES_ON)] if name.endswith((_GOES_ON, _BESIDE)) else name
    return "" if body == _EMPTY else _ESCAPE.sub(lambda match: _CHARACTERS[match[1]], body)
