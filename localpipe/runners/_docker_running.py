"""A container from its start to its end: its log is written, its end noted, its files are the user's afterwards."""

from __future__ import annotations

import signal
import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from localpipe.core.jobspec import Access, JobExit, Mount
from localpipe.errors import NotSupported
from localpipe.runners._docker_errors import engine_errors, gone_is_fine
from localpipe.runners._docker_reclaim import rewrite_owner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from localpipe.core import JSON
    from localpipe.runners._docker_home import DockerEngine

_KILLED = 137  # 128 + SIGKILL, which is also how the kernel ends a process when memory runs out


class RunningContainer:
    """A container that has been started, with a thread that writes its log and notes its end. Any thread may call it."""

    def __init__(
        self,
        engine: DockerEngine,
        container: str,
        *,
        output: AbstractContextManager[Iterable[bytes]],
        log_file: Path,
        scratch: Path,
    ) -> None:
        self._engine, self._container, self._scratch = engine, container, scratch
        self._ended = threading.Event()
        self._exit: JobExit | None = None
        self._trouble: BaseException | None = None
        self._follower = threading.Thread(target=self._follow, args=(output, log_file), daemon=True)
        self._follower.start()

    def wait(self, timeout_seconds: float | None = None) -> JobExit | None:
        """Block until the container has ended. Raises JobFailed if the engine lost it, and what else ended its thread."""
        if not self._ended.wait(timeout_seconds):
            return None
        if self._trouble:
            raise self._trouble
        return self._exit

    def signal(self, signum: int) -> None:
        """Send a signal to the first process; the engine refuses for one that has ended, which is fine."""
        with engine_errors("", "signalled"), gone_is_fine():
            self._engine.api.kill(self._container, signal=signum)

    def address(self, port: int) -> tuple[str, int]:
        """The container's own address, or where the port is published. Raises NotSupported where it cannot be reached."""
        with engine_errors("", "looked up"):
            settings = self._engine.api.inspect_container(self._container)["NetworkSettings"]
        for published in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
            return str(published["HostIp"]), int(published["HostPort"])
        networks = settings["Networks"].values()
        host = next((network["IPAddress"] for network in networks if network["IPAddress"]), None)
        if host is None:
            raise NotSupported(f"Reaching port {port} of a job without a network", "Turn its network isolation off.")
        return host, port

    def remove(self) -> None:
        """Kill the container, let its log and its files be settled, remove it and its volumes."""
        if not self._ended.is_set():
            self.signal(signal.SIGKILL)
            self._ended.wait()
        with engine_errors("", "removed"):
            self._engine.remove(self._container)

    def _follow(self, output: AbstractContextManager[Iterable[bytes]], log_file: Path) -> None:
        try:
            with engine_errors("", "followed"):
                with output as pieces, log_file.open("wb", buffering=0) as log:
                    for piece in pieces:
                        log.write(piece)
                self._engine.api.wait(self._container)
                ended = self._engine.api.inspect_container(self._container)
                self._settle_files(ended)
                self._exit = _job_exit(ended["State"])
        except BaseException as error:  # noqa: BLE001 - raised where the job is waited for
            self._trouble = error
        finally:
            self._ended.set()

    def _settle_files(self, ended: JSON) -> None:
        """Give what the container wrote to the user."""
        written = [
            Mount(host_dir=Path(m["Source"]), container_dir=PurePosixPath(m["Destination"]), access=Access.WRITABLE)
            for m in ended["Mounts"]
            if m["Type"] == "bind" and m["RW"]
        ]
        if not self._engine.reclaim([*(mount.host_dir for mount in written), self._scratch], ended["Image"]):
            rewrite_owner(self._engine.api, self._container, written, self._scratch)


def _job_exit(state: JSON) -> JobExit:
    """How the container ended, from the engine's State."""
    code = int(state["ExitCode"])
    return JobExit(exit_code=code, out_of_memory=code == _KILLED and bool(state["OOMKilled"]), message=state["Error"])
