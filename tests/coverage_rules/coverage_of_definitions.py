"""The rows of service.md sections 1 to 4: what a definition may say."""

from __future__ import annotations

from coverage_rows import Row, beside, differs, holds, refused

OPERATIONS = (
    "Of operations that nothing serves here: executions are started, stopped and retried by commands and from Python."
)
SDK = "Of the SDK, which runs as it is."

_SDKS = "check::test_definitions_of_the_sdks_have_no_problem"
_EVERY_PROBLEM = "parse::test_every_problem_is_reported_at_once"
_MEMBERS = "parse::test_members_of_a_step_are_read"
_NULLS = "parse::test_null_members_count_as_absent"
_LENGTHS = "parse::test_names_and_texts_may_be_as_long_as_the_service_takes_and_no_longer"
_LOCATED = "requests::test_problems_are_located_and_in_the_services_words"
_ABSENT = "check::test_reference_to_what_is_not_there_is_located"
_PRESENT = "check::test_reference_to_what_is_there_has_no_problem"
_VALUES = "expressions::test_expressions_are_replaced_by_their_values"
_NOT_RUN = "check::test_step_type_that_localpipe_does_not_run_is_refused_by_name"
_NO_TYPE = "Its type is refused by name."
_SHAPES = "steps::test_shapes_are_those_of_the_service_model"
_JOB_NAME = "names::test_a_job_name_fits_the_services_pattern"
_PREFIX = "names::test_a_prefix_is_cut_and_the_rest_is_not"
_LIMITS = "parameters::test_limits_of_a_start_request"
_CONFIGS = "parse::test_config_of_the_execution_has_known_members_that_are_scalars"
_COMPARE = "conditions::test_comparisons"
_BRANCH = "decide::test_only_the_branch_that_was_taken_runs"
_DUPLICATES = "check::test_duplicate_names_are_found_over_all_branches"
_FUNCTIONS = "functions::test_a_functions_result_is_the_next_ones_argument"
_PROPERTIES = "steps::test_properties_that_pipelines_use_resolve"
_KEPT = "models::test_a_package_tells_the_steps_that_it_came_from_and_its_metrics"
_FIELDS = "outputs::test_steps_of_the_two_types_need_their_fields_and_no_arguments"
_CHECK_STEPS = "Steps of type QualityCheck and ClarifyCheck are refused by name."

