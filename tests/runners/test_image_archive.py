from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from typing import TYPE_CHECKING

import pytest

from localpipe.errors import ImageMissing
from localpipe.runners._image_archive import layers_of, read_archive

if TYPE_CHECKING:
    from pathlib import Path

    from localpipe.core import JSON

HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
CONFIG = json.dumps({"config": {"Cmd": ["train"]}}).encode()
DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"


def packed(path: Path, **members: bytes | JSON) -> Path:
    """An archive of members whose names are given with `__` for `/`; what is no bytes becomes JSON."""
    with tarfile.open(path, "w") as archive:
        for name, value in members.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def saved(path: Path, **changes: bytes | JSON) -> Path:
    """As `docker save` writes it."""
    manifest = {"Config": "c.json", "RepoTags": ["mine:1"], "Layers": ["one/layer.tar", "two/layer.tar"]}
    members = {"manifest.json": [manifest], "c.json": CONFIG, "one__layer.tar": b"1", "two__layer.tar": b"2" * 3_000_000}
    return packed(path, **{**members, **changes})


def described(content: JSON | bytes, **more: JSON) -> tuple[str, bytes, JSON]:
    """A blob: its member name, content and descriptor."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.sha256(raw).hexdigest()
    descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{digest}", **more}
    return f"blobs__sha256__{digest}", raw, descriptor


def test_what_docker_saves_is_read(tmp_path: Path) -> None:
    image = read_archive(saved(tmp_path / "image.tar"))
    assert (image.image_id, image.config) == (DIGEST, {"Cmd": ["train"]})
    layers = [b"".join(pieces) for pieces in layers_of(tmp_path / "image.tar", DIGEST)]
    assert layers == [b"1", b"2" * 3_000_000]


def test_of_an_oci_layout_the_image_of_this_machine_is_read(tmp_path: Path) -> None:
    config, layer = described(CONFIG), described(b"L")
    manifest = described({"config": config[2], "layers": [layer[2]]}, platform={"architecture": HERE, "os": "linux"})
    other = described({"config": {}, "layers": []}, platform={"architecture": "s390x", "os": "linux"})
    attestation = described({"layers": []}, platform={"architecture": "unknown", "os": "unknown"})
    index = {"manifests": [other[2], attestation[2], manifest[2]]}
    inner = described(index, mediaType="application/vnd.oci.image.index.v1+json")
    blobs = {name: content for name, content, _ in (config, layer, manifest, other, attestation, inner)}
    path = packed(tmp_path / "image.tar", **{"index.json": {"manifests": [inner[2]]}, **blobs})
    assert read_archive(path).image_id == DIGEST
    assert [b"".join(pieces) for pieces in layers_of(path, DIGEST)] == [b"L"]


def test_an_archive_of_several_images_is_refused(tmp_path: Path) -> None:
    images = [{"Config": "c.json", "RepoTags": [name], "Layers": []} for name in ("a:1", "b:2")]
    with pytest.raises(ImageMissing) as raised:
        read_archive(saved(tmp_path / "image.tar", **{"manifest.json": images}))
    assert str(raised.value) == (
        f"Image {tmp_path}/image.tar: it must hold one image for this machine, and holds: a:1; b:2. Save the one alone."
    )


def test_layers_that_cannot_be_unpacked_are_told_before_they_are(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match="it has layers compressed by zstd"):
        read_archive(saved(tmp_path / "image.tar", **{"two__layer.tar": b"\x28\xb5\x2f\xfd..."}))


def test_what_is_no_archive_of_an_image_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match=r"image\.tar: it cannot be read: No such file or directory\. Mend the path\.$"):
        read_archive(tmp_path / "image.tar")
    (tmp_path / "text").write_text("no archive at all")
    for path in (
        tmp_path / "text",
        packed(tmp_path / "other.tar", readme=b"x"),
        packed(tmp_path / "x", **{"manifest.json": []}),
    ):
        with pytest.raises(ImageMissing, match="it is no archive of an image, or not a whole one: "):
            read_archive(path)


def test_an_archive_that_was_replaced_meanwhile_is_not_taken_for_the_other(tmp_path: Path) -> None:
    saved(tmp_path / "image.tar")
    with pytest.raises(ImageMissing, match=r"it was replaced while it was read\. Run it again\.$"):
        next(layers_of(tmp_path / "image.tar", "sha256:0"))
