"""SageMaker, CloudWatch and scaling as somebody with policies meets them.

What each operation needs is from the service authorization reference; a server of tests knows no policies.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from tests.terraform.authorization import Statement, refused

PLACE = "eu-central-1:444455556666"
EXECUTION_ROLE = "arn:aws:iam::444455556666:role/city-taxi-trip-fare-prod-sagemaker"
_LISTINGS = {"DescribeAlarms", "DescribeScalableTargets"}
_OF_ENDPOINT = {"ModelName": "model", "EndpointConfigName": "endpoint-config", "EndpointName": "endpoint"}
_SCALES = {
    "application-autoscaling:service-namespace": "sagemaker",
    "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
}
_NAMESPACES = {"sagemaker-runtime": "sagemaker", "monitoring": "cloudwatch"}
"""Of a service's clients -> what its actions begin with, where that is another word."""


@contextmanager
def judged(statements: Sequence[Statement], clients: Iterable[Any]) -> Iterator[None]:
    """Inside, the clients refuse what the statements do not allow."""

    def judge(params: Mapping[str, Any], model: Any, **_: object) -> None:
        service = model.service_model.service_name
        for action, arn, context in needed(_NAMESPACES.get(service, service), model.name, params):
            if why := refused(statements, action, arn, context):
                answer: Any = {
                    "Error": {"Code": "AccessDeniedException", "Message": f"{action} on {arn}: {why}"},
                    "ResponseMetadata": {"HTTPStatusCode": 403},
                }
                raise ClientError(answer, model.name)

    for client in clients:
        client.meta.events.register("provide-client-params.*.*", judge)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("provide-client-params.*.*", judge)


def needed(
    service: str, operation: str, params: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """What an operation on prod's endpoint needs: actions, each with the resource and the condition keys."""
    action = f"{service}:{operation}"
    if service == "sts":  # everybody may ask who one is
        return
    if operation in _LISTINGS or (operation.startswith("List") and "ResourceArn" not in params):
        yield action, "*", {}
    elif service == "cloudwatch":
        for name in params.get("AlarmNames") or [params["AlarmName"]]:
            yield action, f"arn:aws:cloudwatch:{PLACE}:alarm:{name}", {}
    elif service == "application-autoscaling":
        yield action, f"arn:aws:application-autoscaling:{PLACE}:scalable-target/0a1b", _SCALES
    elif "ResourceArn" in params:
        yield action, f"arn:aws:sagemaker:{PLACE}:{params['ResourceArn'].split(':', 5)[5]}", {}
    else:
        for parameter, kind in _OF_ENDPOINT.items():
            if parameter in params:
                arn = f"arn:aws:sagemaker:{PLACE}:{kind}/{params[parameter].lower()}"
                yield action, arn, {}
                if params.get("Tags") and operation == f"Create{parameter.removesuffix('Name')}":
                    yield "sagemaker:AddTags", arn, {}
    if "ExecutionRoleArn" in params:
        # The tests' deployments name a role of their own; prod's is the one that its files are given.
        yield "iam:PassRole", EXECUTION_ROLE, {"iam:PassedToService": "sagemaker.amazonaws.com"}
