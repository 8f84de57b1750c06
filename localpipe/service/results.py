"""The earlier results of steps, as an execution sees them: put together from the home and what the execution keeps."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from localpipe.caching.contents import Behind, named_in_manifest
from localpipe.caching.signature import digest_of
from localpipe.caching.verdict import CacheMode
from localpipe.engine.reuse import Results
from localpipe.store import ContentDigests

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.names import ExecutionName, S3Uri
    from localpipe.core.ports import Runner
    from localpipe.service.wiring import Home

_DIGESTS = "digests.db"
_CONTAINERS = ("PrimaryContainer", "Containers")


def results_of(name: ExecutionName, home: Home, runner: Runner) -> Results:
    """What steps of this execution may be answered from. `home` has the settings that it keeps."""
    digests = ContentDigests(home.store, home.location / _DIGESTS)

    def manifest(uri: S3Uri) -> str | None:
        found = home.store.head(uri)
        if found is None:
            return None
        named = named_in_manifest(found.path.read_text(encoding="utf-8", errors="replace"))
        return digest_of([digests.under(uri), digests.of_each(named)])

    @cache
    def image(image_uri: str) -> str:
        """The local image, or the URI itself where there is none: then nothing will run."""
        status = runner.image(image_uri)
        return status.digest or status.local or image_uri

    def model(model_name: str) -> JSON:
        """The containers of the newest model of that name."""
        found = next((each for each in reversed(home.registry.models()) if each["ModelName"] == model_name), None)
        return found and {member: found[member] for member in _CONTAINERS if member in found}

    return Results(
        mode=CacheMode(home.settings.cache),
        execution=name,
        journal=home.journal,
        store=home.store,
        behind=Behind(objects=digests.under, manifest=manifest, image=image, model=model),
        clock=home.clock,
        settings=home.settings.kept(),
        faulted=frozenset(fault.step for fault in home.settings.faults),
    )
