"""Who may do what: policies of AWS and grants of Google Cloud, and what is too much in them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

NO_RESOURCE: Mapping[str, str] = {
    "application-autoscaling:DescribeScalableTargets": "lists",
    "aps:CreateWorkspace": "makes what has no name before",
    "aps:ListWorkspaces": "lists",
    "cloudwatch:DescribeAlarms": "lists all alarms when asked for a prefix",
    "cloudwatch:PutMetricData": "no resource; a namespace is a condition",
    "ec2:Describe*": "lists, as nearly all of EC2's Describe actions",
    "ecr:GetAuthorizationToken": "a token for the whole registry",
    "kms:CreateKey": "makes what has no name before; the tags of the request are a condition",
    "kms:ListAliases": "lists",
    "logs:CreateLogDelivery": "a delivery is no resource",
    "logs:DeleteLogDelivery": "a delivery is no resource",
    "logs:DescribeLogGroups": "lists",
    "logs:DescribeResourcePolicies": "of the account",
    "logs:GetLogDelivery": "a delivery is no resource",
    "logs:ListLogDeliveries": "lists",
    "logs:PutResourcePolicy": "of the account",
    "logs:UpdateLogDelivery": "a delivery is no resource",
    "s3:GetAccountPublicAccessBlock": "of the account",
    "sagemaker:ListEndpointConfigs": "lists",
    "sagemaker:ListEndpoints": "lists",
    "sagemaker:ListModels": "lists",
    "sns:GetSubscriptionAttributes": "a subscription is no resource",
    "sns:SetSubscriptionAttributes": "a subscription is no resource",
    "sns:Unsubscribe": "a subscription is no resource",
}
"""Actions for which AWS's service authorization reference names no resource -> what they are for.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""
PRIMITIVE = re.compile(r"roles/(owner|editor|viewer|browser)")
"""Google's basic roles: thousands of permissions each."""
FAR_REACHING = re.compile(
    r"roles/.*(securityAdmin|TokenCreator|serviceAccountKeyAdmin|KeyAdmin|organizationAdmin)"
)
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})


def policies(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document of AWS below a value, as JSON or in a string of JSON, with where it was found."""
    if isinstance(value, str) and value.startswith("{") and '"Statement"' in value:
        value = json.loads(value)
    if isinstance(value, dict):
        if "Statement" in value:
            yield " ".join(path), value
            return
        for name, each in value.items():
            yield from policies(each, (*path, name) if name != "JSON" else path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from policies(each, (*path, f"[{index}]"))


def too_much(where: str, policy: Mapping[str, Any]) -> list[str]:
    """What a policy of AWS allows that it should not; a statement that denies may be as wide as it likes."""
    lines = []
    for number, statement in enumerate(_listed(policy["Statement"])):
        if statement["Effect"] != "Allow":
            continue
        name = f"{where}: {statement.get('Sid', f'statement {number}')}"
        lines += [f"{name} allows {said}" for said in _too_wide(statement)]
    return lines


def _too_wide(statement: Mapping[str, Any]) -> Iterator[str]:
    actions, principal = _listed(statement.get("Action", [])), statement.get("Principal")
    whose = _listed(principal.get("AWS", [])) if isinstance(principal, dict) else _listed(principal or [])
    if "*" in whose and "Condition" not in statement:
        yield "everybody"
    yield from (
        f"all but some ({key})" for key in ("NotAction", "NotResource", "NotPrincipal") if key in statement
    )
    if (
        principal is not None
        and "Resource" in statement
        and all(who.endswith(":root") for who in whose)
        and whose
    ):
        return  # A resource's own policy that leaves it to the account's policies who may what.
    yield from (f"the action {action}" for action in actions if re.fullmatch(r"\*|[\w-]+:\*", action))
    if principal is None and "*" in _listed(statement.get("Resource", [])):
        yield from (f"{action} on every resource" for action in actions if action not in NO_RESOURCE)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def too_much_granted(where: str, values: Mapping[str, Any]) -> list[str]:
    """What a grant of Google Cloud allows that it should not: its role, and its members."""
    data = values.get("policy_data", {})
    bindings = (json.loads(data) if isinstance(data, str) else data.get("JSON", data)).get("bindings", [])
    lines = []
    for grant in (values, *bindings):
        members = {grant.get("member"), *(grant.get("members") or ())}
        lines += [f"{where} allows everybody ({who})" for who in sorted(members & EVERYBODY)]
        role = grant.get("role") or ""
        if PRIMITIVE.fullmatch(role) or FAR_REACHING.fullmatch(role):
            lines.append(f"{where} gives {role}")
    return lines
