"""`s3` where it is part of a shell pipeline, and on a disk that is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import Cli


def piped(place: Path, *arguments: str, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "localpipe", "s3", *arguments]
    return subprocess.run(command, cwd=place, input=sent, capture_output=True, check=False)


def test_a_minus_is_standard_input_and_standard_output(cli: Cli, place: Path) -> None:
    sent = piped(place, "cp", "-", "s3://bucket/piped", sent=b"\x00bytes")
    assert (sent.returncode, sent.stdout, sent.stderr.decode()) == (0, b"", "- → s3://bucket/piped\n")
    got = piped(place, "cp", "s3://bucket/piped", "-", sent=b"")
    assert (got.returncode, got.stdout, got.stderr) == (0, b"\x00bytes", b"")
    assert not (place / "-").exists()
    refused = cli("s3", "cp", "--recursive", "s3://bucket/", "-")
    assert (refused.status, refused.err) == (2, "Error: - is one file: leave --recursive out.\n")


def test_a_key_with_a_line_feed_takes_one_line(cli: Cli, place: Path) -> None:
    piped(place, "cp", "-", "s3://bucket/a\nb", sent=b"")
    piped(place, "cp", "-", "s3://bucket/c", sent=b"")
    assert cli("s3", "ls", "s3://bucket/").out == "s3://bucket/a%0Ab\ns3://bucket/c\n"
    assert [line.split()[-1] for line in cli("s3", "ls", "-l", "s3://bucket/").out.splitlines()] == [
        "s3://bucket/a%0Ab",
        "s3://bucket/c",
    ]
    assert cli("s3", "cat", "s3://bucket/a\nb").status == 0


@pytest.mark.sandbox
def test_a_full_home_is_named_and_not_the_file_that_did_not_fit(place: Path) -> None:
    (place / "large.bin").write_bytes(bytes(1024 * 1024))
    (place / "full").mkdir()
    script = 'mount -t tmpfs -o size=256k none full && exec "$0" -m localpipe s3 --home full cp large.bin s3://bucket/large'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable]
    ended = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert f"The local S3 cannot use {place}/full/s3/.meta/scratch/" in ended.stderr
    assert "No space left on device" in ended.stderr
