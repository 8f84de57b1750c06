from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localpipe.runners._made_aside import hold, made_aside, removed_if_free


def test_what_fails_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), made_aside(tmp_path / "below" / "place") as making:
        (making / "no" / "file").touch()
    assert list((tmp_path / "below").iterdir()) == []


def test_who_was_faster_is_not_disturbed(tmp_path: Path) -> None:
    place = tmp_path / "place"
    with made_aside(place) as making:
        (making / "slow").touch()
        with made_aside(place) as faster:
            (faster / "fast").touch()
    assert [path.name for path in place.iterdir()] == ["fast"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_place_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "place").touch()
    with pytest.raises(NotADirectoryError), made_aside(tmp_path / "place"):
        pass


def test_what_is_held_is_there_until_it_is_let_go(tmp_path: Path) -> None:
    """One thread holds a place or makes it, another removes it, again and again."""
    place = tmp_path / "place"

    def remove() -> int:
        return sum(removed_if_free(place) for _ in range(300))

    with ThreadPoolExecutor(1) as threads:
        removing = threads.submit(remove)
        while not removing.done():
            with made_aside(place) as making:
                (making / "file").touch()
            if (held := hold(place)) is not None:
                assert (place / "file").exists()
                os.close(held)
        assert removing.result() > 0
