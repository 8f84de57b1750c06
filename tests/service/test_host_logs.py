"""The logs of one host as they are, of several line by line."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from localpipe.service.host_logs import print_new, whole_text

if TYPE_CHECKING:
    from pathlib import Path


def new_text(logs: list[Path], printed: dict[str, int], *, ended: bool) -> bytes:
    out = io.BytesIO()
    print_new([str(log) for log in logs], printed, out, ended=ended)
    return out.getvalue()


def test_the_log_of_an_only_host_is_printed_as_it_is(tmp_path: Path) -> None:
    log, printed = tmp_path / "algo-1.log", dict[str, int]()
    log.write_bytes(b"one\r\nhal")
    assert new_text([log], printed, ended=False) == b"one\r\nhal"
    log.write_bytes(b"one\r\nhalf\xff")
    assert new_text([log], printed, ended=True) == b"f\xff"


def test_lines_of_several_hosts_begin_with_their_host_and_are_whole(tmp_path: Path) -> None:
    logs, printed = [tmp_path / "algo-1.log", tmp_path / "algo-2.log", tmp_path / "algo-3.log"], dict[str, int]()
    logs[0].write_bytes(b"a\nhal")
    logs[1].write_bytes(b"b\n")
    assert new_text(logs, printed, ended=False) == b"algo-1 | a\nalgo-2 | b\n"
    logs[0].write_bytes(b"a\nhalf")
    logs[2].write_bytes(b"late\n")
    assert new_text(logs, printed, ended=False) == b"algo-3 | late\n"
    assert new_text(logs, printed, ended=True) == b"algo-1 | half\n"


def test_all_of_the_logs_is_one_text(tmp_path: Path) -> None:
    logs = [tmp_path / "algo-1.log", tmp_path / "algo-2.log"]
    logs[0].write_bytes(b"a\r\nb\xff")
    assert whole_text([str(logs[0])]) == "a\r\nb\ufffd"
    assert whole_text([str(log) for log in logs]) == "algo-1 | a\r\nalgo-1 | b\ufffd\n"
