"""The rules of containers.md section 3."""

from __future__ import annotations

from rules_model import Rule, everywhere, rule

NO_HOSTING = everywhere(
    "No endpoint is served: steps of those types are refused by name, and a batch transform asks models."
)
NO_STATUS_BETWEEN = everywhere("A job is described when it has ended: `InProgress` and `Stopping` are not told.")
ONE_MODEL = everywhere(
    "Refused before the run where the model is known: a batch transform does not run multi-model containers."
)
NO_DEFAULT = everywhere(
    "PyTorch's stand-in alone has that default: scikit-learn's wants the variable, XGBoost's runs its algorithm without it."
)
READS_SOME = everywhere(
    "The stand-ins read the directory, the workers and the timeout, XGBoost's algorithm the log level too. The region and"
    " the serving module mean nothing to them."
)

_LIMIT = "requests::test_a_transform_request_beyond_a_limit_is_refused_with_its_place"
_AT_LIMIT = "requests::test_a_transform_request_at_its_limits_is_taken"
_MODEL_LIMIT = "requests::test_a_model_request_beyond_a_limit_is_refused_with_its_place"
_SERVES = "serving::test_the_image_runs_with_serve_and_is_asked_at_port_8080"
_UNPACKED = "serving::test_the_model_is_unpacked_and_cannot_be_written"
_PAYLOAD = "serving::test_a_model_gets_the_payload_with_its_content_type_and_accept"
_PATHS = "serving::test_each_object_has_its_output_by_its_path"
_WHOLE = "serving::test_an_object_that_is_not_split_is_one_payload"
_VARIABLES = "serving::test_what_the_request_sets_and_the_job_are_variables"
_IN_TURN = "serving::test_a_container_gets_the_answer_of_the_one_before_and_has_its_own_model"
_CODE = "serving::test_the_models_code_is_on_the_path_and_its_requirements_are_installed"
_HOOKS = "serving::test_a_script_gives_three_hooks_or_leaves_them_to_the_defaults"
_REFUSALS = "serving::test_what_a_model_refuses_and_raises_fails_the_job"
_OVERWRITTEN = "serving::test_an_output_that_is_there_is_overwritten_and_others_are_left_alone"
_REFUSED = "jobs.transform::test_what_cannot_run_is_refused_with_its_place"
_NOT_RUN = "jobs.transform::test_a_model_that_no_transform_runs_is_refused"
_TAKEN = "jobs.transform::test_what_is_asked_for_is_taken_over"
_DEFAULTS = "jobs.transform::test_a_request_without_more_leaves_the_rest_to_the_container_and_the_defaults"
_ENDS = "jobs.transform::test_how_a_job_ended_is_told_in_describe_shape"
_FILES = "engine.transform::test_a_model_without_data_or_with_files_of_its_own_is_served"
_SAYS = "engine.transform::test_the_container_says_how_it_wants_to_be_asked"
_CHUNKS = "engine.transform::test_without_a_limit_an_object_is_sent_in_chunks"
_FAILS = "engine.transform::test_an_object_that_fails_has_no_output_and_the_others_have_theirs"
_TOO_LARGE = "engine.transform::test_a_record_that_is_too_large_fails_its_object"
_AT_ONCE = "engine.transform::test_records_go_one_by_one_and_at_once_and_come_back_in_order"
_FIT = "engine.transform::test_a_payload_has_as_many_records_as_fit"
_STOPPED = "engine.transform::test_a_job_that_is_stopped_writes_no_half_output"
_PRECEDENCE = "outputs::test_the_request_wins_over_the_container_over_the_defaults"
_NAMED = "outputs::test_an_output_is_named_after_the_path_below_the_prefix"
_LINES = "outputs::test_a_response_is_written_as_it_is_but_that_lines_end"
_OBJECT = "outputs::test_an_object_gets_the_output_as_a_member"
_BATCHED = "splitting::test_as_many_whole_records_as_fit_are_one_payload"
_SINGLE = "splitting::test_single_records_are_sent_alone_without_their_newline"
_FRAMED = "splitting::test_framed_records_keep_their_framing"
_NOTHING = "filters::test_a_path_that_finds_nothing_says_so"

