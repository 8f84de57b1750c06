from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from starlette.responses import PlainTextResponse

from localpipe.images.index_settings import IndexSettings
from localpipe.images.package_index import NoSuchPackage, PackageIndex
from localpipe.images.wheels import pure_wheel
from localpipe.server.http import serve
from localpipe.server.package_address import index_environment
from localpipe.server.packages import packages_app

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

FILE = "demo-1-py3-none-any.whl"
SECRET = "of-this-run"


class Upstream:
    """An index on the network. `asked`: the paths that were asked for, with their credentials. `broken`: path → status."""

    def __init__(self, folder: Path, sha256: str = "") -> None:
        self.wheel = pure_wheel(folder, "demo", "1", {"demo.py": b"x = 1\n"}, {}).read_bytes()
        digest = sha256 or hashlib.sha256(self.wheel).hexdigest()
        page = f'<a href="/files/{FILE}#sha256={digest}">{FILE}</a>'.encode()
        self.answers = {"/simple/demo/": page, f"/files/{FILE}": self.wheel}
        self.asked: list[tuple[str, bytes]] = []
        self.broken: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append((scope["path"], dict(scope["headers"]).get(b"authorization", b"")))
        body = self.answers.get(scope["path"])
        status = self.broken.get(scope["path"], 404 if body is None else 200)
        answer = PlainTextResponse(body if status == 200 else "", status, media_type="text/html")
        await answer(scope, receive, send)


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("the local S3")(scope, receive, send)


def pip_install(index: PackageIndex, target: Path) -> subprocess.CompletedProcess[str]:
    with serve(packages_app(lambda: index, SECRET, _nothing_else), "127.0.0.1") as server:
        leading = {"AWS_ENDPOINT_URL": server.url, "AWS_SECRET_ACCESS_KEY": SECRET}
        environment = {**index_environment(leading), "PIP_CONFIG_FILE": "/dev/null"}
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--no-deps"]
        return subprocess.run(
            [*command, "--target", str(target), "demo"], env=environment, capture_output=True, text=True, check=False
        )


def index_of(cache: Path, url: str, secret: str = "one") -> PackageIndex:  # noqa: S107 - signs links in this test
    return PackageIndex(cache, lambda: IndexSettings(indexes=(f"{url}/simple",)), secret)


def test_pip_in_a_job_installs_what_the_host_s_index_has_and_again_without_a_network(tmp_path: Path) -> None:
    with serve(Upstream(tmp_path), "127.0.0.1") as upstream:
        online = pip_install(index_of(tmp_path / "cache", upstream.url), tmp_path / "first")
    assert online.returncode == 0, online.stderr
    offline = pip_install(index_of(tmp_path / "cache", upstream.url, "another"), tmp_path / "second")
    assert offline.returncode == 0, offline.stderr
    assert (tmp_path / "second" / "demo.py").read_text() == "x = 1\n"


def test_a_file_that_is_not_what_its_page_says_is_not_kept(tmp_path: Path) -> None:
    with serve(Upstream(tmp_path, sha256="0" * 64), "127.0.0.1") as upstream:
        outcome = pip_install(index_of(tmp_path / "cache", upstream.url), tmp_path / "target")
    assert outcome.returncode == 1
    assert not [path for path in (tmp_path / "cache" / "files").rglob("*") if path.is_file()]


def test_the_login_of_an_index_stays_on_the_host(tmp_path: Path) -> None:
    upstream = Upstream(tmp_path)
    with serve(upstream, "127.0.0.1") as server:
        index = index_of(tmp_path / "cache", server.url.replace("//", "//user:word@"))
        page = index.page("Demo")
        parts = re.search(r'href="../../files/([^#"]*)', page)
        assert parts
        list(index.file(*parts[1].split("/")).blocks or ())
    assert {login for _, login in upstream.asked} == {b"Basic dXNlcjp3b3Jk"}
    kept = "".join(path.read_text() for path in (tmp_path / "cache" / "pages").rglob("*.html"))
    assert "word" not in page + kept


@pytest.mark.parametrize(("status", "reason"), [(401, "401 Client Error: Unauthorized"), (500, "500 Server Error")])
def test_what_an_index_refuses_is_told_without_its_login(tmp_path: Path, status: int, reason: str) -> None:
    upstream = Upstream(tmp_path)
    with serve(upstream, "127.0.0.1") as server:
        index = index_of(tmp_path / "cache", server.url.replace("//", "//user:p@ss@word@"))
        found = re.search(r'href="../../files/([^#"]*)', index.page("demo"))
        assert found
        upstream.broken = {f"/files/{FILE}": status, "/simple/other/": status}
        with pytest.raises(NoSuchPackage) as refused_file:
            index.file(*found[1].split("/"))
        with pytest.raises(NoSuchPackage) as refused_page:
            index.page("other")
    for refused in (refused_file, refused_page):
        assert reason in str(refused.value)
        assert "user" not in str(refused.value)
        assert "ss@" not in str(refused.value)
        assert "word" not in str(refused.value)


@pytest.mark.parametrize("auth", [None, ("localpipe", "another")])
@pytest.mark.parametrize("path", ["simple/demo/", "files/a/b/c/d"])
def test_who_has_not_the_secret_of_the_execution_is_sent_nothing(
    tmp_path: Path, auth: tuple[str, str] | None, path: str
) -> None:
    upstream = Upstream(tmp_path)
    with serve(upstream, "127.0.0.1") as server:
        app = packages_app(lambda: index_of(tmp_path / "cache", server.url), SECRET, _nothing_else)
        with serve(app, "127.0.0.1") as ours:
            answer = requests.get(f"{ours.url}/-/packages/{path}", auth=auth, timeout=5)
    assert (answer.status_code, answer.text) == (401, "The package index is for the jobs of one execution.")
    assert upstream.asked == []


def test_a_job_can_fetch_nothing_but_what_a_page_lists(tmp_path: Path) -> None:
    index = index_of(tmp_path, "https://index.example")
    with pytest.raises(NoSuchPackage, match="That link is on no page of this index"):
        index.file("0" * 32, "aHR0cHM6Ly9leGFtcGxlLmNvbQ==", "-", "x.whl")


def test_what_was_never_asked_for_is_not_there_without_a_network(tmp_path: Path) -> None:
    index = index_of(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(NoSuchPackage, match="demo: the index does not answer, and no job has asked for it before"):
        index.page("demo")


def test_other_paths_are_the_local_s3_s(tmp_path: Path) -> None:
    app = packages_app(lambda: index_of(tmp_path, "http://127.0.0.1:1"), SECRET, _nothing_else)
    with serve(app, "127.0.0.1") as server:
        assert requests.get(f"{server.url}/bucket/key", timeout=5).text == "the local S3"
