"""Wheels for the stand-ins: downloaded by pip for the image's Python, or made here where a project publishes only source.

A downloaded set lies in a folder named after its requirements and target; a marker file written last makes it valid, so a
second build needs no network.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uv

from localpipe.errors import RunnerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localpipe.images.families import PythonVersion

MARKER = ".complete"
CACHE_REMEDY = "Set XDG_CACHE_HOME to a directory that you can write."
_ERROR_LINES = 6
_MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_24", "manylinux_2_17", "manylinux2014")
_OLD_MANYLINUX = ("manylinux2010", "manylinux1")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE, _PROGRAM_MODE = 0o100644, 0o100755
_SOURCE_ONLY = (
    "inotify_simple",
    "pyspark",
    "sagemaker-containers",
    "sagemaker-inference",
    "sagemaker-pytorch-inference",
    "sagemaker-pytorch-training",
    "sagemaker-tensorflow-training",
    "sagemaker-training",
)
_GETHOSTNAME = b'"""Stands for the C helper that MPI runs preload; nothing else uses it, and the stand-ins have no MPI."""\n'
_CARRIED = {"pyspark": {"deps/bin/": "pyspark/bin/", "deps/jars/": "pyspark/jars/"}}
"""Package → folder of its source archive → where the wheel has it: what is more than Python."""
_PYTORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_MENDED = {
    "sagemaker_containers": (
        (b"collections.Mapping", b"collections.abc.Mapping"),
        (b"inspect.ArgSpec(", b'collections.namedtuple("ArgSpec", "args varargs keywords defaults")('),
        (b"import inspect\n", b"import collections\nimport inspect\n"),
        (b"sagemaker_containers.record_pb2", b"sagemaker_training.record_pb2"),
    )
}
"""Package → what stands for what in its sources: names that Python dropped since, and code that today's protobuf refuses."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the wheels must fit: a Python version and a machine as Linux calls it (`x86_64`, `aarch64`)."""

    python: PythonVersion
    machine: str


def is_source_only(requirement: str) -> bool:
    """Whether the project publishes no wheel, so that `source_wheels` makes it."""
    return requirement.partition("==")[0] in _SOURCE_ONLY


def wheel_folders(pins: Sequence[str], target: Target, cache: Path) -> tuple[Path, Path]:
    """The wheels of the pins, in two folders: made here, downloaded. Raises RunnerUnavailable with pip's last lines."""
    return source_wheels(pins, cache), wheelhouse([pin for pin in pins if not is_source_only(pin)], target, cache)


def wheelhouse(requirements: Sequence[str], target: Target, cache: Path) -> Path:
    """The folder with a wheel of each requirement (no dependencies), downloaded unless it is there already.

    Raises RunnerUnavailable with pip's last lines.
    """
    python = "".join(map(str, target.python))
    folder = cache / "wheels" / f"cp{python}-{target.machine}-{digest(*requirements)}"
    platforms = [f"--platform={name}_{target.machine}" for name in (*_MANYLINUX, *_OLD_MANYLINUX)]
    with filled(folder) as empty:
        if empty and requirements:
            options = ["--no-deps", "--only-binary=:all:", f"--python-version={python}", "--implementation=cp", *platforms]
            _pip("download", *options, "--dest", str(folder), *_pytorch_options(requirements), *requirements)
    return folder


def _pytorch_options(requirements: Sequence[str]) -> list[str]:
    """The index of CPU builds besides those of pip's configuration; without patience, since one of those may serve."""
    return [f"--extra-index-url={_PYTORCH_INDEX}", "--retries=1"] if any(map(is_from_pytorch, requirements)) else []


def is_from_pytorch(requirement: str) -> bool:
    """Whether its wheel is one of PyTorch's CPU builds: pip alone is asked for it, whose configuration may name a mirror."""
    return requirement.endswith("+cpu")


def source_wheels(pins: Sequence[str], cache: Path) -> Path:
    """The folder with the wheels of those pins that have none on the index; they fit any Python and machine.

    The sources are AWS's own. Left out is their C extension, a helper for MPI, so that no compiler is needed; mended is what
    keeps an old package from being imported at all. Raises RunnerUnavailable with pip's last lines.
    """
    wanted = sorted(pin for pin in pins if is_source_only(pin))
    folder = cache / "wheels" / f"source-{digest(*wanted, repr(_MENDED), repr(_CARRIED))}"
    with filled(folder) as empty, tempfile.TemporaryDirectory() as scratch:
        if empty:
            for pin in wanted:
                wheel_from_source(source_download(pin, Path(scratch) / pin), folder)
    return folder


def pure_download(requirement: str, folder: Path) -> Path:
    """Download the wheel of a pure Python distribution into an empty folder. Raises RunnerUnavailable with pip's words."""
    _pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), requirement)
    return next(folder.glob("*.whl"))


