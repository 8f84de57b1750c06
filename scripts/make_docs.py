"""Write the documentation that is generated from the code: `docs/reference/` and the marked parts of other pages.

python scripts/make_docs.py            write what is not current
python scripts/make_docs.py --check    write nothing; exit 1 and name the pages that are not current
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from localpipe import errors
from localpipe.cli import localpipe as command_line
from localpipe.core.fidelity import Verdict
from localpipe.definition.check import SAGEMAKER_STEP_TYPES
from localpipe.errors import LocalpipeError
from localpipe.images import catalogue
from localpipe.images.families import dotted
from localpipe.jobs import unsupported
from localpipe.scheduling import events
from localpipe.scheduling.history import StepStatus
from localpipe.scheduling.state import ExecutionStatus
from localpipe.scheduling.transitions import transitions_mermaid
from localpipe.service.service_model import service_model
from localpipe.settings import ENVIRONMENT_PREFIX, FILE_NAME, OPTIONS, TABLES
from localpipe.steps import STEP_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from rules import Rule

    from localpipe.images.catalogue import StandIn
    from localpipe.jobs.unsupported import Unsupported
    from localpipe.steps.base import StepType

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "<!-- Written by scripts/make_docs.py from the code: `make docs`. Do not edit. -->"
BEGIN, END = "<!-- generated: {name} -->", "<!-- end of generated -->"

JOB_SHAPES = unsupported.BY_REQUEST
JOB_TABLES: Mapping[str, Sequence[Unsupported]] = {shape.removesuffix("Request"): rows for shape, rows in JOB_SHAPES.items()}


def commands() -> str:
    """Every command with its arguments and options, as click knows them."""
    context = click.Context(command_line, info_name="localpipe")
    lines = [
        "# Commands",
        "",
        "`EXEC` is an execution: its ARN, its id, or `last`. How commands end is told in [errors](errors.md).",
        "",
        *table(("Command", "What it does"), overview(context)),
    ]
    for name in command_line.list_commands(context):
        lines += command_section(command_named(name), click.Context(command_named(name), context, name), level=2)
    return page(lines)


def overview(context: click.Context) -> Iterator[tuple[str, str]]:
    """One row for each command."""
    for name in command_line.list_commands(context):
        yield f"[`{name}`](#localpipe-{name})", command_named(name).get_short_help_str(limit=200)


def command_named(name: str) -> click.Command:
    """A command of the command line."""
    command = command_line.get_command(click.Context(command_line), name)
    if command is None:
        raise LookupError(f"no command {name!r}")
    return command


def command_section(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """The part of the page on one command and, for a group, its own commands."""
    usage = " ".join(["localpipe", *context.command_path.split()[1:], *command.collect_usage_pieces(context)])
    yield from ["", f"{'#' * level} `{context.command_path}`", "", "```", usage, "```", "", paragraphs(command.help)]
    options = [option for option in command.params if isinstance(option, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield from ["", *table(("Option", "Meaning"), ((f"`{names}`", text) for names, text in records))]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from command_section(inner, click.Context(inner, context, name), level + 1)


def settings() -> str:
    """Every setting with its variable, flag and default."""
    flags = {parameter.name for parameter in command_named("run").params}

    def rows() -> Iterator[tuple[str, ...]]:
        for option in OPTIONS:
            flag = f"`--{option.name.replace('_', '-')}`" if option.name in flags else ""
            default = "" if option.default is None else f"`{toml(option.default)}`"
            yield f"`{option.name}`", f"`{ENVIRONMENT_PREFIX}{option.name.upper()}`", flag, default, option.meaning

    return page(
        [
            "# Settings",
            "",
            "A flag wins over an environment variable, that over the file, that over the default. The file is the",
            f"`{FILE_NAME}` in the nearest parent of the working directory, else of the pipeline that is run. Paths in it",
            "are relative to it. An unknown key or variable is refused, naming the nearest known one. `localpipe doctor`",
            "shows every value and where it came from. An execution keeps the settings that it was started with.",
            "",
            *table((f"Key in `{FILE_NAME}`", "Variable", "Flag of `run`", "Default", "Meaning"), rows()),
            "",
            f"Tables of `{FILE_NAME}`:",
            "",
            *table(("Table", "Meaning"), ((f"`[{name}]`", plain(meaning)) for name, meaning in TABLES.items())),
            "",
            "For example:",
            "",
            *("```toml", 'runner = "process"', "max_parallel = 4", "", "[s3.mounts]", '"s3://company-data/raw" = "./data"'),
            *(
                "",
                "[images]",
                '"*/my-image:*" = "my-image:dev"',
                '"*/other:*" = { build = "./docker", target = "job" }',
                "",
                "[slots]",
                "jobs = 2",
            ),
            *("", "[instances]", "enforce = true", '"ml.m5.large" = { cpus = 1, memory_gib = 4 }', "```"),
        ]
    )


def toml(value: object) -> str:
    """A default as it would be written in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def step_types() -> str:
    """Every step type that runs, and those that are refused."""
    return page(
        [
            "# Step types",
            "",
            "Arguments are checked against the shape of the request in botocore's service model, and a property path",
            "against the shape of the properties, before anything runs.",
            "",
            *table(("`Type`", "What it does", "Arguments", "Properties", "RetryPolicies", "Counted"), step_rows()),
            "",
            "Counted: against `MaxParallelExecutionSteps`, while it is under way.",
            "",
            "## Refused",
            "",
            f"A definition with a step of type {listed(refused_step_types())} is refused before anything runs, naming the",
            "step. What is refused inside a job's request is in [unsupported](unsupported.md).",
        ]
    )


