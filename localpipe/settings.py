"""One frozen value, made at the edge and handed down: flag > environment > file > default; knows where each came from."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
import shutil
import stat
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from localpipe.core.faults import Fault, parse_fault
from localpipe.core.functions import Function, QueueCommand, function_from_settings
from localpipe.core.image_archive import ARCHIVE, archive_of
from localpipe.core.image_build import ImageBuild
from localpipe.core.jobspec import Limits
from localpipe.core.names import Identity, S3Uri
from localpipe.core.room import Room
from localpipe.errors import UsageError
from localpipe.machine import machine_limits

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localpipe.core import JSON

FILE_NAME = "localpipe.toml"
HOME_NAME = ".localpipe"
ENVIRONMENT_PREFIX = "LOCALPIPE_"
JOB_COMMAND = "LOCALPIPE_COMMAND"
"""No setting: what `localpipe shell` exports, the command that the step itself runs."""
_FEWEST_SLOTS = 8
_GIB = 1 << 30
_ENFORCE = "enforce"
_OLDER_SLOTS = "job_slots"
"""What older executions kept of `[slots]`: how many jobs of one execution ran at once."""
_SLOT_NUMBERS = ("cpus", "memory_gib", "gpus")

_INTERPRETERS = ("python", "unknown_image_python")
"""The options that name a Python."""

_Given: TypeAlias = tuple[object, str]
"""A value and where it came from."""

RUNNER_CHOICES = ("auto", "docker", "process", "sandbox")
CACHE_CHOICES = ("service", "content", "off")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be text")  # noqa: TRY004 - told with its origin by whoever reads the layers
    return value


def _path(value: object) -> Path:
    """A `~` is the user's home."""
    return (value if isinstance(value, Path) else Path(_text(value))).expanduser()


