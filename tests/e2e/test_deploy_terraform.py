"""The story of an environment that Terraform provisions, by the installed command on real Terraform.

Each fixture is a step and needs the one before. The providers are stand-ins with the true schemas; the DAG
folder is a bucket on a real S3 server.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terraform_checkout import Said, TerraformCheckout
from tests.services.s3 import environment as s3_environment
from tests.terraform.standin import Environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[2]
KEY = "the key of a plan, for a test"
DAGS = "city-taxi-trip-fare-dev-airflow-777788889999"
RULES = "module.environment.module.monitoring[0].aws_prometheus_rule_group_namespace.this"
STARTED, PROVISIONED = ("deployment_started", "succeeded"), ("provisioned", "succeeded")
ENDED, ENDED_FAILED = ("deployment_ended", "succeeded"), ("deployment_ended", "failed")
SUCCESS = [STARTED, PROVISIONED, ENDED]

Make = Callable[..., TerraformCheckout]


@pytest.fixture(scope="module")
def make(
    initialised: Callable[[str], Path],
    standin_mirror: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Make:
    """Makes a checkout whose root modules are initialised."""

    def made(*environments: str, cloud: str = "aws") -> TerraformCheckout:
        for each in environments:
            tree = initialised(f"environments/{each}/{cloud}").parents[2]
        return TerraformCheckout(tmp_path_factory.mktemp("deploys"), tree, standin_mirror, cloud)

    return made


@pytest.fixture(scope="module")
def checkout(make: Make) -> TerraformCheckout:
    """Dev with its first release; nobody can log in to an Airflow that a stand-in made."""
    checkout = make("dev")
    (checkout.root() / "airflow_override.tf").write_text('output "airflow_url" {\n  value = null\n}\n')
    checkout.release("1.0.0")
    return checkout


@pytest.fixture(scope="module")
def bucket(checkout: TerraformCheckout, s3_endpoint: str, s3_client: "S3Client") -> None:
    """The DAG folder's bucket, which a cloud would have made by then; the command is led to it."""
    s3_client.create_bucket(Bucket=DAGS)
    found = s3_environment(s3_endpoint).items()
    checkout.variables.update({name: value for name, value in found if value is not None})


@pytest.fixture(scope="module")
def planned(checkout: TerraformCheckout) -> Said:
    """The plan of the first release."""
    return checkout("deploy", "-e", "dev", "--plan", "--format", "json", MLOPS_PLAN_KEY=KEY)


def test_a_dry_run_needs_neither_credentials_nor_terraform(checkout: TerraformCheckout) -> None:
    said = checkout(
        "deploy", "-e", "dev", "--dry-run", without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), PATH=""
    )
    assert "terraform plan, review and apply terraform/environments/dev/aws\n" in said.out
    assert "runs      training as deploy__dev__1.0.0: this is the first deployment" in said.out
    assert not (checkout.root() / "release.auto.tfvars.json").exists()
    assert checkout.events() == []


def test_a_plan_is_there_for_people_and_programs_and_changes_nothing(
    checkout: TerraformCheckout, planned: Said
) -> None:
    page = (checkout.plan_folder() / "plan.md").read_text()
    assert planned.document == json.loads((checkout.plan_folder() / "plan.json").read_text())
    assert planned.document["program"].startswith(("Terraform 1.", "OpenTofu 1."))
    created = planned.document["counts"]["create"]
    assert created > 80
    assert f"{created} to create, 0 to change, 0 to delete" in page
    assert "aws_mwaa_environment" in page
    assert planned.document["digest"] in page
    assert "not encrypted" not in planned.err
    assert not checkout.made()
    assert checkout.events() == []


@pytest.fixture(scope="module")
def applied(checkout: TerraformCheckout, planned: Said, bucket: None) -> Said:  # noqa: ARG001
    """The plan that was reviewed, applied, and the release in the DAG folder that Terraform made."""
    digest = planned.document["digest"]
    words = ("deploy", "-e", "dev", "--reviewed", digest, "--no-run", "--format", "json")
    return checkout(*words)


