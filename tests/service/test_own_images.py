from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localpipe.errors import ImageMissing
from localpipe.service.own_images import own_image
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "111122223333.dkr.ecr.us-east-1.amazonaws.com/my-image:3"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    (tmp_path / "localpipe.toml").write_text('[images]\n"*/my-image:*" = { build = "./docker" }\n')
    opened = Home(load_settings({"home": tmp_path / "home"}, {}, tmp_path))
    yield opened
    opened.close()


def test_an_image_that_is_to_be_built_is_there_before_it_is_built(home: Home, tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "Dockerfile").touch()
    status = own_image(home, home.runner("docker"), URI)
    assert status is not None
    assert status.local == home.settings.images["*/my-image:*"]
    assert status.notes == (f"[images] builds it from {tmp_path / 'docker'}",)
    assert own_image(home, home.runner("docker"), "other:1") is None


def test_the_process_runner_refuses_it_by_name(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ImageMissing) as raised:
        own_image(home, home.runner("process"), URI)
    assert str(raised.value) == (
        f'Image {URI}: [images] "*/my-image:*" in localpipe.toml builds it from {tmp_path / "docker"},'
        " and the process runner runs no images. Use another runner: `--runner docker`."
    )


def test_a_folder_that_is_not_there_is_told_with_the_uri_and_the_pattern(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ImageMissing) as raised:
        own_image(home, home.runner("docker"), URI)
    assert str(raised.value) == (
        f'Image {URI}: [images] "*/my-image:*" in localpipe.toml builds it from the folder {tmp_path / "docker"},'
        " which does not exist. Name the folder of its Dockerfile as `build`."
    )
