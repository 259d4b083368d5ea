"""The roots on AWS with the example's releases: planned and applied against the stand-in provider."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mlops_config.infrastructure.variables import FILE_NAME
from tests.alerting.environments import example
from tests.infrastructure.releases import variables
from tests.services.prometheus import promtool
from tests.services.terraform import Workspace
from tests.terraform import standin as preparing
from tests.terraform.authorization import Statement, refused
from tests.terraform.calls_on_aws import MAKE, SEE, Call, calls
from tests.terraform.github_roles_on_aws import Roles
from tests.terraform.policies import policies, too_much

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = {"dev": "777788889999", "staging": "111122223333", "prod": "444455556666"}
"""With the example's accounts."""
BOUNDARY = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary"
OWN = {"terraform.tfvars"}
"""What an environment's root has of its own: where it lies and how large it is."""
LEFT_OUT = {"threshold", "config_digest"}
"""Annotations that change with each release; Terraform would change every rule each time."""


class Applied(NamedTuple):
    """An environment that was made."""

    workspace: Workspace
    values: dict[str, Any]
    """What each resource has, by its address."""


@pytest.fixture(scope="module")
def prod(
    terraform: Path, standin_mirror: preparing.Environment, tmp_path_factory: pytest.TempPathFactory
) -> Applied:
    """The example's prod, applied."""
    workspace = staged(tmp_path_factory.mktemp("aws"), "prod", terraform, standin_mirror)
    workspace.done("init", "-input=false")
    workspace.done("apply", "-input=false", "-auto-approve", STANDIN_ACCOUNT=ENVIRONMENTS["prod"])
    state = json.loads(workspace.done("show", "-json"))
    return Applied(workspace, dict(_resources(state["values"]["root_module"])))


