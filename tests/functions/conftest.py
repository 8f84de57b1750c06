from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from called import Called


@pytest.fixture
def call(tmp_path: Path) -> Called:
    return Called(tmp_path)


@pytest.fixture
def zipped() -> Callable[..., bytes]:
    """An archive of files, name → text."""

    def pack(files: dict[str, str]) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return packed.getvalue()

    return pack
