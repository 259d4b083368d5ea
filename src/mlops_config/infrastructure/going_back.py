"""Infrastructure after a rollback: planned for the release gone back to, applied where nothing is lost by it.

Configuration, image and model are back by then and serve. What is left is told with the command that does it.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.console import Console
from mlops_config.contract.validators import Validators
from mlops_config.errors import FindingsError, MlopsConfigError, UsageError
from mlops_config.infrastructure.lease import Holder, deployment, lasting
from mlops_config.infrastructure.ledger_notes import subject_of
from mlops_config.infrastructure.provisioning import Planned, Provisioned, apply, planned, write_files
from mlops_config.infrastructure.root_module import RootModule, has_root_module, root_module_of
from mlops_config.infrastructure.subjects import Subject, compared
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.released import released
from mlops_config.pipeline import OUTPUT_NAME
from mlops_config.store.interface import LedgerName, Store

if TYPE_CHECKING:
    from mlops_config.runtime.rollback.opening import Opened
    from mlops_config.runtime.rollback.running import RollbackOutcome


@dataclass(frozen=True, slots=True)
class Return:
    """The release that an environment goes back to, and where its infrastructure is described."""

    module: RootModule
    store: Store
    name: LedgerName
    release: str
    validators: Validators
    output: Path
    where: tuple[str, ...] = ()
    """The options, as words, that say where everything lies to whoever goes on by hand."""

    @classmethod
    def after(
        cls,
        opened: "Opened",
        outcome: "RollbackOutcome",
        module: RootModule | None,
        where: tuple[str, ...] = (),
    ) -> "Return | None":
        """What the infrastructure has to follow to; ``None``: nothing went back, or there is no root module.

        Nothing here can fail: what went back would go untold.
        """
        if module is None or outcome.plan is None or not (outcome.rolled_back or outcome.dry_run):
            return None
        return cls(
            module,
            opened.store,
            opened.ledger.name,
            outcome.plan.target.record.name,
            Validators(opened.contracts, opened.root, light=False),
            opened.root / OUTPUT_NAME,
            where,
        )

    @property
    def command(self) -> str:
        """What brings the infrastructure to the release by itself."""
        named = ["-e", self.name.environment, "--release", self.release, "--only-terraform"]
        # A checkout whose configuration was broken since need not say whose release it is.
        whose = ["--project", self.name.project, "--model", self.name.model_name]
        return shlex.join(["mlops-config", "deploy", *named, *self.where, "--store", self.store.uri, *whose])


def module_that_follows(opened: "Opened", asked: Path | None = None) -> RootModule | None:
    """The root module that is asked for, or the settings'; ``None``: there is none.

    The settings name a folder for every environment, and some may have no infrastructure of their own. To be
    looked for before anything goes back: who is told afterwards that it is not there takes it that nothing
    was done.

    Raises:
        UsageError: it is not there, though it was asked for or something was made by it.
    """
    if opened.settings.terraform and asked is None and not _is_expected(opened):
        opened.console.say(f"{opened.environment} has no root module of Terraform: nothing follows there")
        return None
    try:
        return root_module_of(opened.settings, opened.environment, opened.root, asked)
    except UsageError as error:
        without = (
            "nothing went back; 'mlops-config rollback --no-terraform' goes back without it, and from GitHub"
            " the input no-terraform"
        )
        error.hint = f"{error.hint}; {without}" if error.hint else without
        raise


def _is_expected(opened: "Opened") -> bool:
    """Whether the environment has the settings' root module, or had it when something was made by it."""
    if has_root_module(opened.settings, opened.environment, opened.root):
        return True
    return any(entry.infrastructure for entry in opened.ledger.entries())


def look(back: Return, console: Console) -> Planned:
    """What the infrastructure's part of a rollback would do.

    Raises:
        MlopsConfigError: it cannot be planned here, such as without credentials.
    """
    found = released(back.store, back.name.project, back.name.environment, back.release, back.validators)
    subject = Subject.of(found)
    since = compared(subject, back.store, back.name, back.validators, console)
    made = planned(back.module, subject, since, console)
    write_files(made, back.output)
    return made


def go_back(back: Return, holder: Holder, console: Console, *, within: float | None = None) -> Provisioned:
    """Applies what takes the infrastructure back, unless something would be deleted or replaced.

    ``within`` are the seconds that it may take, where somebody set a limit.

    Raises:
        FindingsError: something would: people decide that.
        MlopsConfigError: it could not be planned or applied; the hint says how to go on.
    """
    ledger = ledger_of(back.store, back.name)
    environment = back.name.environment
    try:
        record = back.store.fetch_release(back.name.project, environment, back.release)
        about = subject_of(record) if record else {}
        with deployment(ledger, about, holder, lasts=lasting(within=within), console=console) as held:
            made = look(back, console)
            _require_harmless(made, back)
            return apply(made, ledger, held, console)
    except MlopsConfigError as error:
        error.message = (
            f"{environment} runs release {back.release} again, but its infrastructure is not that"
            f" release's: {error.message}"
        )
        if back.command not in (error.hint or ""):
            error.hint = (
                f"{error.hint}; then: {back.command}" if error.hint else f"go on with: {back.command}"
            )
        error.args = (error.message,)
        raise


def _require_harmless(made: Planned, back: Return) -> None:
    lost = made.plan.destructive
    if lost:
        listed = ", ".join(each.address for each in lost)
        raise FindingsError(
            f"taking it back would delete or replace {listed}",
            hint=f"look at the plan, and have it applied if that is meant: {back.command} --plan",
        )
