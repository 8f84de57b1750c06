"""Each step type as the SDKs make it: the tests that run a definition of each to its end and judge the properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a step type is known to work for users of the SDKs. Tests are `<key of FILES>::<test>`.

    `described`: those that hold its properties and metadata against the shapes of the service model. `by_v2`, `by_v3`: those
    that run what the SDK of that version compiles, on real runners. `note`: what an SDK does not offer of it.
    """

    described: tuple[str, ...]
    by_v2: tuple[str, ...]
    by_v3: tuple[str, ...]
    note: str = ""


_SAMPLES = "samples::test_both_runners_give_the_same_states_properties_and_artifacts"
_COMPLETED = "steps::test_a_job_that_completed_gives_its_description"
_TUNED = "tuning_sample::test_the_best_model_is_registered_and_better_than_the_worst"
_SERVED = "served_models::test_the_algorithm_and_a_script_answer_a_transform_job_alike"
_NOTIFIED = "notify::test_a_good_model_is_announced_by_its_name_approved_and_recorded"
_NOTES = "notify::test_what_an_sdk_makes_of_functions_and_callbacks_runs"
_MODELS_2 = "model_steps::test_version_2_repacks_registers_and_creates_a_model_of_two_containers"
_MODELS_3 = "model_steps::test_version_3_gives_its_steps_the_names_that_they_are_given"
_TUNED_3 = "version_3::test_a_tuning_step_tries_what_it_draws_and_the_best_model_is_the_next_ones_input"
_ASKED_3 = "version_3::test_a_transform_step_asks_the_model_that_was_created_before_it"
_FAILED_3 = "version_3::test_a_fail_step_ends_the_execution_with_its_message"
_FUNCTIONS = "functions::test_a_functions_result_is_the_next_ones_argument"
_METADATA = "outputs::test_metadata_fits_the_service_model"

MADE: Mapping[str, Made] = {
    "Processing": Made(described=(_COMPLETED, _SAMPLES), by_v2=(_SAMPLES,), by_v3=(_SAMPLES,)),
    "Training": Made(described=(_COMPLETED, _SAMPLES), by_v2=(_SAMPLES, _MODELS_2), by_v3=(_SAMPLES, _ASKED_3)),
    "Tuning": Made(
        described=("tuning::test_the_best_training_job_is_told_first", _TUNED_3),
        by_v2=(_TUNED,),
        by_v3=(_TUNED_3,),
        note="SDK 3 makes none of several definitions: `HyperparameterTuner.create(...).tune()` fails in the SDK (3.27).",
    ),
    "Transform": Made(
        described=("transform_jobs::test_how_a_job_ended_is_told_in_describe_shape", _ASKED_3),
        by_v2=(_SAMPLES, _SERVED),
        by_v3=(_ASKED_3,),
    ),
    "Condition": Made(described=(_SAMPLES,), by_v2=(_SAMPLES, _NOTIFIED), by_v3=(_SAMPLES,)),
    "Fail": Made(described=(_FAILED_3,), by_v2=(_NOTIFIED,), by_v3=(_FAILED_3,)),
    "Model": Made(
        described=("registry::test_a_model_is_kept_in_describe_shape", _MODELS_3),
        by_v2=(_MODELS_2, _SERVED),
        by_v3=(_MODELS_3, _ASKED_3),
    ),
    "RegisterModel": Made(
        described=("registry::test_every_member_of_a_package_request_is_kept", _SAMPLES),
        by_v2=(_SAMPLES, _MODELS_2),
        by_v3=(_SAMPLES, _MODELS_3),
    ),
    "Lambda": Made(described=(_METADATA, _NOTES), by_v2=(_NOTIFIED, _NOTES), by_v3=(_NOTES,)),
    "Callback": Made(described=(_METADATA, _NOTES), by_v2=(_NOTIFIED, _NOTES), by_v3=(_NOTES,)),
    "@step": Made(described=(_FUNCTIONS,), by_v2=(_FUNCTIONS,), by_v3=(_FUNCTIONS,)),
}
"""By `Type`, in the order of localpipe's; `@step` is an author's function, of type Training."""
