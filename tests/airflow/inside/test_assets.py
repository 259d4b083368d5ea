"""What outcomes announce, and the wall between environments."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.execution_time.context import OutletEventAccessors, TriggeringAssetEventsAccessor

from mlops_config.airflow.assets import alias, asset, wall
from mlops_config.airflow.dags import dag_of
from tests.airflow.inside.deployed import DIGEST, deployment

PIN = {
    "release": "1.2.0",
    "config_digest": DIGEST,
    "config_dir": "/app/configs",
    "image": None,
    "commit": None,
}


def announced(name: str, task: str, outcome: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Metadata of the events that an outcome of a task leads to, by the last word of the asset's URI."""
    dag = dag_of(name, deployment(bake_seconds=60.0))
    operator = dag.get_task(task)
    events = OutletEventAccessors()
    context = {
        "ti": SimpleNamespace(xcom_pull=lambda **_asked: PIN),
        "task": operator,
        "dag": dag,
        "run_id": "manual__1",
        "outlet_events": events,
    }
    operator.on_outcome(outcome, context)
    return {
        event.dest_asset_key.uri.rpartition("/")[2]: event.extra
        for accessor in events.values()
        for event in accessor.asset_alias_events
    }


REPORT = {"window_id": "w1", "state": "drift", "report": "s3://b/w1.json", "confirmed": ["drift"]}
PROMOTION = {"model": "trip-fare-dev", "version": 3, "promoted": True, "endpoint": "fares-dev"}


def test_a_written_report_wakes_retraining() -> None:
    said = announced("monitoring", "monitor", {"windows": [REPORT], "skipped": [], "note": None})
    assert said["drift-report"]["reports"] == ["s3://b/w1.json"]
    assert said["drift-report"]["confirmed"] == ["drift"]


def test_no_report_wakes_nobody() -> None:
    assert announced("monitoring", "monitor", {"windows": [], "skipped": [], "note": "nothing due"}) == {}


def test_every_event_says_what_it_was_made_with() -> None:
    extra = announced("monitoring", "monitor", {"windows": [REPORT]})["drift-report"]
    assert (extra["environment"], extra["config_digest"], extra["release"]) == ("dev", DIGEST, "1.2.0")
    assert extra["dag_run"] == "fares.trip-fare.dev.monitoring/manual__1"


@pytest.mark.parametrize(
    ("outcome", "things"),
    [
        ({"retrain": False, "challenger": None, "promotion": None}, set()),
        ({"retrain": True, "challenger": None, "promotion": None}, set()),
        ({"retrain": True, "challenger": 3, "promotion": None}, {"model"}),
        ({"retrain": True, "challenger": 3, "promotion": PROMOTION}, {"model", "deployment"}),
    ],
    ids=["held", "refused", "waits for approval", "promoted"],
)
def test_retraining_announces_what_it_did(outcome: dict[str, Any], things: set[str]) -> None:
    assert set(announced("retraining", "retrain", outcome)) == things


def test_a_promotion_says_which_version_serves() -> None:
    outcome = {"retrain": True, "challenger": 3, "promotion": PROMOTION}
    assert announced("retraining", "retrain", outcome)["deployment"]["version"] == 3


@pytest.mark.parametrize(
    ("outcome", "things"),
    [
        ({"promoted": False, "reason": "promotion is manual"}, set()),
        (PROMOTION, {"model", "deployment"}),
    ],
)
def test_a_promotion_announces_what_it_did(outcome: dict[str, Any], things: set[str]) -> None:
    assert set(announced("training", "promote", outcome)) == things


def test_a_champion_under_another_configuration_is_a_deployment_and_no_new_model() -> None:
    assert set(announced("training", "promote", {"promoted": False, "redeployed": True})) == {"deployment"}


@pytest.mark.parametrize("rolled_back", [True, False])
def test_a_rollback_is_a_deployment(rolled_back: bool) -> None:
    said = announced("retraining", "watch", {"rolled_back": rolled_back, "done": True})
    assert set(said) == ({"deployment"} if rolled_back else set())


def started_by(uri: str, extra: dict[str, Any] | None) -> dict[str, Any]:
    event = SimpleNamespace(asset=SimpleNamespace(name=uri, uri=uri), extra=extra, source_aliases=[])
    return {"triggering_asset_events": TriggeringAssetEventsAccessor.build([event])}


@pytest.mark.parametrize("extra", [{"environment": "dev"}, {"from_rest_api": True}, {}, None])
def test_an_event_of_the_own_environment_may_start_a_run(extra: dict[str, Any] | None) -> None:
    wall(deployment("dev"))(started_by("x-mlops://dev/fares/trip-fare/drift-report", extra))


@pytest.mark.parametrize(
    ("uri", "extra"),
    [
        ("x-mlops://dev/fares/trip-fare/drift-report", {"environment": "dev"}),
        ("x-mlops://prod/fares/trip-fare/drift-report", {"environment": "dev"}),
        ("x-mlops://prod/fares/other/drift-report", {"environment": "prod"}),
        ("x-mlops://prod/fares/trip-fare-2/drift-report", {}),
        ("s3://bucket/anything", {}),
    ],
)
def test_no_other_event_may_start_prod(uri: str, extra: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="this DAG is prod's"):
        wall(deployment("prod"))(started_by(uri, extra))


@pytest.mark.parametrize("context", [{}, {"triggering_asset_events": {}}])
def test_a_run_that_no_event_started_is_fine(context: dict[str, Any]) -> None:
    wall(deployment("prod"))(context)


def test_an_alias_is_named_as_its_asset() -> None:
    assert alias(deployment(), "model").name == asset(deployment(), "model").uri
