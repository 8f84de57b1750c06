from __future__ import annotations

from pathlib import Path

import pytest

from localpipe.core.functions import function_from_settings
from localpipe.functions.code import code_digest
from localpipe.functions.imports import with_imported


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of handlers, one of which imports modules and a package from beside it."""
    files = {
        "handlers/notify.py": "import json, texts\ndef handler(event, context):\n    from company.mail import send\n",
        "handlers/texts.py": "from words import HELLO\n",
        "handlers/words.py": "HELLO = 1\n",
        "handlers/company/__init__.py": "from .mail import send\n",
        "handlers/company/mail.py": "import notify\n",
        "handlers/other.py": "def handler(event, context): pass\n",
        "broken.py": "def (",
    }
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    return tmp_path


def test_what_a_file_imports_from_beside_it_is_found_through_all_of_it(project: Path) -> None:
    handlers = project / "handlers"
    found = list(with_imported([handlers / "notify.py"], handlers))
    assert sorted(str(file.relative_to(handlers)) for file in found) == [
        *("company/__init__.py", "company/mail.py", "notify.py", "texts.py", "words.py")
    ]


def test_what_is_broken_or_not_there_imports_nothing(project: Path) -> None:
    broken = project / "broken.py"
    assert list(with_imported([broken, project / "absent.py"], project)) == [broken]


@pytest.mark.parametrize("handler", ["handlers/notify.py:handler", "handlers/notify:handler", "handlers.notify:handler"])
def test_a_change_of_what_the_handler_imports_changes_the_digest(project: Path, handler: str) -> None:
    function = function_from_settings(handler, project.joinpath)
    before = code_digest(function, project / "runs")
    (project / "broken.py").write_text("never imported")
    assert code_digest(function, project / "runs") == before
    (project / "handlers" / "texts.py").write_text("from words import HELLO as hello\n")
    assert code_digest(function, project / "runs") != before
