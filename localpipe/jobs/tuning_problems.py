"""What the service or localpipe refuses in a CreateHyperParameterTuningJob request beyond its shape.

Expressions are passed over. Follows: containers.md 4.1, 4.2, 4.3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from localpipe.core.tuning import Strategy
from localpipe.errors import Problem
from localpipe.jobs.members import lacking, members, repeated, texts
from localpipe.jobs.metrics import gives_values, metric_definitions
from localpipe.jobs.training import training_problems
from localpipe.jobs.tuning_autotune import AUTO, AUTOTUNE, hinted_range
from localpipe.jobs.tuning_definitions import CONFIG, FLEXIBLE, OBJECTIVE, ONE, SEVERAL, definitions_in, training_request
from localpipe.jobs.tuning_ranges import CATEGORICAL, CONTINUOUS, INTEGER, KINDS, range_problems
from localpipe.jobs.unsupported import TUNING, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core import JSON
    from localpipe.jobs.tuning_definitions import WrittenDefinition

EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""The static hyperparameters that say how many epochs Hyperband has. Follows: containers.md 4.3."""

_RESOURCES = f"{CONFIG}.StrategyConfig.HyperbandStrategyConfig"
_MAX_TRIALS = "ResourceLimits.MaxNumberOfTrainingJobs"
_ANY_RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}


def tuning_problems(request: JSON, path: str) -> list[Problem]:
    """All of them; `path` is that of the request."""
    if not isinstance(request, dict):
        return []
    objective = (OBJECTIVE,) if request.get(ONE) else ()
    found = [
        *refused(request, TUNING, path),
        *_number_of_definitions(request, path),
        *_misplaced(request, path),
        *(problem for name in objective for problem in lacking(request, CONFIG, name, path=path)),
        *repeated(request, f"{SEVERAL}[*].DefinitionName", path),
        *lacking(request, f"{SEVERAL}[*]", "DefinitionName", path=path),
        *lacking(request, f"{SEVERAL}[*]", "TuningObjective", path=path),
        *_directions(request, path),
        *lacking(request, "WarmStartConfig.ParentHyperParameterTuningJobs[*]", "HyperParameterTuningJobName", path=path),
        *_strategy_problems(request, path),
        *(problem for written in definitions_in(request) for problem in _definition_problems(written, path)),
    ]
    return list(dict.fromkeys(found))


def hyperband_epochs(request: JSON) -> tuple[JSON, JSON]:
    """MinResource and MaxResource of Hyperband, the latter by the static hyperparameters where it is not given.

    None where it is in neither.
    """
    least = next((value for _, value in members(request, f"{_RESOURCES}.MinResource", "")), 1)
    most = next((value for _, value in members(request, f"{_RESOURCES}.MaxResource", "")), None)
    static = [value for each in definitions_in(request) for value in _static_epochs(each.definition)]
    return least, static[0] if most is None and static else most


def _static_epochs(definition: JSON) -> list[JSON]:
    """What the definition says of epochs: a number or an expression. The SDK writes a framework's numbers in quotes."""
    found = [value for name in EPOCH_NAMES for _, value in members(definition, f"StaticHyperParameters.{name}", "")]
    numbers = [int(each.strip('"')) if isinstance(each, str) and each.strip('"').isdecimal() else each for each in found]
    return [each for each in numbers if not isinstance(each, str)]


def _number_of_definitions(request: JSON, path: str) -> Iterator[Problem]:
    given = [name for name in (ONE, SEVERAL) if request.get(name) is not None]
    if len(given) != 1:
        found = "both are there" if given else "neither is there"
        yield Problem(path, f"It needs either {ONE} or {SEVERAL}; {found}.")


def _misplaced(request: JSON, path: str) -> Iterator[Problem]:
    """Ranges and objectives in the place that they have in the other form of definitions."""
    one = [(f"{ONE}.{name}", CONFIG) for name in ("HyperParameterRanges", "TuningObjective")]
    several = [(f"{CONFIG}.{name}", SEVERAL) for name in ("ParameterRanges", OBJECTIVE)] if request.get(SEVERAL) else []
    for member, place in (*one, *several):
        for where, value in members(request, member, path):
            if value:
                yield Problem(where, f"With this form of definitions it stands in {place}.", "Move it there.")


