"""The rules of containers.md section 1."""

from __future__ import annotations

from rules_model import Rule, everywhere, rule

NO_IMAGE = {"process": "Its environments have no ENTRYPOINT or CMD: refused when the job starts, naming the image."}
STATIC = everywhere("Static keys of the run and the local S3's address take their place; an isolated job gets none.")
_KEEPS_ITS_NAME = (
    "A directory that came with an input cannot be renamed by `os.rename` (EXDEV): overlays of user namespaces do not; "
    "`shutil.move` and `mv` copy it."
)
CHANGED_INPUT = {
    "docker": "The files of an input belong to the user of this machine: an image whose USER is another, and not root, can "
    "add and remove files there and not change those that came.",
    "process": _KEEPS_ITS_NAME,
    "sandbox": _KEEPS_ITS_NAME,
}
AWS_ALONE = everywhere("AWS's own image has no stand-in: refused by name before the run. Name yours under `[images]`.")
SPARK = everywhere(
    "The stand-in runs the application with its Spark, which may be of another version, in local mode on `algo-1` alone, "
    "however many instances are asked for; further hosts end at once."
)

_LIMIT = "requests::test_a_processing_request_beyond_a_limit_is_refused_with_its_place"
_AT_LIMIT = "requests::test_a_request_at_its_limits_is_taken"
_IMAGE = "processing::test_what_the_image_runs_by_itself"
_NAMES = "processing::test_the_region_and_the_names_of_the_job_are_variables"
_STATIC = "processing::test_credentials_are_static_and_of_this_run"
_ECHO = "processing::test_the_configuration_echoes_the_request_with_the_arn"
_NULLS = "processing::test_absent_values_are_null_in_the_configuration"
_ENTRIES = "processing::test_inputs_and_outputs_stand_in_the_configuration"
_NETWORK = "processing::test_the_network_stands_in_the_configuration_when_given"
_HOSTS = "processing::test_several_hosts_know_one_another"
_PIPE = "processing::test_objects_are_streamed_in_pipe_mode_and_unpacked"
_WRITABLE_INPUT = "processing::test_a_job_may_write_into_its_input_and_the_object_stays"
RENAMED_INPUT = "docker::test_a_directory_of_an_input_may_be_renamed"
_OTHER_USER = "docker::test_an_images_own_user_may_add_and_remove_files_of_an_input_and_not_change_them"
_MANAGED = "processing::test_inputs_and_outputs_that_the_container_manages_are_left_to_it"
_DIRECTORIES = "processing::test_output_directories_are_there_empty_and_writable"
_EMPTY = "processing::test_an_empty_output_writes_nothing"
_UPLOADED = "processing::test_files_are_uploaded_with_their_paths_and_links_are_not"
_COMPLETED = "processing::test_a_job_that_exits_with_zero_is_completed"
_FAILED = "processing::test_a_job_that_exits_otherwise_is_failed"
_LONG = "processing::test_a_message_is_cut_at_a_kilobyte"
_TIMED_OUT = "processing::test_a_job_beyond_its_time_is_stopped_and_its_step_fails"
_STOPPED = "processing::test_a_job_that_is_told_to_stop_gets_sigterm_and_is_stopped"
_ENDS = "jobs.processing::test_how_a_job_ended_is_told_in_the_service_s_words"
_KILLED = "engine::test_a_job_that_ignores_its_signal_is_killed_after_the_grace"
_FRAMEWORK = "toolkit::test_a_framework_processor_unpacks_installs_and_runs"
_AWS_ALONE = "processing::test_an_image_of_awss_alone_is_refused_by_name"

