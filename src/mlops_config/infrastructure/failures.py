"""What Terraform complains about (``-json`` diagnostics) as our errors: what it is, and what to do about it.

The sentences that are looked for are Terraform's, its backends' and the two providers' own.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mlops_config.errors import (
    INTERRUPTED_EXIT_CODE,
    IntegrityError,
    MlopsConfigError,
    ServiceError,
    UsageError,
)
from mlops_config.infrastructure.progress import Step

MINIMUM_VERSION = "1.10"
_SHOWN = 5
_DETAIL_LINES = 6
_SAYS_NOTHING = r"^execution halted|must be valid before initialization"
_TOLD_OTHERWISE = (
    r"^Values? for undeclared variable|^Check block assertion known after apply|"
    r"^Some objects will no longer be managed"
)
"""By :mod:`~.given_variables`; by the apply, once there is something to tell; by the plan's own lines."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One complaint."""

    summary: str
    detail: str = ""
    address: str | None = None
    """Of the resource that it is about."""
    file: str | None = None
    line: int | None = None
    code: str = ""
    """The line of the module that it is about."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Diagnostic":
        """As Terraform's machine-readable output has it."""
        place = document.get("range") or {}
        return cls(
            summary=str(document.get("summary", "")).strip(),
            detail=str(document.get("detail", "")).strip(),
            address=document.get("address"),
            file=place.get("filename"),
            line=(place.get("start") or {}).get("line"),
            code=str((document.get("snippet") or {}).get("code") or "").strip(),
        )

    @property
    def text(self) -> str:
        """Summary and detail, to look for words in."""
        return f"{self.summary}\n{self.detail}"

    def in_words(self) -> str:
        """A line or a few: where, what, and the beginning of the detail."""
        where = self.address or (f"{self.file}:{self.line}" if self.file and self.line else None)
        summary, *more = [line.strip() for line in self.summary.splitlines() if line.strip()] or [""]
        detail = [*more, *(line.strip() for line in self.detail.splitlines() if line.strip())]
        head = f"{where}: {summary}" if where else summary
        return "\n    ".join([head, *detail[:_DETAIL_LINES]])


class StateLockedError(ServiceError):
    """Somebody else works on this state. ``lock_id`` is what ``force-unlock`` takes."""

    def __init__(self, message: str, *, hint: str, lock_id: str | None) -> None:
        super().__init__(message, hint=hint)
        self.lock_id = lock_id


class StalePlanError(IntegrityError):
    """The state is no longer the one that the plan was made for."""


class ApplyFailedError(ServiceError):
    """An apply that ended half-way. ``document`` is what was done, what failed and what was not begun."""

    def __init__(self, message: str, *, hint: str, document: Mapping[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.document = document


class ApplyInterruptedError(ApplyFailedError):
    """An apply that was stopped from outside, in good order."""

    exit_code: ClassVar[int] = INTERRUPTED_EXIT_CODE


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


def errors_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Diagnostic, ...]:
    """The errors among diagnostics, each once, without those that only say that there are others."""
    errors = [Diagnostic.of(each) for each in documents if each.get("severity") == "error"]
    telling = [each for each in errors if not re.search(_SAYS_NOTHING, each.text)]
    return tuple(dict.fromkeys(telling or errors))


def warnings_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Diagnostic, ...]:
    """The warnings among diagnostics, each once; failed ``check`` blocks are among them."""
    found = (Diagnostic.of(each) for each in documents if each.get("severity") == "warning")
    return tuple(dict.fromkeys(each for each in found if not re.search(_TOLD_OTHERWISE, each.text)))


def failure(attempt: Attempt, errors: Sequence[Diagnostic], complaint: str) -> MlopsConfigError:
    """The error for what Terraform said; ``complaint`` is the end of its standard error."""
    for each in errors:
        for pattern, make in _KNOWN:
            if found := re.search(pattern, each.text):
                return make(attempt, each, found, errors)
    if not errors:
        told = complaint.splitlines()[-1] if complaint else "it said nothing"
        return ServiceError(f"{attempt.program} {attempt.verb} failed: {told}")
    message = f"{attempt.program} {attempt.verb} failed:\n{_listed(errors)}"
    if any(each.file for each in errors) and not any(each.address for each in errors):
        return UsageError(message, hint=f"mend the module, then check it with: {attempt.command} validate")
    return ServiceError(message, hint="mend the cause, then give the same command again")


def apply_failure(
    attempt: Attempt,
    errors: Sequence[Diagnostic],
    complaint: str,
    steps: Sequence[Step],
    planned: Sequence[tuple[str, str]],
    *,
    interrupted: bool,
) -> MlopsConfigError:
    """The error for an apply that did not come to its end.

    ``planned`` are the addresses and actions that the plan had. An apply that began nothing failed like any
    other verb: nothing was changed.
    """
    if not steps and not interrupted:
        return failure(attempt, errors, complaint)
    begun = {each.address for each in steps}
    document: dict[str, list[Any]] = {
        "done": [each.model_dump() for each in steps if each.state == "done"],
        "failed": [each.model_dump() for each in steps if each.state != "done"],
        "not_begun": [{"address": at, "action": action} for at, action in planned if at not in begun],
        "errors": [each.in_words() for each in errors],
    }
    done, failed, left = (len(document[name]) for name in ("done", "failed", "not_begun"))
    counts = f"{done} done, {failed} failed, {left} not begun"
    if interrupted:
        return ApplyInterruptedError(
            f"the apply was interrupted: {counts}",
            hint=_resume(attempt, errors, "give"),
            document=document,
        )
    cause = failure(attempt, errors, complaint)
    lines = [f"the apply ended half-way: {counts}", *(f"  {each.in_words()}" for each in errors[:_SHOWN])]
    hint = _resume(attempt, errors, "mend the cause and give")
    if cause.hint and type(cause) is not ServiceError:
        hint = f"{cause.hint}; {hint}"
    return ApplyFailedError("\n".join(lines), hint=hint, document=document)


def _resume(attempt: Attempt, errors: Sequence[Diagnostic], what: str) -> str:
    if any(re.search(r"errored\.tfstate|[Ff]ailed to (save|persist) state", each.text) for each in errors):
        left = attempt.directory / "errored.tfstate"
        return (
            f"the state could not be saved where it belongs and lies in {left}: keep that file, and before"
            f" anything else give: {attempt.command} state push errored.tfstate"
        )
    return f"the state is saved: {what} the same command again, it goes on from there"


def _listed(errors: Sequence[Diagnostic]) -> str:
    lines = [f"  {each.in_words()}" for each in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  … and {len(errors) - _SHOWN} more")
    return "\n".join(lines)


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
        return UsageError(f"{message}\n{_listed(errors)}", hint=hint.format(command=attempt.command))

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


_KNOWN: tuple[tuple[str, Maker], ...] = (
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
            "undo what it would be replaced for; or take the protection out, if it may go",
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
