"""The AWS endpoint of scripts and jobs: S3 whole and the few calls of STS, IAM and, while a pipeline is defined, SageMaker.

Then Lambda too takes the functions that Lambda steps are to call.

A request belongs to the service in its credential scope, else in `X-Amz-Target`; one with neither is S3's (presigned or
unsigned). Whatever is not served is refused by name. Follows: service.md section 9.4.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from localpipe.errors import StoreError
from localpipe.server.capture import CallRefused, missing_code
from localpipe.server.s3_messages import foreign_key_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from localpipe.core import JSON
    from localpipe.core.names import Identity
    from localpipe.server.functions import FunctionCapture

CALL_HEADER = "x-localpipe-call"
"""`<service>:<Operation>`, sent by the redirection in the author's process; other clients do not send it."""

REFUSED_HEADER = "x-localpipe-refused"
"""`<service>:<Operation>`, in the answer to a call that is not served: it may look like the service's own refusal."""

_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")
_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
_REST_XML_SERVICES = frozenset({"cloudfront", "route53"})  # besides S3; from botocore's service models
_TRUST_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to a service other than S3. `operation` is "" where the request does not tell it; `name` always says it.

    `form`: the fields of a query-protocol body. `access_key`: of its credential, "" if it is unsigned.
    """

    service: str
    operation: str
    name: str
    access_key: str
    path: str
    content_type: str
    body: bytes
    form: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Services:
    """What is served besides S3, to requests whose credential carries `access_key`.

    `sagemaker`: its operations by name. `session_name`: of the role session that the caller is. `served_to`: who is
    refused what is not served, as the end of a sentence. `authoring`: whatever else of SageMaker the caller describes is
    not there. `functions`: takes the calls of Lambda, None where it is not served.
    """

    identity: Identity
    access_key: str
    session_name: str
    served_to: str
    sagemaker: Mapping[str, Callable[[JSON], JSON]]
    authoring: bool
    functions: FunctionCapture | None = None


def authoring_services(
    identity: Identity,
    access_key: str,
    sagemaker: Mapping[str, Callable[[JSON], JSON]],
    functions: FunctionCapture | None = None,
) -> Services:
    """What a script is served while it defines a pipeline."""
    return Services(
        identity=identity,
        access_key=access_key,
        session_name="localpipe",
        served_to="while a pipeline is compiled",
        sagemaker=sagemaker,
        authoring=True,
        functions=functions,
    )


def job_services(identity: Identity, access_key: str) -> Services:
    """What a job is served: it can ask who it is. Its session has the name that SageMaker gives."""
    return Services(
        identity=identity,
        access_key=access_key,
        session_name="SageMaker",
        served_to="to jobs",
        sagemaker={},
        authoring=False,
    )


def aws_app(s3: ASGIApp, services: Services) -> ASGIApp:
    """The endpoint as an ASGI app. `s3` serves the S3 requests."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        service = _service(scope) if scope["type"] == "http" else "s3"
        if service == "s3":
            await s3(scope, receive, send)
            return
        request = Request(scope, receive)
        call = read_call(service, request.method, request.url.path, request.headers, await request.body())
        await answer(call, services)(scope, receive, send)

    return app


def _service(scope: Scope) -> str:
    headers: dict[str, str] = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    match = _SCOPE.search(headers.get("authorization", ""))
    if match:
        return match["service"]
    if "x-amz-target" in headers or CALL_HEADER in headers:
        return (headers.get(CALL_HEADER, "").partition(":")[0] or headers["x-amz-target"].partition(".")[0]).lower()
    return "s3"


