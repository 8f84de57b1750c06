"""`run`, `check`, `graph`: from a target to an execution, or to what stands in its way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from localpipe.authoring import Asked
from localpipe.authoring.preparing import author, chosen_name, prepare
from localpipe.cli.common import (
    EXIT_STATUS,
    home_as_it_is,
    home_option,
    json_option,
    open_home,
    pairs,
    parameters_from,
    print_json,
    say,
)
from localpipe.cli.parts import part_from, part_options
from localpipe.core.faults import FaultKind
from localpipe.core.functions import function_name
from localpipe.service.functions import described
from localpipe.service.graph_views import GRAPH_FORMATS, render_graph
from localpipe.service.pipelines import load_pipeline
from localpipe.service.preflight import Preflight, make_images
from localpipe.service.views import reuse_words
from localpipe.settings import CACHE_CHOICES, RUNNER_CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.authoring import AuthoredDefinition
    from localpipe.service.wiring import Home

_DETACH_LOOK_SECONDS = 0.05


def _authoring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the definition comes to be: shared by run, check and graph."""
    for option in (
        home_option,
        click.option("--env", multiple=True, metavar="K=V", help="A variable for the author's script."),
        click.option("--pipeline", metavar="NAME", help="Which pipeline, where the script makes several."),
        click.option("--function", metavar="NAME", help="The script's function that makes the pipeline [get_pipeline]."),
        click.option("--arg", "arguments", multiple=True, metavar="Name=Value", help="An argument of that function."),
        click.option("--python", metavar="PYTHON", help="The Python of the author's script [active environment]."),
        click.option("--name", metavar="NAME", help="The pipeline's name [the script's, or the definition file's stem]."),
    ):
        command = option(command)
    return command


class _ScriptCommand(click.Command):
    """A command that hands what stands behind `--` to the author's script, as `script_arguments`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own_count = args.index("--") if "--" in args else len(args)
        ctx.params["script_arguments"] = tuple(args[own_count + 1 :])
        return super().parse_args(ctx, args[:own_count])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGS...]"]


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a run is given: shared by run and check."""
    for option in (
        click.option(
            "--fault",
            "faults",
            multiple=True,
            metavar="STEP=KIND[*N][@SECONDS]",
            help=f"Trouble that N attempts of a step [1] meet: {', '.join(kind.value for kind in FaultKind)}.",
        ),
        click.option(
            "--max-trials", type=click.IntRange(min=1), metavar="N", help="The most training jobs of a tuning job."
        ),
        click.option("--max-parallel", type=click.IntRange(min=1), metavar="N", help="MaxParallelExecutionSteps."),
        click.option("--cache", type=click.Choice(CACHE_CHOICES), help="What answers steps from earlier results [service]."),
        click.option("--runner", type=click.Choice(RUNNER_CHOICES), help="Where jobs run [auto]."),
        click.option("--params-file", metavar="FILE", help="Start parameters as JSON: an object, or Name/Value rows."),
        click.option("-p", "--parameter", "parameters", multiple=True, metavar="Name=Value", help="A start parameter."),
    ):
        command = option(command)
    return command


@click.command(cls=_ScriptCommand)
@click.argument("target")
@_run_options
@part_options
@_authoring_options
@click.option("--detach", is_flag=True, help="Run in the background; print the execution's ARN.")
@json_option
def run(target: str, *, detach: bool, as_json: bool, **options: Any) -> int:
    """Run the pipeline that TARGET makes, and end with its status.

    TARGET is a pipeline definition (.json) or a script (.py) that makes one with the SageMaker SDK, v2 or v3, unmodified.
    What follows `--` are the script's own arguments. With --from, --until, --only or --select a part of the pipeline runs;
    what the steps before it gave in an earlier execution (--source), or values given by --set, stand for them.

    Exit status: 0 Succeeded, 1 Failed, 2 refused before anything ran, 3 this machine cannot run it, 130 stopped.
    """
    from localpipe.cli.driving import drive_in_foreground
    from localpipe.service.executions import describe_pipeline_execution, start_pipeline_execution

    home, ready = _prepare(target, options)
    make_images(home, ready)
    execution_id = start_pipeline_execution(home, ready)
    if detach:
        return _detach(home, execution_id, as_json=as_json)
    execution = describe_pipeline_execution(home, execution_id)
    return drive_in_foreground(execution, as_json=as_json)


