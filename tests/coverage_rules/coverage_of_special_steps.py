"""The rows of service.md sections 9.3 and 11: what the registry keeps, and steps with rules of their own."""

from __future__ import annotations

from coverage_of_definitions import SDK
from coverage_rows import Row, beside, differs, holds, refused

_V2 = "model_steps::test_version_2_repacks_registers_and_creates_a_model_of_two_containers"
_V3 = "model_steps::test_version_3_gives_its_steps_the_names_that_they_are_given"
_NOT_RUN = "check::test_step_type_that_localpipe_does_not_run_is_refused_by_name"
_CHECK_STEPS = "Steps of type QualityCheck and ClarifyCheck are refused by name."
_RESOURCES = (
    "Of operations that no pipeline step calls: jobs are shown with their steps, models and packages listed, compared and "
    "approved by `localpipe models`."
)
_NEXT_VERSION = "registry::test_a_package_is_the_next_version_of_its_group_which_is_made_for_it"

ROWS: tuple[Row, ...] = (
    *(beside(f"9.3-{place}", _RESOURCES, mark="B") for place in range(1, 8)),
    differs(
        "9.3-8",
        "No package is validated. Of UpdateModelPackage there is the approval, by `localpipe models`.",
        _NEXT_VERSION,
        "registry::test_a_version_is_not_given_again_after_the_package_is_gone",
        "registry::test_the_same_token_gives_the_same_resource",
        "registry::test_approval_is_changed_by_arn_or_group_and_version",
    ),
    holds("9.3-9", "registry::test_every_member_of_a_package_request_is_kept", mark="B"),
    holds("9.3-10", _NEXT_VERSION, "steps::test_certification_is_refused_as_on_the_service"),
    differs(
        "9.3-11",
        "No experiment or trial is made; the fidelity report says so.",
        "fidelity::test_a_run_is_judged_on_its_resolved_requests",
    ),
    holds("11.1-1", "functions_cli::test_a_function_of_the_settings_gets_the_name_of_the_model_that_was_made", mark="V2"),
    holds(
        "11.1-2",
        "outputs::test_the_event_of_a_function_is_its_arguments_as_they_are",
        "processes::test_a_function_gets_its_event_and_what_it_prints_is_its_log",
    ),
    holds(
        "11.1-3",
        "outputs::test_declared_outputs_have_their_types_and_others_are_ignored",
        "outputs::test_what_does_not_fit_the_declaration_fails_the_step",
    ),
    holds("11.1-4", "outputs::test_a_nested_value_becomes_one_text"),
    holds(
        "11.1-5",
        "outputs::test_a_call_that_went_wrong_fails_the_step",
        "outputs::test_what_does_not_fit_the_declaration_fails_the_step",
    ),
    differs(
        "11.1-6",
        "The limit fails the step, and the function is ended with it.",
        "processes::test_a_function_is_ended_at_its_limit_with_all_that_it_has_started",
    ),
    holds("11.1-7", "code::test_a_function_of_a_script_is_unpacked_with_all_that_it_was_made_with"),
    holds(
        "11.1-8",
        "code::test_the_nearest_name_in_the_settings_wins_and_wins_over_the_script",
        "code::test_settings_name_a_file_or_a_module",
    ),
    holds("11.2-1", "messages::test_a_message_has_the_body_of_the_service", mark="D"),
    holds(
        "11.2-2",
        "callbacks::test_a_success_has_its_outputs_in_the_steps_that_follow",
        "callbacks::test_a_failure_gives_the_step_its_reason",
        "callbacks::test_a_token_that_nobody_has_is_not_found",
        "callbacks::test_an_output_that_the_answer_leaves_out_is_missed_by_who_refers_to_it",
        "outputs::test_texts_are_converted_to_the_declared_types",
    ),
    holds(
        "11.3-1",
        "steps::test_a_fail_step_ends_the_execution_with_its_message",
        "steps::test_a_fail_message_is_a_text_or_an_expression",
        "check::test_depends_on_is_checked_like_a_reference",
    ),
    holds("11.4-1", _V2, mark="V2"),
    holds("11.4-2", _V2, mark="V2"),
    holds("11.4-3", _V2, mark="V2"),
    holds("11.4-4", _V2, mark="V2"),
    holds("11.4-5", "steps::test_definitions_of_the_sdks_have_no_problems", mark="V2"),
    beside("11.4-6", SDK, mark="V2"),
    beside("11.4-7", SDK, mark="V2"),
    holds("11.4-8", _V3),
    holds("11.4-9", _V2, mark="V2"),
    holds("11.4-10", _V2, mark="V2"),
    *(refused(f"11.5-{place}", _CHECK_STEPS, _NOT_RUN, mark="D") for place in range(1, 12)),
    differs("11.6-1", "All are refused by name; no command can stand for one.", _NOT_RUN, mark="V2"),
)