def source_download(requirement: str, folder: Path) -> Path:
    """Download the source archive of a distribution into an empty folder. Raises RunnerUnavailable with pip's words."""
    _pip("download", "--no-deps", "--no-binary=:all:", "--dest", str(folder), requirement)
    return next(folder.glob("*.tar.gz"))


def pure_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes], scripts: Mapping[str, str]) -> Path:
    """Write a wheel of pure Python: `files` by their path in site-packages, console scripts as name → `module:function`.

    The same content gives the same bytes.
    """
    info = f"{name}-{version}.dist-info"
    entry_points = "".join(f"{script} = {function}\n" for script, function in scripts.items())
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: localpipe\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{entry_points}".encode(),
    }
    record = "".join(f"{path},sha256={_record_hash(data)},{len(data)}\n" for path, data in contents.items())
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**contents, f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = (_PROGRAM_MODE if data.startswith(b"#!") else _FILE_MODE) << 16
            archive.writestr(entry, data, zipfile.ZIP_STORED if path.endswith(".jar") else zipfile.ZIP_DEFLATED)
    return wheel


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file beside `path`, so that two processes never make the same thing at once.

    Raises RunnerUnavailable if nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("w")
    except OSError as error:
        raise RunnerUnavailable(f"The cache {path.parent} cannot be written: {error.strerror}.", CACHE_REMEDY) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def filled(folder: Path) -> Iterator[bool]:
    """Yield whether `folder` is to be filled; it exists, is empty then, and counts as filled if the block succeeds.

    A folder that a killed process left half filled is emptied first.
    """
    with locked(folder):
        complete = (folder / MARKER).exists()
        if not complete:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        yield not complete
        (folder / MARKER).touch()


def wheel_from_source(archive: Path, folder: Path) -> Path:
    """Write a wheel of an sdist into `folder`: its Python sources, in the root or in `src`, and what is `_CARRIED`."""
    root, version = _name_and_version(archive)
    carried = _CARRIED.get(root, {})
    files = source_files(archive, endings=(".py",), beginnings=tuple(carried))
    below_src = {name.removeprefix("src/"): data for name, data in files.items() if name.startswith("src/")}
    modules = below_src or {name: data for name, data in files.items() if name.partition("/")[0] in {root, f"{root}.py"}}
    for source, place in carried.items():
        modules |= {place + name.removeprefix(source): data for name, data in files.items() if name.startswith(source)}
    scripts = {}
    if root == "sagemaker_training":
        modules["gethostname.py"] = _GETHOSTNAME
        scripts["train"] = "sagemaker_training.cli.train:main"
    return pure_wheel(folder, root, version, {name: _mended(root, data) for name, data in modules.items()}, scripts)


def source_files(archive: Path, *, endings: tuple[str, ...] = (), beginnings: tuple[str, ...] = ()) -> dict[str, bytes]:
    """The files of an sdist whose path in it, without the folder that holds all, begins or ends so."""
    with tarfile.open(archive) as sdist:
        opened = ((member.name.partition("/")[2], sdist.extractfile(member)) for member in sdist)
        wanted = ((name, file) for name, file in opened if name.endswith(endings) or name.startswith(beginnings))
        return {name: file.read() for name, file in wanted if file}


def _mended(root: str, source: bytes) -> bytes:
    for old, new in _MENDED.get(root, ()):
        source = source.replace(old, new)
    return source


def _name_and_version(archive: Path) -> tuple[str, str]:
    name, _, version = archive.name.removesuffix(".tar.gz").rpartition("-")
    return re.sub(r"[-.]", "_", name), version


def run_uv(*arguments: str) -> None:
    """Run uv. Raises RunnerUnavailable with its last lines."""
    _run([uv.find_uv_bin(), "--quiet", "--no-progress", *arguments], "uv's index (UV_DEFAULT_INDEX)")


def _pip(*arguments: str) -> None:
    command = [*pip_command(), *arguments, "--quiet", "--disable-pip-version-check"]
    _run(command, "pip's configuration (PIP_INDEX_URL, PIP_PROXY)")


def pip_command() -> list[str]:
    """This Python's own pip; where it has none (a virtual environment made by uv), one that uv brings."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return [uv.find_uv_bin(), "tool", "run", "--quiet", "pip"]


def _run(command: Sequence[str], configuration: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        lines = "\n".join(f"  {line}" for line in outcome.stderr.strip().splitlines()[-_ERROR_LINES:])
        raise RunnerUnavailable(
            f"Python packages could not be had:\n{lines}\n", f"Check the network and {configuration}, then run it again."
        )


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def digest(*parts: str) -> str:
    """Eight hexadecimal digits that stand for some texts in this order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
