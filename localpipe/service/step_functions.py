"""`@step` functions: the SDK pickles them, and its job refuses to load what another Python pickled.

Follows: service.md section 2.5; the SDK's `remote_function/job.py` (`_Job.compile`) and `runtime_environment_manager.py`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from localpipe.errors import ImageMissing
from localpipe.images.catalogue import parse_image_uri, stand_in
from localpipe.images.families import dotted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localpipe.core.ports import ImageStatus

_AUTHORS_PYTHON = "--client_python_version"
_OWN_ENVIRONMENT = "--job_conda_env"


def require_authors_python(step: str, arguments: Sequence[str], image: ImageStatus) -> None:
    """Raise ImageMissing for a job whose image is known to have another Python than the author's.

    `arguments`: of its container.
    """
    wanted = dict(pairwise(arguments)).get(_AUTHORS_PYTHON)
    found = image.python or _stand_ins_python(image.local or "")
    if not wanted or not found or wanted == found or _OWN_ENVIRONMENT in arguments:
        return
    raise ImageMissing(
        image.image_uri,
        f"step {step!r}: it has Python {found}; the function was pickled by Python {wanted} and loads in no other.",
        f"Run the script in Python {found} (`--python`), or map the image to one with Python {wanted} under [images] in"
        f' localpipe.toml, for example to "localpipe/base-python-{wanted.replace(".", "")}:1.0".',
    )


def _stand_ins_python(local: str) -> str:
    """The Python of a stand-in that is made with one only, else nothing."""
    found = stand_in(parse_image_uri(local))
    return dotted(found.pythons[0]) if found and len(found.pythons) == 1 else ""
