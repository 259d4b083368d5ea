"""A release as the store holds it, every digest proven: what a deployment starts from."""

from dataclasses import dataclass

from mlops_config.bundle.bundle import Bundle
from mlops_config.contract.reading.sources import SourceFile
from mlops_config.contract.validation import EnvironmentConfigs, read_files
from mlops_config.contract.validators import Validators
from mlops_config.errors import FindingsError, IntegrityError, UsageError
from mlops_config.findings import Severity
from mlops_config.kinds import Kind
from mlops_config.release.record import ReleaseRecord
from mlops_config.runtime.context import Configs
from mlops_config.store.interface import Store


@dataclass(frozen=True, slots=True)
class Released:
    """One release: its record, its four files as bytes, and what they say."""

    record: ReleaseRecord
    bundle: Bundle
    files: EnvironmentConfigs

    @property
    def configs(self) -> Configs:
        """The four models."""
        return Configs(**{kind.value: self.files.model(kind) for kind in Kind})


def released(
    store: Store, project: str, environment: str, name: str | None, validators: Validators
) -> Released:
    """The release that is asked for, or the one in force.

    Raises:
        UsageError: there is none.
        IntegrityError: its bundle is missing, or is not what the record says.
        FindingsError: its files do not fit this version of the contract.
    """
    record = _record(store, project, environment, name)
    bundle = store.fetch_bundle(project, record.config_digest)
    if bundle is None:
        raise IntegrityError(
            f"{store.uri} holds {environment} release {record.name}, but not its bundle"
            f" {record.config_digest}",
            hint="somebody deleted it; restore it from a backup, or release these files again",
        )
    recorded = {file.name: file.sha256 for file in record.files}
    if (bundle.environment, bundle.model_name) != (environment, record.model_name) or recorded != {
        file.name: file.sha256 for file in bundle.files
    }:
        raise IntegrityError(
            f"the bundle {bundle.digest} in {store.uri} does not hold the files that the record of"
            f" {environment} release {record.name} lists",
            hint="one of the two was changed after it was published: compare them with a backup",
        )
    return Released(record, bundle, read_bundle(bundle, validators, f"release {record.name}"))


def read_bundle(bundle: Bundle, validators: Validators, what: str) -> EnvironmentConfigs:
    """What the bundle's files say; their rules were checked when they were released.

    Raises:
        FindingsError: they do not fit this version of the contract; ``what`` names them.
    """
    sources = [SourceFile(file.kind, file.name, file.data) for file in bundle.files]
    files, findings = read_files(sources, bundle.environment, validators)
    errors = [each for each in findings if each.severity is Severity.ERROR]
    if errors:
        raise FindingsError(
            f"the files of {what} break the contract of this version: {errors[0].message}",
            hint="use the version of mlops-config that released them, or release them anew",
        )
    return files


def _record(store: Store, project: str, environment: str, name: str | None) -> ReleaseRecord:
    if name is None:
        current = store.current(project, environment)
        if current is None:
            raise UsageError(
                f"{environment} has no release of {project} in {store.uri}",
                hint=f"make one: mlops-config release --environment {environment}",
            )
        record = store.fetch_release(project, environment, current.release)
        if record is None or record.config_digest != current.config_digest:
            state = "is not there" if record is None else f"is of {record.config_digest}"
            raise IntegrityError(
                f"{environment} in {store.uri} points at release {current.release} of"
                f" {current.config_digest}, but that release {state}",
                hint="somebody changed the store: restore it from a backup, or release again",
            )
        return record
    record = store.fetch_release(project, environment, name)
    if record is None:
        known = ", ".join(sorted(store.release_names(project, environment))) or "none"
        raise UsageError(
            f"{store.uri} holds no {environment} release {name!r} of {project}",
            hint=f"releases there: {known}",
        )
    return record
