"""PURE: the pages of a package index: the files of one project, read from one index and written for another.

Follows: Python packaging specifications, "Simple repository API" (HTML).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_KEPT_ATTRIBUTES = ("data-requires-python", "data-yanked", "data-core-metadata", "data-dist-info-metadata")


@dataclass(frozen=True, kw_only=True)
class FileLink:
    """A file of a project. `fragment`: its digest, `sha256=...`, empty where the index gives none.

    `attributes`: what the page says of it besides.
    """

    url: str
    fragment: str
    attributes: Mapping[str, str]

    @property
    def filename(self) -> str:
        """The last part of the URL's path."""
        return unquote(urlsplit(self.url).path.rpartition("/")[2])


def normalized(project: str) -> str:
    """`Foo.Bar_baz` → `foo-bar-baz`. Raises ValueError for what cannot be a project's name."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", project):
        raise ValueError(f"{project!r} cannot be the name of a project")
    return re.sub(r"[-_.]+", "-", project).lower()


def read_page(html: str, page_url: str) -> tuple[FileLink, ...]:
    """The files that a project's page at a URL lists."""
    reader = _Reader(page_url)
    reader.feed(html)
    return tuple(reader.links)


def write_page(links: Iterable[FileLink], href: Callable[[FileLink], str]) -> str:
    """A page with the links in the same order, each at the place that `href` gives it."""
    return "<!DOCTYPE html><html><body>\n" + "".join(_anchor(link, href(link)) for link in links) + "</body></html>\n"


def _anchor(link: FileLink, href: str) -> str:
    target = f"{href}#{link.fragment}" if link.fragment else href
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in link.attributes.items())
    return f'<a href="{escape(target)}"{attributes}>{escape(link.filename)}</a><br>\n'


class _Reader(HTMLParser):
    """Mutable: collects the links as it is fed."""

    def __init__(self, page_url: str) -> None:
        super().__init__()
        self._base = page_url
        self.links: list[FileLink] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self._base = urljoin(self._base, given["href"])
        elif tag == "a" and given.get("href"):
            url, fragment = urldefrag(urljoin(self._base, given["href"]))
            kept = {name: given[name] for name in _KEPT_ATTRIBUTES if name in given}
            self.links.append(FileLink(url=url, fragment=fragment, attributes=kept))
