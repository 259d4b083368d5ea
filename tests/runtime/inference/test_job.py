"""The inference job: every row predicted or set aside with its reason, whatever stops it on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mlops_config.contract.models.inference import RECORD_COLUMNS
from mlops_config.errors import IntegrityError, ServiceError, UsageError, of_os_error
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event
from mlops_config.runtime.data.dataset import Dataset
from mlops_config.runtime.data.locations import Found, filesystem_of
from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.inference import job, scoring
from mlops_config.runtime.inference.job import InferenceOutcome, run
from mlops_config.runtime.inference.units import NUMBERS_A_FILE, units_of
from mlops_config.runtime.model.storage import write_package
from tests.runtime.inference.scenes import LATER, NOW, PARTS, VERSION, Scene
from tests.runtime.serving.scenes import ROW, package


def test_every_row_is_predicted_with_where_its_prediction_came_from(scene: Scene) -> None:
    outcome = scene.run()
    assert (outcome.rows, outcome.predicted, outcome.extra) == (30, 30, ("date", "note"))
    assert sorted(name.split("/", 1)[1] for name in scene.files()) == [
        "_STARTED.json",
        "_SUCCESS.json",
        *(f"_done/part-{name.replace('/', '-')}.json" for name in PARTS),
        *(f"part-{name.replace('/', '-')}.parquet" for name in PARTS),
    ]
    found = scene.table(outcome, "part-date=2026-11-19-a.parquet")
    assert list(found.columns) == [*RECORD_COLUMNS, *ROW, "trip_id", "fare_eur"]
    numbers = [NUMBERS_A_FILE + number for number in range(1, 11)]
    assert found.prediction_id.tolist() == [f"{outcome.job_id}-{number}" for number in numbers]
    assert set(found.event_time) == {pd.Timestamp(NOW)}
    assert set(found.model_version) == {VERSION}
    assert set(found.config_digest) == {scene.context().config_digest}
    rows = scene.rows(1)
    assert found.trip_id.tolist() == rows.trip_id.tolist()
    assert found.fare_eur.tolist() == package().pipeline.predict(rows[list(ROW)]).tolist()


def test_the_last_file_tells_what_was_done_and_with_what(scene: Scene) -> None:
    outcome = scene.run()
    success = scene.success(outcome)
    assert success["job_id"] == outcome.job_id
    assert success["fingerprint"] == outcome.fingerprint
    assert success["config_digest"] == scene.context().config_digest
    assert (success["model_name"], success["model_version"]) == ("trip-fare-dev", VERSION)
    assert (success["rows"], success["predicted"], success["quarantined"]) == (30, 30, 0)
    assert len(success["parts"]) == 3
    [entry] = scene.context().ledger.entries()
    assert (entry.event, entry.job_id, entry.rows) == (Event.SCORED, outcome.job_id, 30)
    assert entry.data_fingerprint == outcome.fingerprint
    assert entry.uri == outcome.uri


def test_the_same_batch_again_does_nothing(scene: Scene) -> None:
    first = scene.run()
    before = scene.files()
    again = scene.run(LATER)
    assert again.already
    assert again.summary.endswith("(was done already)")
    assert {**again.document(), "already": False} == first.document()
    assert scene.files() == before
    assert len(scene.context().ledger.entries()) == 1


def test_other_rows_or_another_version_are_another_batch(scene: Scene) -> None:
    first = scene.run()
    other = run(scene.context(), package=str(scene.model), model_version=VERSION + 1)
    assert isinstance(other, InferenceOutcome)
    scene.write(PARTS[0], scene.rows(7))
    third = scene.run()
    assert len({first.job_id, other.job_id, third.job_id}) == 3
    assert not third.already


def test_bad_rows_are_set_aside_with_their_reasons_and_numbers(scene: Scene) -> None:
    scene.harm()
    outcome = scene.run()
    assert (outcome.rows, outcome.predicted) == (30, 27)
    assert outcome.reasons == {
        "missing:expected_minutes": 1,
        "not_finite:distance_km": 1,
        "out_of_domain:pickup_zone": 1,
        "out_of_range:distance_km": 1,
    }
    aside = scene.table(outcome, "quarantine/part-date=2026-11-18-a.parquet")
    assert aside._number.tolist() == [3, 6, 8]
    assert aside.pickup_zone[0] == "</script>nowhere"
    assert aside._reason[0] == "out_of_range:distance_km; out_of_domain:pickup_zone"
    found = scene.table(outcome, "part-date=2026-11-18-a.parquet")
    assert found.prediction_id.tolist() == [f"{outcome.job_id}-{number}" for number in (1, 2, 4, 5, 7, 9, 10)]
    assert "3 in quarantine" in outcome.summary


def test_a_bad_row_fails_the_run_where_the_configuration_says_so(scene: Scene) -> None:
    scene.edit_batch("on_invalid_row: fail")
    scene.harm()
    with pytest.raises(DataError, match="has 3 of 10 rows that cannot be predicted") as caught:
        scene.run()
    assert caught.value.hint is not None
    assert not any("_SUCCESS" in name or "date=2026-11-18" in name for name in scene.files())


def test_too_many_bad_rows_fail_the_run_and_the_ledger_says_why(scene: Scene) -> None:
    scene.project.edit(Kind.INFERENCE, "max_invalid_fraction: 0.5", "max_invalid_fraction: 0.05")
    scene.harm()
    with pytest.raises(DataError, match=r"3 of 30 rows \(10.0%\) cannot be predicted"):
        scene.run()
    assert not any("_SUCCESS" in name for name in scene.files())
    [entry] = scene.context().ledger.entries()
    assert (entry.event, entry.outcome) == (Event.SCORED, "failed")
    assert entry.reasons[0].code == "too_many_invalid_rows"


def test_a_row_the_model_has_no_number_for_is_set_aside(scene: Scene) -> None:
    broken = package()
    scene.model = scene.folder.parent / "unbounded"
    features = list(broken.schema.features)
    features[0] = features[0].model_copy(update={"range": None})
    schema = broken.schema.model_copy(update={"features": tuple(features)})
    from dataclasses import replace

    write_package(replace(broken, schema=schema), scene.model)
    rows = scene.rows(0)
    rows.loc[4, "distance_km"] = 1.7e308
    scene.write(PARTS[0], rows)
    outcome = scene.run()
    assert outcome.reasons == {"no_prediction:fare_eur": 1}
    aside = scene.table(outcome, "quarantine/part-date=2026-11-18-a.parquet")
    assert (aside._number.tolist(), aside._reason.tolist()) == ([5], ["no_prediction:fare_eur"])


def test_a_large_file_is_worked_on_in_row_groups(scene: Scene) -> None:
    scene.write(PARTS[0], scene.rows(0), row_group_size=3)
    whole = scene.run()
    expected = scene.table(whole, "part-date=2026-11-18-a.parquet")
    success = scene.folder / "build" / "dev" / "predictions" / f"run={whole.job_id}"
    for path in (*success.glob("_done/part-date=2026-11-18-a*"), success / "_SUCCESS.json"):
        path.unlink()
    again = scene.run(unit_rows=5)
    names = [f"part-date=2026-11-18-a-{number:05}.parquet" for number in range(2)]
    chunks = pd.concat([scene.table(again, name) for name in names], ignore_index=True)
    pd.testing.assert_frame_equal(chunks, expected)
    assert again.rows == 30


WRITES = 8
"""A note of the start, three files each with its note, the note of success."""


class StoppedError(KeyboardInterrupt):
    """What SIGTERM becomes in the command."""


@pytest.mark.parametrize("at", range(WRITES))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_run_that_was_stopped_ends_with_the_same_bytes(
    scene: Scene, whole_files: dict[str, bytes], at: int, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0

    def stopping(write: Callable[..., None]) -> Callable[..., None]:
        def stopped(*arguments: Any) -> None:
            nonlocal writes
            writes += 1
            if before and writes == at + 1:
                raise StoppedError
            write(*arguments)
            if not before and writes == at + 1:
                raise StoppedError

        return stopped

    with monkeypatch.context() as patch:
        for module, name in ((scoring, "write_table"), (scoring, "write_note"), (job, "write_note")):
            patch.setattr(module, name, stopping(getattr(module, name)))
        with pytest.raises(StoppedError):
            scene.run()
    first_written = at > 0 or not before
    outcome = scene.run(LATER if first_written else NOW)
    assert scene.files() == whole_files
    assert len(scene.context().ledger.entries()) == 1
    assert outcome.predicted == 30


def test_a_full_disk_leaves_nothing_half_written_and_the_next_run_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_table: pa.Table, uri: str, *_rest: Any) -> None:
        raise of_os_error(OSError(28, "No space left on device", uri))

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "write_table", full)
        with pytest.raises(ServiceError, match="the disk is full"):
            scene.run()
    assert [name.rpartition("/")[2] for name in scene.files()] == ["_STARTED.json"]
    assert scene.run().predicted == 30


def test_several_parts_at_a_time_give_the_same_files(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path / "other", scene.model)
    for each in (scene, other):
        each.edit_batch("max_concurrent: 1")
    one_by_one = scene.run()
    other.project.edit(Kind.INFERENCE, "max_concurrent: 1", "max_concurrent: 3")
    together = other.run()
    tables = [
        each.table(outcome, "part-date=2026-11-19-b.parquet").drop(columns=["prediction_id", "config_digest"])
        for each, outcome in ((scene, one_by_one), (other, together))
    ]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_text_files_are_read_and_written_too(scene: Scene, form: str) -> None:
    scene.project.edit(Kind.INFERENCE, "format: parquet", f"format: {form}")
    folder = scene.folder / "data" / "in"
    rows = scene.rows(0)
    if form == "csv":
        rows.to_csv(folder / "a.csv", index=False)
    else:
        rows.to_json(folder / "a.jsonl", orient="records", lines=True)
    outcome = scene.run()
    [name] = [one for one in scene.files() if one.endswith(form)]
    text = scene.files()[name].decode()
    assert text.count("\n") == (11 if form == "csv" else 10)
    assert f"{outcome.job_id}-1" in text


def test_a_file_that_was_cut_short_is_named_and_nothing_is_complete(scene: Scene) -> None:
    path = scene.folder / "data" / "in" / f"{PARTS[1]}.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"date=2026-11-19/a.parquet cannot be read as parquet"):
        scene.run()
    assert not any("_SUCCESS" in name for name in scene.files())


def test_a_store_that_goes_away_after_the_files_were_listed_is_a_failed_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another try may help: a broken file would be the end of a DAG's task."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    uri = "s3://data/in"
    filesystem, folder = filesystem_of(uri, Path())
    listed = (Found(f"{folder}/a.parquet", "a.parquet", 4000, NOW),)
    with pytest.raises(ServiceError, match=r"^reading s3://data/in/a\.parquet failed: "):
        units_of(Dataset(uri, "parquet", listed, filesystem))


def test_a_column_that_is_missing_is_named(scene: Scene) -> None:
    for name in PARTS:
        scene.write(name, scene.rows(0).drop(columns="weekday"))
    with pytest.raises(DataError, match="the data lacks weekday"):
        scene.run()


def test_no_rows_at_all_are_a_complete_batch_without_predictions(scene: Scene) -> None:
    for name in PARTS:
        scene.write(name, scene.rows(0).iloc[:0])
    outcome = scene.run()
    assert (outcome.rows, outcome.predicted) == (0, 0)
    assert scene.success(outcome)["rows"] == 0


def test_a_configuration_without_batch_says_so(scene: Scene) -> None:
    from dataclasses import replace

    context = scene.context()
    online = context.configs.inference.model_copy(update={"batch": None})
    context = replace(context, configs=replace(context.configs, inference=online))
    with pytest.raises(UsageError, match="describes no batch"):
        run(context, package=str(scene.model), model_version=VERSION)


def test_a_note_that_is_none_of_ours_is_an_integrity_failure(scene: Scene) -> None:
    outcome = scene.run()
    folder = scene.folder / "build" / "dev" / "predictions" / f"run={outcome.job_id}"
    (folder / "_SUCCESS.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"_SUCCESS.json is no JSON"):
        scene.run()
