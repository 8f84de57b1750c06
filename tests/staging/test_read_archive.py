"""A model's archive as the directory that its container sees. Follows: containers.md 3.1."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from localpipe.staging.archive import read_archive, write_archive


def packed(place: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(place / "model.tar.gz", "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place / "model.tar.gz"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "inference.py").write_text("x")
    (tmp_path / "model" / "link").symlink_to("code")
    write_archive([tmp_path / "model"], tmp_path / "model.tar.gz")
    read_archive(tmp_path / "model.tar.gz", tmp_path / "seen")
    assert (tmp_path / "seen" / "link" / "inference.py").read_text() == "x"


def test_every_user_may_read_it(tmp_path: Path) -> None:
    member = tarfile.TarInfo("weights")
    member.mode = 0o600
    read_archive(packed(tmp_path, (member, b"5")), tmp_path / "seen")
    assert (tmp_path / "seen" / "weights").stat().st_mode & 0o777 == 0o644


def test_what_is_no_archive_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_text("1,2\n3,4\n")
    with pytest.raises(tarfile.TarError, match=r"^it is no tar archive, or a damaged one$"):
        read_archive(tmp_path / "model.tar.gz", tmp_path / "seen")


def test_a_member_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path, (tarfile.TarInfo("../elsewhere"), b"x"))
    with pytest.raises(tarfile.TarError):
        read_archive(archive, tmp_path / "seen")
    assert not (tmp_path / "elsewhere").exists()