@pytest.mark.usefixtures("applied")
def test_what_was_reviewed_is_made_and_written_down(
    checkout: TerraformCheckout, planned: Said, s3_client: "S3Client"
) -> None:
    created = planned.document["counts"]["create"]
    assert checkout.events()[:3] == SUCCESS
    (done,) = (each["infrastructure"] for each in checkout.ledger() if each["event"] == "provisioned")
    assert (done["created"], done["changed"], done["deleted"]) == (created, 0, 0)
    assert done["plan_digest"] == planned.document["digest"]
    keys = [each["Key"] for each in s3_client.list_objects_v2(Bucket=DAGS)["Contents"]]
    assert "dags/mlops/city-taxi/trip-fare/dev/deployment.json" in keys


@pytest.fixture(scope="module")
def again(checkout: TerraformCheckout, applied: Said) -> Said:  # noqa: ARG001
    """The same command, with nobody to agree to anything."""
    return checkout("deploy", "-e", "dev", "--yes", "--no-run")


def test_the_second_time_nothing_is_to_do(checkout: TerraformCheckout, again: Said) -> None:
    assert "terraform nothing to change in terraform/environments/dev/aws" in again.out
    assert checkout.events()[3:5] == [STARTED, ENDED]


@pytest.fixture(scope="module")
def second(checkout: TerraformCheckout, again: Said) -> Said:  # noqa: ARG001
    """The plan of a second release, with another threshold."""
    repository = checkout.repository
    monitoring = repository.config("dev", "monitoring")
    repository.edit(monitoring, "  min_samples: 500", "  drift_share_fraction: 0.4\n  min_samples: 500")
    checkout.release("1.1.0")
    return checkout("deploy", "-e", "dev", "--plan", MLOPS_PLAN_KEY=KEY)


def test_a_change_names_the_key_that_it_is_for(checkout: TerraformCheckout, second: Said) -> None:
    _, _, rules = second.out.partition(f"~   {RULES}\n")
    assert "because monitoring.drift.drift_share_fraction 0.5 → 0.4" in rules
    assert "0 to delete" in second.out
    page = (checkout.plan_folder() / "plan.md").read_text()
    assert "monitoring.drift.drift_share_fraction" in page


@pytest.fixture(scope="module")
def moved(checkout: TerraformCheckout, second: Said) -> Said:  # noqa: ARG001
    """The reviewed plan, after somebody changed the cloud by hand; the cloud is put right again."""
    digest = json.loads((checkout.plan_folder() / "plan.json").read_text())["digest"]
    namespace = checkout.object("aws_prometheus_rule_group_namespace")
    before = namespace.read_text()
    namespace.write_text(before.replace(">= 0.5", ">= 0.9"))
    try:
        return checkout("deploy", "-e", "dev", "--reviewed", digest, "--only-terraform", code=4)
    finally:
        namespace.write_text(before)


def test_what_changed_between_review_and_apply_is_refused_by_its_name(
    checkout: TerraformCheckout, moved: Said
) -> None:
    assert "this is not the plan of dev that was reviewed" in moved.err
    assert f"  {RULES}: update, with another data\n" in moved.err
    assert "nothing was applied" in moved.err
    assert checkout.events()[-2:] == [STARTED, ENDED_FAILED]


@pytest.fixture(scope="module")
def reapplied(checkout: TerraformCheckout, moved: Said) -> Said:  # noqa: ARG001
    """The second release's own plan, made again and applied as the file that it is."""
    checkout("deploy", "-e", "dev", "--plan", MLOPS_PLAN_KEY=KEY)
    sealed = checkout.plan_folder() / "plan.sealed"
    sealed.rename(checkout.folder / "reviewed.sealed")
    words = ("deploy", "-e", "dev", "--plan-file", "reviewed.sealed", "--no-run")
    return checkout(*words, MLOPS_PLAN_KEY=KEY)


def test_a_sealed_plan_is_applied_as_it_is(checkout: TerraformCheckout, reapplied: Said) -> None:
    assert ">= 0.4" in checkout.object("aws_prometheus_rule_group_namespace").read_text()
    assert checkout.events()[-3:] == SUCCESS
    assert "release   1.1.0 of dev" in reapplied.out


