"""The model registry on MLflow: the same promises for an SQLite file and for a server."""

import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.tracking.mlflow import MlflowRegistry
from tests.runtime.tracking import models

PACKAGE = models.package()


@pytest.fixture(params=["sqlite", "server"])
def registry(request: pytest.FixtureRequest) -> MlflowRegistry:
    name = "mlflow_database" if request.param == "sqlite" else "mlflow_server"
    return MlflowRegistry(request.getfixturevalue(name))


@pytest.fixture
def name() -> str:
    """Of a registered model that no other test uses."""
    return unused()


def unused() -> str:
    return f"trip-fare-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Known:
    """A registry with one version, recorded after ``before``."""

    registry: MlflowRegistry
    version: ModelVersion
    before: datetime


@pytest.fixture(scope="module", params=["sqlite", "server"])
def known(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mlflow_tables: Path
) -> Known:
    """Recorded once for all tests that only look at it."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    if request.param == "sqlite":
        address = f"sqlite:///{shutil.copy(mlflow_tables, tmp_path_factory.mktemp('known'))}"
    else:
        address = request.getfixturevalue("mlflow_server")
    registry = MlflowRegistry(address)
    return Known(registry, recorded(registry, unused()), before)


def recorded(registry: MlflowRegistry, name: str, package: ModelPackage = PACKAGE) -> ModelVersion:
    run = models.run(f"city-taxi/{name}", tags=package.tags)
    return registry.record(run, package, registered_model_name=name)


def client(registry: MlflowRegistry) -> Any:
    """MLflow's own client: what a user without us sees."""
    from mlflow.tracking.client import MlflowClient

    return MlflowClient(registry.uri, registry.uri)


def test_a_recorded_model_is_a_version_with_its_tags_and_metrics(known: Known) -> None:
    registry, version = known.registry, known.version
    assert (version.version, version.aliases) == (1, ())
    assert version.tags.items() >= models.tags().items()
    assert version.tags["mlops.package_digest"].startswith("sha256:")
    assert version.metrics == {"rmse": 4.25, "slices/zone/centre/rmse": 3.5}
    assert known.before <= version.created_at <= datetime.now(UTC)
    assert registry.by_version(version.name, 1) == version
    assert registry.versions(version.name) == (version,)


def test_the_run_holds_parameters_metrics_tags_and_documents(known: Known) -> None:
    version = known.version
    mlflow = client(known.registry)
    run = mlflow.get_run(version.run_id)

    assert run.info.status == "FINISHED"
    assert run.info.run_name == "training-1"
    assert run.data.params == {
        "estimator": "hist",
        "max_iter": "2",
        "early_stopping": "False",
        "max_depth": "None",
    }
    assert run.data.tags.items() >= {**models.tags(), "mlops.gates": "passed"}.items()
    assert run.data.tags["mlflow.source.git.commit"] == "4c879ba"
    assert mlflow.get_experiment(run.info.experiment_id).name == f"city-taxi/{version.name}"
    documents = {entry.path for entry in mlflow.list_artifacts(version.run_id)}
    assert documents == {"evaluation.json", "configs"}
    (model,) = run.outputs.model_outputs
    assert mlflow.get_logged_model(model.model_id).status == "READY"


def test_a_fetched_package_is_the_recorded_one(known: Known, tmp_path: Path) -> None:
    fetched = known.registry.fetch(known.version, tmp_path / "model")

    assert (fetched.schema, fetched.profile, fetched.tags) == (PACKAGE.schema, PACKAGE.profile, PACKAGE.tags)
    assert np.array_equal(fetched.pipeline.predict(models.ROWS), PACKAGE.pipeline.predict(models.ROWS))


