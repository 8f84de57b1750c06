"""Entry of the author's process: `python <this folder> REQUEST.json`. See `run.main` for the request and the result."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).absolute().parents[1])
    run = importlib.import_module("localpipe_launcher.run")
    del sys.path[0]
    sys.exit(run.main(sys.argv[1]))