def _directions(request: JSON, path: str) -> Iterator[Problem]:
    types = dict.fromkeys(value for _, value in texts(request, f"{SEVERAL}[*].TuningObjective.Type", path))
    if len(types) > 1:
        message = "Definitions of which some maximize and some minimize their objective are not supported."
        remedy = "Their training jobs cannot be ranked: use a tuning step for each."
        yield Problem(f"{path}.{SEVERAL}", message, remedy, unsupported=True)


def _strategy_problems(request: JSON, path: str) -> Iterator[Problem]:
    config, place = request.get(CONFIG), f"{path}.{CONFIG}"
    if not isinstance(config, dict):
        return
    match config.get("Strategy"):
        case Strategy.GRID.value:
            yield from _grid_problems(request, path)
        case Strategy.HYPERBAND.value:
            yield from _unlimited(request, path)
            yield from _hyperband_problems(request, path)
        case Strategy.RANDOM.value | Strategy.BAYESIAN.value:
            yield from _unlimited(request, path)
            if config.get("StrategyConfig"):
                yield Problem(f"{place}.StrategyConfig", "StrategyConfig is for Hyperband only.", "Leave it out.")


def _unlimited(request: JSON, path: str) -> Iterator[Problem]:
    """A tuning job that does not say how many training jobs it may have, and does not leave it to Autotune."""
    if not request.get(AUTOTUNE):
        yield from lacking(request, f"{CONFIG}.ResourceLimits", "MaxNumberOfTrainingJobs", path=path)


def _hyperband_problems(request: JSON, path: str) -> Iterator[Problem]:
    for place, value in members(request, f"{CONFIG}.TrainingJobEarlyStoppingType", path):
        if value == "Auto":
            yield Problem(place, "Hyperband stops training jobs by itself: it must be Off.")
    least, most = hyperband_epochs(request)
    if most is None:
        names = ", ".join(EPOCH_NAMES)
        yield Problem(f"{path}.{_RESOURCES}", "MaxResource is missing.", f"Add it, or a static hyperparameter {names}.")
    elif isinstance(least, int) and isinstance(most, int) and least > most:
        yield Problem(f"{path}.{_RESOURCES}.MinResource", f"{least} is more than MaxResource ({most}).")


def _grid_problems(request: JSON, path: str) -> Iterator[Problem]:
    size = 0
    for written in definitions_in(request):
        for kind in (INTEGER, CONTINUOUS):
            for place, given in members(written.ranges, kind, f"{path}.{written.ranges_path}"):
                if given:
                    message = "The Grid strategy takes categorical ranges alone."
                    yield Problem(place, message, f"Write its values as {CATEGORICAL}.")
        for place, hint in _hints(written.ranges, f"{path}.{written.ranges_path}"):
            if isinstance(hint["ValueHint"], str) and hinted_range(hint):
                message = f"The Grid strategy takes categorical ranges alone; {hint['Name']} would get a range of numbers."
                yield Problem(place, message, f"Write its values as {CATEGORICAL}.")
        size += math.prod(_sizes(written.ranges))
    for place, wanted in members(request, f"{CONFIG}.{_MAX_TRIALS}", path):
        if isinstance(wanted, int) and wanted != size:
            yield Problem(place, f"{wanted} is not the size of the grid ({size}).", "Leave it out, or write the size.")


def _sizes(ranges: JSON) -> list[int]:
    """How many values each range has; an expression counts as one of its own."""
    values = (members(each, "Values[*]", "") for _, each in members(ranges, f"{CATEGORICAL}[*]", ""))
    return [len({str(value) for _, value in of_range}) for of_range in values]


