from __future__ import annotations

from botocore.loaders import Loader

from localpipe.service.service_model import service_model


def test_it_is_the_model_that_botocore_would_give_with_what_pipelines_add() -> None:
    shapes = service_model()["shapes"]
    added = shapes["DescribeHyperParameterTuningJobResponse"]["members"].pop("TrainingJobSummaries")
    assert added == {"shape": "HyperParameterTrainingJobSummaries"}
    assert shapes == Loader().load_service_model("sagemaker", "service-2")["shapes"]
