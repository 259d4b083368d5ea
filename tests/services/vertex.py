"""Vertex AI on loopback: a small server that keeps models and endpoints, and is strict about their form.

Every request is read into the message type of Google's own client and turned back into method and address by
that client's rules (``transcode``): a field that does not exist, a required one that is missing, or another
address is an error that fails the test. Every answer is made from the message types too. Long-running
operations end by themselves, two requests after the one that began them. What a model does is in its last
folder: ``gs://bucket/<version>-<good, dies or wrong>``.
"""

import importlib.util
import json
import re
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.services import unavailable

PROJECT, LOCATION = "acme-fares-prod", "europe-west4"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
TOKEN = "Bearer of-a-test"
GOOD, DIES = "good", "dies"
SERVICES = ("endpoint", "model", "prediction")
_CLIENT = "google.cloud.aiplatform_v1"


@cache
def google() -> Any:
    """The message types we use of Google's client, by name.

    Importing the client as a whole takes six seconds, for its hundred services. So its packages are stood in
    for by empty ones with the same folders, and only the modules of three services are imported.
    """
    spec = importlib.util.find_spec("google.cloud")
    places = list(spec.submodule_search_locations or ()) if spec else []
    root = next(
        (Path(place, "aiplatform_v1") for place in places if Path(place, "aiplatform_v1").is_dir()), None
    )
    if root is None:
        unavailable("no message types of Vertex AI: pip install google-cloud-aiplatform")
    for part in (
        "",
        ".types",
        ".services",
        *(f".services.{each}_service{end}" for each in SERVICES for end in ("", ".transports")),
    ):
        package = types.ModuleType(_CLIENT + part)
        package.__path__ = [str(root.joinpath(*part.split(".")))]
        sys.modules.setdefault(package.__name__, package)
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in ("endpoint", "model", *(f"{service}_service" for service in SERVICES)):
            found |= vars(importlib.import_module(f"{_CLIENT}.types.{each}"))
    return found


# Operation: HTTP method, address, service of the client, where the request's body goes, its path field.
_P = r"(projects/[^/:]+/locations/[^/:]+)"
ROUTES: Mapping[str, tuple[str, str, str, str | None, str]] = {
    "UploadModel": ("POST", rf"{_P}/models:upload", "model", "*", "parent"),
    "ListModels": ("GET", rf"{_P}/models", "model", None, "parent"),
    "GetModel": ("GET", rf"({_P}/models/[^/:]+)", "model", None, "name"),
    "UpdateModel": ("PATCH", rf"({_P}/models/[^/:]+)", "model", "model", ""),
    "DeleteModel": ("DELETE", rf"({_P}/models/[^/:]+)", "model", None, "name"),
    "CreateEndpoint": ("POST", rf"{_P}/endpoints", "endpoint", "endpoint", "parent"),
    "ListEndpoints": ("GET", rf"{_P}/endpoints", "endpoint", None, "parent"),
    "GetEndpoint": ("GET", rf"({_P}/endpoints/[^/:]+)", "endpoint", None, "name"),
    "UpdateEndpoint": ("PATCH", rf"({_P}/endpoints/[^/:]+)", "endpoint", "endpoint", ""),
    "DeleteEndpoint": ("DELETE", rf"({_P}/endpoints/[^/:]+)", "endpoint", None, "name"),
    "DeployModel": ("POST", rf"({_P}/endpoints/[^/:]+):deployModel", "endpoint", "*", "endpoint"),
    "UndeployModel": ("POST", rf"({_P}/endpoints/[^/:]+):undeployModel", "endpoint", "*", "endpoint"),
    "Predict": ("POST", rf"({_P}/endpoints/[^/:]+):predict", "prediction", "*", "endpoint"),
    "ListOperations": ("GET", rf"({_P}/endpoints/[^/:]+)/operations", "", None, "name"),
    "GetOperation": ("GET", rf"({_P}/.*operations/[^/:]+)", "", None, "name"),
}


