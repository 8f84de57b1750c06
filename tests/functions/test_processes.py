"""Functions called for real, each in a process of its own."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import has_ended, until

from localpipe.core.functions import FunctionEnd, FunctionExit
from localpipe.core.work import CallFunction
from localpipe.errors import JobFailed
from localpipe.functions.processes import BOOTSTRAP, FunctionProcesses

if TYPE_CHECKING:
    from called import Called


def returned(exit_: FunctionExit) -> object:
    assert exit_.end is FunctionEnd.RETURNED, exit_.text
    return json.loads(exit_.text)


def test_a_function_gets_its_event_and_what_it_prints_is_its_log(call: Called) -> None:
    code = """
        import sys
        def handler(event, context):
            print("to out")
            print("to err", file=sys.stderr)
            return {"twice": event["n"] * 2, "text": event["text"]}
        """
    assert returned(call(code, {"n": 2.5, "text": "ü"})) == {"twice": 5.0, "text": "ü"}
    assert call.log == "to out\nto err\n"


def test_a_function_knows_its_context(call: Called) -> None:
    code = """
        def handler(event, context):
            return [
                context.function_name, context.function_version, context.invoked_function_arn, context.memory_limit_in_mb,
                context.log_group_name, len(context.aws_request_id), 0 < context.get_remaining_time_in_millis() <= 7000,
                context.client_context, context.identity.cognito_identity_id,
            ]
        """
    arn = "arn:aws:lambda:us-east-1:123456789012:function:notify"
    assert returned(call(code, {}, timeout_seconds=7, memory_mb=256)) == [
        *("notify", "$LATEST", arn, "256", "/aws/lambda/notify", 36, True, None, None)
    ]


def test_a_function_sees_its_own_variables_those_of_lambda_and_the_local_endpoint(call: Called) -> None:
    code = """
        import os
        def handler(event, context):
            return dict(os.environ, cwd=os.getcwd())
        """
    seen = returned(call(code, {}, environment={"TABLE": "t", "AWS_LAMBDA_FUNCTION_NAME": "other"}))
    assert isinstance(seen, dict)
    root = str(call.folder / "code")
    wanted = {
        "TABLE": "t",
        "AWS_LAMBDA_FUNCTION_NAME": "notify",
        "_HANDLER": "notify.handler",
        "LAMBDA_TASK_ROOT": root,
        "AWS_ENDPOINT_URL": "http://local",
        "PATH": "/bin",
        "cwd": root,
    }
    assert wanted.items() <= seen.items()
    assert "PYTEST_CURRENT_TEST" not in seen


def test_what_a_function_logs_is_in_its_log_from_the_level_that_it_sets(call: Called) -> None:
    code = """
        import logging
        logging.getLogger().setLevel(logging.INFO)
        def handler(event, context):
            logging.getLogger("mine").info("told %s", 1)
        """
    assert returned(call(code)) is None
    assert call.log.startswith("[INFO]\t")
    assert call.log.endswith("\ttold 1\n")


def test_modules_beside_the_handler_can_be_imported_and_those_of_localpipe_cannot(call: Called) -> None:
    (call.folder / "code").mkdir()
    (call.folder / "code" / "find.py").write_text("WHERE = 'beside'")
    code = """
        import find
        def handler(event, context):
            return find.WHERE
        """
    assert returned(call(code)) == "beside"
    code = "import queue_commands\ndef handler(event, context): pass"
    assert call(code).text.startswith("Runtime.ImportModuleError: Unable to import module 'notify': No module named")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def handler(event, context): return event['x']", "KeyError: 'x'"),
        (
            "import nothing_there",
            "Runtime.ImportModuleError: Unable to import module 'notify': No module named 'nothing_there'",
        ),
        ("def other(event, context): pass", "Runtime.HandlerNotFound: Handler 'handler' missing on module 'notify'"),
        ("raise ValueError('at once')", "ValueError: at once"),
        (
            "def handler(event, context): return {1, 2}",
            "Runtime.MarshalError: Unable to marshal response: Object of type set is not JSON serializable",
        ),
        (
            "def handler(event, context): return float('nan')",
            "Runtime.MarshalError: Unable to marshal response: Out of range",
        ),
        ("import sys\ndef handler(event, context): sys.exit(4)", "Runtime.ExitError: sys.exit(4)"),
    ],
)
def test_what_a_function_raises_is_told_in_the_words_of_the_runtime(call: Called, code: str, said: str) -> None:
    exit_ = call(code, {})
    assert exit_.end is FunctionEnd.RAISED
    assert exit_.text.startswith(said)
    assert f"[ERROR] {said}" in call.log


def test_a_traceback_in_the_log_begins_with_the_function(call: Called) -> None:
    call("def handler(event, context): return 1 / 0")
    assert "Traceback (most recent call last):" in call.log
    assert "bootstrap.py" not in call.log
    assert call.log.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_syntax_error_is_one_of_the_code(call: Called) -> None:
    assert call("def handler(:").text.startswith("Runtime.UserCodeSyntaxError: Syntax error in module 'notify':")


def test_a_process_that_dies_leaves_no_answer(call: Called) -> None:
    exit_ = call("import os\ndef handler(event, context): os._exit(5)")
    assert exit_ == FunctionExit(end=FunctionEnd.EXITED, text="its process ended with status 5; its log may say why.")
    exit_ = call("import os\ndef handler(event, context): os.kill(os.getpid(), 9)")
    assert exit_.text == "its process ended with signal 9; its log may say why."


def test_a_function_is_ended_at_its_limit_with_all_that_it_has_started(call: Called) -> None:
    code = """
        import subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["/bin/sleep", "60"])
            print(child.pid, flush=True)
            time.sleep(60)
        """
    exit_ = call(code, {}, timeout_seconds=0.5)
    assert exit_.end is FunctionEnd.TIMED_OUT
    assert exit_.text == "its limit is 0.5 s (Timeout of the function, at most 600 s in a pipeline)."
    until(lambda: has_ended(int(call.log)), "the end of what it started")


@pytest.mark.parametrize("ends", ["return 1", "os._exit(3)"])
def test_what_a_function_has_started_does_not_outlive_it(call: Called, ends: str) -> None:
    code = f"""
        import os, subprocess
        def handler(event, context):
            print(subprocess.Popen(["/bin/sleep", "60"]).pid, flush=True)
            {ends}
        """
    call(code)
    until(lambda: has_ended(int(call.log)), "the end of what it started")


def test_a_kill_ends_it(call: Called) -> None:
    running = call.begin("import time\ndef handler(event, context): time.sleep(60)")
    threading.Timer(0.2, running.kill).start()
    assert running.wait().end is FunctionEnd.EXITED
    running.kill()  # too late, and no error


def test_threads_that_a_function_leaves_behind_hold_up_nothing(call: Called) -> None:
    code = """
        import threading, time
        def handler(event, context):
            threading.Thread(target=time.sleep, args=(60,)).start()
            return 1
        """
    assert returned(call(code)) == 1


def test_an_answer_of_a_call_that_was_cut_off_is_not_taken_for_this_ones(call: Called) -> None:
    assert returned(call("def handler(event, context): return 1")) == 1
    assert call("import os\ndef handler(event, context): os._exit(0)").end is FunctionEnd.EXITED


def test_a_function_that_the_execution_does_not_have_is_refused(tmp_path: Path) -> None:
    host = FunctionProcesses({}, lambda key: tmp_path, dict, {})
    with pytest.raises(JobFailed, match=r"the execution has no function arn:x\."):
        host.start(None, CallFunction(arn="arn:x", event={}))  # type: ignore[arg-type]  # never looked at


def test_a_function_ends_with_who_called_it(tmp_path: Path) -> None:
    """Standard input is a pipe that the kernel closes when localpipe is killed."""
    (tmp_path / "slow.py").write_text(
        "import time\ndef handler(event, context):\n    print('on', flush=True)\n    time.sleep(60)"
    )
    request = {
        "handler": "slow.handler",
        "directory": str(tmp_path),
        "file": None,
        "event": {},
        "arn": "arn",
        "request_id": "id",
        "timeout_seconds": 60,
        "answer_file": str(tmp_path / "answer.json"),
    }
    names = ("NAME", "VERSION", "MEMORY_SIZE")
    environment = {f"AWS_LAMBDA_FUNCTION_{name}": "1" for name in names} | {
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
    }
    process = subprocess.Popen(
        [sys.executable, str(BOOTSTRAP)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"on\n"
    process.stdin.close()
    assert process.wait(timeout=10) == -signal.SIGKILL
    process.stdout.close()


def test_the_bootstrap_is_written_for_older_pythons() -> None:
    ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 8))
