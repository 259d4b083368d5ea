"""What GitHub's roles on AWS may do, as an administrator would plan them for the example's prod."""

import json
from pathlib import Path
from typing import Any

from tests.services.terraform import Workspace
from tests.terraform.authorization import Statement

STATES = "acme-terraform-444455556666"
KEY = "city-taxi/prod/aws.tfstate"
"""Bucket and key of prod's state."""

Roles = dict[str, list[Statement]]
"""By what they are for: plan, publish, deploy, rollback."""

_GIVEN: dict[str, Any] = {
    "account_id": "444455556666",
    "region": "eu-central-1",
    "repository": {"owner": "acme", "owner_id": "1000001", "name": "fares", "id": "2000002"},
    "environments": {
        "prod": {
            "name": "city-taxi-trip-fare-prod",
            "publish_refs": [],
            "state_key": KEY,
            "endpoint": "trip-fare-prod",
        }
    },
    "state": {"bucket": STATES},
}


def roles_of_prod(module: Workspace, folder: Path) -> Roles:
    """Every statement of each role, in a plan of the initialised module; ``folder`` takes what that needs."""
    given, plan = folder / "given.tfvars.json", folder / "plan"
    given.write_text(json.dumps(_GIVEN), encoding="utf-8")
    module.done("plan", "-input=false", f"-var-file={given}", f"-out={plan}", AWS_REGION="eu-central-1")
    planned = json.loads(module.done("show", "-json", str(plan)))["planned_values"]["root_module"][
        "resources"
    ]
    policies = {each["index"]: each["values"] for each in planned if each["type"] == "aws_iam_policy"}
    roles: Roles = {}
    for each in planned:
        if each["type"] == "aws_iam_role_policy_attachment":
            environment, purpose, policy = each["index"].split()
            statements = json.loads(policies[f"{environment} {policy}"]["policy"])["Statement"]
            roles.setdefault(purpose, []).extend(statements)
    return roles
