from __future__ import annotations

import pytest

from localpipe.images.index_pages import normalized, read_page, write_page
from localpipe.images.index_settings import IndexSettings, parse_index_settings

PAGE = """<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4"></head><body>
<a href="https://files.example/ab/demo-1.0-py3-none-any.whl#sha256=00ff" data-requires-python="&gt;=3.8" rel="internal">x</a>
<a href="../../packages/demo%2B1.tar.gz" data-yanked="broken">y</a>
</body></html>"""


def test_links_are_made_absolute_and_keep_what_pip_needs() -> None:
    wheel, sdist = read_page(PAGE, "https://index.example/simple/demo/")
    assert (wheel.url, wheel.fragment) == ("https://files.example/ab/demo-1.0-py3-none-any.whl", "sha256=00ff")
    assert wheel.attributes == {"data-requires-python": ">=3.8"}
    assert (sdist.url, sdist.fragment) == ("https://index.example/packages/demo%2B1.tar.gz", "")
    assert (sdist.filename, sdist.attributes) == ("demo+1.tar.gz", {"data-yanked": "broken"})


def test_a_page_written_is_read_again_the_same() -> None:
    links = read_page(PAGE, "https://index.example/simple/demo/")
    assert read_page(write_page(links, lambda link: link.url), "") == links


def test_project_names_are_normalized_and_others_refused() -> None:
    assert normalized("Foo.Bar__baz") == "foo-bar-baz"
    with pytest.raises(ValueError, match=r"'\.\.' cannot be the name of a project"):
        normalized("..")


def test_variables_win_over_files_and_install_over_global() -> None:
    listing = (
        "global.index-url='https://global.example/simple'\n"
        "install.index-url='https://install.example/simple/'\n"
        "download.index-url='https://download.example/simple'\n"
        "global.extra-index-url='\\nhttps://a.example/simple\\nfile:///wheels'\n"
        ":env:.trusted-host='a.example b.example:8080'\n"
        "global.cert='/etc/company.pem'\n"
    )
    assert parse_index_settings(listing) == IndexSettings(
        indexes=("https://install.example/simple", "https://a.example/simple"),
        certificates="/etc/company.pem",
        trusted_hosts=frozenset({"a.example", "b.example:8080"}),
    )


def test_without_configuration_it_is_the_public_index() -> None:
    assert parse_index_settings("") == IndexSettings(indexes=("https://pypi.org/simple",))
