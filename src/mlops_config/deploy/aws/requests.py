"""What SageMaker, CloudWatch and Application Auto Scaling are sent: pure functions of the deployment.

Names and limits are those of the services' own models (botocore checks each request against them).
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.deploy import interface
from mlops_config.deploy.interface import Deployment
from mlops_config.deploy.labels import server_variables, tags
from mlops_config.errors import UsageError

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import Endpoint
    from mlops_config.contract.models.monitoring import Alert

VARIANT = "AllTraffic"
"""Always the same: scaling and alarms are bound to the variant's name, and outlive a revision."""
ENDPOINT_TAG = "mlops:endpoint"
"""On all we make, with the endpoint's name: what has it is removed with the endpoint."""
REVISION_TAG = "mlops:revision"

_NAMESPACE = "AWS/SageMaker"
_PERIOD_SECONDS = 60
_MICROSECONDS = 1000
_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_OPERATORS = {
    "gt": "GreaterThanThreshold",
    "ge": "GreaterThanOrEqualToThreshold",
    "lt": "LessThanThreshold",
    "le": "LessThanOrEqualToThreshold",
}
_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def resource_name(deployment: Deployment) -> str:
    """Name of the revision's model and endpoint configuration: ``<endpoint>-<8 hex>``."""
    return f"{deployment.endpoint}-{deployment.revision.id}"


def smoke_name(deployment: Deployment) -> str:
    """Name of the small endpoint that is asked before traffic moves, of its configuration too."""
    return f"{deployment.endpoint}-{deployment.revision.smoke_id}"


def endpoint_of(deployment: Deployment) -> "Endpoint":
    """The endpoint's part of the inference file, with a machine type."""
    return interface.endpoint_of(deployment, example="ml.m5.large")


def model(deployment: Deployment, role: str) -> dict[str, Any]:
    """``CreateModel``.

    Raises:
        UsageError: image or package are not what SageMaker takes.
    """
    revision = deployment.revision
    if revision.image is None:
        raise UsageError("SageMaker needs the runtime image", hint="give the image of the release by digest")
    if not revision.package_uri.startswith("s3://"):
        raise UsageError(
            f"SageMaker takes a package archive at s3://, not {revision.package_uri}",
            hint="publish the package to a bucket of this account first",
        )
    return {
        "ModelName": resource_name(deployment),
        "PrimaryContainer": {
            "Image": revision.image,
            "Mode": "SingleModel",
            "ModelDataUrl": revision.package_uri,
            "Environment": server_variables(deployment),
        },
        "ExecutionRoleArn": role,
        "Tags": _tags(deployment),
    }


def configuration(deployment: Deployment) -> dict[str, Any]:
    """``CreateEndpointConfig`` of the revision.

    It has no ``DataCaptureConfig``: the server writes ``data_capture`` itself, on every target with the same
    columns, and whoever read both would count each request twice.
    """
    endpoint = endpoint_of(deployment)
    return _configuration(deployment, resource_name(deployment), endpoint.initial_instance_count)


def smoke_configuration(deployment: Deployment) -> dict[str, Any]:
    """``CreateEndpointConfig`` of the endpoint that is only asked: one machine."""
    return _configuration(deployment, smoke_name(deployment), 1)


def endpoint(deployment: Deployment, name: str, configuration_name: str) -> dict[str, Any]:
    """``CreateEndpoint``. Its tags do not say which revision serves: that changes."""
    kept = {ENDPOINT_TAG, "mlops:project", "mlops:model-name", "mlops:environment"}
    kept |= set(deployment.inference.metadata.labels)
    return {
        "EndpointName": name,
        "EndpointConfigName": configuration_name,
        "Tags": [tag for tag in _tags(deployment) if tag["Key"] in kept],
    }


def update(deployment: Deployment) -> dict[str, Any]:
    """``UpdateEndpoint`` with the rollout as SageMaker's blue/green update policy."""
    part = endpoint_of(deployment)
    rollout = part.rollout
    routing: dict[str, Any] = {
        "Type": rollout.type.upper(),
        "WaitIntervalInSeconds": round(rollout.wait.total_seconds()),
    }
    if rollout.type == "canary":
        routing["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": rollout.canary_percent}
    elif rollout.type == "linear":
        routing["LinearStepSize"] = {"Type": "CAPACITY_PERCENT", "Value": rollout.step_percent}
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": round(rollout.termination_wait.total_seconds()),
            "MaximumExecutionTimeoutInSeconds": round(rollout.timeout.total_seconds()),
        }
    }
    if rollout.rollback_alarms:
        names = [alarm_name(deployment.endpoint, name) for name in rollout.rollback_alarms]
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in names]}
    request: dict[str, Any] = {
        "EndpointName": deployment.endpoint,
        "EndpointConfigName": resource_name(deployment),
        "DeploymentConfig": config,
    }
    if part.autoscaling is not None:
        # A fleet that has grown is not shrunk to what it began with; a capture that SageMaker made of the
        # revision before ends with it.
        request["RetainAllVariantProperties"] = True
        request["ExcludeRetainedVariantProperties"] = [
            {"VariantPropertyType": "DesiredWeight"},
            {"VariantPropertyType": "DataCaptureConfig"},
        ]
    return request