def read_call(service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call that a request makes. Header names are lower-case. An operation found nowhere is named by method and path."""
    content_type = headers.get("content-type", "")
    is_form = content_type.startswith("application/x-www-form-urlencoded")
    form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()} if is_form else {}
    in_path = _CBOR_PATH.fullmatch(path)
    operation = (
        in_path["operation"] if in_path else headers.get("x-amz-target", "").rpartition(".")[2] or form.get("Action", "")
    )
    match = _SCOPE.search(headers.get("authorization", ""))
    return Call(
        service=service,
        operation=operation,
        name=headers.get(CALL_HEADER) or f"{service}:{operation or f'{method} {path}'}",
        access_key=match["key"] if match else "",
        path=path,
        content_type=content_type,
        body=body,
        form=form,
    )


def answer(call: Call, services: Services) -> Response:
    """The response to a call: the operation's own, or an error in the protocol of the call."""
    if call.access_key != services.access_key:
        return error_response(call, "InvalidClientTokenId", foreign_key_text(call.access_key))
    try:
        return _served(call, services) or _not_served(call, services)
    except CallRefused as refused:
        return error_response(call, refused.code, refused.message)
    except StoreError as error:
        return error_response(call, "ValidationException", str(error))


def _served(call: Call, services: Services) -> Response | None:
    """The response of the operation; None if it is not served. Raises CallRefused, StoreError."""
    if call.service == "sagemaker" and call.operation in services.sagemaker:
        return _json_response(services.sagemaker[call.operation](json.loads(call.body or b"{}")))
    if services.functions and call.service == "lambda":
        answer = services.functions.answer(call.name.partition(":")[2], call.path, call.body)
        return None if answer is None else _json_response(answer)
    if (call.service, call.operation) in _QUERY_OPERATIONS:
        return _xml_response(call.operation, _QUERY_OPERATIONS[call.service, call.operation](call.form, services))
    return None


def _not_served(call: Call, services: Services) -> Response:
    code, message = "UnsupportedOperation", f"localpipe does not serve {call.name} {services.served_to}"
    missing = missing_code(call.operation) if services.authoring and call.service == "sagemaker" else None
    if missing:
        code, message = missing, f"{message}: nothing that it could describe is there"
    response = error_response(call, code, message)
    response.headers[REFUSED_HEADER] = quote(call.name, safe=": /")
    return response


def _get_caller_identity(_form: Mapping[str, str], services: Services) -> str:
    """A role session, from which both SDKs derive a default role."""
    identity, session_name = services.identity, services.session_name
    role_name = identity.role_arn.rpartition("/")[2]
    arn = f"arn:aws:sts::{identity.account}:assumed-role/{role_name}/{session_name}"
    return f"<Arn>{escape(arn)}</Arn><UserId>AROALOCALPIPE:{session_name}</UserId><Account>{identity.account}</Account>"


def _assume_role(form: Mapping[str, str], services: Services) -> str:
    """The caller's own credentials: every role may be assumed, and none may do more than another."""
    role_name, session_name = form.get("RoleArn", "").rpartition("/")[2], form.get("RoleSessionName", "")
    arn = f"arn:aws:sts::{services.identity.account}:assumed-role/{role_name}/{session_name}"
    key = services.access_key
    return (
        f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{key}</SecretAccessKey>"
        f"<SessionToken>{key}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
        f"<AssumedRoleUser><AssumedRoleId>AROALOCALPIPE:{escape(session_name)}</AssumedRoleId>"
        f"<Arn>{escape(arn)}</Arn></AssumedRoleUser>"
    )


def _get_role(form: Mapping[str, str], services: Services) -> str:
    """Any role exists and trusts SageMaker; the identity's own role has its own ARN."""
    identity = services.identity
    name = form.get("RoleName", "")
    own = identity.role_arn.rpartition("/")[2] == name
    arn = identity.role_arn if own else f"arn:aws:iam::{identity.account}:role/{name}"
    return (
        f"<Role><Path>/</Path><RoleName>{escape(name)}</RoleName><RoleId>AROALOCALPIPE0000000</RoleId>"
        f"<Arn>{escape(arn)}</Arn><CreateDate>2020-12-01T00:00:00Z</CreateDate>"
        f"<AssumeRolePolicyDocument>{quote(_TRUST_POLICY)}</AssumeRolePolicyDocument></Role>"
    )


def _say_nothing(_form: Mapping[str, str], _services: Services) -> str:
    """A policy of a role changes nothing: roles are not enforced."""
    return ""


def _simulate_principal_policy(_form: Mapping[str, str], _services: Services) -> str:
    return "<EvaluationResults/><IsTruncated>false</IsTruncated>"


_QUERY_OPERATIONS = {
    ("sts", "GetCallerIdentity"): _get_caller_identity,
    ("sts", "AssumeRole"): _assume_role,
    ("iam", "GetRole"): _get_role,
    ("iam", "CreateRole"): _get_role,
    ("iam", "AttachRolePolicy"): _say_nothing,
    ("iam", "PutRolePolicy"): _say_nothing,
    ("iam", "SimulatePrincipalPolicy"): _simulate_principal_policy,
}


def _json_response(body: JSON, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/x-amz-json-1.1")


def _xml_response(operation: str, result: str) -> Response:
    body = (
        f"<{operation}Response><{operation}Result>{result}</{operation}Result>"
        f"<ResponseMetadata><RequestId>{_REQUEST_ID}</RequestId></ResponseMetadata></{operation}Response>"
    )
    return Response(body, media_type="text/xml")


def error_response(call: Call, code: str, message: str) -> Response:
    """An AWS error with HTTP status 400 in the call's protocol: query and REST-XML by XML, CBOR, else JSON."""
    if call.content_type.startswith("application/cbor"):
        headers = {"smithy-protocol": "rpc-v2-cbor"}
        return Response(_cbor({"__type": code, "message": message}), 400, headers, media_type="application/cbor")
    if call.form or call.service in _REST_XML_SERVICES:
        return Response(_xml_error(call.service, code, message), 400, media_type="text/xml")
    response = _json_response({"__type": code, "message": message}, status=400)
    response.headers["x-amzn-errortype"] = code
    return response


def _xml_error(service: str, code: str, message: str) -> str:
    error = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    if service == "ec2":  # its protocol has a frame of its own
        return f"<Response><Errors>{error}</Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
    return f"<ErrorResponse>{error}<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"


def _cbor(texts: Mapping[str, str]) -> bytes:
    """A CBOR map of a few short texts (RFC 8949 section 3.1: major types 5 and 3, two-byte lengths)."""
    items = b"".join(
        b"\x79" + len(data).to_bytes(2, "big") + data for pair in texts.items() for data in (t.encode() for t in pair)
    )
    return bytes([0xA0 + len(texts)]) + items