def step_rows() -> Iterator[tuple[str, ...]]:
    """One row for each step type."""
    for kind in STEP_TYPES:
        properties = [name for name in (kind.properties_shape, *kind.extra_properties) if name]
        request = f"`{kind.request_shape}`" if kind.request_shape else "its own"
        given = ", ".join(f"`{name}`" for name in properties) or "none"
        yield f"`{kind.type}`", summary_of(kind), request, given, yes(kind.retryable), yes(kind.capped)


def summary_of(kind: StepType) -> str:
    """The first line of the step type's module, without its `Type: ...`."""
    text = first_paragraph(inspect.getmodule(type(kind))).removeprefix(f"`Type: {kind.type}`: ")
    return text[0].upper() + text[1:]


def refused_step_types() -> list[str]:
    """Step types that SageMaker has and localpipe refuses."""
    supported = {kind.type for kind in STEP_TYPES}
    return [name for name in SAGEMAKER_STEP_TYPES if name not in supported]


def errors_page() -> str:
    """The tree of errors with what a command ends with."""
    return page(
        [
            "# Errors and exit statuses",
            "",
            *table(
                ("Status", "A command ends so when"),
                (
                    (
                        "0",
                        "the execution Succeeded; for other commands: it is done, or its output is read no more (`| head`)",
                    ),
                    ("1", "the execution Failed"),
                    ("2", "it was refused before anything ran: definition, parameter, usage, a thing that is not there"),
                    ("3", "this machine cannot run it: no runner, no image, a home that cannot be used"),
                    ("70", "localpipe has a bug; it shows its traceback, and the execution can be resumed"),
                    ("130", "the execution was stopped"),
                ),
            ),
            "",
            "`run`, `resume` and `retry` end with the status of the execution, `check` as `run` would before it starts.",
            "",
            "## Classes",
            "",
            "All are in `localpipe.errors`. The Python API raises them; the command line prints the message and ends with",
            "the status. `JobFailed`, `ExpressionError` and, while a step runs, `StoreError` end no command: they fail",
            "the step. The AWS code is the service's own for the same fault.",
            "",
            *table(("Class", "Exit status", "AWS code", "Meaning"), error_rows(LocalpipeError, 0)),
        ]
    )


def error_rows(cls: type[LocalpipeError], depth: int) -> Iterator[tuple[str, ...]]:
    """A row for a class and for all below it; classes with a leading underscore are only passed through."""
    public = not cls.__name__.startswith("_")
    if public:
        indent = "&nbsp;&nbsp;" * depth
        yield f"{indent}`{cls.__name__}`", str(cls.exit_status), f"`{cls.code}`", first_paragraph(cls)
    for inner in cls.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield from error_rows(inner, depth + public)


