from __future__ import annotations

import errno

import pytest

from localpipe.engine.trouble import before_the_start
from localpipe.errors import (
    JOB_INTERNAL_ERROR,
    HomeUnusable,
    ImageMissing,
    InputNotFound,
    JobFailed,
    NotSupported,
    RunnerUnavailable,
)


@pytest.mark.parametrize(
    ("error", "exception_type"),
    [
        pytest.param(RunnerUnavailable("no engine answers", ""), "Step.SERVICE_FAULT", id="the engine is down"),
        pytest.param(JobFailed("it went away", JOB_INTERNAL_ERROR), "Step.SERVICE_FAULT", id="the engine goes away"),
        pytest.param(JobFailed("full", "SageMaker.CAPACITY_ERROR"), "SageMaker.CAPACITY_ERROR", id="its disk is full"),
        pytest.param(JobFailed("slowly", "Step.THROTTLING"), "Step.THROTTLING", id="it takes no more requests"),
        pytest.param(JobFailed("no such program"), None, id="the job is wrong"),
        pytest.param(OSError(errno.ENOSPC, "no space left"), "SageMaker.CAPACITY_ERROR", id="the disk is full"),
        pytest.param(OSError(errno.ENOMEM, "no memory"), "SageMaker.CAPACITY_ERROR", id="memory is short"),
        pytest.param(OSError(errno.EMFILE, "too many files"), "SageMaker.CAPACITY_ERROR", id="descriptors are short"),
        pytest.param(OSError(errno.EACCES, "denied"), None, id="a file may not be read"),
        pytest.param(ImageMissing("image", "it is gone.", ""), None, id="the image is gone"),
        pytest.param(InputNotFound("in", "s3://b/x", "$", None), None, id="an input is not there"),
        pytest.param(HomeUnusable("read-only"), None, id="the home cannot be written"),
        pytest.param(NotSupported("that", ""), None, id="it is not supported"),
    ],
)
def test_what_keeps_a_job_from_starting_counts_as(error: Exception, exception_type: str | None) -> None:
    assert before_the_start(error) == exception_type
