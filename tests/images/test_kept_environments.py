from __future__ import annotations

import os
import time
from pathlib import Path

from localpipe.images.kept_environments import (
    KeptEnvironment,
    kept_environments,
    note_use,
    outdated,
    remove_environment,
    remove_what_was_left,
)
from localpipe.images.wheels import MARKER, filled

DAY = 86_400.0
NOW = 1_000 * DAY


def an_environment(directory: Path, name: str, used_at: float) -> KeptEnvironment:
    with filled(directory / name):
        (directory / name / "bin").mkdir()
    os.utime(directory / name / MARKER, (used_at, used_at))
    return KeptEnvironment(directory / name, used_at)


def test_one_that_another_has_long_served_in_place_of_is_outdated() -> None:
    old, new = KeptEnvironment(Path("xgboost-1.5-1-aa"), NOW - 31 * DAY), KeptEnvironment(Path("xgboost-1.5-1-bb"), NOW)
    assert outdated([old, new], now=NOW) == [old]
    assert outdated([old, new], now=NOW - 2 * DAY) == []


def test_the_one_that_served_last_is_kept_however_old() -> None:
    older, old = KeptEnvironment(Path("xgboost-1.5-1-aa"), 1.0), KeptEnvironment(Path("xgboost-1.5-1-bb"), 2.0)
    exact, other = KeptEnvironment(Path("xgboost-1.5-1-exact-aa"), 0.0), KeptEnvironment(Path("pytorch-2.13-aa"), 0.0)
    assert outdated([older, old, exact, other], now=NOW) == [older]


def test_a_use_is_noted_and_what_is_removed_is_to_be_made_anew(tmp_path: Path) -> None:
    began = time.time() - 1
    environment = an_environment(tmp_path, "xgboost-1.5-1-aa", 100.0)
    assert kept_environments(tmp_path) == [environment]
    note_use(environment.directory)
    assert kept_environments(tmp_path)[0].used_at > began
    remove_environment(environment)  # as it was before that use
    (used,) = kept_environments(tmp_path)
    remove_environment(used)
    assert kept_environments(tmp_path) == []
    with filled(environment.directory) as empty:
        assert empty


def test_what_a_removal_that_was_cut_off_left_is_removed_later(tmp_path: Path) -> None:
    kept = an_environment(tmp_path, "xgboost-1.5-1-aa", 100.0).directory
    kept.rename(tmp_path / ".removing-x")
    assert kept_environments(tmp_path) == []
    remove_what_was_left(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["xgboost-1.5-1-aa.lock"]


def test_the_users_own_environment_is_left_as_it_is(tmp_path: Path) -> None:
    note_use(tmp_path)
    assert list(tmp_path.iterdir()) == []
