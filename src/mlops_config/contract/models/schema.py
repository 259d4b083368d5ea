"""The JSON Schema of each kind, made from its model: for editors, other languages, and checks outside Python.

A file that a model accepts is accepted by its schema. The other way round a schema says less in a few places,
which :data:`ONLY_THE_MODEL_CHECKS` names.
"""

from datetime import timedelta
from typing import Any

import pydantic_core
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.scalar_checks import format_duration
from mlops_config.kinds import Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BASE_URI = "https://raw.githubusercontent.com/org/mlops-config-action/v1/schemas"

ONLY_THE_MODEL_CHECKS = {
    "duration bounds": "a schema knows the form of a duration, not how long it is",
    "cron expressions": "a schema knows five fields, not that 31 February never comes",
    "time zones": "a schema knows the form of a zone's name, not the IANA database",
    "instants": "a schema knows the form of an instant, not that June has 30 days",
    "whole numbers with a fraction": "1.0 is an integer to JSON Schema; the contract wants 1",
}
"""What a schema accepts though the model refuses it, and why."""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, with defaults that are models written out and without titles made from names.

    Where keys have a pattern, pydantic lets other keys pass (``patternProperties``); here those are refused.
    """

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        document = super().generate(schema, mode)
        _drop_discriminators(document)
        return document

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        document = super().dict_schema(schema)
        document.pop("patternProperties", None)
        document["propertyNames"] = self.generate_inner(schema["keys_schema"])
        document["additionalProperties"] = self.generate_inner(schema["values_schema"])
        return document

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return False

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        factory: Any = schema.get("default_factory")
        return super().get_default_value(schema) if factory is None else factory()

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json")
        return format_duration(dft) if isinstance(dft, timedelta) else pydantic_core.to_jsonable_python(dft)


def json_schema(kind: Kind, model: type[BaseModel] | None = None) -> dict[str, Any]:
    """The JSON Schema, draft 2020-12, of one kind of file; ``model`` stands in for the contract's own.

    Every property has its description, its default where it has one, and examples of its form.
    """
    chosen = model or MODELS[kind]
    body = chosen.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = body.pop("$defs", {})
    return {
        "$schema": DIALECT,
        "$id": f"{BASE_URI}/{kind}.schema.json",
        **body,
        "title": f"{kind.value.capitalize()} configuration, contract v1",
        "$defs": definitions,
    }


def _drop_discriminators(value: Any) -> None:
    """Takes out the keyword ``discriminator``, which is OpenAPI's and no part of JSON Schema."""
    if isinstance(value, dict):
        if "propertyName" in value.get("discriminator", ()):
            del value["discriminator"]
        for entry in value.values():
            _drop_discriminators(entry)
    elif isinstance(value, list):
        for entry in value:
            _drop_discriminators(entry)
