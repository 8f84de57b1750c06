"""`gc`: what may be removed, and removing it."""

from __future__ import annotations

import secrets
import shlex
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.errors import ExecutionBusy, HomeUnusable
from localpipe.journal.lease import driving, is_driven
from localpipe.scheduling.state import fold
from localpipe.service.kept import kept_for_jobs
from localpipe.service.lineage import keep_lineage, made_by_execution
from localpipe.staging import delete_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from localpipe.core.names import AttemptKey
    from localpipe.service.kept import Kept
    from localpipe.service.wiring import Home

_SECONDS_PER_DAY = 86_400
_TRASH = ".trash-"


@dataclass(frozen=True, kw_only=True)
class Removable:
    """Working directories and logs of an ended execution. `bytes` is what they take on disk.

    `models`: names of the models and model packages that it made; they stay, and what they came from is kept with them.
    """

    execution_id: str
    pipeline_name: str
    status: str
    ended_at: float
    bytes: int
    models: tuple[str, ...] = ()


def removable_executions(home: Home, *, older_than_days: float, keep: int) -> Sequence[Removable]:
    """Executions that ended at least that long ago, the newest `keep` of all left out, oldest first."""
    before = home.clock.now() - older_than_days * _SECONDS_PER_DAY
    known, made = home.journal.executions(), made_by_execution(home)
    result = []
    for started in known[: max(0, len(known) - keep)]:
        directory = home.execution_dir(started.execution_id)
        state = fold(home.journal.read(started.execution_id))
        if state.ended_at is None or state.ended_at > before or is_driven(directory):
            continue
        result.append(
            Removable(
                execution_id=started.execution_id,
                pipeline_name=started.pipeline_name,
                status=state.status.value,
                ended_at=state.ended_at,
                bytes=_size(directory),
                models=tuple(each.name for each in made.get(started.execution_id, ())),
            )
        )
    return result


def remove_execution(home: Home, execution_id: str) -> bool:
    """Forget an ended execution: its facts, logs and working directories.

    Objects in S3 and models stay; the registry is given what the facts tell of where the models came from.

    Its directory is only put aside; `empty_trash` deletes it. False, with nothing done, if a process drives it or it goes on
    by now: whoever wants to resume or retry it meanwhile either has it whole or finds it gone.
    """
    directory = home.execution_dir(execution_id)
    try:
        with driving(directory):
            if not fold(home.journal.read(execution_id)).finished:
                return False
            keep_lineage(home, execution_id)
            home.journal.forget(execution_id)
            directory.rename(home.runs / f"{_TRASH}{execution_id}-{secrets.token_hex(4)}")
    except ExecutionBusy:
        return False
    return True


def empty_trash(home: Home) -> None:
    """Delete what `remove_execution` put aside, by now or before a crash.

    Raises HomeUnusable if files of root are in the way.
    """
    trash = list(home.runs.glob(f"{_TRASH}*"))
    for directory in trash:
        with suppress(OSError):
            delete_tree(directory)
    if left := [str(directory) for directory in trash if directory.exists()]:
        raise HomeUnusable(f"Removed executions left files that are not yours. Remove them: sudo rm -rf {shlex.join(left)}")


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What became of the jobs of a home that runs left behind, and of what is kept for jobs to come.

    `removed`: how many were. `outdated`: what of the cache is gone. `interrupted`: ids of executions that have not ended and
    that no process drives, whose jobs are still there for `resume`. `silent`: for each runner that was used and cannot be
    asked now a sentence that says so.
    """

    removed: int
    outdated: Sequence[Kept]
    interrupted: Sequence[str]
    silent: Sequence[str]


def sweep_jobs(home: Home) -> Swept:
    """Remove jobs of this home whose execution has ended, and what runners keep that no job will want any more."""
    available = home.availability()
    live = {each for each in home.journal.ids() if not fold(home.journal.read(each)).finished}
    usable = [home.runner(name) for name, availability in available.items() if availability.usable]
    kept: set[str] = set()

    def keep(key: AttemptKey) -> bool:
        if key.execution_id in live:
            kept.add(key.execution_id)
        return key.execution_id in live

    left = sum(runner.sweep(keep) for runner in usable)
    before = kept_for_jobs(home.cache)
    for runner in usable:
        runner.tidy()
    outdated = [each for each in before if not each.directory.exists()]
    used = {started.settings["runner"] for started in home.journal.executions()}
    silent = [
        f"What the {name} runner may have left could not be looked for: {availability.reason}"
        for name, availability in available.items()
        if name in used and not availability.usable
    ]
    interrupted = [each for each in sorted(kept) if not is_driven(home.execution_dir(each))]
    return Swept(removed=left, outdated=outdated, interrupted=interrupted, silent=silent)


def _size(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        with suppress(OSError):  # removed meanwhile, or below a directory of root
            total += path.lstat().st_size if path.is_file() and not path.is_symlink() else 0
    return total