@pytest.mark.usefixtures("reapplied")
def test_a_sealed_plan_is_of_its_release_and_of_its_environment(checkout: TerraformCheckout) -> None:
    words = ("--plan-file", "reviewed.sealed", "--no-run")
    said = checkout("deploy", "-e", "dev", "--release", "1.0.0", *words, code=4, MLOPS_PLAN_KEY=KEY)
    assert "this plan is for release 1.1.0 of dev, not for 1.0.0 of dev" in said.err
    said = checkout("deploy", "-e", "dev", *words, code=4, MLOPS_PLAN_KEY=f"not {KEY}")
    assert "MLOPS_PLAN_KEY is not its key, or the file was altered" in said.err
    data = bytearray((checkout.folder / "reviewed.sealed").read_bytes())
    data[-100] ^= 1
    (checkout.folder / "altered.sealed").write_bytes(data)
    said = checkout(
        "deploy", "-e", "dev", "--plan-file", "altered.sealed", "--no-run", code=4, MLOPS_PLAN_KEY=KEY
    )
    assert "or the file was altered" in said.err
    checkout.release("1.1.0", "staging")
    said = checkout("deploy", "-e", "staging", *words, code=4, MLOPS_PLAN_KEY=KEY)
    assert "this plan is for release 1.1.0 of dev, not for 1.1.0 of staging" in said.err
    assert checkout.events("staging") == [STARTED, ENDED_FAILED]


@pytest.mark.usefixtures("reapplied")
def test_the_log_shows_who_agreed_to_what(checkout: TerraformCheckout) -> None:
    text = checkout("log", "-e", "dev", "--limit", "0").out
    assert re.search(r"provisioned +succeeded +1\.0\.0 +\w{12} +91 created\n", text)
    assert re.search(r"provisioned +succeeded +1\.1\.0 +\w{12} +(1 created, )?\d changed\b", text)
    assert "the plan of dev that was reviewed" in text


def test_staging_and_prod_are_provisioned_in_their_own_account(make: Make) -> None:
    checkout = make("staging", "prod")
    checkout.own_parts("staging", "111122223333")
    for environment, account in (("staging", "111122223333"), ("prod", "444455556666")):
        checkout.release("1.0.0", environment)
        words = ("deploy", "-e", environment, "--only-terraform")
        if environment == "prod":
            said = checkout(*words, "--yes", code=2, STANDIN_ACCOUNT="777788889999")
            assert "these credentials are of another AWS account than this environment's" in said.err
            assert "777788889999" in said.err
        checkout(*words, "--yes", STANDIN_ACCOUNT=account)
        (done,) = (
            each["infrastructure"]
            for each in checkout.ledger(environment)
            if each["event"] == "provisioned" and each["outcome"] == "succeeded"
        )
        assert done["created"] > (80 if environment == "prod" else 10)
    assert checkout.object("aws_mwaa_environment").name == "city-taxi-trip-fare-prod.json"


def test_on_google_cloud_the_same_commands_do_the_same(make: Make) -> None:
    checkout = make("dev", cloud="gcp")
    checkout.configure(ROOT / "examples" / "gcp")
    checkout.release("1.0.0")
    wrong = checkout("deploy", "-e", "dev", "--plan", code=3, STANDIN_PROJECT="acme-ml-prod")
    assert "these credentials may not do that" in wrong.err
    assert "acme-ml-dev" in wrong.err
    none = checkout("deploy", "-e", "dev", "--plan", code=3, without=("GOOGLE_OAUTH_ACCESS_TOKEN",))
    assert "there are no credentials for Google Cloud" in none.err
    found = checkout("deploy", "-e", "dev", "--plan", "--format", "json").document
    words = ("deploy", "-e", "dev", "--only-terraform", "--format", "json")
    said = checkout(*words, "--reviewed", found["digest"]).document
    assert said["infrastructure"]["created"] == found["counts"]["create"] > 40
    assert said["outputs"]["dags_folder"].startswith("gs://")
    assert checkout.events() == SUCCESS
    again = checkout(*words, "--yes").document
    assert again["infrastructure"]["created"] == 0
