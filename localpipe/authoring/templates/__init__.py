"""The small pipelines that `localpipe init` writes."""

from __future__ import annotations

from pathlib import Path

from localpipe.errors import UsageError

_TEMPLATES = Path(__file__).parent
_SUFFIX = ".template"


def write_template(directory: Path, sdk: str) -> tuple[Path, ...]:
    """Write the template for an SDK version (`v2`, `v3`) into a directory, made if need be; return the files, sorted.

    Raises UsageError, before anything is written, if one of the files is there already or the directory cannot be one.
    """
    source = _TEMPLATES / sdk
    texts = {
        directory / template.relative_to(source).with_suffix(""): template.read_text(encoding="utf-8")
        for template in sorted(source.rglob(f"*{_SUFFIX}"))
    }
    there = [path for path in texts if path.exists()]
    if there:
        raise UsageError(
            f"{there[0]} is there already, and nothing is overwritten. Name another directory, or move it away."
        )
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The template cannot be written to {directory}: {error.strerror}.") from error
    return tuple(texts)
