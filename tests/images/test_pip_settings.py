from __future__ import annotations

from pathlib import PurePosixPath

from localpipe.images import catalogue
from localpipe.images.pip_settings import pip_settings

PREFIX = PurePosixPath("/opt/venv")


def test_pip_keeps_numpy_1_where_packages_were_compiled_against_it() -> None:
    (old,) = catalogue.named("scikit-learn:0.23-1")
    assert pip_settings(old, PREFIX) == {
        "pip.conf": "[install]\nconstraint = /opt/venv/localpipe-constraints.txt\n",
        "localpipe-constraints.txt": (
            "# localpipe: the packages of scikit-learn:0.23-1 need this. PIP_CONSTRAINT=/dev/null in a job ends it.\n"
            "numpy<2\n"
        ),
    }


def test_pip_is_left_alone_elsewhere() -> None:
    for name in "scikit-learn:1.4-2", "base-python-310:1.0":
        (stand_in,) = catalogue.named(name)
        assert pip_settings(stand_in, PREFIX) == {}
