"""What an execution keeps of the images that serve it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support import IMAGE

from localpipe.core.image_build import ImageBuild
from localpipe.core.ports import ImageStatus
from localpipe.errors import ImageMissing
from localpipe.service.serving_images import require_server, what_serves
from localpipe.settings import Settings, load_settings

STAND_IN = "localpipe/scikit-learn:1.2-1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, {}, tmp_path)


def test_the_very_image_needs_no_words(settings: Settings) -> None:
    assert what_serves(ImageStatus(image_uri=IMAGE, local=IMAGE), settings) == ""
    noted = ImageStatus(image_uri=IMAGE, local=IMAGE, notes=("its user x may not",))
    assert what_serves(noted, settings) == f"{IMAGE}: its user x may not."


def test_a_stand_in_is_told_with_its_version(settings: Settings) -> None:
    status = ImageStatus(image_uri=IMAGE, local=STAND_IN)
    assert what_serves(status, settings) == f"{STAND_IN} stood for {IMAGE}: scikit-learn 1.2.2."


def test_a_version_that_differs_is_told_once(settings: Settings) -> None:
    uri = IMAGE.replace("1.2-1", "0.23-1")
    note = "scikit-learn 1.1.3 stands for 0.23-1"
    status = ImageStatus(image_uri=uri, local="/cache/x", python="3.11", notes=(note,), kind="An environment")
    assert what_serves(status, settings) == (f"An environment stood for {uri}: Python 3.11; {note}.")


def test_a_mapping_is_named(settings: Settings) -> None:
    mine = replace(settings, images={"*": "mine:dev"})
    status = ImageStatus(image_uri=IMAGE, local="mine:dev")
    assert what_serves(status, mine) == f"mine:dev stood for {IMAGE} ([images] maps it to mine:dev)."


def test_what_an_image_is_built_from_is_told_once(settings: Settings, tmp_path: Path) -> None:
    build = ImageBuild(context=tmp_path, dockerfile="Dockerfile", args={}, target=None)
    mine = replace(settings, images={"*": "own:1"}, image_builds={"own:1": build})
    status = ImageStatus(image_uri=IMAGE, local="own:1", notes=("[images] builds it from here",))
    assert what_serves(status, mine) == f"own:1 stood for {IMAGE}: [images] builds it from here."


def test_a_stand_in_without_serve_is_refused_for_a_model(settings: Settings) -> None:
    uri = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training:2.18-cpu-py310"
    with pytest.raises(ImageMissing) as raised:
        require_server("Score", ImageStatus(image_uri=uri, local="localpipe/tensorflow:2.21"), settings)
    assert str(raised.value) == (
        f"Image {uri}: step 'Score': its stand-in tensorflow:2.21 serves no models."
        f' Map it in localpipe.toml under [images], for example "{uri}" = "my-serving:latest".'
    )


@pytest.mark.parametrize("repository", ["sagemaker-scikit-learn:1.2-1", "sagemaker-xgboost:1.5-1", "my-own:1"])
def test_what_serves_models_or_is_the_users_own_is_taken(settings: Settings, repository: str) -> None:
    uri = f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{repository}"
    require_server("Score", ImageStatus(image_uri=uri, local="local:1"), settings)


def test_the_true_image_is_taken_at_its_word(settings: Settings) -> None:
    uri = "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training:2.18-cpu-py310"
    require_server("Score", ImageStatus(image_uri=uri, local=uri), settings)
