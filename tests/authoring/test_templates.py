from __future__ import annotations

from pathlib import Path

import pytest

from localpipe.authoring import write_template
from localpipe.errors import UsageError


@pytest.mark.parametrize("sdk", ["v2", "v3"])
def test_a_template_is_written_and_never_over_another_file(sdk: str, tmp_path: Path) -> None:
    files = write_template(tmp_path / "new", sdk)
    names = [str(path.relative_to(tmp_path / "new")) for path in files]
    assert names == ["README.md", "pipeline.py", "processing/prepare.py", "training/train.py"]
    files[1].write_text("mine")
    files[0].unlink()
    with pytest.raises(UsageError, match=r"pipeline\.py is there already, and nothing is overwritten"):
        write_template(tmp_path / "new", sdk)
    assert files[1].read_text() == "mine"
    assert not files[0].exists()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"The template cannot be written to .*file: File exists\."):
        write_template(tmp_path / "file", "v2")
