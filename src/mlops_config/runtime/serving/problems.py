"""What a refused or failed request is answered with: RFC 9457 problem details, naming row and field."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json

MEDIA_TYPE = b"application/problem+json"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the request. ``row`` counts from 0."""

    detail: str
    row: int | None = None
    field: str | None = None

    def document(self) -> dict[str, Any]:
        """The fault as JSON: ``detail``, and ``row`` and ``field`` where it is about one."""
        place = {"row": self.row, "field": self.field}
        return {"detail": self.detail} | {name: value for name, value in place.items() if value is not None}


class Problem(Exception):  # noqa: N818 the field's word for it: RFC 9457
    """The request is answered with ``status`` and this instead of predictions.

    ``type`` stays ``about:blank``: the status says what kind of problem it is, ``errors`` say where.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        error_count: int | None = None,
        refused_rows: int = 0,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.error_count = len(self.errors) if error_count is None else error_count
        self.refused_rows = refused_rows
        self.headers = tuple(headers)

    def body(self) -> bytes:
        """The problem document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [fault.document() for fault in self.errors]
            document["error_count"] = self.error_count
        return to_json(document)
