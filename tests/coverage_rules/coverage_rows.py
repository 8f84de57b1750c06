"""What a row of the table of service.md is, and what it may name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MARKS: Mapping[str, str] = {
    "B": "the service model of botocore",
    "D": "Developer Guide",
    "S": "the published JSON schema of definitions",
    "V2": "SageMaker Python SDK 2",
    "V3": "SageMaker Python SDK 3",
    "IT": "integration tests of the SDK, so seen on the service",
    "N": "output of AWS's example notebooks, so seen on the service",
    "G": "a public record of a real run",
    "M": "as another mock of the service has it",
    "INF": "inferred",
    "?": "unverified",
}
KNOWN: Mapping[str, frozenset[str]] = {
    "observed": frozenset({"IT", "N", "G"}),
    "documented": frozenset({"B", "D", "S", "V2", "V3"}),
    "assumed": frozenset({"M", "INF", "?"}),
}
"""How a statement is known, the strongest first: seen on the service; in AWS's documents, models or SDKs; neither."""

HOLDS, DIFFERS, REFUSED, BESIDE = "holds", "differs", "refused", "not localpipe's"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What becomes of one statement here. `number`: its section with its place there.

    `state`: HOLDS; DIFFERS (`note` says how); REFUSED by name before the run (`note`: what); BESIDE: it is about the SDK or
    about operations that localpipe does not serve (`note` says which). `tests`: what shows it, as `<key of FILES>::<test>`;
    none for BESIDE. `mark`: where it is known from, keys of MARKS, where the statement itself does not say.
    """

    number: str
    state: str
    tests: tuple[str, ...]
    note: str = ""
    mark: str = ""

    @property
    def section(self) -> str:
        """`1.6` of `1.6-3`."""
        return self.number.partition("-")[0]


def holds(number: str, *tests: str, mark: str = "") -> Row:
    """It is as the statement says."""
    return Row(number=number, state=HOLDS, tests=tests, mark=mark)


def differs(number: str, note: str, *tests: str, mark: str = "") -> Row:
    """It is otherwise; the tests show what is so instead."""
    return Row(number=number, state=DIFFERS, tests=tests, note=note, mark=mark)


def refused(number: str, note: str, *tests: str, mark: str = "") -> Row:
    """It is refused by name before the run."""
    return Row(number=number, state=REFUSED, tests=tests, note=note, mark=mark)


def beside(number: str, note: str, mark: str = "") -> Row:
    """It is none of localpipe's matters."""
    return Row(number=number, state=BESIDE, tests=(), note=note, mark=mark)


def marks_of(statement: str, row: Row) -> tuple[str, ...]:
    """Where a statement is known from: its marks, else those of the row, else `?`."""
    text = re.sub(r"`[^`]*`", "", statement)
    named = " ".join(re.findall(r"\[([^\]]*)\]", text)) + (" ?" if "UNVERIFIED" in text or "uggested" in text else "")
    found = re.findall(r"(?<![\w-])(?:V2|V3|IT|INF|[BDSNGM?])(?![\w-])", named)
    return tuple(dict.fromkeys(found or row.mark.split() or ["?"]))


def known_by(marks: tuple[str, ...]) -> str:
    """`observed`, `documented` or `assumed`; what is only suggested is assumed in part."""
    strongest = next(word for word, of_it in KNOWN.items() if of_it & set(marks))
    return f"{strongest}, in part assumed" if strongest != "assumed" and "?" in marks else strongest


FILES: Mapping[str, str] = {
    "parse": "tests/definition/test_parse.py",
    "check": "tests/definition/test_check.py",
    "requests": "tests/definition/test_requests.py",
    "expressions": "tests/definition/test_expressions.py",
    "paths": "tests/definition/test_property_paths.py",
    "json_paths": "tests/definition/test_json_paths.py",
    "conditions": "tests/definition/test_conditions.py",
    "parameters": "tests/definition/test_parameters.py",
    "doubts": "tests/definition/test_doubts.py",
    "durations": "tests/definition/test_durations.py",
    "texts": "tests/definition/test_texts.py",
    "definitions": "tests/property/test_definitions.py",
    "golden": "tests/golden/test_plans.py",
    "graph": "tests/scheduling/test_graph.py",
    "decide": "tests/scheduling/test_decide.py",
    "retries": "tests/scheduling/test_retries.py",
    "state": "tests/scheduling/test_state.py",
    "scheduling": "tests/property/test_scheduling.py",
    "selection": "tests/property/test_selection.py",
    "steps": "tests/steps/test_step_types.py",
    "names": "tests/core/test_names.py",
    "processing": "tests/jobs/test_processing_jobs.py",
    "training": "tests/jobs/test_training_jobs.py",
    "engine": "tests/engine/test_engine.py",
    "job": "tests/engine/test_job.py",
    "executions": "tests/service/test_executions.py",
    "views": "tests/service/test_views.py",
    "foresight": "tests/service/test_foresight.py",
    "fidelity": "tests/service/test_fidelity.py",
    "models": "tests/service/test_models.py",
    "registry": "tests/registry/test_registry.py",
    "tuning": "tests/engine/test_tuning.py",
    "transform_jobs": "tests/jobs/test_transform_jobs.py",
    "outputs": "tests/steps/test_function_outputs.py",
    "never": "tests/steps/test_never_retried.py",
    "messages": "tests/scheduling/test_messages.py",
    "callbacks": "tests/service/test_callbacks.py",
    "processes": "tests/functions/test_processes.py",
    "code": "tests/functions/test_function_code.py",
    "functions_cli": "tests/cli/test_function_steps.py",
    "signatures": "tests/caching/test_signatures.py",
    "verdict": "tests/caching/test_verdict.py",
    "reuse": "tests/engine/test_reuse.py",
    "policies": "tests/scheduling/test_policies_by_clock.py",
    "faults": "tests/engine/test_faults.py",
    "trouble": "tests/engine/test_trouble.py",
    "parts": "tests/cli/test_parts.py",
    "parts_in_jobs": "tests/cli/test_parts_in_jobs.py",
    "selected": "tests/service/test_selected_steps.py",
    "script": "tests/authoring/test_script.py",
    "run": "tests/cli/test_run.py",
    "refusals": "tests/cli/test_refusals.py",
    "jobs": "tests/cli/test_jobs.py",
    "capture": "tests/authoring/test_capture.py",
    "sdk": "tests/authoring/test_sdk.py",
    "functions": "tests/samples/test_step_functions.py",
    "author": "tests/service/test_authors_python.py",
    "model_steps": "tests/samples/test_model_steps.py",
    "samples": "tests/samples/test_samples.py",
    "tuning_sample": "tests/samples/test_tuning_sample.py",
    "served_models": "tests/samples/test_served_models.py",
    "notify": "tests/samples/test_notify.py",
    "version_3": "tests/samples/test_steps_of_version_3.py",
}
"""Where the tests of the table are."""
