"""What Terraform, its backends and the providers complain about is said in words that help."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.infrastructure.diagnostics import Diagnostic, errors_of
from mlops_config.infrastructure.failures import ApplyFailedError, apply_failure, failure
from mlops_config.infrastructure.known_failures import (
    LEFT_STATE,
    Attempt,
    StalePlanError,
    StateLockedError,
)
from mlops_config.infrastructure.program import Program
from mlops_config.infrastructure.progress import Step
from tests.infrastructure.roots import Workbench
from tests.services.s3 import lead_to
from tests.terraform.standin import Environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPT = Attempt("plan", Path("terraform/environments/prod/aws"), "terraform", "1.11.4")


def complained(summary: str, detail: str = "", **more: Any) -> dict[str, Any]:
    """A diagnostic as Terraform writes it."""
    return {"severity": "error", "summary": summary, "detail": detail, **more}


def said(*documents: Mapping[str, Any], complaint: str = "") -> MlopsConfigError:
    """Our error for them."""
    return failure(ATTEMPT, errors_of(documents), complaint)


@pytest.mark.usefixtures("terraform")
class TestOnRealTerraform:
    """Seeded on Terraform itself."""

    def failed(self, folder: Path, text: str, *, init: bool = True) -> MlopsConfigError:
        """The error of ``init`` and ``plan``."""
        bench = Workbench(folder, text)
        steps = (bench.root.init, bench.root.plan) if init else (bench.root.plan,)
        try:
            for step in steps:
                step()
        except MlopsConfigError as error:
            return error
        pytest.fail("nothing was refused")

    def test_a_variable_that_is_refused_says_why(self, tmp_path: Path) -> None:
        error = self.failed(
            tmp_path,
            """
            variable "path" {
              default = "configs/prod/"
              validation {
                condition     = var.path == "configs/dev/"
                error_message = "The dev root takes configs/dev/ and nothing else."
              }
            }
            """,
        )
        assert isinstance(error, UsageError)
        assert "The dev root takes configs/dev/ and nothing else." in error.message

    def test_a_variable_that_is_missing_is_named(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'variable "region" { type = string }')
        assert isinstance(error, UsageError)
        assert '"region" is not set' in error.message

    def test_a_variable_of_another_type_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a.auto.tfvars.json").write_text('{"days": "many"}', encoding="utf-8")
        error = self.failed(tmp_path, 'variable "days" { type = number }')
        assert isinstance(error, UsageError)
        assert "a number is required" in error.message

    def test_a_program_that_the_module_does_not_take_is_named(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'terraform { required_version = ">= 1.99" }')
        assert isinstance(error, UsageError)
        assert Program.find().version in error.message
        assert "install Terraform >= 1.99 (" in (error.hint or "")

    def test_a_mistake_in_a_module_is_named_with_its_place(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'resource "terraform_data" "a" { inputs = 1 }')
        assert isinstance(error, UsageError)
        assert "main.tf:1: Unsupported argument" in error.message
        assert "validate" in (error.hint or "")

    def test_what_the_module_asks_for_is_mended_where_it_is_said(self, tmp_path: Path) -> None:
        condition = 'condition = path.root == "x"\n error_message = "The endpoint is in use."'
        block = f"lifecycle {{\n precondition {{\n {condition}\n }}\n }}"
        error = self.failed(tmp_path, f'resource "terraform_data" "a" {{\n {block}\n }}')
        assert isinstance(error, UsageError)
        assert error.message.startswith("a condition that the root module sets is not met\n")
        assert "The endpoint is in use." in error.message
        assert "validate" not in (error.hint or "")

    def test_what_the_module_protects_is_not_replaced(self, tmp_path: Path) -> None:
        protection = "lifecycle {\n prevent_destroy = true\n }"
        text = f'resource "terraform_data" "a" {{\n triggers_replace = 1\n {protection}\n}}\n'
        bench = Workbench(tmp_path, text)
        bench.root.init()
        bench.root.apply(bench.root.plan())
        error = self.failed(tmp_path, text.replace("= 1", "= 2"))
        assert isinstance(error, UsageError)
        assert error.message.startswith("something that the module protects (prevent_destroy)")
        assert "main.tf:1" in error.message
        assert "terraform_data.a" in error.message
        assert (error.hint or "").endswith(f" -chdir={tmp_path} state rm 'ADDRESS'")

    def test_a_state_that_cannot_be_read_is_named_on_lines_of_their_own(self, tmp_path: Path) -> None:
        (tmp_path / "terraform.tfstate").write_text("{cut short", encoding="utf-8")
        error = self.failed(tmp_path, 'resource "terraform_data" "a" {}')
        assert isinstance(error, UsageError)
        first, second, *more = error.message.splitlines()
        assert first == "the state cannot be read by this version, or is damaged"
        assert second == "  Error refreshing state: 2 problems:"
        assert all(line.startswith("    - Unsupported state file format") for line in more)

    def test_a_module_that_cannot_be_read_is_no_traceback(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'resource "terraform_data" {')
        assert isinstance(error, UsageError)
        assert "main.tf:1" in error.message

    def test_a_backend_that_is_not_told_where_says_what_to_write(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'terraform {\n backend "s3" {}\n}')
        assert isinstance(error, UsageError)
        assert "backend.hcl.example" in (error.hint or "")

    def test_a_plan_before_init_says_the_same(self, tmp_path: Path) -> None:
        error = self.failed(tmp_path, 'terraform {\n backend "s3" {}\n}', init=False)
        assert "backend.hcl.example" in (error.hint or "")

    def test_a_provider_that_cannot_be_fetched_is_a_service_that_failed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "mirror").mkdir()
        settings = tmp_path / "terraform.tfrc"
        settings.write_text(
            f'provider_installation {{\n filesystem_mirror {{ path = "{tmp_path / "mirror"}" }}\n}}\n',
            "utf-8",
        )
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
        source = 'terraform {\n required_providers {\n  aws = { source = "hashicorp/aws" }\n }\n}'
        error = self.failed(tmp_path / "root", source)
        assert isinstance(error, ServiceError)
        assert "hashicorp/aws" in error.message
        assert "provider_installation" in (error.hint or "")

    def test_a_plan_that_somebody_overtook_is_stale(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, 'resource "terraform_data" "a" {}')
        bench.root.init()
        first, second = bench.root.plan(), bench.root.plan()
        bench.root.apply(first)
        with pytest.raises(StalePlanError, match="the state was changed after it was made") as stale:
            bench.root.apply(second)
        assert isinstance(stale.value, IntegrityError)
        assert "plan anew" in (stale.value.hint or "")

    def test_a_lock_names_its_holder_and_how_to_break_it(self, tmp_path: Path) -> None:
        with holding(tmp_path, 'terraform {\n backend "local" {}\n}\n'):
            bench = Workbench(tmp_path)
            with pytest.raises(StateLockedError, match=r"runs apply since 20\d\d-.* UTC \(lock ") as locked:
                bench.root.plan()
        assert locked.value.exit_code == 3
        assert f"-chdir={tmp_path} force-unlock {locked.value.lock_id}" in (locked.value.hint or "")

    def test_no_credentials_for_the_state_in_s3(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        error = self.failed(tmp_path, s3_backend("nowhere"))
        assert isinstance(error, ServiceError)
        assert error.message.startswith("there are no credentials for AWS")
        assert "configure-aws-credentials" in (error.hint or "")


def test_a_service_that_keeps_its_plans_to_itself_says_what_to_set() -> None:
    told = Diagnostic(
        "Saving a generated plan is currently not supported",
        'The "remote" backend does not support saving the generated execution plan locally at this time.',
    )
    error = failure(Attempt("plan", Path("infra")), [told], "")
    assert isinstance(error, UsageError)
    assert "execution mode of its workspace to local" in (error.hint or "")


@pytest.mark.usefixtures("terraform")
class TestOnS3:
    """The state in a bucket, with a lock file beside it."""

    @pytest.fixture(autouse=True)
    def _here(self, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        lead_to(s3_endpoint, monkeypatch)

    def test_a_bucket_that_is_not_there_says_how_to_make_it(self, tmp_path: Path) -> None:
        bench = Workbench(tmp_path, s3_backend("no-such-bucket"))
        with pytest.raises(UsageError, match="bucket for the state does not exist") as missing:
            bench.root.init()
        assert "terraform/bootstrap" in (missing.value.hint or "")

    def test_a_plan_made_in_one_place_is_applied_in_another(
        self, tmp_path: Path, s3_client: "S3Client"
    ) -> None:
        s3_client.create_bucket(Bucket="handed-over")
        text = f'{s3_backend("handed-over")}\nresource "terraform_data" "a" {{ input = 1 }}'
        here, there = Workbench(tmp_path / "here", text), Workbench(tmp_path / "there", text)
        here.root.init()
        there.root.init()
        data = here.root.plan().read_bytes()
        applied = there.root.apply(there.root.saved(data))
        assert applied.in_words() == "1 created, 0 changed, 0 deleted"
        with pytest.raises(StalePlanError):
            here.root.apply(here.root.saved(data))

    def test_of_two_at_once_the_second_is_refused_by_the_lock_file(
        self, tmp_path: Path, s3_client: "S3Client"
    ) -> None:
        s3_client.create_bucket(Bucket="states")
        with holding(tmp_path / "one", s3_backend("states")):
            bench = Workbench(tmp_path / "other", s3_backend("states"))
            bench.root.init()
            with pytest.raises(StateLockedError, match="runs apply since"):
                bench.root.plan()


@pytest.fixture(scope="session")
def aws_root(
    standin_mirror: Environment, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workbench, Environment]:
    """A root with a bucket on the stand-in provider, initialised once."""
    folder = tmp_path_factory.mktemp("aws")
    environment = standin_mirror.with_cloud(folder / "cloud")
    environment.cloud.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.variables.items():
            patch.setenv(name, value)
        bench = Workbench(folder / "root", AWS)
        bench.root.init()
    return bench, environment


AWS = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["444455556666"]
}
resource "aws_s3_bucket" "store" { bucket = "acme-store" }
resource "aws_s3_bucket_versioning" "store" {
  bucket = aws_s3_bucket.store.id
  versioning_configuration { status = "Enabled" }
}
"""


