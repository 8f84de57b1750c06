"""The environment variables of an author's process: pure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from localpipe.authoring.localpipe_launcher.redirect import ENDPOINT_VARIABLE, WANTED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.authoring.localpipe_launcher.redirect import Endpoint

CHILD_PYTHON = Path(__file__).absolute().with_name("child_python")
_REMOVED = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_CREDENTIAL_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CA_BUNDLE",
        "AWS_DEFAULTS_MODE",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "BOTO_CONFIG",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        ENDPOINT_VARIABLE,  # of a compilation around this one
        WANTED_VARIABLE,
    }
)
_REMOVED_PREFIXES = ("AWS_BEARER_TOKEN_", "AWS_CONTAINER_", "AWS_ENDPOINT_URL")
_OF_OUR_PYTHON = frozenset({"PYTHONHOME", "__PYVENV_LAUNCHER__"})


def authoring_environment(environ: Mapping[str, str], endpoint: Endpoint, config_file: Path) -> dict[str, str]:
    """`environ` without real credentials, AWS configuration and proxies; with the endpoint and its dummy credentials.

    Variables of the author's own stay, also those named `AWS_...` (`AWS_BUCKET`). Programs that the script starts get at
    least this much of the redirection; Pythons get all of it, by `child_python` first on PYTHONPATH.
    `config_file`: see `config_text`.
    """
    quiet = {"SAGEMAKER_SUPPRESS_V2_WARNING": "1"}  # else SDK v2 prints its end of life once for each class that is used
    kept = {name: value for name, value in environ.items() if not _is_removed(name.upper())}
    return {
        **quiet,
        **kept,
        "AWS_ACCESS_KEY_ID": endpoint.access_key,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,
        "AWS_ENDPOINT_URL": endpoint.url,
        "AWS_CONFIG_FILE": str(config_file),
        "AWS_SHARED_CREDENTIALS_FILE": str(config_file.with_name("no-credentials")),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
        "PYTHONPATH": _with_child_python(environ.get("PYTHONPATH", "")),
    }


def config_text(environ: Mapping[str, str]) -> str:
    """An AWS configuration file that knows the profile named in the environment, with nothing in it."""
    names = {environ[name] for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if environ.get(name)}
    return "".join(f"[profile {name}]\n" for name in sorted(names))


def _with_child_python(search_path: str) -> str:
    ours = str(CHILD_PYTHON)
    others = [entry for entry in search_path.split(os.pathsep) if entry != ours] if search_path else []
    return os.pathsep.join([ours, *others])


def _is_removed(name: str) -> bool:
    return name in _REMOVED or name in _OF_OUR_PYTHON or name.startswith(_REMOVED_PREFIXES)
