"""Ends a script that waits for an execution it started, for that begins only after the script has ended."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .patches import AfterImport, Patches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

START = "sagemaker:StartPipelineExecution"
STATUS_CALLS = frozenset(
    {
        "sagemaker:DescribePipelineExecution",
        "sagemaker:ListPipelineExecutions",
        "sagemaker:ListPipelineExecutionSteps",
    }
)
READS = ("Describe", "Get", "Head", "List")
MOST_READS = 100
LONGEST_PAUSE_SECONDS = 60.0
REPEATED_AFTER_SECONDS = 1.0
MOST_SWALLOWED = 3


class ScriptEnded(SystemExit):
    """The script waits for results: all it can tell is known.

    Not an Exception, so that `except Exception` lets it pass; a program that the script started ends by it as by `exit()`.
    """


class NothingToWaitFor:
    """Watches the calls of a script and raises ScriptEnded in it when it waits for the execution that it started.

    A waiter ends it at once; the second look at the same kind of status does (a first one may only be printed); so do, once
    it has started a pipeline, `MOST_READS` calls in a row that change nothing, and `longest_pause` seconds without one that
    does. An execution of another pipeline than `wanted` counts as run: the endpoint says that it has succeeded.
    A script that swallows ScriptEnded time and again is left to `give_up`, which must not return.
    """

    def __init__(
        self, wanted: str | None, give_up: Callable[[], None], longest_pause: float = LONGEST_PAUSE_SECONDS
    ) -> None:
        self.started = False
        self._longest_pause = longest_pause
        self._wanted = wanted
        self._give_up = give_up
        self._seen: set[str] = set()
        self._reads = 0
        self._ends = 0
        self._patches = Patches()
        self._hook = AfterImport({"botocore.waiter": self._watch})

    def install(self) -> None:
        """Watch the waiters."""
        self._hook.install()

    def before_call(self, call: str, parameters: Mapping[str, Any]) -> None:
        """Be told of a call. Raises ScriptEnded instead of letting it wait."""
        if call == START:
            self.started = True
        if not self.started:
            return
        if not call.rpartition(":")[2].startswith(READS):
            self._reads = 0
            self._set_alarm(self._longest_pause)
            return
        self._reads += 1
        awaited = call in STATUS_CALLS and self._is_wanted(parameters)
        if self._reads > MOST_READS or (awaited and call in self._seen):
            self._end()
        if awaited:
            self._seen.add(call)

    def rest(self) -> None:
        """The script has ended: watch no clock any more."""
        self._set_alarm(0.0)

    def _is_wanted(self, parameters: Mapping[str, Any]) -> bool:
        arn = str(parameters.get("PipelineExecutionArn") or parameters.get("PipelineName") or "")
        return self._wanted is None or self._wanted in arn.split("/")

    def _end(self) -> None:
        self._ends += 1
        if self._ends > MOST_SWALLOWED:
            self._give_up()
        raise ScriptEnded

    def _set_alarm(self, seconds: float) -> None:
        """Raise ScriptEnded in the main thread after so many seconds, and again as long as it is swallowed; 0: never."""
        with suppress(ValueError):  # another thread than the main one has no say in signals
            signal.signal(signal.SIGALRM, lambda *_: self._end())
            signal.setitimer(signal.ITIMER_REAL, seconds, REPEATED_AFTER_SECONDS if seconds else 0.0)

    def _watch(self, module: ModuleType) -> None:
        def ended(wait: Callable[..., Any]) -> Callable[..., Any]:
            def wait_or_end(waiter: Any, **kwargs: Any) -> Any:
                if waiter.name.startswith("PipelineExecution") and self._is_wanted(kwargs):
                    self._end()
                return wait(waiter, **kwargs)

            return wait_or_end

        self._patches.replace(module.Waiter, "wait", ended)
