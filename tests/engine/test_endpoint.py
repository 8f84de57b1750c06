"""The local S3 of an execution: one address and one secret for its life, also over a crash."""

from __future__ import annotations

import json
from pathlib import Path

from localpipe.engine.endpoint import JobEndpoint
from localpipe.errors import RunnerUnavailable


class Listening:
    """A server that stands on a port; `taken` ports cannot be had."""

    def __init__(self, taken: set[int]) -> None:
        self.taken, self.open, self.port = taken, False, 0
        self.secret = ""

    def serve(self, secret: str, port: int) -> Listening:
        if port in self.taken:
            raise RunnerUnavailable(f"port {port} is taken", "")
        self.secret, self.port, self.open = secret, port or 4000, True
        return self

    def close(self) -> None:
        self.open = False


def endpoint(directory: Path, server: Listening) -> JobEndpoint:
    return JobEndpoint(directory, "eu-west-1", "172.17.0.1", server.serve)


def test_it_serves_only_when_a_job_asks_and_leaves_no_secret_behind(tmp_path: Path) -> None:
    server = Listening(set())
    served = endpoint(tmp_path, server)
    served.resume()
    assert not server.open
    variables = served.environment()
    assert variables["AWS_ENDPOINT_URL"] == "http://172.17.0.1:4000"
    assert variables["AWS_ACCESS_KEY_ID"] == server.secret
    kept = next(tmp_path.iterdir())
    assert kept.stat().st_mode & 0o077 == 0
    served.close()
    assert not server.open
    assert list(tmp_path.iterdir()) == []


def test_after_a_crash_it_serves_at_the_same_address_under_the_same_secret(tmp_path: Path) -> None:
    before = dict(endpoint(tmp_path, Listening(set())).environment())
    server = Listening(set())
    again = endpoint(tmp_path, server)
    again.resume()
    assert server.open
    assert dict(again.environment()) == before


def test_a_port_that_is_taken_by_now_is_given_up(tmp_path: Path) -> None:
    endpoint(tmp_path, Listening(set())).environment()
    (tmp_path / "endpoint.json").write_text(json.dumps({"port": 9999, "secret": "s"}))
    server = Listening({9999})
    assert endpoint(tmp_path, server).environment()["AWS_ENDPOINT_URL"] == "http://172.17.0.1:4000"
    assert server.secret == "s"


def test_a_file_cut_short_by_the_crash_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "endpoint.json").write_text("")
    server = Listening(set())
    endpoint(tmp_path, server).resume()
    assert not server.open
