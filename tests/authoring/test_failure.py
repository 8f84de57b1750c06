"""What is told of a script's error: whether the SDK could not be imported, or failed at what it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpipe.authoring.localpipe_launcher.failure import failure

CALLED = "def call():\n    {raising}\n"
ATTRIBUTE, IMPORT = "str().no_such_attribute", "raise ImportError('cannot import name')"


def told_of(tmp_path: Path, sdk: str, script: str) -> bool:
    """Whether the SDK is said not to be importable. The script loads a file of the SDK by `load`, and may call into it."""
    sdk_file = tmp_path / "site-packages" / "sagemaker" / "session.py"
    names = {"code": compile(sdk, str(sdk_file), "exec"), "sdk": {}}
    with pytest.raises((AttributeError, ImportError)) as raised:
        exec(compile(script, str(tmp_path / "pipeline.py"), "exec"), names)  # noqa: S102 - frames as of a script
    return bool(failure(raised.value)["sdk_import_failed"])


@pytest.mark.parametrize("raising", [ATTRIBUTE, IMPORT])
def test_what_fails_while_the_sdk_is_loaded_is_its_import(tmp_path: Path, raising: str) -> None:
    assert told_of(tmp_path, raising, "exec(code, sdk)")
    assert told_of(tmp_path, f"{CALLED.format(raising=raising)}call()", "exec(code, sdk)")


def test_an_attribute_that_is_missing_when_the_sdk_is_called_is_no_import(tmp_path: Path) -> None:
    called = "exec(code, sdk)\nsdk['call']()"
    assert not told_of(tmp_path, CALLED.format(raising=ATTRIBUTE), called)
    assert told_of(tmp_path, CALLED.format(raising=IMPORT), called)


def test_what_fails_in_the_script_itself_is_no_import_of_the_sdk(tmp_path: Path) -> None:
    assert not told_of(tmp_path, "", ATTRIBUTE)
    assert not told_of(tmp_path, "", IMPORT)
