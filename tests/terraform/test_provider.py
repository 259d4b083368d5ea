"""The stand-in provider, under real Terraform: what it plans, makes, sees again, replaces and removes."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.services.terraform import Workspace
from tests.services.waiting import eventually
from tests.terraform.standin import Environment

ROOTS = Path(__file__).parent / "roots"
APPLY = ("apply", "-auto-approve", "-input=false")


@pytest.fixture(scope="session")
def applied_once(
    terraform: Path, standin_mirror: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """The root for AWS after its first apply."""
    folder = tmp_path_factory.mktemp("applied")
    root = shutil.copytree(ROOTS / "aws", folder / "root")
    workspace = Workspace(root, terraform, standin_mirror.with_cloud(folder / "cloud"))
    workspace.done("init", "-input=false")
    workspace.done("plan", "-out=first.tfplan")
    workspace.done("apply", "first.tfplan")
    return workspace


@pytest.fixture
def applied(applied_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the root after its first apply, with a copy of its cloud."""
    root = shutil.copytree(applied_once.folder, tmp_path / "root", symlinks=True)
    cloud = shutil.copytree(applied_once.environment.cloud, tmp_path / "cloud")
    return Workspace(root, applied_once.program, applied_once.environment.with_cloud(cloud))


@pytest.fixture
def fresh(applied: Workspace) -> Workspace:
    """The initialised root with no state and an empty cloud."""
    (applied.folder / "terraform.tfstate").unlink()
    shutil.rmtree(applied.environment.cloud)
    return applied


def object_file(workspace: Workspace, kind: str) -> Path:
    """The file of the one object of a type."""
    (found,) = (workspace.environment.cloud / kind).glob("*.json")
    return found


