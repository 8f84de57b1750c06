# ruff: noqa: INP001 - the folder holds what `site` imports, and is no package
"""Redirects a Python that the author's script starts (`subprocess`, `multiprocessing`) as the script itself is.

This folder is first on PYTHONPATH while a pipeline is compiled, so that the `site` module of every Python imports this file.
Any version may: what older ones cannot parse is imported under a condition. Afterwards `sys.path` and `sitecustomize` are
what they would be without it. Not covered: a Python that is started without the script's environment (`env={}`, `-E`, `-I`,
`-S`).
"""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would slow every start
_ENDPOINT = os.environ.get("_LOCALPIPE_ENDPOINT")

if _ENDPOINT and sys.version_info >= (3, 7):
    sys.path.insert(0, os.path.dirname(_FOLDER))  # noqa: PTH120 - the same
    try:
        from localpipe_launcher.redirect import (  # type: ignore[import-not-found] # found by the line above
            WANTED_VARIABLE,
            Endpoint,
            Redirection,
        )
        from localpipe_launcher.waiting import NothingToWaitFor  # type: ignore[import-not-found] # the same
    finally:
        del sys.path[0]
    _waiting = NothingToWaitFor(os.environ.get(WANTED_VARIABLE) or None, lambda: os._exit(0))
    _waiting.install()
    Redirection(Endpoint.from_text(_ENDPOINT), _waiting.before_call).__enter__()

sys.path[:] = [_entry for _entry in sys.path if _entry != _FOLDER]
_ours = sys.modules.pop("sitecustomize")
try:
    __import__("sitecustomize")  # the one that this file hides
except ImportError as _error:
    if _error.name != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = _ours
