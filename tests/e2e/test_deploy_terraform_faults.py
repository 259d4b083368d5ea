"""What goes wrong while Terraform provisions: what is said, what is written down, and how it goes on.

By the installed command, as processes, on the root module of dev whose Airflow and buckets are somebody
else's. Each test has a checkout with one release that was not deployed yet.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.terraform_checkout import TerraformCheckout
from tests.services import unavailable
from tests.services.s3 import environment as s3_environment
from tests.terraform import standin as preparing
from tests.terraform.standin import Environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIMIT_SECONDS = 60.0
WORKSPACE, NAMESPACE = "aws_prometheus_workspace", "aws_prometheus_rule_group_namespace"
STARTED, PROVISIONED = ("deployment_started", "succeeded"), ("provisioned", "succeeded")
ENDED, ENDED_FAILED = ("deployment_ended", "succeeded"), ("deployment_ended", "failed")
PROVISIONED_HALF = ("provisioned", "failed")
SUCCESS = [STARTED, PROVISIONED, ENDED]
DEPLOY = ("deploy", "-e", "dev", "--yes", "--only-terraform")
STATE_IN_S3 = """
terraform {
  backend "s3" {
    bucket                      = "BUCKET"
    key                         = "city-taxi/dev/aws.tfstate"
    region                      = "us-east-1"
    use_lockfile                = true
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_region_validation      = true
    skip_metadata_api_check     = true
  }
}
"""


@pytest.fixture(scope="module")
def template(
    initialised: Callable[[str], Path],
    standin_mirror: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> TerraformCheckout:
    """A checkout to copy."""
    tree = initialised("environments/dev/aws").parents[2]
    checkout = TerraformCheckout(tmp_path_factory.mktemp("template"), tree, standin_mirror)
    checkout.own_parts()
    checkout.release("1.0.0")
    return checkout


@pytest.fixture
def checkout(template: TerraformCheckout, tmp_path: Path) -> TerraformCheckout:
    """A checkout with a release, and an empty cloud."""
    return template.copied(tmp_path)


def until(there: Callable[[], bool]) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not there():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.02)


@contextmanager
def running(checkout: TerraformCheckout, *words: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """The command while it runs; whatever is left of it is ended."""
    process = checkout.start(*words, **variables)
    children: list[int] = []
    try:
        yield process
        children = children_of(process.pid)
    finally:
        for each in (*children, *children_of(process.pid)):
            ended(each)
        process.kill()
        process.communicate()


def children_of(pid: int) -> list[int]:
    """The processes that it started and that run."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def ended(pid: int) -> None:
    """Interrupts a Terraform whose parent may be gone, and returns once it ended."""
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return
    until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether it does something yet; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def hung(checkout: TerraformCheckout, call: str) -> None:
    """Returns once the cloud keeps somebody waiting at this call."""
    log = checkout.cloud / "calls.log"
    until(lambda: log.exists() and f"{call} " in log.read_text())


