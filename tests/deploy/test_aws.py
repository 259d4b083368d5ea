"""What SageMaker, CloudWatch and Application Auto Scaling are asked, and how their refusals are worded."""

import io
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from botocore.validate import validate_parameters

from mlops_config.deploy.aws import requests
from mlops_config.deploy.aws.calls import Calls, Clients
from mlops_config.deploy.aws.deployer import SageMakerDeployer
from mlops_config.deploy.interface import DeployFailedError, Deployment
from mlops_config.errors import MlopsConfigError, ServiceError, UsageError
from mlops_config.retrying import Retries
from tests.deploy.examples import CANARY, COMMIT, ENDPOINT, LINEAR, RELEASE, ROWS, TestClock, digest_of, quiet
from tests.deploy.providers import DIES, ROLE, AwsProvider

ALARMED = {
    **CANARY,
    "wait": "PT15M",
    "termination_wait": "PT10M",
    "timeout": "PT2H",
    "rollback_alarms": ["fare-latency", "fare-errors"],
}
SCALED = {
    "min_instance_count": 2,
    "max_instance_count": 8,
    "target_invocations_per_minute": 600,
}


@pytest.fixture
def offline() -> AwsProvider:
    """Deployments alone: nothing is asked."""
    return AwsProvider(Clients("eu-central-1"))


@pytest.fixture
def sent(aws_clients: Clients) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every operation that is asked of the shared clients, with its parameters."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, params))

    services = ("sagemaker", "cloudwatch", "application-autoscaling")
    for service in services:
        aws_clients[service].meta.events.register("provide-client-params.*.*", record)
    yield seen
    for service in services:
        aws_clients[service].meta.events.unregister("provide-client-params.*.*", record)


def only(sent: list[tuple[str, dict[str, Any]]], operation: str) -> dict[str, Any]:
    """The parameters of the one call of this operation."""
    [found] = [params for name, params in sent if name == operation]
    return found


def with_id(deployment: Deployment) -> str:
    return f"{ENDPOINT}-{deployment.revision.id}"


def test_a_rollout_is_asked_for_in_full(aws: AwsProvider, sent: list[tuple[str, dict[str, Any]]]) -> None:
    first = aws.deployment(1)
    aws.open().deploy(first, quiet)
    sent.clear()
    second = aws.deployment(2, rollout=ALARMED, autoscaling=SCALED)
    aws.open().deploy(second, quiet)
    assert only(sent, "UpdateEndpoint") == {
        "EndpointName": ENDPOINT,
        "EndpointConfigName": with_id(second),
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY",
                    "WaitIntervalInSeconds": 900,
                    "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                },
                "TerminationWaitInSeconds": 600,
                "MaximumExecutionTimeoutInSeconds": 7200,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [
                    {"AlarmName": f"{ENDPOINT}-fare-latency"},
                    {"AlarmName": f"{ENDPOINT}-fare-errors"},
                ]
            },
        },
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [
            {"VariantPropertyType": "DesiredWeight"},
            {"VariantPropertyType": "DataCaptureConfig"},
        ],
    }
    model = only(sent, "CreateModel")
    model_tags = {tag["Key"]: tag["Value"] for tag in model.pop("Tags")}
    assert model == {
        "ModelName": with_id(second),
        "PrimaryContainer": {
            "Image": second.revision.image,
            "Mode": "SingleModel",
            "ModelDataUrl": "s3://acme-models/2-good/model.tar.gz",
            "Environment": {
                "MLOPS_COMMIT": COMMIT,
                "MLOPS_RELEASE": RELEASE,
                "MLOPS_ENVIRONMENT": "prod",
                "MLOPS_CONFIG_DIGEST": digest_of(2),
                "MLOPS_MODEL_VERSION": "2",
            },
        },
        "ExecutionRoleArn": ROLE,
    }
    assert model_tags == {
        "team": "fares",
        "tier": "1",
        "mlops:endpoint": ENDPOINT,
        "mlops:project": "city-taxi",
        "mlops:model-name": "trip-fare-prod",
        "mlops:model-version": "2",
        "mlops:environment": "prod",
        "mlops:config-digest": digest_of(2),
        "mlops:commit": COMMIT,
        "mlops:release": RELEASE,
        "mlops:revision": second.revision.name,
    }
    rehearsal, own = sorted(
        (params for name, params in sent if name == "CreateEndpointConfig"),
        key=lambda params: params["EndpointConfigName"] == with_id(second),
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": with_id(second),
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
    }
    del own["Tags"], rehearsal["Tags"]
    assert second.inference.data_capture is not None, "the server's own affair"
    assert own == {"EndpointConfigName": with_id(second), "ProductionVariants": [variant]}
    assert rehearsal == {
        "EndpointConfigName": requests.smoke_name(second),
        "ProductionVariants": [variant | {"InitialInstanceCount": 1}],
    }


