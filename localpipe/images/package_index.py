"""The package index that jobs are served: this machine's own, read with its settings, and what came of it before.

A job's pip then needs no certificate, proxy or password of this machine, and finds again without a network what an earlier
job had. Only what the index itself sent is kept, checked against the digest on its page: a job can put nothing there.
Why so: docs/decisions/0020-pip-in-a-job-asks-localpipe.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, urlsplit

import requests

from localpipe.core.package_file import PackageFile
from localpipe.images.index_pages import FileLink, normalized, read_page, write_page
from localpipe.images.wheels import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localpipe.images.index_settings import IndexSettings

_SECONDS = (5.0, 60.0)
"""To connect, and between two pieces of an answer."""
_BLOCK_BYTES = 1 << 16
_METADATA = ".metadata"
_NO_DIGEST = "-"
_NOT_THERE = (403, 404, 410)
_SECRET_PARTS = re.compile(r"(?<=//)\S*@|\?[^\s)]*")
"""Of a URL in a sentence: its login and its query, which may be a signature."""


class NoSuchPackage(LookupError):
    """Neither the index nor what was kept has it. The message says why."""


class PackageIndex:
    """Any thread may ask. Mutable: holds one session and reads pip's settings when first asked.

    `directory`: where pages and files are kept, the same for all homes of a user. `secret` signs the links, so that a job
    can fetch nothing but what a page lists.
    """

    def __init__(self, directory: Path, settings: Callable[[], IndexSettings], secret: str) -> None:
        self._directory, self._settings_of, self._secret = directory, settings, secret.encode()

    def page(self, project: str) -> str:
        """The project's page, from all indexes; the one kept if one does not answer. Raises NoSuchPackage."""
        try:
            name = normalized(project)
        except ValueError as error:
            raise NoSuchPackage(str(error)) from None
        kept = self._directory / "pages" / digest(*self._settings.indexes) / f"{name}.html"
        try:
            links = self._links(name)
        except requests.RequestException as error:
            if not kept.exists():
                reason = f"the index does not answer, and no job has asked for it before ({_told(error)})"
                raise NoSuchPackage(f"{name}: {reason}.") from None
            return write_page(read_page(kept.read_text(), ""), self._href)
        if not links:
            raise NoSuchPackage(f"{name}: no index of this machine's pip has it.")
        with _kept_whole(kept) as file:
            file.write(write_page(links, lambda link: link.url).encode())
        return write_page(links, self._href)

    def file(self, signature: str, place: str, sha256: str, filename: str) -> PackageFile:
        """A file by the parts of its link on a page; `filename` may have `.metadata` behind it. Raises NoSuchPackage."""
        url = _decoded(place)
        if not hmac.compare_digest(signature, self._sign(f"{url} {sha256}")):
            raise NoSuchPackage("That link is on no page of this index.")
        if filename.endswith(_METADATA):
            url, sha256 = url + _METADATA, _NO_DIGEST
        kept = self._directory / "files" / digest(url) / sha256
        if kept.exists():
            return PackageFile(path=kept)
        try:
            answer = self._get(url, stream=True)
            if not answer.ok:
                answer.close()
            answer.raise_for_status()
        except requests.RequestException as error:
            raise NoSuchPackage(f"{filename}: {_told(error)}") from None
        size = answer.headers.get("Content-Length")
        return PackageFile(blocks=_keeping(answer, kept, sha256), size=int(size) if size else None)

    def _links(self, name: str) -> list[FileLink]:
        """The files of all indexes; one may not have the project. Raises RequestException if one does not answer."""
        found: list[FileLink] = []
        for index in self._settings.indexes:
            answer = self._get(f"{index}/{name}/", stream=False)
            if answer.status_code not in _NOT_THERE:
                answer.raise_for_status()
                found += read_page(answer.text, _without_login(answer.url))
        return found

    def _get(self, url: str, *, stream: bool) -> requests.Response:
        settings = self._settings
        trusted = {urlsplit(url).hostname, urlsplit(url).netloc} & settings.trusted_hosts
        return self._session.get(
            self._with_login(url),
            headers={"Accept": "text/html, */*;q=0.1", "Accept-Encoding": "identity"},
            timeout=_SECONDS,
            stream=stream,
            verify=False if trusted else settings.certificates or True,
            cert=settings.client_certificate,
            proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
        )

    def _with_login(self, url: str) -> str:
        """The URL with user and password where it is on the host of an index that is given with them."""
        parts = urlsplit(url)
        known = (urlsplit(index).netloc for index in self._settings.indexes)
        login = next((netloc for netloc in known if "@" in netloc and netloc.rpartition("@")[2] == parts.netloc), None)
        return parts._replace(netloc=login).geturl() if login else url

    def _href(self, link: FileLink) -> str:
        place = base64.urlsafe_b64encode(link.url.encode()).decode()
        sha256 = link.fragment.removeprefix("sha256=") if link.fragment.startswith("sha256=") else _NO_DIGEST
        return f"../../files/{self._sign(f'{link.url} {sha256}')}/{place}/{sha256}/{quote(link.filename)}"

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    @cached_property
    def _settings(self) -> IndexSettings:
        return self._settings_of()

    @cached_property
    def _session(self) -> requests.Session:
        return requests.Session()


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _told(error: requests.RequestException) -> str:
    """What kept an index from answering, for a job to read: without what leads into it."""
    return _SECRET_PARTS.sub("", str(error))


def _decoded(place: str) -> str:
    try:
        return base64.urlsafe_b64decode(place).decode()
    except ValueError:
        return ""


def _keeping(answer: requests.Response, kept: Path, sha256: str) -> Iterator[bytes]:
    """Yield a file as it comes; keep it if it is whole and has the digest that its page gave, where that gave one."""
    found = hashlib.sha256()
    with answer, _kept_whole(kept) as file:
        for block in answer.iter_content(_BLOCK_BYTES):
            found.update(block)
            file.write(block)
            yield block
        if sha256 not in (_NO_DIGEST, found.hexdigest()):
            raise requests.RequestException(f"{kept}: it is not the file that its page tells of")


@contextmanager
def _kept_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that gets its name at the end of the block, unless that is left by an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with new.open("wb") as file:
            yield file
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
