"""Print, as JSON, the tests that pytest collects from some files: name, value of `bench` (None without) and markers."""

from __future__ import annotations

import json
import sys

import pytest


class Collector:
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        print("COLLECTED", json.dumps([row(item) for item in session.items if isinstance(item, pytest.Function)]))


def row(item: pytest.Function) -> tuple[str, str | None, list[str]]:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    name = f"{item.path.relative_to(item.config.rootpath)}::{item.originalname}"
    return name, parameters.get("bench"), [marker.name for marker in item.iter_markers()]


if __name__ == "__main__":
    sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[Collector()]))
