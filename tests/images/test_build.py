from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from localpipe.errors import ImageMissing, RunnerUnavailable
from localpipe.images import build, catalogue
from localpipe.images.resources import containers_dir
from localpipe.runners.engine_address import docker_client, engine_address

BASE = os.environ.get("LOCALPIPE_TEST_BASE_IMAGE", "localpipe-base:bookworm")


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    try:
        client = docker_client(engine_address(os.environ), answer_seconds=60)
    except RunnerUnavailable as error:
        pytest.skip(str(error))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("name", "base"), [("xgboost:1.5-1", "python:3.11-slim"), ("base-python-310:1.0", "python:3.10-slim")]
)
def test_a_stand_in_is_built_upon_its_own_python_where_no_base_is_given(name: str, base: str) -> None:
    assert build.default_base(catalogue.named(name)[0]) == base


@pytest.mark.docker
def test_every_stand_in_is_listed_with_its_state(client: docker.DockerClient) -> None:
    rows = build.image_rows(client, containers_dir())
    assert [row.name for row in rows] == [stand_in.name for stand_in in catalogue.all_stand_ins()]
    for row in rows:
        assert row.state in {"built", "outdated", "not built"}
        assert (row.size_bytes == 0) == (row.state == "not built")
        assert row.build_command == f"localpipe images build {row.name}"


@pytest.mark.docker
def test_a_base_image_with_another_python_is_refused(client: docker.DockerClient, tmp_path: Path) -> None:
    stand_in = replace(catalogue.named("base-python-310:1.0")[0], pythons=((3, 8),))
    with pytest.raises(ImageMissing) as raised:
        build.build(client, stand_in, base=BASE, containers=containers_dir(), cache=tmp_path, say=lambda line: None)
    assert str(raised.value).startswith(f"Image {BASE}: it has Python 3.")
    assert str(raised.value).endswith(
        "; base-python-310:1.0 needs Python 3.8. Give another base image: `--base python:3.8-slim`."
    )


@pytest.mark.docker
def test_a_base_image_that_cannot_be_had_is_refused_with_what_helps(client: docker.DockerClient, tmp_path: Path) -> None:
    with pytest.raises(ImageMissing) as raised:
        build.build(
            client,
            catalogue.named("xgboost:1.5-1")[0],
            base="localhost:1/no-such-image:1",
            containers=containers_dir(),
            cache=tmp_path,
            say=lambda line: None,
        )
    assert str(raised.value).startswith(
        "Image localhost:1/no-such-image:1: the base image is not on this machine and cannot"
    )
    assert "`--base IMAGE`" in raised.value.remedy
