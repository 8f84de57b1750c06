"""The earlier results of steps, as an execution sees them: put together from the home and what the execution keeps."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from localpipe.caching.contents import NameOf, named_in_manifest
from localpipe.caching.signature import digest_of
from localpipe.caching.verdict import CacheMode
from localpipe.core.functions import Function
from localpipe.core.names import S3Uri
from localpipe.engine.reuse import Results
from localpipe.errors import StoreError
from localpipe.functions.code import code_digest
from localpipe.store import ContentDigests

if TYPE_CHECKING:
    from localpipe.caching.contents import Name
    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName
    from localpipe.core.ports import Runner
    from localpipe.service.wiring import Home

_DIGESTS = "digests.db"
_CONTAINERS = ("PrimaryContainer", "Containers")


def results_of(name: ExecutionName, home: Home, runner: Runner) -> Results:
    """What steps of this execution may be answered from. `home` has the settings that it keeps."""
    digests = ContentDigests(home.store, home.location / _DIGESTS)
    return Results(
        mode=CacheMode(home.settings.cache),
        execution=name,
        journal=home.journal,
        store=home.store,
        behind=_Behind(home, runner, name.execution_id, digests).of,
        contents=digests.of_objects,
        clock=home.clock,
        settings=home.settings.kept(),
        faulted=frozenset(fault.step for fault in home.settings.faults),
    )


class _Behind:
    """What lies behind names in this home. Any thread may call it."""

    def __init__(self, home: Home, runner: Runner, execution_id: str, digests: ContentDigests) -> None:
        self._home, self._execution_id, self._digests = home, execution_id, digests
        self._image = cache(partial(_image, runner))

    def of(self, name: Name) -> JSON:
        """See `NameOf`. Raises StoreError for an object that cannot be read, HomeUnusable."""
        match name.of:
            case NameOf.OBJECTS:
                return self._digests.under(S3Uri.parse(name.text))
            case NameOf.MANIFEST:
                return self._manifest(S3Uri.parse(name.text))
            case NameOf.IMAGE:
                return self._image(name.text)
            case NameOf.MODEL:
                return self._model(name.text)
            case NameOf.FUNCTION:
                return self._code(name.text)
            case _:
                assert_never(name.of)

    def _manifest(self, uri: S3Uri) -> str | None:
        found = self._home.store.head(uri)
        if found is None:
            return None
        try:
            named = named_in_manifest(found.path.read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise StoreError("AccessDenied", f"{uri} cannot be read: {found.path}: {error.strerror or error}.") from error
        return digest_of([self._digests.under(uri), self._digests.of_each(named)])

    def _model(self, model_name: str) -> JSON:
        """The containers of the newest model of that name."""
        models = reversed(self._home.registry.models())
        found = next((each for each in models if each["ModelName"] == model_name), None)
        return found and {member: found[member] for member in _CONTAINERS if member in found}

    def _code(self, arn: str) -> str | None:
        started = self._home.journal.started(self._execution_id)
        kept = started.functions.get(arn) if started else None
        try:
            return code_digest(Function.from_json(kept), self._home.execution_dir(self._execution_id)) if kept else None
        except OSError as error:
            message = f"The code of {arn} cannot be read: {error.filename}: {error.strerror or error}."
            raise StoreError("AccessDenied", message) from error


def _image(runner: Runner, image_uri: str) -> str:
    """The local image, or the URI itself where there is none: then nothing will run."""
    status = runner.image(image_uri)
    return status.digest or status.local or image_uri