def images() -> str:
    """Every stand-in with its versions."""
    return page(
        [
            "# Images",
            "",
            "localpipe has no image of AWS's. For these it makes stand-ins from public packages: a Docker image for the",
            "Docker runner (`localpipe images build`), a virtual environment with the same pins for the process runner.",
            "Only the repository and the tag count; account and region do not. `-cpu-py3` at the end of a tag may be",
            "there or not. One PyTorch serves every `pytorch-training` and `pytorch-inference` tag of versions 1 and 2, one",
            "TensorFlow every `tensorflow-training` tag from 2.16; tags for GPUs too, on the CPU. One Spark serves every",
            "tag of version 3.",
            "",
            *table(
                ("Repository and tag", "Stand-in", "Framework", "With `xgboost_exact`", "numpy, pandas", "Python"),
                map(image_row, catalogue.all_stand_ins()),
            ),
            "",
            "The images of XGBoost and scikit-learn hold what scripts import of AWS's: `sagemaker_containers`, Flask and",
            "pyarrow; those of XGBoost also `sagemaker_xgboost_container` (`data_utils`, `distributed`, `checkpointing`,",
            "`encoder`), matplotlib, Pillow and PyYAML. Those of PyTorch and TensorFlow run scripts by AWS's own framework",
            "packages; torch is a CPU build from PyTorch's index, or from one that pip's configuration names.",
            "",
            "pip and uv in a job of a stand-in ask localpipe, which asks the index that pip of this machine is set to, with",
            "its certificates, proxy and login, and keeps what it got in `~/.cache/localpipe/index` for the next time. A",
            "job's own `PIP_INDEX_URL`, or an index in its `requirements.txt`, wins.",
            "",
            "The Spark image has `smspark-submit` with the options of AWS's, `spark-submit` and Java 17. It runs in local",
            "mode, with 2 GB of memory unless the `spark-defaults` of the processor's `configuration` set",
            "`spark.driver.memory`; classifications of YARN have no effect. `s3://` and `s3a://` paths lead to the local",
            "S3. There is no HDFS and no Glue catalogue. Its Java is for x86-64 alone.",
            "",
            "The base Python images hold the SageMaker SDK, for `@step` functions, which need the Python of the author's",
            "script; those that AWS has not are for scripts in that Python. Where pip installs packages in a job, it keeps",
            "numpy below 2 in the images with pandas 1.5; `PIP_CONSTRAINT=/dev/null` in the job's environment ends that.",
            "",
            "Where several Python versions are named, the first image or interpreter that fits is taken, 3.11 before",
            "others. A version that is not the tag's own is said in the summary of each run. A tag that is not in the",
            "table is refused and never served by a neighbour's stand-in. An image of your own, or AWS's own where you",
            f"have it, is named under `[images]` in `{FILE_NAME}` ([settings](settings.md)), or built before a run by",
            '`"*/my-image:*" = { build = "./docker" }` where its context has changed; an image that the engine has',
            "under the very URI is taken first.",
            "",
            "## Models",
            "",
            "These stand-ins serve models too (`serve`, port 8080 or `SAGEMAKER_BIND_TO_PORT`), with the versions above:",
            "",
            *table(("Image", "By", "What a script leaves out", "`/execution-parameters`"), SERVED),
            "",
            "The script is `SAGEMAKER_PROGRAM` in `SAGEMAKER_SUBMIT_DIRECTORY` (an archive in S3, or",
            "`/opt/ml/model/code`); its `requirements.txt` is installed first. Without that variable XGBoost's image",
            "serves the algorithm's models: `xgboost-model`, pickled or in XGBoost's own formats, several of them",
            "averaged. It takes `text/csv`, `text/libsvm` (a request without content type is that) and",
            "`application/x-recordio-protobuf`, and answers in CSV, JSON or JSON Lines; in a transform job one",
            "prediction a line. `SAGEMAKER_INFERENCE_OUTPUT` selects contents (`predicted_label`, `probabilities`,",
            "...). Bodies above 6 MB, or `MAX_CONTENT_LENGTH`, are refused. A model that an XGBoost before 2.1 wrote,",
            "on SageMaker itself for instance, may need the tag's own version (`xgboost_exact`).",
            "",
            "The server is gunicorn: a process with a model of its own for each processor",
            "(`SAGEMAKER_MODEL_SERVER_WORKERS`), one request at a time, none longer than 60 seconds",
            "(`SAGEMAKER_MODEL_SERVER_TIMEOUT`). A model that cannot be loaded ends the container, and the last line of",
            "its log says why. The other stand-ins serve no models, which is said before a run; there is none for",
            "`tensorflow-inference` or Hugging Face, and none that serves several models in one container.",
        ]
    )


SERVED = (
    (
        "`sagemaker-scikit-learn`",
        "script",
        "JSON, CSV, NPY both ways, `predict`; it must have `model_fn`",
        "if the script has it",
    ),
    ("`sagemaker-xgboost`", "script", "CSV, libsvm in, JSON, CSV, NPY out, `predict`; it must have `model_fn`", "yes"),
    ("`sagemaker-xgboost`", "built-in algorithm", "", "yes"),
    ("`pytorch-inference`", "script, or none", "JSON, CSV, NPY both ways; a TorchScript model is loaded and called", "no"),
)
"""The images page: what serves models, and how."""


