from __future__ import annotations

import pytest
from stories import a_graph, choice, step

from localpipe.definition.model import StepDefinition
from localpipe.errors import DefinitionError
from localpipe.scheduling.graph import Guard


def problem(*steps: StepDefinition) -> str:
    """The only problem of these steps."""
    with pytest.raises(DefinitionError) as caught:
        a_graph(*steps)
    (only,) = caught.value.problems
    return str(only)


def test_a_step_needs_what_it_depends_on_and_what_it_refers_to() -> None:
    graph = a_graph(step("A"), step("B"), step("C", needs=["A"], refers_to=["B"]))
    assert graph.nodes["C"].needs == {"A", "B"}
    assert graph.nodes["C"].waits_for == {"A", "B"}


def test_nodes_stand_in_document_order_with_branches_behind_the_step_that_opens_them() -> None:
    inner = choice("Inner", then=[step("D")])
    graph = a_graph(step("Z"), choice("Outer", then=[step("B"), inner], otherwise=[step("C")]), step("A"))
    assert list(graph.nodes) == ["Z", "Outer", "B", "Inner", "D", "C", "A"]
    assert [node.index for node in graph.nodes.values()] == list(range(7))


def test_a_nested_branch_step_knows_all_its_guards_and_waits_for_the_innermost() -> None:
    graph = a_graph(choice("Outer", otherwise=[choice("Inner", then=[step("Leaf")])]))
    leaf = graph.nodes["Leaf"]
    assert leaf.guards == (Guard("Outer", "ElseSteps"), Guard("Inner", "IfSteps"))
    assert leaf.guard == Guard("Inner", "IfSteps")
    assert leaf.needs == frozenset()
    assert leaf.waits_for == {"Inner"}


def test_a_branch_step_that_also_refers_to_its_condition_is_no_cycle() -> None:
    graph = a_graph(choice("If", then=[step("A", refers_to=["If"])]))
    assert graph.nodes["A"].needs == {"If"}
    assert graph.nodes["A"].waits_for == {"If"}


def test_an_author_may_write_steps_before_those_that_they_need() -> None:
    graph = a_graph(step("Last", needs=["First"]), step("First"))
    assert graph.nodes["Last"].waits_for == {"First"}


def test_capped_is_what_it_was_told() -> None:
    graph = a_graph(choice("If", then=[step("A")]))
    assert {name: node.capped for name, node in graph.nodes.items()} == {"If": False, "A": True}


def test_a_cycle_is_shown_as_its_path_at_its_first_step() -> None:
    assert problem(step("Free"), step("A", needs=["B"]), step("B", needs=["C"]), step("C", refers_to=["A"])) == (
        "$.A: steps wait for each other in a cycle: A → B → C → A (each waits for the next)."
        " Remove one of these dependencies."
    )


def test_the_shortest_cycle_is_shown() -> None:
    text = problem(step("A", needs=["B", "C"]), step("B", needs=["C"]), step("C", needs=["A"]))
    assert "A → C → A" in text


def test_a_step_that_waits_for_itself_is_a_cycle() -> None:
    assert "A → A" in problem(step("A", refers_to=["A"]))


def test_a_condition_that_depends_on_a_step_of_its_own_branch_is_a_cycle() -> None:
    assert problem(choice("If", refers_to=["Train"], then=[step("Train")])) == (
        "$.If: steps wait for each other in a cycle: If → Train → If (each waits for the next)."
        " 'Train' is in a branch of 'If' and has to wait for it: remove another dependency."
    )


def test_each_knot_of_cycles_is_one_problem() -> None:
    with pytest.raises(DefinitionError) as caught:
        a_graph(step("A", needs=["B"]), step("B", needs=["A"]), step("C", needs=["D"]), step("D", needs=["C"]))
    assert [found.path for found in caught.value.problems] == ["$.A", "$.C"]


@pytest.mark.parametrize(
    "steps",
    [
        [step("A", needs=["B"])],
        [step("A", refers_to=["B"])],
        [step("A"), choice("If", then=[step("A", path="$.If.Arguments.IfSteps[0]")])],
    ],
    ids=["unknown dependency", "unknown reference", "one name twice"],
)
def test_steps_that_no_check_would_let_pass_make_no_graph(steps: list[StepDefinition]) -> None:
    with pytest.raises(ValueError, match="a graph is built of a definition that has been checked"):
        a_graph(*steps)
