"""Makes the SDK's local mode define pipelines and run nothing: localpipe is the local mode.

A `LocalPipelineSession` then acts as the `PipelineSession` that it also is, and a `LocalSession` as a `Session`, whose jobs
the endpoint refuses by name. Training in a local container (SDK v3) asks no session; it is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .patches import AfterImport, Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

LOCAL_SESSION_MODULES = ("sagemaker.local.local_session", "sagemaker.core.local.local_session")
"""Where the class `LocalSession` is: SDK v2, SDK v3."""

LOCAL_CONTAINER_MODULE = "sagemaker.train.local.local_container"
NOTE = "The script uses the SDK's local mode: it is compiled as with a PipelineSession, and localpipe runs its jobs."


class LocalContainerRefused(Exception):
    """A container was to be started while the pipeline is compiled."""

    refused = "Mode.LOCAL_CONTAINER"


class NoLocalMode:
    """Effective from `install`. `tell` is given `NOTE` for each local session that is made, but by a client for itself:
    SDK v3 makes clients in any pipeline, to name their methods. Mutable: whether one is being made.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._makes_client = False
        self._patches = Patches()
        actions = dict.fromkeys(LOCAL_SESSION_MODULES, self._change_sessions)
        self._hook = AfterImport({**actions, LOCAL_CONTAINER_MODULE: self._refuse_containers})

    def install(self) -> None:
        """Change the local sessions and containers."""
        self._hook.install()

    def _change_sessions(self, module: ModuleType) -> None:
        def initialize(session: Any, *args: Any, **kwargs: Any) -> None:
            if not self._makes_client:
                self._tell(NOTE)
            session_of_aws: Any = super(module.LocalSession, session)
            session_of_aws._initialize(*args, **kwargs)  # noqa: SLF001 - as the replaced one overrides it

        self._patches.replace(module.LocalSession, "_initialize", lambda _: initialize)
        self._patches.replace(module.LocalSagemakerClient, "__init__", self._quietly)

    def _quietly(self, construct: Callable[..., None]) -> Callable[..., None]:
        def construct_quietly(*args: Any, **kwargs: Any) -> None:
            self._makes_client = True
            try:
                construct(*args, **kwargs)
            finally:
                self._makes_client = False

        return construct_quietly

    def _refuse_containers(self, module: ModuleType) -> None:
        def train(*_: Any, **__: Any) -> None:
            raise LocalContainerRefused

        self._patches.replace(module._LocalContainer, "train", lambda _: train)  # noqa: SLF001 - it has no other name