def staged(folder: Path, environment: str, terraform: Path, mirror: preparing.Environment) -> Workspace:
    """An environment's root with its release, and what its modules take of a checkout."""
    for name in ("dags", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    root = preparing.stage(ROOT / "terraform", folder / "terraform") / "environments" / environment / "aws"
    (root / FILE_NAME).write_bytes(variables(environment).to_json())
    return Workspace(root, terraform, mirror.with_cloud(folder / "cloud"))


def _resources(module: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((each["address"], each["values"]) for each in module.get("resources", []))
    for child in module.get("child_modules", []):
        yield from _resources(child)


def test_the_roots_differ_in_their_settings_and_their_own_name_only() -> None:
    def files(environment: str) -> dict[str, str]:
        root = ROOT / "terraform" / "environments" / environment / "aws"
        return {
            str(path.relative_to(root)): re.sub(
                rf"\b{environment}\b|{ENVIRONMENTS[environment]}", "…", path.read_text("utf-8")
            )
            for path in root.rglob("*")
            if path.is_file() and path.name not in OWN and not _is_left_over(path)
        }

    dev, staging, production = (files(environment) for environment in ENVIRONMENTS)
    assert dev == staging == production
    assert {"main.tf", "variables.tf", "release.tf", "backend.hcl.example"} <= set(dev)


def _is_left_over(path: Path) -> bool:
    """What a run of Terraform or of ``deploy`` in the checkout leaves."""
    return ".terraform" in str(path) or path.name == FILE_NAME or "tfstate" in path.name


def test_a_second_plan_finds_nothing_to_do(prod: Applied) -> None:
    finished = prod.workspace.run(
        "plan", "-input=false", "-detailed-exitcode", STANDIN_ACCOUNT=ENVIRONMENTS["prod"]
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_prometheus_is_given_the_rules_that_the_verb_writes(prod: Applied, tmp_path: Path) -> None:
    from mlops_config.alerting.generating import generate

    namespace = prod.values[
        "module.environment.module.monitoring[0].aws_prometheus_rule_group_namespace.this"
    ]
    made = yaml.safe_load(namespace["data"])
    written = [
        group
        for name, text in generate(example("prod")).files.items()
        if name.endswith(".rules.yaml")
        for group in yaml.safe_load(text)["groups"]
    ]
    assert _by_name(made["groups"]) == _by_name(written)
    assert [rule["record"] for rule in made["groups"][0]["rules"]][-2:] == [
        "fares:availability:percent_5m",
        "fares:request_errors:ratio_rate5m",
    ], "what is made of recorded series comes after them"

    rules = tmp_path / "rules.yaml"
    rules.write_text(namespace["data"], encoding="utf-8")
    checked = promtool("check", "rules", rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _by_name(groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The rules of each group without what Terraform leaves out, in an order of their own."""
    found = {}
    for group in groups:
        rules = []
        for rule in group["rules"]:
            texts = {key: text for key, text in rule.get("annotations", {}).items() if key not in LEFT_OUT}
            rules.append(json.dumps({**rule, "annotations": texts}, sort_keys=True))
        found[group["name"]] = sorted(rules)
    return found


def test_every_policy_names_what_it_is_for(prod: Applied) -> None:
    """With what is known after an apply only; ``test_policies`` looks at the plans."""
    found = [(f"{at} {where}", each) for at, v in prod.values.items() for where, each in policies(v)]

    assert len(found) >= 15
    assert [line for where, policy in found for line in too_much(where, policy)] == []


def asked(prod: Applied, table: Mapping[str, list[Any]]) -> Iterator[tuple[str, Call]]:
    """What Terraform asks of AWS for all that prod has, with the resource that it is for."""
    bounded = {"account": ENVIRONMENTS["prod"], "boundary": BOUNDARY}
    for address, values in prod.values.items():
        if ".data." in address:  # who one is may everybody ask
            continue
        ((kind, _),) = re.findall(r"\.(aws_\w+)\.\w+(\[.*)?$", address)
        yield from ((address, call) for call in calls(table, kind, bounded | values, "prod"))


def cannot(statements: list[Statement], wanted: Iterable[tuple[str, Call]]) -> list[str]:
    """What a role may not, and why."""
    return [
        f"{address}: {call.action} on {call.arn}: {why}"
        for address, call in wanted
        if (why := refused(statements, call.action, call.arn, call.context))
    ]


def test_who_deploys_may_make_and_see_all_that_there_is(prod: Applied, github_roles: Roles) -> None:
    wanted = [*asked(prod, SEE), *asked(prod, MAKE)]
    assert len(wanted) > 600
    assert cannot(github_roles["deploy"], wanted) == []


def test_who_plans_may_see_all_that_there_is_and_make_nothing(prod: Applied, github_roles: Roles) -> None:
    assert cannot(github_roles["plan"], asked(prod, SEE)) == []
    seen = {call.action for _, call in asked(prod, SEE)}
    makes = [
        each
        for each in asked(prod, MAKE)
        if each[1].action not in seen and not re.search(":(Describe|Get|List)", each[1].action)
    ]
    assert len(cannot(github_roles["plan"], makes)) == len(makes)


def test_who_deploys_prod_makes_and_changes_nothing_of_staging(prod: Applied, github_roles: Roles) -> None:
    def of_staging(text: str) -> str:
        return text.replace("prod", "staging")

    others = [
        Call(
            call.action, of_staging(call.arn), {key: of_staging(value) for key, value in call.context.items()}
        )
        for _, call in asked(prod, MAKE)
    ]
    allowed = {
        call.action
        for call in others
        if not refused(github_roles["deploy"], call.action, call.arn, call.context)
    }
    assert {each for each in allowed if not re.search(":(Describe|Get|List)", each)} == {
        "ec2:CreateNetworkInterface",  # within subnets that may be of a network without tags
        "ec2:CreateVpcEndpoint",
        "ec2:CreateTags",  # of a new VPC's own security group, which is closed
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "iam:CreateServiceLinkedRole",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:PutResourcePolicy",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
    }


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("ec2:CreateTags", "arn:aws:ec2:eu-central-1:444455556666:vpc/vpc-0a"),
        ("kms:TagResource", "arn:aws:kms:eu-central-1:444455556666:key/0a1b"),
        ("aps:TagResource", "arn:aws:aps:eu-central-1:444455556666:workspace/ws-0a"),
    ],
)
def test_who_deploys_makes_nothing_of_others_their_own(github_roles: Roles, action: str, arn: str) -> None:
    tag = "aws:RequestTag/environment", "aws:ResourceTag/environment"
    taken_over = dict(zip(tag, ("prod", "staging"), strict=True))
    assert refused(github_roles["deploy"], action, arn, taken_over)


def test_every_role_is_bounded(prod: Applied) -> None:
    roles = {address: values for address, values in prod.values.items() if ".aws_iam_role." in address}
    assert len(roles) == 3
    assert {values["permissions_boundary"] for values in roles.values()} == {BOUNDARY}
    assert all(values["name"].startswith("city-taxi-trip-fare-prod-") for values in roles.values())


def test_jobs_are_told_the_role_that_was_made_and_where_their_metrics_go(prod: Applied) -> None:
    address = "module.environment.module.airflow[0].aws_secretsmanager_secret_version.connection"
    extra = json.loads(prod.values[address]["secret_string"])["extra"]
    role = "arn:aws:iam::444455556666:role/city-taxi-trip-fare-prod-sagemaker"
    assert extra["variables"]["MLOPS_SECRET_SAGEMAKER_EXECUTION_ROLE_PROD"] == role
    assert extra["variables"]["MLOPS_STORE"] == "s3://city-taxi-trip-fare-prod-444455556666"
    assert extra["variables"]["MLOPS_PUSHGATEWAY_URL"] == "https://pushgateway.acme.example"


def test_nothing_destroys_the_store(prod: Applied, tmp_path: Path) -> None:
    """With neither policy nor key, which Terraform would delete though the bucket is not empty and stays."""
    account = {"STANDIN_ACCOUNT": ENVIRONMENTS["prod"]}
    store = "module.environment.module.artifact_store[0]"
    planned = prod.workspace.run("plan", "-destroy", "-input=false", **account)
    assert planned.returncode == 1
    said = " ".join(re.sub(r"[│╷╵]", " ", planned.stderr).split())
    protected = set(re.findall(r"Resource (\S+) has lifecycle.prevent_destroy set", said))
    assert protected == {f"{store}.aws_kms_key.this[0]", f"{store}.aws_s3_bucket_policy.this"}, said

    page = (ROOT / "docs" / "first-release-aws.md").read_text("utf-8")
    assert f"state rm '{store}'" in page
    state = shutil.copy(prod.workspace.folder / "terraform.tfstate", tmp_path)
    prod.workspace.done("state", "rm", f"-state={state}", store)
    rest = prod.workspace.done("plan", "-destroy", "-input=false", f"-state={state}", **account)
    assert re.search(r"Plan: 0 to add, 0 to change, \d\d+ to destroy", rest)
    assert f"# {store}" not in rest, "something of it is to be destroyed"


def test_a_store_that_is_there_gets_a_lock(prod: Applied) -> None:
    wanted = "-var=artifact_store={ lock_days = 30 }"
    store = "module.environment.module.artifact_store"
    account = {"STANDIN_ACCOUNT": ENVIRONMENTS["prod"]}
    said = prod.workspace.done("plan", "-input=false", f"-target={store}", wanted, **account)
    assert f"# {store}[0].aws_s3_bucket_object_lock_configuration.this[0] will be created" in said
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in said


def test_credentials_of_another_account_are_refused(prod: Applied) -> None:
    refused = prod.workspace.run("plan", "-input=false", STANDIN_ACCOUNT=ENVIRONMENTS["dev"])
    assert refused.returncode == 1
    assert "AWS account ID not allowed: 777788889999" in refused.stderr
