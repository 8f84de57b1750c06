from __future__ import annotations

import pytest

from localpipe.core.ports import ImageStatus
from localpipe.errors import ImageMissing
from localpipe.service.step_functions import require_authors_python

PICKLED_BY_3_10 = ("--region", "us-east-1", "--client_python_version", "3.10", "--pipeline_step_name", "Add")


@pytest.mark.parametrize(
    "image",
    [
        ImageStatus(image_uri="my-image:1", local="/cache/environments/base-python-311-1.0-ab", python="3.11"),
        ImageStatus(image_uri="my-image:1", local="localpipe/base-python-311:1.0"),
    ],
)
def test_a_function_that_another_python_pickled_is_refused_before_it_runs(image: ImageStatus) -> None:
    with pytest.raises(ImageMissing) as raised:
        require_authors_python("Add", PICKLED_BY_3_10, image)
    assert str(raised.value) == (
        "Image my-image:1: step 'Add': it has Python 3.11; the function was pickled by Python 3.10 and loads in no other."
        " Run the script in Python 3.11 (`--python`), or map the image to one with Python 3.10 under [images] in"
        ' localpipe.toml, for example to "localpipe/base-python-310:1.0".'
    )


@pytest.mark.parametrize(
    ("arguments", "local", "python"),
    [
        pytest.param(PICKLED_BY_3_10, "localpipe/base-python-310:1.0", "", id="the same Python"),
        pytest.param(PICKLED_BY_3_10, "/usr", "3.10", id="the same Python of a runner"),
        pytest.param(PICKLED_BY_3_10, "my-image:1", "", id="an image that localpipe does not know"),
        pytest.param(PICKLED_BY_3_10, "localpipe/xgboost:1.5-1", "", id="a stand-in of any of several Pythons"),
        pytest.param((*PICKLED_BY_3_10, "--job_conda_env", "mine"), "/usr", "3.11", id="an environment of its own"),
        pytest.param(("--epochs", "3"), "/usr", "3.11", id="no function"),
    ],
)
def test_any_other_job_is_let_through(arguments: tuple[str, ...], local: str, python: str) -> None:
    require_authors_python("Add", arguments, ImageStatus(image_uri="my-image:1", local=local, python=python))
