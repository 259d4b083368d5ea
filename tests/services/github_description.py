"""Requests and answers held against GitHub's published OpenAPI description (``github_openapi.json``)."""

import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_schema_validator import OAS30Validator
from werkzeug.datastructures import Headers, ImmutableMultiDict

DESCRIPTION = Path(__file__).with_name("github_openapi.json")
HOST = "https://api.github.com"
SERVED_VERSIONS = ("2022-11-28",)


@dataclass
class Request:
    """One request as it came in. ``path_in_description`` lacks an Enterprise Server's prefix."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""
    path_in_description: str = ""

    @property
    def path(self) -> str:
        """The path as sent: ``%2F`` is not a slash."""
        return urlsplit(self.target).path

    @cached_property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Answer:
    """One answer; ``document`` ``None`` is an empty body."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The document as JSON."""
        return b"" if self.document is None else json.dumps(self.document).encode()


class Description:
    """Says what is wrong with a request or an answer, in sentences; an empty list is nothing."""

    def __init__(self) -> None:
        self._openapi, self._document = _loaded()

    def problems_of_request(self, request: Request) -> list[str]:
        """Parameters, body and headers; a property the description does not know is a problem too."""
        where = f"{request.method} {request.target}"
        problems = []
        try:
            self._openapi.validate_request(_DescribedRequest(request))
        except OpenAPIError as error:
            problems.append(f"{where}: {_worded(error)}")
        else:
            problems += [f"{where}: unknown property {name}" for name in self._unknown_properties(request)]
        if request.headers.get("x-github-api-version") not in SERVED_VERSIONS:
            problems.append(f"{where}: X-GitHub-Api-Version names no version that is served")
        if request.headers.get("accept") != "application/vnd.github+json":
            problems.append(f"{where}: Accept is not application/vnd.github+json")
        return problems

    def problems_of_answer(self, request: Request, answer: Answer) -> list[str]:
        """The answer to ``request``; refusals the description leaves out must be of GitHub's common form."""
        if not request.path_in_description:
            return []
        where = f"answer {answer.status} to {request.method} {request.target}"
        try:
            self._openapi.validate_response(_DescribedRequest(request), _DescribedAnswer(answer))
        except ResponseNotFound:
            if answer.status < 300:
                return [f"{where}: the description knows no such status"]
            schema = {"$ref": "#/components/schemas/basic-error", "components": self._document["components"]}
            return [
                f"{where}: {error.message}" for error in OAS30Validator(schema).iter_errors(answer.document)
            ]
        except OpenAPIError as error:
            return [f"{where}: {_worded(error)}"]
        return []

    def _unknown_properties(self, request: Request) -> list[str]:
        if not request.body:
            return []
        segments = request.path_in_description.split("/")
        for template, operations in self._document["paths"].items():
            parts = template.split("/")
            fits = len(parts) == len(segments) and all(
                part.startswith("{") or part == segment for part, segment in zip(parts, segments, strict=True)
            )
            if fits and request.method.lower() in operations:
                body = operations[request.method.lower()]["requestBody"]["content"]["application/json"][
                    "schema"
                ]
                return sorted(set(request.document) - set(body["properties"]))
        return []


@cache
def _loaded() -> tuple[OpenAPI, dict[str, Any]]:
    document = json.loads(DESCRIPTION.read_text("utf-8"))
    return OpenAPI.from_dict(document), document


class _DescribedRequest:
    """A request as openapi-core reads one."""

    def __init__(self, request: Request) -> None:
        self.host_url = HOST
        self.path = request.path_in_description
        self.full_url_pattern = HOST + self.path
        self.method = request.method.lower()
        self.body = request.body
        self.content_type = request.headers.get("content-type", "")
        query = parse_qsl(urlsplit(request.target).query)
        self.parameters = RequestParameters(query=ImmutableMultiDict(query), header=Headers(request.headers))


class _DescribedAnswer:
    """An answer as openapi-core reads one."""

    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.content_type = "application/json"
        self.data = answer.body
        self.headers = Headers(answer.headers)


def _worded(error: OpenAPIError) -> str:
    schema_errors = (
        getattr(error.__cause__, "schema_errors", None) or getattr(error, "schema_errors", None) or []
    )
    reasons = "; ".join(f"{'/'.join(map(str, reason.path))} {reason.message}" for reason in schema_errors)
    return f"{error}{f' ({reasons})' if reasons else ''}"
