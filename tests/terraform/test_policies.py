"""Nobody may do more than is meant: policies on AWS and grants on Google Cloud, in the reviewed plans."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.services.terraform import Workspace
from tests.terraform import golden, standin
from tests.terraform.policies import policies, too_much, too_much_granted

Resources = dict[str, Any]


def planned(name: str) -> Resources:
    """What a root makes."""
    document = json.loads((golden.FOLDER / f"{name}.json").read_text("utf-8"))
    resources: Resources = document["resources"]
    return resources


@pytest.fixture(scope="module")
def bootstrap(
    terraform: Path, standin_mirror: standin.Environment, tmp_path_factory: pytest.TempPathFactory
) -> Resources:
    """What an administrator makes in an AWS account, for most policies are known after the apply only."""
    folder = tmp_path_factory.mktemp("bootstrap")
    root = standin.stage(standin.ROOT / "terraform", folder / "terraform") / "bootstrap" / "aws"
    workspace = Workspace(root, terraform, standin_mirror.with_cloud(folder / "cloud"))
    workspace.done("init", "-input=false")
    workspace.done("apply", "-input=false", "-auto-approve")
    state = json.loads(workspace.done("show", "-json"))["values"]["root_module"]
    shutil.rmtree(folder)
    return {
        each["address"]: each["values"]
        for module in [state, *state["child_modules"]]
        for each in module.get("resources", [])
    }


def problems(resources: Resources) -> list[str]:
    """All that is too much."""
    on_aws = [line for where, each in policies(resources) for line in too_much(where, each)]
    return on_aws + [line for address, each in resources.items() for line in too_much_granted(address, each)]


@pytest.mark.parametrize("name", golden.ROOTS)
def test_an_environment_allows_what_it_names(name: str) -> None:
    resources = planned(name)
    grants = [at for at in resources if "_iam_" in at] if name.endswith("gcp") else list(policies(resources))

    assert len(grants) >= 9
    assert problems(resources) == []


def test_a_bootstrapped_account_allows_what_it_names(bootstrap: Resources) -> None:
    boundaries = {at for at in bootstrap if ".aws_iam_policy.boundary[" in at}
    granting = {at: values for at, values in bootstrap.items() if at not in boundaries}

    assert boundaries, "they allow nothing by themselves: a role may do what its policies allow as well"
    assert len(list(policies(granting))) >= 10
    assert problems(granting) == []


def statement(**parts: Any) -> dict[str, Any]:
    """One of a policy."""
    return {"Sid": "It", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*", **parts}


ROOT_OF_ACCOUNT = {"AWS": "arn:aws:iam::777788889999:root"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"Action": "*"}, "the action *"),
        ({"Action": ["s3:GetObject", "s3:*"]}, "the action s3:*"),
        ({"Resource": "*"}, "s3:GetObject on every resource"),
        ({"Resource": ["arn:aws:s3:::a", "*"]}, "s3:GetObject on every resource"),
        ({"Action": ["kms:ListAliases", "iam:PassRole"], "Resource": "*"}, "iam:PassRole on every resource"),
        ({"Principal": "*"}, "everybody"),
        ({"Principal": {"AWS": "*"}, "Action": "s3:*"}, "everybody"),
        ({"NotAction": "iam:*"}, "all but some (NotAction)"),
        ({"Principal": {"AWS": "arn:aws:iam::777788889999:role/a"}, "Action": "kms:*"}, "the action kms:*"),
    ],
    ids=str,
)  # fmt: skip
def test_a_policy_that_allows_too_much_is_told(parts: dict[str, Any], said: str) -> None:
    (where, policy), *_ = policies({"role": {"policy": json.dumps({"Statement": [statement(**parts)]})}})

    assert too_much(where, policy)[0] == f"role policy: It allows {said}"


@pytest.mark.parametrize(
    "parts",
    [
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"},
        {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Action": "kms:*", "Resource": "*", "Principal": ROOT_OF_ACCOUNT},
    ],
    ids=["what is denied", "an action without resources", "a key that its account administers"],
)
def test_what_a_policy_may_say(parts: dict[str, Any]) -> None:
    assert too_much("a", {"Statement": statement(**parts)}) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"role": "roles/editor", "member": "user:a@example.com"}, "it gives roles/editor"),
        ({"role": "roles/iam.serviceAccountTokenCreator"}, "it gives roles/iam.serviceAccountTokenCreator"),
        ({"role": "roles/storage.objectViewer", "member": "allUsers"}, "it allows everybody (allUsers)"),
        (
            {"policy_data": '{"bindings": [{"role": "roles/a", "members": ["allAuthenticatedUsers"]}]}'},
            "it allows everybody (allAuthenticatedUsers)",
        ),
    ],
    ids=str,
)
def test_a_grant_of_too_much_is_told(values: dict[str, Any], said: str) -> None:
    assert too_much_granted("it", values) == [said]
