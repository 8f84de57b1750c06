"""Training on several hosts: they find each other by XGBoost's tracker, which runs on the first of them.

AWS's names are those of Rabit, the library that XGBoost's `collective` was called before.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from localpipe_xgboost.errors import UserError

try:
    from xgboost import collective
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker
except ImportError:  # of the exact versions, those before 1.7
    collective = None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

_FIRST_PORT = 9099
_FIND_SECONDS = 900
_AGAIN_SECONDS = 0.2
_LOGGER = logging.getLogger(__name__)
_Result = TypeVar("_Result")


def wait_hostname_resolution(sm_hosts: Iterable[str]) -> None:
    """Return when every host's name resolves. Raises OSError when one has not for a quarter of an hour."""
    for host in sm_hosts:
        _address(host)


def rabit_run(  # noqa: PLR0917 - AWS's signature
    exec_fun: Callable[..., None],
    args: dict[str, Any],
    include_in_training: bool,  # noqa: FBT001 - AWS's signature
    hosts: Sequence[str],
    current_host: str,
    first_port: int | None = None,
    second_port: int | None = None,
    update_rabit_args: bool = False,  # noqa: FBT001, FBT002 - AWS's signature
) -> None:
    """Call `exec_fun(**args)` on the hosts that have data, joined into one training; the others leave with status 0.

    `update_rabit_args`: it also gets `is_master`, true on the host that is to save the model.
    """
    port = first_port or _FIRST_PORT
    with Rabit(hosts, current_host, port=port) as everybody:
        records = everybody.synchronize({"host": current_host, "include_in_training": include_in_training})
    trained_on = [record["host"] for record in records if record["include_in_training"]]
    if not trained_on:
        raise UserError("No hosts received training data.")
    if not include_in_training:
        _LOGGER.warning("Host %s not being used for distributed training.", current_host)
        sys.exit(0)
    with Rabit(trained_on, current_host, port=second_port or port + 1) as cluster:
        exec_fun(**args, **({"is_master": cluster.is_master} if update_rabit_args else {}))


@dataclass(frozen=True)
class RabitHelper:
    """One host among those that are joined. `rank` counts from 0; the tracker gave it."""

    is_master: bool
    current_host: str
    master_port: int
    rank: int

    def synchronize(self, data: object) -> list[Any]:
        """What every host gave, in the order of their ranks. Each must call it."""
        mine, world = self.rank, collective.get_world_size()
        return [collective.broadcast(data if rank == mine else None, rank) for rank in range(world)]


class Rabit:
    """Joins the hosts while the block runs. A single host needs nobody."""

    def __init__(  # noqa: PLR0917 - AWS's signature
        self,
        hosts: Sequence[str],
        current_host: str | None = None,
        master_host: str | None = None,
        port: int | None = None,
        max_connect_attempts: int | None = None,
        connect_retry_timeout: int | None = None,
    ) -> None:
        """`master_host` None: the first in the order of names. The last two arguments are AWS's and without effect."""
        del max_connect_attempts, connect_retry_timeout
        self._hosts = sorted(hosts)
        self._current = current_host or "127.0.0.1"
        self._master = master_host or self._hosts[0]
        self._port = port or _FIRST_PORT
        self._tracker: RabitTracker | None = None

    def start(self) -> RabitHelper:
        """Join. Raises UserError where XGBoost is older than its `collective`."""
        is_master = self._current == self._master
        rank = self._joined(is_master=is_master) if len(self._hosts) > 1 else 0
        return RabitHelper(is_master=is_master, current_host=self._current, master_port=self._port, rank=rank)

    def stop(self) -> None:
        """Leave; on the master, when all others have left."""
        if len(self._hosts) > 1:
            collective.finalize()
        if self._tracker is not None:
            self._tracker.wait_for(_FIND_SECONDS)

    def _joined(self, *, is_master: bool) -> int:
        if collective is None:
            raise UserError("This version of XGBoost is too old for several hosts: leave out the setting `xgboost_exact`.")
        address = _address(self._master)
        if is_master:
            self._tracker = RabitTracker(n_workers=len(self._hosts), host_ip=address, port=self._port, sortby="task")
            self._tracker.start()
        _patiently(
            lambda: collective.init(
                dmlc_communicator="rabit",
                dmlc_tracker_uri=address,
                dmlc_tracker_port=self._port,
                dmlc_task_id=f"{self._hosts.index(self._current):06}",
                dmlc_retry=1,  # XGBoost would wait two seconds, then four, six, ...
            ),
            XGBoostError,
        )
        return int(collective.get_rank())

    def __enter__(self) -> RabitHelper:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()


def _address(host: str) -> str:
    return _patiently(lambda: socket.gethostbyname(host), OSError)


def _patiently(attempt: Callable[[], _Result], failure: type[Exception]) -> _Result:
    """What the attempt returns once it no longer fails: the other hosts start in their own time."""
    until = time.monotonic() + _FIND_SECONDS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            try:
                return attempt()
            except failure:
                if time.monotonic() > until:
                    raise
            time.sleep(_AGAIN_SECONDS)
