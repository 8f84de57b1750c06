"""What came of a script, as the launcher tells it: a definition, or the sentence that lets its author go on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.authoring.local_mode import without_local_instances
from localpipe.errors import AuthoringError, NotSupported
from localpipe.server.capture import OF_SCRIPT, CapturedStart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core import JSON
    from localpipe.core.functions import CapturedFunction
    from localpipe.server.capture import CapturedPipeline

_OLDEST_SDK = (2, 200)
_START_NOT_RUN = (
    "The script's `__main__` block did not run: what it gives to start() is not taken. Give parameters by -p Name=Value."
)
_INSTEAD: tuple[tuple[str, str], ...] = (
    (
        r"sagemaker:Create\w+Job",
        "No job runs while a pipeline is compiled: give what makes the step a PipelineSession; the pipeline runs the job.",
    ),
    (r"Mode\.LOCAL_CONTAINER", "Leave training_mode out: localpipe runs the job in a container all the same."),
    (r"", "No call reaches AWS: take the value from a variable (--env K=V) or from an argument of the script (-- ARGS)."),
)
"""Pattern of what is refused, as a rule a `<service>:<Operation>` → what to do; the first that fits."""


@dataclass(frozen=True, kw_only=True)
class AuthoredDefinition:
    """A definition as text, the pipeline's name, and what the author said about the run.

    `parameters`: start parameters that the script itself gave (`pipeline.start(parameters=...)`), by name, as text.
    `max_parallel`: MaxParallelExecutionSteps as the script set it; None where it did not. `selection`: the
    SelectiveExecutionConfig that it starts the pipeline with, or None. `directory`: where relative local paths in the
    definition are from. `notes`: sentences for the user about how the definition came to be. `functions`: the Lambda
    functions that were made, by name.
    """

    definition: str
    pipeline_name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    max_parallel: int | None = None
    selection: JSON = None
    directory: Path = Path()
    notes: tuple[str, ...] = ()
    functions: Mapping[str, CapturedFunction] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Which script ran, in which Python, with which arguments of its command line."""

    path: Path
    python: Path
    script_arguments: tuple[str, ...] = ()


def read_result(result: JSON, ran: Ran, captured: Mapping[str, CapturedPipeline]) -> AuthoredDefinition:
    """The definition that a result tells of; `captured`: what the endpoint received, by name.

    Raises AuthoringError for every outcome but a definition, NotSupported.
    """
    name, notes = result.get("name"), tuple(result["notes"])
    if result["outcome"] == "compiled":
        notes += (_START_NOT_RUN,) if result["start_not_run"] else ()
        definition = without_local_instances(result["definition"])
        return AuthoredDefinition(definition=definition, pipeline_name=name, notes=notes)
    if result["outcome"] == "captured":
        return _from_capture(captured[name], notes)
    if result["outcome"] == "failed" and result["refused"]:
        raise _refused(result, ran)
    raise AuthoringError(_no_definition(result, ran))


def _from_capture(captured: CapturedPipeline, notes: tuple[str, ...]) -> AuthoredDefinition:
    """What the script told the endpoint: its start wins over the pipeline's setting. Follows: service.md section 5.1."""
    start = captured.start or CapturedStart(parameters={})
    if start.selective:
        notes += (_selective_note(captured.name, start.selective),)
    if start.parameters:
        notes += (f"Parameters that the script starts the pipeline with: {', '.join(start.parameters)}.",)
    max_parallel = start.max_parallel or captured.max_parallel
    if max_parallel:
        notes += (f"The script sets MaxParallelExecutionSteps to {max_parallel}; --max-parallel changes it.",)
    return AuthoredDefinition(
        definition=without_local_instances(captured.definition),
        pipeline_name=captured.name,
        parameters=start.parameters,
        max_parallel=max_parallel,
        selection=start.selective,
        notes=notes,
    )


def _selective_note(pipeline_name: str, config: JSON) -> str:
    """Raises NotSupported for a source that the script itself starts: of its executions only the last one runs."""
    source = (config.get("SourcePipelineExecutionArn") or "").rpartition("/")[2]
    if source.startswith(OF_SCRIPT):
        raise NotSupported(
            f"Selective execution of pipeline {pipeline_name!r} with an execution as source that the script itself starts",
            "Only its last start runs: run the pipeline first, then a script that starts it selectively, or use --from.",
        )
    return f"Steps that the script selects: {', '.join(row['StepName'] for row in config['SelectedSteps'])}."


