"""What a runner without several hosts is told before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from support import pipeline, processing

from localpipe.errors import NotSupported
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


class RunnerOfOneHost(ScriptedRunner):
    several_hosts: ClassVar[bool] = False


def test_a_job_of_several_hosts_is_refused_with_its_step(tmp_path: Path) -> None:
    home = Home(load_settings({"home": str(tmp_path / "home")}, {}, tmp_path))
    step = processing("Use")
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    with pytest.raises(NotSupported) as refused:
        preflight(home, pipeline(step), "test", {}, runner=RunnerOfOneHost())
    assert str(refused.value) == (
        "Step 'Use': a job of 2 hosts on the scripted runner is not supported. "
        "Use --runner docker, or set InstanceCount to 1."
    )
    home.close()
