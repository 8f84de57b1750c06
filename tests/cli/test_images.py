"""Where an image URI leads, and building stand-ins, as the command line tells it."""

from __future__ import annotations

from pathlib import Path

from commands import Cli


def test_a_uri_without_a_mapping_is_answered_with_how_to_map_it(cli: Cli, place: Path) -> None:
    ended = cli("images", "map", "team/my-image:1")
    assert "none: localpipe has no stand-in for this repository." in ended.out
    assert ended.out.endswith(
        'To map it to an image of your own, in localpipe.toml:\n[images]\n"team/my-image:1" = "my-image:tag"\n'
    )


def test_a_mapped_uri_is_answered_with_what_it_is_mapped_to(cli: Cli, place: Path) -> None:
    (place / "localpipe.toml").write_text('[images]\n"*/my-image:*" = "mine:2"\n')
    ended = cli("images", "map", "team/my-image:1")
    assert "none: [images] in localpipe.toml maps it to mine:2, which is " in ended.out
    assert ended.out.endswith("\nlocalpipe.toml maps it to mine:2.\n")


def test_a_name_of_no_stand_in_is_refused_with_the_near_ones(cli: Cli) -> None:
    ended = cli("images", "build", "scikit-lern")
    assert ended.status == 2
    assert ended.err.startswith("Error: There is no stand-in image 'scikit-lern'. Did you mean 'scikit-learn'")
