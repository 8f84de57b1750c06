"""What the registry keeps of a model or a model package, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localpipe.core import JSON
    from localpipe.core.work import Origin

MODEL, PACKAGE = "Model", "ModelPackage"


@dataclass(frozen=True)
class Approval:
    """A ModelApprovalStatus that a package was given; `at` in epoch seconds, `reason` empty where none was given."""

    at: float
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A model or a package. `kind`: MODEL or PACKAGE; `description`: in Describe shape, times in epoch seconds.

    `origin` None: no pipeline made it, or nobody took note of which. `lineage`: the steps that it came from, kept when its
    execution was removed; None before. `approvals`: of a package, oldest first, the one it was made with included.
    """

    kind: str
    description: JSON
    origin: Origin | None
    lineage: JSON
    approvals: tuple[Approval, ...] = ()

    @property
    def arn(self) -> str:
        """ModelArn or ModelPackageArn."""
        return str(self.description[f"{self.kind}Arn"])

    @property
    def name(self) -> str:
        """As people call it: a model's name, a package's or `<group>/<version>`."""
        return str(self.description["ModelName"]) if self.kind == MODEL else self.arn.partition(":model-package/")[2]
