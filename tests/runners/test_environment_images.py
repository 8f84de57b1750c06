from __future__ import annotations

import os
import shutil
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from localpipe.core.environment_status import EnvironmentStatus
from localpipe.core.jobspec import StagedJob
from localpipe.core.names import AttemptKey
from localpipe.core.ports import Availability
from localpipe.errors import JobFailed
from localpipe.runners._sandbox_check import Ability
from localpipe.runners._sandbox_interpreter import Interpreter
from localpipe.runners._sandbox_plan import Bind, Layer, RootFileSystem
from localpipe.runners.environment_images import EnvironmentImages, environment_image
from localpipe.runners.machine_root import MachineRoot, clean_roots, touch_root

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def used(self, environment: Path) -> None:
        raise NotImplementedError

    def clean(self) -> None:
        """There is none."""


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


class CountedEnvironments:
    """Makes one environment at a place whenever it is asked for and is not there."""

    def __init__(self, venv: Path) -> None:
        self.looks = 0
        self.uses = 0
        self._venv = venv

    def environment(self, image_uri: str) -> EnvironmentStatus:
        self.looks += 1
        return EnvironmentStatus(image_uri=image_uri, path=self._venv, ready=self._venv.exists())

    def ensure(self, image_uri: str, say: Callable[[str], None]) -> Path:
        say(f"making what serves {image_uri}")
        (self._venv / "bin").mkdir(parents=True)
        (self._venv / "bin" / "python").symlink_to("/usr/bin/python3.99")
        return self._venv

    def used(self, environment: Path) -> None:
        self.uses += environment == self._venv

    def clean(self) -> None:
        raise NotImplementedError


def test_an_environment_is_looked_up_once_and_again_when_it_is_gone(tmp_path: Path) -> None:
    environments, said = CountedEnvironments(tmp_path / "venv"), list[str]()
    images = EnvironmentImages(
        machine=a_machine(tmp_path), roots_dir=tmp_path / "roots", environments=environments, environment={}, say=said.append
    )
    assert images.image("mine:1") == images.image("mine:1")
    assert (environments.looks, environments.uses) == (1, 1)
    shutil.rmtree(tmp_path / "venv")
    images.image("mine:1")
    assert (environments.looks, said) == (2, ["making what serves mine:1"] * 2)


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


def test_a_tree_goes_when_nobody_used_it_for_longer_than_a_job_may_run(tmp_path: Path) -> None:
    machine, roots = a_machine(tmp_path), tmp_path / "roots"
    clean_roots(roots)
    used, unused = (machine.beside((PurePosixPath(name),), {}).made(roots).below for name in ("/opt/used", "/opt/unused"))
    half_made = roots / ".making-x"
    half_made.mkdir()
    for tree in (used, unused, half_made):
        os.utime(tree, (time.time() - 31 * 86_400,) * 2)
    machine.beside((PurePosixPath("/opt/used"),), {}).made(roots)
    clean_roots(roots)
    assert list(roots.iterdir()) == [used]
    assert not touch_root(RootFileSystem(below=unused))


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
    assert images.usable(lambda: ability) == ability.availability
