"""The rows of service.md sections 5 to 8 and 10: what an execution does with a definition."""

from __future__ import annotations

from coverage_of_definitions import OPERATIONS, SDK
from coverage_rows import Row, beside, differs, holds, refused

_ENDS = "state::test_a_finished_execution_has_its_reason_and_end"
_ROWS_FIT = "views::test_rows_fit_the_service_model"
_RULES = "scheduling::test_what_runs_and_how_it_ends_is_what_the_rules_say"
_AFTER_FAILURE = "decide::test_after_a_failure_independent_steps_still_start_and_dependent_ones_never"
_REFUSED_JOB = "steps::test_a_job_that_was_refused_has_no_properties_and_keeps_its_exception_type"
_RETRY_FLOW = "decide::test_retry_waits_then_starts_second_attempt"
_LIMITS = "parse::test_retry_policy_limits"
_DEFAULTS = "parse::test_retry_policy_defaults"
_AGAIN = "engine::test_a_retry_goes_on_in_the_same_execution_from_the_failed_step"
_PROPERTY_FILE = "check::test_property_file_names_an_output_and_is_named_by_references"
_JSON_PATH = "json_paths::test_path_gives_the_scalar_with_its_type"
_CACHED = "signatures::test_every_type_is_in_the_table_or_is_never_cached_or_has_no_request"
_COMPARED = "signatures::test_a_member_changes_the_key_exactly_if_the_service_compares_it"
_NOT_COMPARED = "reuse::test_what_the_service_does_not_compare_changes_nothing"
_HIT = "reuse::test_an_equal_step_is_not_done_and_is_the_original_job"
_NOT_RUN = "check::test_step_type_that_localpipe_does_not_run_is_refused_by_name"
_FAULTS = "faults::test_so_many_attempts_fail_in_the_words_of_the_service_and_the_next_succeeds"
_PART = "parts::test_a_part_runs_and_the_steps_before_it_are_taken_over"
_MANY = "json_paths::test_path_with_many_answers_is_refused"

