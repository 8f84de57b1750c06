"""Entry of the author's process: `python <this folder> REQUEST.json`. See `run.main` for the request and the result."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

INTERRUPTED_STATUS = 130

if __name__ == "__main__":
    try:
        sys.path[0] = str(Path(__file__).absolute().parents[1])
        run = importlib.import_module("localpipe_launcher.run")
        del sys.path[0]
        sys.exit(run.main(sys.argv[1]))
    except KeyboardInterrupt:  # told by the process that waits for this one
        sys.exit(INTERRUPTED_STATUS)
