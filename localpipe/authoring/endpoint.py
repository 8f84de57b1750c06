"""The private endpoint of one compilation, alive while it is needed."""

from __future__ import annotations

import secrets
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.authoring.localpipe_launcher.redirect import Endpoint
from localpipe.server.aws import authoring_services, aws_app
from localpipe.server.capture import PipelineCapture, no_history
from localpipe.server.functions import FunctionCapture
from localpipe.server.http import serve
from localpipe.server.s3 import s3_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpipe.core.names import Identity
    from localpipe.core.ports import ObjectStore
    from localpipe.server.capture import History

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """Where the author's clients talk to, what they told, and a directory that is removed at the end."""

    endpoint: Endpoint
    capture: PipelineCapture
    functions: FunctionCapture
    directory: Path


@contextmanager
def compilation(
    store: ObjectStore, identity: Identity, wanted: str | None = None, history: History = no_history
) -> Iterator[Compilation]:
    """Serve the endpoint on loopback, under a secret of this compilation, until the block ends.

    `wanted`, `history`: see `PipelineCapture`.
    """
    secret = secrets.token_hex(16)
    capture = PipelineCapture(store, identity, time.time(), wanted, history)
    functions = FunctionCapture(store, identity)
    services = authoring_services(identity, secret, capture.operations, functions)
    app = aws_app(s3_app(store, secret=secret, makes_buckets=True, region=identity.region), services)
    with serve(app, _LOOPBACK) as server, tempfile.TemporaryDirectory(prefix="localpipe-compile-") as directory:
        endpoint = Endpoint(url=server.url, access_key=secret, secret_key=secret, region=identity.region)
        yield Compilation(endpoint=endpoint, capture=capture, functions=functions, directory=Path(directory))
