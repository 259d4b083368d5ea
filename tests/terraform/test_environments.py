"""Dev, staging and prod, compared: only what is meant to may differ. Of the reviewed plans (``golden``)."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.terraform import golden

FILES = "the environment's four files say so"
NO_ROLE = "dev serves without SageMaker, and so without a role whose name is known after the apply"
SIZE = "terraform.tfvars says how large the environment is"

RESOURCES: Mapping[str, str] = {
    r"module\.model_endpoint_roles\.aws_.*": "dev serves where it trains, without SageMaker",
    r"module\.airflow\[0\]\.aws_iam_role_policy_attachment\.jobs\[.*": "the policies of the line above",
    r"module\.model_endpoint_roles\.google_storage_bucket_iam_member\..*": FILES,
    r"module\.airflow\[0\]\..*(secret|filled_by_people).*": "the files of each name other secrets",
    r"module\.monitoring\[0\]\.google_monitoring_alert_policy\.alert\[.*": FILES,
    r"module\.monitoring\[0\]\.google_monitoring_notification_channel\.\w+\[.*": "nobody is woken for dev",
    r"module\.monitoring\[0\]\.aws_sns_topic\w*\.\w+\[.*": "nobody is woken for dev",
    r"module\.network\[0\]\.aws_(eip|nat_gateway)\.\w+\[.*": "a gateway for each zone in prod only",
}
"""Resources that need not be in every environment -> why."""

VALUES: Mapping[str, str] = {
    r".* (tags|labels|user_labels) (tier|mlops:config_digest)": FILES,
    r".* annotations mlops-config-digest": FILES,
    r".*secret_version\.release secret_(string|data) JSON config_digest": FILES,
    r".*secret_version\.connection secret_data JSON .* MLOPS_SECRET_\S+": "the files name other secrets",
    r".*secret_version\.connection secret_data JSON .* MLFLOW_TRACKING_URI": "each has its own MLflow",
    r".*aws_secretsmanager_secret_version\.connection (secret_string|\(known after apply\)).*": NO_ROLE,
    r".*aws_prometheus_rule_group_namespace\.this data \[.*": FILES,
    r".*aws_prometheus_alert_manager_definition\.this\[0\] definition \[.*": "nobody is woken for dev",
    r".*google_monitoring_alert_policy\.alert\[\S+ (conditions|documentation|severity)( .*)?": FILES,
    r".*google_storage_bucket_iam_member\.read\[.* condition \[0\] expression": FILES,
    r".*aws_cloudwatch_log_group\.\S+ retention_in_days": "what dev logs is kept for a shorter time",
    r".*aws_s3_bucket_lifecycle_configuration\.\w+ rule .* (days|noncurrent_days)": "dev keeps less",
    r".*aws_prometheus_workspace_configuration\.\S+ retention_period_in_days": "dev keeps less",
    r".*aws_mwaa_environment\.this (environment_class|min_workers|max_workers)": SIZE,
    r".*google_composer_environment\.this config \[0\] (environment_size|workloads_config .*)": SIZE,
    r".*google_composer_environment\.this .* snapshot_creation_schedule": "dev is saved once a week",
    r"module\.network\[0\]\.\S+ (cidr_block|ip_cidr_range)": "no address is in two networks",
}
"""Values that may differ -> why."""


def comparable(document: golden.Document, environment: str) -> golden.Document:
    """Without its own name, account and numbers: equal in two environments where they are the same."""
    text = json.dumps(document, ensure_ascii=False).replace(golden.ACCOUNTS[environment], "<account>")
    text = re.sub(rf"(?<![A-Za-z])(?<!pkg\.){environment}(?![A-Za-z])", "<environment>", text)
    text = re.sub(rf"(?<![A-Za-z]){environment.upper()}(?![A-Za-z])", "<ENVIRONMENT>", text)
    # What is too long for a name ends with a part of a hash; and Google's projects have numbers.
    text = re.sub(
        r"city-taxi-trip(-fare-<environment>|(-fa)?-[0-9a-f]{6})-(airflow|model)\b", r"<name>-\3", text
    )
    text = re.sub(r"\btier=\d", "tier=<number>", text)
    text = re.sub(r"\bservice-\d{12}@", "service-<number>@", text)
    made: golden.Document = json.loads(text)
    return made


def reviewed(environment: str, cloud: str) -> golden.Document:
    """A plan of the repository."""
    file = golden.FOLDER / f"{environment}-{cloud}.json"
    document: golden.Document = json.loads(file.read_text("utf-8"))
    return document


def plans(cloud: str) -> dict[str, golden.Document]:
    """Of the three environments."""
    return {environment: reviewed(environment, cloud) for environment in golden.ENVIRONMENTS}


def found(plans: Mapping[str, golden.Document]) -> Iterator[tuple[Mapping[str, str], str, str]]:
    """How each environment differs from prod: the table that may allow it, its path, and how to say it."""
    resources = {
        name: {address.removeprefix("module.environment."): values for address, values in each.items()}
        for name, each in ((name, comparable(plan, name)["resources"]) for name, plan in plans.items())
    }
    prod = resources["prod"]
    for name, mine in resources.items():
        for address in sorted(mine.keys() ^ prod.keys()):
            yield RESOURCES, address, f"{address}: in {name if address in mine else 'prod'} only"
        shared = mine.keys() & prod.keys()
        for line in golden.differences({a: prod[a] for a in shared}, {a: mine[a] for a in shared}):
            yield VALUES, line[2:].split(": ")[0], f"{line} ({name})"


def unexplained(plans: Mapping[str, golden.Document]) -> list[str]:
    """What differs though nothing allows it."""
    return [
        said
        for table, path, said in found(plans)
        if not any(re.fullmatch(pattern, path) for pattern in table)
    ]


@pytest.mark.parametrize("cloud", golden.CLOUDS)
def test_only_what_may_differ_does(cloud: str) -> None:
    assert unexplained(plans(cloud)) == []


def test_nothing_is_allowed_that_is_not_there() -> None:
    differ = {
        (id(table), pattern)
        for cloud in golden.CLOUDS
        for table, path, _ in found(plans(cloud))
        for pattern in table
        if re.fullmatch(pattern, path)
    }

    assert differ == {(id(table), pattern) for table in (RESOURCES, VALUES) for pattern in table}


def seeded(cloud: str, environment: str, resource: str, **values: Any) -> list[str]:
    """What is told when an environment's resource has other values."""
    changed = copy.deepcopy(plans(cloud))
    each = changed[environment]["resources"][f"module.environment.{resource}"]
    each.update(values)
    return unexplained(changed)


