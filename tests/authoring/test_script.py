"""Scripts of every shape, run in this Python against a tiny stand-in of the SDK; see test_sdk.py for the real ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from authoring_support import ROLE, Author

from localpipe.authoring import Asked, load_target
from localpipe.core.names import Identity
from localpipe.errors import AuthoringError, NotSupported, UsageError
from localpipe.service.authors_python import choose_python
from localpipe.store import LocalStore

IMPORT = "from sagemaker.workflow.pipeline import Pipeline\n"
WAITED = "The script waits for an execution that it started; it was ended there, and the run begins afterwards."


def test_get_pipeline_is_given_what_it_asks_for(author: Author) -> None:
    authored = author(
        IMPORT + "def get_pipeline(region, role, default_bucket, pipeline_name, base_job_prefix='x'):\n"
        "    return Pipeline(pipeline_name, [region, role, default_bucket, base_job_prefix])\n",
        path="abalone/pipeline.py",
    )
    assert authored.pipeline_name == "abalone"
    parameters = [parameter["Name"] for parameter in json.loads(authored.definition)["Parameters"]]
    assert parameters == ["eu-west-1", ROLE, "sagemaker-eu-west-1-123456789012", "x"]


def test_get_pipeline_with_parameters_nobody_knows_is_refused(author: Author) -> None:
    with pytest.raises(
        AuthoringError, match=r"has parameters that localpipe has no value for: vpc, subnets\. Give them by --arg"
    ):
        author(IMPORT + "def get_pipeline(region, vpc, subnets): ...\n")


def test_a_module_level_pipeline_needs_no_function_and_its_main_block_does_not_run(author: Author) -> None:
    authored = author(IMPORT + "p = Pipeline('Mine')\nif __name__ == '__main__':\n    raise SystemExit(3)\n")
    assert authored.pipeline_name == "Mine"


def test_several_pipelines_are_named_and_one_is_chosen(author: Author) -> None:
    text = IMPORT + "a, b = Pipeline('A'), Pipeline('B')\n"
    with pytest.raises(AuthoringError, match=r"makes several pipelines: A, B\. Name the one you mean by --pipeline\.$"):
        author(text)
    assert author(text, pipeline="B").pipeline_name == "B"
    with pytest.raises(AuthoringError, match=r"makes no pipeline of the name asked for by --pipeline\. It makes: A, B\.$"):
        author(text, pipeline="C")


def test_a_pipeline_that_the_main_block_upserts_and_starts_is_taken_with_its_parameters(author: Author) -> None:
    authored = author(
        IMPORT + "def main():\n"
        "    pipeline = Pipeline('Started', ['Alpha'])\n"
        "    pipeline.upsert('arn:aws:iam::123456789012:role/R')\n"
        "    pipeline.start({'Alpha': '3'})\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    assert authored.pipeline_name == "Started"
    assert authored.parameters == {"Alpha": "3"}
    assert authored.notes == ("Parameters that the script starts the pipeline with: Alpha.",)


def test_upserting_again_is_an_update(author: Author) -> None:
    authored = author(
        IMPORT
        + "for steps in ([], [{'Name': 'S'}]):\n    Pipeline('P', steps=steps).upsert('arn:aws:iam::123456789012:role/R')\n"
    )
    assert json.loads(authored.definition)["Steps"] == [{"Name": "S"}]


def test_a_script_that_waits_for_its_execution_is_ended_there(author: Author) -> None:
    authored = author(
        IMPORT + "import boto3\n"
        "pipeline = Pipeline('Waits')\n"
        "pipeline.upsert('arn:aws:iam::123456789012:role/R')\n"
        "arn = pipeline.start({})\n"
        "while True:\n"
        "    try:\n"
        "        boto3.client('sagemaker').describe_pipeline_execution(PipelineExecutionArn=arn)\n"
        "    except Exception:\n"
        "        pass\n"
    )
    assert (authored.pipeline_name, authored.notes) == ("Waits", (WAITED,))


def test_a_pipeline_that_is_only_constructed_is_the_last_resort(author: Author) -> None:
    text = IMPORT + "def main():\n    print(Pipeline('Shown').definition())\nif __name__ == '__main__':\n    main()\n"
    assert author(text).pipeline_name == "Shown"


def test_a_script_without_main_block_runs_once(author: Author, tmp_path: Path) -> None:
    author(
        IMPORT
        + f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nPipeline('P').upsert('arn:aws:iam::123456789012:role/R')\n"
    )
    assert (tmp_path / "runs").read_text() == "x"


def test_a_script_without_pipeline_is_refused_with_what_to_do(author: Author) -> None:
    with pytest.raises(AuthoringError, match=r"script\.py made no pipeline\. Define get_pipeline\(\), keep a Pipeline in"):
        author("print('nothing')\n")


def test_an_error_shows_the_authors_own_traceback_and_nothing_of_ours(author: Author, tmp_path: Path) -> None:
    with pytest.raises(AuthoringError) as error:
        author("def fetch():\n    raise ValueError('no such table')\nfetch()\n")
    script = tmp_path / "work" / "script.py"
    assert str(error.value).splitlines() == [
        f"{script} failed:",
        "Traceback (most recent call last):",
        f'  File "{script}", line 3, in <module>',
        "    fetch()",
        f'  File "{script}", line 2, in fetch',
        "    raise ValueError('no such table')",
        "ValueError: no such table",
    ]


def test_a_syntax_error_shows_its_line(author: Author) -> None:
    with pytest.raises(AuthoringError, match=r"line 2\n    def broken\(:\n +\^\nSyntaxError"):
        author("x = 1\ndef broken(:\n")


def test_an_unserved_call_is_refused_by_name_with_the_authors_line(author: Author, tmp_path: Path) -> None:
    with pytest.raises(NotSupported) as error:
        author("import boto3\nboto3.client('ssm').get_parameter(Name='p')\n")
    script = tmp_path / "work" / "script.py"
    assert str(error.value) == (
        f"ssm:GetParameter, which {script} asks for while its pipeline is compiled, is not supported. No call reaches AWS: "
        "take the value from a variable (--env K=V) or from an argument of the script (-- ARGS).\n"
        f'  File "{script}", line 2, in <module>\n'
        "    boto3.client('ssm').get_parameter(Name='p')"
    )


def test_a_job_that_is_started_while_the_pipeline_is_compiled_is_refused(author: Author) -> None:
    text = (
        "import boto3\nclient = boto3.client('sagemaker')\ntry:\n    client.create_training_job("
        "TrainingJobName='j', RoleArn='arn:aws:iam::123456789012:role/R',"
        "OutputDataConfig={'S3OutputPath': 's3://b'}, StoppingCondition={})\n"
        "except Exception:\n    raise ValueError('wrapped')\n"
    )
    with pytest.raises(NotSupported) as error:
        author(text)
    assert "sagemaker:CreateTrainingJob, which" in str(error.value)
    assert (
        "is not supported. No job runs while a pipeline is compiled: give what makes the step a PipelineSession; the "
        "pipeline runs the job.\n"
    ) in str(error.value)


def test_a_python_without_the_sdk_is_told_how_to_get_it(author: Author) -> None:
    with pytest.raises(AuthoringError) as error:
        author(IMPORT, environ={"PYTHONPATH": ""})
    assert f"{sys.executable} cannot import `sagemaker`" in str(error.value)
    assert f"(`{sys.executable} -m pip install sagemaker`), or name another Python by --python." in str(error.value)


def test_a_python_with_the_other_version_of_the_sdk_is_told(author: Author) -> None:
    with pytest.raises(AuthoringError) as error:
        author("from sagemaker.sklearn.processing import SKLearnProcessor\n")
    assert f"The SageMaker SDK of {sys.executable} has no `sagemaker.sklearn`" in str(error.value)


def test_a_python_that_dies_is_told(author: Author) -> None:
    with pytest.raises(AuthoringError, match="with status 7 before it was done"):
        author("import os\nos._exit(7)\n")


def test_what_the_script_prints_goes_to_standard_error(author: Author, capfd: pytest.CaptureFixture[str]) -> None:
    author(IMPORT + "print('from the author')\np = Pipeline('P')\n")
    out, err = capfd.readouterr()
    assert out == ""
    assert "from the author" in err


def test_a_package_imports_relatively_and_absolutely_wherever_it_is_run_from(author: Author, tmp_path: Path) -> None:
    folder = tmp_path / "src" / "pipelines" / "abalone"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    (folder / "parts.py").write_text("NAME = 'Packaged'\n")
    authored = author(
        IMPORT + "from .parts import NAME\nfrom pipelines.abalone import parts\n"
        "assert parts.NAME is NAME and __name__ == 'pipelines.abalone.pipeline'\np = Pipeline(NAME)\n",
        path="src/pipelines/abalone/pipeline.py",
    )
    assert authored.pipeline_name == "Packaged"


def test_profiles_of_the_machine_are_not_needed(author: Author) -> None:
    authored = author(
        IMPORT + "import boto3\n"
        "assert boto3.Session().region_name == 'eu-west-1'\n"
        "account = boto3.Session(profile_name='prod').client('sts').get_caller_identity()['Account']\n"
        "assert boto3.client('sts').get_caller_identity()['Account'] == account\n"
        "p = Pipeline('A' + account)\n",
        environ={"AWS_PROFILE": "staging", "HOME": "/nonexistent"},
    )
    assert authored.pipeline_name == "A123456789012"


def test_a_program_that_the_script_starts_is_redirected_too(author: Author) -> None:
    child = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'], end='')"
    authored = author(
        IMPORT + "import subprocess, sys\n"
        f"account = subprocess.check_output([sys.executable, '-c', {child!r}], text=True)\n"
        "p = Pipeline('A' + account)\n",
        environ={"AWS_PROFILE": "prod"},
    )
    assert authored.pipeline_name == "A123456789012"


def test_a_definition_is_named_after_its_file(store: LocalStore, identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "my definition.json"
    path.write_text('{"Version": "2020-12-01"}')
    authored = load_target(path, store=store, identity=identity, environ={})
    assert (authored.pipeline_name, authored.definition) == ("my-definition", '{"Version": "2020-12-01"}')


def test_a_dict_is_a_definition(store: LocalStore, identity: Identity) -> None:
    authored = load_target({"Version": "2020-12-01"}, store=store, identity=identity, environ={})
    assert (authored.pipeline_name, authored.definition) == ("pipeline", '{"Version": "2020-12-01"}')


GIVE_A_PATH = "give a path, a dict (json.loads) or a Pipeline object."


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "The target None is of type NoneType: give a path, a dict (json.loads) or a Pipeline object."),
        ([1], "The target [1] is of type list: give a path, a dict (json.loads) or a Pipeline object."),
        (
            ' {"Version": "2020-12-01"}',
            """The target ' {"Version": "2020-12-01"}' is a definition's text: """ + GIVE_A_PATH,
        ),
        ("x" * 300 + ".py", f"The target '{'x' * 99}...{'x' * 96}.py' cannot be looked at: File name too long."),
        ("a\0.py", "The target 'a\\x00.py' cannot be looked at: embedded null byte."),
    ],
)
def test_what_cannot_be_a_target_is_named(target: object, message: str, store: LocalStore, identity: Identity) -> None:
    with pytest.raises(UsageError) as error:
        load_target(target, store=store, identity=identity, environ={})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a directory. Name the script or the definition in it, such as "),
        ("absent.py", "There is no file "),
        ("data.csv", "is neither a pipeline script (.py, .ipynb) nor a definition (.json)."),
    ],
)
def test_other_targets_are_refused(name: str, message: str, store: LocalStore, identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    with pytest.raises(UsageError) as error:
        load_target(tmp_path / name, store=store, identity=identity, environ={})
    assert message in str(error.value)


def test_the_python_is_the_one_asked_for_else_the_active_environments_else_ours(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    active = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PATH": os.environ["PATH"]}
    assert choose_python(None, {}) == Path(sys.executable)
    assert choose_python(None, active) == python
    assert choose_python(sys.executable, active) == Path(sys.executable)
    with pytest.raises(UsageError, match=r"There is no Python at 'python9'\. Give --python the path of"):
        choose_python("python9", active)


STARTED = (
    IMPORT + "import boto3\nsm = boto3.client('sagemaker')\n"
    "def started(name, **more):\n"
    "    pipeline = Pipeline(name)\n"
    "    pipeline.upsert('arn:aws:iam::123456789012:role/R')\n"
    "    return pipeline.start({}, **more)\n"
)


@pytest.mark.parametrize(
    "loop",
    [
        "while sm.list_pipeline_executions(PipelineName='P')['PipelineExecutionSummaries'][0] != 'Succeeded': pass",
        "while True: sm.describe_pipeline(PipelineName='P')",
        "while True:\n    try: sm.describe_pipeline_execution(PipelineExecutionArn=arn)\n    except: pass",
    ],
)
def test_a_loop_on_an_answer_that_never_changes_is_ended(author: Author, loop: str) -> None:
    authored = author(STARTED + f"arn = started('P')\n{loop}\n")
    assert (authored.pipeline_name, authored.notes) == ("P", (WAITED,))


def test_with_a_pipeline_chosen_the_others_count_as_run(author: Author) -> None:
    text = STARTED + (
        "for name in 'A1', 'A2':\n    arn = started(name)\n"
        "    while sm.describe_pipeline_execution(PipelineExecutionArn=arn)['PipelineExecutionStatus'] != 'Succeeded':\n"
        "        pass\n"
    )
    assert author(text, pipeline="A2").pipeline_name == "A2"
    assert author(text).pipeline_name == "A1"
    with pytest.raises(AuthoringError, match=r"It makes: A1, A2\.$"):
        author(text, pipeline="A3")


def test_an_error_after_the_start_is_told_and_the_pipeline_is_taken(author: Author) -> None:
    text = STARTED + (
        "arn = started('P')\nsm.list_pipeline_execution_steps(PipelineExecutionArn=arn)['PipelineExecutionSteps'][0]\n"
    )
    authored = author(text)
    assert authored.pipeline_name == "P"
    (note,) = authored.notes
    assert note == (
        "The script failed after it had started its pipeline (IndexError: list index out of range). It may have wanted "
        "results, which are there only after the run; the run begins now."
    )
    with pytest.raises(AuthoringError, match="IndexError: list index out of range"):
        author(text, pipeline="Q")


def test_the_parallelism_of_the_start_wins_over_the_pipelines(author: Author) -> None:
    text = STARTED + "started('P', ParallelismConfiguration={'MaxParallelExecutionSteps': 2})\n"
    authored = author(text)
    assert authored.max_parallel == 2
    assert authored.notes == ("The script sets MaxParallelExecutionSteps to 2; --max-parallel changes it.",)


def test_a_selective_start_is_taken(author: Author) -> None:
    config = {"SelectedSteps": [{"StepName": "A"}, {"StepName": "B"}]}
    authored = author(STARTED + f"started('P', SelectiveExecutionConfig={config})\n")
    assert authored.selection == config
    assert authored.notes == ("Steps that the script selects: A, B.",)


def test_an_execution_that_the_script_starts_itself_is_no_source(author: Author) -> None:
    config = "{'SelectedSteps': [{'StepName': 'A'}], 'SourcePipelineExecutionArn': arn}"
    with pytest.raises(NotSupported) as error:
        author(STARTED + f"arn = started('P')\nstarted('P', SelectiveExecutionConfig={config})\n")
    assert str(error.value) == (
        "Selective execution of pipeline 'P' with an execution as source that the script itself starts is not supported. "
        "Only its last start runs: run the pipeline first, then a script that starts it selectively, or use --from."
    )


GET_PIPELINE = (
    IMPORT + "def get_pipeline(name, size: int, region='x', **more):\n    return Pipeline(f'{name}-{size + 1}-{region}')\n"
)


def test_get_pipeline_takes_arguments_of_the_user(author: Author) -> None:
    given = {"name": "N", "size": "2", "region": "r", "any": 1}
    assert author(GET_PIPELINE, arguments=given).pipeline_name == "N-3-r"


def test_a_value_that_only_the_name_speaks_for_is_told(author: Author) -> None:
    authored = author(
        IMPORT + "def get_pipeline(bucket_prefix, s3_bucket): return Pipeline(bucket_prefix, [s3_bucket])\n", path="mine.py"
    )
    assert authored.pipeline_name == "mine"
    (note,) = authored.notes
    assert note == (
        "get_pipeline() is given bucket_prefix='mine', s3_bucket='sagemaker-eu-west-1-123456789012'. "
        "Give it other values by --arg Name=Value."
    )


def test_arguments_that_nobody_takes_are_refused(author: Author) -> None:
    own = IMPORT + "def get_pipeline(region): return Pipeline('P')\n"
    with pytest.raises(AuthoringError, match=r"get_pipeline\(\) of .*script.py does not take regoin\. It takes: region\.$"):
        author(own, arguments={"regoin": "x"})
    with pytest.raises(
        AuthoringError, match=r"has no get_pipeline\(\) that could take what --arg gives: a\. Name another by --function"
    ):
        author(IMPORT + "p = Pipeline('P')\n", arguments={"a": "x"})


def test_a_get_pipeline_that_is_only_imported_is_the_last_resort(author: Author, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "library.py").write_text(IMPORT + "def get_pipeline(): return Pipeline('Imported')\n")
    assert author("from library import get_pipeline\n").pipeline_name == "Imported"
    assert author(IMPORT + "from library import get_pipeline\np = Pipeline('Own')\n").pipeline_name == "Own"


def test_a_start_that_did_not_run_is_told(author: Author) -> None:
    text = IMPORT + "p = Pipeline('P')\nif __name__ == '__main__':\n    p.start({'A': '1'})\n"
    (note,) = author(text).notes
    assert note == (
        "The script's `__main__` block did not run: what it gives to start() is not taken. Give parameters by -p Name=Value."
    )


def test_a_missing_module_names_the_python(author: Author) -> None:
    with pytest.raises(AuthoringError) as error:
        author("import no_such_module.inner\n")
    assert str(error.value).endswith(
        "ModuleNotFoundError: No module named 'no_such_module'\n"
        f"The Python is {sys.executable}: install `no_such_module` there, or name another by --python."
    )


BY_ARGPARSE = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--bucket', required=True)\np.parse_args()\n"
BY_CLICK = "import click\n@click.command()\n@click.option('--bucket', required=True)\ndef main(bucket): ...\nmain()\n"
WITH_ITS_OWN_ERROR = (
    "import argparse, sys\n"
    "class Parser(argparse.ArgumentParser):\n"
    "    def error(self, message): sys.exit(message)\n"
    "p = Parser()\np.add_argument('--bucket', required=True)\np.parse_args()\n"
)


@pytest.mark.parametrize("text", [BY_ARGPARSE, BY_CLICK, WITH_ITS_OWN_ERROR])
def test_a_script_that_wants_arguments_is_told_how_to_go_on(author: Author, text: str) -> None:
    with pytest.raises(AuthoringError) as error:
        author(text)
    assert str(error.value).endswith(
        " wants arguments on its command line, and is given none; what it says about them is above. Type them at the end, "
        "after two dashes: `-- ARGS`. Or name the function that makes the pipeline by --function."
    )
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "import sys\nprint('No table.')\nsys.exit(2)\n",
        "import click, sys\n@click.command()\ndef main():\n    print('No table.')\n    sys.exit(2)\nmain()\n",
    ],
)
def test_a_script_that_ends_itself_with_status_2_is_not_said_to_want_arguments(author: Author, text: str) -> None:
    with pytest.raises(AuthoringError) as error:
        author(text)
    assert "SystemExit: 2" in str(error.value)
    assert "wants arguments" not in str(error.value)


