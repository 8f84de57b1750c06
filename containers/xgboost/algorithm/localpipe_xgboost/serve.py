"""The console script `serve`: by a script of the author's, else by the built-in algorithm. Follows: containers.md 3.9."""

from __future__ import annotations

import logging
import os
from functools import partial

from localpipe_serve import server, user_code


def main() -> None:
    """Serve what lies in `/opt/ml/model`."""
    server.end_at_once()
    logging.basicConfig(level=int(os.environ.get("SAGEMAKER_CONTAINER_LOG_LEVEL") or logging.INFO))
    scripted = bool(os.environ.get(user_code.PROGRAM))
    if scripted:
        user_code.prepare(os.environ)
    from localpipe_xgboost import applications  # slow to import: before the workers are forked, after SIGTERM is heeded

    server.run(partial(applications.of_script if scripted else applications.of_algorithm, os.environ))
