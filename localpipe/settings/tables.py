"""The tables of `localpipe.toml`: what each may hold, as the values that the rest works with."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localpipe.core.functions import FUNCTION_ARN, Function, QueueCommand, function_from_settings, names_function
from localpipe.core.image_archive import ARCHIVE, archive_of
from localpipe.core.image_build import ImageBuild
from localpipe.core.jobspec import Limits
from localpipe.core.names import S3Uri
from localpipe.core.room import Room
from localpipe.errors import UsageError
from localpipe.machine import machine_limits
from localpipe.settings.file import refuse_unknown
from localpipe.settings.options import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.settings.file import SettingsFile

_FEWEST_SLOTS = 8
_GIB = 1 << 30
_ENFORCE = "enforce"
_SIGNS_OF_PATTERNS = "*?["
_SLOT_NUMBERS = ("cpus", "memory_gib", "gpus")

TABLES: Mapping[str, str] = {
    "s3.mounts": 'Local directories as bucket prefixes, read-only: "s3://company-data/raw" = "./data"',
    "images": 'Image URI patterns to local images: "*/my-image:*" = "my-image:dev", or to what is built before a run: '
    '{ build = "./docker" }, with `dockerfile`, `target` and `args` where they are needed, or to an archive of an image, '
    'for the sandbox runner: "oci:./image.tar"',
    "lambda": "The code of Lambda functions by name, ARN or pattern of them, with or without a version or alias: "
    '"notify" = "handlers/notify.py:handler", a file or, "package.module:handler", a module, also in a folder '
    '("src/package.module:handler"); or '
    '{ handler = "handlers/notify.py:handler", timeout = 60, '
    'environment = { KEY = "value" } }',
    "callback": "Commands that get the messages of Callback steps on standard input, by queue URL or pattern of them: "
    '"https://sqs.*/approvals" = "python approve.py"',
    "slots": "What the jobs of all your executions on this machine share: jobs = N run at once; of `cpus`, `memory_gib` and "
    "`gpus` each takes what its instance type has. GPUs count where there are some, processors and memory where they are "
    "given or `[instances] enforce` is true",
    "instances": "enforce = true: a container gets no more processors and memory than its instance type has; "
    'what a type has: "ml.m5.large" = { cpus = 2, memory_gib = 8, gpus = 0 }',
}


def read_tables(file: SettingsFile) -> dict[str, Any]:
    """The members of `Settings` that come from tables. Raises UsageError, with the place, for what they may not hold."""
    instances = file.table("instances")
    enforce = _enforce(instances, file)
    images, builds = _images(file)
    return {
        "s3_mounts": _mounts(file),
        "images": images,
        "image_builds": builds,
        "room": _room(file, machine_limits(), enforce=enforce),
        "functions": {name: _function(name, value, file) for name, value in file.table("lambda").items()},
        "queue_commands": _queue_commands(file),
        "enforce_instances": enforce,
        "instances": {name: _limits(name, value, file) for name, value in instances.items() if name != _ENFORCE},
    }


def _mounts(file: SettingsFile) -> Mapping[S3Uri, Path]:
    refuse_unknown(file.table("s3"), {"mounts"}, f"key of [s3] in {file.path}")
    mounts = file.texts("s3.mounts", file.table("s3.mounts"))
    try:
        return {S3Uri.parse(uri): file.beside(path) for uri, path in mounts.items()}
    except ValueError as error:
        raise UsageError(f"[s3.mounts] in {file.path}: {error}") from None


def _function(name: str, value: object, file: SettingsFile) -> Function:
    if not names_function(name) and not any(sign in name for sign in _SIGNS_OF_PATTERNS):
        raise UsageError(
            f'[lambda] "{name}" in {file.path} names no function: write its name, its ARN ({FUNCTION_ARN}), '
            'or a pattern of them, such as "my-*".'
        )
    try:
        return function_from_settings(value, file.beside)
    except ValueError as error:
        raise UsageError(f'[lambda] "{name}" in {file.path}: {error}.') from None


def _queue_commands(file: SettingsFile) -> Mapping[str, QueueCommand]:
    lines = file.texts("callback", file.table("callback"))
    return {url: QueueCommand(line=line, directory=file.path.parent) for url, line in lines.items()}


def _room(file: SettingsFile, machine: Limits, *, enforce: bool) -> Room:
    """The room for jobs: what the file says, else what the machine has, where that is to be counted."""
    slots = file.table("slots")
    refuse_unknown(slots, {"jobs", *_SLOT_NUMBERS}, f"key of [slots] in {file.path}")
    try:
        jobs = count(slots["jobs"]) if "jobs" in slots else max(_FEWEST_SLOTS, os.cpu_count() or 1)
    except ValueError as error:
        raise UsageError(f"[slots] jobs = {slots['jobs']!r} in {file.path}: {error}.") from None
    for name in _SLOT_NUMBERS:
        value = slots.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise UsageError(f"[slots] {name} = {value!r} in {file.path}: it must be a number above 0.")
    memory_gib = slots.get("memory_gib")
    return Room(
        jobs=jobs,
        cpus=slots.get("cpus", machine.cpus if enforce else None),
        memory_bytes=int(memory_gib * _GIB) if memory_gib else (machine.memory_bytes if enforce else None),
        gpus=int(slots.get("gpus", machine.gpus)) or None,
    )


def _enforce(instances: Mapping[str, Any], file: SettingsFile) -> bool:
    enforce = instances.get(_ENFORCE, False)
    if not isinstance(enforce, bool):
        raise UsageError(f"[instances] {_ENFORCE} = {enforce!r} in {file.path}: it must be true or false.")
    return enforce


def _limits(name: str, value: object, file: SettingsFile) -> Limits:
    """What an instance type has, in the words of the file."""
    if not name.startswith("ml."):
        refuse_unknown({name: value}, {_ENFORCE}, f"key of [instances] in {file.path}")
    place = f'[instances] "{name}" in {file.path}'
    given = value if isinstance(value, dict) else {}
    refuse_unknown(given, {"cpus", "memory_gib", "gpus"}, f"key of {place}")
    numbers = all(isinstance(number, int | float) and number >= 0 for number in given.values())
    if not numbers or not given.get("cpus") or not given.get("memory_gib"):
        raise UsageError(f"{place} must say what it has: {{ cpus = 2, memory_gib = 8 }}, with `gpus` where it has some.")
    memory_bytes = int(given["memory_gib"] * _GIB)
    return Limits(cpus=float(given["cpus"]), memory_bytes=memory_bytes, gpus=int(given.get("gpus", 0)))


def _images(file: SettingsFile) -> tuple[Mapping[str, str], Mapping[str, ImageBuild]]:
    """Pattern → local image, and of those to be built: local image → how. The name is the same as long as the place is."""
    table = file.table("images")
    builds = {pattern: _image_build(pattern, value, file) for pattern, value in table.items() if isinstance(value, dict)}
    texts = file.texts("images", {pattern: value for pattern, value in table.items() if pattern not in builds})
    names = {pattern: _name_of_build(pattern, build) for pattern, build in builds.items()}
    local = {each: names.get(each) or _local_image(texts[each], file) for each in table}
    return local, {names[each]: builds[each] for each in builds}


def _local_image(name: str, file: SettingsFile) -> str:
    """The name, with the whole path of an archive."""
    archive = archive_of(name)
    return f"{ARCHIVE}{os.path.normpath(file.beside(str(archive)))}" if archive else name


def _image_build(pattern: str, value: Mapping[str, Any], file: SettingsFile) -> ImageBuild:
    place = f'[images] "{pattern}" in {file.path}'
    refuse_unknown(value, {"build", "dockerfile", "target", "args"}, f"key of {place}")
    texts = {key: value[key] for key in ("build", "dockerfile", "target") if key in value}
    args = value.get("args", {})
    if not isinstance(args, dict) or not all(isinstance(text, str) for text in (*texts.values(), *args.values())):
        raise UsageError(f"{place}: `build`, `dockerfile` and `target` must be text, `args` a table of texts.")
    if "build" not in texts:
        raise UsageError(f'{place} must name the folder of its Dockerfile: {{ build = "./docker" }}.')
    context = Path(os.path.normpath(file.beside(texts["build"])))
    return ImageBuild(
        context=context, dockerfile=texts.get("dockerfile", "Dockerfile"), args=args, target=texts.get("target")
    )


def _name_of_build(pattern: str, build: ImageBuild) -> str:
    folder = re.sub(r"[^a-z0-9]+", "-", build.context.name.lower()).strip("-") or "image"
    return f"localpipe-own/{folder}:{hashlib.sha256(f'{pattern}|{build.context}'.encode()).hexdigest()[:8]}"
