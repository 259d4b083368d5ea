"""Terraform's own backend for S3, as the examples set it up, under the policies of GitHub's roles."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.s3 import environment
from tests.services.terraform import Workspace
from tests.terraform import standin as preparing
from tests.terraform.github_roles_on_aws import KEY, STATES, Roles, roles_of_prod
from tests.terraform.s3_under_policies import s3_under

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLE = preparing.ROOT / "terraform" / "environments" / "prod" / "aws" / "backend.hcl.example"
HERE = [
    "-backend-config=region=us-east-1",
    "-backend-config=use_path_style=true",
    "-backend-config=skip_credentials_validation=true",
    "-backend-config=skip_requesting_account_id=true",
]
"""Where the server is, and that nobody else is asked for an account."""
ROOT_MODULE = 'terraform {\n  backend "s3" {}\n}\nresource "terraform_data" "one" {}\n'


@pytest.fixture(scope="module")
def github_roles(
    initialised: Callable[[str], Path],
    terraform: Path,
    standin_mirror: preparing.Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Roles:
    """What each of GitHub's roles for prod may do."""
    module = initialised("modules/github_oidc/aws")
    return roles_of_prod(Workspace(module, terraform, standin_mirror), tmp_path_factory.mktemp("roles"))


@pytest.fixture
def states(s3_client: "S3Client") -> Iterator["S3Client"]:
    """The bucket of states, without any."""
    s3_client.create_bucket(Bucket=STATES)
    yield s3_client
    for each in s3_client.list_objects_v2(Bucket=STATES).get("Contents", ()):
        s3_client.delete_object(Bucket=STATES, Key=each["Key"])
    s3_client.delete_bucket(Bucket=STATES)


def test_a_first_plan_finds_no_state_and_a_deployment_writes_it_with_the_buckets_key(
    github_roles: Roles, states: "S3Client", s3_endpoint: str, terraform: Path, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(ROOT_MODULE, encoding="utf-8")

    def done_by(role: str, *words: str) -> str:
        with s3_under(github_roles[role], s3_endpoint, states) as proxy:
            reached = {name: value or "" for name, value in environment(f"http://{proxy.host}").items()}
            root = Workspace(tmp_path, terraform, preparing.Environment(tmp_path, reached))
            root.done("init", "-input=false", "-reconfigure", f"-backend-config={EXAMPLE}", *HERE)
            finished = root.run(*words, "-input=false", "-no-color")
            return finished.stdout + finished.stderr

    def kept() -> list[str]:
        return [each["Key"] for each in states.list_objects_v2(Bucket=STATES).get("Contents", ())]

    assert "1 to add" in done_by("plan", "plan")
    assert "AccessDenied" in done_by("plan", "apply", "-auto-approve")
    assert kept() == []
    assert "1 added" in done_by("deploy", "apply", "-auto-approve")
    assert kept() == [KEY]
    assert "No changes" in done_by("plan", "plan")
    state = states.head_object(Bucket=STATES, Key=KEY)
    assert "ServerSideEncryption" not in state, "another key than the bucket's was asked for"
