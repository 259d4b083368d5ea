"""The compiled contract gives the verdicts and the values of the model classes, and is up to date."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mlops_config.contract.compiled import COMPILED_PATH, StandIn, load_validators
from mlops_config.contract.models.by_kind import MODELS
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

ROOT = Path(__file__).parents[2]
EXAMPLES = [*sorted(ROOT.glob("configs/*/*.yaml")), *sorted(ROOT.glob("examples/minimal/configs/*/*.yaml"))]

VALIDATORS = load_validators() or {}


def data_of(path: Path) -> tuple[Kind, Any]:
    document = read_document(path.read_bytes(), path.name)
    return Kind(document.data["kind"]), document.data


def places_in(value: Any, path: ConfigPath = ()) -> Iterator[ConfigPath]:
    yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places_in(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from places_in(entry, (*path, index))


def with_value(data: Any, path: ConfigPath, value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    entries = dict(data) if isinstance(data, dict) else list(data)
    entries[step] = with_value(data[step], rest, value)  # type: ignore[index,call-overload]  # dict or list by step
    return entries


def unwrapped(value: Any) -> Any:
    """The values of a model or stand-in as plain data, named by their classes."""
    if isinstance(value, BaseModel | StandIn):
        return type(value).__name__, {name: unwrapped(entry) for name, entry in vars(value).items()}
    if isinstance(value, dict):
        return {key: unwrapped(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [unwrapped(entry) for entry in value]
    return value


def errors_of(validator: Any, data: Any) -> list[Any]:
    try:
        validator.validate_python(data)
    except ValidationError as error:
        return [(each["type"], each["loc"], each["msg"]) for each in error.errors(include_url=False)]
    return []


def test_the_file_is_what_the_models_compile_to() -> None:
    command = [sys.executable, str(ROOT / "tools" / "compile_contract.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gives_the_values_its_model_has(path: Path) -> None:
    kind, data = data_of(path)
    model = MODELS[kind].__pydantic_validator__.validate_python(data)
    assert unwrapped(VALIDATORS[kind].validate_python(data)) == unwrapped(model)


@given(st.data())
def test_a_changed_example_gets_the_errors_its_model_finds(data: st.DataObject) -> None:
    kind, example = data_of(data.draw(st.sampled_from(EXAMPLES)))
    path = data.draw(st.sampled_from(list(places_in(example))))
    scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5)
    changed = with_value(example, path, data.draw(scalars | st.just({}) | st.just([]) | st.just({"x": 1})))
    assert errors_of(VALIDATORS[kind], changed) == errors_of(MODELS[kind].__pydantic_validator__, changed)


def test_equal_values_are_equal_and_others_are_not() -> None:
    kind, data = data_of(EXAMPLES[0])
    first, second = (VALIDATORS[kind].validate_python(data) for _ in range(2))
    other = VALIDATORS[kind].validate_python(with_value(data, ("metadata", "project"), "other-project"))
    assert first == second
    assert first != other


def test_a_file_for_another_pydantic_core_is_left_alone(tmp_path: Path) -> None:
    text = COMPILED_PATH.read_text(encoding="utf-8")
    other = tmp_path / "compiled.json"
    other.write_text(text.replace('"pydantic_core":"', '"pydantic_core":"0.'), encoding="utf-8")
    assert load_validators(other) is None


def test_whoever_imports_pydantic_after_the_bare_extension_gets_all_of_it() -> None:
    program = """
from mlops_config.contract.core import SchemaValidator, ValidationError
from mlops_config.contract.compiled import load_validators
assert load_validators()
import sys
assert "pydantic_core" not in sys.modules
import pydantic_core, pydantic_core.core_schema
from pydantic import BaseModel
assert pydantic_core.ValidationError is ValidationError
assert pydantic_core.SchemaValidator is SchemaValidator
class Model(BaseModel):
    number: int
try:
    Model(number="x")
except ValidationError as error:
    print(error.errors()[0]["type"])
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.stdout == "int_parsing\n", finished.stderr
