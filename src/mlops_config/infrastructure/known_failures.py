"""Failures that we know by their words: what each one is, and what to do about it.

The sentences that are looked for are Terraform's, its backends' and the two providers' own.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.infrastructure.diagnostics import Diagnostic, listed

MINIMUM_VERSION = "1.10"
LEFT_STATE = "errored.tfstate"
"""Where Terraform leaves a state that it cannot save, in the root module's folder."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What Terraform was doing when it failed."""

    verb: str
    """``init``, ``plan``, ``apply``, …"""
    directory: Path
    program: str = "terraform"
    version: str = ""

    @property
    def command(self) -> str:
        """How a person calls this program on this root module."""
        return f"{self.program} {shlex.quote(f'-chdir={self.directory}')}"

    @property
    def push_state(self) -> str:
        """What brings a state that was left in :data:`LEFT_STATE` to its place."""
        return f"{self.command} state push {LEFT_STATE}"


class StateLockedError(ServiceError):
    """Somebody else works on this state. ``lock_id`` is what ``force-unlock`` takes."""

    def __init__(self, message: str, *, hint: str, lock_id: str | None) -> None:
        super().__init__(message, hint=hint)
        self.lock_id = lock_id


class StalePlanError(IntegrityError):
    """The state is no longer the one that the plan was made for."""


Maker = Callable[[Attempt, Diagnostic, "re.Match[str]", Sequence[Diagnostic]], MlopsConfigError]


def _service(message: str, hint: str) -> Maker:
    """A service's refusal: our sentence, then Terraform's own."""

    def make(
        attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
    ) -> MlopsConfigError:
        return ServiceError(f"{message}\n  {each.in_words()}", hint=hint.format(command=attempt.command))

    return make


def _usage(message: str, hint: str) -> Maker:
    """A mistake of ours or in the module, with everything that Terraform found."""

    def make(
        attempt: Attempt, _each: Diagnostic, _found: "re.Match[str]", errors: Sequence[Diagnostic]
    ) -> MlopsConfigError:
        return UsageError(f"{message}\n{listed(errors)}", hint=hint.format(command=attempt.command))

    return make


def _locked(
    attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
) -> MlopsConfigError:
    info = dict(re.findall(r"(?m)^\s*(ID|Who|Operation|Created):[ \t]*(\S.*?)\s*$", each.detail))
    lock = info.get("ID")
    if lock is None:
        reason = each.in_words()
        return StateLockedError(f"the state cannot be locked\n  {reason}", hint=_LOCK_HINT, lock_id=None)
    operation = info.get("Operation", "").removeprefix("OperationType").lower() or "an operation"
    since = re.sub(r"\.\d+ \+0000 UTC$", " UTC", info.get("Created", "an unknown time"))
    return StateLockedError(
        f"the state is locked: {info.get('Who', 'somebody')} runs {operation} since {since} (lock {lock})",
        hint=f"{_LOCK_HINT}; if that process is dead for certain: {attempt.command} force-unlock {lock}",
        lock_id=lock,
    )


_LOCK_HINT = "wait for it, or let terraform.lock_timeout in the settings wait"


def _stale(
    _attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
) -> MlopsConfigError:
    return StalePlanError(
        f"the plan is stale: the state was changed after it was made ({each.summary})",
        hint="plan anew, and have that plan reviewed",
    )


def _other_providers(
    attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
) -> MlopsConfigError:
    return StalePlanError(
        f"other providers are here than the plan was made with\n  {each.in_words()}",
        hint=f"commit {attempt.directory / '.terraform.lock.hcl'}, so that every machine takes the same ones,"
        " and plan anew",
    )


def _other_checksum(
    attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
) -> MlopsConfigError:
    return IntegrityError(
        f"a provider is not the one that the lock file names\n  {each.in_words()}",
        hint=f"if it is for another platform: {attempt.command} providers lock -platform=linux_amd64;"
        " otherwise find out who changed it",
    )


def _version(
    attempt: Attempt, each: Diagnostic, _found: "re.Match[str]", _all: Sequence[Diagnostic]
) -> MlopsConfigError:
    wanted = re.search(r'required_version\s*=\s*"([^"]+)"', each.code)
    return UsageError(
        f"{attempt.program} {attempt.version} is not a version that {attempt.directory} works with\n"
        f"  {each.in_words()}",
        hint=how_to_get(wanted[1] if wanted else f">= {MINIMUM_VERSION}"),
    )


def how_to_get(wanted: str = f">= {MINIMUM_VERSION}") -> str:
    """Where a program of a fitting version is to be had."""
    return (
        f"install Terraform {wanted} (https://developer.hashicorp.com/terraform/install)"
        f" or OpenTofu {wanted} (https://opentofu.org/docs/intro/install/); in GitHub Actions:"
        " hashicorp/setup-terraform or opentofu/setup-opentofu"
    )


