"""The server's OpenAPI 3.1 document, made from the package's columns."""

from typing import Any

from mlops_config.contract.models.tables import Target
from mlops_config.digests import DIGEST_PATTERN
from mlops_config.runtime.serving.columns import InputColumn
from mlops_config.runtime.serving.description import Serving
from mlops_config.runtime.serving.limits import Limits

_TYPES = {"integral": "integer", "fractional": "number", "boolean": "boolean"}
_PROBLEMS = {
    "400": "The body is no JSON, or no CSV.",
    "408": "The body did not arrive in time.",
    "413": "The body or the number of rows is above the limit.",
    "415": "The body is neither JSON nor CSV, or compressed.",
    "422": "Rows break the schema: `errors` names row and field.",
    "500": "The model failed on these rows.",
    "503": "Too many rows wait for the model, or the server is ending.",
}


def document(serving: Serving, limits: Limits, *, predict_route: str, health_route: str) -> dict[str, Any]:
    """The OpenAPI document; routes of Vertex AI are in it where they differ from ours."""
    paths: dict[str, Any] = {
        "/predict": {"post": _predict("predict", limits)},
        "/invocations": {"post": _invocations(limits)},
        "/healthz": _probe("health", "The process is alive.", None),
        "/readyz": _probe("readiness", "Ready to take traffic.", "Not ready, or ending."),
        "/ping": _probe("ping", "Ready to take traffic; SageMaker's name for it.", "Not ready, or ending."),
        "/metrics": {"get": _text("metrics", "Prometheus metrics.", "text/plain")},
        "/openapi.json": {"get": _openapi()},
        "/docs": {"get": _text("docs", "A page for people.", "text/html")},
    }
    if predict_route not in paths:
        paths[predict_route] = {"post": _predict("predictOnVertex", limits)}
    if health_route not in paths:
        paths[health_route] = _probe("healthOnVertex", "Ready to take traffic.", "Not ready, or ending.")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{serving.project} {serving.model_name}",
            "version": str(serving.model_version),
            "description": (
                f"Predicts `{serving.schema.target.name}` in {serving.environment}."
                f" Configuration `{serving.config_digest}`."
            ),
        },
        "paths": paths,
        "components": {"schemas": _schemas(serving, limits), "responses": _problem_responses()},
    }


def column_schema(column: InputColumn) -> dict[str, Any]:
    """JSON Schema of one value."""
    kind = column.feature.type
    found: dict[str, Any] = {"type": _TYPES.get(kind, "string")}
    if kind == "timestamp":
        found["format"] = "date-time"
    low, high = column.bounds
    if low is not None:
        found["minimum"] = low
    if high is not None:
        found["maximum"] = high
    if column.domain is not None:
        found["enum"] = list(column.domain)
    if column.nullable:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


def _schemas(serving: Serving, limits: Limits) -> dict[str, Any]:
    columns = serving.columns
    prediction_id = {
        "type": "string",
        "pattern": "^[0-9a-f]{16}-[0-9]+$",
        "description": "Names the prediction; `mlops-config trace` leads from it to the configuration.",
    }
    identity = {
        "model_version": {"type": "integer", "minimum": 1},
        "config_digest": {"type": "string", "pattern": f"^{DIGEST_PATTERN}$"},
        "ignored_fields": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names in the rows that are no column of the model; at most 20.",
        },
    }
    output = _output(serving.schema.target)
    return {
        "Row": {
            "type": "object",
            "properties": {column.name: column_schema(column) for column in columns},
            "required": [column.name for column in columns if column.must_be_given],
            "description": "Other members are ignored, and named in the answer.",
            "examples": [dict(serving.example)],
        },
        "Rows": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Row"},
            "minItems": 1,
            "maxItems": limits.max_rows,
        },
        "Predictions": {
            "type": "object",
            "required": ["model_version", "config_digest", "predictions"],
            "properties": {
                **identity,
                "predictions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["prediction_id", "prediction"],
                        "properties": {"prediction_id": prediction_id, "prediction": output},
                    },
                },
            },
        },
        "MlflowPredictions": {
            "type": "object",
            "required": ["model_version", "config_digest", "predictions", "prediction_ids"],
            "properties": {
                **identity,
                "predictions": {"type": "array", "items": output},
                "prediction_ids": {"type": "array", "items": prediction_id},
            },
        },
        "Problem": _problem_schema(),
    }


def _output(target: Target) -> dict[str, Any]:
    if target.problem_type == "regression":
        return {"type": "number"}
    if target.problem_type == "multiclass_classification" and target.classes:
        return {"enum": list(target.classes)}
    return {"type": ["string", "integer", "boolean", "number"]}


def _problem_schema() -> dict[str, Any]:
    fault = {
        "type": "object",
        "required": ["detail"],
        "properties": {
            "detail": {"type": "string"},
            "row": {"type": "integer", "minimum": 0, "description": "Counted from 0."},
            "field": {"type": "string"},
        },
    }
    return {
        "type": "object",
        "description": "RFC 9457 problem details.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": fault, "maxItems": 20},
            "error_count": {"type": "integer", "description": "Of all of them, shown or not."},
        },
    }


def _problem_responses() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        f"Problem{status}": {"description": text, "content": content} for status, text in _PROBLEMS.items()
    }


def _rows_under(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"$ref": "#/components/schemas/Rows"}},
    }


def _split_form() -> dict[str, Any]:
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}},
        },
    }
    return {"type": "object", "required": ["dataframe_split"], "properties": {"dataframe_split": split}}


def _predict(name: str, limits: Limits) -> dict[str, Any]:
    answers = {"application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}}}
    forms = [_rows_under("rows"), _rows_under("instances")]
    return _operation(name, "Predict rows.", forms, answers, limits)


def _invocations(limits: Limits) -> dict[str, Any]:
    schemas = ("Predictions", "MlflowPredictions")
    answers = {
        "application/json": {
            "schema": {"anyOf": [{"$ref": f"#/components/schemas/{one}"} for one in schemas]}
        }
    }
    forms = [_rows_under(one) for one in ("rows", "instances", "dataframe_records")]
    summary = "Predict rows, as SageMaker and MLflow ask for it."
    return _operation("invocations", summary, [*forms, _split_form()], answers, limits)


def _operation(
    name: str, summary: str, forms: list[dict[str, Any]], answers: dict[str, Any], limits: Limits
) -> dict[str, Any]:
    csv = {"schema": {"type": "string", "description": "CSV in UTF-8; the first line names the columns."}}
    answered = {**answers, "text/csv": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"At most {limits.max_rows:,} rows and {limits.max_body_bytes:,} bytes in a request.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": forms}}, "text/csv": csv},
        },
        "responses": {
            "200": {"description": "Predictions in the order of the rows.", "content": answered},
            **{status: {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS},
        },
    }


def _probe(name: str, fine: str, refused: str | None) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    responses = {"200": {"description": fine, "content": content}}
    if refused:
        responses["503"] = {"description": refused, "content": content}
    return {"get": {"operationId": name, "summary": fine, "responses": responses}}


def _text(name: str, summary: str, media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }


def _openapi() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": content}},
    }