ROWS: tuple[Row, ...] = (
    holds("1.1-1", _SDKS, "golden::test_a_definition_is_read_as_ever", mark="V2"),
    holds("1.1-2", _EVERY_PROBLEM),
    differs("1.1-3", "Any keys and values are taken, and have no effect.", "texts::test_metadata_is_any_object"),
    holds("1.1-4", "parse::test_parameters_are_read", mark="V2"),
    holds("1.1-5", _CONFIGS, _NULLS, "check::test_experiment_config_may_name_parameters_but_no_step"),
    holds("1.1-6", _CONFIGS, _NULLS, "check::test_mlflow_config_may_name_parameters"),
    holds("1.1-7", "parse::test_definition_without_steps_is_refused"),
    holds("1.1-8", _EVERY_PROBLEM),
    holds("1.1-9", _NULLS),
    holds("1.2-1", "parse::test_what_is_no_document_is_one_located_problem"),
    holds("1.2-2", "capture::test_a_large_definition_is_read_from_where_the_sdk_put_it"),
    holds("1.2-3", "foresight::test_a_long_chain_written_backwards"),
    beside("1.2-4", "Account quotas are not enforced."),
    holds("1.2-5", _LENGTHS, _DUPLICATES),
    holds("1.2-6", _LENGTHS),
    holds("1.2-7", "texts::test_the_name_of_a_parameter_may_have_256_characters"),
    holds("1.2-8", _LIMITS),
    holds("1.2-9", "refusals::test_a_name_is_made_to_fit_as_that_of_a_file_is"),
    beside("1.2-10", OPERATIONS),
    beside("1.2-11", OPERATIONS),
    holds("1.2-12", "steps::test_a_long_reason_is_cut_to_what_the_service_shows"),
    holds("1.2-13", "steps::test_a_fail_message_has_at_most_3072_characters"),
    holds("1.2-14", "outputs::test_there_are_at_most_fifty_outputs", "outputs::test_a_reason_is_cut_at_the_services_limit"),
    holds("1.2-15", "selected::test_at_most_fifty_steps_are_selected"),
    holds("1.3-1", _EVERY_PROBLEM, mark="V2 B"),
    holds("1.3-2", _MEMBERS, mark="V2 B"),
    differs(
        "1.3-3",
        "The trigger Completed alone; the others are refused by name.",
        _MEMBERS,
        "parse::test_trigger_that_is_none_is_refused",
        "check::test_run_conditions_are_refused_by_name",
        mark="V2 V3",
    ),
    holds("1.3-4", _MEMBERS, mark="V2 B"),
    holds("1.3-5", _MEMBERS, mark="V2"),
    holds("1.3-6", _MEMBERS, mark="V2"),
    holds("1.3-7", _MEMBERS, "check::test_property_file_names_an_output_and_is_named_by_references", mark="V2"),
    holds("1.3-8", _MEMBERS, _FIELDS, "check::test_member_of_another_step_type_is_unknown", mark="V2"),
    holds("1.3-9", _MEMBERS, _FIELDS, mark="V2"),
    refused("1.3-10", _CHECK_STEPS, _NOT_RUN, mark="V2"),
    holds("1.3-11", "graph::test_an_author_may_write_steps_before_those_that_they_need"),
    holds("1.4-1", _SHAPES, "steps::test_a_processing_step_runs_its_job_with_its_property_files", mark="B"),
    holds("1.4-2", _SHAPES, "training::test_describe_of_sdk_requests_fits_the_service_model", mark="B"),
    holds("1.4-3", _SHAPES, "tuning::test_the_best_training_job_is_told_first", mark="B"),
    holds("1.4-4", _SHAPES, "transform_jobs::test_how_a_job_ended_is_told_in_describe_shape", mark="B"),
    holds("1.4-5", _SHAPES, "registry::test_a_model_is_kept_in_describe_shape", mark="B"),
    holds("1.4-6", _SHAPES, "registry::test_every_member_of_the_requests_that_describe_has_is_kept", mark="B"),
    holds("1.4-7", "steps::test_a_condition_takes_the_branch_that_its_conditions_decide", mark="B"),
    holds("1.4-8", "steps::test_a_fail_step_ends_the_execution_with_its_message", mark="B"),
    holds("1.4-9", "outputs::test_metadata_fits_the_service_model", _FIELDS, mark="B"),
    holds("1.4-10", "outputs::test_metadata_fits_the_service_model", _FIELDS, mark="B"),
    *(refused(f"1.4-{place}", _NO_TYPE, _NOT_RUN, mark="B") for place in range(11, 16)),
    refused("1.4-16", _NO_TYPE, _NOT_RUN),
    *(refused(f"1.4-{place}", _NO_TYPE, _NOT_RUN, mark="V3") for place in range(17, 20)),
    refused("1.4-20", "There is no such type for localpipe.", "check::test_step_type_that_there_is_not"),
    holds("1.4-21", _FUNCTIONS, "model_steps::test_version_2_repacks_registers_and_creates_a_model_of_two_containers"),
    refused("1.4-22", _NO_TYPE, _NOT_RUN),
    holds("1.5-1", _SDKS),
    holds("1.5-2", _PREFIX, "requests::test_the_prefix_of_a_job_name_may_end_in_a_hyphen"),
    holds("1.5-3", _JOB_NAME),
    holds("1.5-4", _PREFIX),
    holds("1.5-5", "tuning::test_names_are_those_of_the_service"),
    refused("1.5-6", "Steps of type EndpointConfig are refused by name.", _NOT_RUN),
    beside("1.5-7", "Jobs have no AWS credentials, so no role and no session."),
    differs(
        "1.5-8", "Tags are not kept; the fidelity report says so.", "fidelity::test_what_is_not_exact_is_told_in_sentences"
    ),
    holds("1.6-1", _LOCATED, mark="G"),
    holds("1.6-2", _LOCATED, "parse::test_steps_that_are_no_list_are_refused_in_the_services_words"),
    holds("1.6-3", _LOCATED, "parse::test_wrong_kinds_are_refused_where_they_stand"),
    holds("1.6-4", _LOCATED, "conditions::test_unknown_member_is_refused_in_the_services_words"),
    holds("1.6-5", "requests::test_parameter_that_is_no_text_is_refused_where_text_is_wanted"),
    differs(
        "1.6-6",
        "CertifyForMarketplace is refused; `Description` is no member of the request and refused as such.",
        "steps::test_certification_is_refused_as_on_the_service",
    ),
    holds("1.6-7", _LOCATED),
    holds("1.6-8", "requests::test_wrong_enum_value_names_the_allowed_ones"),
    holds("1.6-9", _ABSENT, "check::test_depends_on_is_checked_like_a_reference"),
    holds("1.6-10", "parse::test_malformed_json_is_one_problem_with_line_and_column"),
    holds(
        "1.6-11", "graph::test_a_cycle_is_shown_as_its_path_at_its_first_step", "refusals::test_a_cycle_is_shown_as_its_path"
    ),
    holds("1.6-12", _DUPLICATES),
    holds("1.6-13", _ABSENT, "refusals::test_references_to_what_is_not_there"),
    holds("1.6-14", "capture::test_creating_it_twice_is_refused_in_words_that_upsert_understands"),
    beside("1.6-15", OPERATIONS),
    holds("1.6-16", "requests::test_what_the_service_takes_has_no_problem", _LOCATED, mark="G"),
    holds("2.1-1", _VALUES, mark="V2"),
    holds("2.1-2", _VALUES, mark="V2"),
    holds("2.1-3", _VALUES, mark="V2"),
    holds("2.1-4", _VALUES, "check::test_property_file_names_an_output_and_is_named_by_references", mark="V2"),
    holds(
        "2.1-5",
        "outputs::test_a_reference_names_a_declared_output",
        "callbacks::test_a_success_has_its_outputs_in_the_steps_that_follow",
        mark="V2",
    ),
    holds("2.1-6", _VALUES, "definitions::test_join_is_the_texts_with_the_separator_between", mark="V2"),
    holds("2.1-7", _VALUES, "engine::test_a_condition_reads_its_property_file_and_opens_one_branch", mark="V2"),
    holds("2.1-8", _VALUES, "expressions::test_documents_needed_are_the_s3_objects_that_json_get_reads", mark="V2"),
    holds(
        "2.1-9",
        "expressions::test_object_with_one_member_of_the_three_is_an_expression",
        "expressions::test_everything_else_is_data",
        "expressions::test_malformed_expressions_are_located",
    ),
    holds("2.1-10", "expressions::test_text_is_never_interpolated", mark="V2"),
    holds("2.2-1", _VALUES),
    holds("2.2-2", _PRESENT),
    holds("2.2-3", _VALUES, mark="N"),
    holds("2.2-4", "run::test_a_time_in_a_text_has_milliseconds"),
    holds("2.2-5", "run::test_a_time_in_a_text_has_milliseconds", mark="?"),
    holds("2.2-6", _ABSENT, _PRESENT, mark="V2"),
    holds(
        "2.3-1",
        _VALUES,
        "definitions::test_text_of_a_float_is_a_plain_decimal_of_the_same_value",
        "steps::test_a_condition_s_outcome_joins_as_text",
    ),
    holds(
        "2.3-2",
        "check::test_integer_property_needs_a_cast_where_text_is_wanted",
        "outputs::test_outputs_have_their_type_where_they_are_used",
        "requests::test_parameter_that_is_no_integer_is_refused_where_one_is_wanted",
    ),
    holds("2.3-3", _VALUES),
    holds("2.3-4", "doubts::test_hyperparameter_that_is_no_text_is_doubtful"),
    holds(
        "2.3-5",
        "requests::test_fitting_converts_scalars_and_drops_nulls",
        "requests::test_resolved_value_of_a_wrong_kind_is_named",
    ),
    holds("2.3-6", _VALUES, mark="V2"),
    holds(
        "2.4-1", "paths::test_paths_are_read", "definitions::test_property_paths_survive_being_written_and_read", mark="V2"
    ),
    holds("2.4-2", "paths::test_lists_are_indexed_by_place_or_by_name"),
    holds("2.4-3", "paths::test_lists_are_indexed_by_place_or_by_name"),
    holds("2.4-4", "paths::test_properties_of_the_describe_shapes_exist"),
    holds("2.4-5", _PROPERTIES),
    holds("2.4-6", "tuning::test_the_best_training_job_is_told_first", "tuning::test_later_steps_get_the_best_model"),
    holds("2.4-7", _VALUES),
    holds("2.4-8", "check::test_outcome_of_a_condition_can_be_referred_to"),
    holds("2.4-9", "paths::test_properties_of_the_describe_shapes_exist", _PROPERTIES),
    holds("2.4-10", "expressions::test_reference_without_a_value_is_named", "paths::test_missing_value_says_what_is_there"),
    holds(
        "2.4-11",
        "graph::test_a_step_needs_what_it_depends_on_and_what_it_refers_to",
        "decide::test_a_step_outside_that_depends_on_a_branch_runs_only_if_that_branch_was_taken",
        mark="V2",
    ),
    *(holds(f"2.5-{place}", _FUNCTIONS, mark="V2") for place in range(1, 6)),
    beside("2.5-6", SDK, mark="V2"),
    holds("3-1", "golden::test_a_definition_is_read_as_ever", "conditions::test_not_and_or_nest", mark="V2"),
    holds("3-2", _COMPARE),
    holds("3-3", "conditions::test_in_takes_both_spellings"),
    holds(
        "3-4",
        "conditions::test_not_and_or_nest",
        "conditions::test_the_negation_of_an_old_sdk_is_refused_as_the_service_does",
    ),
    holds("3-5", "conditions::test_not_and_or_nest"),
    holds("3-6", _COMPARE, "conditions::test_in_takes_both_spellings"),
    holds("3-7", "conditions::test_all_must_hold_and_none_is_true", "conditions::test_wrong_forms_are_located"),
    holds("3-8", "conditions::test_all_must_hold_and_none_is_true"),
    holds(
        "3-9",
        "decide::test_a_condition_whose_taken_branch_is_empty_is_no_failure",
        "steps::test_a_condition_may_lack_a_branch_and_conditions",
    ),
    holds("3-10", "engine::test_a_json_path_that_the_file_has_not_fails_the_condition_and_names_those_it_has"),
    holds("3-11", _COMPARE),
    holds(
        "3-12",
        "conditions::test_values_that_cannot_be_compared_are_named",
        "steps::test_operands_that_cannot_be_compared_fail_the_condition",
    ),
    holds(
        "3-13",
        "steps::test_a_condition_takes_the_branch_that_its_conditions_decide",
        "steps::test_a_condition_s_outcome_joins_as_text",
    ),
    differs(
        "3-14",
        "RetryPolicies are refused; a CacheConfig is taken and has no effect.",
        "check::test_retry_policies_are_refused_on_types_that_take_none",
        "texts::test_a_condition_may_have_a_cache_config",
    ),
    beside("3-15", "A heading."),
    holds("3-16", "graph::test_a_nested_branch_step_knows_all_its_guards_and_waits_for_the_innermost"),
    holds("3-17", _DUPLICATES),
    holds("3-18", "decide::test_a_branch_step_also_waits_for_what_it_needs_outside"),
    holds("3-19", "check::test_outcome_of_a_condition_can_be_referred_to"),
    holds(
        "3-20",
        "decide::test_depending_on_a_condition_means_after_it_was_evaluated",
        "doubts::test_depending_on_a_condition_is_doubtful_but_referring_to_it_is_not",
    ),
    holds(
        "3-21",
        "decide::test_a_step_outside_that_depends_on_a_branch_runs_only_if_that_branch_was_taken",
        "decide::test_a_step_that_depends_on_both_branches_never_runs",
    ),
    holds(
        "3-22",
        "decide::test_a_nested_branch_runs_only_if_the_outer_one_does",
        "doubts::test_condition_in_a_branch_is_doubtful",
    ),
    holds("3-23", "check::test_depends_on_is_checked_like_a_reference"),
    holds("4-1", "parse::test_parameters_are_read", mark="V2"),
    holds("4-2", "parse::test_parameters_are_read", _EVERY_PROBLEM),
    holds("4-3", "parse::test_parameters_that_contradict_themselves_are_refused"),
    holds("4-4", "parse::test_parameters_are_read", "parameters::test_every_problem_is_reported_at_once"),
    holds("4-5", "parse::test_parameters_are_read", "texts::test_the_description_of_a_parameter_may_have_4096_characters"),
    holds("4-6", "parameters::test_values_are_converted_as_their_text_on_the_wire"),
    holds(
        "4-7",
        "parameters::test_values_are_converted_as_their_text_on_the_wire",
        "parameters::test_what_cannot_be_converted_is_refused",
        mark="V2",
    ),
    *(holds(f"4-{place}", "parameters::test_every_problem_is_reported_at_once") for place in (8, 9, 10)),
    holds("4-11", "parameters::test_what_cannot_be_converted_is_refused"),
    holds("4-12", "parse::test_parameters_that_contradict_themselves_are_refused"),
    holds("4-13", _LIMITS),
    beside("4-14", OPERATIONS),
)
