"""Trials of a tuning job as facts tell them: what is written down when one starts, what is read of one that has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.core.tuning import Trial, TrialDetail, TrialStatus
from localpipe.core.work import create_refused
from localpipe.errors import JobFailed
from localpipe.jobs.metrics import metric_definitions
from localpipe.jobs.tuning import OPERATION, objective_in
from localpipe.staging.running_metrics import logged_values
from localpipe.tuning.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from localpipe.core import JSON
    from localpipe.core.tuning import TuningSpec
    from localpipe.scheduling.children import ChildExecution


def detail_of(spec: TuningSpec, trial: Trial) -> TrialDetail:
    """What the fact of a trial's start holds besides its name."""
    definition = spec.definitions[trial.definition]
    return TrialDetail(
        parameters=trial.parameters,
        definition=trial.definition,
        definition_name=definition.name,
        objective=definition.objective,
    )


def restored(spec: TuningSpec, children: Mapping[int, ChildExecution], *, with_epochs: bool) -> History:
    """The trials that a killed localpipe left, ended or not. `with_epochs`: what they reported is read from their logs.

    Those that have not ended report anew.
    """
    history = History()
    for number in sorted(children):
        detail = TrialDetail.from_json(children[number].detail)
        history = history.launched(_trial(spec.job_name, number, detail.definition, detail))
    for child in sorted((each for each in children.values() if each.status.ended), key=lambda each: each.ended_before):
        trial = ended(history.trial(child.child), spec, child.properties, child.unread)
        if with_epochs:
            trial = replace(trial, reported=_reported(spec, trial, child.log_files))
        history = history.with_end(trial)
    return history


def ended(trial: Trial, spec: TuningSpec, description: JSON, unread: str = "") -> Trial:
    """The trial as DescribeTrainingJob tells its end. `unread`: see `Trial`."""
    metric = spec.definitions[trial.definition].objective.metric
    return replace(
        trial,
        status=TrialStatus(description["TrainingJobStatus"]),
        objective=objective_in(description, metric),
        description=description,
        unread=unread,
    )


def trials_of_parents(spec: TuningSpec, children_of: Callable[[str], Iterable[ChildExecution] | None]) -> Sequence[Trial]:
    """The ended trials of the tuning jobs that this one is to learn from, as far as they fit one of its definitions.

    `children_of`: of a tuning job by its name, None for one that is not there. Raises JobFailed for such a parent.
    """
    found = []
    for parent in spec.parents:
        children = children_of(parent)
        if children is None:
            raise JobFailed(create_refused(OPERATION, f"Could not find the parent tuning job {parent}"))
        for child in children:
            detail = TrialDetail.from_json(child.detail)
            definition = _counterpart(spec, detail)
            if definition is not None and child.status.ended:
                found.append(ended(_trial(parent, child.child, definition, detail), spec, child.properties))
    return found


def _trial(tuning_job: str, number: int, definition: int, detail: TrialDetail) -> Trial:
    return Trial(number=number, tuning_job=tuning_job, definition=definition, parameters=detail.parameters)


def _counterpart(spec: TuningSpec, detail: TrialDetail) -> int | None:
    """The index of the definition that a parent's trial belongs to: of the same name, with the same objective."""
    matching = (
        index
        for index, definition in enumerate(spec.definitions)
        if definition.name == detail.definition_name and definition.objective.metric == detail.objective.metric
    )
    return next(matching, None)


def _reported(spec: TuningSpec, trial: Trial, log_files: Iterable[str]) -> tuple[float, ...]:
    definition = spec.definitions[trial.definition]
    return logged_values(metric_definitions(definition.request), definition.objective.metric, map(Path, log_files))
