from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from localpipe.errors import JobFailed
from localpipe.runners._image_root import ImageConfig, parse_config, unpack, user_of
from localpipe.runners._sandbox_plan import User
from localpipe.runners.root_cache import KeptRoot, KnownImage, RootCache, is_outdated

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = KnownImage(name="mine:1", image_id="sha256:abc", config={"Cmd": ["sh"]})


def an_archive(*members: tuple[str, dict[str, object], bytes]) -> list[bytes]:
    """The pieces of an archive: name, attributes of its TarInfo, content of each member."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, attributes, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for attribute, value in attributes.items():
                setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(content))
    whole = packed.getvalue()
    return [whole[start : start + 700] for start in range(0, len(whole), 700)]


def a_link(name: str, target: str) -> tuple[str, dict[str, object], bytes]:
    return name, {"type": tarfile.SYMTYPE, "linkname": target}, b""


def a_directory(name: str, mode: int = 0o755) -> tuple[str, dict[str, object], bytes]:
    return name, {"type": tarfile.DIRTYPE, "mode": mode}, b""


def test_a_file_system_becomes_the_users_own(tmp_path: Path) -> None:
    pieces = an_archive(
        a_directory("usr/", 0o555),
        a_directory("usr/bin/"),
        ("usr/bin/tool", {"mode": 0o4755, "mtime": 1_000_000, "uid": 99}, b"#!" * 1000),
        ("usr/bin/same", {"type": tarfile.LNKTYPE, "linkname": "usr/bin/tool"}, b""),
        a_link("bin", "usr/bin"),
        a_link("etc", "/host/etc"),
        ("shadow", {"mode": 0o000}, b"secret"),
        ("dev/disk", {"type": tarfile.BLKTYPE, "devmajor": 8}, b""),
        ("run/pipe", {"type": tarfile.FIFOTYPE, "mode": 0o600}, b""),
    )
    unpack([pieces], tmp_path)
    tool = tmp_path / "usr/bin/tool"
    assert (tool.read_bytes(), tool.stat().st_mtime, tool.stat().st_uid) == (b"#!" * 1000, 1_000_000, os.getuid())
    assert tool.stat().st_ino == (tmp_path / "usr/bin/same").stat().st_ino
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tool, tmp_path / "usr", tmp_path / "shadow")] == [
        *(0o755, 0o755, 0o600),
    ]
    assert [(tmp_path / name).readlink() for name in ("bin", "etc")] == [Path("usr/bin"), Path("/host/etc")]
    assert list((tmp_path / "dev").iterdir()) == []
    assert (tmp_path / "run/pipe").is_fifo()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("../evil", {}, b"x")], "The image's archive holds '../evil', which leads out of it."),
        ([("a/../../evil", {}, b"x")], "The image's archive holds 'a/../../evil', which leads out of it."),
        ([a_link("a", ".."), ("a/evil", {}, b"x")], "The image's archive holds 'a/evil' behind the link a."),
        (
            [a_link("a", "/"), a_link("b", "a"), ("b/c/evil", {}, b"x")],
            "The image's archive holds 'b/c/evil' behind the link b.",
        ),
        (
            [("evil", {"type": tarfile.LNKTYPE, "linkname": "../secret"}, b"")],
            "The image's archive holds '../secret', which leads out of it.",
        ),
        (
            [("evil", {"type": tarfile.LNKTYPE, "linkname": "missing"}, b"")],
            "The image's archive holds evil as a link to missing: No such file or directory.",
        ),
        (
            [("n" * 300, {}, b"x")],
            f"The image's archive holds '{'n' * 300}', which cannot be made: File name too long.",
        ),
        ([(".wh...", {}, b"")], "The image's archive holds '.wh...', which leads out of it."),
    ],
)
def test_nothing_is_written_or_linked_outside(
    tmp_path: Path, members: list[tuple[str, dict[str, object], bytes]], why: str
) -> None:
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "root").mkdir()
    with pytest.raises(JobFailed) as failed:
        unpack([an_archive(*members)], tmp_path / "root")
    assert str(failed.value) == why
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret"]


def test_a_layer_hides_what_is_below_it_and_nothing_of_its_own(tmp_path: Path) -> None:
    below = an_archive(
        *(a_directory(name) for name in ("gone", "opaque/deep", "file", "kept")),
        *((name, {}, b"old") for name in ("gone/x", "opaque/x", "opaque/deep/x", "file/x", "kept/x", "link", "single")),
    )
    above = an_archive(
        ("opaque/deep/y", {}, b"new"),
        ("opaque/.wh..wh..opq", {}, b""),
        (".wh.gone", {}, b""),
        ("kept/.wh.x", {}, b""),
        ("kept/x/y", {}, b"new"),
        (".wh..wh.plnk", {}, b""),
        ("file", {}, b"new"),
        a_link("link", "kept"),
        ("same", {"type": tarfile.LNKTYPE, "linkname": "single"}, b""),
        a_directory("kept", 0o700),
    )
    unpack([below, above], tmp_path)
    made = {str(path.relative_to(tmp_path)): path for path in sorted(tmp_path.rglob("*"))}
    assert list(made) == [
        "file",
        "kept",
        "kept/x",
        "kept/x/y",
        "link",
        "opaque",
        "opaque/deep",
        "opaque/deep/y",
        "same",
        "single",
    ]
    assert (made["file"].read_text(), made["same"].read_text(), made["link"].readlink()) == ("new", "old", Path("kept"))
    assert stat.S_IMODE(made["kept"].stat().st_mode) == 0o700


def test_a_layer_may_be_packed_by_gzip(tmp_path: Path) -> None:
    unpack([[gzip.compress(b"".join(an_archive(("file", {}, b"x"))))]], tmp_path)
    assert (tmp_path / "file").read_bytes() == b"x"


def test_a_directory_in_place_of_a_link_does_not_touch_what_the_link_names(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (tmp_path / "root").mkdir()
    unpack([an_archive(a_link("a", str(outside)), a_directory("a", 0o777), ("a/x", {}, b"x"))], tmp_path / "root")
    assert (stat.S_IMODE(outside.stat().st_mode), list(outside.iterdir())) == (0o700, [])
    assert (tmp_path / "root/a/x").read_bytes() == b"x"


def test_what_an_image_sets_is_read() -> None:
    config = {"Env": ["A=1", "B=x=y", "C"], "Entrypoint": ["run"], "Cmd": None, "WorkingDir": "app", "User": "ann"}
    assert parse_config(config) == ImageConfig(
        environment={"A": "1", "B": "x=y", "C": ""},
        entrypoint=("run",),
        arguments=(),
        working_dir=PurePosixPath("/app"),
        user="ann",
    )
    assert parse_config({}).working_dir == PurePosixPath("/")


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", User(uid=0, gid=0, home="/root")),
        ("ann", User(uid=1000, gid=50, home="/home/ann")),
        ("1000", User(uid=1000, gid=50, home="/home/ann")),
        ("ann:staff", User(uid=1000, gid=7, home="/home/ann")),
        ("ann:8", User(uid=1000, gid=8, home="/home/ann")),
        ("4321", User(uid=4321, gid=0, home="/")),
    ],
)
def test_who_an_images_jobs_are(tmp_path: Path, text: str, user: User) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:50:Ann:/home/ann:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nstaff:x:7:\n")
    assert user_of(text, tmp_path) == user


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bob", "The image runs as user 'bob', which its /etc/passwd does not have."),
        ("0:bobs", "The image runs as group 'bobs', which its /etc/group does not have."),
    ],
)
def test_a_name_that_the_image_does_not_have_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").symlink_to("/etc/passwd")
    with pytest.raises(JobFailed) as failed:
        user_of(text, tmp_path)
    assert str(failed.value) == why


def test_a_cached_root_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    cache = RootCache(tmp_path / "cache")
    assert (cache.is_empty(), cache.root_of(IMAGE), cache.find(["mine:1"])) == (True, None, None)
    root = cache.add(IMAGE, [an_archive(("file", {}, b"x"))])
    assert (root / "file").read_bytes() == b"x"
    other = KnownImage(name="other:2", image_id="sha256:abc", config={"Cmd": ["sh"]})
    assert cache.root_of(other) == root
    assert cache.find(["unknown", "other:2", "mine:1"]) == other
    assert cache.find(["mine:1"]) == IMAGE


def test_of_two_images_of_one_name_the_last_used_is_found(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    newer = KnownImage(name="mine:1", image_id="sha256:def", config={})
    for age, image in ((50, newer), (100, IMAGE)):
        cache.add(image, [an_archive()])
        os.utime(tmp_path / image.key, (time.time() - age,) * 2)
    assert cache.find(["mine:1"]) == newer
    cache.root_of(IMAGE)
    assert cache.find(["mine:1"]) == IMAGE


def test_an_archive_that_ends_too_early_leaves_nothing(tmp_path: Path) -> None:
    what = rf"^The image mine:1 could not be unpacked below {tmp_path}\. The image's archive cannot be read: "
    with pytest.raises(JobFailed, match=what):
        RootCache(tmp_path).add(IMAGE, [an_archive(("file", {}, b"x" * 5000))[:3]])
    assert list(tmp_path.iterdir()) == []


def a_root(directory: Path, *names: str, used_at: float = 0, size: int | None = None) -> KeptRoot:
    return KeptRoot(directory=directory, names=names, used_at=used_at, bytes=size)


def test_what_is_kept_is_told_with_its_names_size_and_last_use(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    cache.add(IMAGE, [an_archive(("file", {}, b"x" * 10_000), ("same", {"type": tarfile.LNKTYPE, "linkname": "file"}, b""))])
    cache.root_of(KnownImage(name="other:2", image_id="sha256:abc", config={}))
    (tmp_path / ".making-x").mkdir()
    for used_at, name in ((50, ".making-x"), (100, "abc")):
        os.utime(tmp_path / name, (used_at, used_at))
    whole, half_made = cache.roots()
    assert 10_000 <= (whole.bytes or 0) < 20_000
    assert whole == a_root(tmp_path / "abc", "other:2", "mine:1", used_at=100, size=whole.bytes)
    assert half_made == a_root(tmp_path / ".making-x", used_at=50)


@pytest.mark.parametrize(
    ("names_now", "unused_days", "outdated"),
    [
        ((), 0.9, False),
        ((), 1.1, True),
        (("abc",), 99, False),
        (("def", "abc"), 99, False),
        (("def",), 0, True),
        (("", "def"), 0, True),
        (("",), 0.9, False),
        (("",), 1.1, True),
        ((None,), 99, False),
        (("def", None), 99, False),
    ],
)
def test_a_root_is_outdated_when_its_names_stand_for_other_images(
    names_now: tuple[str | None, ...],
    unused_days: float,
    outdated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    now = 10_000_000.0
    root = a_root(Path("/cache/abc"), "mine:1", used_at=now - unused_days * 86_400)
    assert is_outdated(root, names_now, now=now) == outdated


def test_a_root_that_somebody_holds_is_not_removed(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    assert cache.hold(IMAGE) is None
    cache.add(IMAGE, [an_archive()])
    held = [cache.hold(IMAGE), cache.hold(IMAGE)]
    for each in held:
        assert not cache.remove(a_root(tmp_path / "abc"))
        assert each is not None
        os.close(each)
    assert cache.remove(a_root(tmp_path / "abc"))
    assert cache.root_of(IMAGE) is None


def test_a_name_that_comes_twice_is_what_came_last(tmp_path: Path) -> None:
    members = [("a", {}, b"file"), a_directory("a"), ("a/b", {}, b"1"), ("a/b", {}, b"2"), a_link("c", "a"), ("c", {}, b"3")]
    unpack([an_archive(*members)], tmp_path)
    assert ((tmp_path / "a/b").read_bytes(), (tmp_path / "c").read_bytes()) == (b"2", b"3")


def test_trouble_of_a_connection_is_not_taken_for_the_images(tmp_path: Path) -> None:
    def broken_off() -> Iterator[bytes]:
        yield from an_archive(("file", {}, b"x" * 50_000))[:9]
        raise OSError("the engine is gone")

    with pytest.raises(OSError, match=r"^the engine is gone$"):
        unpack([broken_off()], tmp_path)


def test_a_cached_root_is_for_its_user_alone(tmp_path: Path) -> None:
    root = RootCache(tmp_path).add(IMAGE, [an_archive(a_directory("tmp", 0o1777))])
    assert [stat.S_IMODE(path.stat().st_mode) for path in (root.parent, root / "tmp")] == [0o700, 0o1777]


def test_what_an_interrupted_removal_left_counts_as_absent_and_is_made_anew(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    (tmp_path / "abc" / "root").mkdir(parents=True)
    assert (cache.is_empty(), cache.find(["mine:1"]), cache.root_of(IMAGE)) == (True, None, None)
    root = cache.add(IMAGE, [an_archive(("file", {}, b"x"))])
    assert (cache.root_of(IMAGE), (root / "file").read_bytes()) == (root, b"x")


def test_a_removed_root_is_gone_though_another_process_removes_it_too(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    cache.add(IMAGE, [an_archive()])
    for _ in range(2):
        assert cache.remove(a_root(tmp_path / "abc"))
    assert list(tmp_path.iterdir()) == []


def test_what_comes_and_goes_in_the_cache_disturbs_nobody(tmp_path: Path) -> None:
    cache = RootCache(tmp_path)
    cache.add(IMAGE, [an_archive()])
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with cache.alone():
                cache.add(KnownImage(name="other:1", image_id="sha256:def", config={}), [an_archive()])
            cache.remove(a_root(tmp_path / "def"))

    with ThreadPoolExecutor(1) as threads:
        coming = threads.submit(come_and_go)
        for _ in range(200):
            assert cache.find(["mine:1"]) == IMAGE
            assert cache.roots()
        over.set()
        coming.result()


def test_one_at_a_time_adds_to_the_cache(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with RootCache(tmp_path).alone():
            entered.set()

    with ThreadPoolExecutor(1) as threads:
        with RootCache(tmp_path).alone():
            waiting = threads.submit(enter)
            assert not entered.wait(0.1)
        waiting.result()
    assert entered.is_set()