RULES: tuple[Rule, ...] = (
    rule(
        "3.1-1",
        "D I",
        "The image runs with `serve` and listens on 8080; containers side by side are told their port.",
        _SERVES,
        _IN_TURN,
    ),
    rule(
        "3.1-2",
        "D",
        "The model lies unpacked or as it is in `/opt/ml/model`, read-only; else it is empty.",
        _UNPACKED,
        _FILES,
    ),
    rule("3.1-3", "D", "There is no `/opt/ml/input`.", "serving::test_there_are_no_inputs_of_a_job"),
    rule(
        "3.1-4",
        "B D",
        "At most 100 variables of the container, over which those of the job win.",
        "serving::test_variables_of_the_job_win_over_those_of_the_model",
        _MODEL_LIMIT,
        _AT_LIMIT,
    ),
    rule(
        "3.2-1",
        "B D",
        "`GET /ping` with 200 in 2 seconds is healthy; a container has 4 minutes for it.",
        "engine.invocations::test_what_is_wrong_with_a_container_is_said_in_plain_words",
        "engine.containers::test_a_container_that_never_answers_fails_the_job_when_its_time_is_up",
        "engine.transform::test_a_container_that_ends_before_it_is_healthy_tells_its_last_words",
    ),
    rule("3.2-2", "D", "`GET /execution-parameters` may say how the container wants to be asked.", _SAYS, _PRECEDENCE),
    rule("3.2-3", "D", "`POST /invocations` has the payload, its content type and what is accepted.", _PAYLOAD),
    rule("3.2-4", "D", "200 is success, and the body is the output.", _PATHS, _FAILS),
    rule(
        "3.2-5",
        "B",
        "Real-time hosting, with its limits and headers; a container is stopped by SIGTERM.",
        "check::test_step_type_that_localpipe_does_not_run_is_refused_by_name",
        _STOPPED,
        differs=NO_HOSTING,
    ),
    rule("3.3-1", "B", "SingleRecord, or MultiRecord where nobody says otherwise.", _LIMIT, _DEFAULTS, _PRECEDENCE),
    rule(
        "3.3-2", "B", "So many requests at once, one where nobody says otherwise.", _LIMIT, _AT_LIMIT, _AT_ONCE, _PRECEDENCE
    ),
    rule(
        "3.3-3",
        "B",
        "6 MB where nobody says otherwise, 0 without a limit in chunks; times the requests at once at most 100.",
        _LIMIT,
        _AT_LIMIT,
        _CHUNKS,
        _PRECEDENCE,
    ),
    rule(
        "3.3-4",
        "B",
        "600 seconds for an answer and 3 retries, or what the request says.",
        _LIMIT,
        _AT_LIMIT,
        _DEFAULTS,
        "engine.transform::test_an_answer_that_takes_too_long_is_none",
        "engine.transform::test_a_request_is_made_again_only_so_often",
        "engine.transform::test_a_request_that_may_fare_better_is_made_again",
    ),
    rule(
        "3.3-5",
        "B",
        "Objects by prefix or manifest, packed or not, split or not.",
        _LIMIT,
        _AT_LIMIT,
        _TAKEN,
        "engine.transform::test_packed_objects_are_unpacked",
        "engine.transform::test_a_manifest_names_the_objects",
    ),
    rule("3.3-6", "B", "An output path, what is accepted, and how it is put together.", _LIMIT, _TAKEN),
    rule(
        "3.3-7",
        "B",
        "Filters of at most 63 characters, by default the whole; a join or none.",
        _LIMIT,
        _AT_LIMIT,
        _TAKEN,
        _ENDS,
    ),
    rule("3.3-8", "B", "At most 16 variables, names of 1,024 and values of 10,240 characters.", _LIMIT, _AT_LIMIT),
    rule(
        "3.3-9",
        "B",
        "Completed, Failed, Stopped, and InProgress and Stopping before.",
        _ENDS,
        _STOPPED,
        differs=NO_STATUS_BETWEEN,
    ),
    rule("3.3-10", "B", "The request wins over the container over the defaults.", _PRECEDENCE),
    rule("3.4-1", "D", "`SAGEMAKER_BATCH` is `true`.", _VARIABLES),
    rule("3.4-2", "V2 INF", "`TRANSFORM_JOB_ARN` is that of the job.", _VARIABLES),
    rule("3.4-3", "D", "The three tunables are variables where the request sets them.", _VARIABLES, _TAKEN),
    rule(
        "3.5-1",
        "D",
        "Without a split an object is one payload, within the limit.",
        _WHOLE,
        "splitting::test_a_record_beyond_the_limit_is_refused_in_the_services_words",
    ),
    rule("3.5-2", "D", "SingleRecord sends a record at a time.", _PAYLOAD, _SINGLE, _FRAMED),
    rule("3.5-3", "D", "MultiRecord sends as many whole records as fit.", _FIT, _BATCHED, _FRAMED),
    rule(
        "3.5-4",
        "D",
        "Records of different objects are in different requests.",
        _PATHS,
        "engine.transform::test_each_object_becomes_one_output",
    ),
    rule("3.5-5", "D", "A record beyond the limit fails the job.", _TOO_LARGE),
    rule("3.5-6", "INF", "Newlines stand between records of a payload, and none at its end.", _BATCHED, _SINGLE, _PAYLOAD),
    rule("3.5-7", "D", "A header is a record as any other.", "serving::test_a_header_is_a_record_as_any_other"),
    rule("3.5-8", "D", "Outputs are in the order of the input.", _AT_ONCE),
    rule("3.5-9", "D", "Answers are put together as they are, or each ends its line.", _LINES, _WHOLE),
    rule(
        "3.5-10",
        "V2",
        "Limits are bytes of the body.",
        "outputs::test_megabytes_are_counted_in_bytes_of_the_body",
        "splitting::test_what_is_sent_counts_not_what_it_was_filtered_from",
        _FIT,
    ),
    rule("3.6-1", "D", "Each object has one output, named by its path below the prefix and `.out`.", _PATHS, _NAMED),
    rule("3.6-2", "INF", "The path starts at the last `/` of the prefix.", _NAMED),
    rule("3.6-3", "D", "No job's name is in it.", _PATHS, _NAMED),
    rule(
        "3.6-4",
        "D",
        "An object that fails has no output and fails the job; a stopped job has no half output.",
        _FAILS,
        _STOPPED,
    ),
    rule("3.6-5", "D", "An output that is there is overwritten, and others are left alone.", _OVERWRITTEN),
    rule(
        "3.7-1",
        "D",
        "The input's filter, the model, the join, the output's filter.",
        "engine.transform::test_filters_and_join_are_around_the_model",
        "outputs::test_the_filter_of_the_output_comes_after_the_join",
    ),
    rule(
        "3.7-2",
        "D",
        "Filters are for CSV, JSON and JSON Lines; a join wants both sides split alike.",
        _REFUSED,
        "outputs::test_an_output_of_another_form_cannot_be_joined",
    ),
    rule(
        "3.7-3",
        "D",
        "The JSONPath that there is, and no other.",
        "filters::test_a_path_finds",
        "filters::test_what_the_service_does_not_take_is_refused",
    ),
    rule(
        "3.7-4",
        "D",
        "Columns are numbered, and what is left is a row again.",
        "outputs::test_the_filter_of_the_input_leaves_fields_as_they_were",
        "outputs::test_a_document_of_rows_is_filtered_row_by_row",
    ),
    rule(
        "3.7-5",
        "D",
        "The output stands on the right of the whole record.",
        "outputs::test_a_row_is_joined_on_the_right_of_the_whole_record",
    ),
    rule(
        "3.7-6",
        "D",
        "An object gets `SageMakerOutput`; what is none becomes `SageMakerInput` beside it.",
        _OBJECT,
        "outputs::test_a_document_is_joined_as_a_whole",
    ),
    rule(
        "3.7-7",
        "D",
        "A filter that finds nothing fails the job.",
        _NOTHING,
        "outputs::test_a_response_that_does_not_fit_fails_its_object",
    ),
    rule(
        "3.8-1",
        "D",
        "At most 15 containers, one after the other in a transform.",
        _IN_TURN,
        _MODEL_LIMIT,
        _AT_LIMIT,
        _NOT_RUN,
    ),
    rule("3.8-2", "D", "Each has its own model and is told its port.", _IN_TURN),
    rule("3.8-3", "D", "A multi-model container loads and unloads models.", _NOT_RUN, differs=ONE_MODEL),
    rule(
        "3.9-1",
        "I",
        "The model's code is on the path; `SAGEMAKER_PROGRAM` names its file, by default `inference.py`.",
        _CODE,
        "stand_ins::test_pytorch_calls_a_torchscript_model_or_the_hooks_of_inference_py",
        "stand_ins::test_a_container_that_cannot_serve_ends_and_says_why_last",
        differs=NO_DEFAULT,
    ),
    rule(
        "3.9-2",
        "I",
        "`transform_fn`, or three hooks; with both it does not start, and what is missing has a default.",
        _HOOKS,
        _PAYLOAD,
        "stand_ins::test_a_container_that_cannot_serve_ends_and_says_why_last",
    ),
    rule(
        "3.9-3",
        "I",
        "What is accepted, or the default of the variable.",
        "serving::test_an_absent_accept_is_that_of_the_variable",
        _HOOKS,
    ),
    rule(
        "3.9-4",
        "I",
        "requirements.txt is installed.",
        _CODE,
        "stand_ins::test_a_requirement_that_cannot_be_had_ends_the_container",
    ),
    rule("3.9-5", "I", "JSON, CSV and NPY both ways.", "serving::test_json_csv_and_npy_are_read_and_written_without_a_hook"),
    rule(
        "3.9-6",
        "I",
        "The variables that the toolkit reads.",
        _CODE,
        "stand_ins::test_xgboosts_algorithm_predicts_what_the_model_does",
        "stand_ins::test_hooks_of_a_scikit_learn_script_from_an_archive",
        differs=READS_SOME,
    ),
    rule(
        "3.9-7",
        "I",
        "415 for a content type, 406 for what is accepted, 500 for what a script raises.",
        _REFUSALS,
        "stand_ins::test_a_script_of_scikit_learn_predicts_what_the_model_does",
    ),
)
