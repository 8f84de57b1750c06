from __future__ import annotations

import pytest
from botocore.loaders import Loader

from localpipe.core import JSON


@pytest.fixture(scope="session")
def model() -> JSON:
    return Loader().load_service_model("sagemaker", "service-2")
