"""The JSON Schemas: current, valid, and of one mind with the models."""

import importlib.util
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.contract.documents import (
    ROOT,
    at,
    changed,
    document,
    example_files,
    model_of,
    paths_in,
    refusals,
    without,
)

from mlops_config.contract.models.schema import DIALECT, ONLY_THE_MODEL_CHECKS, json_schema
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

VALIDATORS = {kind: Draft202012Validator(json_schema(kind)) for kind in Kind}
WRONG: tuple[object, ...] = (
    None,
    True,
    -1,
    10**10,
    1.5,
    "",
    "no such value",
    "x" * 3000,
    [],
    ["x"],
    {},
    {"type": "x"},
)
"""Values that fit hardly any field; none of them is one of the differences the schema documents."""


def tool(name: str) -> ModuleType:
    """A script of ``tools/`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_files_match_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("generate_schemas").main(["--check"]) == 0, capsys.readouterr().err


def test_the_reference_pages_match_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("generate_contract_docs").main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("kind", Kind)
def test_a_schema_is_valid_and_says_what_it_is(kind: Kind) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"].endswith(f"/schemas/{kind}.schema.json")
    assert kind.value in schema["title"].lower()


@pytest.mark.parametrize("kind", Kind)
def test_every_property_is_described(kind: Kind) -> None:
    schema = json_schema(kind)
    for name, holder in {"": schema, **schema["$defs"]}.items():
        for key, value in holder.get("properties", {}).items():
            described = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
            assert {**described, **value}.get("description"), f"{name}.{key}"


@pytest.mark.parametrize("kind", Kind)
def test_every_optional_property_has_its_default(kind: Kind) -> None:
    schema = json_schema(kind)
    for name, holder in {"": schema, **schema["$defs"]}.items():
        for key, value in holder.get("properties", {}).items():
            assert ("default" in value) is (key not in holder.get("required", ())), f"{name}.{key}"


@pytest.mark.parametrize("kind", Kind)
def test_every_default_passes_its_own_schema(kind: Kind) -> None:
    schema = json_schema(kind)
    for holder in (schema, *schema["$defs"].values()):
        for key, value in holder.get("properties", {}).items():
            if "default" in value:
                own = {"$schema": DIALECT, "$defs": schema["$defs"], **value}
                assert Draft202012Validator(own).is_valid(value["default"]), key


@pytest.mark.parametrize("kind", Kind)
def test_every_example_of_a_text_passes_its_pattern(kind: Kind) -> None:
    for part in parts(json_schema(kind)):
        if "pattern" in part:
            assert part["examples"], part
            for example in part["examples"]:
                assert Draft202012Validator(part).is_valid(example), part


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema in a schema."""
    if isinstance(value, dict):
        yield value
        for entry in value.values():
            yield from parts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from parts(entry)


@pytest.mark.parametrize("path", list(example_files()), ids=lambda path: path.name)
def test_the_examples_pass(path: Any) -> None:
    import yaml

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATORS[Kind(data["kind"])].iter_errors(data)] == []


@pytest.mark.parametrize(
    ("environment", "kind"), [*(("prod", kind) for kind in Kind), ("dev", Kind.INFERENCE)]
)
def test_model_and_schema_agree_on_every_change_of_an_example(environment: str, kind: Kind) -> None:
    data = document(environment, kind)
    assert VALIDATORS[kind].is_valid(data)
    disagreements = []
    refused = 0
    for what, path, mutant in mutants(data):
        by_model = not refusals(kind, mutant)
        by_schema = valid_at(VALIDATORS[kind], path, mutant)
        refused += not by_model
        if by_model is not by_schema:
            disagreements.append((what, "model accepts" if by_model else "schema accepts"))
    assert not disagreements
    assert refused > 200


ALONE = {"$schema", "$id", "$defs", "title", "description", "type", "additionalProperties"} | {
    "examples",
    "properties",
    "required",
}
"""Keywords of a schema under which each property is judged by itself (draft 2020-12, section 10)."""


def valid_at(validator: Draft202012Validator, path: ConfigPath, mutant: dict[str, Any]) -> bool:
    """Whether what was valid still is after a change at ``path``.

    A change inside a section is judged by the section's schema: the other sections are as they were.
    """
    assert set(validator.schema) <= ALONE, "sections depend on each other: judge the whole"
    if len(path) == 1:
        return validator.is_valid(mutant)
    section = validator.evolve(schema=validator.schema["properties"][path[0]])
    return section.is_valid(mutant[str(path[0])])


def mutants(data: dict[str, Any]) -> Iterator[tuple[str, ConfigPath, dict[str, Any]]]:
    """``data`` with one value taken away, added, or replaced by a wrong one: in words, where, all of it."""
    for path in paths_in(data):
        yield f"without {path}", path, without(data, path)
        if isinstance(at(data, path), dict):
            more = (*path, "no such key")
            yield f"more at {path}", more, changed(data, more, 1)
        for value in WRONG if not isinstance(at(data, path), dict | list) else (None, "x", 1, [], {}):
            yield f"{path} = {str(value)[:20]!r}", path, changed(data, path, value)


DIFFERENCES: dict[str, tuple[Kind, ConfigPath, object]] = {
    "duration bounds": (Kind.INFERENCE, ("endpoint", "rollout", "wait"), "PT2H"),
    "cron expressions": (Kind.MONITORING, ("schedule", "cron"), "0 0 31 2 *"),
    "time zones": (Kind.MONITORING, ("schedule", "timezone"), "Europe/Atlantis"),
    "instants": (Kind.RETRAIN, ("guards", "freeze_windows", 0, "start"), "2026-06-31T00:00:00Z"),
    "whole numbers with a fraction": (Kind.TRAINING, ("random_seed",), 1.0),
}


def test_every_documented_difference_has_a_case() -> None:
    assert set(DIFFERENCES) == set(ONLY_THE_MODEL_CHECKS)


@pytest.mark.parametrize(("kind", "path", "value"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_documented_difference_is_one(kind: Kind, path: ConfigPath, value: object) -> None:
    data = changed(document("prod", kind), path, value)
    assert VALIDATORS[kind].is_valid(data)
    assert refusals(kind, data)


def test_a_dumped_model_passes_the_schema() -> None:
    for kind in Kind:
        dumped = json.loads(model_of(document("prod", kind)).model_dump_json())
        assert [error.message for error in VALIDATORS[kind].iter_errors(dumped)] == []


def test_a_teams_own_model_gets_a_schema_too() -> None:
    from mlops_config.contract.models.by_kind import RetrainConfig

    class OurRetrainConfig(RetrainConfig):
        """The contract's, and a ticket."""

        ticket: str

    schema = json_schema(Kind.RETRAIN, OurRetrainConfig)
    assert "ticket" in schema["required"]
