"""Local paths of a pipeline as prefixes of the local S3: read-only where it reads, writable where it writes.

See docs/decisions/0028.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.names import LOCAL_FILES, S3Uri
from localpipe.definition.local_uris import LocalUse, absolute, is_local, local_uri, says_file, with_local_uris
from localpipe.definition.wording import nearest
from localpipe.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.service.parts import Part
    from localpipe.service.wiring import Home


@dataclass(frozen=True, kw_only=True)
class WithLocalFiles:
    """What to run instead: the home shows the local files, and all else names them by S3 URIs.

    `notes`: which path is shown where, in sentences.
    """

    home: Home
    definition: str | Mapping[str, JSON]
    parameters: Mapping[str, JSON]
    part: Part
    notes: tuple[str, ...] = ()


def with_local_files(
    home: Home,
    definition: str | Mapping[str, JSON],
    parameters: Mapping[str, JSON],
    part: Part,
    *,
    directory: Path,
    pipeline_name: str,
) -> WithLocalFiles:
    """A pipeline that may name local paths and `file://` URIs, as one that has S3 URIs alone.

    Relative paths in the definition are from `directory`, in parameters and in the values of the part from the working
    directory. Of these values only those are paths that begin with `file:`, or like a path that is there. What earlier
    executions of the pipeline named is shown too, since their results may stand for steps.
    Raises DefinitionError for a path to read that is not there, and one to write that is a file or in what is read.
    """
    found = with_local_uris(
        _read(definition),
        parameters,
        {name: kind.request_shape for name, kind in home.step_types.items() if kind.request_shape},
        home.model,
        directory=str(directory.absolute()),
        working_directory=str(Path.cwd()),
        user_home=str(Path.home()),
    )
    uses = (*found.uses, *_given(part))
    earlier = _named_earlier(home, pipeline_name)
    if not uses and not earlier:
        return WithLocalFiles(home=home, definition=definition, parameters=parameters, part=part)
    problems = [*_unusable(uses), *_written_into_inputs(uses)]
    if problems:
        raise DefinitionError(dict.fromkeys(problems))
    given = {use.at: local_uri(use.path) for use in _given(part)}
    return WithLocalFiles(
        home=_showing(home, uses, earlier),
        definition=json.dumps(found.definition) if found.uses else definition,
        parameters=found.parameters,
        part=replace(part, values={**part.values, **given}),
        notes=tuple(dict.fromkeys(_note(use) for use in uses if use.text != local_uri(use.path))),
    )


def _named_earlier(home: Home, pipeline_name: str) -> frozenset[Path]:
    """The directories that earlier executions of a pipeline read or wrote, as far as they are there."""
    shown = (
        (S3Uri.parse(uri), Path(path))
        for kept in home.journal.kept_settings(pipeline_name, f"s3://{LOCAL_FILES}/")
        for uri, path in {**kept["s3_mounts"], **kept.get("s3_outputs", {})}.items()
    )
    return frozenset(path for uri, path in shown if uri.bucket == LOCAL_FILES and path.is_dir())


def _given(part: Part) -> Sequence[LocalUse]:
    """The local paths among the values of a part."""
    return [
        LocalUse(text=value, path=_from_here(value), written=False, whole=True, at=name, step="")
        for name, value in part.values.items()
        if isinstance(value, str) and _names_path(value)
    ]


def _names_path(value: str) -> bool:
    """Whether a value for a property of any kind is a path of this machine: it may be one inside of a container."""
    if says_file(value) or value.startswith(f"s3://{LOCAL_FILES}/"):
        return True
    return is_local(value, whole=False) and Path(_from_here(value)).exists()


def _from_here(text: str) -> str:
    return absolute(text, str(Path.cwd()), str(Path.home()))


def _read(definition: str | Mapping[str, JSON]) -> JSON:
    """The document; None for text that is no JSON, which is not to be said here."""
    try:
        return json.loads(definition) if isinstance(definition, str) else definition
    except ValueError:
        return None


def _note(use: LocalUse) -> str:
    return f"{use.text!r} {'goes to' if use.written else 'is read as'} {local_uri(use.path)}."


def _showing(home: Home, uses: Sequence[LocalUse], earlier: Iterable[Path]) -> Home:
    """The home with a prefix of S3 for each directory that is read, and for each that is written.

    `earlier` ones are read; what lies in one that is written is seen there, and must not stand in the way of writing.
    """
    written = {_directory(use) for use in uses if use.written}
    read = {_directory(use) for use in uses if not use.written and not _comes_to_be(use, uses)} - written
    read |= {path for path in earlier if not any(_is_within(path, directory) for directory in written)}
    kept = home.settings.kept()
    return home.keeping(
        {
            **kept,
            "s3_mounts": {**kept["s3_mounts"], **{local_uri(str(each)): str(each) for each in read}},
            "s3_outputs": {local_uri(str(each)): str(each) for each in written},
        }
    )


def _directory(use: LocalUse) -> Path:
    """The directory that is shown for a path: itself, or the one it is in if it is a file or the beginning of names."""
    path = Path(use.path)
    if path.is_dir() or (use.written and (use.whole or use.path.endswith("/"))):
        return path
    return path.parent


def _comes_to_be(use: LocalUse, uses: Iterable[LocalUse]) -> bool:
    """Whether a path that is read is, or is in, a directory that the pipeline writes."""
    return any(_is_within(Path(use.path), _directory(other)) for other in uses if other.written)


def _is_within(path: Path, directory: Path) -> bool:
    return path == directory or directory in path.parents


def _unusable(uses: Sequence[LocalUse]) -> Iterator[Problem]:
    for use in uses:
        if use.written and Path(use.path).is_file():
            yield Problem(use.at, f"{use.path} is a file.", "Name a directory to write to.")
        elif not use.written and not _is_there(use) and not _comes_to_be(use, uses):
            yield Problem(use.at, f"there is no file or directory {use.path}.", _near(_directory(use), Path(use.path).name))


def _is_there(use: LocalUse) -> bool:
    return Path(use.path).exists() if use.whole else _directory(use).is_dir()


def _near(directory: Path, name: str) -> str:
    """What may be meant instead."""
    names = sorted(each.name for each in directory.iterdir()) if directory.is_dir() else []
    near = nearest(name, names)
    return f"Did you mean {directory / near}?" if near else "Correct it, or write s3://BUCKET/KEY."


def _written_into_inputs(uses: Sequence[LocalUse]) -> Iterator[Problem]:
    """A problem for each directory that would be written into what is read: nothing of the user's input is changed.

    What one step writes another may read from the same path.
    """
    for use in (use for use in uses if use.written):
        for other in (other for other in uses if not other.written):
            target, source = _directory(use), Path(other.path)
            if _is_within(target, source) and (target != source or use.step == other.step):
                yield Problem(
                    use.at, f"{target} is in {source}, which is read at {other.at}.", "Write to another directory."
                )