def _refused(result: JSON, ran: Ran) -> NotSupported:
    refused, where = result["refused"], result["own_frames"]
    instead = next(text for pattern, text in _INSTEAD if re.match(pattern, refused))
    feature = f"{refused}, which {ran.path} asks for while its pipeline is compiled,"
    return NotSupported(feature, f"{instead}\n{where}".rstrip())


def _no_definition(result: JSON, ran: Ran) -> str:
    outcome, names = result["outcome"], ", ".join(result.get("names", ()))
    if outcome == "failed":
        return _failed(result, ran)
    if outcome == "no notebook":
        return f"{ran.path} is no notebook of version 4: export it (`jupyter nbconvert --to script {ran.path}`)."
    if outcome == "several":
        return f"{ran.path} makes several pipelines: {names}. Name the one you mean by --pipeline."
    if outcome == "absent":
        ended = " It was ended where it waits, so it may make others after that." if result["ended"] else ""
        return f"{ran.path} makes no pipeline of the name asked for by --pipeline. It makes: {names}.{ended}"
    if outcome in {"function", "functions"}:
        return _which_function(outcome, ran, names)
    return _function_unused(result, ran, names)


def _which_function(outcome: str, ran: Ran, names: str) -> str:
    if outcome == "functions":
        return f"{ran.path} has several functions that may make the pipeline: {names}. Name the one you mean by --function."
    has = f" It has {names}." if names else ""
    return f"{ran.path} has no function of the name asked for by --function.{has}"


def _function_unused(result: JSON, ran: Ran, names: str) -> str:
    """Of the outcomes `arguments` and `none`."""
    function, unknown = result["function"], ", ".join(result["unknown_parameters"])
    if result["outcome"] == "arguments":
        if function is None:
            return f"{ran.path} has no get_pipeline() that could take what --arg gives: {names}. Name another by --function."
        return f"{function}() of {ran.path} does not take {names}. It takes: {', '.join(result['taken']) or 'nothing'}."
    if unknown:
        return (
            f"{function}() of {ran.path} has parameters that localpipe has no value for: {unknown}. "
            "Give them by --arg Name=Value, give them defaults, or keep a Pipeline in a variable of the module."
        )
    returned = f"; {function}() returned none" if function else ""
    return (
        f"{ran.path} made no pipeline{returned}. Define get_pipeline(), keep a Pipeline in a variable of the module, "
        "or upsert it when the script runs. A function of another name is named by --function."
    )


def _failed(result: JSON, ran: Ran) -> str:
    python, missing, sdk = ran.python, result["missing_module"] or "", result["sdk"]
    if result["wants_arguments"]:
        return _wants_arguments(ran)
    if result["sdk_hidden_by"] and missing.startswith("sagemaker"):
        return f"{result['sdk_hidden_by']} hides the SageMaker SDK from {ran.path}. Give it another name."
    if missing == "sagemaker":
        return (
            f"{python} cannot import `sagemaker`, which {ran.path} needs. Install the SageMaker SDK there "
            f"(`{python} -m pip install sagemaker`), or name another Python by --python."
        )
    if missing.startswith("sagemaker."):
        return (
            f"The SageMaker SDK{f' {sdk}' if sdk else ''} of {python} has no `{missing}`, which {ran.path} needs: "
            "its versions 2 and 3 have different modules. Name a Python with the version that the script is for by --python."
        )
    text = f"{ran.path} failed:\n{result['traceback'].rstrip()}"
    remedies = _remedies(result, python)
    return f"{text}\n{remedies}" if remedies else text


def _wants_arguments(ran: Ran) -> str:
    if ran.script_arguments:
        return f"{ran.path} refuses the arguments that it is given after `--`; what it says about them is above."
    return (
        f"{ran.path} wants arguments on its command line, and is given none; what it says about them is above. Type them at "
        "the end, after two dashes: `-- ARGS`. Or name the function that makes the pipeline by --function."
    )


def _remedies(result: JSON, python: Path) -> str:
    """What is known of the cause of a traceback; empty if nothing is."""
    missing, sdk = result["missing_module"], result["sdk"]
    if missing:
        name = missing.partition(".")[0]
        return f"The Python is {python}: install `{name}` there, or name another by --python."
    if sdk and _version(sdk) < _OLDEST_SDK:
        return f"The Python is {python}, with version {sdk} of the SageMaker SDK: localpipe is for 2.200 and later."
    if result["sdk_import_failed"]:
        return (
            f"Version {sdk} of the SageMaker SDK cannot be imported by {python}: install it anew there "
            f"(`{python} -m pip install --force-reinstall sagemaker=={sdk}`), or name another Python by --python."
        )
    return ""


def _version(text: str) -> tuple[int, ...]:
    """`2.190.0.post1` → (2, 190)."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])
