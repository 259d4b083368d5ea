"""Which of an account's resources are ours: by their names, and by our tags on them."""

import re
from collections.abc import Mapping

from mlops_config.deploy.aws import requests
from mlops_config.deploy.aws.calls import Calls


def named(call: Calls, operation: str, member: str, kind: str, endpoint: str) -> list[str]:
    """Names of resources made for the endpoint: by their form, and by our tag on them."""
    pattern = re.compile(rf"{re.escape(endpoint)}-[0-9a-f]{{8}}")
    names: list[str] = []
    start: dict[str, str] = {}
    while True:
        page = call("sagemaker", operation, NameContains=endpoint, **start)
        for item in page[member]:
            name = item[f"{kind}Name"]
            if (
                pattern.fullmatch(name)
                and tags_of(call, item[f"{kind}Arn"]).get(requests.ENDPOINT_TAG) == endpoint
            ):
                names.append(name)
        if not page.get("NextToken"):
            return names
        start = {"NextToken": page["NextToken"]}


def alarms_of(call: Calls, endpoint: str) -> list[str]:
    """Names of the alarms made for the endpoint."""
    found = call("cloudwatch", "DescribeAlarms", AlarmNamePrefix=f"{endpoint}-", MaxRecords=100)
    ours = {"Name": "EndpointName", "Value": endpoint}
    return [each["AlarmName"] for each in found["MetricAlarms"] if ours in each.get("Dimensions", ())]


def tags_of(call: Calls, arn: str) -> dict[str, str]:
    """The resource's tags."""
    page = call("sagemaker", "ListTags", ResourceArn=arn, MaxResults=100)
    return {tag["Key"]: tag["Value"] for tag in page["Tags"]}


def add_tags(call: Calls, arn: str, values: Mapping[str, str]) -> None:
    """Adds tags to the resource; those it has under other names stay."""
    tags = [{"Key": key, "Value": value} for key, value in values.items()]
    call("sagemaker", "AddTags", ResourceArn=arn, Tags=tags)
