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

_ADDED_BY_PIPELINES = {
    "DescribeHyperParameterTuningJobResponse": ("TrainingJobSummaries", "HyperParameterTrainingJobSummaries")
}
"""Of a response, what the properties of a step have besides: a member and its shape. Follows: service.md section 2.4."""


def service_model() -> JSON:
    """The newest model that the package has, with the members that pipelines add to responses.

    It is read without botocore, whose import takes several times as long as the reading; where the file is not where
    botocore has it today, botocore is asked.
    """
    package = find_spec("botocore")
    places = (package.submodule_search_locations or ()) if package else ()
    files = [file for place in places for file in sorted(Path(place).glob(_FILE))]
    if files:
        return _with_added(json.loads(gzip.decompress(files[-1].read_bytes())))
    from botocore.loaders import Loader

    return _with_added(Loader().load_service_model("sagemaker", "service-2"))


def _with_added(model: JSON) -> JSON:
    for response, (member, shape) in _ADDED_BY_PIPELINES.items():
        model["shapes"][response]["members"][member] = {"shape": shape}
    return model