@click.command(cls=_ScriptCommand)
@click.argument("target")
@_run_options
@part_options
@_authoring_options
@json_option
def check(target: str, *, as_json: bool, **options: Any) -> None:
    """Say everything that would keep TARGET from running here, and run nothing. Exit status as of `run`."""
    _, ready = _prepare(target, options)
    if as_json:
        print_json(ready.document())
        return
    steps = len(ready.pipeline.graph.nodes) - len(ready.reused)
    counted = "1 step" if steps == 1 else f"{steps} steps"
    where = f"on the {ready.runner_name} runner" if ready.runner_name else "without a runner"
    click.echo(f"Pipeline {ready.pipeline.name}: {counted} can run {where}.")
    for fact in ready.reused:
        click.echo(f"  not done again: {fact.step}, {reuse_words(fact)}")
    for name, value in ready.parameters.items():
        click.echo(f"  parameter {name} = {value}")
    for arn, function in ready.functions.items():
        click.echo(f"  function {function_name(arn)} = {described(function)}")
    for note in ready.notes:
        click.echo(f"  note: {note}")


@click.command(cls=_ScriptCommand)
@click.argument("target")
@click.option(
    "--format", "output", type=click.Choice(GRAPH_FORMATS), default="text", show_default=True, help="How it is written."
)
@_authoring_options
def graph(target: str, *, output: str, **options: Any) -> None:
    """Show the steps of TARGET and what waits for what."""
    home, authored = _author(target, options, home_as_it_is if target.endswith(".json") else open_home)
    pipeline = load_pipeline(home, authored.definition, chosen_name(authored, options["name"]))
    click.echo(render_graph(pipeline.graph, output))


def _prepare(target: str, options: Mapping[str, Any]) -> tuple[Home, Preflight]:
    home, authored = _author(target, options)
    given = parameters_from(options["params_file"], options["parameters"])
    return prepare(home, authored, given, name=options["name"], part=part_from(options), faults=options["faults"])


def _author(
    target: str, options: Mapping[str, Any], opens: Callable[..., Home] = open_home
) -> tuple[Home, AuthoredDefinition]:
    path = Path(target)
    flags = {name: options.get(name) for name in ("home", "runner", "cache", "max_parallel", "max_trials", "python")}
    home = opens(flags, path.parent)
    asked = Asked(
        pipeline=options["pipeline"],
        function=options["function"],
        arguments=pairs(options["arguments"], "Argument"),
        script_arguments=options["script_arguments"],
    )
    return home, author(home, path, asked, {**os.environ, **pairs(options["env"], "Variable")})


def _detach(home: Home, execution_id: str, *, as_json: bool) -> int:
    """Drive the execution in a process of its own, whose messages go to a file beside the logs; return when it does."""
    from localpipe.service.executions import describe_pipeline_execution

    log = home.execution_dir(execution_id) / "driver.log"
    command = [sys.executable, "-m", "localpipe", "resume", execution_id, "--home", str(home.directory)]
    with log.open("wb") as stream:
        driver = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, close_fds=True
        )
    while not (execution := describe_pipeline_execution(home, execution_id)).driven and driver.poll() is None:
        time.sleep(_DETACH_LOOK_SECONDS)
    if not execution.driven and driver.poll() not in EXIT_STATUS.values():
        say(log.read_text(errors="replace").rstrip())
        return driver.returncode
    if as_json:
        print_json(execution.document())
    else:
        click.echo(execution.name.arn)
    return 0
