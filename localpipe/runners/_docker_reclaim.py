"""Files that containers wrote as root or another user become the user's.

An ordinary user can neither move nor delete root's files, so a container does it: one helper for the life of this process,
which ends when the process does, since it reads its orders from a pipe. Where an image has no shell for the helper, the
files are read out of the stopped container and written back under the user's name.
"""

from __future__ import annotations

import logging
import os
import tarfile
import tempfile
import threading
from typing import TYPE_CHECKING

from localpipe.runners._docker_stream import AttachedStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from docker import APIClient

    from localpipe.core.jobspec import Mount

_LOG = logging.getLogger(__name__)
_SCRIPT = (
    "while IFS= read -r directory; do "
    'chown -R -h "$OWNER" "$directory" && chmod -R u+rwX "$directory" && echo done || echo failed; '
    "done 2>/dev/null"
)


def has_foreign(directories: Iterable[Path], user: int) -> bool:
    """Whether anything below the directories belongs to somebody else, as far as it can be seen."""
    return any(_foreign_entries(directory, user) for directory in directories)


def _foreign_entries(directory: Path, user: int) -> bool:
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return any(
        entry.stat(follow_symlinks=False).st_uid != user
        or (entry.is_dir(follow_symlinks=False) and _foreign_entries(directory / entry.name, user))
        for entry in entries
    )


def take_as_root(directories: Iterable[Path], user: int, group: int) -> None:
    """Give everything below the directories to a user; needs root. Symbolic links themselves are given, never followed."""
    for directory in directories:
        for current, names, files in os.walk(directory):
            for name in (*names, *files):
                os.chown(os.path.join(current, name), user, group, follow_symlinks=False)  # noqa: PTH118 - links stay links


class ReclaimHelper:
    """The helper container of one process. Any thread may call it; orders are done one after another.

    Mutable: starts the container when it is first needed.
    """

    def __init__(self, api: APIClient, home: Path) -> None:
        self._api, self._home = api, home
        self._lock = threading.Lock()
        self._pipe: AttachedStream | None = None

    def reclaim(self, directories: Iterable[Path], image: str) -> bool:
        """Give the directories and all below them to the user; `image` is used for a helper that has yet to start.

        False if the image has no shell or the helper could not do it.
        """
        with self._lock:
            return all(self._order(directory, image) for directory in directories)

    def close(self) -> None:
        """End the helper, if there is one."""
        with self._lock:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None

    def _order(self, directory: Path, image: str) -> bool:
        from docker.errors import APIError

        try:
            self._pipe = self._pipe or self._start(image)
            os.write(self._pipe.fileno(), f"{directory}\n".encode())
            answer = next(self._pipe.output(), b"")
        except (APIError, OSError) as error:
            _LOG.info("no helper from image %s: %s", image, error)
            answer = b""
        if not answer and self._pipe is not None:  # it is gone; the next order starts another
            self._pipe.close()
            self._pipe = None
        return answer == b"done\n"

    def _start(self, image: str) -> AttachedStream:
        """Start the helper and connect to its standard input and output. Raises APIError if the image has no shell."""
        from docker.types import Mount

        home = str(self._home)
        host_config = self._api.create_host_config(
            auto_remove=True, network_mode="none", mounts=[Mount(home, home, type="bind")]
        )
        container = self._api.create_container(
            image,
            entrypoint=["/bin/sh", "-c", _SCRIPT],
            user="0:0",
            environment={"OWNER": f"{os.getuid()}:{os.getgid()}"},
            stdin_open=True,
            labels={"localpipe.helper": home},
            host_config=host_config,
        )["Id"]
        pipe = AttachedStream(self._api, container, standard_input=True)
        try:
            self._api.start(container)
        except BaseException:
            pipe.close()
            self._api.remove_container(container, force=True)
            raise
        return pipe


def rewrite_owner(api: APIClient, container: str, mounts: Iterable[Mount], scratch: Path) -> None:
    """Give what a stopped container holds in its writable mounts to the user, without running anything.

    The content is read out as an archive and written back with another owner.
    """
    for mount in mounts:
        pieces, _ = api.get_archive(container, str(mount.container_dir))
        with tempfile.TemporaryFile(dir=scratch) as original, tempfile.TemporaryFile(dir=scratch) as owned:
            original.writelines(pieces)
            original.seek(0)
            with tarfile.open(fileobj=original) as source, tarfile.open(fileobj=owned, mode="w") as target:
                _copy_members(source, target)
            owned.seek(0)
            api.put_archive(container, str(mount.container_dir.parent), owned)


def _copy_members(source: tarfile.TarFile, target: tarfile.TarFile) -> None:
    for member in source:
        member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
        member.mode |= 0o700 if member.isdir() else 0o600
        target.addfile(member, source.extractfile(member) if member.isreg() else None)
