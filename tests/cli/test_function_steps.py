"""Lambda and Callback steps from the command line: functions of localpipe.toml, answers from other processes, crashes."""

from __future__ import annotations

import json
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Spawn, Write, decision, model
from support import has_ended, pipeline, until

if TYPE_CHECKING:
    from localpipe.core import JSON

ARN = "arn:aws:lambda:us-east-1:111122223333:function:notify"
QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/approvals"
KILLED = -9
ABSENT = {
    "handlers/notify.py:handle": "{place}/handlers/notify.py has no handle",
    "handlers.notify:handle": "{place}/handlers/notify.py has no handle",
    "handlers.notifier:handler": "there is no module handlers.notifier in {place}",
}
"""Handlers that the settings name and the fixture's file has not, and why they cannot be called."""


def call(name: str = "Notify", outputs: JSON = (), **arguments: JSON) -> JSON:
    declared = [{"OutputName": output, "OutputType": "String"} for output in outputs]
    return {"Name": name, "Type": "Lambda", "FunctionArn": ARN, "Arguments": arguments, "OutputParameters": declared}


def ask(name: str = "Ask", **more: JSON) -> JSON:
    declared = [{"OutputName": "who", "OutputType": "String"}]
    return {"Name": name, "Type": "Callback", "SqsQueueUrl": QUEUE, "OutputParameters": declared, **more}