def test_alarms_are_made_of_the_monitoring_files_alerts(
    aws: AwsProvider, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    aws.open().deploy(aws.deployment(1), quiet)
    aws.open().deploy(aws.deployment(2, rollout=ALARMED), quiet)
    latency, errors = (params for name, params in sent if name == "PutMetricAlarm")
    dimensions = [
        {"Name": "EndpointName", "Value": ENDPOINT},
        {"Name": "VariantName", "Value": "AllTraffic"},
    ]
    assert latency == {
        "AlarmName": f"{ENDPOINT}-fare-latency",
        "AlarmDescription": f"latency of {ENDPOINT}",
        "Namespace": "AWS/SageMaker",
        "MetricName": "ModelLatency",
        "ExtendedStatistic": "p95",
        "Dimensions": dimensions,
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 200_000.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    assert errors["MetricName"] == "Invocation5XXErrors"
    assert (errors["Statistic"], errors["Threshold"], errors["EvaluationPeriods"]) == ("Average", 0.005, 1)


def test_an_availability_alarm_watches_the_share_of_failures(offline: AwsProvider) -> None:
    deployment = offline.deployment(1, rollout=CANARY | {"rollback_alarms": ["fare-availability"]})
    [alarm] = requests.alarms(deployment)
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0.01, "GreaterThanThreshold")


def test_an_alarm_that_sagemaker_cannot_watch_is_a_sentence(offline: AwsProvider) -> None:
    deployment = offline.deployment(1, rollout=CANARY | {"rollback_alarms": ["fare-drift"]})
    with pytest.raises(UsageError, match="fare-drift watches drift, which SageMaker's own metrics"):
        requests.alarms(deployment)


def test_machines_follow_the_load(aws: AwsProvider, sent: list[tuple[str, dict[str, Any]]]) -> None:
    aws.open().deploy(aws.deployment(1, autoscaling=SCALED), quiet)
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{ENDPOINT}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    assert only(sent, "RegisterScalableTarget") == target | {"MinCapacity": 2, "MaxCapacity": 8}
    assert only(sent, "PutScalingPolicy") == target | {
        "PolicyName": f"{ENDPOINT}-invocations",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 600.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        },
    }
    aws.open().deploy(aws.deployment(2), quiet)
    assert only(sent, "DeregisterScalableTarget") == target


