"""What roles are for, done under their policies: state, releases and DAG folder on S3, the endpoint."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_config.deploy.aws.calls import Clients
from mlops_config.errors import ServiceError
from mlops_config.orchestration.folder import open_folder
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName
from mlops_config.store.objects import ObjectStore
from tests.deploy.examples import CANARY, ENDPOINT, ROWS, quiet
from tests.deploy.providers import AwsProvider
from tests.services.s3 import environment, lead_to
from tests.services.sagemaker import REGION
from tests.services.terraform import Workspace
from tests.store.examples import example_bundle, example_record
from tests.terraform import golden
from tests.terraform import standin as preparing
from tests.terraform.authorization import Statement
from tests.terraform.github_roles_on_aws import KEY, STATES, Roles
from tests.terraform.s3_under_policies import s3_under
from tests.terraform.sagemaker_under_policies import EXECUTION_ROLE, judged

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVICES = ("sagemaker", "sagemaker-runtime", "cloudwatch", "application-autoscaling")
As = Callable[[str], AbstractContextManager[str]]
"""Asks as a role; gives the server's address."""

STORE, AIRFLOW = "city-taxi-trip-fare-prod-444455556666", "city-taxi-trip-fare-prod-airflow-444455556666"
EXAMPLE = preparing.ROOT / "terraform" / "environments" / "prod" / "aws" / "backend.hcl.example"
HERE = [
    "-backend-config=region=us-east-1",
    "-backend-config=use_path_style=true",
    "-backend-config=skip_credentials_validation=true",
    "-backend-config=skip_requesting_account_id=true",
]
"""Where the server is, and that nobody else is asked for an account."""
ROOT_MODULE = 'terraform {\n  backend "s3" {}\n}\nresource "terraform_data" "one" {}\n'


@pytest.fixture
def as_role(github_roles: Roles, s3_endpoint: str, s3_client: "S3Client") -> As:
    """Leads everything that asks for S3 to the server as a role sees it."""

    @contextmanager
    def reached(role: str) -> Iterator[str]:
        with (
            s3_under(github_roles[role], s3_endpoint, s3_client) as proxy,
            pytest.MonkeyPatch.context() as patch,
        ):
            lead_to(f"http://{proxy.host}", patch)
            yield f"http://{proxy.host}"

    return reached


@pytest.fixture
def states(s3_client: "S3Client") -> Iterator["S3Client"]:
    """S3 with the buckets of states and of prod, all empty."""
    for bucket in (STATES, STORE, AIRFLOW):
        s3_client.create_bucket(Bucket=bucket)
    yield s3_client
    for bucket in (STATES, STORE, AIRFLOW):
        for each in s3_client.list_objects_v2(Bucket=bucket).get("Contents", ()):
            s3_client.delete_object(Bucket=bucket, Key=each["Key"])
        s3_client.delete_bucket(Bucket=bucket)


def test_a_first_plan_finds_no_state_and_a_deployment_writes_it_with_the_buckets_key(
    as_role: As, states: "S3Client", terraform: Path, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(ROOT_MODULE, encoding="utf-8")

    def done_by(role: str, *words: str) -> str:
        with as_role(role) as address:
            reached = {name: value or "" for name, value in environment(address).items()}
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


@pytest.mark.usefixtures("states")
def test_one_publishes_a_release_another_deploys_it_and_who_plans_reads(as_role: As) -> None:
    bundle = example_bundle()
    record, ledger = example_record(bundle), LedgerName("fares", "fare-amount", "prod")
    with as_role("publish"):
        store = open_store(f"s3://{STORE}")
        assert store.fetch_release("fares", "prod", "1.2.0") is None
        store.publish_bundle(bundle)
        store.publish_release(record)
        with pytest.raises(ServiceError, match="AccessDenied"):
            open_store(f"s3://{AIRFLOW}/dags").fetch_release("fares", "prod", "1.2.0")

    with as_role("deploy"):
        store, dags = open_store(f"s3://{STORE}"), open_store(f"s3://{AIRFLOW}/dags")
        assert store.fetch_bundle("fares", bundle.digest) == bundle
        assert store.current("fares", "prod") is None
        store.set_current(record, None)
        store.append_entry(ledger, 1, b"{}")
        assert open_folder(f"s3://{AIRFLOW}/dags").standing("fares", "fare-amount", "prod").deployment is None
        assert isinstance(dags, ObjectStore)
        assert dags.put_if_absent("mlops/fares/fare-amount/prod/bundles/one/file.yaml", b"a: 1")
        assert dags.compare_and_swap("mlops/fares/fare-amount/prod/deployment.json", b"{}", None)

    with as_role("plan"):
        store = open_store(f"s3://{STORE}")
        assert store.fetch_release("fares", "prod", "1.2.0") == record
        assert list(store.entry_numbers(ledger)) == [1]
        with pytest.raises(ServiceError, match="AccessDenied"):
            store.append_entry(ledger, 2, b"{}")


@pytest.fixture(scope="module")
def jobs_of_prod() -> list[Statement]:
    """What prod's jobs may do with its endpoint, in the reviewed plan."""
    resources = json.loads((golden.FOLDER / "prod-aws.json").read_text("utf-8"))["resources"]
    role = resources["module.environment.module.model_endpoint_roles.aws_iam_role.execution[0]"]
    assert EXECUTION_ROLE.endswith(f"/{role['name']}")
    policy = resources["module.environment.module.model_endpoint_roles.aws_iam_policy.endpoint[0]"]["policy"]
    found: list[Statement] = policy["JSON"]["Statement"]
    return found


@pytest.fixture(scope="module")
def clients(sagemaker_server: str) -> Clients:
    """Clients of a server that has SageMaker, opened once."""
    with pytest.MonkeyPatch.context() as patch:
        lead_to(sagemaker_server, patch)
        found = Clients(REGION, address=sagemaker_server)
        for service in (*SERVICES, "sts"):
            found[service]
    return found


@pytest.mark.parametrize("who", ["jobs", "rollback"])
def test_the_endpoint_is_deployed_changed_scaled_and_brought_back(
    who: str, jobs_of_prod: list[Statement], github_roles: Roles, clients: Clients
) -> None:
    allowed = {"jobs": jobs_of_prod, **github_roles}[who]
    provider = AwsProvider(clients)
    scaled = {"min_instance_count": 2, "max_instance_count": 8, "target_invocations_per_minute": 600}
    try:
        with judged(allowed, [clients[service] for service in SERVICES]):
            provider.open().deploy(provider.deployment(1), quiet)
            provider.open().deploy(provider.deployment(2, rollout=CANARY, autoscaling=scaled), quiet)
            assert provider.open().predict(ENDPOINT, ROWS) == [2, 2]
            provider.open().rollback(ENDPOINT, quiet)
            assert provider.open().predict(ENDPOINT, ROWS) == [1, 1]
    finally:
        provider.close()


def test_who_plans_does_not_touch_the_endpoint(github_roles: Roles, clients: Clients) -> None:
    provider = AwsProvider(clients)
    with (
        judged(github_roles["plan"], [clients[service] for service in SERVICES]),
        pytest.raises(ServiceError, match="sagemaker:DescribeEndpoint"),
    ):
        provider.open().deploy(provider.deployment(1), quiet)
