"""The values in force, each with where it comes from."""

import json
import shutil
from pathlib import Path

import pytest

from mlops_config.contract.show import ResolvedValue, render_json, render_text, resolve
from mlops_config.contract.validation import EnvironmentConfigs, validate
from mlops_config.findings import ConfigPath, format_path
from mlops_config.kinds import Kind
from mlops_config.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prod() -> EnvironmentConfigs:
    return validate(ROOT, Settings(), ["prod"]).environment("prod")


@pytest.fixture(scope="module")
def minimal() -> EnvironmentConfigs:
    return validate(ROOT / "examples" / "minimal", Settings(environments=("dev",))).environment("dev")


def value_at(configs: EnvironmentConfigs, kind: Kind, *path: str | int) -> ResolvedValue:
    return next(each for each in resolve(configs) if (each.kind, each.path) == (kind, path))


def test_a_value_of_a_file_names_its_line(prod: EnvironmentConfigs) -> None:
    value = value_at(prod, Kind.TRAINING, "metadata", "environment")
    file = "configs/prod/prod_training_config.yaml"
    assert value.value == "prod"
    path, _, line = value.origin.rpartition(":")
    assert path == file
    assert "environment: prod" in (ROOT / file).read_text().splitlines()[int(line) - 1]


def test_a_default_names_the_field_it_belongs_to(minimal: EnvironmentConfigs) -> None:
    value = value_at(minimal, Kind.TRAINING, "data", "source", "version")
    assert (value.value, value.place, value.origin) == (None, None, "default of DataSource.version")


def test_a_default_below_a_block_that_is_there_is_still_a_default(minimal: EnvironmentConfigs) -> None:
    value = value_at(minimal, Kind.TRAINING, "schema", "features", 0, "required")
    assert value.origin == "default of FractionalFeature.required"


def test_every_value_is_there_once_and_makes_up_the_model(prod: EnvironmentConfigs) -> None:
    values = resolve(prod)
    assert len({(each.kind, each.path) for each in values}) == len(values)
    for kind in Kind:
        rebuilt: dict[ConfigPath, object] = {each.path: each.value for each in values if each.kind is kind}
        flat: dict[ConfigPath, object] = {}

        def flatten(data: object, path: ConfigPath, flat: dict[ConfigPath, object] = flat) -> None:
            entries = (
                data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
            )
            if not data or not isinstance(data, dict | list):
                flat[path] = data
            for step, inner in entries:
                flatten(inner, (*path, step))

        flatten(prod.model(kind).model_dump(mode="json", by_alias=True), ())
        assert rebuilt == flat


def test_durations_are_shown_as_they_are_written(prod: EnvironmentConfigs) -> None:
    assert value_at(prod, Kind.TRAINING, "data", "window").value == "P365D"


def test_an_invalid_file_is_left_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "configs/prod/prod_training_config.yaml").write_text("")
    configs = validate(tmp_path, Settings(), ["prod"]).environment("prod")
    assert {each.kind for each in resolve(configs)} == {Kind.INFERENCE, Kind.MONITORING, Kind.RETRAIN}


def test_text_has_a_line_for_each_value_under_its_file(minimal: EnvironmentConfigs) -> None:
    values = resolve(minimal)
    lines = render_text(values).splitlines()
    assert lines[0] == "training  configs/dev/dev_training_config.yaml"
    assert len([line for line in lines if line.startswith("  ")]) == len(values)
    assert "  random_seed  " in next(line for line in lines if "random_seed" in line)
    assert next(line for line in lines if " kind " in line).endswith("line 3")


def test_json_says_file_and_line_or_default(minimal: EnvironmentConfigs) -> None:
    values = resolve(minimal)
    document = json.loads(render_json(values))
    assert document["schema_version"] == 1
    assert len(document["values"]) == len(values)
    by_path = {(each["kind"], each["path"]): each for each in document["values"]}
    assert by_path["training", "kind"]["origin"] == {
        "file": "configs/dev/dev_training_config.yaml",
        "line": 3,
    }
    version = by_path["training", format_path(("data", "source", "version"))]
    assert version["origin"] == {"default": "DataSource.version"}