def test_a_package_that_was_fetched_is_not_fetched_again(
    known: Known, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, version = known.registry, known.version
    registry.fetch(version, tmp_path)
    monkeypatch.setattr(registry, "_download", None)

    assert registry.fetch(version, tmp_path).tags == PACKAGE.tags


def test_a_version_whose_digest_is_another_is_not_fetched(known: Known, tmp_path: Path) -> None:
    tags = {**known.version.tags, "mlops.package_digest": f"sha256:{'0' * 64}"}
    other = replace(known.version, tags=tags)

    with pytest.raises(IntegrityError, match=f"expected was sha256:{'0' * 64}"):
        known.registry.fetch(other, tmp_path)


def test_a_version_that_no_job_registered_is_not_fetched(known: Known, tmp_path: Path) -> None:
    version = replace(known.version, tags={})

    with pytest.raises(IntegrityError, match=r"has no tag mlops\.package_digest"):
        known.registry.fetch(version, tmp_path)


def test_plain_mlflow_reads_the_model(known: Known) -> None:
    model = f"models:/{known.version.name}/1"
    with plain_mlflow(known.registry) as mlflow:
        pipeline = mlflow.sklearn.load_model(model)
        function = mlflow.pyfunc.load_model(model)

    expected = PACKAGE.pipeline.predict(models.ROWS)
    assert np.array_equal(pipeline.predict(models.ROWS), expected)
    assert np.array_equal(function.predict(models.ROWS), expected)
    inputs = {column["name"]: column["type"] for column in function.metadata.signature.inputs.to_dict()}
    assert inputs == {
        "distance_km": "double",
        "passengers": "long",
        "zone": "string",
        "raining": "boolean",
    }
    assert function.metadata.signature.outputs.to_dict()[0]["type"] == "double"
    assert function.input_example.shape == (3, 4)


def test_the_same_package_is_one_version_however_often_it_is_recorded(
    registry: MlflowRegistry, name: str
) -> None:
    first = recorded(registry, name)
    again = recorded(registry, name, models.package())

    assert again == first
    assert len(registry.versions(name)) == 1


def test_versions_come_newest_first_and_are_found_by_tag(registry: MlflowRegistry, name: str) -> None:
    for commit in ("4c879ba", "b81153e"):
        recorded(registry, name, models.package(commit))

    assert [version.version for version in registry.versions(name)] == [2, 1]
    by_commit = registry.with_tags(name, {"mlops.commit": "4c879ba", "mlops.config_digest": models.DIGEST})
    assert [version.version for version in by_commit] == [1]
    assert registry.with_tags(name, {"mlops.commit": "0000000"}) == ()
    # As the documentation tells users of plain MLflow.
    plain = client(registry).search_model_versions(
        f"name = '{name}' and tags.`mlops.config_digest` = '{models.DIGEST}'"
    )
    assert {int(version.version) for version in plain} == {1, 2}


def test_an_alias_moves_and_goes(registry: MlflowRegistry, name: str) -> None:
    for commit in ("4c879ba", "b81153e"):
        recorded(registry, name, models.package(commit))
    registry.set_alias(name, "champion", 1)
    assert registry.by_alias(name, "champion") == registry.by_version(name, 1)

    registry.set_alias(name, "champion", 2)

    champion = registry.by_alias(name, "champion")
    assert champion is not None
    assert (champion.version, champion.aliases) == (2, ("champion",))
    assert {version.version: version.aliases for version in registry.versions(name)} == {
        2: ("champion",),
        1: (),
    }
    registry.drop_alias(name, "champion")
    registry.drop_alias(name, "champion")
    assert registry.by_alias(name, "champion") is None


def test_what_is_not_there_is_none_and_no_error(registry: MlflowRegistry, name: str) -> None:
    assert registry.by_alias(name, "champion") is None
    assert registry.by_version(name, 1) is None
    assert registry.versions(name) == ()
    registry.drop_alias(name, "champion")

    recorded(registry, name)
    assert registry.by_alias(name, "champion") is None
    assert registry.by_version(name, 2) is None


def test_an_alias_set_by_many_at_once_is_one_of_theirs(registry: MlflowRegistry, name: str) -> None:
    for commit in ("4c879ba", "b81153e", "5e56473"):
        recorded(registry, name, models.package(commit))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: registry.set_alias(name, "champion", 1 + number % 3), range(12)))

    carriers = [version for version in registry.versions(name) if "champion" in version.aliases]
    assert carriers == [registry.by_alias(name, "champion")]


