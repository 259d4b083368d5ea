"""The example configurations and their data set: valid, complete, and as the documentation says."""

import csv
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from tests.contract.documents import (
    COMPLETE,
    ENVIRONMENTS,
    MINIMAL,
    ROOT,
    document,
    example_files,
    model_of,
    path_of,
)
from tests.contract.test_schema import tool

from mlops_config.contract.models.by_kind import MODELS, MonitoringConfig, TrainingConfig
from mlops_config.kinds import Kind

SHA256_OF_500_TRIPS = "3f1cf7ad266016ae2589115c53926817f139b070ce66d7427b141d7a6a83887d"
EXAMPLES = list(example_files())


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def dataset() -> ModuleType:
    return tool("make_dataset")


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_the_header_fits_the_place(path: Path) -> None:
    environment, kind = re.fullmatch(r"(\w+)_(\w+)_config\.yaml", path.name).groups()  # type: ignore[union-attr]  # the names are ours
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert data["kind"] == kind
    assert data["metadata"]["environment"] == environment == path.parent.name


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_the_first_line_names_the_schema_for_editors(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    modeline = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert modeline is not None
    schema = (path.parent / modeline[1]).resolve()
    assert schema.is_file()
    assert schema.name.removesuffix(".schema.json") in path.name


@pytest.mark.parametrize("path", EXAMPLES, ids=names)
def test_yaml_1_1_readers_see_the_same(path: Path) -> None:
    root = COMPLETE if path.is_relative_to(COMPLETE) else MINIMAL
    kind = next(kind for kind in Kind if kind in path.name)
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == document(path.parent.name, kind, root)


def test_nothing_is_found_in_the_complete_examples() -> None:
    assert findings(COMPLETE, ENVIRONMENTS) == []


def test_nothing_is_found_in_the_minimal_examples() -> None:
    assert findings(MINIMAL, ("dev",)) == []


def findings(folder: Path, environments: tuple[str, ...]) -> list[str]:
    """What the command finds, as its machine output says it."""
    import json
    import subprocess
    import sys

    chosen = [word for environment in environments for word in ("--environment", environment)]
    command = [sys.executable, "-m", "mlops_config", "validate", str(folder), "--format", "json", *chosen]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout, run.stderr
    return [f"{each['code']}: {each['message']}" for each in json.loads(run.stdout)["findings"]]


@pytest.mark.parametrize("kind", Kind)
def test_a_minimal_file_has_15_lines_at_most(kind: Kind) -> None:
    lines = path_of("dev", kind, MINIMAL).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 15


def test_the_page_shows_the_minimal_training_file() -> None:
    page = (ROOT / "docs" / "contract" / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    assert shown == path_of("dev", Kind.TRAINING, MINIMAL).read_text(encoding="utf-8")


def test_the_pages_model_of_ones_own_works() -> None:
    page = (ROOT / "docs" / "contract" / "README.md").read_text(encoding="utf-8")
    source = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    module: dict[str, Any] = {"__name__": "our_contracts"}
    exec(source, module)  # noqa: S102 - the documentation's own example
    data = document("dev", Kind.TRAINING)
    own = module["MODELS"]["training"]
    with pytest.raises(ValueError, match="approval"):
        own.model_validate(data)
    approval = {"board": "privacy", "reference": "DP-12"}
    assert own.model_validate({**data, "approval": approval}).approval.board == "privacy"


@pytest.mark.parametrize("kind", Kind)
def test_production_writes_out_every_section(kind: Kind) -> None:
    optional = {"tuning", "enabled", "allow_overlap", "combine", "training"}
    written = set(document("prod", kind))
    declared = {field.alias or name for name, field in MODELS[kind].model_fields.items()}
    assert declared - written <= optional


def test_staging_and_production_train_the_same_model() -> None:
    staging, prod = (model_of(document(environment, Kind.TRAINING)) for environment in ("staging", "prod"))
    assert isinstance(staging, TrainingConfig)
    assert isinstance(prod, TrainingConfig)
    assert staging.estimator == prod.estimator
    assert staging.schema_ == prod.schema_
    assert staging.evaluation.metrics == prod.evaluation.metrics


def test_no_two_environments_share_a_uri() -> None:
    seen: dict[str, str] = {}
    for environment in ENVIRONMENTS:
        for kind in Kind:
            for uri in uris(model_of(document(environment, kind))):
                if not uri.startswith("file://"):
                    assert seen.setdefault(uri, environment) == environment


def uris(value: Any) -> Iterator[str]:
    """Every URI in a model."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from uris(entry)
    elif isinstance(value, str) and re.match(r"(s3|gs|file)://", value):
        yield value


def test_the_data_set_has_the_columns_of_the_examples(dataset: ModuleType) -> None:
    for environment in ENVIRONMENTS:
        training = model_of(document(environment, Kind.TRAINING))
        assert isinstance(training, TrainingConfig)
        columns = [each.name for each in (*training.schema_.identifiers, *training.schema_.features)]
        assert [*columns, training.schema_.target.name] == list(dataset.COLUMNS)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_every_row_fits_the_schema(dataset: ModuleType, shift: float) -> None:
    training = model_of(document("dev", Kind.TRAINING))
    assert isinstance(training, TrainingConfig)
    columns = {each.name: each for each in (*training.schema_.features, training.schema_.target)}
    for row in dataset.trips(3000, seed=1, start=datetime(2026, 1, 1, tzinfo=UTC), shift=shift):
        for name, value in zip(dataset.COLUMNS, row, strict=True):
            bounds = getattr(columns.get(name), "range", None)
            domain = getattr(columns.get(name), "domain", None)
            assert bounds is None or bounds[0] <= value <= bounds[1], (name, value)
            assert domain is None or value in domain, (name, value)


def test_the_data_set_is_the_same_every_time(dataset: ModuleType, tmp_path: Path) -> None:
    assert dataset.main(["--rows", "500", "--output", str(tmp_path / "trips.csv")]) == 0
    written = (tmp_path / "trips.csv").read_bytes()
    assert hashlib.sha256(written).hexdigest() == SHA256_OF_500_TRIPS
    rows = list(csv.DictReader(written.decode().splitlines()))
    assert len(rows) == 500
    assert len({row["trip_id"] for row in rows}) == 500


def test_a_shift_is_visible(dataset: ModuleType) -> None:
    def mean_distance(shift: float) -> float:
        rows = dataset.trips(2000, seed=1, start=datetime(2026, 1, 1, tzinfo=UTC), shift=shift)
        position = dataset.COLUMNS.index("distance_km")
        return float(sum(row[position] for row in rows)) / 2000

    assert mean_distance(0.5) > 1.3 * mean_distance(0.0)


def test_more_traffic_is_captured_in_a_window_than_a_window_needs() -> None:
    for environment in ENVIRONMENTS:
        inference: Any = model_of(document(environment, Kind.INFERENCE))
        monitoring = model_of(document(environment, Kind.MONITORING))
        assert isinstance(monitoring, MonitoringConfig)
        capture = inference.data_capture
        days = monitoring.window.total_seconds() / 86400
        captured = capture.expected_rows_per_day * days * capture.sampling_percent / 100
        assert captured >= monitoring.drift.min_samples
