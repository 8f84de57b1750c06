"""The author's inference code: where it lies, on Python's path, with what it requires. Follows: containers.md 3.9."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sagemaker_training import errors, files, modules

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MODEL_DIR = "/opt/ml/model"
PROGRAM = "SAGEMAKER_PROGRAM"
_SUBMITTED = "SAGEMAKER_SUBMIT_DIRECTORY"
_UNPACKED = "/opt/ml/code"


def prepare(environ: MutableMapping[str, str]) -> str:
    """Bring the code onto the path, of programs that it starts too, install its requirements, return its module's name.

    `SAGEMAKER_SUBMIT_DIRECTORY` names an archive, in S3 or here, or a directory, by default `/opt/ml/model/code`. Ends the
    program, saying why, where pip fails or the module is not there.
    """
    program = environ[PROGRAM]
    directory = _directory(environ.get(_SUBMITTED) or f"{MODEL_DIR}/code")
    sys.path.insert(0, str(directory))
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(directory), environ.get("PYTHONPATH")]))
    if (directory / "requirements.txt").exists():
        _install(directory)
    name = program.removesuffix(".py")
    if importlib.util.find_spec(name) is None:
        held = ", ".join(sorted(path.name for path in directory.iterdir())) if directory.is_dir() else "no such directory"
        sys.exit(f"{PROGRAM} is {program!r}, which is not in {directory} ({held}).")
    return name


def _directory(submitted: str) -> Path:
    if not submitted.startswith("s3://") and not Path(submitted).is_file():
        return Path(submitted)
    files.download_and_extract(submitted, _UNPACKED)
    return Path(_UNPACKED)


def _install(directory: Path) -> None:
    try:
        modules.install_requirements(str(directory))
    except errors.InstallRequirementsError as error:
        sys.exit(str(error))
