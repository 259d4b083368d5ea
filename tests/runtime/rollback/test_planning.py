"""What going back would mean, and when it must not be."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.models.tables import TableSchema
from mlops_config.kinds import Kind
from mlops_config.release.changes import changes
from mlops_config.release.record import ImageRecord, ReleaseRecord, SourceRecord, ToolRecord
from mlops_config.runtime.rollback.planning import Fit, Plan, Side, document, fit, plan
from mlops_config.runtime.rollback.units import Unit
from mlops_config.runtime.rollback.wording import describe
from mlops_config.runtime.tracking.interface import ModelVersion
from tests.runtime.rollback.ledgers import MODEL, START, digest_of, model

ZONE = {"name": "pickup_zone", "type": "string"}
DISTANCE = {"name": "distance_km", "type": "fractional"}
HOUR = {"name": "pickup_hour", "type": "integral"}


def table(*features: dict[str, Any]) -> TableSchema:
    target = {"name": "fare_eur", "problem_type": "regression"}
    return TableSchema.model_validate({"features": list(features), "target": target})


def codes(found: Fit) -> list[str]:
    return [reason.code for reason in found.refusals]


def test_a_column_that_is_not_sent_any_more_is_a_refusal_that_names_it() -> None:
    found = fit(table(DISTANCE, ZONE), table(DISTANCE))
    assert codes(found) == ["schema.missing"]
    assert "pickup_zone (string)" in found.refusals[0].text


def test_a_column_that_may_be_missing_is_none() -> None:
    assert fit(table(DISTANCE, ZONE | {"required": False}), table(DISTANCE)) == Fit(columns=2)


def test_a_column_of_another_type_is_a_refusal_that_names_both() -> None:
    found = fit(table(ZONE), table(ZONE | {"type": "integral"}))
    assert codes(found) == ["schema.type"]
    assert found.refusals[0].text == "the model takes pickup_zone as string, and it is sent as integral now"


def test_whole_numbers_are_numbers_but_not_the_other_way_round() -> None:
    assert fit(table(DISTANCE), table(DISTANCE | {"type": "integral"})).refusals == ()
    assert codes(fit(table(HOUR), table(HOUR | {"type": "fractional"}))) == ["schema.type"]


def test_a_column_that_the_model_does_not_know_is_left_out_by_the_server() -> None:
    assert fit(table(DISTANCE), table(DISTANCE, ZONE)) == Fit(columns=1)


def test_values_that_the_model_refuses_alone_are_told_of() -> None:
    known, now = ZONE | {"domain": ["centre", "north"]}, ZONE | {"domain": ["centre", "harbour"]}
    assert fit(table(known), table(now)).notes == (
        "pickup_zone may be harbour now, which the model does not know",
    )
    assert "anything now" in fit(table(known), table(ZONE)).notes[0]
    least, wider = HOUR | {"range": [0, 12]}, HOUR | {"range": [0, 23]}
    assert fit(table(least), table(wider)).notes == (
        "pickup_hour may be 0 to 23 now; the model takes 0 to 12",
    )
    assert "any number" in fit(table(least), table(HOUR)).notes[0]
    assert fit(table(ZONE, HOUR), table(now, wider)).notes == ()


features = st.builds(
    lambda name, kind, required: {"name": name, "type": kind, "required": required},
    st.sampled_from("abcdef"),
    st.sampled_from(["integral", "fractional", "string", "boolean", "timestamp"]),
    st.booleans(),
)
tables = st.lists(features, min_size=1, max_size=6, unique_by=lambda each: each["name"]).map(
    lambda each: table(*each)
)


@given(tables, tables)
def test_what_fits_has_every_needed_column_in_its_type(needed: TableSchema, sent: TableSchema) -> None:
    assert fit(needed, needed).refusals == ()
    found = fit(needed, sent)
    there = {feature.name: feature.type for feature in sent.features}
    fits = all(
        there[feature.name] == feature.type
        or (there[feature.name], feature.type) == ("integral", "fractional")
        if feature.name in there
        else not feature.required
        for feature in needed.features
    )
    assert fits is (found.refusals == ())


def record(release: str, **more: Any) -> ReleaseRecord:
    return ReleaseRecord(
        project="city-taxi",
        model_name="trip-fare",
        environment="dev",
        version=release,
        config_digest=digest_of(release),
        files=(),
        source=SourceRecord(
            repository=None, commit=f"{release[2]}" * 40, ref=None, dirty=False, actor=None, run_url=None
        ),
        created_at=datetime(2026, 11, 1, 8, 30, tzinfo=UTC),
        tool=ToolRecord(version="1.0.0"),
        **more,
    )


def side(release: str, version: int | None, **more: Any) -> Side:
    metrics = {"rmse": 2.0 + (version or 0), "only_here": 1.0} if version == 2 else {"rmse": 2.5}
    found = ModelVersion(MODEL, version, "run", {}, (), START, metrics) if version else None
    return Side(Unit(release, model(version), digest_of(release)), record(release), found, **more)


NOW: dict[Kind, Any] = {Kind.MONITORING: {"drift": {"threshold": 0.15}}, Kind.RETRAIN: {"combine": "all"}}
THEN: dict[Kind, Any] = {Kind.MONITORING: {"drift": {"threshold": 0.3}}, Kind.RETRAIN: {"combine": "any"}}


def test_a_plan_reads_as_what_is_now_and_what_will_be() -> None:
    image = ImageRecord(
        repository="ghcr.io/acme/fares",
        tags=("0.1.0",),
        config_digest=digest_of("config"),
        digest=digest_of("image"),
        base="scratch",
        base_digest=None,
        pushed=True,
    )
    target = Side(
        Unit("0.1.0", model(1)), record("0.1.0", image=image), side("0.1.0", 1).version, table(ZONE)
    )
    now = side("0.2.0", 2, table=table(ZONE, DISTANCE), endpoint="trip-fare-dev")
    text = describe(plan("dev", now, target, changes(NOW, THEN)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "dev goes back from release 0.2.0 to 0.1.0"
    assert "release 0.2.0 0.1.0" in lines
    assert f"image none fares@{digest_of('image')[:19]}" in lines
    assert f"model {MODEL} version 2 {MODEL} version 1" in lines
    assert "rmse 4 2.5" in lines
    assert not any("only_here" in line for line in lines)
    assert "configuration: 2 values change" in lines
    assert f"drift.threshold 0.15 → 0.3 {chr(0xD7)}2" in lines
    assert "combine all → any" in lines
    assert "input: fits; the one column that the model needs can be had from what clients send now" in lines
    assert "endpoint trip-fare-dev none" in lines


def test_a_refused_plan_says_why_at_its_end() -> None:
    refused = plan("dev", side("0.2.0", 2, table=table(DISTANCE)), side("0.1.0", 1, table=table(ZONE)), ())
    text = describe(refused)
    assert "every value stays" in text
    assert text.splitlines()[-2:] == [
        "refused:",
        "  ✗ the model needs the column pickup_zone (string), which is not sent now",
    ]
    assert [each["code"] for each in document(refused)["refused"]] == ["schema.missing"]


def test_going_back_to_another_model_of_the_same_release_says_so() -> None:
    text = describe(plan("dev", side("0.2.0", 2), side("0.2.0", 1), ()))
    assert text.splitlines()[0] == (
        f"dev goes back from {MODEL} version 2 to {MODEL} version 1; release 0.2.0 stays"
    )


def test_a_model_that_is_gone_is_a_refusal() -> None:
    target = Side(Unit("0.1.0", model(1)), record("0.1.0"))
    found = plan("dev", side("0.2.0", 2, table=table(ZONE)), target, ())
    assert [reason.code for reason in found.refusals] == ["model_gone"]
    assert f"{MODEL} has no version 1 any more" in found.refusals[0].text


def test_a_state_without_a_model_is_no_way_back_from_one_that_serves() -> None:
    found = plan("dev", side("0.2.0", 2), side("0.1.0", None), ())
    assert [reason.code for reason in found.refusals] == ["no_model"]
    assert plan("dev", side("0.2.0", None), side("0.1.0", None), ()).refusals == ()


def test_the_document_has_both_sides_and_every_change() -> None:
    found: Plan = plan("dev", side("0.2.0", 2), side("0.1.0", 1), changes(NOW, THEN))
    said = document(found)
    assert (said["from"]["release"], said["to"]["release"]) == ("0.2.0", "0.1.0")
    assert said["to"]["model"] == {"name": MODEL, "version": 1}
    assert [(each["file"], each["key"], each["now"], each["after"]) for each in said["changes"]] == [
        ("monitoring", "drift.threshold", 0.15, 0.3),
        ("retrain", "combine", "all", "any"),
    ]


def test_many_changes_are_counted_and_a_strange_name_stays_on_its_line() -> None:
    before: dict[Kind, Any] = {Kind.TRAINING: {f"key{number}": 0 for number in range(60)}}
    after: dict[Kind, Any] = {Kind.TRAINING: {f"key{number}": 1 for number in range(60)}}
    text = describe(plan("dev", side("0.2.0", 2), side("0.1.0", 1), changes(before, after)))
    assert "… and 20 more: --format json has them all" in text
    assert "key39" in text
    assert "key40" not in text
