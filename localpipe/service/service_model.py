"""SageMaker's service model: the shapes of its requests and responses, as the installed botocore ships them."""

from __future__ import annotations

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.core import JSON

_FILE = "data/sagemaker/*/service-2.json.gz"


def service_model() -> JSON:
    """The newest model that the package has.

    It is read without botocore, whose import takes several times as long as the reading; where the file is not where
    botocore has it today, botocore is asked.
    """
    package = find_spec("botocore")
    places = (package.submodule_search_locations or ()) if package else ()
    files = [file for place in places for file in sorted(Path(place).glob(_FILE))]
    if files:
        return json.loads(gzip.decompress(files[-1].read_bytes()))
    from botocore.loaders import Loader

    return Loader().load_service_model("sagemaker", "service-2")
