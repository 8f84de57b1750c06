"""The Pythons that the author's script starts, by a real `subprocess` and a `multiprocessing` pool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from authoring_support import Author

from localpipe.authoring.environment import CHILD_PYTHON

IMPORT = "from sagemaker.workflow.pipeline import Pipeline\n"
ACCOUNT = (
    "import boto3\n"
    "def account(_=None):\n"
    "    sts = boto3.client('sts', region_name='us-east-1', aws_access_key_id='AKIAREAL', aws_secret_access_key='real',\n"
    "                       endpoint_url='https://sts.us-east-1.amazonaws.com')\n"
    "    return sts.get_caller_identity()['Account']\n"
)
ENDPOINT = "http://127.0.0.1:1 key secret eu-west-1"


def child(code: str, *search_path: Path, endpoint: str | None = ENDPOINT) -> str:
    """What a Python that finds `child_python` first prints, both streams."""
    environ = {"PYTHONPATH": ":".join(map(str, (CHILD_PYTHON, *search_path)))}
    if endpoint:
        environ["_LOCALPIPE_ENDPOINT"] = endpoint
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr


def test_explicit_addresses_and_credentials_do_not_matter_in_a_child_either(author: Author) -> None:
    grandchild = ACCOUNT + "print(account(), end='')"
    text = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {grandchild!r}], check=True)"
    authored = author(
        IMPORT + "import subprocess, sys\n"
        f"account = subprocess.check_output([sys.executable, '-c', {text!r}], text=True)\n"
        "p = Pipeline('A' + account)\n"
    )
    assert authored.pipeline_name == "A123456789012"


def test_a_pool_that_spawns_is_redirected(author: Author) -> None:
    authored = author(
        IMPORT + "import multiprocessing\n" + ACCOUNT + "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        Pipeline('A' + pool.map(account, [1])[0]).upsert('arn:aws:iam::123456789012:role/R')\n"
    )
    assert authored.pipeline_name == "A123456789012"


def test_aws_refuses_in_a_child_without_botocore() -> None:
    code = "import socket\nsocket.create_connection(('sts.amazonaws.com', 443))"
    assert "localpipe lets nothing reach AWS while a pipeline is compiled: sts.amazonaws.com" in child(code)


def test_little_is_imported_before_it_is_needed() -> None:
    code = "import sys; print(sorted({'socket', 'json', 'pathlib', 'botocore', 'logging'} & set(sys.modules)))"
    assert child(code) == "[]\n"


@pytest.mark.parametrize("endpoint", [ENDPOINT, None])
def test_the_sitecustomize_that_is_hidden_runs_and_no_trace_is_left(tmp_path: Path, endpoint: str | None) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs')\n")
    code = f"import sys, sitecustomize; print(sitecustomize.__file__, {str(CHILD_PYTHON)!r} in sys.path)"
    assert child(code, tmp_path, endpoint=endpoint) == f"theirs\n{tmp_path / 'sitecustomize.py'} False\n"


def test_an_error_of_the_hidden_sitecustomize_is_told_as_ever(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import no_such_module\n")
    assert "Error in sitecustomize" in child("print('goes on')", tmp_path)
    assert "goes on" in child("print('goes on')", tmp_path)


def test_a_child_that_waits_for_the_execution_it_started_is_ended_there(author: Author, tmp_path: Path) -> None:
    child_script = tmp_path / "child.py"
    child_script.write_text(
        IMPORT + "import boto3\npipeline = Pipeline('P')\npipeline.upsert('arn:aws:iam::123456789012:role/R')\n"
        "arn = pipeline.start({'A': '1'})\n"
        "while True: boto3.client('sagemaker').describe_pipeline_execution(PipelineExecutionArn=arn)\n"
    )
    authored = author(f"import subprocess, sys\nsubprocess.run([sys.executable, {str(child_script)!r}], check=True)\n")
    assert (authored.pipeline_name, authored.parameters) == ("P", {"A": "1"})


def test_the_script_itself_is_redirected_once(author: Author) -> None:
    authored = author(
        IMPORT + "import sys, botocore.client\n"
        "hooks = [hook for hook in sys.meta_path if type(hook).__name__ == 'AfterImport' and 'socket' in hook._actions]\n"
        "p = Pipeline(f'Hooks{len(hooks)}')\n"
    )
    assert authored.pipeline_name == "Hooks1"