def _count(value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("it must be a whole number of at least 1")
    return int(text)


def _seconds(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError("it must be a number of seconds, such as 120")
    return number


def _runner(value: object) -> str:
    return _one_of(value, RUNNER_CHOICES)


def _cache(value: object) -> str:
    return _one_of(value, CACHE_CHOICES)


def _one_of(value: object, choices: Sequence[str]) -> str:
    if value not in choices:
        raise ValueError(f"it must be {', '.join(choices[:-1])} or {choices[-1]}")
    return str(value)


def _region(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", text):
        raise ValueError("it must be a region such as us-east-1")
    return text


def _account(value: object) -> str:
    text = str(value)
    if not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError("it must be 12 digits")
    return text


def _flag(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    text = str(value).lower()
    if text not in words:
        raise ValueError("it must be true or false")
    return words[text]


@dataclass(frozen=True)
class Option:
    """One key of `localpipe.toml`; `LOCALPIPE_<NAME>` in the environment. `meaning` is what the reference page says."""

    name: str
    parse: Callable[[object], Any]
    default: object
    meaning: str


OPTIONS: tuple[Option, ...] = (
    Option("home", _path, None, "Where executions, the local S3 and the registry are kept"),
    Option("runner", _runner, "auto", "auto, docker, process or sandbox; auto takes Docker where an engine answers"),
    Option("region", _region, "us-east-1", "The region that ARNs and containers show"),
    Option("account", _account, "111122223333", "The account that ARNs and containers show"),
    Option("role", _text, "localpipe", "The execution role's name where the pipeline gives none"),
    Option(
        "cache",
        _cache,
        "service",
        "service: steps with CacheConfig are answered from earlier results by their arguments, as on the service; content: "
        "every step that can be, by the contents of its inputs, code and image; off: every step is done",
    ),
    Option("max_parallel", _count, None, "MaxParallelExecutionSteps where the run gives none; unset: unlimited"),
    Option("max_trials", _count, None, "The most training jobs of a tuning job; unset: as many as it asks for"),
    Option("stop_grace_seconds", _seconds, 120.0, "Seconds between SIGTERM and SIGKILL, as on the service"),
    Option("python", _text, None, "The Python that runs the author's script; unset: of the active environment"),
    Option(
        "unknown_image_python",
        _text,
        None,
        "The Python, with its virtual environment, that the process runner has serve images without a stand-in; "
        "unset: they are refused",
    ),
    Option("xgboost_exact", _flag, False, "Use the XGBoost version of the tag (200 MB) instead of the small stand-in"),
)

TABLES: Mapping[str, str] = {
    "s3.mounts": 'Local directories as bucket prefixes, read-only: "s3://company-data/raw" = "./data"',
    "images": 'Image URI patterns to local images: "*/my-image:*" = "my-image:dev", or to what is built before a run: '
    '{ build = "./docker" }, with `dockerfile`, `target` and `args` where they are needed, or to an archive of an image, '
    'for the sandbox runner: "oci:./image.tar"',
    "lambda": 'The code of Lambda functions by name or ARN: "notify" = "handlers/notify.py:handler", a file or, '
    '"package.module:handler", a module; or { handler = "handlers/notify.py:handler", timeout = 60, '
    'environment = { KEY = "value" } }',
    "callback": "Commands that get the messages of Callback steps on standard input, by queue URL or pattern of them: "
    '"https://sqs.*/approvals" = "python approve.py"',
    "slots": "What the jobs of all your executions on this machine share: jobs = N run at once; of `cpus`, `memory_gib` and "
    "`gpus` each takes what its instance type has. GPUs count where there are some, processors and memory where they are "
    "given or `[instances] enforce` is true",
    "instances": "enforce = true: a container gets no more processors and memory than its instance type has; "
    'what a type has: "ml.m5.large" = { cpus = 2, memory_gib = 8, gpus = 0 }',
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, resolved. `origins`: where each value came from (`default`, the path of a
    `localpipe.toml`, `LOCALPIPE_...`, `--...`). `image_builds`: those local images of `images` that
    are built before a run. `instances`: what the file says that instance types have. `s3_outputs`: local directories that
    a pipeline writes to, by the prefixes that stand for them.
    """

    home: Path
    runner: str
    region: str
    account: str
    role: str
    cache: str
    max_parallel: int | None
    max_trials: int | None
    stop_grace_seconds: float
    python: Path | None
    unknown_image_python: Path | None
    xgboost_exact: bool
    s3_mounts: Mapping[S3Uri, Path]
    images: Mapping[str, str]
    room: Room
    enforce_instances: bool
    instances: Mapping[str, Limits]
    faults: tuple[Fault, ...] = ()
    s3_outputs: Mapping[S3Uri, Path] = field(default_factory=dict)
    image_builds: Mapping[str, ImageBuild] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    queue_commands: Mapping[str, QueueCommand] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def identity(self) -> Identity:
        """The account, region and role that everything is shown under."""
        role_arn = self.role if self.role.startswith("arn:") else f"arn:aws:iam::{self.account}:role/{self.role}"
        return Identity(account=self.account, region=self.region, role_arn=role_arn)

    def kept(self) -> JSON:
        """What an execution keeps of them for its life, as JSON: all but the home and the Python of the author's script."""
        return {
            "runner": self.runner,
            "region": self.region,
            "account": self.account,
            "role": self.role,
            "cache": self.cache,
            "max_parallel": self.max_parallel,
            "max_trials": self.max_trials,
            "stop_grace_seconds": self.stop_grace_seconds,
            "unknown_image_python": str(self.unknown_image_python) if self.unknown_image_python else None,
            "xgboost_exact": self.xgboost_exact,
            "s3_mounts": {str(uri): str(path) for uri, path in self.s3_mounts.items()},
            "s3_outputs": {str(uri): str(path) for uri, path in self.s3_outputs.items()},
            "images": dict(self.images),
            "room": asdict(self.room),
            "enforce_instances": self.enforce_instances,
            "queue_commands": {url: [command.line, str(command.directory)] for url, command in self.queue_commands.items()},
            "instances": {name: asdict(limits) for name, limits in self.instances.items()},
        }

    def with_kept(self, kept: JSON) -> Settings:
        """These settings with what an execution kept in place of today's: of its own it has the `faults` asked for."""
        return replace(
            self,
            **{
                **{name: value for name, value in kept.items() if name != _OLDER_SLOTS},
                "unknown_image_python": Path(python) if (python := kept.get("unknown_image_python")) else None,
                "room": Room(**kept["room"]) if "room" in kept else Room(jobs=kept[_OLDER_SLOTS]),
                "faults": tuple(map(parse_fault, kept.get("faults", ()))),
                "instances": {name: Limits(**limits) for name, limits in kept.get("instances", {}).items()},
                "queue_commands": {
                    url: QueueCommand(line=line, directory=Path(directory))
                    for url, (line, directory) in kept.get("queue_commands", {}).items()
                },
                "s3_mounts": {S3Uri.parse(uri): Path(path) for uri, path in kept["s3_mounts"].items()},
                "s3_outputs": {S3Uri.parse(uri): Path(path) for uri, path in kept.get("s3_outputs", {}).items()},
            },
        )


def load_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], directory: Path, target: Path | None = None
) -> Settings:
    """Resolve every setting for a command given in `directory`.

    `flags` maps option names to values; a None is not given. The file is the `localpipe.toml` in the nearest parent of
    `directory`, else of `target`. Raises UsageError for an unknown key (naming the nearest) or an impossible value.
    """
    file = _nearest(directory, FILE_NAME) or (_nearest(target, FILE_NAME) if target else None)
    document = _read(file) if file else {}
    layers = (*_given(flags, environ), {name: (value, str(file)) for name, value in _options_of(document, file).items()})
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        values[option.name], origins[option.name] = _resolve(option, layers)
    if values["home"] is None:
        found = _nearest(directory, HOME_NAME)
        values["home"] = found or HOME_NAME
        origins["home"] = "nearest parent that has one" if found else "default"
    values["home"] = directory.absolute() / values["home"]
    for name in _INTERPRETERS:
        if values[name] is not None:
            values[name] = _interpreter(name, values[name], origins[name], environ, directory)
    return Settings(**values, **_tables(document, file, origins), origins=origins)


def _given(flags: Mapping[str, object], environ: Mapping[str, str]) -> tuple[Mapping[str, _Given], Mapping[str, _Given]]:
    """What was given with the command and in the environment, where an empty variable counts as none."""
    variables = {key[len(ENVIRONMENT_PREFIX) :].lower(): value for key, value in environ.items() if _is_ours(key)}
    _refuse_unknown(variables, {option.name for option in OPTIONS}, "environment variable", _variable)
    return (
        {name: (value, f"--{name.replace('_', '-')}") for name, value in flags.items() if value is not None},
        {name: (value, _variable(name)) for name, value in variables.items() if value},
    )


def _resolve(option: Option, layers: Sequence[Mapping[str, _Given]]) -> tuple[object, str]:
    """The value of the first layer that has one, and where it came from."""
    for layer in layers:
        if option.name in layer:
            value, origin = layer[option.name]
            try:
                return option.parse(value), origin
            except ValueError as error:
                raise UsageError(f"{option.name} = {value!r} ({origin}): {error}.") from None
    return option.default, "default"


def _variable(name: str) -> str:
    return f"{ENVIRONMENT_PREFIX}{name.upper()}"


def _is_ours(key: str) -> bool:
    """Not ours to judge are the variables of our tests, and what a shell of a step exports: localpipe may be used in it."""
    return key.startswith(ENVIRONMENT_PREFIX) and key != JOB_COMMAND and not key.startswith(f"{ENVIRONMENT_PREFIX}TEST_")


def _interpreter(name: str, text: str, origin: str, environ: Mapping[str, str], directory: Path) -> Path:
    """A path, from `directory`, or a command on PATH where there is no slash in it. Raises UsageError if there is none."""
    path = Path(text).expanduser()
    wanted = str(directory.absolute() / path) if "/" in text else text
    found = shutil.which(wanted, path=environ.get("PATH"))
    if found is None:
        raise UsageError(f"{name} = {text!r} ({origin}): {_why_not(wanted)}. Give the path of an interpreter.")
    return Path(found).absolute()


def _why_not(program: str) -> str:
    """Why what `shutil.which` has not found cannot be run."""
    if "/" not in program:
        return "there is no such program"
    try:
        is_directory = stat.S_ISDIR(os.stat(program).st_mode)  # noqa: PTH116 - as text: nothing of it is to be normalised
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such program"
    except (OSError, ValueError) as error:
        return f"it cannot be looked at ({getattr(error, 'strerror', None) or error})"
    return "it is a directory" if is_directory else "it is not executable for this user"


def _options_of(document: Mapping[str, Any], file: Path | None) -> dict[str, object]:
    known = {option.name for option in OPTIONS}
    tables = {name.split(".")[0] for name in TABLES}
    _refuse_unknown(document, known | tables, f"key in {file}", str)
    options = {name: value for name, value in document.items() if name in known}
    for name in ("home", *_INTERPRETERS):
        value = options.get(name)
        if file and isinstance(value, str) and (name == "home" or "/" in value):
            options[name] = _beside(file, value)
    return options


def _tables(document: Mapping[str, Any], file: Path | None, origins: dict[str, str]) -> dict[str, Any]:
    s3 = _table(document, "s3", file)
    slots = _table(document, "slots", file)
    _refuse_unknown(s3, {"mounts"}, f"key of [s3] in {file}", str)
    _refuse_unknown(slots, {"jobs", *_SLOT_NUMBERS}, f"key of [slots] in {file}", str)
    mounts, (images, builds) = _texts(s3, "mounts", "s3.mounts", file), _images(document, file)
    instances = _table(document, "instances", file)
    found = {"s3.mounts": mounts, "images": images, "slots": slots, "instances": instances}
    found |= {name: _table(document, name, file) for name in ("lambda", "callback")}
    origins |= {name: str(file) if found[name] else "default" for name in TABLES}
    try:
        s3_mounts = {S3Uri.parse(uri): Path(_beside(file, path)) for uri, path in mounts.items() if file}
    except ValueError as error:
        raise UsageError(f"[s3.mounts] in {file}: {error}") from None
    enforce = _enforce(instances, file)
    return {
        "s3_mounts": s3_mounts,
        "images": images,
        "image_builds": builds,
        "room": _room(slots, machine_limits(), file, enforce=enforce),
        "functions": _functions(document, file),
        "queue_commands": _queue_commands(document, file),
        "enforce_instances": enforce,
        "instances": {name: _limits(name, value, file) for name, value in instances.items() if name != _ENFORCE},
    }


def _functions(document: Mapping[str, Any], file: Path | None) -> Mapping[str, Function]:
    return {name: _function(name, value, file) for name, value in _table(document, "lambda", file).items()}


def _function(name: str, value: object, file: Path | None) -> Function:
    try:
        return function_from_settings(value, _folder(file))
    except ValueError as error:
        raise UsageError(f'[lambda] "{name}" in {file}: {error}.') from None


def _queue_commands(document: Mapping[str, Any], file: Path | None) -> Mapping[str, QueueCommand]:
    lines = _texts(document, "callback", "callback", file)
    return {url: QueueCommand(line=line, directory=_folder(file)) for url, line in lines.items()}


def _folder(file: Path | None) -> Path:
    """The folder of a file that has tables, whose paths are relative to it."""
    return (file or Path()).absolute().parent


def _room(slots: Mapping[str, Any], machine: Limits, file: Path | None, *, enforce: bool) -> Room:
    """The room for jobs: what the file says, else what the machine has, where that is to be counted."""
    try:
        jobs = _count(slots["jobs"]) if "jobs" in slots else max(_FEWEST_SLOTS, os.cpu_count() or 1)
    except ValueError as error:
        raise UsageError(f"[slots] jobs = {slots['jobs']!r} in {file}: {error}.") from None
    for name in _SLOT_NUMBERS:
        value = slots.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise UsageError(f"[slots] {name} = {value!r} in {file}: it must be a number above 0.")
    memory_gib = slots.get("memory_gib")
    return Room(
        jobs=jobs,
        cpus=slots.get("cpus", machine.cpus if enforce else None),
        memory_bytes=int(memory_gib * _GIB) if memory_gib else (machine.memory_bytes if enforce else None),
        gpus=int(slots.get("gpus", machine.gpus)) or None,
    )


def _enforce(instances: Mapping[str, Any], file: Path | None) -> bool:
    enforce = instances.get(_ENFORCE, False)
    if not isinstance(enforce, bool):
        raise UsageError(f"[instances] {_ENFORCE} = {enforce!r} in {file}: it must be true or false.")
    return enforce


def _limits(name: str, value: object, file: Path | None) -> Limits:
    """What an instance type has, in the words of the file."""
    if not name.startswith("ml."):
        _refuse_unknown({name: value}, {_ENFORCE}, f"key of [instances] in {file}", str)
    place = f'[instances] "{name}" in {file}'
    given = value if isinstance(value, dict) else {}
    _refuse_unknown(given, {"cpus", "memory_gib", "gpus"}, f"key of {place}", str)
    numbers = all(isinstance(number, int | float) and number >= 0 for number in given.values())
    if not numbers or not given.get("cpus") or not given.get("memory_gib"):
        raise UsageError(f"{place} must say what it has: {{ cpus = 2, memory_gib = 8 }}, with `gpus` where it has some.")
    memory_bytes = int(given["memory_gib"] * _GIB)
    return Limits(cpus=float(given["cpus"]), memory_bytes=memory_bytes, gpus=int(given.get("gpus", 0)))


def _images(document: Mapping[str, Any], file: Path | None) -> tuple[Mapping[str, str], Mapping[str, ImageBuild]]:
    """Pattern → local image, and of those to be built: local image → how. The name is the same as long as the place is."""
    table = _table(document, "images", file)
    tables = {pattern: value for pattern, value in table.items() if isinstance(value, dict)}
    texts = _texts({"images": {key: value for key, value in table.items() if key not in tables}}, "images", "images", file)
    builds = {pattern: _image_build(pattern, value, file) for pattern, value in tables.items() if file}
    names = {pattern: _name_of_build(pattern, build) for pattern, build in builds.items()}
    local = {each: names.get(each) or _local_image(texts[each], file) for each in table}
    return local, {names[each]: builds[each] for each in builds}


def _local_image(name: str, file: Path | None) -> str:
    """The name, with the whole path of an archive."""
    archive = archive_of(name)
    return f"{ARCHIVE}{os.path.normpath(_beside(file.absolute(), str(archive)))}" if archive and file else name


def _image_build(pattern: str, value: Mapping[str, Any], file: Path) -> ImageBuild:
    place = f'[images] "{pattern}" in {file}'
    _refuse_unknown(value, {"build", "dockerfile", "target", "args"}, f"key of {place}", str)
    texts = {key: value[key] for key in ("build", "dockerfile", "target") if key in value}
    args = value.get("args", {})
    if not isinstance(args, dict) or not all(isinstance(text, str) for text in (*texts.values(), *args.values())):
        raise UsageError(f"{place}: `build`, `dockerfile` and `target` must be text, `args` a table of texts.")
    if "build" not in texts:
        raise UsageError(f'{place} must name the folder of its Dockerfile: {{ build = "./docker" }}.')
    context = Path(os.path.normpath(_beside(file.absolute(), texts["build"])))
    return ImageBuild(
        context=context, dockerfile=texts.get("dockerfile", "Dockerfile"), args=args, target=texts.get("target")
    )


def _name_of_build(pattern: str, build: ImageBuild) -> str:
    folder = re.sub(r"[^a-z0-9]+", "-", build.context.name.lower()).strip("-") or "image"
    return f"localpipe-own/{folder}:{hashlib.sha256(f'{pattern}|{build.context}'.encode()).hexdigest()[:8]}"


def _table(document: Mapping[str, Any], name: str, file: Path | None) -> Mapping[str, Any]:
    table = document.get(name.rpartition(".")[2], {})
    if not isinstance(table, dict):
        raise UsageError(f"{name} in {file} must be a table: [{name}].")
    return table


def _texts(document: Mapping[str, Any], key: str, name: str, file: Path | None) -> Mapping[str, str]:
    """The table `[name]` of texts by text."""
    table = _table({key: document.get(key, {})}, name, file)
    for entry, value in table.items():
        if not isinstance(value, str):
            raise UsageError(f'[{name}] "{entry}" in {file} must be text in quotes, not {value!r}.')
    return table


def _beside(file: Path, value: str) -> str:
    """A path written in the file is relative to the file."""
    return str(file.parent / Path(value).expanduser())


def _refuse_unknown(given: Mapping[str, object], known: set[str], kind: str, show: Callable[[str], str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {show(near[0])}?" if near else f"Known are {', '.join(show(n) for n in sorted(known))}."
            raise UsageError(f"Unknown {kind}: {show(name)}. {hint}")


def _nearest(start: Path, name: str) -> Path | None:
    """The file or folder of that name in the nearest parent that has one. What cannot be looked at is not there."""
    try:
        resolved = Path(os.path.realpath(start))
    except ValueError:  # a null character: no path at all
        return None
    candidates = (parent / name for parent in (resolved, *resolved.parents))
    return next((path for path in candidates if os.path.exists(path)), None)  # noqa: PTH110 - Path.exists may raise


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None
    return document
