from __future__ import annotations

from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from localpipe.errors import ImageMissing
from localpipe.images import build, catalogue
from localpipe.images.resources import containers_dir

pytestmark = pytest.mark.docker


@pytest.fixture
def client() -> docker.DockerClient:
    try:
        return docker.from_env()
    except DockerException:
        pytest.skip("no Docker engine answers")


def test_every_stand_in_is_listed_with_its_state(client: docker.DockerClient) -> None:
    rows = build.image_rows(client, containers_dir())
    assert [row.name for row in rows] == [stand_in.name for stand_in in catalogue.all_stand_ins()]
    for row in rows:
        assert row.state in {"built", "outdated", "not built"}
        assert (row.size_bytes == 0) == (row.state == "not built")
        assert row.build_command == f"localpipe images build {row.name}"


def test_a_base_image_that_cannot_be_had_is_refused_with_what_helps(client: docker.DockerClient, tmp_path: Path) -> None:
    with pytest.raises(ImageMissing) as raised:
        build.build(
            client,
            catalogue.named("xgboost:1.5-1"),
            base="localhost:1/no-such-image:1",
            containers=containers_dir(),
            cache=tmp_path,
            say=lambda line: None,
        )
    assert str(raised.value).startswith(
        "Image localhost:1/no-such-image:1: the base image is not on this machine and cannot"
    )
    assert "`--base IMAGE`" in raised.value.remedy
