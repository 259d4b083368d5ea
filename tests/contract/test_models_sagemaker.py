"""The limits SageMaker sets, read from botocore's model of the service and held against the contract's."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.documents import changed, document, refusals
from tests.services import unavailable

from mlops_config.contract.scalar_checks import format_duration
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

TRAINING = document("prod", Kind.TRAINING)
INFERENCE = document("prod", Kind.INFERENCE)
MONITORING = document("prod", Kind.MONITORING)
DOCUMENTS = {Kind.TRAINING: TRAINING, Kind.INFERENCE: INFERENCE, Kind.MONITORING: MONITORING}
COMPUTE: ConfigPath = ("compute",)
ENDPOINT: ConfigPath = ("endpoint",)
ROLLOUT: ConfigPath = ("endpoint", "rollout")
LINEAR = {"type": "linear"}


@pytest.fixture(scope="module")
def botocore_data() -> Any:
    try:
        from botocore.loaders import Loader
    except ImportError:
        unavailable("boto3 is not installed: pip install mlops-config-action[s3]")
    return Loader()


@pytest.fixture(scope="module")
def shapes(botocore_data: Any) -> dict[str, Any]:
    service: dict[str, Any] = botocore_data.load_service_model("sagemaker", "service-2")
    found: dict[str, Any] = service["shapes"]
    return found


def accepts(kind: Kind, path: ConfigPath, value: object) -> bool:
    """Whether the production example is still valid with ``value`` at ``path``."""
    return not refusals(kind, changed(DOCUMENTS[kind], path, value))


def seconds(value: int) -> str:
    return format_duration(timedelta(seconds=value))


def whole(value: int) -> int:
    return value


INTEGERS: list[tuple[str, Kind, ConfigPath, Callable[[int], object]]] = [
    ("ProcessingVolumeSizeInGB", Kind.TRAINING, (*COMPUTE, "volume_size_gib"), whole),
    ("WaitIntervalInSeconds", Kind.INFERENCE, (*ROLLOUT, "wait"), seconds),
    ("TerminationWaitInSeconds", Kind.INFERENCE, (*ROLLOUT, "termination_wait"), seconds),
    ("MaximumExecutionTimeoutInSeconds", Kind.INFERENCE, (*ROLLOUT, "timeout"), seconds),
    ("SamplingPercentage", Kind.INFERENCE, ("data_capture", "sampling_percent"), whole),
]


@pytest.mark.parametrize(("shape", "kind", "path", "written"), INTEGERS, ids=[case[0] for case in INTEGERS])
def test_bounds_are_those_of_the_service(
    shapes: dict[str, Any], shape: str, kind: Kind, path: ConfigPath, written: Callable[[int], object]
) -> None:
    low, high = shapes[shape]["min"], shapes[shape]["max"]
    assert accepts(kind, path, written(low))
    assert accepts(kind, path, written(high))
    assert not accepts(kind, path, written(high + 1))
    assert low == 0 or not accepts(kind, path, written(low - 1))


LEAST: list[tuple[str, Kind, ConfigPath, Callable[[int], object]]] = [
    ("MaxRuntimeInSeconds", Kind.TRAINING, (*COMPUTE, "max_runtime"), seconds),
    ("MaxWaitTimeInSeconds", Kind.TRAINING, (*COMPUTE, "max_wait"), seconds),
    ("InitialTaskCount", Kind.INFERENCE, (*ENDPOINT, "initial_instance_count"), whole),
    (
        "ManagedInstanceScalingMaxInstanceCount",
        Kind.INFERENCE,
        (*ENDPOINT, "autoscaling", "max_instance_count"),
        whole,
    ),
    ("TransformInstanceCount", Kind.INFERENCE, ("batch", "instance_count"), whole),
    ("MaxNumberOfTrainingJobs", Kind.TRAINING, ("tuning", "max_trials"), whole),
    ("MaxParallelTrainingJobs", Kind.TRAINING, ("tuning", "max_parallel"), whole),
]


@pytest.mark.parametrize(("shape", "kind", "path", "written"), LEAST, ids=[case[0] for case in LEAST])
def test_lower_bounds_are_those_of_the_service(
    shapes: dict[str, Any], shape: str, kind: Kind, path: ConfigPath, written: Callable[[int], object]
) -> None:
    space = {"space": {"max_iter": {"type": "integer", "low": 1, "high": 2}}}
    data = changed(DOCUMENTS[kind], ("tuning",), space) if path[0] == "tuning" else DOCUMENTS[kind]
    low = shapes[shape]["min"]
    assert "max" not in shapes[shape], "the service has an upper bound now: hold ours against it"
    assert not refusals(kind, changed(data, path, written(low)))
    assert refusals(kind, changed(data, path, low - 1 if written is whole else "PT0S"))


def test_a_training_job_runs_28_days_at_most(shapes: dict[str, Any]) -> None:
    words = shapes["StoppingCondition"]["members"]["MaxRuntimeInSeconds"]["documentation"]
    days = re.search(r"The maximum value is (\d+) days", words)
    assert days is not None
    assert accepts(Kind.TRAINING, (*COMPUTE, "max_runtime"), f"P{days[1]}D")
    assert not accepts(Kind.TRAINING, (*COMPUTE, "max_runtime"), f"P{days[1]}DT1S")


def test_a_canary_takes_half_the_traffic_at_most(shapes: dict[str, Any]) -> None:
    words = shapes["TrafficRoutingConfig"]["members"]["CanarySize"]["documentation"]
    share = re.search(r"less than or equal to (\d+)%", words)
    assert share is not None
    assert accepts(Kind.INFERENCE, (*ROLLOUT, "canary_percent"), int(share[1]))
    assert not accepts(Kind.INFERENCE, (*ROLLOUT, "canary_percent"), int(share[1]) + 1)


def test_a_linear_step_is_within_the_services_range(shapes: dict[str, Any]) -> None:
    words = shapes["TrafficRoutingConfig"]["members"]["LinearStepSize"]["documentation"]
    share = re.search(r"(\d+)-(\d+)%", words)
    assert share is not None
    low, high = int(share[1]), int(share[2])
    for step, accepted in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
        assert accepts(Kind.INFERENCE, ROLLOUT, {**LINEAR, "step_percent": step}) is accepted


def test_a_rollout_has_as_many_alarms_as_the_service_takes(shapes: dict[str, Any]) -> None:
    most = shapes["AlarmList"]["max"]
    names = [f"alarm-{number}" for number in range(most + 1)]
    assert accepts(Kind.INFERENCE, (*ROLLOUT, "rollback_alarms"), names[:most])
    assert not accepts(Kind.INFERENCE, (*ROLLOUT, "rollback_alarms"), names)


@pytest.mark.parametrize(
    ("shape", "kind", "path"),
    [
        ("EndpointName", Kind.INFERENCE, (*ENDPOINT, "name")),
        ("EntityName", Kind.TRAINING, ("tracking", "registered_model_name")),
    ],
)
def test_names_are_as_long_as_the_service_takes(
    shapes: dict[str, Any], shape: str, kind: Kind, path: ConfigPath
) -> None:
    longest = shapes[shape]["max"]
    assert accepts(kind, path, "a" * longest)
    assert not accepts(kind, path, "a" * (longest + 1))


@pytest.mark.parametrize("name", ["a", "a-b", "a--b", "A1", "1a", "-a", "a-", "a_b", "a.b", "", "é"])
@pytest.mark.parametrize(
    ("shape", "kind", "path"),
    [
        ("EndpointName", Kind.INFERENCE, (*ENDPOINT, "name")),
        ("EntityName", Kind.TRAINING, ("tracking", "registered_model_name")),
    ],
)
def test_names_have_the_form_the_service_wants(
    shapes: dict[str, Any], shape: str, kind: Kind, path: ConfigPath, name: str
) -> None:
    assert accepts(kind, path, name) is bool(re.fullmatch(shapes[shape]["pattern"], name))


@pytest.mark.parametrize("name", ["ab", "a-b", "a--b", "trip-fare", "a" * 41])
def test_every_name_of_the_contract_is_a_name_to_the_service(shapes: dict[str, Any], name: str) -> None:
    assert accepts(Kind.TRAINING, ("metadata", "model_name"), name)
    for shape in ("EndpointName", "ModelName", "TrainingJobName", "MonitoringScheduleName", "EntityName"):
        assert re.fullmatch(shapes[shape]["pattern"], name)


def test_every_instance_type_of_the_service_is_accepted(shapes: dict[str, Any]) -> None:
    for shape, kind, path in (
        ("TrainingInstanceType", Kind.TRAINING, (*COMPUTE, "instance_type")),
        ("ProductionVariantInstanceType", Kind.INFERENCE, (*ENDPOINT, "instance_type")),
        ("TransformInstanceType", Kind.INFERENCE, ("batch", "instance_type")),
    ):
        refused = [name for name in shapes[shape]["enum"] if not accepts(kind, path, name)]
        assert not refused


def test_every_region_is_accepted(botocore_data: Any) -> None:
    endpoints = botocore_data.load_data("endpoints")
    regions = [region for partition in endpoints["partitions"] for region in partition["regions"]]
    assert not [region for region in regions if not accepts(Kind.INFERENCE, ("deployer", "region"), region)]


@pytest.mark.parametrize(
    ("shape", "kind", "path"),
    [
        ("S3Uri", Kind.TRAINING, ("data", "source", "uri")),
        ("S3Uri", Kind.INFERENCE, ("batch", "input_uri")),
        ("DestinationS3Uri", Kind.INFERENCE, ("data_capture", "destination_uri")),
    ],
)
def test_uris_are_as_long_as_the_service_takes(
    shapes: dict[str, Any], shape: str, kind: Kind, path: ConfigPath
) -> None:
    longest = shapes[shape]["max"]
    uri = "s3://acme-prod/".ljust(longest, "x")
    assert accepts(kind, path, uri)
    assert not accepts(kind, path, f"{uri}x")


def test_search_strategies_are_the_services(shapes: dict[str, Any]) -> None:
    known = {name.lower() for name in shapes["HyperParameterTuningJobStrategyType"]["enum"]}
    space = {"max_iter": {"type": "integer", "low": 1, "high": 2}}
    for strategy in ("grid", "random", "bayesian"):
        assert strategy in known
        assert accepts(Kind.TRAINING, ("tuning",), {"strategy": strategy, "space": space})


def test_a_role_may_be_any_the_service_takes(shapes: dict[str, Any]) -> None:
    role = "arn:aws-us-gov:iam::444455556666:role/ml/SageMaker+Run=1,2.3@x_y-z"
    assert re.fullmatch(shapes["RoleArn"]["pattern"], role)
    assert accepts(Kind.INFERENCE, ("deployer", "role"), role)


def test_the_labels_of_a_file_leave_room_among_the_services_tags(shapes: dict[str, Any]) -> None:
    labels = {f"label-{number}": "1" for number in range(40)}
    assert accepts(Kind.TRAINING, ("metadata", "labels"), labels)
    assert len(labels) + 10 <= shapes["TagList"]["max"]
    assert not accepts(Kind.TRAINING, ("metadata", "labels"), {**labels, "one-more": "1"})
