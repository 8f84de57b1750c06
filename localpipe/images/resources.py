"""Where the Dockerfiles, requirements and programs of the stand-ins lie: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
SHARED_REQUIREMENTS = "python-base/requirements.txt"


def containers_dir() -> Path:
    """The folder `containers`: inside an installed wheel `localpipe/_containers`, in a checkout beside the package."""
    installed = _PACKAGE / "_containers"
    return installed if installed.is_dir() else _PACKAGE.parent / "containers"


def requirements(text: str) -> tuple[str, ...]:
    """The requirements of a requirements file without its comments and empty lines."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def shared_pins(containers: Path) -> tuple[str, ...]:
    """What every stand-in has, exact and complete: AWS's training toolkit with its dependencies, boto3, requests, joblib."""
    return requirements((containers / SHARED_REQUIREMENTS).read_text())