def back(name: str, configuration_name: str) -> dict[str, Any]:
    """``UpdateEndpoint`` that gives all traffic back at once."""
    policy = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    return {
        "EndpointName": name,
        "EndpointConfigName": configuration_name,
        "DeploymentConfig": {"BlueGreenUpdatePolicy": policy},
    }


def scalable_target(name: str) -> dict[str, str]:
    """What names the endpoint's machines to Application Auto Scaling."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
        "ScalableDimension": _DIMENSION,
    }


def scaling(deployment: Deployment) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """``RegisterScalableTarget`` and ``PutScalingPolicy``; ``None`` for a fixed number of machines."""
    wanted = endpoint_of(deployment).autoscaling
    if wanted is None:
        return None
    target = scalable_target(deployment.endpoint)
    limits = {"MinCapacity": wanted.min_instance_count, "MaxCapacity": wanted.max_instance_count}
    policy = {
        **target,
        "PolicyName": f"{deployment.endpoint}-invocations",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": float(wanted.target_invocations_per_minute),
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        },
    }
    return {**target, **limits}, policy


def alarm_name(endpoint_name: str, alert: str) -> str:
    """Name of the CloudWatch alarm of an alert of the monitoring file."""
    return f"{endpoint_name}-{alert}"


def alarms(deployment: Deployment) -> list[dict[str, Any]]:
    """``PutMetricAlarm`` for each of the rollout's alarms; none when the monitoring file is not at hand.

    Raises:
        UsageError: an alarm watches what SageMaker's own metrics do not tell.
    """
    if deployment.monitoring is None:
        return []
    wanted = endpoint_of(deployment).rollout.rollback_alarms
    return [_alarm(deployment, alert) for alert in deployment.monitoring.alerts if alert.name in wanted]


def _alarm(deployment: Deployment, alert: "Alert") -> dict[str, Any]:
    service = deployment.inference.service_level
    statistic: dict[str, Any]
    operator: str
    if alert.signal == "latency":
        # ModelLatency is in microseconds; alerts and service levels are in milliseconds.
        limit = service.p95_latency_ms if alert.threshold is None else alert.threshold
        metric, statistic, threshold = "ModelLatency", {"ExtendedStatistic": "p95"}, limit * _MICROSECONDS
        operator = alert.op or "gt"
    elif alert.signal == "errors":
        # 1 for a request that failed, else 0: the average is the share of failed requests.
        limit = service.error_rate_max_fraction if alert.threshold is None else alert.threshold
        metric, statistic, threshold = "Invocation5XXErrors", {"Statistic": "Average"}, limit
        operator = alert.op or "gt"
    elif alert.signal == "availability":
        limit = service.availability_percent if alert.threshold is None else alert.threshold
        metric, statistic, threshold = "Invocation5XXErrors", {"Statistic": "Average"}, 1 - limit / 100
        operator = _FLIPPED[alert.op or "lt"]
    else:
        raise UsageError(
            f"rollback alarm {alert.name} watches {alert.signal}, which SageMaker's own metrics do not tell",
            hint="undo rollouts on aws by alerts of the signals latency, errors or availability",
        )
    return {
        "AlarmName": alarm_name(deployment.endpoint, alert.name),
        "AlarmDescription": alert.runbook_url or f"{alert.signal} of {deployment.endpoint}",
        "Namespace": _NAMESPACE,
        "MetricName": metric,
        **statistic,
        "Dimensions": [
            {"Name": "EndpointName", "Value": deployment.endpoint},
            {"Name": "VariantName", "Value": VARIANT},
        ],
        "Period": _PERIOD_SECONDS,
        "EvaluationPeriods": max(1, math.ceil(alert.for_.total_seconds() / _PERIOD_SECONDS)),
        "Threshold": round(threshold, 9),
        "ComparisonOperator": _OPERATORS[operator],
        "TreatMissingData": "notBreaching",
    }


def _configuration(deployment: Deployment, name: str, count: int) -> dict[str, Any]:
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "ModelName": resource_name(deployment),
                "InstanceType": endpoint_of(deployment).instance_type,
                "InitialInstanceCount": count,
                "InitialVariantWeight": 1.0,
            }
        ],
        "Tags": _tags(deployment),
    }


def _tags(deployment: Deployment) -> list[Mapping[str, str]]:
    return [{"Key": ENDPOINT_TAG, "Value": deployment.endpoint}, *tags(deployment)]
