"""Commands on jobs that run: signals, `stop`, `logs -f`, `--detach`, `shell`, the report of a failure."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import Cli, Spawn, Write
from support import pipeline, processing, until

if TYPE_CHECKING:
    from localpipe.core import JSON

pytestmark = pytest.mark.sandbox

WAITS = "import time; print('begun', flush=True); time.sleep(60)"
POLITE = f"import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); {WAITS}"
STUBBORN = f"import signal; signal.signal(15, signal.SIG_IGN); {WAITS}"
LET_GO = "/opt/ml/processing/out/go"
PATIENT = f"import os; os.mkfifo('{LET_GO}'); print('begun', flush=True); open('{LET_GO}').read(); os.remove('{LET_GO}')"
FAILS = "[print('line', i) for i in range(20)]; raise SystemExit(3)"


def job(name: str, program: str) -> JSON:
    step = processing(name, outputs=("out",))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["python3", "-u", "-c", program]
    return step


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read the process's progress until a line holds the text."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended without saying {text!r}")


def wait_for_jobs(place: Path, count: int = 1) -> None:
    """Wait until so many jobs have said that they have begun; their signal handlers are in place then."""

    def have_begun() -> bool:
        logs = place.glob(".localpipe/runs/*/*/1/logs/*.log")
        return sum("begun" in log.read_text() for log in logs) == count

    until(have_begun, f"the begin of {count} jobs")


def let_go(place: Path, step: str) -> None:
    """Let a job go on that waits to be let go."""
    (fifo,) = place.glob(f".localpipe/runs/*/{step}/1/algo-1/root{LET_GO}")
    fifo.write_text("!")


def open_files(pid: int) -> set[str]:
    names = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            names.add(descriptor.readlink().name)
    return names


def wait_until_it_reads_the_journal(process: subprocess.Popen[str]) -> None:
    until(lambda: "journal.db" in open_files(process.pid), "that it reads the journal")


@pytest.fixture
def running(spawn: Spawn, write: Write, place: Path) -> subprocess.Popen[str]:
    """A run of one job that lets SIGTERM pass."""
    process = spawn("run", write(pipeline(job("Wait", STUBBORN))), "--runner", "process", "--json")
    wait_for_jobs(place)
    return process


def test_an_interrupt_stops_with_grace(spawn: Spawn, write: Write, place: Path) -> None:
    process = spawn("run", write(pipeline(job("Wait", POLITE), job("Other", POLITE))), "--runner", "process", "--json")
    wait_for_jobs(place, 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    document = json.loads(out)
    assert document["PipelineExecutionStatus"] == "Stopped"
    assert {row["StepStatus"] for row in document["Steps"]} == {"Stopped"}
    assert "\nStopping: jobs have 120 s to end. Ctrl-C again ends all at once, a third time leaves.\n" in err
    assert re.search(r"\nNext: localpipe retry [a-z0-9]{12} ", err)


def test_the_grace_is_a_setting(spawn: Spawn, write: Write, place: Path) -> None:
    definition = write(pipeline(job("Wait", STUBBORN)))
    process = spawn("run", definition, "--runner", "process", LOCALPIPE_STOP_GRACE_SECONDS="0.3")
    wait_for_jobs(place)
    process.send_signal(signal.SIGTERM)
    assert "jobs have 0.3 s to end" in process.communicate(timeout=20)[1]
    assert process.returncode == 130


def test_a_terminal_that_closes_stops_with_grace_however_often_it_says_so(spawn: Spawn, write: Write, place: Path) -> None:
    process = spawn("run", write(pipeline(job("Wait", STUBBORN))), "--runner", "process", LOCALPIPE_STOP_GRACE_SECONDS="0.5")
    wait_for_jobs(place)
    process.send_signal(signal.SIGHUP)
    wait_for(process, "Wait: Stopping")
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Killing" in err) == (130, False)


def test_a_run_that_hangups_are_kept_from_goes_on(place: Path, write: Write) -> None:
    command = [sys.executable, "-m", "localpipe", "run", write(pipeline(job("Wait", PATIENT))), "--runner", "process"]
    process = subprocess.Popen(["nohup", *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=place)
    wait_for_jobs(place)
    process.send_signal(signal.SIGHUP)
    let_go(place, "Wait")
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_second_interrupt_kills(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    wait_for(running, "Wait: Stopping")
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=20)
    assert (running.returncode, json.loads(out)["PipelineExecutionStatus"]) == (130, "Stopped")


def test_a_third_interrupt_leaves_and_resume_takes_up_what_was_left(running: subprocess.Popen[str], cli: Cli) -> None:
    running.send_signal(signal.SIGINT)
    wait_for(running, "Wait: Stopping")
    running.send_signal(signal.SIGSTOP)  # so that both signals are pending at once
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGCONT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert re.search(r"\nLeft\. What still runs is taken up by: localpipe resume [a-z0-9]{12}\n$", err)
    assert cli("ls", "--json").document[0]["Interrupted"]
    stopped = cli("stop", "last", "--kill").out
    assert stopped.startswith("No process drives it now. To stop what still runs and to end it: localpipe resume ")
    assert cli("resume", "last", "--json").status == 130
    assert cli("show", "last", "--json").document["PipelineExecutionStatus"] == "Stopped"


def test_one_execution_has_one_driver_and_another_process_may_stop_it(running: subprocess.Popen[str], cli: Cli) -> None:
    refused = cli("resume", "last")
    assert refused.status == 2
    assert re.fullmatch(rf"Error: Process {running.pid} drives execution [a-z0-9]{{12}} already\.\n", refused.err)
    assert cli("retry", "last").status == 2
    stopped = cli("stop", "last", "--kill")
    assert stopped.out.startswith("Killing arn:aws:sagemaker:us-east-1:111122223333:pipeline/pipe/execution/")
    running.communicate(timeout=20)
    assert running.returncode == 130


def test_resume_goes_on_after_a_kill_with_the_same_job(spawn: Spawn, write: Write, cli: Cli, place: Path) -> None:
    program = f"{PATIENT}; open('/opt/ml/processing/out/x', 'w').write('1')"
    process = spawn("run", write(pipeline(job("Wait", program))), "--runner", "process")
    wait_for_jobs(place)
    process.kill()
    process.communicate()
    assert "interrupted; to go on: localpipe resume" in cli("show", "last").out
    resumed = spawn("resume", "last", "--json")
    wait_for(resumed, "Wait: Executing")
    let_go(place, "Wait")
    out, _ = resumed.communicate(timeout=20)
    assert (resumed.returncode, json.loads(out)["Steps"][0]["AttemptCount"]) == (0, 1)
    assert [row["S3Uri"] for row in cli("artifacts", "last", "--json").document] == ["s3://bucket/Wait/out/x"]


def detached(spawn: Spawn, definition: str) -> str:
    """Start a run in the background; its ARN."""
    started = spawn("run", definition, "--runner", "process", "--detach")
    out, err = started.communicate(timeout=20)
    assert (started.returncode, err) == (0, "")
    return out.rstrip("\n")


def test_a_detached_run_is_shown_stopped_and_followed(spawn: Spawn, cli: Cli, write: Write, place: Path) -> None:
    arn = detached(spawn, write(pipeline(job("Wait", POLITE))))
    assert cli("show", arn, "--json").document["PipelineExecutionStatus"] == "Executing"
    wait_for_jobs(place)
    assert cli("stop", "last").out == f"Stopping {arn}\n"
    followed = cli("logs", "last", "Wait", "-f")
    assert (followed.status, followed.out, followed.err) == (0, "begun\n", "")
    assert cli("show", "last", "--json").document["Steps"][0]["StepStatus"] == "Stopped"


def test_following_begins_before_the_step_does(spawn: Spawn, write: Write, place: Path) -> None:
    first, second = job("First", PATIENT), job("Second", "print('hello')") | {"DependsOn": ["First"]}
    detached(spawn, write(pipeline(first, second)))
    wait_for_jobs(place)
    following = spawn("logs", "last", "Second", "-f")
    wait_until_it_reads_the_journal(following)
    let_go(place, "First")
    assert following.communicate(timeout=20)[0] == "hello\n"


def test_a_failed_step_ends_in_all_that_helps_to_mend_it(cli: Cli, write: Write, place: Path) -> None:
    ended = cli("run", write(pipeline(job("Bad", FAILS))), "--runner", "process")
    assert ended.status == 1
    report = ended.err[ended.err.index("\nStep Bad failed") :].splitlines()
    attempt = next(place.glob(".localpipe/runs/*/Bad/1"))
    execution_id = attempt.parts[-3]
    assert report[1] == "Step Bad failed: ClientError: AlgorithmError: See job logs for more information"
    assert report[2:18] == ["  the last lines of its log:", *(f"  | line {i}" for i in range(5, 20))]
    assert report[18:21] == [
        f"  whole log:          {attempt}/logs/algo-1.log",
        f"  working directory:  {attempt}/algo-1/root",
        f"  look around:        localpipe shell {execution_id} Bad",
    ]
    assert report[21] == f"  repeat:             sh {attempt}/repeat.sh"
    assert report[22] == "                      (without the local S3, which ends with the run; a shell as above has it)"
    assert report[23:27] == [
        "",
        "Pipeline pipe: Failed. Step failure: One or multiple steps failed.",
        f"Fidelity: 4 members approximated: localpipe show {execution_id} --fidelity",
        f"Next: localpipe retry {execution_id}   (from the failed step, same code; after a change, run the pipeline again)",
    ]
    again = subprocess.run(["bash", "-c", report[21].partition("repeat:")[2]], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (3, "line 19")


def test_a_shell_has_the_steps_command_and_ends_with_its_own_status(cli: Cli, spawn: Spawn, write: Write) -> None:
    cli("run", write(pipeline(job("Bad", FAILS))), "--runner", "process")
    shell = subprocess.Popen(
        spawn("shell", "last", "Bad").args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    typed = 'eval "$LOCALPIPE_COMMAND" | tail -n 1; pwd; ls /opt/ml/processing; echo "$PROCESSING_JOB_NAME"; exit 7\n'
    out, err = shell.communicate(typed, timeout=30)
    assert shell.returncode == 7
    line, directory, processing_dir, name = out.splitlines()
    assert (line, directory, processing_dir) == ("line 19", "/", "out")
    assert name.startswith("pipelines-")
    assert 'To run it: eval "$LOCALPIPE_COMMAND"\n' in err


def test_what_a_job_prints_is_in_its_log_alone(cli: Cli, write: Write) -> None:
    ended = cli("run", write(pipeline(job("Say", "print('hello')"))), "--runner", "process", "--json")
    (log,) = ended.document["Steps"][0]["LogFiles"]
    assert Path(log).read_text() == "hello\n"
    assert "hello" not in ended.err
    assert cli("logs", "last", "Say").out == "hello\n"


def test_gc_names_the_execution_whose_jobs_it_keeps(cli: Cli, spawn: Spawn, write: Write, place: Path) -> None:
    run = spawn("run", write(pipeline(job("Wait", PATIENT))), "--runner", "process")
    wait_for_jobs(place)
    run.kill()
    run.wait()
    (execution_id,) = (path.name for path in (place / ".localpipe" / "runs").iterdir())
    kept = cli("gc")
    assert kept.out == "Nothing to remove.\n"
    resume = f"localpipe resume {execution_id}"
    assert f"{execution_id} was interrupted: its jobs are kept. To go on with them: {resume}\n" in kept.err
    resumed = spawn("resume", execution_id)
    let_go(place, "Wait")
    assert resumed.wait() == 0
    assert "interrupted" not in cli("gc").err
