from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from localpipe.core.jobspec import StagedJob
from localpipe.core.names import AttemptKey
from localpipe.core.ports import Availability
from localpipe.errors import JobFailed
from localpipe.runners._sandbox_check import Ability
from localpipe.runners._sandbox_interpreter import Interpreter
from localpipe.runners._sandbox_plan import Bind, Layer
from localpipe.runners.environment_images import EnvironmentImages, EnvironmentStatus, environment_image
from localpipe.runners.machine_root import MachineRoot

USR = PurePosixPath("/usr")


def a_machine(tmp_path: Path) -> MachineRoot:
    (tmp_path / "usr").mkdir(exist_ok=True)
    return MachineRoot(
        binds=(Bind(tmp_path / "usr", USR),),
        links={PurePosixPath("/bin"): USR / "bin"},
        directories={"/tmp": 0o1777},  # noqa: S108 - the sandbox's own
        files={PurePosixPath("/etc/passwd"): b"root:x:0:0\n"},
    )


class NoEnvironments:
    def environment(self, image_uri: str) -> EnvironmentStatus:
        raise NotImplementedError

    def ensure(self, image_uri: str, say: object) -> Path:
        raise NotImplementedError


def a_job(entrypoint: tuple[str, ...] | None, arguments: tuple[str, ...] | None) -> StagedJob:
    return StagedJob(
        key=AttemptKey(execution_id="abc", step="Train", attempt=1),
        job_name="train-1",
        image_uri="repo/image:1",
        entrypoint=entrypoint,
        arguments=arguments,
        environment={},
        hosts=(),
        network_isolated=False,
        attempt_dir=Path("/attempt"),
    )


@pytest.fixture
def images(tmp_path: Path) -> EnvironmentImages:
    return EnvironmentImages(
        machine=a_machine(tmp_path), roots_dir=tmp_path, environments=NoEnvironments(), environment={}, say=print
    )


def test_an_environment_is_a_layer_with_its_programs_first(tmp_path: Path) -> None:
    venv, python = Path("/home/me/venv"), Bind(Path("/opt/python"), PurePosixPath("/opt/python"))
    link = PurePosixPath("/home/me/.local/bin/python3")
    interpreter = Interpreter(venv=venv, binds=(python,), links={link: PurePosixPath("/opt/python/bin/python3")})
    image = environment_image(a_machine(tmp_path), interpreter, tmp_path / "roots", {"LANG": "C"})
    assert (image.binds, image.layer) == ((python,), Layer("venv", venv, PurePosixPath(venv)))
    assert (image.environment, image.programs) == ({"LANG": "C"}, PurePosixPath("/home/me/venv/bin"))
    below = image.root.below
    assert sorted(str(path.relative_to(below)) for path in below.rglob("*") if not path.is_dir() or path.is_symlink()) == [
        *("bin", "etc/passwd", "home/me/.local/bin/python3"),
    ]
    assert (below / "home/me/.local/bin/python3").readlink() == Path("../../../../opt/python/bin/python3")
    assert [(below / name).is_dir() for name in ("usr", "home/me/venv", "opt/python")] == [True, True, True]
    assert (below / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_python_of_the_system_is_no_layer(tmp_path: Path) -> None:
    image = environment_image(a_machine(tmp_path), Interpreter(venv=Path("/usr"), binds=()), tmp_path / "roots", {})
    assert (image.layer, image.programs) == (None, PurePosixPath("/usr/bin"))


def test_the_tree_of_a_root_is_made_once_and_anew_for_other_content(tmp_path: Path) -> None:
    machine = a_machine(tmp_path)
    first, again = machine.made(tmp_path / "roots"), machine.made(tmp_path / "roots")
    other = machine.beside((PurePosixPath("/opt/x"),), {}).made(tmp_path / "roots")
    assert first == again
    assert first.below != other.below
    assert sorted((tmp_path / "roots").iterdir()) == sorted([first.below, other.below])


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "command"),
    [
        (("python3", "a.py"), ("-x",), ("python3", "a.py", "-x")),
        (("python3", "a.py"), None, ("python3", "a.py")),
        (None, ("train",), ("train",)),
    ],
)
def test_the_command(
    images: EnvironmentImages,
    entrypoint: tuple[str, ...] | None,
    arguments: tuple[str, ...] | None,
    command: tuple[str, ...],
) -> None:
    assert images.program(a_job(entrypoint, arguments)) == command


@pytest.mark.parametrize("arguments", [None, (), ("--depth", "3"), ("train", "now")])
def test_an_images_own_entry_point_is_refused(images: EnvironmentImages, arguments: tuple[str, ...] | None) -> None:
    with pytest.raises(JobFailed) as failed:
        images.program(a_job(None, arguments))
    assert str(failed.value) == (
        "The job runs the ENTRYPOINT of image repo/image:1, and a local environment has none. "
        "Give the job an entry point (ContainerEntrypoint), or use the Docker runner."
    )


def test_it_can_be_used_wherever_sandboxes_can(images: EnvironmentImages) -> None:
    ability = Ability(availability=Availability(usable=True, reason="sandboxes by bubblewrap"))
    assert images.usable(ability) == ability.availability
