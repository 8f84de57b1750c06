"""PURE: what pip keeps to when a job installs packages, as files of the stand-in's virtual environment.

Why at all, and why no more than that: docs/decisions/0009-pip-in-a-job-keeps-numpy-1.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePath

    from localpipe.images.catalogue import StandIn

_CONSTRAINTS = "localpipe-constraints.txt"


def pip_settings(stand_in: StandIn, prefix: PurePath) -> Mapping[str, str]:
    """Name → content of the files to put into the environment at `prefix`, where pip reads them; none without constraints.

    pip's name for a `pip.conf` there is "site"; a job's own `PIP_CONSTRAINT` wins over it.
    """
    if not stand_in.constraints:
        return {}
    lines = [f"# localpipe: the packages of {stand_in.name} need this. PIP_CONSTRAINT=/dev/null in a job ends it."]
    return {
        "pip.conf": f"[install]\nconstraint = {prefix / _CONSTRAINTS}\n",
        _CONSTRAINTS: "".join(f"{line}\n" for line in (*lines, *stand_in.constraints)),
    }
