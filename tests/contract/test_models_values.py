"""Each value by itself: its type, its form and its bounds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.documents import (
    ENVIRONMENTS,
    at,
    changed,
    document,
    model_of,
    paths_in,
    refusals,
    without,
)

from mlops_config.contract.models.by_kind import (
    MODELS,
    InferenceConfig,
    MonitoringConfig,
    RetrainConfig,
    TrainingConfig,
)
from mlops_config.contract.scalar_checks import format_duration
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

TRAINING = document("prod", Kind.TRAINING)
INFERENCE = document("prod", Kind.INFERENCE)
MONITORING = document("prod", Kind.MONITORING)
RETRAIN = document("prod", Kind.RETRAIN)
DOCUMENTS = {
    Kind.TRAINING: TRAINING,
    Kind.INFERENCE: INFERENCE,
    Kind.MONITORING: MONITORING,
    Kind.RETRAIN: RETRAIN,
}


def refused(kind: Kind, path: ConfigPath, value: Any) -> list[str]:
    """What the model says against ``value`` at ``path`` of the production example."""
    return [reason for _, reason in refusals(kind, changed(DOCUMENTS[kind], path, value))]


@pytest.mark.parametrize("kind", Kind)
def test_a_key_that_no_mapping_declares_is_refused_at_every_level(kind: Kind) -> None:
    free_keys = {"labels", "tags", "thresholds", "features", "overrides", "space"}
    data = DOCUMENTS[kind]
    declared = [
        path
        for path in [(), *paths_in(data)]
        if isinstance(at(data, path), dict) and not (path and path[-1] in free_keys)
    ]
    assert len(declared) > 5
    for path in declared:
        assert refused(kind, (*path, "no_such_key"), 1) == ["extra_forbidden"], path


@pytest.mark.parametrize("kind", Kind)
def test_every_required_key_is_missed_when_it_is_left_out(kind: Kind) -> None:
    required = [name for name, field in MODELS[kind].model_fields.items() if field.is_required()]
    for name in required:
        key = MODELS[kind].model_fields[name].alias or name
        assert refusals(kind, without(DOCUMENTS[kind], (key,))) == [((key,), "missing")]


def test_a_model_cannot_be_changed() -> None:
    model = model_of(RETRAIN)
    with pytest.raises(ValueError, match="frozen"):
        setattr(model, "kind", "training")  # noqa: B010 - mypy knows that it cannot be set


@pytest.mark.parametrize("value", [2, 0, True, 1.0, "1", None])
def test_schema_version_is_the_integer_one(value: object) -> None:
    assert refused(Kind.RETRAIN, ("schema_version",), value)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (Kind.TRAINING, ("random_seed",), "7"),
        (Kind.TRAINING, ("random_seed",), 7.0),
        (Kind.TRAINING, ("random_seed",), True),
        (Kind.TRAINING, ("random_seed",), -1),
        (Kind.TRAINING, ("random_seed",), 2**32),
        (Kind.TRAINING, ("split", "test_fraction"), "0.2"),
        (Kind.TRAINING, ("split", "test_fraction"), 0),
        (Kind.TRAINING, ("split", "test_fraction"), 1),
        (Kind.TRAINING, ("split", "test_fraction"), True),
        (Kind.TRAINING, ("split", "test_fraction"), float("nan")),
        (Kind.TRAINING, ("evaluation", "thresholds", "rmse", "threshold"), float("inf")),
        (Kind.TRAINING, ("evaluation", "thresholds", "RMSE"), {"threshold": 1.0}),
        (Kind.TRAINING, ("evaluation", "primary"), "accurracy"),
        (Kind.TRAINING, ("baseline", "bins"), 4),
        (Kind.TRAINING, ("baseline", "bins"), 51),
        (Kind.TRAINING, ("baseline", "quantile_binning"), "yes"),
        (Kind.TRAINING, ("baseline", "quantile_binning"), 1),
        (Kind.TRAINING, ("schema", "features"), []),
        (Kind.TRAINING, ("schema", "features"), {"name": "distance_km", "type": "fractional"}),
        (Kind.TRAINING, ("schema", "features"), "distance_km"),
        (Kind.TRAINING, ("schema", "features", 0, "range"), [1]),
        (Kind.TRAINING, ("schema", "features", 0, "range"), [1, 2, 3]),
        (Kind.TRAINING, ("schema", "features", 0, "domain"), ["a"]),
        (Kind.TRAINING, ("schema", "features", 4, "domain"), ["one"]),
        (Kind.TRAINING, ("schema", "features", 5, "domain"), [1]),
        (Kind.TRAINING, ("schema", "features", 0, "name"), "distance km"),
        (Kind.TRAINING, ("schema", "target", "positive_class"), 1),
        (Kind.TRAINING, ("compute", "instance_type"), "n2-standard-4"),
        (Kind.TRAINING, ("tracking", "registered_model_name"), "team/fares"),
        (Kind.TRAINING, ("metadata", "project"), "City"),
        (Kind.TRAINING, ("metadata", "project"), "city-"),
        (Kind.TRAINING, ("metadata", "project"), "c"),
        (Kind.TRAINING, ("metadata", "project"), "c" * 42),
        (Kind.TRAINING, ("metadata", "labels", "Tier"), "1"),
        (Kind.TRAINING, ("metadata", "labels", "tier"), 1),
        (Kind.TRAINING, ("metadata", "owner"), "the fares team"),
        (Kind.INFERENCE, ("deployer", "account_id"), 444455556666),
        (Kind.INFERENCE, ("deployer", "region"), "Frankfurt"),
        (Kind.INFERENCE, ("deployer", "role"), "AKIAIOSFODNN7EXAMPLE"),
        (Kind.INFERENCE, ("deployer", "port"), 8080),
        (Kind.INFERENCE, ("batch", "input_ready_time"), "4:30"),
        (Kind.INFERENCE, ("batch", "input_ready_time"), "24:00"),
        (Kind.INFERENCE, ("batch", "on_invalid_row"), "drop"),
        (Kind.INFERENCE, ("data_capture", "sampling_percent"), 12.5),
        (Kind.INFERENCE, ("service_level", "availability_percent"), 100.5),
        (Kind.MONITORING, ("alerts", 0, "runbook_url"), "http://runbooks.example.com"),
        (Kind.MONITORING, ("alerts", 0, "op"), ">"),
        (Kind.MONITORING, ("alerts", 0, "metric"), "rmse"),
        (Kind.MONITORING, ("metrics", "namespace"), "fares:prod"),
        (Kind.MONITORING, ("drift", "numeric", "direction"), "below"),
        (Kind.MONITORING, ("drift", "numeric", "method"), "chi_square"),
        (Kind.RETRAIN, ("guards", "max_concurrent"), 2),
        (Kind.RETRAIN, ("notifications", 0, "channel_ref"), "https://hooks.example.com/T0/B0/x"),
        (Kind.RETRAIN, ("rollback", "keep_bundles"), 2),
        (Kind.RETRAIN, ("training", "config_ref"), "../dev/dev_training_config.yaml"),
        (Kind.RETRAIN, ("training", "overrides", "estimator"), 1),
        (Kind.RETRAIN, ("triggers",), []),
    ],
)
def test_a_value_outside_its_type_form_or_bounds_is_refused(
    kind: Kind, path: ConfigPath, value: object
) -> None:
    assert refused(kind, path, value)


def test_a_union_is_told_apart_by_its_tag() -> None:
    assert refused(Kind.TRAINING, ("compute", "target"), "azure") == ["union_tag_invalid"]
    assert refused(Kind.TRAINING, ("compute",), {}) == ["union_tag_not_found"]


def test_one_bad_item_is_one_finding() -> None:
    assert refusals(Kind.TRAINING, changed(TRAINING, ("evaluation", "metrics"), ["rsme"])) == [
        (("evaluation", "metrics", 0), "literal_error")
    ]


def test_an_integer_is_a_number_too() -> None:
    model = TrainingConfig.model_validate(
        changed(TRAINING, ("evaluation", "thresholds", "rmse", "threshold"), 3)
    )
    assert model.evaluation.thresholds["rmse"].threshold == 3.0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PT1S", timedelta(seconds=1)),
        ("PT90M", timedelta(minutes=90)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P2W", timedelta(weeks=2)),
        ("P365D", timedelta(days=365)),
    ],
)
def test_durations_are_iso_8601(written: str, meant: timedelta) -> None:
    model = RetrainConfig.model_validate(changed(RETRAIN, ("guards", "cooldown"), written))
    assert model.guards.cooldown == meant


@pytest.mark.parametrize(
    "value",
    [
        3600,
        1.5,
        "3600",
        "1:00:00",
        "1 day",
        "P1M",
        "P1Y",
        "P1W2D",
        "PT",
        "P",
        "-P1D",
        "PT1.5H",
        "pt1h",
        "PT0S",
    ],
)
def test_what_is_no_duration_or_none_at_all_is_refused(value: object) -> None:
    assert refused(Kind.RETRAIN, ("guards", "cooldown"), value)


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_a_duration_is_written_so_that_it_reads_back_equal(value: timedelta) -> None:
    whole = timedelta(days=value.days, seconds=value.seconds)
    data = changed(MONITORING, ("delay",), format_duration(whole))
    assert MonitoringConfig.model_validate(data).delay == whole


def test_instants_are_utc() -> None:
    model = RetrainConfig.model_validate(RETRAIN)
    assert model.guards.freeze_windows[0].start == datetime(2026, 12, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["2026-12-18", "2026-12-18T00:00:00", "2026-12-18T00:00:00+01:00", "2026-06-31T00:00:00Z", 1781740800],
)
def test_what_is_no_instant_in_utc_is_refused(value: object) -> None:
    assert refused(Kind.RETRAIN, ("guards", "freeze_windows", 0, "start"), value)


@pytest.mark.parametrize(
    "value", ["0 6 * * *", "*/15 8-18 * * MON-FRI", "0 0 1 JAN,JUL *", "0 0 29 2 *", "0 12 * * 5L"]
)
def test_a_cron_expression_that_fires_is_accepted(value: str) -> None:
    assert not refused(Kind.MONITORING, ("schedule", "cron"), value)


@pytest.mark.parametrize(
    "value",
    ["@daily", "* * * *", "0 6 * * * *", "61 * * * *", "0 0 31 2 *", "0 6 * * mon", " 0 6 * * *", "0 6  * *"],
)
def test_a_cron_expression_that_means_nothing_is_refused(value: str) -> None:
    assert refused(Kind.MONITORING, ("schedule", "cron"), value)


@pytest.mark.parametrize("value", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_zones_of_the_iana_database_are_accepted(value: str) -> None:
    assert not refused(Kind.MONITORING, ("schedule", "timezone"), value)


@pytest.mark.parametrize(
    "value",
    ["Berlin", "Europe/Atlantis", "../etc/passwd", "+02:00", "Europe", "europe/berlin", "localtime", "", 2],
)
def test_other_zones_are_refused(value: object) -> None:
    assert refused(Kind.MONITORING, ("schedule", "timezone"), value)


@pytest.mark.parametrize(
    "value",
    [
        "s3://acme-prod/trips/",
        "s3://acme-prod/trips/date=2026-10-01/*.parquet",
        "gs://acme_prod.example.com/trips",
        "file:///srv/data/trips.csv",
        "file://./data/trips.csv",
    ],
)
def test_uris_of_the_three_schemes_are_accepted(value: str) -> None:
    assert not refused(Kind.TRAINING, ("data", "source", "uri"), value)


@pytest.mark.parametrize(
    "value",
    [
        "s3://acme-prod",
        "s3://acme-prod/",
        "s3://Acme/trips",
        "s3://ab/trips",
        "s3://acme-prod/../other/trips",
        "s3://acme-prod/trips//x",
        "s3://acme-prod/trips?version=1",
        "s3://acme-prod/two words",
        "s3://key:secret@acme-prod/trips",
        "file://data/trips.csv",
        "file://./../outside.csv",
        "https://example.com/trips.csv",
        "hdfs://cluster/trips",
        "data/trips.csv",
        "s3://acme-prod/" + "x" * 1024,
    ],
)
def test_other_uris_are_refused(value: str) -> None:
    assert refused(Kind.TRAINING, ("data", "source", "uri"), value)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("kind", Kind)
def test_a_dumped_model_reads_back_equal(environment: str, kind: Kind) -> None:
    model = model_of(document(environment, kind))
    assert model_of(model.model_dump(mode="json")) == model


def test_spelling_does_not_change_the_canonical_form() -> None:
    one = changed(changed(RETRAIN, ("guards", "cooldown"), "P1W"), ("guards", "budget_usd_per_month"), 400)
    other = changed(
        changed(RETRAIN, ("guards", "cooldown"), "PT168H"), ("guards", "budget_usd_per_month"), 400.0
    )
    backwards = dict(reversed(other.items()))
    assert canonical(one) == canonical(other) == canonical(backwards)


def test_a_default_written_out_does_not_change_the_canonical_form() -> None:
    assert canonical(without(RETRAIN, ("promotion", "mode"))) == canonical(RETRAIN)


def test_a_changed_value_changes_the_canonical_form() -> None:
    assert canonical(changed(RETRAIN, ("guards", "cooldown"), "P4D")) != canonical(RETRAIN)


def canonical(data: dict[str, Any]) -> bytes:
    """RFC 8785 JSON of the validated model."""
    return rfc8785.dumps(model_of(data).model_dump(mode="json"))


def test_defaults_are_safe_in_production() -> None:
    minimal = {
        "schema_version": 1,
        "metadata": {"project": "p1", "model_name": "m1", "environment": "prod", "owner": "a@example.com"},
    }
    retrain = RetrainConfig.model_validate({**minimal, "kind": "retrain", "triggers": [{"type": "manual"}]})
    assert retrain.promotion.mode == "manual"
    assert retrain.evaluation.on_missing_champion == "reject"
    assert retrain.evaluation.require_all
    assert retrain.rollback.when == ("gate_failed_after_deploy", "alarm")
    assert not retrain.training.overrides
    inference = InferenceConfig.model_validate(
        {
            **minimal,
            "kind": "inference",
            "mode": "both",
            "model": {"registered_model_name": "m1"},
            "deployer": {"target": "local"},
            "endpoint": {},
            "batch": {
                "input_uri": "s3://acme/in",
                "output_uri": "s3://acme/out",
                "schedule": {"cron": "0 6 * * *"},
            },
        }
    )
    assert inference.endpoint is not None
    assert inference.endpoint.rollout.type == "canary"
    assert inference.batch is not None
    assert inference.batch.on_invalid_row == "quarantine"
    monitoring = MonitoringConfig.model_validate(
        {
            **minimal,
            "kind": "monitoring",
            "schedule": {"cron": "0 6 * * *"},
            "report": {"destination_uri": "s3://acme/reports"},
        }
    )
    assert monitoring.enabled
    assert monitoring.reference.type == "training_baseline"
    assert monitoring.drift.multiple_testing == "benjamini_hochberg"


def test_the_models_hold_no_code_but_the_two_checks() -> None:
    functions = {
        function.__qualname__
        for model in MODELS.values()
        for function in functions_in(model.__pydantic_core_schema__)
    }
    assert functions == {"check_cron", "check_timezone"}


def functions_in(schema: Any) -> list[Any]:
    """The functions of a core schema that validation calls, default factories aside."""
    if isinstance(schema, dict):
        return [
            function
            for key, value in schema.items()
            if key not in ("metadata", "serialization", "default_factory", "cls")
            for function in functions_in(value)
        ]
    if isinstance(schema, list | tuple):
        return [function for value in schema for function in functions_in(value)]
    return [schema] if callable(schema) else []


KUBERNETES = changed(TRAINING, ("orchestration", "execution"), {"type": "kubernetes"})


@pytest.mark.parametrize(
    "labels",
    [
        {"kubernetes.io/arch": "arm64"},
        {"cloud.google.com/gke-nodepool": "gpu_pool.1"},
        {"Disk": ""},
    ],
)
def test_nodes_are_selected_by_labels_as_kubernetes_writes_them(labels: dict[str, str]) -> None:
    data = changed(KUBERNETES, ("orchestration", "execution", "node_selector"), labels)
    assert refusals(Kind.TRAINING, data) == []


@pytest.mark.parametrize(
    "labels", [{"a/b/c": "x"}, {"Acme.com/arch": "x"}, {"-arch": "x"}, {"arch": "x "}, {"arch": "x" * 64}]
)
def test_what_kubernetes_would_not_take_as_a_node_label_is_refused(labels: dict[str, str]) -> None:
    data = changed(KUBERNETES, ("orchestration", "execution", "node_selector"), labels)
    assert [reason for _, reason in refusals(Kind.TRAINING, data)] == ["string_pattern_mismatch"]


@pytest.mark.parametrize("kind", Kind)
def test_without_a_word_on_orchestration_a_job_runs_on_the_worker_and_tries_twice_more(kind: Kind) -> None:
    orchestration = model_of(without(DOCUMENTS[kind], ("orchestration",))).orchestration
    assert orchestration.execution.type == "bash"
    assert (orchestration.retries, orchestration.retry_delay) == (2, timedelta(minutes=5))
    assert (orchestration.timeout, orchestration.pool, orchestration.queue) == (None, "default_pool", None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retries", -1),
        ("retries", 21),
        ("retry_delay", "P2D"),
        ("timeout", "PT0S"),
        ("timeout", 3600),
        ("pool", "no pool"),
        ("execution", {"type": "bash", "memory_gib": 1}),
        ("execution", {"type": "docker", "memory_gib": 0}),
        ("execution", {"type": "kubernetes", "namespace": "Jobs"}),
        ("execution", {"type": "ssh"}),
        ("execution", {}),
    ],
)
def test_orchestration_that_airflow_could_not_follow_is_refused(key: str, value: object) -> None:
    assert refused(Kind.MONITORING, ("orchestration", key), value)
