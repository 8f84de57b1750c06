"""The wheel of jars that PyPI has only inside the source archive of a distribution."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.images.wheels import filled, pure_wheel, source_download, source_files

if TYPE_CHECKING:
    from localpipe.images.spark_jars import Jars

_FOLDER = "deps/jars/"


def jars_wheel(jars: Jars, cache: Path) -> Path:
    """The wheel of the jars, made once. Raises RunnerUnavailable with pip's last lines."""
    folder = cache / "wheels" / f"{jars.name}-{jars.version}"
    with filled(folder) as empty, tempfile.TemporaryDirectory() as scratch:
        if empty:
            wheel_of_jars(jars, source_download(jars.requirement, Path(scratch)), folder)
    return next(folder.glob("*.whl"))


def wheel_of_jars(jars: Jars, archive: Path, folder: Path) -> Path:
    """Write the wheel of the jars in a source archive into `folder`."""
    beginnings = tuple(_FOLDER + name for name in (*jars.whole, jars.cut))
    found = source_files(archive, beginnings=beginnings)
    cut = f"{_FOLDER}{jars.cut}"
    files = {
        f"pyspark/jars/{name.removeprefix(_FOLDER)}": _classes(data, jars.classes) if name.startswith(cut) else data
        for name, data in found.items()
    }
    return pure_wheel(folder, jars.name, jars.version, files, {})


def _classes(jar: bytes, below: str) -> bytes:
    """A jar of some classes of another."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(jar)) as whole, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as part:
        for entry in whole.infolist():
            if entry.filename.startswith(below):
                part.writestr(entry, whole.read(entry))
    return packed.getvalue()