class RefusedError(Exception):
    """The request is answered with an error, in Google's form."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


@dataclass
class Vertex:
    """What the server knows. Tests read ``requests`` (operation and JSON) and may fill ``refusals``."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, RefusedError] = field(default_factory=dict)
    address: str = ""
    _reserved: set[str] = field(default_factory=set)
    _number: int = 0

    def authenticate(self, token: str | None) -> None:
        """Refuses who has not the token of the tests."""
        if token != TOKEN:
            raise RefusedError(401, "Request had invalid authentication credentials.")

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        """The answer to one request, by its operation."""
        self._go_on()
        for operation, (wanted, pattern, service, where, path_field) in ROUTES.items():
            found = re.fullmatch(rf"/v1/{pattern}", path)
            if found is None or method != wanted:
                continue
            given = {**query}
            if where == "*":
                given |= body
            elif where:
                given[where] = body
            if path_field:
                given[path_field] = found.group(1)
            if service:
                _check_request(operation, service, given, method, path)
            self.requests.append((operation, given))
            if operation in self.refusals:
                raise self.refusals.pop(operation)
            answer: dict[str, Any] = getattr(self, f"_{_snake(operation)}")(given)
            return answer
        raise RefusedError(404, f"no method has the address {method} {path}")

    def _upload_model(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"{given['parent']}/models/{given['modelId']}"
        model = {**given["model"], "name": name, "versionId": "1"}
        self._reserve(name, self.models)
        return self._operation(name, lambda: self.models.update({name: model}), {"model": name})

    def _list_models(self, given: dict[str, Any]) -> dict[str, Any]:
        return _checked("ListModelsResponse", {"models": _filtered(self.models, given["filter"])})

    def _get_model(self, given: dict[str, Any]) -> dict[str, Any]:
        return _checked("Model", _existing(self.models, given["name"]))

    def _update_model(self, given: dict[str, Any]) -> dict[str, Any]:
        model = _existing(self.models, given["model"]["name"])
        _merge(model, given["model"], given["updateMask"])
        return _checked("Model", model)

    def _delete_model(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["name"]
        _existing(self.models, name)
        if any(each["model"] == name for one in self.endpoints.values() for each in one["deployedModels"]):
            raise RefusedError(400, f"{name} is deployed and cannot be deleted")
        return self._operation(name, lambda: self.models.pop(name), {})

    def _create_endpoint(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"{given['parent']}/endpoints/{given['endpointId']}"
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", given["endpointId"]):
            raise RefusedError(400, f"{given['endpointId']} is no endpoint id")
        self._reserve(name, self.endpoints)
        made = {**given["endpoint"], "name": name, "deployedModels": [], "trafficSplit": {}, "etag": "0"}
        return self._operation(name, lambda: self.endpoints.update({name: made}), {"name": name})

    def _list_endpoints(self, given: dict[str, Any]) -> dict[str, Any]:
        return _checked("ListEndpointsResponse", {"endpoints": _filtered(self.endpoints, given["filter"])})

    def _get_endpoint(self, given: dict[str, Any]) -> dict[str, Any]:
        return _checked("Endpoint", _existing(self.endpoints, given["name"]))

    def _update_endpoint(self, given: dict[str, Any]) -> dict[str, Any]:
        change = given["endpoint"]
        endpoint = _existing(self.endpoints, change["name"])
        if change.get("etag", endpoint["etag"]) != endpoint["etag"]:
            raise RefusedError(409, "the endpoint was changed in between (etag)")
        if "trafficSplit" in given["updateMask"]:
            _check_split(endpoint, change["trafficSplit"])
        _merge(endpoint, change, given["updateMask"])
        return self._changed(endpoint)

    def _delete_endpoint(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["name"]
        if _existing(self.endpoints, name)["deployedModels"]:
            raise RefusedError(400, f"{name} has deployed models and cannot be deleted")
        return self._operation(name, lambda: self.endpoints.pop(name), {})

    def _deploy_model(self, given: dict[str, Any]) -> dict[str, Any]:
        endpoint = _existing(self.endpoints, given["endpoint"])
        deployed = {**given["deployedModel"], "id": self._new_id()}
        model = _existing(self.models, deployed["model"])
        split = {
            deployed["id"] if key == "0" else key: value
            for key, value in given.get("trafficSplit", {}).items()
        }

        def effect() -> None:
            endpoint["deployedModels"] = [*endpoint["deployedModels"], deployed]
            if split:
                _check_split(endpoint, split)
                endpoint["trafficSplit"] = split
            self._changed(endpoint)

        error = (
            "Model server never became ready: the model is damaged." if behaviour(model)[1] == DIES else ""
        )
        return self._operation(endpoint["name"], effect, {"deployedModel": deployed}, error=error)

    def _undeploy_model(self, given: dict[str, Any]) -> dict[str, Any]:
        endpoint, identifier = _existing(self.endpoints, given["endpoint"]), given["deployedModelId"]
        if endpoint["trafficSplit"].get(identifier, 0):
            raise RefusedError(400, f"deployed model {identifier} has traffic and cannot be undeployed")

        def effect() -> None:
            endpoint["deployedModels"] = [
                each for each in endpoint["deployedModels"] if each["id"] != identifier
            ]
            self._changed(endpoint)

        return self._operation(endpoint["name"], effect, {})

    def _predict(self, given: dict[str, Any]) -> dict[str, Any]:
        endpoint = _existing(self.endpoints, given["endpoint"])
        split = endpoint["trafficSplit"]
        if not split:
            raise RefusedError(400, "the endpoint has no deployed model with traffic")
        most = max(split, key=lambda key: split[key])
        [deployed] = [each for each in endpoint["deployedModels"] if each["id"] == most]
        version, kind = behaviour(_existing(self.models, deployed["model"]))
        value = version if kind == GOOD else None
        predictions = [
            {"prediction_id": f"x-{number}", "prediction": value}
            for number, _ in enumerate(given["instances"])
        ]
        return _checked("PredictResponse", {"predictions": predictions, "deployedModelId": most})

    def _list_operations(self, given: dict[str, Any]) -> dict[str, Any]:
        _existing(self.endpoints, given["name"])
        prefix = f"{given['name']}/operations/"
        names = [name for name in self.operations if name.startswith(prefix)]
        return {"operations": [self._shown(name) for name in names]}

    def _get_operation(self, given: dict[str, Any]) -> dict[str, Any]:
        _existing(self.operations, given["name"])
        return self._shown(given["name"])

    def _shown(self, name: str) -> dict[str, Any]:
        operation = self.operations[name]
        if operation["left"]:
            return {"name": name}
        if operation["error"]:
            return {"name": name, "done": True, "error": {"code": 9, "message": operation["error"]}}
        return {"name": name, "done": True, "response": operation["response"]}

    def _go_on(self) -> None:
        """Time passes: what is under way is a step nearer to its end."""
        for operation in self.operations.values():
            if operation["left"]:
                operation["left"] -= 1
                if not operation["left"] and not operation["error"]:
                    operation["effect"]()

    def _operation(self, name: str, effect: Any, response: Any, *, error: str = "") -> dict[str, Any]:
        operation = f"{name}/operations/{self._new_id()}"
        self.operations[operation] = {"left": 2, "effect": effect, "response": response, "error": error}
        return {"name": operation}

    def _reserve(self, name: str, there: Mapping[str, Any]) -> None:
        under_way = (each for each, operation in self.operations.items() if operation["left"])
        if name in there or any(each.startswith(f"{name}/operations/") for each in under_way):
            raise RefusedError(409, f"{name} already exists")

    def _changed(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        endpoint["etag"] = str(int(endpoint["etag"]) + 1)
        return _checked("Endpoint", endpoint)

    def _new_id(self) -> str:
        self._number += 1
        return str(1_000_000 + self._number)


def behaviour(model: Mapping[str, Any]) -> tuple[int, str]:
    """Version and kind of the model, from its package's address."""
    version, _, kind = model["artifactUri"].rpartition("/")[2].partition("-")
    return int(version), kind


def _check_request(operation: str, service: str, given: dict[str, Any], method: str, path: str) -> None:
    """Raises unless Google's client would send this very request."""
    from google.api_core.path_template import transcode

    message = _parsed(f"{operation}Request", given)
    missing = _missing(message)
    if missing:
        raise RefusedError(400, f"{operation} lacks the required {', '.join(missing)}")
    sent = transcode(_rules(operation, service), message)  # type: ignore[no-untyped-call]  # Google's
    if (sent["method"].upper(), sent["uri"]) != (method, path):
        raise RefusedError(404, f"{operation} is {sent['method']} {sent['uri']}, not {method} {path}")


def _parsed(name: str, given: Mapping[str, Any]) -> Any:
    from google.protobuf import json_format

    kind = google()[name].pb()
    try:
        return json_format.ParseDict(given, kind(), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        raise RefusedError(400, f"Invalid JSON payload received. {error}") from error


def _missing(message: Any, prefix: str = "") -> list[str]:
    """Required fields that have no value, in the message and those in it."""
    from google.api import field_behavior_pb2

    found = []
    present = {each.name: value for each, value in message.ListFields()}
    for each in message.DESCRIPTOR.fields:
        behaviours = each.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if field_behavior_pb2.REQUIRED in behaviours and each.name not in present:
            found.append(f"{prefix}{each.name}")
    for name, value in present.items():
        if hasattr(value, "ListFields"):
            found += _missing(value, f"{prefix}{name}.")
    return found


@cache
def _rules(operation: str, service: str) -> Any:
    google()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module(f"{_CLIENT}.services.{service}_service.transports.rest_base")
    base = getattr(module, f"_Base{service.title()}ServiceRestTransport")
    return getattr(base, f"_Base{operation}")._get_http_options()


def _checked(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as Google's message type writes it."""
    from google.protobuf import json_format

    written: dict[str, Any] = json_format.MessageToDict(_parsed(kind, document))
    return written


def _check_split(endpoint: Mapping[str, Any], split: Mapping[str, int]) -> None:
    known = {each["id"] for each in endpoint["deployedModels"]}
    if split and (sum(split.values()) != 100 or not set(split) <= known):
        raise RefusedError(400, f"traffic_split {split} must add up to 100 over deployed models")


def _existing(there: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in there:
        raise RefusedError(404, f"{name} is not found.")
    return there[name]


def _filtered(there: Mapping[str, dict[str, Any]], expression: str) -> list[dict[str, Any]]:
    found = re.fullmatch(r"labels\.([a-z0-9_-]+)=([a-z0-9_-]+)", expression)
    if found is None:
        raise RefusedError(400, f"the filter {expression} is not understood")
    return [each for each in there.values() if each.get("labels", {}).get(found[1]) == found[2]]


def _merge(resource: dict[str, Any], change: Mapping[str, Any], mask: str) -> None:
    for name in mask.split(","):
        resource[name] = change.get(name, {})


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.fixture(scope="session")
def vertex_server() -> Iterator[Vertex]:
    """A running Vertex AI, shared by the session; tests leave it empty."""
    google()
    vertex, lock = Vertex(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # Head and body in one packet: two wait for each other (Nagle, delayed ACK).

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null")
            try:
                with lock:
                    vertex.authenticate(self.headers.get("Authorization"))
                    document = vertex.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body)
                self._send(200, document)
            except RefusedError as refused:
                details = [{"reason": refused.reason}] if refused.reason else []
                error = {"code": refused.status, "message": str(refused), "details": details}
                self._send(refused.status, {"error": error})

        def _send(self, status: int, document: Any) -> None:
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 named by the standard library

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        vertex.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield vertex
        server.shutdown()
        thread.join()