KNOWN: tuple[tuple[str, Maker], ...] = (
    (r"Error acquiring the state lock|Error locking state", _locked),
    (r"Saved plan is stale|Saved plan does not match the given state", _stale),
    (r"Inconsistent dependency lock file", _other_providers),
    (r"match any of the checksums previously recorded", _other_checksum),
    (r"Unsupported (Terraform|OpenTofu) Core version", _version),
    (
        r"Unsupported state file format|[Ss]tate snapshot was created by (Terraform|OpenTofu)",
        _usage(
            "the state cannot be read by this version, or is damaged",
            "take the version that wrote it; of a damaged one a versioned bucket has the one before",
        ),
    ),
    (
        r"Saving a generated plan is currently not supported",
        _usage(
            "the state's service keeps its plans to itself, so that none can be reviewed here",
            "set the execution mode of its workspace to local",
        ),
    ),
    (
        r"Instance cannot be destroyed",
        _usage(
            "something that the module protects (prevent_destroy) would be deleted or replaced",
            "undo what it would go for; or let the old one stay as it is, and take it out of the state first:"
            " {command} state rm 'ADDRESS'",
        ),
    ),
    (
        r"[Pp]recondition failed|Resource postcondition failed",
        _usage(
            "a condition that the root module sets is not met",
            "mend what it speaks of: the environment's files, its terraform.tfvars, or what is there already",
        ),
    ),
    (
        r"no space left on device|disk quota exceeded",
        _service("the disk is full", "free some space and give the same command again"),
    ),
    (
        r"AWS account ID not allowed",
        _usage(
            "these credentials are of another AWS account than this environment's",
            "log in to the account in the environment's terraform.tfvars, or mend account_id there",
        ),
    ),
    (
        r"ExpiredToken|[Tt]oken included in the request is expired|InvalidClientTokenId|invalid_grant|"
        r"oauth2: cannot fetch token",
        _service("the cloud does not take these credentials", "log in again: they are expired or revoked"),
    ),
    (
        r"No valid credential sources found|failed to refresh cached credentials",
        _service(
            "there are no credentials for AWS",
            "log in (aws sso login, AWS_PROFILE); in GitHub Actions: aws-actions/configure-aws-credentials",
        ),
    ),
    (
        r"could not find default credentials|No credentials loaded",
        _service(
            "there are no credentials for Google Cloud",
            "log in (gcloud auth application-default login); in GitHub Actions: google-github-actions/auth",
        ),
    ),
    (
        r"[Bb]ucket \"?[^\"\n]*\"? does not exist|NoSuchBucket|bucket doesn't exist",
        _usage(
            "the bucket for the state does not exist",
            "apply terraform/bootstrap once, and name its bucket in the backend's file",
        ),
    ),
    (
        r"Backend configuration changed",
        _usage(
            "the state was kept elsewhere when this folder was last used",
            "bring it along ({command} init -migrate-state), or remove the folder's .terraform",
        ),
    ),
    (
        r"required by the backend|Missing region value|Backend initialization required|"
        r"Invalid backend configuration argument",
        _usage(
            "Terraform is not told where its state lies",
            "copy backend.hcl.example to backend.hcl, fill it in, and name it: terraform.backend_config in"
            " the settings",
        ),
    ),
    (
        r"Failed to query available provider packages|Failed to resolve provider packages|"
        r"Failed to install provider|Failed to download module",
        _service(
            "a provider or module cannot be fetched",
            "may this machine reach the registry? A mirror goes into provider_installation of ~/.terraformrc",
        ),
    ),
    (
        r"(?:Invalid|No) value for (?:required |input |undeclared )?variable|Value for undeclared variable",
        _usage(
            "the variables are not what the root module takes",
            "mend the environment's terraform.tfvars or its files; release.tf comes with mlops-config",
        ),
    ),
    (
        r"ThrottlingException|Throttling:|RequestLimitExceeded|Rate exceeded|SlowDown|rateLimitExceeded|"
        r"(?:Error|StatusCode:) 429",
        _service(
            "the cloud asks for fewer requests",
            "give the same command again in some minutes: it goes on with what is missing",
        ),
    ),
    (
        r"AccessDenied|not authorized to perform|UnauthorizedOperation|(?:Error|StatusCode:) 403|"
        r"PERMISSION_DENIED",
        _service(
            "these credentials may not do that",
            "take the environment's role: terraform/bootstrap makes one for plans and one for deployments",
        ),
    ),
    (
        r"no such host|connection refused|i/o timeout|TLS handshake timeout|network is unreachable",
        _service("a service cannot be reached", "is the network there? Then give the same command again"),
    ),
)
