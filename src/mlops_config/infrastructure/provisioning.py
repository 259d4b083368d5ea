"""The order in which infrastructure is changed: variables, plan, review, apply, ledger."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlops_config.console import Console
from mlops_config.errors import IntegrityError, MlopsConfigError, UsageError
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.infrastructure.causes import explain
from mlops_config.infrastructure.failures import ApplyFailedError
from mlops_config.infrastructure.given_variables import require_given, undeclared
from mlops_config.infrastructure.ledger_notes import note, note_failed, record_of
from mlops_config.infrastructure.plan_files import DOCUMENT_NAME, MARKDOWN_NAME, PLAN_FOLDER, SEALED_NAME
from mlops_config.infrastructure.program import Program
from mlops_config.infrastructure.rendering import as_document, as_markdown, as_text
from mlops_config.infrastructure.reviewed import Document, since_review
from mlops_config.infrastructure.root_module import STORE_URI, RootModule
from mlops_config.infrastructure.sealing import (
    KEY_VARIABLE,
    Header,
    plan_key,
    seal,
    unseal,
    write_private,
)
from mlops_config.infrastructure.subjects import Compared, Subject
from mlops_config.infrastructure.variables import FILE_NAME
from mlops_config.ledger.ledger import Ledger
from mlops_config.release.record import InfrastructureRecord

if TYPE_CHECKING:
    from mlops_config.infrastructure.lease import Held
    from mlops_config.infrastructure.plan import Plan
    from mlops_config.infrastructure.program import Root, SavedPlan

PLAN_FILE = "tfplan"
"""Terraform's own file among what is sealed."""
LOCK_FILE = ".terraform.lock.hcl"
"""The providers that the plan was made with; Terraform applies it with the very same ones."""
SUMMARY_LIMIT_BYTES = 900 * 1024
"""Below GitHub's limit for a step's summary, 1 MiB, with room for what else stands there."""

