"""PURE: what a job of an `@step` function finds of the SageMaker SDK in a base Python image.

Version 2 of the SDK has the job run `pip install -U` of `sagemaker>=2.256,<3`, or of what the author requires. Where pip
reaches no index it leaves alone what fits, so the SDK is there with all that it requires: such a job needs no network.
Version 3 asks for nothing and runs `sagemaker.core.remote_function`, so that folder lies in version 2's package.
Follows: service.md section 2.5; practice.md "Scripts: what breaks a naive container"; the SDK's `remote_function/job.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """One folder of a pure Python distribution, installed under a name of localpipe's own.

    So pip keeps another version of the same distribution beside it. `folder`: its path in site-packages.
    """

    requirement: str
    folder: str

    @property
    def name(self) -> str:
        """The distribution that it is installed as: `localpipe_sagemaker_core`."""
        return f"localpipe_{self.requirement.partition('==')[0].replace('-', '_')}"

    @property
    def version(self) -> str:
        """The version that it was taken from."""
        return self.requirement.partition("==")[2]


SDK_3_CORE = Part(requirement="sagemaker-core==2.27.0", folder="sagemaker/core")

SDK_PINS = (
    "annotated-doc==0.0.6",
    "annotated-types==0.8.0",
    "anyio==4.16.0",
    "attrs==25.4.0",
    "click==8.5.1",
    "dill==0.4.1",
    "docker==7.2.0",
    "exceptiongroup==1.3.1",
    "fastapi==0.162.5",
    "google-pasta==0.2.0",
    "graphene==3.4.3",
    "graphql-core==3.2.14",
    "graphql-relay==3.2.0",
    "h11==0.16.0",
    "importlib-metadata==6.11.0",
    "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1",
    "markdown-it-py==4.3.0",
    "mdurl==0.1.2",
    "mock==4.0.3",
    "multiprocess==0.70.19",
    "numpy==2.2.6",
    "omegaconf==2.4.0",
    "opentelemetry-api==1.45.2",
    "packaging==24.2",
    "pandas==2.3.3",
    "pathos==0.3.5",
    "platformdirs==4.12.4",
    "pox==0.3.7",
    "ppft==1.7.8",
    "pydantic==2.14.3",
    "pydantic-core==2.50.4",
    "pygments==2.21.0",
    "pytz==2026.6",
    "pyyaml==6.0.3",
    "referencing==0.37.0",
    "rich==14.3.4",
    "rpds-py==0.30.0",
    "sagemaker==2.257.7",
    "sagemaker-core==1.0.78",
    "schema==0.7.8",
    "smdebug-rulesconfig==1.0.1",
    "starlette==1.7.0",
    "tblib==3.2.2",
    "tqdm==4.70.1",
    "typing-extensions==4.16.0",
    "typing-inspection==0.4.5",
    "tzdata==2026.6",
    "uvicorn==0.54.0",
    "zipp==4.1.2",
)
"""The newest version 2 and what it requires besides the shared pins, as Python 3.10 has them; 3.11 and 3.12 do too."""
