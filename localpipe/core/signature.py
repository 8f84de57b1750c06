"""Which members of a step decide whether what it gave before stands for it: declared by each step type."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The members of a step that are compared, as dotted paths below the step: `Arguments.Environment`, `FunctionArn`.

    `members`: those that the service compares. Where contents are compared, `also` counts besides: what the result depends
    on, or what later steps need of it, though the service does not look at it. `places` are S3 URIs among all of them that
    say only where the step writes: there they count as directories of this machine alone, since people look for its files
    in those; `[*]` after a name stands for each element of that list. `kept` are S3 URIs that the step may both read and
    write: what lies there counts by its URI alone. `has_contents` False: what the step does is in no object or image, so it
    is only answered where its author asks for it (CacheConfig). `function`: the member that names a function, whose code
    counts where contents are compared. `settings` are those of localpipe that change what the step does: they always count,
    where they are set.
    Follows: service.md section 6.
    """

    members: tuple[str, ...]
    also: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    has_contents: bool = True
    function: str = ""
    settings: tuple[str, ...] = ()
