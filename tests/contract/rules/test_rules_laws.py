"""What holds of rules whatever the numbers are, and of the constants they share with models and providers."""

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.rules.example_configs import Change, change, configs

from mlops_config.alerting import labels
from mlops_config.contract.models.inference import RECORD_COLUMNS
from mlops_config.contract.rules.catalog import RULES
from mlops_config.contract.rules.engine import check
from mlops_config.contract.rules.environments import processors
from mlops_config.contract.rules.identity import LONGEST_NAME
from mlops_config.contract.rules.serving import RECORDED_ALWAYS
from mlops_config.contract.rules.walk import ABSENT, differences, find, nodes
from mlops_config.contract.rules.watching import OWN_LABELS
from mlops_config.contract.rules.wording import number

BY_CODE = {rule.code: rule for rule in RULES}
psi_thresholds = st.floats(0.0001, 10)
p_values = st.floats(0.0001, 0.9999)


def breaks(code: str, *changes: Change) -> bool:
    return any(check(configs(changes), rules=[BY_CODE[code]]))


def numeric(environment: str, method: str, threshold: float) -> Change:
    return change(environment, "monitoring", "drift.numeric", {"method": method, "threshold": threshold})


@settings(max_examples=40)
@given(psi_thresholds, psi_thresholds)
def test_production_may_be_as_strict_as_staging_or_stricter(ours: float, theirs: float) -> None:
    assert breaks("E04", numeric("prod", "psi", ours), numeric("staging", "psi", theirs)) == (ours > theirs)


@settings(max_examples=40)
@given(p_values, p_values)
def test_of_p_values_the_smaller_is_the_looser(ours: float, theirs: float) -> None:
    assert breaks("E04", numeric("prod", "ks", ours), numeric("staging", "ks", theirs)) == (ours < theirs)


@settings(max_examples=40)
@given(psi_thresholds, psi_thresholds, st.integers(30, 10**6), st.integers(0, 10**6))
def test_a_higher_threshold_or_more_rows_never_fall_below_the_noise(
    one: float, other: float, rows: int, more: int
) -> None:
    def below_noise(threshold: float, samples: int) -> bool:
        return breaks(
            "X07",
            numeric("prod", "psi", threshold),
            change("prod", "monitoring", "drift.min_samples", samples),
        )

    low, high = sorted((one, other))
    if not below_noise(low, rows):
        assert not below_noise(high, rows)
        assert not below_noise(low, rows + more)


@settings(max_examples=40)
@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_retraining_may_be_as_strict_as_training_or_stricter(ours: float, theirs: float) -> None:
    changes = (
        change("prod", "retrain", "evaluation.thresholds.rmse.threshold", ours),
        change("prod", "training", "evaluation.thresholds.rmse.threshold", theirs),
    )
    assert breaks("X10", *changes) == (ours > theirs)


values = st.recursive(
    st.one_of(st.integers(0, 3), st.booleans(), st.sampled_from("abc"), st.none()),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        st.lists(inner, max_size=3, unique_by=repr).map(tuple),
    ),
    max_leaves=8,
)


@given(values)
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    assert list(differences(value, value)) == []


@given(values, values)
def test_differences_are_the_same_from_both_sides(one: object, other: object) -> None:
    there = [(right_path, right, path, left) for path, left, right_path, right in differences(one, other)]
    back = list(differences(other, one))
    assert sorted(map(repr, there)) == sorted(map(repr, back))


@given(values, values)
def test_a_difference_names_the_value_it_shows(one: object, other: object) -> None:
    for path, left, other_path, right in differences(one, other):
        assert left is ABSENT or find(one, path) == left
        assert right is ABSENT or find(other, other_path) == right


@given(values)
def test_every_value_is_found_where_the_walk_says(value: object) -> None:
    for path, item in nodes(value):
        assert find(value, path) == item


@given(st.floats(1e-6, 1e6))
def test_a_number_shown_lies_never_below_the_number(value: float) -> None:
    assert value * (1 - 1e-9) <= float(number(value)) <= value * 1.0011


def test_the_columns_always_recorded_are_the_contracts() -> None:
    assert RECORDED_ALWAYS == RECORD_COLUMNS


def test_the_labels_that_are_taken_are_those_of_the_series_and_rules() -> None:
    assert OWN_LABELS == labels.OWN_LABELS


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("CreateEndpoint", "EndpointName"),
        ("CreateEndpointConfig", "EndpointConfigName"),
        ("CreateTrainingJob", "TrainingJobName"),
    ],
)
def test_the_longest_names_on_aws_are_sagemakers_own(operation: str, member: str) -> None:
    client = boto3.client("sagemaker", region_name="eu-central-1")
    shape = client.meta.service_model.operation_model(operation).input_shape.members[member]
    assert shape.metadata["max"] == LONGEST_NAME["aws"]


@pytest.mark.parametrize(
    ("machine", "count"),
    [
        ("ml.t2.medium", 1),
        ("ml.m5.large", 2),
        ("ml.m5.xlarge", 4),
        ("ml.m5.2xlarge", 8),
        ("ml.p4d.24xlarge", 96),
        ("ml.m5.metal", 96),
        ("ml.m5.odd", 1),
        ("n2-standard-8", 8),
        ("n2d-highmem-16", 16),
        ("a2-highgpu-1g", 1),
        ("e2-medium", 1),
    ],
)
def test_processors_are_read_from_the_machines_name(machine: str, count: int) -> None:
    assert processors(machine) == count
