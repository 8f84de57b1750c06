"""What a row of the contract's table is, and what it may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RUNNERS: Mapping[str, frozenset[str]] = {
    "docker": frozenset({"docker"}),
    "process": frozenset({"sandbox"}),
    "sandbox": frozenset({"docker", "sandbox"}),
}
"""Every runner under contract, with the pytest markers of what it needs; images come from an engine."""

MARKS: Mapping[str, str] = {
    "B": "the request model of botocore",
    "V2": "SageMaker Python SDK 2",
    "V3": "SageMaker Python SDK 3",
    "IT": "integration tests of the SDK, so seen on the service",
    "D": "Developer Guide",
    "T": "sagemaker-training-toolkit",
    "I": "sagemaker-inference-toolkit",
    "SP": "Spark container",
    "XGB": "XGBoost container",
    "N": "output of AWS's example notebooks, so seen on the service",
    "G": "a public record of a real run",
    "INF": "inferred",
    "?": "unverified",
}

FILES: Mapping[str, str] = {
    "requests": "tests/contract/test_request_rules.py",
    "processing": "tests/contract/test_processing_rules.py",
    "training": "tests/contract/test_training_rules.py",
    "toolkit": "tests/contract/test_toolkit_rules.py",
    "serving": "tests/contract/test_serving_rules.py",
    "tuning": "tests/contract/test_tuning_rules.py",
    "docker": "tests/contract/test_docker_runner.py",
    "jobs.processing": "tests/jobs/test_processing_jobs.py",
    "jobs.training": "tests/jobs/test_training_jobs.py",
    "jobs.transform": "tests/jobs/test_transform_jobs.py",
    "jobs.tuning": "tests/jobs/test_tuning_jobs.py",
    "jobs.autotune": "tests/jobs/test_tuning_autotune.py",
    "metrics": "tests/staging/test_metrics.py",
    "engine": "tests/engine/test_job.py",
    "engine.transform": "tests/engine/test_transform.py",
    "engine.containers": "tests/engine/test_model_containers.py",
    "engine.invocations": "tests/engine/test_invocations.py",
    "engine.tuning": "tests/engine/test_tuning.py",
    "splitting": "tests/transform/test_splitting.py",
    "outputs": "tests/transform/test_outputs.py",
    "filters": "tests/transform/test_filter_paths.py",
    "moves": "tests/tuning/test_moves.py",
    "ranges": "tests/tuning/test_ranges.py",
    "strategies": "tests/tuning/test_strategies.py",
    "check": "tests/definition/test_check.py",
    "names": "tests/core/test_names.py",
    "settings": "tests/test_settings.py",
    "sdk": "tests/authoring/test_sdk.py",
    "spark": "tests/containers/test_spark.py",
    "stand_ins": "tests/containers/test_serving.py",
}
"""Where the tests of the table are."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One statement of containers.md in our own words.

    `number`: its section with its place there, see `rules.py`. `mark`: where it is known from, keys of MARKS. `tests`: what
    shows it, as `<key of FILES>::<test>`. `differs`: by runner, what is so instead where it does not hold as it stands; the
    tests show that then.
    """

    number: str
    says: str
    mark: str
    tests: tuple[str, ...]
    differs: Mapping[str, str] = field(default_factory=dict)

    @property
    def section(self) -> str:
        """`1.6` of `1.6-3`."""
        return self.number.partition("-")[0]


def rule(
    number: str,
    mark: str,
    says: str,
    *tests: str,
    differs: Mapping[str, str] | None = None,
) -> Rule:
    """A row, in the order in which it is read."""
    return Rule(number=number, says=says, mark=mark, tests=tests, differs=differs or {})


def everywhere(text: str) -> Mapping[str, str]:
    """The same of every runner."""
    return dict.fromkeys(RUNNERS, text)