def tell(reference: str) -> JSON:
    return {"Name": "Tell", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": reference}}}


@pytest.fixture
def function(place: Path) -> Callable[..., None]:
    """Write a handler and name it in localpipe.toml."""

    def write(code: str, more: str = "") -> None:
        (place / "handlers").mkdir(exist_ok=True)
        (place / "handlers" / "notify.py").write_text(textwrap.dedent(code))
        (place / "localpipe.toml").write_text(f'[lambda]\nnotify = "handlers/notify.py:handler"\n{more}')

    return write


def waiting(cli: Cli, count: int = 1) -> list[JSON]:
    """The messages, once there are so many."""

    def messages() -> list[JSON]:
        listed: list[JSON] = cli("callback", "list", "--json").document
        return listed if len(listed) >= count else []

    return until(messages, f"{count} messages")


def test_a_function_of_the_settings_gets_the_name_of_the_model_that_was_made(
    cli: Cli, write: Write, function: Callable[..., None]
) -> None:
    function("""
        def handler(event, context):
            print("telling of", event["model"])
            return {"told": event["model"]}
        """)
    steps = (model("Keep"), call(outputs=["told"], model={"Get": "Steps.Keep.ModelName"}))
    ended = cli("run", write(decision(else_steps=steps)), "--json", "--runner", "docker")
    assert ended.status == 0, ended.err
    keep, notify = ended.document["Steps"][-2:]
    name = keep["Properties"]["ModelName"]
    assert notify["Properties"]["OutputParameters"] == {"told": name}
    assert notify["Metadata"] == {"Lambda": {"Arn": ARN, "OutputParameters": [{"Name": "told", "Value": name}]}}
    assert cli("logs", "last", "Notify").out == f"telling of {name}\n"


def test_by_contents_a_function_is_called_again_when_its_code_has_changed(
    cli: Cli, write: Write, function: Callable[..., None]
) -> None:
    write(pipeline(call(x="1") | {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}))
    run = ("run", "pipe.json", "--cache", "content")
    function("def handler(event, context):\n    return {}\n")
    cli(*run)
    assert "Notify: Succeeded, cached: " in cli(*run).err
    function("def handler(event, context):\n    return {}  # edited\n")
    assert "cached" not in cli(*run).err
    assert "\nCode    content:" in cli("explain", "last", "Notify").out


def test_a_function_that_is_nowhere_is_refused_before_anything_runs(cli: Cli, write: Write) -> None:
    refused = cli("run", write(pipeline(model("Keep"), call())))
    assert refused.status == 2
    assert refused.err == (
        "Error: The pipeline definition has problems:\n"
        "  $.Steps[1].FunctionArn: step 'Notify': Lambda function 'notify' cannot be called here: its code is nowhere. "
        'Name its handler in localpipe.toml: [lambda] "notify" = "handlers/file.py:function". Or have the script make it: '
        'Lambda(function_name="notify", script=..., handler=...) of the SDK.\n'
    )
    assert cli("ls").err == "No executions yet. Start one with: localpipe run PIPELINE\n"


def test_a_handler_file_that_is_not_there_is_refused_before_anything_runs(cli: Cli, write: Write, place: Path) -> None:
    (place / "localpipe.toml").write_text('[lambda]\nnotify = "handlers/notify.py:handler"\n')
    refused = cli("check", write(pipeline(call())))
    assert refused.status == 2
    assert f"cannot be called here: there is no file {place}/handlers/notify.py." in refused.err


@pytest.mark.parametrize("handler", ABSENT)
def test_a_handler_that_is_not_there_is_refused_before_anything_runs(
    cli: Cli, write: Write, function: Callable[..., None], place: Path, handler: str
) -> None:
    function("def handler(event, context): pass")
    (place / "localpipe.toml").write_text(f'[lambda]\nnotify = "{handler}"\n')
    refused = cli("check", write(pipeline(call())))
    assert refused.status == 2
    assert f"Lambda function 'notify' cannot be called here: {ABSENT[handler].format(place=place)}. Name its" in refused.err


@pytest.mark.parametrize("file", ["notify.v2.py", "json.py", "os.py", "my-handler.py", "__main__.py"])
def test_a_file_of_any_name_may_have_the_handler(cli: Cli, write: Write, place: Path, file: str) -> None:
    code = "import dataclasses, json\n@dataclasses.dataclass\nclass Note:\n    text: str\n"
    (place / "code").mkdir()
    (place / "code" / file).write_text(f"{code}def handler(event, context): return {{'who': Note('me').text}}\n")
    (place / "localpipe.toml").write_text(f'[lambda]\nnotify = "code/{file}:handler"\n')
    ended = cli("run", write(pipeline(call(outputs=["who"]), tell("Steps.Notify.OutputParameters['who']"))))
    assert "Step Tell failed: me\n" in ended.err


def test_a_check_says_where_the_code_of_functions_comes_from(
    cli: Cli, write: Write, function: Callable[..., None], place: Path
) -> None:
    function("def handler(event, context): pass")
    assert f"  function notify = {place}/handlers/notify.py:handler\n" in cli("check", write(pipeline(call()))).out


def test_a_setting_that_names_no_function_is_refused(cli: Cli, write: Write, place: Path) -> None:
    (place / "localpipe.toml").write_text('[lambda]\nnotify = "notify"\n')
    refused = cli("check", write(pipeline(call())))
    assert refused.status == 2
    assert refused.err == (
        f'Error: [lambda] "notify" in {place}/localpipe.toml: it must be "handlers/notify.py:handler" or '
        '"package.module:handler".\n'
    )


def test_a_function_that_raises_fails_its_step_with_the_end_of_its_log(
    cli: Cli, write: Write, function: Callable[..., None]
) -> None:
    function("def handler(event, context): raise RuntimeError('no answer from the other side')")
    ended = cli("run", write(pipeline(call())))
    assert ended.status == 1
    reason = f"ClientError: Lambda function {ARN} failed: RuntimeError: no answer from the other side"
    assert f"\nStep Notify failed: {reason}\n  the last lines of its log:\n" in ended.err
    assert "  | RuntimeError: no answer from the other side\n  whole log:" in ended.err
    assert "repeat:" not in ended.err
    shell = cli("shell", "last", "Notify")
    assert (shell.status, shell.err) == (
        2,
        "Error: There is nothing to enter in step 'Notify': a Lambda step runs no container.\n",
    )


def test_a_function_reaches_the_local_s3(cli: Cli, write: Write, function: Callable[..., None]) -> None:
    function("""
        import boto3
        def handler(event, context):
            boto3.client("s3").put_object(Bucket="notes", Key="note.txt", Body=b"hello")
            return {"who": boto3.client("sts").get_caller_identity()["Account"]}
        """)
    ended = cli("run", write(pipeline(call(outputs=["who"]), tell("Steps.Notify.OutputParameters['who']"))))
    assert "Step Tell failed: 111122223333\n" in ended.err
    assert cli("s3", "ls", "--recursive", "s3://notes").out == "s3://notes/note.txt\n"


def test_a_run_says_what_it_waits_for_and_goes_on_when_it_is_answered(cli: Cli, spawn: Spawn, write: Write) -> None:
    run = spawn("run", write(pipeline(ask(Arguments={"number": 5}), tell("Steps.Ask.OutputParameters['who']"))))
    (message,) = waiting(cli)
    listed = cli("callback", "list")
    assert listed.out.splitlines()[0].split() == ["TOKEN", "STEP", "STATUS", "EXECUTION", "QUEUE", "ARGUMENTS"]
    assert listed.out.splitlines()[1].startswith(f"{message['token']}  Ask   Executing  ")
    assert f"waits for an answer with the token {message['token']}" in cli("show", "last").out
    answered = cli("callback", "succeed", message["token"], "-o", "who=Ada")
    assert (answered.status, answered.out) == (0, "Ask: Succeeded\n")
    _, told = run.communicate(timeout=20)
    assert f"Ask: Executing, its message lies in {QUEUE}\n" in told
    assert (
        "  Ask waits for an answer:\n"
        f"    localpipe callback succeed {message['token']} -o who=STRING\n"
        f"    localpipe callback fail {message['token']} --reason TEXT\n"
    ) in told
    assert "Step Tell failed: Ada\n" in told
    assert (cli("callback", "list", "--json").document, cli("callback", "list").err) == (
        [],
        "No message waits for an answer.\n",
    )


def test_tokens_that_nobody_waits_for_are_refused(cli: Cli, spawn: Spawn, write: Write) -> None:
    nowhere = cli("callback", "fail", "nobodyhas1", "--reason", "x")
    assert (nowhere.status, nowhere.err) == (
        2,
        "Error: There is no callback token 'nobodyhas1'. No pipeline has run here yet; another home is named by --home.\n",
    )
    run = spawn("run", write(pipeline(ask())))
    (message,) = waiting(cli)
    assert cli("callback", "succeed", message["token"], "-o", "whom=Ada").err == (
        "Error: Step 'Ask': there is no output 'whom'. Did you mean 'who'?\n"
    )
    assert cli("callback", "fail", message["token"], "--reason", "not today").out == "Ask: Failed\n"
    assert run.wait(20) == 1
    used = cli("callback", "succeed", message["token"])
    assert used.status == 2
    assert f"Error: The token '{message['token']}' has been used, or waits no more: step 'Ask'" in used.err


def test_a_wait_survives_kill_9_and_a_resumed_run_says_again_what_it_waits_for(cli: Cli, spawn: Spawn, write: Write) -> None:
    run = spawn("run", write(pipeline(ask(), tell("Steps.Ask.OutputParameters['who']"))))
    (message,) = waiting(cli)
    run.kill()
    assert run.wait(20) == KILLED
    assert waiting(cli) == [message]
    resumed = spawn("resume", "last")
    assert resumed.stderr
    assert resumed.stderr.readline() == "  Ask waits for an answer:\n"
    assert resumed.stderr.readline() == f"    localpipe callback succeed {message['token']} -o who=STRING\n"
    cli("callback", "succeed", message["token"], "-o", "who=Ada")
    _, told = resumed.communicate(timeout=20)
    assert "Step Tell failed: Ada\n" in told


def test_an_answer_is_taken_while_nothing_drives_the_execution(cli: Cli, spawn: Spawn, write: Write) -> None:
    run = spawn("run", write(pipeline(ask(), tell("Steps.Ask.OutputParameters['who']"))))
    (message,) = waiting(cli)
    run.kill()
    run.wait(20)
    answered = cli("callback", "succeed", message["token"], "-o", "who=Ada")
    execution_id = message["pipelineExecutionArn"].rpartition("/")[2]
    assert answered.out == (
        f"Ask: Succeeded\nNo process drives the execution now. To go on with it: localpipe resume {execution_id}\n"
    )
    resumed = cli("resume", "last")
    assert resumed.status == 1
    assert "Step Tell failed: Ada\n" in resumed.err
    assert "waits for an answer" not in resumed.err


def test_ctrl_c_waits_for_the_answer_and_a_second_one_ends_the_wait(cli: Cli, spawn: Spawn, write: Write) -> None:
    run = spawn("run", write(pipeline(ask())))
    waiting(cli)
    run.send_signal(signal.SIGINT)
    until(lambda: waiting(cli)[0]["status"] == "Stopping", "a message that asks to stop")
    (message,) = waiting(cli)
    assert cli("show", "last", "--json").document["PipelineExecutionStatus"] == "Stopping"
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "\nStopping: answers are waited for. Ctrl-C again ends all at once, a third time leaves.\n" in told
    assert f"  Ask waits for an answer before it stops:\n    localpipe callback succeed {message['token']}" in told
    assert "  Stopped    Ask\n" in told
    assert cli("callback", "list", "--json").document == []


def test_a_command_that_serves_the_queue_answers_from_the_message_on_its_standard_input(
    cli: Cli, write: Write, place: Path
) -> None:
    (place / "approve.py").write_text(
        "import json, subprocess, sys\n"
        "message = json.load(sys.stdin)\n"
        "print('asked about', message['arguments']['model'], flush=True)\n"
        "subprocess.run([sys.executable, '-m', 'localpipe', 'callback', 'succeed', message['token'], '-o', 'who=robot'], "
        "check=True)\n"
    )
    line = json.dumps(f"{sys.executable} approve.py")
    (place / "localpipe.toml").write_text(f'[callback]\n"https://sqs.*/approvals" = {line}\n')
    ended = cli("run", write(pipeline(ask(Arguments={"model": "m-1"}), tell("Steps.Ask.OutputParameters['who']"))))
    assert "Step Tell failed: robot\n" in ended.err
    assert cli("logs", "last", "Ask").out.startswith("asked about m-1\n")


def test_a_command_that_fails_is_told_in_the_log_and_the_step_waits_on(
    cli: Cli, spawn: Spawn, write: Write, place: Path
) -> None:
    (place / "localpipe.toml").write_text('[callback]\n"*" = "echo cannot; exit 3"\n')
    run = spawn("run", write(pipeline(ask())))
    (message,) = waiting(cli)
    until(lambda: "status 3" in cli("logs", "last", "Ask").out, "the end of the command in the log")
    log = cli("logs", "last", "Ask").out
    assert log == "cannot\nlocalpipe: the command 'echo cannot; exit 3' ended with status 3, which alone fails no step.\n"
    cli("callback", "succeed", message["token"])
    assert run.wait(20) == 0


def test_a_function_is_called_again_after_kill_9_and_the_first_call_is_over(
    cli: Cli, spawn: Spawn, write: Write, function: Callable[..., None], place: Path
) -> None:
    function("""
        import os, pathlib, time
        def handler(event, context):
            calls = pathlib.Path(event["calls"])
            with calls.open("a") as file:
                print(os.getpid(), file=file)
            if len(calls.read_text().split()) == 1:
                time.sleep(60)
            return {"told": "late"}
        """)
    calls = place / "calls"
    run = spawn("run", write(pipeline(call(outputs=["told"], calls=str(calls)))))
    lines_of(calls, 1)
    run.kill()
    run.wait(20)
    resumed = cli("resume", "last", "--json")
    assert resumed.status == 0, resumed.err
    (row,) = resumed.document["Steps"]
    assert (row["StepStatus"], row["AttemptCount"]) == ("Succeeded", 1)
    first, _ = lines_of(calls, 2)
    until(lambda: has_ended(int(first)), "the end of the first call")


def test_ctrl_c_waits_for_a_function_and_a_second_one_ends_it(
    cli: Cli, spawn: Spawn, write: Write, function: Callable[..., None], place: Path
) -> None:
    function("""
        import pathlib, time
        def handler(event, context):
            pathlib.Path(event["begun"]).write_text("begun\\n")
            while not pathlib.Path(event["end"]).exists():
                time.sleep(0.02)
        """)
    begun, end = place / "begun", place / "end"
    definition = write(pipeline(call(begun=str(begun), end=str(end))))
    run = spawn("run", definition)
    lines_of(begun, 1)
    run.send_signal(signal.SIGINT)
    wait_until_stopping(cli)
    assert run.poll() is None
    end.touch()
    assert run.wait(20) == 130
    (row,) = cli("show", "last", "--json").document["Steps"]
    assert row["StepStatus"] == "Stopped"
    begun.unlink()
    end.unlink()
    run = spawn("run", definition)
    lines_of(begun, 1)
    run.send_signal(signal.SIGINT)
    wait_until_stopping(cli)
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 130


def test_a_function_meets_its_time_limit_sooner_by_a_fault(cli: Cli, write: Write, function: Callable[..., None]) -> None:
    function("import time\ndef handler(event, context):\n    time.sleep(60)\n")
    ended = cli("run", write(pipeline(call())), "--fault", "Notify=time-limit@0.2", "--json")
    assert ended.status == 1
    (row,) = ended.document["Steps"]
    assert row["FailureReason"] == (
        f"ClientError: Lambda function {ARN} timed out: "
        "its limit is 120 s (Timeout of the function, at most 600 s in a pipeline)."
    )


@pytest.mark.documented
def test_an_execution_whose_function_runs_into_its_limit_while_it_stops_has_failed(
    cli: Cli, spawn: Spawn, write: Write, function: Callable[..., None], place: Path
) -> None:
    function("""
        import pathlib, time
        def handler(event, context):
            pathlib.Path(event["begun"]).write_text("begun\\n")
            time.sleep(60)
        """)
    (place / "localpipe.toml").write_text('[lambda]\nnotify = {handler = "handlers/notify.py:handler", timeout = 2}\n')
    begun = place / "begun"
    run = spawn("run", write(pipeline(call(begun=str(begun)))))
    lines_of(begun, 1)
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 1
    shown = cli("show", "last", "--json").document
    (row,) = shown["Steps"]
    assert (shown["PipelineExecutionStatus"], row["StepStatus"]) == ("Failed", "Failed")
    assert row["FailureReason"].startswith(f"ClientError: Lambda function {ARN} timed out: its limit is 2 s")


def wait_until_stopping(cli: Cli) -> None:
    until(lambda: cli("show", "last", "--json").document["PipelineExecutionStatus"] == "Stopping", "that it stops")


def lines_of(file: Path, count: int) -> list[str]:
    def lines() -> list[str]:
        written = file.read_text().split() if file.exists() else []
        return written if len(written) >= count else []

    return until(lines, f"{count} lines in {file}")
