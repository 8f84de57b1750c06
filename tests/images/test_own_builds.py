from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import ImageNotFound

from localpipe.core.image_build import ImageBuild, OwnImage
from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images.own_builds import content_of, ensure_built
from localpipe.runners.engine_address import docker_client, engine_address

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "localpipe-test/own-build:1"
URI = "1.dkr.ecr.eu-west-1.amazonaws.com/mine:1"
BASE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")


def own(build: ImageBuild) -> OwnImage:
    return OwnImage(uri=URI, pattern="*/mine:*", name=NAME, build=build)


@pytest.fixture
def build(tmp_path: Path) -> ImageBuild:
    context = tmp_path / "docker"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY a.txt /\n")
    (context / "a.txt").write_text("one")
    (context / ".dockerignore").write_text("# what no image needs\n*.log\n")
    return ImageBuild(context=context, dockerfile="Dockerfile", args={}, target=None)


def test_what_goes_into_an_image_changes_its_content(build: ImageBuild) -> None:
    before = content_of(own(build))
    (build.context / "run.log").write_text("noise")
    assert content_of(own(build)) == before, "a file that .dockerignore leaves out"
    assert content_of(own(replace(build, args={"A": "1"}))) != before
    assert content_of(own(replace(build, target="test"))) != before
    (build.context / "a.txt").chmod(0o755)
    executable = content_of(own(build))
    (build.context / "a.txt").write_text("two")
    assert len({before, executable, content_of(own(build))}) == 3


def test_the_ignore_file_of_a_dockerfile_goes_before_that_of_the_context(build: ImageBuild) -> None:
    (build.context / "Dockerfile.dockerignore").write_text("b.txt\n")
    before = content_of(own(build))
    (build.context / "b.txt").write_text("noise")
    assert content_of(own(build)) == before
    (build.context / "run.log").write_text("in the image")
    assert content_of(own(build)) != before


def test_the_same_files_elsewhere_have_the_same_content(build: ImageBuild, tmp_path: Path) -> None:
    other = shutil.copytree(build.context, tmp_path / "other")
    assert content_of(own(replace(build, context=other))) == content_of(own(build))


def test_a_folder_without_its_dockerfile_is_told(build: ImageBuild) -> None:
    with pytest.raises(ImageMissing) as raised:
        content_of(own(replace(build, dockerfile="gpu.Dockerfile")))
    assert str(raised.value) == (
        f'Image {URI}: [images] "*/mine:*" in localpipe.toml builds it from {build.context}, which has no gpu.Dockerfile.'
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
        ensure_built(client, own(build), os.environ, said.append)
        return [line for line in said if line.startswith("Building")]

    (build.context / "Dockerfile").write_text(f"FROM {BASE}\nARG WHO=nobody\nENV WHO=$WHO\nCOPY a.txt /\n")
    build = replace(build, args={"WHO": "me"})
    assert built() == [f"Building {NAME} from {build.context}"]
    assert "WHO=me" in client.images.get(NAME).attrs["Config"]["Env"]
    assert built() == []
    (build.context / "a.txt").write_text("two")
    assert built() == [f"Building {NAME} from {build.context}"]


@pytest.mark.docker
def test_no_command_line_shows_the_value_of_an_argument(
    build: ImageBuild, client: docker.DockerClient, tmp_path: Path
) -> None:
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\necho "$@" "TOKEN is $TOKEN"\n')
    command.chmod(0o755)
    said: list[str] = []
    with_token = replace(build, args={"TOKEN": "hush"})
    ensure_built(client, own(with_token), {"PATH": str(command.parent)}, said.append)
    shown, _, value = said[-1].partition(" TOKEN is ")
    assert "--build-arg=TOKEN " in shown
    assert ("hush" in shown, value) == (False, "hush")


@pytest.mark.docker
def test_a_build_that_fails_says_its_last_lines(build: ImageBuild, client: docker.DockerClient) -> None:
    (build.context / "Dockerfile").write_text(f"FROM {BASE}\nRUN echo no such luck && exit 3\n")
    with pytest.raises(ImageMissing) as raised:
        ensure_built(client, own(build), os.environ, lambda _: None)
    told = str(raised.value)
    assert told.startswith(
        f'Image {URI}: [images] "*/mine:*" in localpipe.toml builds it from {build.context}, and that failed:\n'
    )
    assert "no such luck" in told
    assert told.endswith(
        f"\n Mend {build.context}/Dockerfile, or what that entry gives the build: `dockerfile`, `target`, `args`."
    )
    command = ["/bin/sh", "-c", "echo no such luck && exit 3"]
    assert [left.id for left in client.containers.list(all=True) if left.attrs["Config"]["Cmd"] == command] == []