RULES: tuple[Rule, ...] = (
    rule(
        "1.1-1",
        "B",
        "The job's name has 1 to 63 letters, digits and inner hyphens.",
        "names::test_a_job_name_fits_the_services_pattern",
        _NAMES,
    ),
    rule("1.1-2", "B", "At most 10 inputs and 10 outputs.", _LIMIT, _AT_LIMIT),
    rule("1.1-3", "B", "An image is required.", _LIMIT),
    rule("1.1-4", "B", "Entrypoint and arguments are 1 to 100 texts of at most 256 characters.", _LIMIT, _AT_LIMIT),
    rule("1.1-5", "B", "At most 100 variables, names and values of at most 256 characters.", _LIMIT, _AT_LIMIT),
    rule("1.1-6", "B", "1 to 100 instances of a known type with 1 to 16,384 GB.", _LIMIT, _AT_LIMIT),
    rule("1.1-7", "B", "The time limit is 1 to 777,600 seconds, one day where none is given.", _LIMIT, _AT_LIMIT, _NULLS),
    rule("1.1-8", "B", "Encryption between containers, isolation and a VPC may be asked for.", _LIMIT, _NETWORK),
    rule("1.1-9", "B", "Exit message and failure reason have at most 1,024 characters.", _LONG, _ENDS),
    rule("1.1-10", "B", "A job ends Completed, Failed or Stopped.", _COMPLETED, _FAILED, _STOPPED),
    rule("1.1-11", "B", "Documents in variables or arguments beyond 256 characters are refused.", _LIMIT),
    rule(
        "1.2-1", "D", "Without entrypoint and arguments the image's ENTRYPOINT runs with its CMD.", _IMAGE, differs=NO_IMAGE
    ),
    rule("1.2-2", "D", "Arguments alone go to the image's ENTRYPOINT.", _IMAGE, differs=NO_IMAGE),
    rule(
        "1.2-3",
        "D",
        "An entrypoint alone runs without the image's CMD.",
        "processing::test_an_entrypoint_alone_runs_alone",
        _IMAGE,
    ),
    rule(
        "1.2-4", "D", "Entrypoint and arguments run together.", "processing::test_entrypoint_and_arguments_are_run", _IMAGE
    ),
    rule("1.2-5", "D", "No argument such as `train` is added.", "processing::test_an_entrypoint_alone_runs_alone"),
    rule(
        "1.2-6",
        "INF",
        "The working directory is the image's.",
        "processing::test_the_working_directory_is_the_images",
        differs={"process": "Always `/`: an environment has no WORKDIR."},
    ),
    rule("1.2-7", "V2", "Arguments are not dropped where no entrypoint is given.", _IMAGE, differs=NO_IMAGE),
    rule(
        "1.3-1",
        "B",
        "Variables of the request come as they are.",
        "processing::test_variables_of_the_request_come_unchanged_and_win",
    ),
    rule("1.3-2", "N INF", "`AWS_REGION` is the job's region.", _NAMES),
    rule("1.3-3", "N INF", "Credentials come by the container's credentials endpoint.", _STATIC, differs=STATIC),
    rule(
        "1.3-4",
        "?",
        "`DMLC_INTERFACE` and `NVIDIA_VISIBLE_DEVICES` as in training.",
        "processing::test_the_interface_is_named_and_a_cpu_job_sees_no_gpu",
    ),
    rule("1.3-5", "V2 G", "The job's name and ARN are variables; harmless where the service has none.", _NAMES),
    rule("1.3-6", "INF", "There are no `SM_*` variables.", "processing::test_there_are_no_variables_of_the_toolkit"),
    rule("1.4-1", "D", "The configuration holds the job's ARN and name.", _ECHO),
    rule("1.4-2", "D", "The variables, or null.", _ECHO, _NULLS),
    rule("1.4-3", "D", "Image, entrypoint and arguments, absent ones null.", _ECHO, _NULLS),
    rule("1.4-4", "D", "Every input with all its members.", _ENTRIES),
    rule("1.4-5", "D", "Every output with all its members, and the key.", _ENTRIES, _NULLS),
    rule("1.4-6", "D", "The cluster, numbers as numbers.", _ECHO),
    rule("1.4-7", "D", "The role.", _ECHO),
    rule("1.4-8", "D", "The time limit, one day where none is given.", _NULLS),
    rule("1.4-9", "INF", "Network and experiment, when given.", _NETWORK),
    rule(
        "1.4-10",
        "D",
        "`S3DownloadMode` stands there and nowhere else.",
        _ENTRIES,
        "processing::test_describe_does_not_show_the_download_mode",
    ),
    rule("1.4-11", "SP V2", "ARN, role, instance type and inputs are true ones, which Spark reads.", _ECHO, _ENTRIES),
    rule(
        "1.5-1",
        "D SP",
        "Host names are sorted, known to every host, and resolve once all are up.",
        "processing::test_the_resource_configuration_names_the_host",
        _HOSTS,
    ),
    rule(
        "1.6-1",
        "B D",
        "An input is from S3; one from Athena or Redshift is refused; an AppManaged one is not fetched.",
        _LIMIT,
        _MANAGED,
        "jobs.processing::test_what_is_not_built_is_refused_by_name_and_place",
    ),
    rule("1.6-2", "D", "An input lies below `/opt/ml/processing`.", _LIMIT),
    rule(
        "1.6-3",
        "B D",
        "Objects are named by a text prefix or a manifest.",
        "processing::test_a_prefix_is_one_of_text_and_keeps_what_follows_its_directory",
        "processing::test_a_manifest_names_the_objects",
    ),
    rule(
        "1.6-4",
        "B",
        "File and Pipe are modes, FastFile is none; what File mode brought may be changed.",
        _LIMIT,
        _PIPE,
        _WRITABLE_INPUT,
        _OTHER_USER,
        RENAMED_INPUT,
        differs=CHANGED_INPUT,
    ),
    rule(
        "1.6-5",
        "B INF",
        "Every host gets all objects, or those that fall to it in turn.",
        "processing::test_hosts_share_the_objects_of_a_sharded_input",
    ),
    rule("1.6-6", "B", "Gzip is unpacked on the fly, in Pipe mode only.", _PIPE),
    rule(
        "1.6-7",
        "N INF",
        "A URI of one object gives a file of its base name.",
        "processing::test_a_uri_of_one_object_is_a_file_of_its_base_name",
    ),
    rule(
        "1.6-8",
        "N INF",
        "A prefix gives every key below without the prefix's directory; its last slash does not matter.",
        "processing::test_a_prefix_is_one_of_text_and_keeps_what_follows_its_directory",
        "processing::test_a_prefix_with_and_without_its_slash_gives_the_same",
    ),
    rule("1.6-9", "INF", "Folder markers are directories.", "processing::test_folder_markers_are_directories"),
    rule(
        "1.6-10",
        "?",
        "An input without objects fails the job with a ClientError.",
        "processing::test_an_input_without_objects_fails_the_job",
    ),
    rule(
        "1.6-11",
        "INF",
        "Inputs have names and directories of their own; one may lie in another.",
        _LIMIT,
        "processing::test_an_input_may_lie_in_another",
    ),
    rule(
        "1.7-1",
        "B",
        "An output goes to S3; one to the feature store is refused.",
        _LIMIT,
        "jobs.processing::test_what_is_not_built_is_refused_by_name_and_place",
    ),
    rule(
        "1.7-2",
        "B D",
        "Its directory lies below `/opt/ml/processing` and is there, empty, before the start.",
        _LIMIT,
        _DIRECTORIES,
    ),
    rule(
        "1.7-3",
        "B D",
        "EndOfJob uploads at the end, Continuous while the job runs too.",
        _UPLOADED,
        "processing::test_a_continuous_output_is_uploaded_while_the_job_runs",
    ),
    rule("1.7-4", "B", "An AppManaged output is neither made nor uploaded.", _MANAGED),
    rule(
        "1.7-5", "V2", "A pipeline addresses an output by its name.", "processing::test_an_output_is_addressed_by_its_name"
    ),
    rule(
        "1.7-6",
        "INF",
        "`/opt/ml/output`, `/`, `/tmp` and home are writable.",
        _DIRECTORIES,
        "processing::test_root_temporary_and_home_directory_are_writable",
    ),
    rule("1.7-7", "D", "Files keep their paths; symbolic links are not uploaded.", _UPLOADED),
    rule("1.7-8", "INF", "An empty output writes nothing and the job completes.", _EMPTY),
    rule(
        "1.7-9",
        "?",
        "A failed job's EndOfJob outputs are not published; what was written continuously stays.",
        "processing::test_outputs_of_a_failed_job_are_not_published",
        "processing::test_a_continuous_output_is_uploaded_while_the_job_runs",
    ),
    rule("1.7-10", "INF", "Hosts upload to one prefix; the last writer of a name wins.", _HOSTS),
    rule("1.7-11", "INF", "Objects that are there already stay.", _UPLOADED),
    rule(
        "1.7-12",
        "IT",
        "An output that became a file is one object.",
        "processing::test_an_output_that_became_a_file_is_one_object",
    ),
    rule("1.8-1", "D", "Exit status 0 of all containers: Completed.", _COMPLETED),
    rule("1.8-2", "SP", "Another exit status: Failed, with the service's words.", _FAILED),
    rule(
        "1.8-3",
        "D",
        "The message file is the exit message, cut at 1 KB; bytes that are no text fail the job.",
        _COMPLETED,
        _FAILED,
        _LONG,
        "processing::test_a_message_that_is_no_text_fails_the_job",
    ),
    rule("1.8-4", "N G INF", "Beyond its time the job is Stopped; its step Failed, naming the limit.", _TIMED_OUT),
    rule("1.8-5", "B", "Told to stop, it gets a signal, then is killed, and is Stopped.", _STOPPED, _KILLED),
    rule(
        "1.8-6",
        "INF",
        "Killed for memory: Failed with an AlgorithmError.",
        "docker::test_a_job_that_runs_out_of_memory_says_so",
        _ENDS,
    ),
    rule("1.8-7", "?", "SIGTERM, 120 seconds, SIGKILL.", _STOPPED, _KILLED, "settings::test_defaults"),
    rule(
        "1.8-8",
        "D",
        "The failure file is none of processing's.",
        "processing::test_the_failure_file_is_not_one_of_processing",
    ),
    rule(
        "1.9-1",
        "B D",
        "An isolated job has no network and no credentials; inputs and outputs work.",
        "processing::test_an_isolated_job_has_no_network_and_no_credentials",
        "processing::test_an_open_job_reaches_the_local_s3",
    ),
    rule(
        "1.10-1",
        "V2",
        "`Processor`: the user's own entrypoint.",
        "processing::test_an_entrypoint_alone_runs_alone",
        "processing::test_it_is_the_first_process_of_its_host",
    ),
    rule(
        "1.10-2",
        "V2",
        "`ScriptProcessor`: a command and a script that comes as input `code`.",
        "processing::test_entrypoint_and_arguments_are_run",
    ),
    rule("1.10-3", "V2", "`FrameworkProcessor`: `runproc.sh` and an archive of the code.", _FRAMEWORK),
    rule("1.10-4", "V3", "The same of SDK v3, where the code is a prefix.", _FRAMEWORK),
    rule(
        "1.10-5",
        "V2 SP",
        "Spark: `smspark-submit` and an application.",
        "spark::test_a_pyspark_processor_counts_what_it_is_given",
        differs=SPARK,
    ),
    rule("1.10-6", "V2", "Clarify: the image's own program.", _AWS_ALONE, differs=AWS_ALONE),
    rule("1.10-7", "V2", "Model Monitor: the image's own program.", _AWS_ALONE, differs=AWS_ALONE),
    rule("1.10-8", "V2", "Data Wrangler: the image's own program.", _AWS_ALONE, differs=AWS_ALONE),
    rule("1.10-9", "V2", "What `runproc.sh` needs is there: bash, tar, python, pip, a writable code directory.", _FRAMEWORK),
    rule(
        "1.10-10",
        "V2 IT",
        "Code, inputs and outputs lie where a pipeline session puts them.",
        "sdk::test_local_inputs_and_a_source_folder_are_uploaded",
    ),
)