TEXT_WIDTH = 100
"""Columns where no terminal says how many it has."""

Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Review:
    """What lets a plan be applied."""

    mode: Literal["ask", "yes", "digest"]
    digest: str | None = None
    """Of the plan that was reviewed."""

    def covers(self, plan: "Plan") -> bool:
        """Whether no other plan was reviewed; for one that changes nothing none has to be."""
        return not plan.has_changes or self.digest in (None, plan.digest)

    def require_possible(self) -> None:
        """Returns unless somebody has to be asked, and nobody is there.

        Raises:
            UsageError: nobody is.
        """
        if self.mode == "ask" and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "nobody is here to look at the plan: this is no terminal",
                hint="look at it with --plan, then say --reviewed sha256:… with its digest; or --yes to"
                " apply whatever is planned",
            )


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan of an environment's infrastructure, with what it is for and what it comes from."""

    module: RootModule
    subject: Subject
    program: Program
    root: "Root"
    saved: "SavedPlan"
    causes: Mapping[str, Any]

    @property
    def plan(self) -> "Plan":
        """What would be done."""
        return self.saved.plan

    def text(self, width: int = TEXT_WIDTH, *, color: bool = False) -> str:
        """The plan for people."""
        return as_text(self.plan, self.causes, width, color=color)

    def document(self) -> dict[str, Any]:
        """The plan for programs."""
        record = self.subject.record
        return {
            "environment": record.environment,
            "release": record.name,
            "config_digest": record.config_digest,
            "directory": self.module.shown,
            "program": self.program.name,
            "deletes": bool(self.plan.destructive),
            "drifted": bool(self.plan.drift),
            **as_document(self.plan, self.causes),
        }


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was done, and what the root module says of it."""

    record: InfrastructureRecord
    outputs: Mapping[str, Any]

    def output(self, name: str) -> str | None:
        """An output that is text; ``None``: there is none."""
        value = self.outputs.get(name)
        return value if isinstance(value, str) and value else None

    def warn_of_other_store(self, uri: str, console: Console) -> None:
        """Says so where the jobs were told of another store than ``uri``, in which the release is."""
        told = self.output(STORE_URI)
        if told is not None and told.rstrip("/") != uri.rstrip("/"):
            console.say(
                f"warning: the release is in {uri}, and its jobs will look for it in {told}, as the root"
                f" module's output {STORE_URI} says: use that store from the release on, or give the module"
                " yours (artifact_store)"
            )


def opened(module: RootModule, subject: Subject, console: Console) -> "tuple[Program, Root]":
    """The root module, initialised, with the release's variables in it.

    Raises:
        UsageError: Terraform is missing or too old, or cannot be initialised as it is asked to; or the last
            apply's state has to be brought to its place first.
        ServiceError: a registry or the state's store failed.
    """
    program = Program.find(module.program)
    root = program.at(
        module.directory, console, backend_config=module.backend_config, lock_timeout=module.lock_timeout
    )
    write_atomically(module.directory / FILE_NAME, subject.variables.to_json())
    root.init()
    root.require_saved()
    return program, root


def planned(
    module: RootModule,
    subject: Subject,
    compared: Compared,
    console: Console,
    *,
    refresh_only: bool = False,
) -> Planned:
    """What Terraform would do for the subject; nothing is changed but the variables' file.

    Raises:
        UsageError: as :func:`opened`, or the variables are refused, or another file gives other ones.
        IntegrityError: somebody else gave other variables meanwhile.
        ServiceError: the state is locked, or a service failed.
    """
    program, root = opened(module, subject, console)
    saved = root.plan(refresh_only=refresh_only)
    return _explained(module, subject, compared, program, root, saved)


def _explained(
    module: RootModule,
    subject: Subject,
    compared: Compared,
    program: Program,
    root: "Root",
    saved: "SavedPlan",
) -> Planned:
    plan, variables = saved.plan, subject.variables
    require_given(plan, variables, module.directory, module.shown)
    if missing := undeclared(plan, variables):
        root.console.say(
            f"warning: {module.shown} declares no variable {', '.join(missing)}: what the release says there"
            " does not reach it"
        )
    causes = explain(plan, compared.before, variables, compared.changes)
    return Planned(module, subject, program, root, saved, causes)


def unsealed(
    module: RootModule, subject: Subject, compared: Compared, path: Path, console: Console
) -> Planned:
    """The very plan that :func:`write_files` sealed.

    Raises:
        UsageError: the file cannot be read, or its key is not given.
        IntegrityError: the key is another one, somebody changed the file, or it is another environment's or
            release's plan.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror}") from error
    sealed = unseal(data, plan_key())
    record = subject.record
    sealed.require(environment=record.environment, release=record.name)
    _bring_providers(module.directory / LOCK_FILE, sealed.files.get(LOCK_FILE))
    program, root = opened(module, subject, console)
    return _explained(module, subject, compared, program, root, root.saved(sealed.files[PLAN_FILE]))


def _bring_providers(path: Path, locked: bytes | None) -> None:
    """Has ``init`` take the providers that a plan was made with, though later ones came out since.

    A lock file that chooses others is left: whoever changed it did so on purpose, and Terraform refuses the
    plan.
    """
    if locked is not None and (not path.exists() or _chosen(path.read_bytes()) == _chosen(locked)):
        write_atomically(path, locked)


def _chosen(locked: bytes) -> list[tuple[bytes, bytes]]:
    """Address and version of each provider in a lock file, which also has checksums of some platforms."""
    return re.findall(rb'(?m)^provider "([^"]+)" \{\s+version\s*= "([^"]+)"', locked)


