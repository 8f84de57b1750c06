"""What differed from the service: a line at the end of a run, and all of it by `show --fidelity`."""

from __future__ import annotations

import re

from commands import Cli, Write, decision, model

ROLE = "Kept as data; nothing is allowed or forbidden by it."
TAGS = "Tags are not kept."


def two_models() -> tuple[object, ...]:
    tagged = model("Tagged")
    tagged["Arguments"]["Tags"] = [{"Key": "team", "Value": "a"}]
    return (model("Plain"), tagged)


def test_a_run_ends_in_how_much_differed(cli: Cli, write: Write) -> None:
    ended = cli("run", write(decision(else_steps=two_models())), "--json")
    assert re.search(
        r"\nPipeline pipe: Succeeded\.\n"
        r"Fidelity: 1 member approximated, 1 member ignored: localpipe show [a-z0-9]{12} --fidelity\n"
        r"Next: localpipe artifacts ",
        ended.err,
    )
    assert "Fidelity" not in ended.document


def test_where_nothing_differs_nothing_is_said(cli: Cli, write: Write) -> None:
    assert "Fidelity" not in cli("run", write(decision())).err
    assert cli("show", "last", "--fidelity").out == "No step has asked anything of the service.\n"


def test_show_tells_what_is_shared_once_in_whole_lines(cli: Cli, write: Write) -> None:
    cli("run", write(decision(else_steps=two_models())))
    assert cli("show", "last", "--fidelity").out == (
        "Approximated\n"
        "  ExecutionRoleArn  in Plain, Tagged\n"
        f"    {ROLE}\n"
        "Ignored\n"
        "  Tags  in Tagged\n"
        f"    {TAGS}\n"
        "2 other members of requests are as on the service.\n"
    )


def test_the_document_of_show_has_them_by_step_and_member(cli: Cli, write: Write) -> None:
    cli("run", write(decision(else_steps=two_models())))
    plain = cli("show", "last", "--json").document
    document = cli("show", "last", "--fidelity", "--json").document
    rows = document.pop("Fidelity")
    assert document == plain
    assert sorted((row["StepName"], row["Member"], row["Verdict"], row["Note"]) for row in rows) == [
        ("Plain", "ExecutionRoleArn", "Approximated", ROLE),
        ("Tagged", "ExecutionRoleArn", "Approximated", ROLE),
        ("Tagged", "Tags", "Ignored", TAGS),
    ]
