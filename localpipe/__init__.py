"""Run Amazon SageMaker Pipelines on your own machine.

    execution = localpipe.run("pipeline.py", parameters={"MseThreshold": 6.0})
    execution.status, execution.steps["EvaluateModel"].properties

`run`, `check`, `Part`, the three that answer callbacks and what they give are public; nothing else is. They are imported
when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe._version import __version__

if TYPE_CHECKING:
    from localpipe.api import Execution, Step, callbacks, check, fail_callback, run, succeed_callback
    from localpipe.service.parts import Part

__all__ = [
    "Execution",
    "Part",
    "Step",
    "__version__",
    "callbacks",
    "check",
    "fail_callback",
    "run",
    "succeed_callback",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from localpipe import api

        return getattr(api, name)
    raise AttributeError(f"module 'localpipe' has no attribute {name!r}")
