"""What is refused or noted before a run, over a runner that runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pipeline, processing

from localpipe.errors import ImagesMissing
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    yield opened
    opened.close()


def step(name: str, *, image: str = "present:1", output: str = "s3://bucket/out") -> JSON:
    made = processing(name, outputs=("out",))
    made["Arguments"]["AppSpecification"]["ImageUri"] = image
    made["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = output
    return made


def test_all_missing_images_are_told_at_once_each_with_its_first_step(home: Home) -> None:
    runner = ScriptedRunner(missing_images=("mine:1", "other:1"))
    steps = [step("A", image="mine:1"), step("B", image="mine:1"), step("C"), step("D", image="other:1")]
    with pytest.raises(ImagesMissing) as raised:
        preflight(home, pipeline(*steps), "test", {}, runner=runner)
    assert str(raised.value) == (
        "Images cannot be had (2):\n"
        "  mine:1: step 'A': it is scripted to be missing. Use another.\n"
        "  other:1: step 'D': it is scripted to be missing. Use another."
    )
    assert raised.value.exit_status == 3
    assert [image.image_uri for image in raised.value.missing] == ["mine:1", "other:1"]


def test_a_bucket_is_noted_that_a_run_makes_and_s3_would_not(home: Home) -> None:
    def notes() -> list[str]:
        ready = preflight(home, pipeline(step("A", output="s3://b/o")), "test", {}, runner=ScriptedRunner())
        return [note for note in ready.notes if "bucket" in note]

    (note,) = notes()
    assert note == (
        "'b' is made here, but S3 makes no new bucket of this name: "
        "3 to 63 lower-case letters, digits, dots and hyphens, the first and last a letter or digit."
    )
    home.store.create_bucket("b")
    assert notes() == []