def test_tags_can_be_added_and_survive_a_copy(registry: MlflowRegistry, name: str) -> None:
    recorded(registry, name)
    registry.tag(name, 1, {"mlops.promoted_by": "ada", "mlops.reason": "psi ≥ 0.2"})
    client(registry).copy_model_version(f"models:/{name}/1", f"{name}-prod")

    copied = registry.by_version(f"{name}-prod", 1)
    original = registry.by_version(name, 1)
    assert copied is not None
    assert original is not None
    assert copied.tags == original.tags
    assert copied.tags["mlops.reason"] == "psi ≥ 0.2"
    assert copied.metrics == original.metrics


def test_a_copied_version_can_be_fetched(registry: MlflowRegistry, name: str, tmp_path: Path) -> None:
    recorded(registry, name)
    client(registry).copy_model_version(f"models:/{name}/1", f"{name}-prod")
    copied = registry.by_version(f"{name}-prod", 1)

    assert copied is not None
    assert registry.fetch(copied, tmp_path).tags == PACKAGE.tags


def test_a_refused_model_leaves_a_run_and_no_version(registry: MlflowRegistry, name: str) -> None:
    run_id = registry.record_refused(models.run(f"city-taxi/{name}"))

    run = client(registry).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlops.gates"] == "refused"
    assert run.data.metrics["rmse"] == 4.25
    assert not run.outputs.model_outputs
    assert registry.versions(name) == ()


def test_many_parameters_and_metrics_fit(registry: MlflowRegistry, name: str) -> None:
    parameters = {f"parameter_{number}": number for number in range(250)}
    metrics = {f"metric_{number}": float(number) for number in range(130)}
    run = models.run(f"city-taxi/{name}", parameters=parameters, metrics=metrics)

    found = client(registry).get_run(registry.record_refused(run)).data

    assert (len(found.params), len(found.metrics)) == (250, 130)


def test_a_quote_in_a_tag_cannot_be_searched_for(registry: MlflowRegistry, name: str) -> None:
    with pytest.raises(UsageError, match="contains a quote"):
        registry.with_tags(name, {"mlops.commit": "x' or name = 'other"})


def test_nothing_is_printed(
    registry: MlflowRegistry, name: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    registry.fetch(recorded(registry, name), tmp_path)

    assert capfd.readouterr() == ("", "")


@pytest.fixture(autouse=True)
def nothing_lands_in_the_work_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield
    assert list(folder.iterdir()) == []


def test_timestamps_and_gaps_fit_into_the_signature(mlflow_database: str, name: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(mlflow_database)
    package = models.dated_package()
    version = recorded(registry, name, package)

    with plain_mlflow(registry) as mlflow:
        function = mlflow.pyfunc.load_model(f"models:/{name}/1")
    inputs = {column["name"]: column["type"] for column in function.metadata.signature.inputs.to_dict()}
    assert inputs == {"pickup": "datetime", "passengers": "long", "raining": "boolean"}
    frame = models.dated_rows()
    # MLflow's own entry takes no time zones.
    naive = frame.assign(pickup=frame["pickup"].dt.tz_localize(None))
    assert np.array_equal(function.predict(naive), package.pipeline.predict(frame))
    assert registry.fetch(version, tmp_path / "model").example == package.example


@contextmanager
def plain_mlflow(registry: MlflowRegistry) -> Iterator[Any]:
    """MLflow as its users know it, set to the registry's address."""
    import mlflow

    # MLflow also writes both into the environment, and takes only one of them away again.
    with patch.dict(os.environ):
        mlflow.set_tracking_uri(registry.uri)
        mlflow.set_registry_uri(registry.uri)
        try:
            yield mlflow
        finally:
            mlflow.set_tracking_uri(None)
            mlflow.set_registry_uri(None)
