"""How pip of this machine reaches its package indexes: by configuration files and `PIP_` variables, as pip tells them."""

from __future__ import annotations

import ast
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localpipe.images.wheels import pip_command

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_INDEX = "https://pypi.org/simple"
_LINE = re.compile(r"(?P<section>[^=]+)\.(?P<key>[a-z-]+)=(?P<value>['\"].*)")
_SECTIONS = ("global", "install", ":env:")
"""Each before the next; other sections are other commands of pip's."""


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """`indexes`: URLs, the main one first. `certificates`: a bundle in place of the usual one, `client_certificate` and
    `proxy` likewise; None for pip's own default. `trusted_hosts`: whose certificates are not looked at.
    """

    indexes: tuple[str, ...] = (_DEFAULT_INDEX,)
    certificates: str | None = None
    client_certificate: str | None = None
    proxy: str | None = None
    trusted_hosts: frozenset[str] = frozenset()


def read_index_settings() -> IndexSettings:
    """What pip would use on this machine now; where pip cannot tell, its defaults."""
    command = [*pip_command(), "config", "list", "--disable-pip-version-check"]
    return parse_index_settings(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def parse_index_settings(listing: str) -> IndexSettings:
    """From the output of `pip config list`. Indexes that are directories of this machine are left out."""
    values = _values(listing)
    indexes = (values.get("index-url", _DEFAULT_INDEX), *values.get("extra-index-url", "").split())
    return IndexSettings(
        indexes=tuple(index.rstrip("/") for index in indexes if index.startswith(("https://", "http://"))),
        certificates=values.get("cert"),
        client_certificate=values.get("client-cert"),
        proxy=values.get("proxy"),
        trusted_hosts=frozenset(values.get("trusted-host", "").split()),
    )


def _values(listing: str) -> Mapping[str, str]:
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for match in filter(None, map(_LINE.fullmatch, listing.splitlines())):
        if match["section"] in found:
            found[match["section"]][match["key"]] = ast.literal_eval(match["value"])
    return {key: value for section in _SECTIONS for key, value in found[section].items()}