SERVE_ALL = {
    "pytorch:2.13": "pytorch-training:2.0-cpu-py310",
    "tensorflow:2.21": "tensorflow-training:2.18-cpu-py310",
    "spark:3.5": "sagemaker-spark-processing:3.3-cpu-py39-v1.0",
}
"""Stand-ins that serve tags of a form → one of those."""


def image_row(stand_in: StandIn) -> tuple[str, ...]:
    """One row of the images page."""
    uri = aws_name(stand_in)
    exact = catalogue.stand_in(catalogue.parse_image_uri(uri), exact=True) or stand_in
    pins = dict(pin.split("==") for pin in stand_in.pins)
    data = ", ".join(pins[name] for name in ("numpy", "pandas") if name in pins)
    pythons = ", ".join(map(dotted, stand_in.pythons))
    other = exact.version if exact.exact else ""
    named = f"`{uri}`" if stand_in.aws else "none of AWS's"
    return named, f"`{stand_in.name}`", f"{stand_in.framework} {stand_in.version}", other, data, pythons


def aws_name(stand_in: StandIn) -> str:
    """AWS's repository and tag that a stand-in is for."""
    if stand_in.name in SERVE_ALL:
        return SERVE_ALL[stand_in.name]
    name = f"sagemaker-{stand_in.family}:{stand_in.tag}"
    if catalogue.stand_in(catalogue.parse_image_uri(name)) != stand_in:
        raise LookupError(f"{name} does not lead to {stand_in.name}")
    return name


def states() -> str:
    """The state machine of a step, and the facts that move it."""
    return page(
        [
            "# States and facts",
            "",
            "A step is in one of these states; each arrow is a fact in the journal. Any other is a bug and is reported as",
            "one (`InvalidTransition`), never as a failure of the step.",
            "",
            *("```mermaid", transitions_mermaid(), "```"),
            "",
            f"`{StepStatus.WAITING}` and `{StepStatus.BACKING_OFF}` are localpipe's own words; the others are the",
            f"service's. A step of a branch not taken, or behind a failed step, stays `{StepStatus.WAITING}` and is not",
            f"listed. An execution is {listed(status.value for status in ExecutionStatus)}.",
            "",
            "## Facts",
            "",
            *table(("Fact", "Schema", "Meaning"), map(fact_row, events.EVENT_TYPES.values())),
        ]
    )


def fact_row(event: type[events.Event]) -> tuple[str, ...]:
    """One row of the facts table."""
    return f"`{event.__name__}`", str(event.SCHEMA), first_paragraph(event)


def unsupported_page() -> str:
    """Members of job requests that are refused."""
    lines = [
        "# Unsupported members of job requests",
        "",
        "A definition that uses one of these is refused before anything runs, with its JSON path; a value that is only",
        "known when the step starts fails the step. What is in neither table and in the request's shape is accepted. Not",
        "all of it has an effect here: see [fidelity](fidelity.md).",
    ]
    for operation, rows in JOB_TABLES.items():
        cells = ((f"`{row.member}`", row.feature, row.instead) for row in rows)
        lines += ["", f"## `{operation}`", "", *table(("Member", "Not supported", "Instead"), cells)]
    return page(lines)


def fidelity() -> str:
    """What becomes of each member of a request."""
    lines = [
        "# Fidelity",
        "",
        "What becomes of each member of a request, alone or with all below it. `localpipe show EXEC --fidelity` tells it of",
        "one run: there a member counts only if it is set, and not to a value that switches it off. What is refused before",
        "anything runs is in [unsupported](unsupported.md).",
    ]
    for kind in (kind for kind in STEP_TYPES if kind.fidelity):
        rules = kind.fidelity
        operation = (kind.request_shape or kind.type).removesuffix("Request").removesuffix("Input")
        exact = listed(rule.member for rule in rules if rule.verdict is Verdict.EXACT)
        cells = ((f"`{rule.member}`", rule.verdict.value, rule.told) for rule in rules if rule.verdict is not Verdict.EXACT)
        lines += [
            "",
            f"## `{operation}`",
            "",
            f"As on the service: {exact}.",
            "",
            *table(("Member", "Verdict", "Why"), cells),
        ]
    return page(lines)