def edit(path: Path, **values: object) -> None:
    """Changes an object behind Terraform's back."""
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def shown(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    """A new plan as JSON."""
    workspace.done("plan", "-out=next.tfplan", "-input=false", *arguments)
    document: dict[str, Any] = json.loads(workspace.done("show", "-json", "next.tfplan"))
    return document


def actions(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Address -> what will be done, for everything that changes."""
    every = {each["address"]: each["change"]["actions"] for each in plan["resource_changes"]}
    return {address: done for address, done in every.items() if done not in (["no-op"], ["read"])}


def calls(workspace: Workspace) -> list[str]:
    """What the cloud was asked to change so far."""
    log = workspace.environment.cloud / "calls.log"
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [line for line in lines if ".read " not in line]


def order_fault(workspace: Workspace, call: str, **fault: object) -> None:
    """Lets a call fail from now on."""
    workspace.environment.cloud.mkdir(exist_ok=True)
    (workspace.environment.cloud / "faults.json").write_text(json.dumps({call: fault}), "utf-8")


def test_a_plan_knows_what_is_configured_and_leaves_open_what_the_cloud_will_say(
    applied_once: Workspace,
) -> None:
    plan = json.loads(applied_once.done("show", "-json", "first.tfplan"))
    changes = {each["address"]: each["change"] for each in plan["resource_changes"]}
    bucket = changes["aws_s3_bucket.artifacts"]

    assert bucket["after"]["bucket"] == "city-artifacts"
    assert bucket["after"]["region"] == "eu-central-1"
    assert bucket["after"]["tags_all"] == {"managed-by": "terraform", "team": "fares"}
    assert bucket["after_unknown"]["arn"] is True
    assert changes["aws_iam_role.airflow"]["after"].keys() & {"arn", "unique_id"} == set()
    nested = changes["aws_s3_bucket_versioning.artifacts"]["after_unknown"]["versioning_configuration"]
    assert nested == [{"mfa_delete": True}]


def test_what_the_cloud_says_has_the_clouds_form(applied_once: Workspace) -> None:
    outputs = json.loads(applied_once.done("output", "-json"))
    said = {name: output["value"] for name, output in outputs.items()}

    assert said["account"] == "444455556666"
    assert said["bucket_arn"] == "arn:aws:s3:::city-artifacts"
    assert said["role_arn"] == "arn:aws:iam::444455556666:role/city-airflow"
    assert said["airflow"].endswith(".eu-central-1.airflow.amazonaws.com")
    assert len(set(said["addresses"])) == 2
    assert all(each.startswith("eipalloc-") for each in said["addresses"])


def test_the_same_configuration_makes_the_same_objects(fresh: Workspace, applied_once: Workspace) -> None:
    fresh.done(*APPLY)

    def made(workspace: Workspace) -> dict[str, str]:
        cloud = workspace.environment.cloud
        return {str(path.relative_to(cloud)): path.read_text("utf-8") for path in cloud.rglob("*.json")}

    assert made(fresh) == made(applied_once)


def test_nothing_changes_after_an_apply(applied: Workspace) -> None:
    assert applied.run("plan", "-detailed-exitcode").returncode == 0


def test_an_edited_object_is_drift_and_is_put_right(applied: Workspace) -> None:
    edit(object_file(applied, "aws_s3_bucket"), tags={"team": "someone"})
    seen = shown(applied, "-refresh-only")
    (drift,) = seen["resource_drift"]

    assert drift["address"] == "aws_s3_bucket.artifacts"
    assert (drift["change"]["before"]["tags"], drift["change"]["after"]["tags"]) == (
        {"team": "fares"},
        {"team": "someone"},
    )
    assert actions(shown(applied)) == {"aws_s3_bucket.artifacts": ["update"]}

    applied.done("apply", "next.tfplan")

    assert json.loads(object_file(applied, "aws_s3_bucket").read_text("utf-8"))["tags"] == {"team": "fares"}


def test_a_deleted_object_is_made_again(applied: Workspace) -> None:
    object_file(applied, "aws_s3_bucket_versioning").unlink()

    assert actions(shown(applied)) == {"aws_s3_bucket_versioning.artifacts": ["create"]}


def test_a_new_value_changes_the_object_alone(applied: Workspace) -> None:
    before = calls(applied)
    applied.done(*APPLY, "-var=team=drivers")

    assert calls(applied)[len(before) :] == ["aws_s3_bucket.update city-artifacts"]
    assert json.loads(object_file(applied, "aws_s3_bucket").read_text("utf-8"))["tags_all"] == {
        "managed-by": "terraform",
        "team": "drivers",
    }


def test_an_objects_new_version_reaches_those_that_name_it(applied: Workspace) -> None:
    plan = shown(applied, "-var=requirements=mlops-config==2.0.0")

    assert actions(plan) == {
        "aws_mwaa_environment.airflow": ["update"],
        "aws_s3_object.requirements": ["update"],
    }
    old = json.loads(object_file(applied, "aws_s3_object").read_text("utf-8"))["version_id"]

    applied.done("apply", "next.tfplan")

    new = json.loads(object_file(applied, "aws_s3_object").read_text("utf-8"))["version_id"]
    airflow = json.loads(object_file(applied, "aws_mwaa_environment").read_text("utf-8"))
    assert airflow["requirements_s3_object_version"] == new != old


def test_a_new_name_needs_a_new_object(applied: Workspace) -> None:
    plan = shown(applied, "-var=name=town")
    replaced = {each["address"]: each["change"] for each in plan["resource_changes"]}
    bucket = replaced["aws_s3_bucket.artifacts"]

    assert bucket["actions"] == ["delete", "create"]
    assert bucket["replace_paths"] == [["bucket"]]
    assert replaced["aws_eip.nat[0]"]["actions"] == ["no-op"]

    applied.done("apply", "next.tfplan")

    assert object_file(applied, "aws_s3_bucket").stem == "town-artifacts"


def test_a_destroy_leaves_nothing(applied: Workspace) -> None:
    applied.done("destroy", "-auto-approve")

    assert list(applied.environment.cloud.rglob("*.json")) == []


def test_an_object_is_imported_by_its_id(fresh: Workspace, applied_once: Workspace) -> None:
    shutil.copytree(applied_once.environment.cloud, fresh.environment.cloud)
    fresh.done("import", "aws_s3_bucket.artifacts", "city-artifacts")

    assert "aws_s3_bucket.artifacts" not in actions(shown(fresh))
    missing = fresh.run("import", "aws_iam_role.airflow", "nobody")
    assert missing.returncode == 1
    assert "Cannot import non-existent remote object" in missing.stderr


def test_a_taken_name_is_refused(fresh: Workspace, applied_once: Workspace) -> None:
    shutil.copytree(applied_once.environment.cloud, fresh.environment.cloud)
    refused = fresh.run(*APPLY)

    assert refused.returncode == 1
    assert "BucketAlreadyOwnedByYou" in refused.stderr
    assert "Role with name city-airflow already exists" in refused.stderr


def test_google_cloud_is_planned_and_made_too(terraform: Path, standin: Environment, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(ROOTS / "google", tmp_path / "root"), terraform, standin)
    workspace.done("init", "-input=false")
    workspace.done(*APPLY)
    outputs = json.loads(workspace.done("output", "-json"))
    said = {name: output["value"] for name, output in outputs.items()}

    assert said["account"] == "serviceAccount:jobs@acme-ml-dev.iam.gserviceaccount.com"
    assert said["airflow"].endswith("-dot-europe-west3.composer.googleusercontent.com")
    assert said["dags"].startswith("gs://europe-west3-city-")
    assert said["bucket"] == "gs://acme-artifacts"
    assert said["project_number"].isdigit()
    bucket = json.loads(object_file(workspace, "google_storage_bucket").read_text("utf-8"))
    assert bucket["effective_labels"] == {"goog-terraform-provisioned": "true", "team": "fares"}
    assert workspace.run("plan", "-detailed-exitcode").returncode == 0

    workspace.done(*APPLY, "-var=release=1.1.0")
    assert workspace.run("plan", "-detailed-exitcode", "-var=release=1.1.0").returncode == 0
    assert '"1.1.0"' in object_file(workspace, "google_secret_manager_secret_version").read_text("utf-8")

    elsewhere = workspace.run("plan", STANDIN_PROJECT="acme-ml-prod")
    assert "does not have permission on resource project acme-ml-dev" in elsewhere.stderr
    nobody = workspace.run("plan", GOOGLE_OAUTH_ACCESS_TOKEN="")
    assert "Attempted to load application default credentials" in " ".join(nobody.stderr.split())


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, "No valid credential sources found"),
        ({"STANDIN_ACCOUNT": "777788889999"}, "AWS account ID not allowed: 777788889999"),
        ({"STANDIN_CLOUD": ""}, "STANDIN_CLOUD is not set"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_provider_says_why_it_cannot_work(
    applied_once: Workspace, variables: dict[str, str], said: str
) -> None:
    refused = applied_once.run("plan", **variables)

    assert refused.returncode == 1
    assert said in refused.stderr


def test_an_apply_that_fails_keeps_what_it_made_and_goes_on_from_there(fresh: Workspace) -> None:
    order_fault(
        fresh,
        "aws_mwaa_environment.create",
        summary="creating MWAA Environment (city): ValidationException",
        detail="The subnets have no route to Amazon S3.",
    )
    failed = fresh.run(*APPLY)

    assert failed.returncode == 1
    assert "Error: creating MWAA Environment (city): ValidationException" in failed.stderr
    assert "The subnets have no route to Amazon S3." in failed.stderr
    (fresh.environment.cloud / "faults.json").unlink()
    assert actions(shown(fresh)) == {"aws_mwaa_environment.airflow": ["create"]}


def test_an_object_that_is_half_made_is_replaced(fresh: Workspace) -> None:
    order_fault(fresh, "aws_s3_object.create", summary="InternalError", tainted=True)
    fresh.run(*APPLY)
    (fresh.environment.cloud / "faults.json").unlink()

    assert actions(shown(fresh))["aws_s3_object.requirements"] == ["delete", "create"]


def test_a_fault_may_come_after_some_calls(fresh: Workspace) -> None:
    order_fault(fresh, "aws_eip.create", summary="AddressLimitExceeded", after=1)
    failed = fresh.run(*APPLY, "-target=aws_eip.nat")

    assert failed.stderr.count("AddressLimitExceeded") == 1
    assert len(list((fresh.environment.cloud / "aws_eip").glob("*.json"))) == 1


def test_a_refresh_may_fail(applied: Workspace) -> None:
    order_fault(applied, "aws_iam_role.read", summary="reading IAM Role (city-airflow): AccessDenied")
    failed = applied.run("plan")

    assert failed.returncode == 1
    assert "reading IAM Role (city-airflow): AccessDenied" in failed.stderr


def test_a_call_that_hangs_ends_when_terraform_is_interrupted(fresh: Workspace) -> None:
    order_fault(fresh, "aws_mwaa_environment.create", hang=True)
    process = fresh.start(*APPLY)
    try:
        eventually(lambda: "aws_mwaa_environment.create city" in calls(fresh))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 1
    assert "waiting for aws_mwaa_environment (city) to create: context canceled" in said
    state = json.loads((fresh.folder / "terraform.tfstate").read_text("utf-8"))
    made = {resource["type"] for resource in state["resources"]}
    assert "aws_s3_bucket" in made
    assert "aws_mwaa_environment" not in made


MISTAKES = {
    "an argument that is not there": (
        'resource "aws_s3_bucket" "m" { buckets = "acme" }',
        "Unsupported argument",
    ),
    "a block that is not there": (
        'resource "aws_iam_role" "m" {\n  assume_role_policy = "{}"\n  rule {}\n}',
        "Unsupported block type",
    ),
    "an argument that is missing": ('resource "aws_iam_role" "m" {}', "Missing required argument"),
    "a block that is missing": (
        'resource "aws_s3_bucket_versioning" "m" { bucket = "acme" }',
        "Insufficient versioning_configuration blocks",
    ),
    "a block too many": (
        'resource "aws_s3_bucket_versioning" "m" {\n  bucket = "acme"\n'
        + '  versioning_configuration { status = "Enabled" }\n' * 2
        + "}",
        "Too many versioning_configuration blocks",
    ),
    "a value of another type": (
        'resource "aws_s3_bucket" "m" { force_destroy = "certainly" }',
        "Incorrect attribute value type",
    ),
    "a nested value of another type": (
        'resource "aws_s3_bucket_versioning" "m" {\n  bucket = "acme"\n'
        "  versioning_configuration { status = [] }\n}",
        "Incorrect attribute value type",
    ),
    "a value that only the cloud gives": (
        'resource "aws_s3_bucket" "m" { arn = "arn:aws:s3:::acme" }',
        "Value for unconfigurable attribute",
    ),
    "an attribute that is not there": (
        'output "m" { value = aws_s3_bucket.artifacts.url }',
        "Unsupported attribute",
    ),
    "a type that is not there": ('resource "aws_s3_buckets" "m" {}', "Invalid resource type"),
    "a policy that is no JSON": (
        'resource "aws_iam_role" "m" { assume_role_policy = "{ Version = 2012-10-17 }" }',
        '"assume_role_policy" contains an invalid JSON policy',
    ),
}
"""Mistake -> configuration, and what Terraform says of it."""


@pytest.fixture(scope="session")
def refusals(applied_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Mistake -> the summaries of what one ``terraform validate`` of them all says of it."""
    root = shutil.copytree(applied_once.folder, tmp_path_factory.mktemp("mistakes") / "root", symlinks=True)
    files = {f"mistake{number}.tf": mistake for number, mistake in enumerate(MISTAKES)}
    for file, mistake in files.items():
        text = MISTAKES[mistake][0].replace('"m"', f'"{Path(file).stem}"')
        (root / file).write_text(text + "\n", "utf-8")
    finished = Workspace(root, applied_once.program, applied_once.environment).run("validate", "-json")
    said: dict[str, str] = {}
    for each in json.loads(finished.stdout)["diagnostics"]:
        mistake = files[each["range"]["filename"]]
        said[mistake] = f"{said.get(mistake, '')}{each['summary']}\n"
    return said


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused(refusals: dict[str, str], mistake: str) -> None:
    assert MISTAKES[mistake][1] in refusals[mistake]
