from __future__ import annotations

from botocore.loaders import Loader

from localpipe.service.service_model import service_model


def test_it_is_the_model_that_botocore_would_give() -> None:
    assert service_model()["shapes"] == Loader().load_service_model("sagemaker", "service-2")["shapes"]