def supported() -> str:
    """The tables of README.md: what runs and what is refused."""
    runs = [
        ("Step types", listed(kind.type for kind in STEP_TYPES)),
        ("Runners", "`docker`: a Docker engine on this machine; `process`, `sandbox`: sandboxes, Linux only"),
        ("SageMaker SDK", "version 2 from 2.200, version 3; none at all for a definition (`.json`)"),
        *image_families(),
    ]
    refused = [
        (f"Steps of type {listed(refused_step_types())}", "Run these parts on SageMaker; leave them out here"),
        ("`DependsOn` with a trigger other than `Completed`", "Depend on the step's success"),
        *refused_features(),
    ]
    return "\n".join([*table(("Runs", ""), runs), "", *table(("Refused before anything runs", "Instead"), refused), ""])


def refused_features() -> Iterable[tuple[str, str]]:
    """What job requests may not have → what to do instead, each once; the first table's word holds for all."""
    found: dict[str, str] = {}
    for row in (row for rows in JOB_TABLES.values() for row in rows):
        found.setdefault(row.feature, row.instead.rstrip("."))
    return found.items()


def image_families() -> Iterator[tuple[str, str]]:
    """AWS's repository → its tags, each with the version that stands for it."""
    families: dict[str, list[str]] = {}
    for stand_in in catalogue.all_stand_ins():
        if not stand_in.aws:
            continue
        version = f"{stand_in.framework} {stand_in.version}"
        families.setdefault(aws_name(stand_in).partition(":")[0], []).append(f"{stand_in.tag} → {version}")
    for repository, tags in families.items():
        yield f"Image `{repository}`", "<br>".join(tags)


def imports() -> str:
    """The table of docs/architecture.md: which package may import which, from the test that holds it."""
    allowed = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))["ALLOWED"]
    rows = ((f"`{name}`", ", ".join(f"`{other}`" for other in sorted(others)) or "none") for name, others in allowed.items())
    return "\n".join([*table(("Package", "May import"), rows), ""])


def contract() -> str:
    """Every rule of the container contract: whether it holds on each runner, and what shows it."""
    table_of = module_of("rules", "tests", "tests/contract")
    rules = list(table_of.RULES.values())
    lines = [
        "# The container contract",
        "",
        "Every statement of sections 1 to 4 of the [rules of containers](../rules/containers.md), numbered by section and",
        "place, with where it is known from and whether it holds on each runner. A test runs real jobs on the runner, or",
        "shows what is decided before a runner is asked; `tests/contract/test_contract_table.py` proves that no rule and no",
        "runner is left out.",
        "",
        *table(("Source", "Is"), ((f"`{mark}`", meaning) for mark, meaning in table_of.MARKS.items())),
        "",
        *table(("Tests", "Are in"), ((f"`{key}`", f"`{file}`") for key, file in table_of.FILES.items())),
    ]
    for section, title in contract_sections():
        rows = (contract_row(rule, table_of.RUNNERS) for rule in rules if rule.section == section)
        headings = ("No.", "Rule", "Source", *table_of.RUNNERS, "Shown by")
        lines += ["", f"## {section} {title}", "", *table(headings, rows)]
    return page(lines)


def module_of(name: str, *folders: str) -> ModuleType:
    """A module of the tests or scripts, which are no packages; it finds its neighbours in the folders."""
    sys.path[:0] = [str(ROOT / folder) for folder in folders]
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[: len(folders)]


def contract_sections() -> list[tuple[str, str]]:
    """Number and title of each section of the contract, without its source marks."""
    text = (ROOT / "docs" / "rules" / "containers.md").read_text(encoding="utf-8")
    return re.findall(r"^### ([1-4]\.\d+) (.+?)(?: \[.*\])?$", text, re.MULTILINE)


def contract_row(rule: Rule, runners: Iterable[str]) -> tuple[str, ...]:
    """One rule; where it differs on every runner in the same way, it is said once."""
    differs = [rule.differs.get(runner, "") for runner in runners]
    if differs[0] and len(set(differs)) == 1:
        holds = [f"differs: {differs[0]}", *("the same" for _ in differs[1:])]
    else:
        holds = [f"differs: {text}" if text else "holds" for text in differs]
    shown_by = "<br>".join(
        f"`{key}` {test[5:].replace('_', ' ')}" for key, test in (name.split("::") for name in rule.tests)
    )
    return rule.number, rule.says, rule.mark.replace(" ", ", "), *holds, shown_by