def test_a_rollback_moves_all_traffic_at_once(
    aws: AwsProvider, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    first = aws.deployment(1)
    aws.open().deploy(first, quiet)
    aws.open().deploy(aws.deployment(2), quiet)
    sent.clear()
    aws.open().rollback(ENDPOINT, quiet)
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    assert only(sent, "UpdateEndpoint") == {
        "EndpointName": ENDPOINT,
        "EndpointConfigName": with_id(first),
        "DeploymentConfig": {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    }


def test_a_linear_rollout_has_its_step(offline: AwsProvider) -> None:
    request = requests.update(offline.deployment(1, rollout=LINEAR | {"wait": "PT5M"}))
    assert request["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "LINEAR",
        "WaitIntervalInSeconds": 300,
        "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 40},
    }
    assert "RetainAllVariantProperties" not in request


def test_every_request_fits_the_services_own_model(offline: AwsProvider) -> None:
    deployment = offline.deployment(1, rollout=ALARMED, autoscaling=SCALED)
    scaling = requests.scaling(deployment)
    assert scaling is not None
    given = [
        ("sagemaker", "CreateModel", requests.model(deployment, ROLE)),
        ("sagemaker", "CreateEndpointConfig", requests.configuration(deployment)),
        ("sagemaker", "CreateEndpointConfig", requests.smoke_configuration(deployment)),
        ("sagemaker", "CreateEndpoint", requests.endpoint(deployment, ENDPOINT, "configuration")),
        ("sagemaker", "UpdateEndpoint", requests.update(deployment)),
        ("sagemaker", "UpdateEndpoint", requests.back(ENDPOINT, "configuration")),
        ("application-autoscaling", "RegisterScalableTarget", scaling[0]),
        ("application-autoscaling", "PutScalingPolicy", scaling[1]),
        *(("cloudwatch", "PutMetricAlarm", alarm) for alarm in requests.alarms(deployment)),
    ]
    session = botocore.session.get_session()
    for service, operation, request in given:
        shape = session.get_service_model(service).operation_model(operation).input_shape
        validate_parameters(request, shape)


def test_nothing_is_left_after_deleting(aws: AwsProvider) -> None:
    aws.open().deploy(aws.deployment(1, autoscaling=SCALED), quiet)
    aws.open().deploy(aws.deployment(2, rollout=ALARMED, autoscaling=SCALED), quiet)
    sagemaker = aws.clients["sagemaker"]
    sagemaker.create_model(ModelName=f"{ENDPOINT}-deadbeef", PrimaryContainer={"Image": "theirs"})
    aws.open().delete(ENDPOINT, quiet)
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert [each["ModelName"] for each in sagemaker.list_models()["Models"]] == [f"{ENDPOINT}-deadbeef"]
    assert aws.clients["cloudwatch"].describe_alarms()["MetricAlarms"] == []
    sagemaker.delete_model(ModelName=f"{ENDPOINT}-deadbeef")


def test_a_role_may_be_a_secret(
    aws: AwsProvider, sent: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = aws.deployment(1)
    secret = deployment.inference.deployer.model_copy(update={"role": "secret://sagemaker-role"})
    deployer = SageMakerDeployer(secret, clients=aws.clients, pace=aws.clock.pace())
    with pytest.raises(UsageError, match=r"deployer.role is secret://sagemaker-role, and nothing") as error:
        deployer.deploy(deployment, quiet)
    assert error.value.hint is not None
    assert error.value.hint.startswith("set MLOPS_SECRET_SAGEMAKER_ROLE ")
    monkeypatch.setenv("MLOPS_SECRET_SAGEMAKER_ROLE", ROLE)
    deployer.deploy(deployment, quiet)
    assert only(sent, "CreateModel")["ExecutionRoleArn"] == ROLE


def test_credentials_of_another_account_are_refused(aws: AwsProvider) -> None:
    deployment = aws.deployment(1)
    other = deployment.inference.deployer.model_copy(update={"account_id": "999988887777"})
    deployer = SageMakerDeployer(other, clients=aws.clients, pace=aws.clock.pace())
    with pytest.raises(UsageError, match=r"of account 123456789012, but .* is 999988887777"):
        deployer.deploy(deployment, quiet)


def test_the_reason_of_a_failure_is_told(aws: AwsProvider) -> None:
    with pytest.raises(DeployFailedError, match="did not pass the ping health check") as error:
        aws.open().deploy(aws.deployment(1, DIES), quiet)
    assert error.value.hint is not None
    assert f"/aws/sagemaker/Endpoints/{ENDPOINT};" in error.value.hint


def test_a_model_without_an_image_or_outside_s3_is_a_sentence(offline: AwsProvider) -> None:
    from dataclasses import replace

    deployment = offline.deployment(1)
    bare = replace(deployment, revision=replace(deployment.revision, image=None))
    with pytest.raises(UsageError, match="needs the runtime image"):
        requests.model(bare, ROLE)
    folder = replace(deployment, revision=replace(deployment.revision, package_uri="/models/1"))
    with pytest.raises(UsageError, match="archive at s3://, not /models/1"):
        requests.model(folder, ROLE)


@pytest.fixture
def stubbed() -> Iterator[tuple[Calls, Stubber]]:
    """Calls whose SageMaker answers are given; botocore checks them against the service's model."""
    clients = Clients("eu-central-1")
    session = botocore.session.get_session()
    client = session.create_client(
        "sagemaker",
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    clock = TestClock()
    clients._clients["sagemaker"] = client
    with Stubber(client) as stubber:
        yield Calls(clients, Retries(sleep=clock.sleep, clock=clock.clock)), stubber


@pytest.mark.parametrize(
    ("code", "said", "status", "hint"),
    [
        (
            "AccessDeniedException",
            "not authorized",
            400,
            "identity in use have sagemaker:UpdateEndpoint",
        ),
        ("ResourceLimitExceeded", "The account-level limit is 0", 400, "Service Quotas"),
        ("ExpiredTokenException", "expired", 400, "aws sts get-caller-identity"),
        ("UnrecognizedClientException", "invalid token", 400, "aws sts get-caller-identity"),
        ("OptInRequired", "not subscribed", 403, "deployer.region"),
    ],
)
def test_a_refusal_says_what_to_do(
    stubbed: tuple[Calls, Stubber], code: str, said: str, status: int, hint: str
) -> None:
    call, stubber = stubbed
    stubber.add_client_error("update_endpoint", code, said, status)
    with pytest.raises(
        ServiceError, match=f"sagemaker:UpdateEndpoint failed: AWS answered {code}: {said}"
    ) as e:
        call("sagemaker", "UpdateEndpoint", **requests.back(ENDPOINT, "configuration"))
    assert e.value.hint is not None
    assert hint in e.value.hint


def test_a_throttled_call_is_made_again(stubbed: tuple[Calls, Stubber]) -> None:
    call, stubber = stubbed
    request = requests.back(ENDPOINT, "configuration")
    stubber.add_client_error("update_endpoint", "ThrottlingException", "slow down", 400)
    stubber.add_client_error("update_endpoint", "InternalFailure", "oops", 500)
    answer = {"EndpointArn": f"arn:aws:sagemaker:eu-central-1:123456789012:endpoint/{ENDPOINT}"}
    stubber.add_response("update_endpoint", answer, request)
    assert call("sagemaker", "UpdateEndpoint", **request)["EndpointArn"] == answer["EndpointArn"]
    stubber.assert_no_pending_responses()


def test_missing_credentials_are_a_sentence(aws: AwsProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    config = aws.deployment(1).inference.deployer
    assert config.target == "aws"
    with pytest.raises(MlopsConfigError, match="Unable to locate credentials") as error:
        SageMakerDeployer(config, pace=aws.clock.pace()).status(ENDPOINT)
    assert error.value.hint is not None
    assert "AWS_PROFILE" in error.value.hint


def test_an_answer_the_model_refused_is_a_sentence(aws_clients: Clients, aws: AwsProvider) -> None:
    runtime = aws_clients["sagemaker-runtime"]
    with Stubber(runtime) as stubber:
        stubber.add_client_error("invoke_endpoint", "ModelError", "Received client error (422)", 424)
        with pytest.raises(ServiceError, match=rf"{ENDPOINT}: the server refused: Received client error"):
            aws.open().predict(ENDPOINT, ROWS)
        body = StreamingBody(io.BytesIO(b"[]"), 2)
        stubber.add_response("invoke_endpoint", {"Body": body, "ContentType": "application/json"})
        with pytest.raises(ServiceError, match="no list of predictions for 2 rows"):
            aws.open().predict(ENDPOINT, ROWS)
