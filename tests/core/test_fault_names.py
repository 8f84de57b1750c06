from __future__ import annotations

import pytest

from localpipe.core.faults import Fault, FaultKind, fault_of, parse_fault
from localpipe.errors import UsageError

KINDS = (
    "Kinds are Step.THROTTLING, Step.SERVICE_FAULT, SageMaker.RESOURCE_LIMIT, SageMaker.CAPACITY_ERROR, "
    "SageMaker.JOB_INTERNAL_ERROR, spot-interruption, time-limit."
)
FORM = "is not of the form STEP=KIND, STEP=KIND*TIMES or STEP=KIND*TIMES@SECONDS."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Train=Step.THROTTLING", Fault(step="Train", kind=FaultKind.THROTTLING)),
        ("Train=SageMaker.JOB_INTERNAL_ERROR*2", Fault(step="Train", kind=FaultKind.INTERNAL_ERROR, times=2)),
        ("Train=SageMaker.JOB_CAPACITY_ERROR", Fault(step="Train", kind=FaultKind.CAPACITY_ERROR)),
        (
            "Train=spot-interruption*3@0.5",
            Fault(step="Train", kind=FaultKind.SPOT_INTERRUPTION, times=3, after_seconds=0.5),
        ),
        ("Train=time-limit@20", Fault(step="Train", kind=FaultKind.TIME_LIMIT, after_seconds=20)),
    ],
)
def test_a_fault_is_named_in_one_word_and_its_text_names_it_again(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Train", f"Fault 'Train' {FORM} {KINDS}"),
        ("=time-limit", f"Fault '=time-limit' {FORM} {KINDS}"),
        ("Train=time-limit*x", f"Fault 'Train=time-limit*x' {FORM} {KINDS}"),
        ("Train=time-limit@-1", f"Fault 'Train=time-limit@-1' {FORM} {KINDS}"),
        ("Train=magic", f"There is no fault 'magic'. {KINDS}"),
        ("Train=throttling", f"There is no fault 'throttling'. Did you mean 'Step.THROTTLING'? {KINDS}"),
        (
            "Train=SageMaker.RESOURCE",
            f"There is no fault 'SageMaker.RESOURCE'. Did you mean 'SageMaker.RESOURCE_LIMIT'? {KINDS}",
        ),
        ("Train=spot*2", f"There is no fault 'spot'. Did you mean 'spot-interruption'? {KINDS}"),
        ("T=time-limit*0", "Fault 'T=time-limit*0' never happens: the number of times is at least 1."),
        (
            "A=Step.THROTTLING*99999",
            "Fault 'A=Step.THROTTLING*99999': the number of times is at most 9999.",
        ),
        (
            "T=Step.THROTTLING@3",
            "Fault 'T=Step.THROTTLING@3': Step.THROTTLING comes before the containers run, so it takes no seconds.",
        ),
    ],
)
def test_what_is_no_fault_is_refused_with_what_there_is(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_fault(text)
    assert str(refused.value) == message


def test_the_faults_of_a_step_follow_one_another() -> None:
    texts = ("A=Step.THROTTLING*2", "B=time-limit", "A=spot-interruption*5", "A=SageMaker.CAPACITY_ERROR")
    faults = [parse_fault(text) for text in texts]
    met = [fault_of(faults, "A", attempt) for attempt in range(1, 6)]
    assert [fault.kind.value if fault else None for fault in met] == [
        "Step.THROTTLING",
        "Step.THROTTLING",
        "spot-interruption",
        "SageMaker.CAPACITY_ERROR",
        None,
    ]
    assert fault_of(faults, "C", 1) is None
