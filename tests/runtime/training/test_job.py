"""The training job on the example: what it records, what it refuses, and what a failure leaves behind."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.model.storage import MODEL, package_digest
from mlops_config.runtime.training import job
from mlops_config.runtime.training.job import GateRefusedError, run
from mlops_config.runtime.training.limits import TimeLimitError
from tests.runtime.projects import Project
from tests.runtime.training.conftest import ROWS
from tests.runtime.training.registries import MemoryRegistry

Opener = Callable[[Project], JobContext]
THRESHOLD = "rmse: {threshold: 5.0}"


def changed(project: Project, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Other data in place of the project's."""
    path = project.folder / "data" / "trips.csv"
    frame = change(pd.read_csv(path, dtype=str))
    path.unlink()
    frame.to_csv(path, index=False)


def test_a_model_is_recorded_with_everything_it_came_from(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    context = context_of(project)
    outcome = run(context)
    [(recorded, version)] = registry.recorded
    assert registry.aliases == {"challenger": 1}
    assert recorded.experiment == "city-taxi/trip-fare/dev"
    assert recorded.metrics == outcome.metrics == version.metrics
    assert 0 < outcome.metrics["rmse"] < 5
    expected = {**context.tags(), "mlops.data_fingerprint": outcome.fingerprint}
    assert expected.items() <= dict(recorded.tags).items()
    assert recorded.parameters["hyperparameters.max_iter"] == 20
    assert set(recorded.documents) == {
        "evaluation.json",
        "data.json",
        *(f"configuration/{name}" for name in context.bundle.contents()),
    }
    data = json.loads(recorded.documents["data.json"])
    assert (data["rows_read"], data["rows_used"], data["rows_refused_by_reason"]) == (ROWS, ROWS, {})
    assert outcome.rows == {"learned": 1600, "test": 400, "refused": 0}
    assert outcome.document()["version"] == 1
    assert outcome.summary.startswith("trip-fare-dev version 1 is the challenger: rmse ")


def test_the_package_predicts_and_holds_the_reference(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    context = context_of(project)
    version = run(context).version
    package = registry.fetch(version, context.scratch)
    frame = pd.DataFrame(dict(package.example))
    assert (package.pipeline.predict(frame) > 0).all()
    names = [column.name for column in package.profile.columns]
    assert names == [*(each.name for each in context.configs.training.schema_.features), "fare_eur"]
    assert package.profile.rows == 1600
    predictions = package.profile.column("fare_eur")
    assert predictions is not None
    assert predictions.rows == 400, "predictions are those of rows the model did not learn from"
    assert {**package.tags, "mlops.job_id": context.job_id} == registry.recorded[0][0].tags


def test_the_ledger_tells_of_the_model_and_the_newest_row(project: Project, context_of: Opener) -> None:
    context = context_of(project)
    outcome = run(context)
    [entry] = context.ledger.entries()
    assert (entry.event, entry.outcome) == (Event.TRAINED, "succeeded")
    assert entry.model is not None
    assert (entry.model.version, entry.model.run_id) == (1, "run-1")
    assert entry.data_fingerprint == outcome.fingerprint
    assert entry.config_digest == context.config_digest
    assert entry.rows == ROWS
    assert entry.window_start is not None
    assert entry.window_start.isoformat().startswith("2026-01-01T")
    assert entry.metrics == outcome.metrics


def test_two_runs_give_the_same_metrics_and_the_same_package(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    """So the registry, which knows packages by their digest, keeps one version of both."""
    first, second = run(context_of(project)), run(context_of(project))
    assert first.metrics == second.metrics
    stored = [(registry.folder / number / MODEL).read_bytes() for number in ("1", "2")]
    assert stored[0] == stored[1]
    profiles = [(registry.folder / number / "profile.json").read_bytes() for number in ("1", "2")]
    assert profiles[0] == profiles[1]
    assert package_digest(registry.folder / "1") == package_digest(registry.folder / "2")
    job_ids = {about.tags["mlops.job_id"] for about, _ in registry.recorded}
    assert len(job_ids) == 2


def test_a_model_that_misses_a_threshold_is_refused_with_its_numbers(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    project.edit(Kind.TRAINING, "max_iter: 20 ", "max_iter: 1 ")
    context = context_of(project)
    with pytest.raises(
        GateRefusedError, match=r"refused: rmse is \d.*, at most 5 is needed; r2 is"
    ) as caught:
        run(context)
    assert caught.value.exit_code == 1
    assert not registry.recorded
    assert not registry.aliases
    [refused] = registry.refused
    gates = json.loads(refused.documents["evaluation.json"])["gates"]
    assert [gate["passed"] for gate in gates] == [False, False]
    [entry] = context.ledger.entries()
    assert (entry.outcome, entry.model) == ("refused", None)
    assert [reason.code for reason in entry.reasons] == ["rmse.threshold", "r2.threshold"]
    assert entry.metrics["rmse"] > 5


def test_a_slice_that_misses_its_threshold_refuses_the_model(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    slices = "  slices: [{column: pickup_zone, min_rows: 20, thresholds: {rmse: {threshold: 0.1}}}]\n"
    project.edit(Kind.TRAINING, "baseline:", f"{slices}\nbaseline:")
    with pytest.raises(GateRefusedError, match="pickup_zone=airport: rmse is"):
        run(context_of(project))
    parts = json.loads(registry.refused[0].documents["evaluation.json"])["slices"]
    assert {part["value"] for part in parts} == {"airport", "centre", "north", "south", "west"}
    assert sum(part["rows"] for part in parts) == 400


GAIN = "rmse: {threshold: 5.0, min_absolute_change: 0.0}"


def test_a_gain_without_a_champion_is_refused_unless_that_is_accepted(
    project: Project, context_of: Opener
) -> None:
    project.edit(Kind.TRAINING, THRESHOLD, GAIN)
    assert "on_missing_champion: accept" in project.file(Kind.RETRAIN).read_text()
    assert run(context_of(project)).version.version == 1
    project.edit(Kind.RETRAIN, "on_missing_champion: accept", "on_missing_champion: reject")
    with pytest.raises(GateRefusedError, match="there is no champion whose rmse could be compared"):
        run(context_of(project))


def test_the_champion_is_judged_on_the_same_rows(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    champion = run(context_of(project))
    registry.set_alias("trip-fare-dev", "champion", champion.version.version)
    project.edit(Kind.TRAINING, THRESHOLD, GAIN)
    again = run(context_of(project))
    documents = json.loads(registry.recorded[-1][0].documents["evaluation.json"])
    assert documents["champion_metrics"] == documents["metrics"]
    assert again.gates[1].code == "rmse.min_absolute_change"
    project.edit(Kind.TRAINING, "max_iter: 20 ", "max_iter: 1 ")
    project.edit(Kind.TRAINING, "threshold: 5.0, ", "threshold: 50.0, ")
    project.edit(Kind.TRAINING, "r2: {threshold: 0.85}", "r2: {threshold: -1}")
    with pytest.raises(GateRefusedError, match=r"rmse gains -\d"):
        run(context_of(project))


def test_rows_that_break_the_schema_are_left_out_and_counted(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    def harm(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[:4, "distance_km"] = "-3"
        frame.loc[5:6, "passengers"] = "many"
        frame.loc[7, "fare_eur"] = None
        return frame.assign(größe="x")

    changed(project, harm)
    outcome = run(context_of(project))
    assert outcome.rows["refused"] == 8
    data = json.loads(registry.recorded[0][0].documents["data.json"])
    assert data["rows_refused_by_reason"] == {
        "out_of_range:distance_km": 5,
        "wrong_type:passengers": 2,
        "missing:fare_eur": 1,
    }
    assert data["columns_unknown"] == ["größe"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.head(0), "has no rows"),
        (
            lambda frame: frame.assign(passengers="9"),
            "all 2000 rows at .* were refused: 2000 rows: passengers",
        ),
        (lambda frame: frame.head(2), "2 rows are too few"),
        (lambda frame: frame.drop(columns="raining"), "the data lacks raining"),
    ],
)
def test_data_that_teaches_nothing_is_a_sentence(
    project: Project, context_of: Opener, registry: MemoryRegistry, change: Any, words: str
) -> None:
    changed(project, change)
    context = context_of(project)
    with pytest.raises(DataError, match=words):
        run(context)
    assert not registry.recorded
    assert not context.ledger.entries()


def test_too_few_values_in_a_column_stop_the_job(project: Project, context_of: Opener) -> None:
    project.edit(
        Kind.TRAINING,
        "{name: raining, type: boolean}",
        "{name: raining, type: boolean, completeness_min_fraction: 0.9}",
    )
    changed(project, lambda frame: frame.assign(raining=frame["raining"].where(frame.index % 2 == 0)))
    context = context_of(project)
    with pytest.raises(DataError, match=r"raining has a value in 50\.0% of the rows"):
        run(context)


def test_a_window_takes_the_newest_rows(project: Project, context_of: Opener) -> None:
    project.edit(Kind.TRAINING, "  entity_key: trip_id\n", "  entity_key: trip_id\n  window: P10D\n")
    outcome = run(context_of(project))
    assert 800 < outcome.rows["learned"] + outcome.rows["test"] < 1400  # of 2,000, about 110 a day


def test_the_pinned_version_is_compared_with_the_data(project: Project, context_of: Opener) -> None:
    pinned = "    format: csv\n    version: 'sha256:00000000'\n"
    project.edit(Kind.TRAINING, "    format: csv\n", pinned)
    with pytest.raises(IntegrityError, match=r"but data\.source\.version says sha256:00000000"):
        run(context_of(project))


def test_data_that_changes_meanwhile_stops_the_job(
    project: Project, context_of: Opener, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.fit

    def fit_while_somebody_writes(*arguments: Any) -> Any:
        path = project.folder / "data" / "trips.csv"
        text = path.read_text()
        path.unlink()
        path.write_text(text.replace("T261-0000000", "T261-9999999"))
        return real(*arguments)

    monkeypatch.setattr(job, "fit", fit_while_somebody_writes)
    with pytest.raises(IntegrityError, match="changed while the model was trained"):
        run(context_of(project))
    assert not registry.recorded


@pytest.mark.parametrize("step", ["check", "fit", "judge_model", "package_of"])
def test_a_job_that_is_interrupted_registers_nothing_and_runs_again(
    project: Project, context_of: Opener, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    context = context_of(project)
    with monkeypatch.context() as patch:
        patch.setattr(job, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(context)
    assert not registry.recorded
    assert not context.ledger.entries()
    assert run(context).version.version == 1


def test_the_job_ends_with_its_time(
    project: Project, context_of: Opener, registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(*_: Any) -> Any:
        while True:
            os.getpid()

    monkeypatch.setattr(job, "fit", forever)
    project.edit(Kind.TRAINING, "max_runtime: PT30M", "max_runtime: PT1S")
    with pytest.raises(TimeLimitError, match=r"stopped after PT1S, as compute\.max_runtime says"):
        run(context_of(project))
    assert not registry.recorded


def test_overrides_stand_in_for_the_files_values(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    run(context_of(project), overrides={"estimator.hyperparameters.max_iter": 25})
    assert registry.recorded[0][0].parameters["hyperparameters.max_iter"] == 25
    with pytest.raises(UsageError, match="breaks the training file at"):
        run(context_of(project), overrides={"estimator.hyperparameters.max_iter": 0})


def test_tuning_picks_by_the_primary_metric_and_records_its_trials(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    tuning = (
        "tuning:\n  strategy: grid\n  max_trials: 4\n"
        "  space: {max_iter: {type: choice, values: [1, 15]}, max_depth: {type: choice, values: [2, 0]}}\n\n"
    )
    project.edit(Kind.TRAINING, "evaluation:", f"{tuning}evaluation:")
    context = context_of(project)
    run(context)
    [(recorded, _)] = registry.recorded
    trials = json.loads(recorded.documents["evaluation.json"])["trials"]
    assert [trial["hyperparameters"] for trial in trials] == [
        {"max_iter": 1, "max_depth": 2},
        {"max_iter": 1, "max_depth": 0},
        {"max_iter": 15, "max_depth": 2},
        {"max_iter": 15, "max_depth": 0},
    ]
    assert [trial["value"] is None for trial in trials] == [False, True, False, True]
    assert trials[1]["error"] == "max_depth: Input should be greater than or equal to 1"
    assert trials[2]["value"] < trials[0]["value"]
    assert recorded.parameters["hyperparameters.max_iter"] == 15
    assert recorded.parameters["trials"] == 4


def test_tags_of_the_file_do_not_replace_ours(
    project: Project, context_of: Opener, registry: MemoryRegistry
) -> None:
    context = context_of(project)
    tracking = context.configs.training.tracking
    tags = {"team": "fares", "mlops.environment": "prod"}
    training = context.configs.training.model_copy(
        update={"tracking": tracking.model_copy(update={"tags": tags})}
    )
    run(replace(context, configs=replace(context.configs, training=training)))
    found = registry.recorded[0][0].tags
    assert (found["team"], found["mlops.environment"]) == ("fares", "dev")


def test_a_job_reads_below_its_root_wherever_it_is_started(
    project: Project, context_of: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run(context_of(project)).version.version == 1
    assert not list(elsewhere.iterdir())