def coverage() -> str:
    """Every statement of the service's rules and every member of a request: what becomes of it here."""
    written = module_of("coverage_page", "scripts")
    rules = module_of("coverage_table", "tests", "tests/coverage_rules")
    rows_of = module_of("coverage_rows", "tests/coverage_rules")
    lines = [
        "# Coverage",
        "",
        "How far localpipe goes with what the service does. First every statement of sections 1 to 8, 9.3, 10 and 11 of the",
        "[rules of the service](../rules/service.md), numbered by section and place: how it is known, whether it holds",
        "here, and the tests that show it. Then [each step type](#step-types-that-run) as the SDKs make it, and",
        "[every member of its request](#arguments). What a container sees is in [the container contract](contract.md).",
        "`tests/coverage_rules` proves that no statement and no step type is left out, `tests/service/test_fidelity.py`",
        "that no member is.",
        "",
        *table(("Known", *written.STATES), written.summary(rules, rows_of)),
        "",
        "Observed: seen on the service. Documented: in AWS's guides, models or SDKs. Assumed: neither, or in doubt.",
        "",
        *table(("Source", "Is"), ((f"`{mark}`", meaning) for mark, meaning in rows_of.MARKS.items())),
        "",
        *table(("Tests", "Are in"), ((f"`{key}`", f"`{file}`") for key, file in rows_of.FILES.items())),
    ]
    for title, headings, rows in written.statements(rules, rows_of):
        lines += ["", f"## {title}", "", *table(headings, rows)]
    made = module_of("coverage_of_step_types", "tests/coverage_rules")
    headings = ("Step type", "Properties fit the service model", "By SDK 2", "By SDK 3")
    lines += ["", "## Step types that run", "", *table(headings, written.made(made))]
    lines += ["", "## Arguments", "", "Alone or with all below it; more in [fidelity](fidelity.md)."]
    for kind in STEP_TYPES:
        cells = (
            (f"`{member}`", verdict, why) for member, verdict, why in written.arguments(kind, service_model(), JOB_SHAPES)
        )
        lines += ["", f"### {kind.type}", "", *table(("Member", "Here", "Why"), cells)]
    lines += ["", "## Step types that are refused", "", f"By name, before anything runs: {listed(refused_step_types())}."]
    return page(lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "contract.md": contract,
    "coverage.md": coverage,
    "commands.md": commands,
    "settings.md": settings,
    "step-types.md": step_types,
    "errors.md": errors_page,
    "fidelity.md": fidelity,
    "images.md": images,
    "states.md": states,
    "unsupported.md": unsupported_page,
}
PARTS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("README.md", "supported"): supported,
    ("docs/architecture.md", "imports"): imports,
}


def page(lines: Iterable[str]) -> str:
    """A whole page: the notice below the title."""
    title, *rest = lines
    return "\n".join([title, "", NOTICE, *rest, ""])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield from (row(headings), row(["---"] * len(headings)))
    yield from map(row, rows)


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def plain(text: str) -> str:
    """Text in which an asterisk is an asterisk."""
    return text.replace("*", "\\*")


def listed(names: Iterable[str]) -> str:
    """`A`, `B`, `C`."""
    return ", ".join(f"`{name}`" for name in names)


def yes(value: bool) -> str:  # noqa: FBT001 - a cell
    """A cell for a flag."""
    return "yes" if value else "no"


def paragraphs(text: str | None) -> str:
    """A docstring without its indentation."""
    return inspect.cleandoc(text or "")


def first_paragraph(thing: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def documents() -> dict[Path, str]:
    """Every file that is written here, with what it should hold."""
    written = {ROOT / "docs" / "reference" / name: make() for name, make in PAGES.items()}
    for (name, part), make in PARTS.items():
        path = ROOT / name
        written[path] = with_part(written.get(path) or path.read_text(encoding="utf-8"), part, make())
    return written


def with_part(text: str, name: str, content: str) -> str:
    """The text with what stands between its markers replaced. Raises ValueError if they are not there."""
    begin = BEGIN.format(name=name)
    start = text.index(begin) + len(begin)
    return f"{text[:start]}\n\n{content}\n{text[text.index(END, start) :]}"


def main() -> int:
    """Write the pages, or with --check say which are not current."""
    parser = argparse.ArgumentParser(description="Write the documentation that is generated from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not current")
    check = parser.parse_args().check
    old = [path for path, text in documents().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in old:
        name = path.relative_to(ROOT)
        print(f"{name} is not current. Run `make docs`." if check else f"wrote {name}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(documents()[path], encoding="utf-8")
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