def _definition_problems(written: WrittenDefinition, path: str) -> Iterator[Problem]:
    """What is wrong with one definition, its ranges and its objective."""
    ranges, place = written.ranges, f"{path}.{written.path}"
    yield from _training_problems(written.definition, place)
    yield from range_problems(ranges, f"{path}.{written.ranges_path}")
    yield from _without_range(ranges, f"{path}.{written.ranges_path}")
    names = {name for kind in KINDS for _, name in texts(ranges, f"{kind}[*].Name", "")}
    for name in sorted(names & _static_names(written.definition)):
        static = f"{place}.StaticHyperParameters.{name}"
        yield Problem(static, "The hyperparameter has a range, too.", "Leave it out of one of them.")
    yield from _objective_problems(written.definition, written.objective, f"{path}.{written.objective_path}")


def _without_range(ranges: JSON, path: str) -> Iterator[Problem]:
    """Ranges of which there is none, or of which none comes of the hints that there are."""
    hints = [hint for _, hint in _hints(ranges, path)]
    if not isinstance(ranges, dict) or not any(ranges.values()):
        yield Problem(path, "It has no range.", "Give at least one hyperparameter a range.")
    elif not any(value for kind, value in ranges.items() if kind != AUTO) and not any(map(_may_have_range, hints)):
        message = f"None of the {AUTO} has a number for a ValueHint, so none gets a range."
        yield Problem(f"{path}.{AUTO}", message, "Give at least one hyperparameter a range.", unsupported=True)


def _hints(ranges: JSON, path: str) -> Iterator[tuple[str, JSON]]:
    """The AutoParameters that have the right shape; a value may still be an expression."""
    for place, each in members(ranges, f"{AUTO}[*]", path):
        if isinstance(each, dict) and isinstance(each.get("Name"), str) and "ValueHint" in each:
            yield place, each


def _may_have_range(hint: JSON) -> bool:
    """Whether it gets a range, or that is not known yet."""
    return not isinstance(hint["ValueHint"], str) or hinted_range(hint) is not None


def _static_names(definition: JSON) -> set[str]:
    static = definition.get("StaticHyperParameters")
    return set(static) if isinstance(static, dict) else set()


def _training_problems(definition: JSON, place: str) -> Iterator[Problem]:
    """What is refused in the training jobs that the definition makes."""
    given = [name for name in ("ResourceConfig", FLEXIBLE) if definition.get(name) is not None]
    if len(given) != 1:
        found = "both are there" if given else "neither is there"
        yield Problem(place, f"It needs either ResourceConfig or {FLEXIBLE}; {found}.")
    request = training_request(definition)
    yield from training_problems({"ResourceConfig": _ANY_RESOURCES, **request}, place)


def _objective_problems(definition: JSON, objective: JSON, place: str) -> Iterator[Problem]:
    """A metric that no line can give; where the image is not known yet nothing is said."""
    algorithm = definition.get("AlgorithmSpecification")
    name = objective.get("MetricName") if isinstance(objective, dict) else None
    image = algorithm.get("TrainingImage") if isinstance(algorithm, dict) else None
    if not isinstance(name, str) or not isinstance(image, str):
        return
    given = [each for _, each in members(algorithm, "MetricDefinitions[*]", "")]
    if not all(isinstance(each, dict) and isinstance(each.get("Name"), str) for each in given):
        return
    built_in = metric_definitions({"AlgorithmSpecification": algorithm}) if not given else ()
    known = [each["Name"] for each in given] or [metric.name for metric in built_in]
    if name not in known:
        found = f"Those are {', '.join(known)}." if known else "There are none."
        remedy = "Add its name and regular expression to AlgorithmSpecification.MetricDefinitions."
        yield Problem(f"{place}.MetricName", f"No metric definition is named {name!r}. {found}", remedy)
    for each in given:
        if each["Name"] == name and isinstance(each.get("Regex"), str) and not gives_values(each["Regex"]):
            message = f"The expression of the metric {name!r}, '{each['Regex']}', has no group, so no line gives a value."
            yield Problem(f"{place}.MetricName", message, "Put the number in parentheses, as in 'loss=([0-9.]+)'.")
