"""The rules of containers.md section 2."""

from __future__ import annotations

from rules_model import Rule, everywhere, rule
from rules_of_processing import CHANGED_INPUT, RENAMED_INPUT, STATIC

OWN_GPUS = {
    "docker": "Those of this machine, where the engine passes GPUs on.",
    "process": "None: the sandbox passes no device on.",
    "sandbox": "None: the sandbox passes no device on.",
}
NO_PROFILER = everywhere("Neither is made: no profiler or debugger runs here.")
ONE_OUTPUT = everywhere(
    "Of several hosts too, `SM_OUTPUT_DATA_DIR` is `/opt/ml/output/data`: the toolkit adds no host's name."
)
NO_MPI = everywhere("The stand-ins hold no MPI and no SSH server: the job fails in the toolkit's words.")
NO_MODULE = everywhere("`SM_FRAMEWORK_MODULE` is empty in the stand-ins: the toolkit runs without AWS's framework module.")

_LIMIT = "requests::test_a_training_request_beyond_a_limit_is_refused_with_its_place"
_AT_LIMIT = "requests::test_a_request_at_its_limits_is_taken"
_NAMES = "training::test_the_names_of_the_job_and_the_region_are_variables"
_REFUSED = "jobs.training::test_what_is_not_built_is_refused_by_place"
_ENDS = "jobs.training::test_how_a_job_ended_is_told_in_the_service_s_words"
_TRAINS = "toolkit::test_the_code_is_fetched_from_s3_and_runs_in_its_directory"
_TOGETHER = "training::test_entrypoint_and_arguments_are_run_without_train"
_ALONE = "training::test_an_entrypoint_alone_runs_without_train"
_DIRECTORIES = "training::test_directories_are_there_empty_and_writable"
_INPUT_WRITABLE = "training::test_the_input_directory_is_writable"
_CHANNELS = "training::test_channels_are_directories_with_paths_as_in_processing"
_ACCESS = "training::test_a_fast_file_channel_is_read_only_and_a_file_channel_is_not"
_PACKED = "training::test_packed_objects_stay_packed_in_file_mode"
_MANIFEST = "training::test_a_manifest_names_the_objects"
_SHARDED = "training::test_hosts_share_the_objects_of_a_sharded_channel"
_PIPE = "training::test_a_pipe_gives_all_objects_in_each_epoch"
_GZIP = "training::test_a_pipe_unpacks_gzip"
_RECORDS = "training::test_a_pipe_wraps_each_object_as_a_record"
_SHUFFLED = "training::test_a_pipe_shuffles_the_objects_of_each_epoch"
_AUGMENTED = "training::test_an_augmented_manifest_is_streamed_by_attribute"
_GROUPS = "training::test_instance_groups_have_their_hosts_and_channels"
_HYPERPARAMETERS = "training::test_hyperparameters_are_text_by_text"
_INPUT_CONFIG = "training::test_channels_are_described_and_a_fast_file_one_shows_as_file"
_RESOURCES = "training::test_the_resource_configuration_is_whole"
_THREE = "training::test_the_three_files_are_there_without_channels_or_hyperparameters"
_NO_OTHER = "training::test_no_other_configuration_files_are_there"
_CHECKPOINTS = "training::test_checkpoints_are_there_and_go_back"
_METRICS_DIR = "training::test_metrics_directory_interface_and_gpus_are_variables"
_GPU = "training::test_a_gpu_job_is_not_told_that_there_is_none"
_STATIC = "training::test_credentials_are_static_and_lead_to_the_local_s3"
_ISOLATED = "training::test_an_isolated_job_has_no_network_and_no_credentials"
_DRIVER = "training::test_the_model_trainers_driver_runs"
_COMPLETED = "training::test_a_job_that_exits_with_zero_is_completed"
_FAILED = "training::test_a_job_that_fails_tells_its_failure_file_and_exit_code"
_SILENT = "training::test_a_job_that_fails_without_a_file_tells_its_exit_code"
_FAILED_OUTPUT = "training::test_a_failed_job_publishes_its_output_and_no_model"
_TIMED_OUT = "training::test_a_job_beyond_its_time_publishes_its_model_and_its_step_fails"
_STOPPED = "training::test_a_job_that_is_told_to_stop_gets_sigterm_and_publishes_its_model"
_KILLED = "engine::test_a_job_that_ignores_its_signal_is_killed_after_the_grace"
_MODEL = "training::test_the_model_is_an_archive_of_the_directorys_contents"
_OUTPUT = "training::test_output_data_is_an_archive_of_the_directorys_contents"
_EMPTY = "training::test_an_empty_model_is_an_archive_too"
_METRICS = "training::test_the_last_value_of_each_metric_is_told"
_HOSTS = "training::test_hosts_reach_one_another_and_their_artifacts_are_merged"
_WARM = "training::test_a_warm_pool_may_be_asked_for"
_SPOT = "training::test_a_spot_job_runs_as_any_other"
_DEBUGGING = "training::test_debugging_and_profiling_are_echoed_and_do_nothing"
_ARGUMENTS = "toolkit::test_hyperparameters_of_every_kind_become_arguments_sorted_by_name"
_HP_VARIABLES = "toolkit::test_hyperparameters_become_variables_without_those_of_the_framework"
_VARIABLES = "toolkit::test_directories_channels_and_the_program_are_variables"
_CLUSTER = "toolkit::test_the_cluster_is_told_in_variables"
_CONFIGURATION = "toolkit::test_the_configuration_files_are_variables"
_IN_CHANNEL = "toolkit::test_the_code_may_come_by_a_channel_without_a_network"
_SUCCESS = "toolkit::test_a_script_that_ends_well_leaves_a_success_file"
_INTERMEDIATE = "toolkit::test_intermediate_output_is_synchronised"
_SHELL = "toolkit::test_a_shell_script_is_run_with_the_arguments"
_PACKAGE = "toolkit::test_a_package_is_installed_and_run_as_a_module"
_FAILING = "toolkit::test_a_failing_script_is_told_in_the_toolkits_words"
_TOOLKIT_HOSTS = "toolkit::test_several_hosts_are_told_to_the_script"
_MPI = "toolkit::test_a_distribution_whose_program_is_not_there_fails_by_name"

