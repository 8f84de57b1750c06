"""The Lambda calls that a script makes while it defines a pipeline: functions are taken, none is called.

The SDKs make the functions of Lambda steps when the pipeline is compiled. Follows: service.md section 11.1; the SDKs'
`lambda_helper.py`; AWS Lambda API Reference.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from localpipe.core.functions import FUNCTION_NAME, CapturedFunction, function_name
from localpipe.core.names import Identity, S3Uri
from localpipe.server.capture import CallRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localpipe.core import JSON
    from localpipe.core.ports import ObjectStore

_PATH = re.compile(r"/2015-03-31/functions(?:/(?P<name>[^/]+)(?:/.*)?)?")
_NO_NAME = (
    "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: "
    f"Member must satisfy regular expression pattern: {FUNCTION_NAME.pattern}"
)
_OWN_TIMEOUT_SECONDS = 3
"""The Timeout of a function that is made without one. Follows: AWS Lambda API Reference, CreateFunction."""


class FunctionCapture:
    """The Lambda of one script. Owns the functions that it has made."""

    def __init__(self, store: ObjectStore, identity: Identity) -> None:
        self._store, self._identity = store, identity
        self._functions: dict[str, CapturedFunction] = {}
        self._operations: Mapping[str, Callable[[str, JSON], JSON]] = {
            "CreateFunction": self._create,
            "UpdateFunctionCode": self._update_code,
            "UpdateFunctionConfiguration": self._update_configuration,
            "GetFunction": lambda name, _: {"Configuration": self._configuration(self._function(name)), "Code": {}},
            "GetFunctionConfiguration": lambda name, _: self._configuration(self._function(name)),
            "DeleteFunction": self._delete,
        }

    @property
    def functions(self) -> Mapping[str, CapturedFunction]:
        """What was made, by name."""
        return self._functions

    def answer(self, operation: str, path: str, body: bytes) -> JSON | None:
        """The answer to a call; None if it is not served. Raises CallRefused, StoreError."""
        answer = self._operations.get(operation)
        if answer is None:
            return None
        request = json.loads(body or b"{}")
        match = _PATH.fullmatch(unquote(path))
        name = function_name((match and match["name"]) or request["FunctionName"])
        if not FUNCTION_NAME.fullmatch(name):
            raise CallRefused("ValidationException", _NO_NAME % name)
        return answer(name, request)

    def _create(self, name: str, request: JSON) -> JSON:
        if name in self._functions:
            raise CallRefused("ResourceConflictException", f"Function already exist: {name}")
        code = request["Code"]
        made = CapturedFunction(name=name, archive=self._archive(code), image=code.get("ImageUri", ""))
        self._functions[name] = _configured(replace(made, timeout_seconds=_OWN_TIMEOUT_SECONDS), request)
        return self._configuration(self._functions[name])

    def _update_code(self, name: str, request: JSON) -> JSON:
        """A function that was made elsewhere: its configuration is not known here."""
        before = self._functions.get(name, CapturedFunction(name=name))
        self._functions[name] = replace(before, archive=self._archive(request), image=request.get("ImageUri", ""))
        return self._configuration(self._functions[name])

    def _update_configuration(self, name: str, request: JSON) -> JSON:
        self._functions[name] = _configured(self._function(name), request)
        return self._configuration(self._functions[name])

    def _delete(self, name: str, _request: JSON) -> JSON:
        """A script that tidies up after itself keeps its functions: the pipeline calls them."""
        self._function(name)
        return {}

    def _function(self, name: str) -> CapturedFunction:
        if name not in self._functions:
            raise CallRefused("ResourceNotFoundException", f"Function not found: {self._arn(name)}")
        return self._functions[name]

    def _archive(self, code: JSON) -> bytes:
        if "ZipFile" in code:
            return base64.b64decode(code["ZipFile"])
        if "S3Bucket" not in code:
            return b""
        with self._store.open(S3Uri(code["S3Bucket"], code["S3Key"])) as file:
            return file.read()

    def _configuration(self, function: CapturedFunction) -> dict[str, JSON]:
        return {
            "FunctionName": function.name,
            "FunctionArn": self._arn(function.name),
            "Runtime": function.runtime or None,
            "Role": self._identity.role_arn,
            "Handler": function.handler or None,
            "Timeout": function.timeout_seconds,
            "MemorySize": function.memory_mb,
            "Environment": {"Variables": dict(function.environment)},
            "Version": "$LATEST",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Image" if function.image else "Zip",
        }

    def _arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._identity.region}:{self._identity.account}:function:{name}"


def _configured(function: CapturedFunction, request: JSON) -> CapturedFunction:
    """The function with what a request says of its configuration; what it leaves out stays."""
    return replace(
        function,
        handler=request.get("Handler", function.handler),
        runtime=request.get("Runtime", function.runtime),
        layers=len(request.get("Layers", ())) or function.layers,
        timeout_seconds=request.get("Timeout", function.timeout_seconds),
        memory_mb=request.get("MemorySize", function.memory_mb),
        environment=request.get("Environment", {}).get("Variables", function.environment),
    )
