from __future__ import annotations

from pathlib import Path

import pytest

from localpipe.authoring.outcome import Ran, read_result
from localpipe.core import JSON
from localpipe.errors import AuthoringError, NotSupported

RAN = Ran(path=Path("p.py"), python=Path("/v/bin/python"))
FAILED: JSON = {
    "outcome": "failed",
    "notes": [],
    "traceback": "Traceback\nImportError: no x\n",
    "own_frames": '  File "p.py", line 1\n',
    "missing_module": None,
    "wants_arguments": False,
    "refused": None,
    "sdk": "2.257.0",
    "sdk_import_failed": False,
    "sdk_hidden_by": None,
}


@pytest.mark.parametrize(
    ("facts", "last_line"),
    [
        ({}, "ImportError: no x"),
        (
            {"sdk": "2.190.0"},
            "The Python is /v/bin/python, with version 2.190.0 of the SageMaker SDK: localpipe is for 2.200 and later.",
        ),
        (
            {"sdk_import_failed": True},
            (
                "Version 2.257.0 of the SageMaker SDK cannot be imported by /v/bin/python: install it anew there "
                "(`/v/bin/python -m pip install --force-reinstall sagemaker==2.257.0`), or name another Python by --python."
            ),
        ),
        (
            {"missing_module": "sagemaker.workflow", "sdk_hidden_by": "/project/sagemaker.py"},
            "/project/sagemaker.py hides the SageMaker SDK from p.py. Give it another name.",
        ),
        (
            {"missing_module": "sagemaker.sklearn", "sdk": "3.27.0"},
            (
                "The SageMaker SDK 3.27.0 of /v/bin/python has no `sagemaker.sklearn`, which p.py needs: its versions 2 and "
                "3 have different modules. Name a Python with the version that the script is for by --python."
            ),
        ),
    ],
)
def test_what_is_known_of_the_cause_is_told(facts: JSON, last_line: str) -> None:
    with pytest.raises(AuthoringError) as error:
        read_result({**FAILED, **facts}, RAN, {})
    assert str(error.value).splitlines()[-1] == last_line


def test_a_container_that_the_sdk_would_start_is_refused() -> None:
    with pytest.raises(NotSupported) as error:
        read_result({**FAILED, "refused": "Mode.LOCAL_CONTAINER"}, RAN, {})
    assert str(error.value) == (
        "Mode.LOCAL_CONTAINER, which p.py asks for while its pipeline is compiled, is not supported. Leave training_mode "
        'out: localpipe runs the job in a container all the same.\n  File "p.py", line 1'
    )
