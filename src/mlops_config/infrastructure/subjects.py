"""What infrastructure is planned for, a release or a work tree that is none yet, and what it was made for."""

from dataclasses import dataclass
from pathlib import Path

from mlops_config.console import Console
from mlops_config.contract.validation import EnvironmentConfigs
from mlops_config.contract.validators import Validators
from mlops_config.errors import FindingsError, MlopsConfigError, UsageError
from mlops_config.findings import Severity
from mlops_config.infrastructure.variables import ReleaseVariables
from mlops_config.ledger.entries import Event
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.released import Released, released
from mlops_config.release.changes import Change, changes
from mlops_config.release.history import meanings_of
from mlops_config.release.record import ReleaseRecord
from mlops_config.settings import SETTINGS_NAME, Settings
from mlops_config.store.interface import LedgerName, Store


@dataclass(frozen=True, slots=True)
class Subject:
    """The files that infrastructure is planned for, and the record of their release, or the draft of one."""

    record: ReleaseRecord
    files: EnvironmentConfigs
    variables: ReleaseVariables
    is_released: bool = True

    @classmethod
    def of(cls, found: Released) -> "Subject":
        """A release."""
        return cls(found.record, found.files, ReleaseVariables.of(found.record, found.files))

    @property
    def shown(self) -> str:
        """What it is, for people."""
        what = "release" if self.is_released else "the files here, not released,"
        return f"{what} {self.record.name} of {self.record.environment}"


@dataclass(frozen=True, slots=True)
class Compared:
    """What the environment's infrastructure was made for last, and what changed since."""

    before: ReleaseVariables | None = None
    """``None``: nothing was provisioned yet, or it cannot be read."""
    changes: tuple[Change, ...] = ()


def of_tree(root: Path, settings: Settings, name: LedgerName, store: Store, console: Console) -> Subject:
    """The environment's files as they lie in the work tree, for a plan of what releasing them would change.

    There is no image of them yet. The one of the release in force stands in for it, so that the plan shows
    what else changes.

    Raises:
        FindingsError: the files have errors.
        UsageError: there are no files of the environment.
    """
    from mlops_config.contract.validation import validate
    from mlops_config.pipeline import bundle_of, files_of
    from mlops_config.release.assembly import first_record
    from mlops_config.release.source import read_checkout

    validation = validate(root, settings)
    errors = [each for each in validation.findings if each.severity is Severity.ERROR]
    if errors:
        raise FindingsError(
            f"the files have {len(errors)} error{'s' if len(errors) != 1 else ''}, such as:"
            f" {errors[0].message}",
            hint="mlops-config validate shows all of them",
        )
    configs = validation.environment(name.environment)
    bundle = bundle_of(configs)
    checkout = read_checkout(root, [root / settings.config_dir, root / SETTINGS_NAME])
    record = first_record(bundle, files_of(configs, bundle), checkout, version=None, actor=None, run_url=None)
    in_force = in_force_of(store, name, console)
    if in_force is not None:
        record = record.model_copy(update={"image": in_force.image})
    return Subject(record, configs, ReleaseVariables.of(record, configs), is_released=False)


def in_force_of(store: Store, name: LedgerName, console: Console) -> ReleaseRecord | None:
    """The record of the release in force; ``None`` before the first one, when its store may not be there."""
    try:
        current = store.current(name.project, name.environment)
        return store.fetch_release(name.project, name.environment, current.release) if current else None
    except MlopsConfigError as error:
        console.say(f"no release can be read ({error.message}): planned as before the first one")
        return None


def require_first(store: Store, name: LedgerName, console: Console) -> None:
    """Returns while the environment has no release: only then unreleased files are applied.

    Raises:
        UsageError: it has one.
    """
    in_force = in_force_of(store, name, console)
    if in_force is not None:
        raise UsageError(
            f"{name.environment} runs release {in_force.name}; what was not released is not applied to it",
            hint="release these files, then deploy the release; --from-tree --plan shows what that changes",
        )


def compared(
    subject: Subject, store: Store, name: LedgerName, validators: Validators, console: Console
) -> Compared:
    """What was provisioned last, compared with the subject. A plan needs none of it: what fails is said."""
    try:
        entries = ledger_of(store, name).entries()
        done = (
            entry
            for entry in reversed(entries)
            if entry.event is Event.PROVISIONED and entry.outcome == "succeeded" and entry.release
        )
        last = next(done, None)
        if last is None:
            return Compared()
        found = released(store, name.project, name.environment, last.release, validators)
        before = ReleaseVariables.of(found.record, found.files)
    except MlopsConfigError as error:
        console.say(f"what changed since the last apply cannot be told: {error.message}")
        return Compared()
    return Compared(before, tuple(changes(meanings_of(found.files), meanings_of(subject.files))))
