"""The local S3 that jobs reach: started when the first job needs it, at the same address again after a crash.

Its secret is made for one execution and means nothing elsewhere. It lies in the execution's directory, readable by the user
alone, while the execution runs, so that a resumed run serves the containers that still hold it; it is removed at the end.
"""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Protocol

from localpipe.errors import RunnerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localpipe.core import JSON

_FILE = "endpoint.json"


class Serving(Protocol):
    """A server that answers on `port` until it is closed."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        ...

    def close(self) -> None:
        """Stop answering."""
        ...


class JobEndpoint:
    """Serves S3 to the jobs of one execution. Any thread may ask for `environment`; `close` comes last.

    `serve` starts a server for a secret on a port (0: any free one). `url_host` is this machine as jobs see it.
    Mutable: holds the running server.
    """

    def __init__(self, execution_dir: Path, region: str, url_host: str, serve: Callable[[str, int], Serving]) -> None:
        self._file = execution_dir / _FILE
        self._region, self._url_host, self._serve = region, url_host, serve
        self._lock = threading.Lock()
        self._server: Serving | None = None
        self._secret = ""

    def environment(self, url_host: str = "") -> Mapping[str, str]:
        """The variables that lead boto3 and the AWS toolkits in a job to the local S3. Follows: containers.md 2.7.

        `url_host`: this machine as the reader knows it, empty for a job.
        """
        with self._lock:
            if self._server is None:
                self._start()
            assert self._server is not None  # noqa: S101 - set by _start
            url = f"http://{url_host or self._url_host}:{self._server.port}"
        return {
            "AWS_ENDPOINT_URL": url,
            "S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": self._secret,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def resume(self) -> None:
        """Serve again where a killed localpipe served, if it did."""
        if self._kept():
            self.environment()

    def close(self) -> None:
        """Stop serving and forget the secret."""
        with self._lock:
            if self._server:
                self._server.close()
                self._server = None
            self._file.unlink(missing_ok=True)

    def _start(self) -> None:
        """Serve at the address and under the secret of before; at another port where something else has taken that one.

        Jobs that still hold the old port then fail, and are run anew.
        """
        kept = self._kept()
        self._secret = kept["secret"] if kept else secrets.token_hex(16)
        try:
            self._server = self._serve(self._secret, kept["port"] if kept else 0)
        except RunnerUnavailable:
            if not kept:
                raise
            self._server = self._serve(self._secret, 0)
        new = self._file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps({"port": self._server.port, "secret": self._secret}))
        new.replace(self._file)

    def _kept(self) -> JSON:
        """Port and secret of before; None if there are none."""
        try:
            return json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return None