def test_a_definition_may_begin_with_a_byte_order_mark(store: LocalStore, identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "marked.json"
    path.write_bytes(b'\xef\xbb\xbf{"Version": "2020-12-01"}')
    assert load_target(path, store=store, identity=identity, environ={}).definition == '{"Version": "2020-12-01"}'


def test_only_a_script_takes_arguments(store: LocalStore, identity: Identity) -> None:
    with pytest.raises(UsageError, match=r"^Only a script \(\.py, \.ipynb\) takes --arg\.$"):
        load_target({}, store=store, identity=identity, environ={}, asked=Asked(arguments={"a": 1}))


PARSER = (
    IMPORT + "import argparse\n"
    "def main():\n"
    "    parser = argparse.ArgumentParser()\n"
    "    parser.add_argument('--name', required=True)\n"
    "    Pipeline(parser.parse_args().name).upsert('arn:aws:iam::123456789012:role/R')\n"
)


@pytest.mark.parametrize("end", ["main()\n", "if __name__ == '__main__':\n    main()\n"])
def test_a_script_is_given_the_arguments_of_its_command_line(author: Author, end: str) -> None:
    assert author(PARSER + end, script_arguments=("--name", "Given")).pipeline_name == "Given"


def test_arguments_that_the_script_refuses_are_told(author: Author) -> None:
    with pytest.raises(AuthoringError, match=r"refuses the arguments that it is given after `--`; what it says .* above\.$"):
        author(PARSER + "main()\n", script_arguments=("--nmae", "Given"))


def test_a_script_that_reads_its_arguments_by_place_is_told_to_be_given_some(author: Author) -> None:
    with pytest.raises(AuthoringError, match="wants arguments on its command line, and is given none"):
        author("import sys\nname = sys.argv[1]\n")


def test_a_script_with_arguments_runs_once_and_its_main_block_wins_over_get_pipeline(author: Author, tmp_path: Path) -> None:
    authored = author(
        IMPORT + f"import sys\nopen({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
        "def get_pipeline(region): return Pipeline('Guessed')\n"
        "if __name__ == '__main__':\n    print(Pipeline(sys.argv[1]).definition())\n",
        script_arguments=("Mine",),
    )
    assert authored.pipeline_name == "Mine"
    assert (tmp_path / "runs").read_text() == "x"


def test_without_arguments_a_script_sees_its_own_path_alone(author: Author) -> None:
    text = IMPORT + "import sys\nassert sys.argv == [__file__], sys.argv\np = Pipeline('P')\n"
    assert author(text).pipeline_name == "P"


@pytest.mark.parametrize(
    "head", ["create_pipeline(region)", "build_my_pipeline(region)", "pipeline(region)", "make(region) -> Pipeline"]
)
def test_the_only_function_that_evidently_makes_the_pipeline_is_called(author: Author, head: str) -> None:
    text = "from __future__ import annotations\n" + IMPORT + f"def helper(): ...\ndef {head}: return Pipeline(region)\n"
    assert author(text).pipeline_name == "eu-west-1"


def test_of_several_functions_one_is_named(author: Author) -> None:
    text = IMPORT + "def create_pipeline(): return Pipeline('A')\ndef make_pipeline(size): return [Pipeline(f'B{size}')]\n"
    with pytest.raises(
        AuthoringError, match=r"several functions .*: create_pipeline, make_pipeline\. Name .* by --function\.$"
    ):
        author(text)
    assert author(text, function="make_pipeline", arguments={"size": "3"}).pipeline_name == "B3"
    with pytest.raises(AuthoringError, match=r"no function of the name .* It has create_pipeline, make_pipeline\.$"):
        author(text, function="mak_pipeline")
    with pytest.raises(AuthoringError, match=r"^make_pipeline\(\) of .* no value for: size\. Give them by --arg"):
        author(text, function="make_pipeline")


def test_a_function_that_is_named_is_asked_before_the_variables(author: Author) -> None:
    text = IMPORT + "p = Pipeline('Variable')\ndef other(): return Pipeline('Other')\n"
    assert author(text, function="other").pipeline_name == "Other"


def test_a_function_that_returns_no_pipeline_is_named(author: Author) -> None:
    with pytest.raises(AuthoringError, match=r"made no pipeline; create_pipeline\(\) returned none\. Define get_pipeline"):
        author(IMPORT + "def create_pipeline(**kwargs): return 1\n")


def test_the_main_block_is_asked_before_a_function_that_only_has_such_a_name(author: Author) -> None:
    text = (
        IMPORT + "def create_pipeline(name): return Pipeline(name)\n"
        "if __name__ == '__main__':\n    create_pipeline('Main').upsert('arn:aws:iam::123456789012:role/R')\n"
    )
    assert author(text).pipeline_name == "Main"


def test_a_folder_of_the_project_that_is_named_as_the_sdk_hides_it_only_where_python_finds_it_first(
    author: Author, tmp_path: Path
) -> None:
    folder = tmp_path / "sagemaker"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (tmp_path / "pyproject.toml").touch()
    assert author(IMPORT + "p = Pipeline('P')\n").pipeline_name == "P"
    assert author(IMPORT + "p = Pipeline('P')\n", path="sagemaker/pipeline.py").pipeline_name == "P"


def test_a_script_that_changes_its_directory_begins_anew_where_it_began(author: Author, tmp_path: Path) -> None:
    (tmp_path / "work" / "inner").mkdir(parents=True)
    authored = author(
        IMPORT + "import os\nbefore = os.getcwd()\nos.chdir(os.path.dirname(__file__) + '/inner')\n"
        "if __name__ == '__main__':\n"
        "    Pipeline('Same' if before != os.getcwd() else 'Moved').upsert('arn:aws:iam::123456789012:role/R')\n"
    )
    assert authored.pipeline_name == "Same"


def test_line_endings_byte_order_marks_and_odd_folders_do_not_matter(author: Author) -> None:
    text = "\ufeff" + IMPORT + "from pathlib import Path\np = Pipeline(Path(__file__).parent.name[:2])\n"
    assert author(text.replace("\n", "\r\n"), path='It\'s "mine"/pipe line.py').pipeline_name == "It"


SKIPPED = "The notebook's `!pip install -U sagemaker` did not run: do it in the Python of the script if it is needed."


def test_a_script_exported_from_a_notebook_does_without_its_commands(author: Author, tmp_path: Path) -> None:
    authored = author(
        f"#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\nimport os\nos.chdir({str(tmp_path)!r})\n"
        "get_ipython().system('pip install -U sagemaker')\nget_ipython().run_line_magic('matplotlib', 'inline')\n"
        "get_ipython().run_cell_magic('writefile', 'step.py', 'print(1)\\n')\n" + IMPORT + "display(1)\np = Pipeline('P')\n"
    )
    assert (authored.pipeline_name, authored.notes) == ("P", (SKIPPED,))
    assert (tmp_path / "step.py").read_text() == "print(1)\n"


def test_what_only_a_notebook_has_is_told(author: Author) -> None:
    with pytest.raises(
        AuthoringError, match=r"AttributeError: localpipe runs no notebook: get_ipython\(\)\.kernel is not there$"
    ):
        author("get_ipython().kernel\n")


def a_notebook(*cells: str) -> str:
    rows = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# A pipeline"]}, *rows]})


def test_a_notebook_runs_its_code_cells(author: Author, tmp_path: Path) -> None:
    text = a_notebook(
        f"import os\nos.chdir({str(tmp_path)!r})",
        "!pip install -U sagemaker\nlines = !ls\n%matplotlib inline\n" + IMPORT + "assert lines == []",
        "%%time\np = Pipeline('Noted')\nx = '''\n%s\n''' % 1\n",
        "%%writefile step.py\nprint(1)\n",
        "p.definition()",
    )
    authored = author(text, path="work/mine.ipynb")
    assert authored.pipeline_name == "Noted"
    assert authored.notes == (
        SKIPPED,
        "The notebook's `!ls` did not run: do it in the Python of the script if it is needed.",
    )
    assert (tmp_path / "step.py").read_text() == "print(1)\n"


def test_an_error_in_a_notebook_shows_the_line_of_its_code(author: Author) -> None:
    with pytest.raises(AuthoringError, match=r'mine\.ipynb", line 2, in fetch\n    return 1 / 0\n'):
        author(a_notebook("def fetch():\n    return 1 / 0\n", "fetch()"), path="mine.ipynb")


@pytest.mark.parametrize("text", ["{", "[]", '{"worksheets": []}'])
def test_what_is_no_notebook_is_told(author: Author, text: str) -> None:
    with pytest.raises(AuthoringError, match=r"mine\.ipynb is no notebook of version 4"):
        author(text, path="mine.ipynb")