def finished(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and standard error of a process that comes to its end."""
    _, said = process.communicate(timeout=LIMIT_SECONDS)
    return process.returncode, said


def test_without_credentials_it_says_how_to_log_in(checkout: TerraformCheckout) -> None:
    said = checkout(*DEPLOY, code=3, without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert "there are no credentials for AWS" in said.err
    assert "aws sso login" in said.err
    assert not checkout.made()
    assert checkout.events() == [STARTED, ENDED_FAILED]


def test_without_terraform_nothing_is_begun(checkout: TerraformCheckout, tmp_path: Path) -> None:
    said = checkout(*DEPLOY, code=2, PATH=str(tmp_path))
    assert "there is no terraform and no tofu on PATH" in said.err
    old = tmp_path / "terraform"
    old.write_text("#!/bin/sh\necho 'Terraform v1.5.7'\necho 'on linux_amd64'\n")
    old.chmod(0o755)
    said = checkout(*DEPLOY, code=2, PATH=str(tmp_path))
    assert f"Terraform 1.5.7 ({old}) is too old: 1.10 or later is needed" in said.err
    assert "https://opentofu.org/docs/intro/install/" in said.err
    assert checkout.events() == []


def test_a_bundle_that_is_gone_is_noticed_before_anything(checkout: TerraformCheckout) -> None:
    bundles = checkout.folder / ".mlops-config" / "store" / "city-taxi" / "bundles"
    (manifest,) = bundles.rglob("manifest.json")
    manifest.unlink()
    said = checkout(*DEPLOY, code=4)
    assert "sha256:" in said.err
    assert not (checkout.root() / "release.auto.tfvars.json").exists()
    assert not checkout.cloud.exists() or not checkout.made()
    assert checkout.events() == []


def test_a_root_module_of_prod_takes_no_release_of_dev(checkout: TerraformCheckout) -> None:
    prod = checkout.folder / "terraform" / "environments" / "prod" / "aws"
    said = checkout(*DEPLOY, "--terraform", str(prod), code=2, STANDIN_ACCOUNT="444455556666")
    assert "This is prod: the release must be one of prod." in " ".join(said.err.split())
    assert not checkout.made()
    text = (checkout.root() / "terraform.tfvars").read_text()
    (checkout.root() / "terraform.tfvars").write_text(text.replace("777788889999", "444455556666"))
    said = checkout(*DEPLOY, code=2, STANDIN_ACCOUNT="777788889999")
    assert "these credentials are of another AWS account than this environment's" in said.err
    assert not checkout.made()


def test_an_apply_that_fails_half_way_goes_on_with_the_same_command(checkout: TerraformCheckout) -> None:
    checkout.fail(f"{NAMESPACE}.create", summary="AccessDeniedException: not authorized to perform that")
    said = checkout(*DEPLOY, code=3)
    failed = checkout.ledger()[-2]
    done = failed["infrastructure"]["created"]
    assert f"the apply ended half-way: {done} done, 1 failed, " in said.err
    assert "not authorized to perform that" in said.err
    assert "the same command again" in said.err
    assert checkout.events() == [STARTED, PROVISIONED_HALF, ENDED_FAILED]
    assert "half-way" in failed["reasons"][0]["text"]
    assert 0 < done < 15
    checkout.mend()
    again = checkout(*DEPLOY, "--format", "json").document
    assert again["infrastructure"]["created"] > 0
    assert checkout.events()[3:] == SUCCESS
    assert checkout(*DEPLOY, "--format", "json").document["infrastructure"]["created"] == 0

    drifted(checkout)
    interrupted_while_planning(checkout)


def drifted(checkout: TerraformCheckout) -> None:
    """Somebody changed a rule and deleted a topic by hand."""
    rules, topic = checkout.object(NAMESPACE), checkout.object("aws_sns_topic")
    rules.write_text(rules.read_text().replace(">= 0.5", ">= 0.9"))
    topic.unlink()
    said = checkout("deploy", "-e", "dev", "--drift", code=1)
    assert "dev has drifted: 2 resources changed behind Terraform's back" in said.err
    assert said.out.startswith("nothing changes by Terraform; 1 changed, 1 deleted outside of it\n")
    assert 'module.environment.module.monitoring[0].aws_sns_topic.this["ticket"]' in said.out
    before = len(checkout.events())
    done = checkout(*DEPLOY)
    assert "mlops_drift_share_fraction" in done.out
    assert ">= 0.9" in done.out
    assert ">= 0.5" in rules.read_text()
    assert topic.exists()
    assert checkout.events()[before:] == SUCCESS


def interrupted_while_planning(checkout: TerraformCheckout) -> None:
    """Ctrl-C while Terraform looks at what is there."""
    before = len(checkout.events())
    (checkout.cloud / "calls.log").unlink()
    checkout.fail(f"{WORKSPACE}.read", hang=True)
    with running(checkout, *DEPLOY) as process:
        hung(checkout, f"{WORKSPACE}.read")
        process.send_signal(signal.SIGINT)
        code, said = finished(process)
    assert code == 130, said
    assert "interrupted" in said
    assert checkout.events()[before:] == [STARTED, ENDED_FAILED]
    checkout.mend()
    checkout("deploy", "-e", "dev", "--drift")


def keep_state_in(checkout: TerraformCheckout, bucket: str, s3_endpoint: str, s3_client: "S3Client") -> None:
    """Has dev's state in a bucket, on a real S3 server."""
    s3_client.create_bucket(Bucket=bucket)
    (checkout.root() / "backend_override.tf").write_text(STATE_IN_S3.replace("BUCKET", bucket))
    (checkout.root() / ".terraform" / "terraform.tfstate").unlink(missing_ok=True)
    checkout.settings(lock_timeout="0s")
    found = s3_environment(s3_endpoint).items()
    checkout.variables.update({name: value for name, value in found if value is not None})


def test_of_two_at_once_one_is_told_who_deploys_and_no_state_is_written_twice(
    checkout: TerraformCheckout, s3_endpoint: str, s3_client: "S3Client"
) -> None:
    """The lease first; who takes it over meets the state's lock, and says so."""
    keep_state_in(checkout, "acme-terraform-dev", s3_endpoint, s3_client)
    checkout.fail(f"{WORKSPACE}.create", hang=True)
    with running(checkout, *DEPLOY) as first:
        hung(checkout, f"{WORKSPACE}.create")
        second = checkout(*DEPLOY, code=3)
        assert "deploys release 1.0.0 to dev since" in second.err
        assert "It has time until" in second.err
        assert "--take-over" in second.err
        third = checkout(*DEPLOY, "--take-over", code=3)
        assert "the state is locked: " in third.err
        assert "runs apply since" in third.err
        assert "terraform -chdir=terraform/environments/dev/aws force-unlock " in third.err
        first.send_signal(signal.SIGINT)
        code, said = finished(first)
    assert code == 130, said
    assert "the apply was interrupted: " in said
    assert "the state is saved" in said
    checkout.mend()
    checkout(*DEPLOY)
    assert checkout.events()[-3:] == SUCCESS
    keys = [each["Key"] for each in s3_client.list_objects_v2(Bucket="acme-terraform-dev")["Contents"]]
    assert keys == ["city-taxi/dev/aws.tfstate"]


def test_a_state_that_cannot_be_saved_is_kept_until_it_is_pushed(
    checkout: TerraformCheckout, s3_endpoint: str, s3_client: "S3Client", terraform: Path
) -> None:
    bucket = "acme-terraform-lost"
    keep_state_in(checkout, bucket, s3_endpoint, s3_client)
    checkout.fail(f"{WORKSPACE}.create", hang=True)
    with running(checkout, *DEPLOY) as process:
        hung(checkout, f"{WORKSPACE}.create")
        for each in s3_client.list_objects_v2(Bucket=bucket)["Contents"]:
            s3_client.delete_object(Bucket=bucket, Key=each["Key"])
        s3_client.delete_bucket(Bucket=bucket)
        process.send_signal(signal.SIGINT)
        code, said = finished(process)
    assert code == 130, said
    left = "terraform/environments/dev/aws/errored.tfstate"
    assert f"the state could not be saved where it belongs and lies in {left}: keep that file" in said
    command = "terraform -chdir=terraform/environments/dev/aws state push errored.tfstate"
    assert command in said
    done = checkout.ledger()[-2]["infrastructure"]["created"]
    assert done > 0
    made = checkout.made()

    s3_client.create_bucket(Bucket=bucket)
    checkout.mend()
    pushed = subprocess.run(
        [str(terraform), *command.split()[1:]],
        cwd=checkout.folder,
        env=checkout.environment((), {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert pushed.returncode == 0, pushed.stderr
    again = checkout(*DEPLOY, "--format", "json").document["infrastructure"]
    assert (again["changed"], again["deleted"]) == (0, 0)
    assert made < checkout.made()


def test_one_that_is_killed_leaves_terraform_to_its_end_and_its_lease_to_whoever_looks(
    checkout: TerraformCheckout,
) -> None:
    checkout.fail(f"{WORKSPACE}.create", hang=True)
    with running(checkout, *DEPLOY) as process:
        hung(checkout, f"{WORKSPACE}.create")
        (terraform,) = children_of(process.pid)
        process.kill()
        process.wait(timeout=LIMIT_SECONDS)
        try:
            assert "deploys release 1.0.0 to dev since" in checkout(*DEPLOY, code=3).err
            checkout.settings(lock_timeout="0s")
            assert "the state is locked: " in checkout(*DEPLOY, "--take-over", code=3).err
        finally:
            ended(terraform)
    assert checkout.events() == [STARTED, STARTED, ENDED_FAILED]
    checkout.mend()
    checkout(*DEPLOY)
    assert checkout.events()[3:] == SUCCESS
    took_over = [each for each in checkout.ledger() if each["event"] == "deployment_started"][1]
    assert took_over["reasons"][0]["code"] == "taken_over"


def test_of_many_at_once_no_two_interleave(checkout: TerraformCheckout) -> None:
    processes = [checkout.start(*DEPLOY) for _ in range(3)]
    codes = [finished(each)[0] for each in processes]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    inside = None
    for entry in checkout.ledger():
        if entry["event"] == "deployment_started":
            assert inside is None, "one began before the other ended"
            inside = entry["job_id"]
        elif entry["event"] in ("provisioned", "deployment_ended"):
            assert entry["job_id"] == inside
            inside = None if entry["event"] == "deployment_ended" else inside
    assert inside is None
    assert checkout.events().count(STARTED) == codes.count(0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk to fill")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_nothing_is_applied(checkout: TerraformCheckout, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    said = checkout(*DEPLOY, code=3, TMPDIR=str(small_disk))
    assert "the disk is full" in said.err
    assert str(small_disk) in said.err
    assert not checkout.made()
    assert checkout.events() == [STARTED, ENDED_FAILED]
    assert list(small_disk.iterdir()) == [ballast], "the part of a plan would lie about"
    checkout(*DEPLOY)
    assert checkout.events()[2:] == SUCCESS


def test_a_plan_is_applied_with_the_providers_that_it_was_made_with(
    template: TerraformCheckout, tmp_path: Path
) -> None:
    """A checkout without a lock file, and a later provider in the registry since the review."""
    try:
        mirror = preparing.prepare(tmp_path / "standin")
    except FileNotFoundError as error:
        unavailable(str(error))
    here, there = (template.copied(tmp_path / name, mirror, fresh=True) for name in ("here", "there"))
    here("deploy", "-e", "dev", "--plan")
    later(mirror.folder / "mirror")
    sealed = here.plan_folder() / "plan.sealed"
    said = there("deploy", "-e", "dev", "--plan-file", str(sealed), "--only-terraform")
    assert "created in terraform/environments/dev/aws" in said.out
    assert 'version     = "6.69.1"' in (there.root() / ".terraform.lock.hcl").read_text()


def later(mirror: Path) -> None:
    """Publishes a later version of the provider."""
    for program in mirror.rglob("terraform-provider-aws_v6.69.1"):
        platform = program.parent
        target = platform.parent.parent / "6.70.0" / platform.name / "terraform-provider-aws_v6.70.0"
        target.parent.mkdir(parents=True)
        target.write_bytes(program.read_bytes() + b"# 6.70.0\n")
        target.chmod(0o755)
