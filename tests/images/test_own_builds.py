from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import ImageNotFound

from localpipe.core.image_build import ImageBuild
from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images.own_builds import content_of, ensure_built
from localpipe.runners.engine_address import docker_client, engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "localpipe-test/own-build:1"
BASE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")


@pytest.fixture
def build(tmp_path: Path) -> ImageBuild:
    context = tmp_path / "docker"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY a.txt /\n")
    (context / "a.txt").write_text("one")
    (context / ".dockerignore").write_text("# what no image needs\n*.log\n")
    return ImageBuild(context=context, dockerfile="Dockerfile", args={}, target=None)


def test_what_goes_into_an_image_changes_its_content(build: ImageBuild) -> None:
    before = content_of(NAME, build)
    (build.context / "run.log").write_text("noise")
    assert content_of(NAME, build) == before, "a file that .dockerignore leaves out"
    assert content_of(NAME, replace(build, args={"A": "1"})) != before
    assert content_of(NAME, replace(build, target="test")) != before
    (build.context / "a.txt").chmod(0o755)
    executable = content_of(NAME, build)
    (build.context / "a.txt").write_text("two")
    assert len({before, executable, content_of(NAME, build)}) == 3


def test_the_same_files_elsewhere_have_the_same_content(build: ImageBuild, tmp_path: Path) -> None:
    other = shutil.copytree(build.context, tmp_path / "other")
    assert content_of(NAME, replace(build, context=other)) == content_of(NAME, build)


def test_a_folder_without_its_dockerfile_is_told(build: ImageBuild) -> None:
    with pytest.raises(ImageMissing) as raised:
        content_of(NAME, replace(build, dockerfile="gpu.Dockerfile"))
    assert str(raised.value) == (
        f"Image {NAME}: [images] in localpipe.toml builds it from {build.context}, which has no gpu.Dockerfile."
        " Name the folder as `build`, and another file in it as `dockerfile`."
    )


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    try:
        client = docker_client(engine_address(os.environ), answer_seconds=60)
        client.images.get(BASE)
    except (RunnerUnavailable, ImageNotFound):
        pytest.skip(f"no Docker engine answers, or {BASE} is not built")
    yield client
    for image in client.images.list(NAME):
        client.images.remove(image.id, force=True)
    client.close()


@pytest.mark.docker
def test_an_image_is_built_once_and_again_when_its_context_changes(build: ImageBuild, client: docker.DockerClient) -> None:
    def built() -> list[str]:
        said: list[str] = []
        ensure_built(client, NAME, build, said.append)
        return [line for line in said if line.startswith("Building")]

    (build.context / "Dockerfile").write_text(f"FROM {BASE}\nARG WHO=nobody\nENV WHO=$WHO\nCOPY a.txt /\n")
    build = replace(build, args={"WHO": "me"})
    assert built() == [f"Building {NAME} from {build.context}"]
    assert "WHO=me" in client.images.get(NAME).attrs["Config"]["Env"]
    assert built() == []
    (build.context / "a.txt").write_text("two")
    assert built() == [f"Building {NAME} from {build.context}"]


@pytest.mark.docker
def test_a_build_that_fails_says_its_last_lines(build: ImageBuild, client: docker.DockerClient) -> None:
    (build.context / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo no such luck && exit 3\n")
    with pytest.raises(ImageMissing, match=r"(?s)its build failed:\n.*no such luck.*Mend .*/docker/Dockerfile"):
        ensure_built(client, NAME, build, lambda _: None)