def test_a_bucket_that_is_open_in_staging_only_is_told() -> None:
    block = "module.artifact_store[0].aws_s3_bucket_public_access_block.this"

    assert seeded("aws", "staging", block, block_public_policy=False) == [
        f"~ {block} block_public_policy: true -> false (staging)"
    ]


def test_an_airflow_of_another_version_is_told() -> None:
    airflow = "module.airflow[0].aws_mwaa_environment.this"
    (line,) = seeded("aws", "dev", airflow, airflow_version="2.10.3")

    assert line.startswith(f"~ {airflow} airflow_version: ")
    assert line.endswith(' -> "2.10.3" (dev)')


def test_images_that_may_be_overwritten_in_dev_are_told() -> None:
    repository = "module.image_repository[0].google_artifact_registry_repository.this"

    assert seeded("gcp", "dev", repository, docker_config=[{"immutable_tags": False}]) == [
        f"~ {repository} docker_config [0] immutable_tags: true -> false (dev)"
    ]


def test_a_resource_in_one_environment_only_is_told() -> None:
    changed = plans("gcp")
    changed["dev"]["resources"]["module.environment.google_project_iam_member.all"] = {"role": "roles/owner"}

    assert unexplained(changed) == ["google_project_iam_member.all: in dev only"]


def test_the_account_of_another_environment_is_told() -> None:
    role = "module.airflow[0].aws_iam_role.execution"
    boundary = "arn:aws:iam::444455556666:policy/github-city-taxi-trip-fare-prod-boundary"
    (line,) = seeded("aws", "staging", role, permissions_boundary=boundary)

    assert line.startswith(f"~ {role} permissions_boundary: ")
    assert line.endswith(f' -> "{boundary}" (staging)')
