"""What a pipeline names that is not there, and never can be: refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import IMAGE, ROLE, pipeline, processing
from tuning_support import categorical, ranges, tuning

from localpipe.core.names import S3Uri
from localpipe.core.work import CreateResource
from localpipe.errors import DefinitionError
from localpipe.runners.scripted import ScriptedRunner
from localpipe.service.preflight import preflight
from localpipe.service.wiring import Home
from localpipe.settings import load_settings

if TYPE_CHECKING:
    from localpipe.core import JSON

PACKAGE_PLACE = "$.Steps[0].Arguments.PrimaryContainer.ModelPackageName"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = opened_home(tmp_path)
    yield opened
    opened.close()


def opened_home(tmp_path: Path, **settings: int) -> Home:
    opened = Home(load_settings({"home": str(tmp_path / "home"), **settings}, {}, tmp_path))
    opened.store.put(S3Uri("bucket", "in/a.csv"), b"1\n")
    return opened


def problems(home: Home, *steps: JSON, parameters: tuple[JSON, ...] = (), **given: str | int) -> list[str]:
    try:
        preflight(home, pipeline(*steps, parameters=parameters), "test", given, runner=ScriptedRunner())
    except DefinitionError as error:
        return [str(problem) for problem in error.problems]
    return []


def model_of(package: JSON, **more: JSON) -> JSON:
    container = {"ModelPackageName": package}
    return {"Name": "Make", "Type": "Model", "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}, **more}


def registered(home: Home, *groups: str) -> None:
    for number, group in enumerate(groups):
        request = package_request(group)
        identity = home.settings.identity
        home.registry.create(
            CreateResource(kind="ModelPackage", name="", request=request, token=str(number), identity=identity, origin=None),
            float(number),
        )


def package_request(group: str) -> JSON:
    specification = {"Containers": [{"Image": IMAGE}], "SupportedContentTypes": [], "SupportedResponseMIMETypes": []}
    return {"ModelPackageGroupName": group, "InferenceSpecification": specification}


def test_a_package_that_is_not_there_is_refused_and_those_that_are_are_named(home: Home) -> None:
    assert problems(home, model_of("Trees/1")) == [
        (
            f"{PACKAGE_PLACE}: step 'Make': there is no model package 'Trees/1' in this home. "
            "It has none yet: a RegisterModel step makes one."
        )
    ]
    registered(home, "Trees", "Rents", "Rents")
    assert problems(home, model_of("Trees/1")) == []
    assert problems(home, model_of("arn:aws:sagemaker:us-east-1:111122223333:model-package/Trees/2")) == [
        (
            f"{PACKAGE_PLACE}: step 'Make': there is no model package "
            "'arn:aws:sagemaker:us-east-1:111122223333:model-package/Trees/2' in this home. "
            "Those that there are: Trees/1, Rents/2, Rents/1. A RegisterModel step makes others."
        )
    ]


def test_a_package_that_a_parameter_names_is_looked_for(home: Home) -> None:
    parameter = {"Name": "Package", "Type": "String", "DefaultValue": "Trees/1"}
    step = model_of({"Get": "Parameters.Package"})
    registered(home, "Trees")
    assert problems(home, step, parameters=(parameter,)) == []
    assert len(problems(home, step, parameters=(parameter,), Package="Trees/7")) == 1


def test_a_package_that_a_step_before_may_register_is_left_to_the_run(home: Home) -> None:
    register = {"Name": "Register", "Type": "RegisterModel", "Arguments": package_request("Trees")}
    assert problems(home, register, model_of("Trees/1", DependsOn=["Register"])) == []
    assert problems(home, register, model_of({"Get": "Steps.Register.ModelPackageArn"})) == []


def using(*ranks: int) -> JSON:
    step = processing("Use")
    names = [{"Get": f"Steps.Tune.TrainingJobSummaries[{rank}].TrainingJobName"} for rank in ranks]
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = [{"Std:Join": {"On": "/", "Values": names}}]
    return step


def place_of(rank: int) -> str:
    return f"$.Steps[1].Arguments.AppSpecification.ContainerArguments[0]['Std:Join'].Values[{rank}]"


def test_a_summary_beyond_the_training_jobs_is_refused(home: Home) -> None:
    assert problems(home, tuning("Tune", jobs=2), using(0, 1)) == []
    assert problems(home, tuning("Tune", jobs=2), using(0, 1, 2)) == [
        (
            f"{place_of(2)}: step 'Use': TrainingJobSummaries[2] is never there: step 'Tune' has at most 2 training jobs, "
            "and they count from 0. Refer to one of those, or let the tuning job have more."
        )
    ]


def test_a_parameter_says_how_many_there_are(home: Home) -> None:
    parameter = {"Name": "Jobs", "Type": "Integer", "DefaultValue": 1}
    tune = tuning("Tune", jobs={"Get": "Parameters.Jobs"})
    assert len(problems(home, tune, using(1), parameters=(parameter,))) == 1
    assert problems(home, tune, using(1), parameters=(parameter,), Jobs=2) == []


def test_no_more_training_jobs_than_there_are_combinations(home: Home) -> None:
    few = ranges(categories=[categorical("a", "x", "y")])
    for strategy, jobs in (("Grid", None), ("Random", 9)):
        tune = tuning("Tune", strategy=strategy, jobs=jobs, ranges=few)
        assert problems(home, tune, using(1)) == []
        assert "step 'Tune' has at most 2 training jobs" in problems(home, tune, using(2))[0]


def test_there_are_at_most_fifty_summaries(home: Home) -> None:
    assert problems(home, tuning("Tune", jobs=60), using(49)) == []
    assert problems(home, tuning("Tune", jobs=60), using(50)) == [
        (
            f"{place_of(0)}: step 'Use': TrainingJobSummaries[50] is never there: there are at most 50 summaries, "
            "and they count from 0. Refer to one of those."
        )
    ]


def test_the_setting_that_leaves_fewer_is_named(tmp_path: Path) -> None:
    home = opened_home(tmp_path, max_trials=1)
    try:
        assert problems(home, tuning("Tune", jobs=4), using(1)) == [
            (
                f"{place_of(0)}: step 'Use': TrainingJobSummaries[1] is never there: step 'Tune' has at most 1 training job "
                "by max_trials, and they count from 0. Leave max_trials out, or let it be 2 or more."
            )
        ]
    finally:
        home.close()


def test_a_step_that_may_not_be_reached_is_noted_only(home: Home) -> None:
    condition = {
        "Name": "Choose",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [model_of("Trees/1")],
            "ElseSteps": [],
        },
    }
    ready = preflight(home, pipeline(condition), "test", {}, runner=ScriptedRunner())
    (note,) = [note for note in ready.notes if "Trees/1" in note]
    assert note.startswith("Step 'Make' fails if it is reached: ")