ROWS: tuple[Row, ...] = (
    holds(
        "5.1-1",
        "decide::test_a_step_starts_when_all_its_needs_have_succeeded",
        "graph::test_a_step_needs_what_it_depends_on_and_what_it_refers_to",
        _RULES,
    ),
    holds(
        "5.1-2",
        "decide::test_a_cap_lets_steps_through_in_document_order",
        "decide::test_the_cap_may_be_raised_while_running",
        "foresight::test_what_the_script_sets_holds_unless_the_settings_say_otherwise",
    ),
    holds("5.1-3", "engine::test_the_parallelism_cap_holds", "views::test_steps_that_have_not_started_come_last"),
    holds("5.1-4", "decide::test_a_cap_lets_steps_through_in_document_order", mark="?"),
    holds("5.1-5", "decide::test_instant_steps_take_no_room_and_wait_for_none"),
    differs(
        "5.2-1", "All but CompletedWithFailures, which only run conditions give: they are refused by name.", _ENDS, mark="B"
    ),
    differs(
        "5.2-2",
        "The journal has Waiting and BackingOff besides, which are shown in the service's words.",
        "views::test_a_step_between_two_attempts_executes_for_everyone_else",
        mark="B",
    ),
    beside("5.2-3", OPERATIONS, mark="B"),
    holds("5.2-4", "views::test_steps_are_in_the_order_of_their_first_start", mark="N"),
    holds("5.3-1", _ROWS_FIT, mark="N"),
    differs("5.3-2", "`--json` lists the oldest first: it is read from the top.", "run::test_steps_are_listed_oldest_first"),
    holds("5.3-3", _BRANCH := "decide::test_only_the_branch_that_was_taken_runs", _AFTER_FAILURE),
    holds("5.3-4", "state::test_attempts_are_counted_without_a_gap", _AGAIN),
    holds("5.3-5", _ROWS_FIT, _REFUSED_JOB),
    beside("5.3-6", OPERATIONS),
    holds("5.4-1", "run::test_a_failed_pipeline_ends_with_1_and_the_authors_message", _ENDS),
    holds("5.4-2", "steps::test_a_job_that_failed_fails_the_step_in_the_service_s_words"),
    holds(
        "5.4-3",
        "requests::test_resolved_values_beyond_the_model_are_refused_as_the_create_call_does",
        "registry::test_a_model_s_name_can_be_taken_once",
    ),
    differs(
        "5.4-4",
        "Refused before the run where it can be seen, else with the channel, the URI and the nearest prefix.",
        "foresight::test_every_input_that_nobody_writes_is_told",
        "refusals::test_an_input_that_nobody_can_write_before",
    ),
    holds(
        "5.4-5",
        _AFTER_FAILURE,
        "decide::test_in_the_other_failure_mode_nothing_new_starts",
        "engine::test_a_failed_step_fails_the_execution_while_independent_steps_go_on",
    ),
    holds("5.4-6", "engine::test_a_fail_step_ends_the_execution_with_the_authors_message"),
    holds("5.4-7", "decide::test_a_step_that_ends_the_execution_stops_what_runs_and_starts_nothing_more"),
    holds("5.4-8", _AFTER_FAILURE, _BRANCH),
    holds(
        "5.4-9",
        "steps::test_a_job_that_was_stopped_stops_the_step",
        "engine::test_a_time_limit_fails_the_step_and_names_the_limit",
        "decide::test_a_step_that_was_stopped_from_outside_fails_the_execution",
    ),
    refused("5.5-1", "Triggers other than Completed are refused by name.", "check::test_run_conditions_are_refused_by_name"),
    holds(
        "5.6-1", "engine::test_a_stop_gives_jobs_their_grace_and_ends_stopped", "jobs::test_an_interrupt_stops_with_grace"
    ),
    holds(
        "5.6-2",
        "messages::test_a_stop_sends_a_second_message_once_and_waits_on",
        "callbacks::test_a_stop_sends_a_second_message_and_ends_when_it_is_answered",
    ),
    holds(
        "5.6-3",
        "outputs::test_a_function_that_ends_while_the_step_is_to_stop_leaves_it_stopped_but_at_its_limit",
        "functions_cli::test_ctrl_c_waits_for_a_function_and_a_second_one_ends_it",
        "functions_cli::test_an_execution_whose_function_runs_into_its_limit_while_it_stops_has_failed",
    ),
    holds("5.6-4", "run::test_what_has_ended_is_neither_resumed_nor_stopped"),
    beside("5.6-5", "A stop is a fact that comes in at any moment: there is no moment between two steps."),
    beside("5.6-6", OPERATIONS),
    beside("5.6-7", SDK),
    holds("5.7-1", _AGAIN, "state::test_a_requested_retry_may_bring_its_own_parallelism"),
    holds(
        "5.7-2",
        "state::test_only_a_failed_or_stopped_execution_can_be_retried",
        "executions::test_an_execution_that_goes_on_is_not_retried",
    ),
    holds(
        "5.7-3",
        "state::test_a_requested_retry_sends_failed_and_stopped_steps_back_and_keeps_succeeded_ones",
        "scheduling::test_a_requested_retry_does_again_what_failed_or_stopped_and_goes_on_behind_it",
    ),
    holds("5.7-4", "run::test_retry_goes_on_in_the_same_execution", mark="N"),
    holds("6-1", "reuse::test_a_step_without_an_enabled_config_is_done_and_explain_says_what_it_would_have_been"),
    holds("6-2", _CACHED),
    holds("6-3", _CACHED),
    holds("6-4", "reuse::test_results_belong_to_one_pipeline_and_one_step_name"),
    holds(
        "6-5",
        "verdict::test_an_equal_earlier_result_is_a_hit",
        "verdict::test_a_result_expires_by_the_age_of_its_step",
        "reuse::test_a_step_that_failed_is_no_result_and_one_of_a_failed_execution_is",
    ),
    holds("6-6", "reuse::test_a_result_of_a_run_without_caching_counts_later"),
    holds("6-7", "reuse::test_what_the_service_compares_makes_the_step_be_done_and_is_named", _NOT_COMPARED),
    holds("6-8", _HIT),
    holds("6-9", _HIT, "views::test_a_reused_step_tells_whose_result_it_has"),
    holds(
        "6-10",
        "verdict::test_a_result_expires_by_the_age_of_its_step",
        "reuse::test_the_source_of_a_hit_on_a_hit_is_the_execution_that_did_the_step",
    ),
    *(holds(f"6-{place}", _COMPARED, mark="D") for place in (11, 12, 13, 15)),
    *(refused(f"6-{place}", "Steps of that type are refused by name.", _NOT_RUN, mark="D") for place in (14, 16, 17, 18)),
    holds("6-19", _COMPARED, "signatures::test_the_time_stamped_name_that_the_sdk_writes_does_not_count"),
    holds("6-20", _COMPARED, _NOT_COMPARED, mark="D"),
    holds(
        "6-21",
        "durations::test_every_spelling_of_a_duration_is_read",
        "parse::test_every_spelling_of_a_duration_is_taken",
        "parse::test_what_is_no_duration_is_refused_where_the_cache_is_on",
    ),
    holds("7-1", _DEFAULTS, "definitions::test_mutated_definition_passes_or_is_refused_with_located_problems", mark="V2"),
    holds("7-2", _DEFAULTS),
    holds("7-3", _LIMITS),
    holds("7-4", _DEFAULTS, _LIMITS),
    holds("7-5", _DEFAULTS, _LIMITS),
    holds("7-6", _DEFAULTS, _LIMITS, "retries::test_whether_and_when_an_attempt_follows"),
    holds("7-7", _LIMITS, "retries::test_expire_after_min_counts_from_the_start_of_the_step"),
    holds("7-8", _LIMITS, _DEFAULTS),
    holds(
        "7-9",
        "steps::test_which_types_are_retried_depended_on_and_capped",
        "check::test_retry_policies_are_refused_on_types_that_take_none",
    ),
    holds("7-10", "retries::test_whether_and_when_an_attempt_follows"),
    holds("7-11", "trouble::test_what_keeps_a_job_from_starting_counts_as", _FAULTS),
    holds(
        "7-12",
        "policies::test_an_algorithm_error_is_never_retried_whatever_the_policies",
        "faults::test_an_algorithm_error_meets_no_policy",
        mark="D",
    ),
    holds("7-13", "never::test_tuning_ignores_internal_errors_and_no_other_type_does"),
    holds(
        "7-14",
        "retries::test_the_delay_grows_by_the_backoff_rate",
        "policies::test_a_policy_gives_its_type_so_many_attempts_at_these_times",
        mark="D",
    ),
    holds(
        "7-15",
        "decide::test_each_policy_keeps_its_own_count_while_another_is_used",
        "policies::test_each_policy_has_a_counter_and_a_back_off_of_its_own",
    ),
    holds("7-16", _RETRY_FLOW, "state::test_a_retry_is_a_new_attempt_and_the_old_one_stays_in_the_history", mark="N"),
    holds("7-17", "trouble::test_what_keeps_a_job_from_starting_counts_as", _FAULTS),
    holds("8-1", _PART, "script::test_a_selective_start_is_taken", mark="B"),
    holds(
        "8-2",
        "parts::test_what_cannot_be_a_part_is_refused",
        "selection::test_a_selection_is_connected_if_every_step_on_the_way_is_selected",
    ),
    holds("8-3", _PART, "selection::test_a_part_runs_what_is_selected_and_takes_what_is_before_it_from_the_source"),
    holds("8-4", _PART, "views::test_a_reused_step_tells_whose_result_it_has"),
    holds(
        "8-5",
        "parts::test_an_execution_of_another_pipeline_is_no_source",
        "parts::test_a_failed_execution_is_a_source_of_what_succeeded_in_it",
    ),
    holds("8-6", "parts::test_what_cannot_be_a_part_is_refused"),
    holds(
        "8-7",
        "parts_in_jobs::test_a_script_starts_its_pipeline_selectively_after_the_latest_execution",
        "capture::test_executions_before_the_script_are_listed_behind_its_own_and_have_their_parameters",
    ),
    holds("8-8", "parts::test_a_source_that_has_what_the_last_execution_lacks_is_named"),
    holds("8-9", "parts::test_parameters_are_not_inherited"),
    holds(
        "8-10",
        "parts::test_a_selected_step_refers_to_what_the_source_gave",
        "parts_in_jobs::test_files_and_property_files_come_from_the_source",
    ),
    holds("8-11", "parts::test_the_definition_of_today_is_run"),
    holds("8-12", "selected::test_caching_applies_to_selected_steps"),
    holds("8-13", "parts::test_what_cannot_be_a_part_is_refused"),
    holds("8-14", _PART),
    beside("10-1", "A heading."),
    holds("10-2", "parse::test_members_of_a_step_are_read", mark="V2"),
    holds("10-3", _PROPERTY_FILE),
    holds("10-4", "engine::test_a_condition_reads_its_property_file_and_opens_one_branch"),
    holds("10-5", _PROPERTY_FILE),
    beside("10-6", SDK),
    holds("10-7", _JSON_PATH, "json_paths::test_a_name_after_a_dot_may_hold_what_jayway_takes"),
    holds("10-8", _JSON_PATH, _MANY),
    holds("10-9", _JSON_PATH, _MANY),
    holds(
        "10-10",
        "json_paths::test_missing_value_names_the_paths_that_there_are",
        "engine::test_a_property_file_that_was_not_written_is_named_with_what_is_there",
        "engine::test_a_json_path_that_the_file_has_not_fails_the_condition_and_names_those_it_has",
    ),
    beside("10-11", "No size is too large."),
    holds(
        "10-12",
        "expressions::test_documents_needed_are_the_s3_objects_that_json_get_reads",
        "expressions::test_json_get_of_what_is_no_s3_uri_names_it",
    ),
    holds("10-13", "expressions::test_expressions_are_replaced_by_their_values"),
    holds("10-14", "engine::test_a_condition_reads_its_property_file_and_opens_one_branch", mark="INF"),
)
