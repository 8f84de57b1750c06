"""Run Amazon SageMaker Pipelines on your own machine.

    execution = localpipe.run("pipeline.py", parameters={"MseThreshold": 6.0})
    execution.status, execution.steps["EvaluateModel"].properties

`run`, `check` and `Execution` are public; nothing else is. They are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe._version import __version__

if TYPE_CHECKING:
    from localpipe.api import Execution, Step, check, run

__all__ = ["Execution", "Step", "__version__", "check", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from localpipe import api

        return getattr(api, name)
    raise AttributeError(f"module 'localpipe' has no attribute {name!r}")
