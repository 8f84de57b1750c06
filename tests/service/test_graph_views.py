"""A pipeline's graph as text, Mermaid, Graphviz and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import output_of, pipeline, processing

from localpipe.scheduling.graph import PipelineGraph
from localpipe.service.graph_views import GRAPH_FORMATS, render_graph
from localpipe.service.pipelines import load_pipeline
from localpipe.service.wiring import Home
from localpipe.settings import load_settings


@pytest.fixture
def graph(tmp_path: Path) -> PipelineGraph:
    """Make → Use, and Check, which opens Deep behind Inner, and End."""
    inner = {
        "Name": "Inner",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [processing("Deep", inputs={"in": output_of("Make", "out")})],
            "ElseSteps": [],
        },
    }
    check = {
        "Name": "Check",
        "Type": "Condition",
        "DependsOn": ["Use"],
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [inner],
            "ElseSteps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}],
        },
    }
    make, use = processing("Make", outputs=("out",)), processing("Use", inputs={"in": output_of("Make", "out")})
    home = Home(load_settings({"home": str(tmp_path)}, {}, tmp_path))
    return load_pipeline(home, pipeline(make, use, check), "test").graph


def test_text(graph: PipelineGraph) -> None:
    assert render_graph(graph, "text").splitlines() == [
        "Make (Processing)",
        "Use (Processing)  after Make",
        "Check (Condition)  after Use",
        "  [Check → IfSteps]",
        "    Inner (Condition)",
        "      [Inner → IfSteps]",
        "        Deep (Processing)  after Make",
        "  [Check → ElseSteps]",
        "    End (Fail)",
    ]


def test_mermaid(graph: PipelineGraph) -> None:
    assert render_graph(graph, "mermaid").splitlines() == [
        "flowchart TD",
        '    s0["Make<br/>Processing"]',
        '    s1["Use<br/>Processing"]',
        '    s2["Check<br/>Condition"]',
        '    s3["Inner<br/>Condition"]',
        '    s4["Deep<br/>Processing"]',
        '    s5["End<br/>Fail"]',
        "    s0 --> s1",
        "    s1 --> s2",
        "    s2 -. IfSteps .-> s3",
        "    s0 --> s4",
        "    s3 -. IfSteps .-> s4",
        "    s2 -. ElseSteps .-> s5",
    ]


def test_dot(graph: PipelineGraph) -> None:
    lines = render_graph(graph, "dot").splitlines()
    assert lines[0] == "digraph pipeline {"
    assert '  "Make" [label="Make\\nProcessing"];' in lines
    assert '  "Make" -> "Use";' in lines
    assert '  "Check" -> "End" [style=dashed, label="ElseSteps"];' in lines


def test_json(graph: PipelineGraph) -> None:
    deep = json.loads(render_graph(graph, "json"))["Steps"][4]
    assert deep == {
        "StepName": "Deep",
        "StepType": "Processing",
        "Needs": ["Make"],
        "Guards": [{"StepName": "Check", "Branch": "IfSteps"}, {"StepName": "Inner", "Branch": "IfSteps"}],
    }
    assert GRAPH_FORMATS == ("text", "mermaid", "dot", "json")