@pytest.mark.usefixtures("terraform")
class TestOnTheStandInProvider:
    """What a provider complains about."""

    @pytest.fixture
    def bench(self, aws_root: tuple[Workbench, Environment], monkeypatch: pytest.MonkeyPatch) -> Workbench:
        bench, environment = aws_root
        for name, value in environment.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("STANDIN_ACCOUNT", "444455556666")
        return bench

    def test_credentials_of_another_account_are_refused(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STANDIN_ACCOUNT", "111122223333")
        with pytest.raises(UsageError, match="another AWS account") as refused:
            bench.root.plan()
        assert "111122223333" in refused.value.message

    def test_no_credentials_at_all(self, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(ServiceError, match="no credentials for AWS"):
            bench.root.plan()

    def test_an_apply_that_is_throttled_half_way_says_to_wait_and_drift_is_seen_afterwards(
        self, bench: Workbench, aws_root: tuple[Workbench, Environment]
    ) -> None:
        cloud = aws_root[1].cloud
        fault = '{"aws_s3_bucket_versioning.create": {"summary": "ThrottlingException: Rate exceeded"}}'
        (cloud / "faults.json").write_text(fault, encoding="utf-8")
        with pytest.raises(ApplyFailedError, match="1 done, 1 failed, 0 not begun") as failed:
            bench.root.apply(bench.root.plan())
        assert "Rate exceeded" in failed.value.message
        (cloud / "faults.json").unlink()
        bench.root.apply(bench.root.plan())
        [bucket] = cloud.glob("aws_s3_bucket/*.json")
        bucket.unlink()
        drifted = bench.root.plan(refresh_only=True).plan
        assert [each.address for each in drifted.drift] == ["aws_s3_bucket.store"]


def s3_backend(bucket: str) -> str:
    """The state in a bucket, as ``backend.hcl.example`` has it, on a server of ours."""
    return f"""
    terraform {{
      backend "s3" {{
        bucket                      = "{bucket}"
        key                         = "prod.tfstate"
        region                      = "us-east-1"
        use_lockfile                = true
        use_path_style              = true
        skip_credentials_validation = true
        skip_requesting_account_id  = true
        skip_region_validation      = true
        skip_metadata_api_check     = true
      }}
    }}
    """


class holding:  # noqa: N801 it reads as a statement
    """While the block runs, an apply is under way in the folder, and holds the lock."""

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder = folder
        self._started = folder / "started"
        provisioner = 'provisioner "local-exec" { command = "touch started; exec sleep 600" }'
        Workbench(folder, f'{backend}\nresource "terraform_data" "a" {{\n {provisioner}\n}}').root.init()

    def __enter__(self) -> None:
        command = [str(Program.find().path), "apply", "-auto-approve", "-input=false"]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self._started.exists() or self._process.poll() is not None)
        assert self._started.exists()

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(2)
        self._process.wait(timeout=60)


def until(there: Callable[[], bool]) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + 60
    while not there() and time.monotonic() < deadline:
        threading.Event().wait(0.02)


@pytest.mark.parametrize(
    ("summary", "detail", "words"),
    [
        (
            "could not find default credentials",
            "See https://cloud.google.com/docs",
            "no credentials for Google",
        ),
        ("Invalid provider configuration", "No credentials loaded. To use your gcloud", "for Google Cloud"),
        (
            "reading S3 Bucket (a): operation error",
            "api error ExpiredToken: The token",
            "does not take these",
        ),
        ("creating ECR Repository", "AccessDeniedException: User is not authorized to perform", "may not do"),
        ("Error creating Bucket", "googleapi: Error 403: forbidden", "may not do that"),
        ("Error creating Environment", "googleapi: Error 429: rateLimitExceeded", "asks for fewer requests"),
        (
            "Failed to install provider",
            "Error while installing hashicorp/aws v6.69.1: the local package for hashicorp/aws 6.69.1 doesn't"
            " match any of the checksums previously recorded in the dependency lock file",
            "a provider is not the one that the lock file names",
        ),
        (
            "Inconsistent dependency lock file",
            "The given plan file was created with a different set of external dependency selections",
            "other providers are here than the plan was made with",
        ),
        (
            "Failed to write plan file",
            "The plan file could not be written: write /tmp/tfplan: no space left on device.",
            "the disk is full",
        ),
        ("reading IAM Role", "dial tcp: lookup iam.amazonaws.com: no such host", "cannot be reached"),
    ],
)
def test_the_services_own_words_are_understood(summary: str, detail: str, words: str) -> None:
    error = said(complained(summary, detail, address="aws_x.y"))
    assert words in error.message
    assert summary in error.message
    assert error.hint


def test_what_nobody_knows_is_shown_as_terraform_says_it() -> None:
    error = said(
        complained("Error one", "because\nof this", address="aws_a.b"), complained("execution halted")
    )
    assert isinstance(error, ServiceError)
    assert error.message.splitlines() == [
        "terraform plan failed:",
        "  aws_a.b: Error one",
        "    because",
        "    of this",
    ]


def test_many_complaints_are_cut_short() -> None:
    error = said(*(complained(f"Error {n}", address="a.b") for n in range(9)))
    assert "… and 4 more" in error.message


def test_a_program_that_dies_without_a_word_is_said_to() -> None:
    assert "it said nothing" in said().message
    assert "fatal error: out of memory" in said(complaint="panic\nfatal error: out of memory").message


def test_a_state_that_could_not_be_saved_is_the_first_thing_to_mend() -> None:
    errors = errors_of([complained("Failed to save state", "... written to errored.tfstate ...")])
    steps = [Step(address="a.b", action="create", state="done")]
    for interrupted, again in ((True, "give"), (False, "mend the cause and give")):
        error = apply_failure(ATTEMPT, errors, "", steps, [("a.b", "create")], interrupted=interrupted)
        assert str(ATTEMPT.directory / LEFT_STATE) in (error.hint or "")
        told = f"before anything else give: {ATTEMPT.push_state}; then {again} the same command again"
        assert (error.hint or "").endswith(told)
    assert ATTEMPT.push_state == f"{ATTEMPT.command} state push errored.tfstate"


def test_an_apply_that_began_nothing_changed_nothing() -> None:
    errors = errors_of([complained("Saved plan is stale")])
    error = apply_failure(ATTEMPT, errors, "", [], [("a.b", "create")], interrupted=False)
    assert isinstance(error, StalePlanError)
