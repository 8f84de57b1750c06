"""The rows of service.md section 11: steps with rules of their own."""

from __future__ import annotations

from coverage_of_definitions import SDK
from coverage_rows import Row, beside, differs, holds, refused

_V2 = "model_steps::test_version_2_repacks_registers_and_creates_a_model_of_two_containers"
_V3 = "model_steps::test_version_3_gives_its_steps_the_names_that_they_are_given"
_NOT_RUN = "check::test_step_type_that_localpipe_does_not_run_is_refused_by_name"
_CHECK_STEPS = "Steps of type QualityCheck and ClarifyCheck are refused by name."

ROWS: tuple[Row, ...] = (
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
        "outputs::test_a_call_that_went_wrong_fails_the_step_whether_it_was_to_stop_or_not",
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