RULES: tuple[Rule, ...] = (
    rule(
        "2.1-1",
        "B",
        "The job's name has 1 to 63 letters, digits and inner hyphens.",
        "names::test_a_job_name_fits_the_services_pattern",
        _NAMES,
    ),
    rule(
        "2.1-2",
        "B",
        "At most 100 hyperparameters, names of 256 and values of 2,500 characters.",
        _LIMIT,
        _AT_LIMIT,
        _HYPERPARAMETERS,
    ),
    rule("2.1-3", "B", "1 to 20 channels or none at all, names of 1 to 64 characters.", _LIMIT, _AT_LIMIT, _THREE),
    rule("2.1-4", "B", "At most 100 variables, names and values of at most 512 characters.", _LIMIT, _AT_LIMIT),
    rule("2.1-5", "B", "Image or algorithm, input mode, entrypoint, arguments and at most 40 metrics.", _LIMIT, _AT_LIMIT),
    rule("2.1-6", "B", "Type and count of instances, or groups; a time to keep them warm.", _LIMIT, _AT_LIMIT, _WARM),
    rule("2.1-7", "B", "An output path is required; the model is compressed or not.", _LIMIT),
    rule("2.1-8", "B", "Time limits of at least a second; waiting lasts no less than running.", _LIMIT, _AT_LIMIT),
    rule("2.1-9", "B", "1 to 30 retries, for internal errors only.", _LIMIT, _AT_LIMIT, _SPOT),
    rule("2.1-10", "B", "A failure reason has at most 1,024 characters.", _FAILED),
    rule("2.2-1", "D", "Without entrypoint and arguments the image runs with `train`.", _TRAINS),
    rule("2.2-2", "D", "An entrypoint alone runs without `train`.", _ALONE),
    rule(
        "2.2-3",
        "D",
        "Arguments alone go to the image's ENTRYPOINT, without `train`.",
        "jobs.training::test_train_is_the_argument_only_where_nothing_is_given",
        "processing::test_what_the_image_runs_by_itself",
        differs={"process": "Its environments have no ENTRYPOINT: refused when the job starts, naming the image."},
    ),
    rule("2.2-4", "D", "Entrypoint and arguments run together, without `train`.", _TOGETHER),
    rule(
        "2.2-5",
        "INF",
        "An image without ENTRYPOINT and `train` fails plainly.",
        "training::test_an_image_without_train_is_said_plainly",
    ),
    rule("2.3-1", "D", "The configuration files lie in `/opt/ml/input/config`.", _NO_OTHER),
    rule("2.3-2", "D", "Each channel has its directory.", _CHANNELS),
    rule("2.3-3", "D", "A channel in Pipe mode has a FIFO for each epoch.", _PIPE),
    rule(
        "2.3-4",
        "N",
        "A list of what was downloaded may lie beside a channel.",
        "training::test_no_copy_of_what_was_downloaded_is_made",
        differs=everywhere("Not written: it is optional."),
    ),
    rule(
        "2.3-5",
        "T",
        "`/opt/ml/code` is made by the toolkit.",
        "training::test_no_code_directory_is_made_for_the_toolkit",
        _TRAINS,
    ),
    rule("2.3-6", "D", "`/opt/ml/model` becomes the model.", _MODEL),
    rule("2.3-7", "D", "`/opt/ml/output/data` becomes output.tar.gz.", _OUTPUT),
    rule("2.3-8", "T", "The toolkit synchronises intermediate output when asked to.", _INTERMEDIATE),
    rule("2.3-9", "D", "The failure file tells why the job failed.", _FAILED),
    rule(
        "2.3-10",
        "T",
        "The toolkit's success file means nothing to the service.",
        "training::test_a_success_file_means_nothing",
        _SUCCESS,
    ),
    rule("2.3-11", "N", "The metrics directory is there.", _DIRECTORIES, _METRICS_DIR),
    rule("2.3-12", "N", "Directories of the profiler and debugger.", _DEBUGGING, differs=NO_PROFILER),
    rule("2.3-13", "D", "Checkpoints are synchronised both ways.", _CHECKPOINTS),
    rule("2.3-14", "V3", "Drivers may write into `/opt/ml/input`.", _INPUT_WRITABLE, _DRIVER),
    rule(
        "2.3-15",
        "INF",
        "Model, output and output data are there, empty and writable; checkpoints are filled.",
        _DIRECTORIES,
        _CHECKPOINTS,
    ),
    rule(
        "2.3-16",
        "INF",
        "FastFile channels are read-only; File channels can be written and the objects stay.",
        _ACCESS,
        "processing::test_a_job_may_write_into_its_input_and_the_object_stays",
        "docker::test_an_images_own_user_may_add_and_remove_files_of_an_input_and_not_change_them",
        RENAMED_INPUT,
        differs=CHANGED_INPUT,
    ),
    rule(
        "2.4-1",
        "B D",
        "Objects are named by prefix, manifest or, in Pipe mode, augmented manifest.",
        _CHANNELS,
        _MANIFEST,
        _AUGMENTED,
        _REFUSED,
    ),
    rule("2.4-2", "B D", "Every host gets all objects, or its share.", _SHARDED),
    rule(
        "2.4-3",
        "B G",
        "A channel's mode overrides the job's; Pipe and FastFile do not go together.",
        _ACCESS,
        "training::test_pipe_and_fast_file_do_not_go_together",
    ),
    rule("2.4-4", "B", "Gzip is unpacked in Pipe mode; File mode leaves objects as they are.", _GZIP, _PACKED),
    rule("2.4-5", "B", "RecordIO wraps each object of a pipe as a record.", _RECORDS),
    rule("2.4-6", "B", "A seed shuffles the order of the objects.", _SHUFFLED),
    rule("2.4-7", "B", "A content type of at most 256 characters is passed on.", _LIMIT, _INPUT_CONFIG),
    rule("2.4-8", "B", "Channels of some instance groups; attributes of an augmented manifest.", _GROUPS, _AUGMENTED),
    rule("2.4-9", "B", "EFS and FSx are refused by name.", _LIMIT, _REFUSED),
    rule("2.4-10", "D", "Paths below a channel are those of processing.", _CHANNELS),
    rule("2.4-11", "D", "A manifest's objects lie under their relative keys.", _MANIFEST),
    rule("2.4-12", "D", "Attributes of an augmented manifest are streamed in order, `-ref` ones as content.", _AUGMENTED),
    rule("2.5-1", "D", "A FIFO carries all objects in order, the next epoch's all again.", _PIPE),
    rule(
        "2.5-2",
        "D N",
        "FastFile looks like File, read-only, and shows as File in the configuration.",
        _ACCESS,
        _INPUT_CONFIG,
    ),
    rule("2.6-1", "D T", "Hyperparameters are text by text, as in the request.", _HYPERPARAMETERS),
    rule("2.6-2", "D N", "Channels with mode, distribution, wrapper and, when given, content type.", _INPUT_CONFIG),
    rule("2.6-3", "D N", "Hosts, interface, instance type and groups.", _RESOURCES),
    rule("2.6-4", "D", "Where the checkpoints are, when configured.", _CHECKPOINTS),
    rule(
        "2.6-5",
        "N G",
        "Files of debugger and profiler, when configured.",
        _NO_OTHER,
        differs=everywhere("Never written: the framework's hook stays off."),
    ),
    rule(
        "2.6-6",
        "G",
        "Undocumented files, which nothing reads.",
        _NO_OTHER,
        differs=everywhere("Not written: they may be left out."),
    ),
    rule("2.6-7", "D", "The first three are always there.", _THREE),
    rule("2.7-1", "N D", "The job's name and ARN.", _NAMES),
    rule("2.7-2", "N", "The region.", _NAMES),
    rule("2.7-3", "N", "Credentials come by the container's credentials endpoint.", _STATIC, differs=STATIC),
    rule("2.7-4", "N", "The metrics directory.", _METRICS_DIR),
    rule("2.7-5", "N", "The network interface.", _METRICS_DIR),
    rule("2.7-6", "N", "`NVIDIA_VISIBLE_DEVICES` is `void` on CPU instances.", _METRICS_DIR, _GPU),
    rule("2.7-7", "V2 ?", "The cache directory of warm pools, where they are asked for.", _WARM),
    rule(
        "2.7-8", "B", "Variables of the request come as they are.", "training::test_variables_of_the_request_come_unchanged"
    ),
    rule("2.7-9", "INF", "The service sets no `SM_*` variables.", "training::test_there_are_no_variables_of_the_toolkit"),
    rule("2.7-10", "T", "Dummy keys and endpoint variables lead to the local S3, also the toolkit.", _STATIC, _TRAINS),
    rule("2.8-1", "V2", "Hyperparameters of script mode are JSON in text.", _ARGUMENTS),
    rule("2.8-2", "V2", "`sagemaker_program` is the entry file.", _VARIABLES),
    rule(
        "2.8-3",
        "V2",
        "`sagemaker_submit_directory` is the archive in S3 or, isolated, in channel `code`.",
        _TRAINS,
        _IN_CHANNEL,
    ),
    rule("2.8-4", "V2", "`sagemaker_container_log_level` is the level of the log.", _VARIABLES),
    rule("2.8-5", "V2", "`sagemaker_job_name` is not in pipeline definitions: jobs run without it.", _TRAINS),
    rule("2.8-6", "V2", "`sagemaker_region` is taken.", _TRAINS),
    rule("2.8-7", "V2", "Options of distribution reach the toolkit.", _MPI),
    rule("2.8-8", "V2", "`sagemaker_s3_output` names where intermediate output goes.", _INTERMEDIATE),
    rule("2.8-9", "V2", "`_tuning_objective_metric` is plain and no argument of the script.", _ARGUMENTS, _CONFIGURATION),
    rule("2.9-1", "T", "`SAGEMAKER_BASE_DIR` overrides `/opt/ml`.", "toolkit::test_another_base_directory_is_taken"),
    rule("2.9-2", "T", "Values are read as JSON, else as they are.", _HP_VARIABLES),
    rule("2.9-3", "T", "Parameters of the framework are not the user's.", _HP_VARIABLES),
    rule(
        "2.9-4",
        "T",
        "Code is fetched unless the image ships it.",
        _TRAINS,
        "toolkit::test_code_that_the_image_ships_is_not_fetched",
        differs={"process": "Always fetched: an environment ships no code."},
    ),
    rule("2.9-5", "T", "Variables are exported and the code comes first on the path.", _TRAINS, _VARIABLES),
    rule("2.9-6", "T", "The toolkit waits until every host's name resolves.", _TOOLKIT_HOSTS),
    rule("2.9-7", "T", "requirements.txt and setup.py are installed.", "toolkit::test_requirements_are_installed", _PACKAGE),
    rule("2.9-8", "T", "`x.py` is run by Python.", _TRAINS),
    rule("2.9-9", "T", "`x.sh` is run by the shell.", _SHELL),
    rule("2.9-10", "T", "A package is run as a module.", _PACKAGE),
    rule("2.9-11", "T", "Distributions start by mpirun, torchrun and so on.", _MPI, differs=NO_MPI),
    rule("2.9-12", "T", "Arguments are sorted by name, in the spelling of each kind.", _ARGUMENTS),
    rule(
        "2.9-13",
        "T",
        "A success file, or a failure file with exit code, error and command.",
        _SUCCESS,
        _FAILING,
        differs=everywhere("The toolkit alone exits with 1, not with the script's code, and leaves the error empty."),
    ),
    rule("2.9-14", "T", "`SM_MODEL_DIR` and the other directories.", _VARIABLES, _TOOLKIT_HOSTS, differs=ONE_OUTPUT),
    rule("2.9-15", "T", "`SM_CHANNELS` and `SM_CHANNEL_<NAME>`.", _VARIABLES),
    rule("2.9-16", "T", "`SM_HPS` and `SM_HP_<NAME>`.", _HP_VARIABLES),
    rule("2.9-17", "T", "`SM_USER_ARGS`, entry point, module and its place.", _HP_VARIABLES, _VARIABLES),
    rule("2.9-18", "T", "`SM_HOSTS`, `SM_CURRENT_HOST`, `SM_NETWORK_INTERFACE_NAME`.", _CLUSTER, _TOOLKIT_HOSTS),
    rule("2.9-19", "T", "Numbers of GPUs, CPUs and neurons.", _CLUSTER),
    rule("2.9-20", "T", "The shape of the cluster.", _CLUSTER),
    rule("2.9-21", "T", "The configuration files as variables.", _CONFIGURATION),
    rule("2.9-22", "T", "`SM_LOG_LEVEL` and `SM_FRAMEWORK_MODULE`.", _VARIABLES, differs=NO_MODULE),
    rule(
        "2.9-23",
        "XGB",
        "XGBoost runs a script, or its algorithm, which wants channel `train`.",
        "toolkit::test_xgboost_runs_its_algorithm_or_a_script",
        "toolkit::test_xgboosts_algorithm_wants_channel_train",
    ),
    rule("2.10-1", "V3", "Channels `code` and `sm_drivers`.", _DRIVER),
    rule("2.10-2", "V3", "A bash entrypoint that makes the driver executable and runs it.", _DRIVER),
    rule("2.10-3", "V3", "The driver's resource configuration, job name and environment file.", _DRIVER),
    rule("2.11-1", "D B", "Exit status 0 of all hosts: Completed, with artifacts.", _COMPLETED, _MODEL),
    rule(
        "2.11-2",
        "D G ?",
        "Another: Failed, with failure text and exit code; output is uploaded, a model not.",
        _FAILED,
        _SILENT,
        _FAILED_OUTPUT,
    ),
    rule(
        "2.11-3",
        "G",
        "A channel without objects: Failed with a ClientError.",
        "training::test_a_channel_without_objects_fails_the_job",
    ),
    rule(
        "2.11-4",
        "G",
        "An image that is missing fails the job.",
        "processing::test_an_image_of_awss_alone_is_refused_by_name",
        differs=everywhere("Refused before the run, naming image and step; one that goes while it runs fails the job."),
    ),
    rule("2.11-5", "D ?", "Beyond its time: Stopped, with artifacts; the step Failed.", _TIMED_OUT),
    rule(
        "2.11-6",
        "D B",
        "Spot capacity that does not come in time: Stopped.",
        "engine::test_a_spot_job_that_gets_no_room_within_its_wait_never_runs",
        "engine::test_the_wait_of_a_spot_job_includes_its_interruptions",
        differs=everywhere("What it waits for is room on this machine."),
    ),
    rule("2.11-7", "D B", "Told to stop: Stopped, with artifacts.", _STOPPED),
    rule(
        "2.11-8",
        "D",
        "A fault of the host: Failed, an internal error that can be retried.",
        "engine::test_a_job_whose_engine_stays_silent_is_lost_and_counts_as_an_internal_error",
        _ENDS,
    ),
    rule("2.11-9", "D", "SIGTERM, 120 seconds for saving the model, SIGKILL.", _STOPPED, _KILLED, "settings::test_defaults"),
    rule(
        "2.11-10",
        "V2 N",
        "The secondary statuses in their order, with messages.",
        "training::test_status_transitions_tell_what_was_done",
        "jobs.training::test_status_transitions_follow_the_job",
    ),
    rule("2.11-11", "V2", "Start, end, seconds trained and billed.", "training::test_times_are_told"),
    rule("2.12-1", "D", "model.tar.gz holds the directory's contents, of all hosts together.", _MODEL, _HOSTS),
    rule("2.12-2", "IT", "output.tar.gz holds the contents of `data` at its root.", _OUTPUT),
    rule("2.12-3", "B", "An uncompressed model is a prefix.", "training::test_an_uncompressed_model_is_a_prefix"),
    rule("2.12-4", "D", "Checkpoints come before the start, go up, and deletions propagate.", _CHECKPOINTS),
    rule("2.12-5", "INF", "An empty model is an archive too.", _EMPTY),
    rule("2.12-6", "INF ?", "A failed job has no model; a trailing slash is not doubled.", _FAILED_OUTPUT, _MODEL, _EMPTY),
    rule(
        "2.13-1",
        "D N",
        "Metrics are searched in each line of output and errors, group 1 as a number. `print(a, b)` may come as several"
        " lines from PyTorch and TensorFlow: AWS's images set `PYTHONUNBUFFERED=1`, as the stand-ins do, and their toolkit"
        " ends a line after whatever it reads at once.",
        _METRICS,
    ),
    rule(
        "2.13-2",
        "B",
        "The last value of each metric that has one, at most 40; each match in a line is a value.",
        _METRICS,
        "metrics::test_each_match_in_a_line_is_a_value_and_the_last_is_final",
        "metrics::test_there_are_at_most_forty",
    ),
    rule("2.13-3", "B", "Regexes of at most 500 characters, 40 definitions.", _LIMIT, _AT_LIMIT),
    rule("2.13-4", "N", "A tab is found as it is and as `#011`.", _METRICS),
    rule(
        "2.13-5",
        "N",
        "XGBoost brings its own definitions.",
        "jobs.training::test_the_xgboost_algorithm_brings_its_metrics_along",
    ),
    rule("2.13-6", "INF", "NaN and infinity are left out.", _METRICS),
    rule("2.14-1", "V3", "Hosts are `algo-1` to `algo-N`.", _HOSTS),
    rule("2.14-2", "D", "All ports are open between hosts.", _HOSTS),
    rule(
        "2.14-3",
        "D",
        "The failure of one host ends the others, by SIGTERM and, after the grace, SIGKILL.",
        "training::test_the_failure_of_one_host_ends_the_others",
    ),
    rule("2.14-4", "D", "All GPUs of the instance are visible.", _GPU, differs=OWN_GPUS),
    rule("2.14-5", "D", "Shared memory is generous.", "training::test_shared_memory_is_generous"),
    rule("2.14-6", "B", "A warm pool may be asked for.", _WARM),
    rule("2.14-7", "B", "Spot training needs a waiting time, runs as any other and bills the time trained.", _LIMIT, _SPOT),
    rule(
        "2.14-8",
        "B",
        "Retries restart on internal faults only, and all attempts share the time limits.",
        _SPOT,
        "engine::test_all_runs_of_a_job_together_have_its_longest_runtime",
        "jobs.training::test_describe_echoes_everything_with_the_service_s_defaults",
    ),
    rule("2.14-9", "B IT", "Debugger and profiler are accepted, echoed in order, and do nothing.", _DEBUGGING),
    rule("2.14-10", "B D", "Isolation as in processing; code comes by channel `code`.", _ISOLATED, _IN_CHANNEL),
    rule("2.14-11", "B", "An algorithm resource is refused by name.", _LIMIT, _REFUSED),
)
