"""The environment variables of a function's process: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpipe.core.functions import function_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localpipe.core.functions import Function

_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "SSL_CERT_FILE"}
)
"""Of this machine's own variables: what programs need to run at all. A function on AWS sees none of the author's."""


def function_environment(
    function: Function, arn: str, environ: Mapping[str, str], endpoint: Mapping[str, str]
) -> dict[str, str]:
    """The function's own variables and those that Lambda gives, which win; with what leads boto3 to the local endpoint.

    Follows: AWS Lambda Developer Guide, "Defined runtime environment variables".
    """
    name = function_name(arn)
    return {
        **{key: value for key, value in environ.items() if key in _KEPT},
        **function.environment,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "localpipe",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(function.directory),
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        **endpoint,
    }
