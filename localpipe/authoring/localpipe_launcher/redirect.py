"""While a `Redirection` is entered, every botocore client of this process, old or new, talks to localpipe's endpoint.

Each API call of a client goes through a twin of that client, made for the endpoint with dummy credentials; so explicit
endpoint addresses (both SDKs give STS one), explicit credentials, and clients made long before do not matter. The session
finds no profile and no credential of the machine. The SDKs' telemetry is switched off by their own setting, as seen by the
modules that send it. Follows: service.md section 9.4.

The redirection is process-wide: other threads of the process must not use AWS meanwhile. The Pythons that the process
starts are redirected too, if `child_python` is on their PYTHONPATH; see there. In most of them nothing is ever imported
that is redirected: this module imports little.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from .guard import refuse_aws
from .patches import AfterImport, Patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

CALL_HEADER = "X-Localpipe-Call"
"""Names the call for the endpoint, `<service>:<Operation>`: some AWS protocols have the operation nowhere in the request."""

REFUSED_HEADER = "x-localpipe-refused"
"""Names a call that the endpoint does not serve, in its answer."""

ENDPOINT_VARIABLE = "_LOCALPIPE_ENDPOINT"
"""The environment variable that tells `child_python/sitecustomize.py` of the endpoint (`Endpoint.as_text`)."""

WANTED_VARIABLE = "_LOCALPIPE_PIPELINE"
"""The environment variable that tells it the name of the pipeline that is wanted; empty: none is named."""

TELEMETRY_MODULES = (
    "sagemaker.telemetry.telemetry_logging",  # SDK v2
    "sagemaker.core.telemetry.telemetry_logging",  # SDK v3
    "sagemaker.serve.builder.serve_settings",  # both
)
TELEMETRY_IS_OFF = "localpipe compiles this pipeline: the SDK's telemetry is off."


class Endpoint(NamedTuple):
    """Where the twins talk to. `access_key` and `secret_key` mean nothing elsewhere."""

    url: str
    access_key: str
    secret_key: str
    region: str

    @classmethod
    def from_text(cls, text: str) -> Endpoint:
        """What `as_text` gave."""
        return cls(*text.split(" "))

    def as_text(self) -> str:
        """For an environment variable."""
        return " ".join(self)


class Redirection:
    """A context manager. `before_call` is told `<service>:<Operation>` and the parameters before each call; it may raise."""

    def __init__(self, endpoint: Endpoint, before_call: Callable[[str, Any], None] | None = None) -> None:
        self._endpoint = endpoint
        self._before_call = before_call
        self._patches = Patches()
        self._twins: dict[int, tuple[Any, Any]] = {}  # id of a client → (the client, kept alive; its twin)
        actions: dict[str, Callable[[ModuleType], None]] = {
            "socket": lambda module: refuse_aws(self._patches, module),
            "botocore.session": self._patch_session,
            "botocore.client": self._patch_client,
        }
        actions.update(dict.fromkeys(TELEMETRY_MODULES, self._opt_out))
        self._hook = AfterImport(actions)

    def __enter__(self) -> None:
        self._hook.install()
        os.environ[ENDPOINT_VARIABLE] = self._endpoint.as_text()

    def __exit__(self, *exc_info: object) -> None:
        os.environ.pop(ENDPOINT_VARIABLE, None)
        self._hook.remove()
        self._patches.undo()
        self._twins.clear()

    def _patch_session(self, module: ModuleType) -> None:
        self._patches.replace(module.Session, "get_credentials", lambda _: lambda _session: self._credentials())
        self._patches.replace(module.Session, "get_scoped_config", lambda _: lambda _session: {})

    def _patch_client(self, module: ModuleType) -> None:
        def through_twin(make_api_call: Callable[..., Any]) -> Callable[..., Any]:
            def call(client: Any, operation_name: str, api_params: Any) -> Any:
                if self._before_call:
                    self._before_call(f"{client.meta.service_model.service_name}:{operation_name}", api_params)
                return make_api_call(self._twin(client), operation_name, api_params)

            return call

        self._patches.replace(module.BaseClient, "_make_api_call", through_twin)

    def _opt_out(self, module: ModuleType) -> None:
        def opted_out(resolve: Callable[..., Any]) -> Callable[..., Any]:
            def resolve_value(*args: Any, **kwargs: Any) -> Any:
                wants_telemetry = module.TELEMETRY_OPT_OUT_PATH in (*args, *kwargs.values())
                return True if wants_telemetry else resolve(*args, **kwargs)

            return resolve_value

        self._patches.replace(module, "resolve_value_from_config", opted_out)
        if hasattr(module, "TELEMETRY_OPT_OUT_MESSAGING"):  # SDK v2 announces before it asks
            self._patches.replace(module, "TELEMETRY_OPT_OUT_MESSAGING", lambda _: TELEMETRY_IS_OFF)

    def _credentials(self) -> Any:
        from botocore.credentials import Credentials

        return Credentials(self._endpoint.access_key, self._endpoint.secret_key)

    def _twin(self, client: Any) -> Any:
        known = self._twins.get(id(client))
        if known is None:
            known = self._twins[id(client)] = (client, make_twin(client, self._endpoint))
        return known[1]


def make_twin(client: Any, endpoint: Endpoint) -> Any:
    """A client of the same service and region whose calls go to the endpoint and raise the given client's exceptions."""
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    session.register_component("data_loader", client._loader)  # noqa: SLF001 - the service model that it has loaded
    twin = session.create_client(
        client.meta.service_model.service_name,
        region_name=client.meta.region_name or endpoint.region,
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        config=Config(s3={"addressing_style": "path"}, proxies={}, retries={"mode": "standard", "max_attempts": 1}),
    )
    twin._exceptions = client.exceptions  # noqa: SLF001 - `except client.exceptions.NoSuchKey` compares classes
    twin.meta.events.register("before-call", _name_the_call)
    return twin


def _name_the_call(model: Any, params: Any, **_: Any) -> None:
    params["headers"][CALL_HEADER] = f"{model.service_model.service_name}:{model.name}"


def loaded(module_name: str, attribute: str) -> Any:
    """An attribute of a module that the author has imported, None otherwise."""
    return getattr(sys.modules.get(module_name), attribute, None)
