"""The Terraform part of ``mlops-config deploy``: its arguments, and what is done for them."""

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.cli.arguments import sha256_digest
from mlops_config.cli.deploy_printing import Rows, write
from mlops_config.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlops_config.console import Console
    from mlops_config.infrastructure.provisioning import Planned, Provisioned, Review
    from mlops_config.infrastructure.root_module import RootModule
    from mlops_config.infrastructure.subjects import Subject
    from mlops_config.ledger.ledger import Ledger
    from mlops_config.orchestration.deploying import DeploymentPlan, Wish
    from mlops_config.settings import Settings

_PLACES = ("root", "settings", "store", "project", "model", "terraform", "output")
_NEEDS_TERRAFORM = ("plan", "drift", "reviewed", "plan_file", "from_tree", "only_terraform")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the Terraform part."""
    group = parser.add_argument_group("infrastructure")
    group.add_argument(
        "--terraform",
        type=Path,
        metavar="DIR",
        help="root module to plan and apply first (default: the settings' terraform.directory, if any)",
    )
    what = group.add_mutually_exclusive_group()
    what.add_argument(
        "--plan", action="store_true", help="plan the infrastructure, write the plan down, and stop"
    )
    what.add_argument(
        "--drift",
        action="store_true",
        help="say what was changed behind Terraform's back; exit code 1 when something was",
    )
    which = group.add_mutually_exclusive_group()
    which.add_argument("--no-terraform", action="store_true", help="leave infrastructure as it is")
    which.add_argument("--only-terraform", action="store_true", help="leave Airflow as it is")
    group.add_argument(
        "--reviewed",
        type=sha256_digest,
        metavar="DIGEST",
        help="plan anew, and apply only the plan with this digest; exit code 4 for another",
    )
    group.add_argument(
        "--plan-file",
        type=Path,
        metavar="FILE",
        help="apply this very plan, which --plan wrote; its key is in MLOPS_PLAN_KEY",
    )
    group.add_argument("--yes", action="store_true", help="apply what is planned without asking")
    group.add_argument(
        "--from-tree",
        action="store_true",
        help="plan for the files here, which are no release; applied only before the first release",
    )
    group.add_argument(
        "--take-over",
        action="store_true",
        help="deploy although the ledger says that somebody does: of a deployment that died",
    )


def module_of(arguments: argparse.Namespace, settings: "Settings") -> "RootModule | None":
    """The root module to plan; ``None``: infrastructure is left alone.

    Raises:
        UsageError: arguments contradict each other, or there is no such root module.
    """
    from mlops_config.infrastructure.root_module import root_module_of

    asked = [f"--{name.replace('_', '-')}" for name in _NEEDS_TERRAFORM if getattr(arguments, name)]
    if arguments.no_terraform:
        if asked:
            raise UsageError(f"--no-terraform leaves nothing to do for {', '.join(asked)}")
        return None
    if arguments.from_tree and arguments.release:
        raise UsageError("--from-tree plans the files here, and --release names a release: say one of them")
    module = root_module_of(settings, arguments.environment, arguments.root, arguments.terraform)
    if module is None and asked:
        raise UsageError(
            f"{', '.join(asked)} is about infrastructure, and nothing says which root module describes it",
            hint="say --terraform DIR, or write `terraform: {directory: …}` into mlops-config.yaml",
        )
    return module


@dataclass(frozen=True)
class Infrastructure:
    """One environment's infrastructure, as the command line asks for it."""

    arguments: argparse.Namespace
    module: "RootModule"
    settings: "Settings"
    wish: "Wish"
    console: "Console"

    @property
    def environment(self) -> str:
        """Its environment."""
        return self.wish.name.environment

    def subject(self) -> "Subject":
        """What it is planned for: a release that is proven, or the files here."""
        from mlops_config.infrastructure.subjects import Subject, of_tree
        from mlops_config.orchestration.deploying import proven

        if self.arguments.from_tree:
            return of_tree(self.wish.root, self.settings, self.wish.name, self.wish.store, self.console)
        return Subject.of(proven(self.wish))

    def rehearse(self, subject: "Subject") -> Rows:
        """What a deployment would plan, and the variables that it would plan it with, written to be read."""
        from mlops_config.files import make_output_folder, write_atomically
        from mlops_config.infrastructure.variables import FILE_NAME

        path = make_output_folder(self.wish.output) / self.environment / FILE_NAME
        write_atomically(path, subject.variables.to_json())
        return [("terraform", f"plan, review and apply {self.module.shown}"), ("variables", str(path))]

    def plan(self) -> int:
        """Plans, shows the plan and writes it down."""
        from mlops_config.infrastructure.provisioning import write_files, write_sealed

        found = self._planned(self.subject())
        rows: Rows = [("release", found.subject.shown), ("plan", found.plan.digest)]
        paths = write_files(found, self.wish.output)
        rows += [
            ("file", str(path)) for path in (*paths, write_sealed(found, self.wish.output, self.console))
        ]
        if found.plan.has_changes and found.subject.is_released:
            named = f"-e {self.environment} --release {found.subject.record.name}"
            where = _where(self.arguments)
            rows.append(("apply", f"mlops-config deploy {named}{where} --reviewed {found.plan.digest}"))
        self._show(found)
        write(self.arguments.format, found.document(), rows)
        return 0

    def drift(self) -> int:
        """Says what was changed behind Terraform's back.

        Raises:
            FindingsError: something was.
        """
        from mlops_config.infrastructure.provisioning import write_files

        found = self._planned(self.subject(), refresh_only=True)
        write_files(found, self.wish.output)
        self._show(found)
        write(self.arguments.format, found.document(), [("plan", found.plan.digest)])
        if found.plan.drift:
            count = len(found.plan.drift)
            raise FindingsError(
                f"{self.environment} has drifted: {count} resource{'s' if count != 1 else ''} changed behind"
                " Terraform's back",
                hint=f"a deployment takes it back (mlops-config deploy -e {self.environment}"
                f"{_where(self.arguments)}), or write what was changed into the root module",
            )
        return 0

    def deploy(self, go_on: Callable[["DeploymentPlan", "Provisioned"], int]) -> int:
        """Plans, has the plan reviewed, applies it, and goes on with what runs on it.

        Raises:
            IntegrityError: the release's image is gone, or the plan is not the one that was reviewed.
            DeploymentHeldError: somebody else deploys the environment.
            FindingsError: whoever was asked does not want the plan applied.
        """
        from mlops_config.infrastructure.lease import Holder, deployment, lasting
        from mlops_config.infrastructure.ledger_notes import subject_of
        from mlops_config.infrastructure.preflight import require_image
        from mlops_config.infrastructure.program import Program
        from mlops_config.infrastructure.subjects import Subject, require_first
        from mlops_config.ledger.history import ledger_of
        from mlops_config.orchestration.deploying import plan_deployment

        review = self._review()
        review.require_possible()
        Program.find(self.module.program)  # a ledger need not tell of a deployment that never could begin
        if self.arguments.from_tree:
            require_first(self.wish.store, self.wish.name, self.console)
            return self._provisioned_only(self._provision(self.subject(), review, None, None))
        # Before anything is changed: can Airflow run it at all?
        plan = None if self.arguments.only_terraform else plan_deployment(self.wish)
        subject = Subject.of(plan.released) if plan else self.subject()
        require_image(subject.record, self.console)
        ledger = ledger_of(self.wish.store, self.wish.name)
        with deployment(
            ledger,
            subject_of(subject.record),
            Holder.of(_context()),
            lasts=lasting(waiting=self.arguments.timeout, within=self.arguments.within),
            console=self.console,
            take_over=self.arguments.take_over,
        ) as held:
            done = self._provision(subject, review, ledger, held)
            if plan is None:
                return self._provisioned_only(done)
            held.require()
            return go_on(plan, done)

    def _provision(
        self, subject: "Subject", review: "Review", ledger: "Ledger | None", held: Any
    ) -> "Provisioned":
        from mlops_config.infrastructure.ledger_notes import was_applied
        from mlops_config.infrastructure.plan_files import DOCUMENT_NAME, PLAN_FOLDER, SEALED_NAME
        from mlops_config.infrastructure.provisioning import apply, require_reviewed, write_files
        from mlops_config.infrastructure.reviewed import reviewed_document

        found = self._planned(subject)
        if self.arguments.plan_file and ledger is not None and was_applied(found, ledger):
            self.console.say("this plan was applied before: is there anything left to do?")
            review = replace(review, digest=found.plan.digest)
            found = self._planned(subject, sealed=False)
        folder = self.wish.output / self.environment / PLAN_FOLDER
        reviewed = reviewed_document(folder / DOCUMENT_NAME, review.digest)
        if reviewed is None or review.covers(found.plan):  # else the reviewed one has to stay
            write_files(found, self.wish.output)
        self._show(found)
        if review.mode == "ask" and found.plan.has_changes:
            self._show_to_whoever_is_asked(found)
        if not require_reviewed(found, review, _ask, reviewed):
            raise FindingsError(
                f"the plan for {self.environment} was not applied: it was not wanted",
                hint="nothing was changed",
            )
        done = apply(found, ledger, held, self.console)
        if self.arguments.plan_file is None:
            (folder / SEALED_NAME).unlink(missing_ok=True)  # an earlier plan's, which is stale now
        return done

    def _review(self) -> "Review":
        from mlops_config.infrastructure.provisioning import Review

        if self.arguments.reviewed:
            return Review("digest", self.arguments.reviewed)
        # Whoever has the key and the file has looked at what is in it.
        return Review("yes" if self.arguments.yes or self.arguments.plan_file else "ask")

    def _planned(self, subject: "Subject", *, refresh_only: bool = False, sealed: bool = True) -> "Planned":
        from mlops_config.infrastructure.provisioning import planned, unsealed
        from mlops_config.infrastructure.subjects import compared

        wish = self.wish
        since = compared(subject, wish.store, wish.name, wish.validators, self.console)
        if self.arguments.plan_file and sealed:
            return unsealed(self.module, subject, since, self.arguments.plan_file, self.console)
        return planned(self.module, subject, since, self.console, refresh_only=refresh_only)

    def _show(self, found: "Planned") -> None:
        """The plan, where people read standard output."""
        from mlops_config.console import wants_color
        from mlops_config.infrastructure.provisioning import TEXT_WIDTH

        if self.arguments.format == "text":
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else TEXT_WIDTH
            sys.stdout.write(found.text(width, color=wants_color(sys.stdout)) + "\n")
            sys.stdout.flush()

    def _show_to_whoever_is_asked(self, found: "Planned") -> None:
        """The plan beside the question, where standard output goes elsewhere or is for programs."""
        from mlops_config.console import wants_color

        if self.arguments.format != "text" or not sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            sys.stderr.write(found.text(width, color=wants_color(sys.stderr)) + "\n")

    def _provisioned_only(self, done: "Provisioned") -> int:
        document = {
            "environment": self.environment,
            "infrastructure": done.record.model_dump(mode="json"),
            "outputs": dict(done.outputs),
        }
        write(self.arguments.format, document, provisioned_rows(done))
        return 0


def provisioned_rows(done: "Provisioned") -> Rows:
    """What Terraform did, for people."""
    told = [
        f"{name} = {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in done.outputs.items()
        if value not in (None, "", [], {})
    ]
    labels = ["outputs", *[""] * len(told)]
    rows: Rows = [("terraform", f"{done.record.summary} in {done.record.directory}")]
    return [*rows, *zip(labels, told, strict=False)]


def _where(arguments: argparse.Namespace) -> str:
    """The options that say where everything lies, to be given once more."""
    given = {name: getattr(arguments, name) for name in _PLACES}
    words = [
        word
        for name, value in given.items()
        if value is not None and value != Path()
        for word in (f"--{name}", str(value))
    ]
    return f" {shlex.join(words)}" if words else ""


def _ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    answer = ""
    try:
        answer = sys.stdin.readline()
    finally:
        if not answer.endswith("\n"):  # Ctrl-C and Ctrl-D leave the cursor behind the question
            sys.stderr.write("\n")
    return answer


def _context() -> Any:
    from mlops_config.github.context import GitHubContext

    return GitHubContext.from_env(os.environ)
