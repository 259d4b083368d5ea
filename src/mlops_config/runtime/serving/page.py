"""The server's page for people: what serves, which columns it takes, and a request to copy."""

import base64
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from mlops_config.runtime.serving.columns import InputColumn
from mlops_config.runtime.serving.description import Serving
from mlops_config.runtime.serving.limits import Limits

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
).encode()
"""The page loads nothing and runs nothing, whatever a column is called."""

_TYPES = {
    "integral": "whole number",
    "fractional": "number",
    "string": "text",
    "boolean": "true or false",
    "timestamp": "time, ISO 8601",
}
_SHOWN_LEVELS = 24


class _Line(NamedTuple):
    name: str
    type: str
    values: str
    levels: tuple[Any, ...]
    more_levels: int
    needed: str


def render(serving: Serving, limits: Limits, *, url: str, prediction: Any) -> bytes:
    """The page as HTML; everything that comes from a file of others is escaped.

    Args:
        serving: What serves.
        limits: Told to the reader.
        url: Where the server is reached, for the example.
        prediction: What the model predicts for the example.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    body = json.dumps({"rows": [dict(serving.example)]}, indent=2, ensure_ascii=False)
    answer = {
        "model_version": serving.model_version,
        "config_digest": serving.config_digest,
        "predictions": [{"prediction_id": f"{serving.job_id}-1", "prediction": prediction}],
    }
    columns = serving.columns
    return (
        environment.get_template("page.html")
        .render(
            style=_STYLE,
            serving=serving,
            limits=limits,
            kind=serving.schema.target.problem_type.replace("_", " "),
            features=[_line(column) for column in columns if not column.is_identifier],
            identifiers=[_line(column) for column in columns if column.is_identifier],
            request=_curl(url, body),
            answer=json.dumps(answer, indent=2, ensure_ascii=False),
        )
        .encode()
    )


def _curl(url: str, body: str) -> str:
    lines = (
        f"curl {shlex.quote(f'{url}/predict')}",
        "--header 'content-type: application/json'",
        f"--data {shlex.quote(body)}",
    )
    return " \\\n  ".join(lines)


def _line(column: InputColumn) -> _Line:
    low, high = column.bounds
    values = ""
    if low is not None and high is not None:
        values = f"{low:g} to {high:g}"
    elif low is not None:
        values = f"at least {low:g}"
    elif high is not None:
        values = f"at most {high:g}"
    domain = column.domain or ()
    needed = "required" if column.must_be_given else "optional"
    if column.must_be_given and column.nullable:
        needed = "required, may be null"
    return _Line(
        column.name,
        _TYPES[column.feature.type],
        values,
        domain[:_SHOWN_LEVELS],
        max(0, len(domain) - _SHOWN_LEVELS),
        needed,
    )