def write_files(found: Planned, output: Path) -> tuple[Path, ...]:
    """Writes the plan as people and as programs read it; their paths. Secrets are in neither."""
    folder = make_output_folder(output) / found.subject.record.environment / PLAN_FOLDER
    document = json.dumps(found.document(), indent=2, ensure_ascii=False).encode() + b"\n"
    markdown = as_markdown(found.plan, found.causes, SUMMARY_LIMIT_BYTES).encode()
    contents = {MARKDOWN_NAME: markdown, DOCUMENT_NAME: document}
    for name, data in contents.items():
        write_atomically(folder / name, data)
    return tuple(folder / name for name in contents)


def write_sealed(found: Planned, output: Path, console: Console) -> Path:
    """Writes the plan itself for ``--plan-file``: encrypted, or for this user's eyes alone; its path.

    Raises:
        UsageError: the key is too short, or the library that encrypts is not installed.
    """
    record, key = found.subject.record, plan_key()
    header = Header(
        environment=record.environment,
        release=record.name,
        digest=found.plan.digest,
        terraform_version=found.program.version,
    )
    path = output / record.environment / PLAN_FOLDER / SEALED_NAME
    files = {PLAN_FILE: found.saved.read_bytes()}
    lock = found.module.directory / LOCK_FILE
    if lock.exists():  # none is written where no provider is needed
        files[LOCK_FILE] = lock.read_bytes()
    write_private(path, seal(files, header, key))
    if key is None:
        console.say(
            f"warning: {path} is not encrypted, and a plan holds secrets in the clear: keep it on this"
            f" machine, or set {KEY_VARIABLE}"
        )
    return path


def require_reviewed(found: Planned, review: Review, ask: Ask, reviewed: Document | None = None) -> bool:
    """Whether the plan may be applied: it is the one that was reviewed, or whoever is asked says so.

    A plan that changes nothing may always be: so a deployment that failed later goes on when it is asked for
    again. ``reviewed`` is the plan that was reviewed, where it is known, to say what differs.

    Raises:
        IntegrityError: another plan was reviewed.
    """
    record = found.subject.record
    if not review.covers(found.plan):
        differs = since_review(reviewed, found.document()) if reviewed else []
        told = [
            f"this is not the plan of {record.environment} that was reviewed: {review.digest} was, and"
            f" {found.plan.digest} is what would be done now",
            *differs,
        ]
        raise IntegrityError(
            "\n".join(told),
            hint="the files, the release or the infrastructure changed since: nothing was applied; look at"
            " the new plan (--plan) and say its digest",
        )
    if review.mode != "ask" or not found.plan.has_changes:
        return True
    name = record.environment
    answer = ask(f"Apply this plan to {name}? Type {name} to go on, anything else to leave: ")
    return answer.strip() == name


def apply(found: Planned, ledger: Ledger | None, held: "Held | None", console: Console) -> Provisioned:
    """Applies the plan and writes down what came of it, where there is a ledger yet.

    Raises:
        DeploymentHeldError: somebody took over meanwhile; nothing is applied.
        StalePlanError: the state changed since the plan was made; nothing is applied.
        ApplyFailedError: it ended half-way; what was done is in the ledger, and the same command goes on.
        ServiceError: the state is locked, or a service failed.
    """
    if held is not None:
        held.require()
    if not found.plan.has_changes:
        console.say(f"{found.module.shown}: nothing to change")
        done, outputs = record_of(found), found.root.outputs()
    else:
        try:
            applied = found.root.apply(found.saved)
        except ApplyFailedError as error:
            steps = [each["action"] for each in error.document["done"]]
            counts = {name: steps.count(name) for name in ("create", "update", "delete")}
            half = record_of(found, counts["create"], counts["update"], counts["delete"])
            note_failed(ledger, found, held, half, error, console)
            raise
        except MlopsConfigError as error:
            note_failed(ledger, found, held, record_of(found), error, console)
            raise
        done = record_of(found, applied.created, applied.changed, applied.deleted)
        outputs = applied.outputs
    note(ledger, found, held, done, None)
    return Provisioned(done, outputs)
