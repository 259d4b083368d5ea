"""What a window is compared with: a model's baseline, the window before, or a profile of one's own."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.contract.models.monitoring import PreviousWindowReference, UriReference
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.data.locations import filesystem_of
from mlops_config.runtime.data.problems import of_file_error
from mlops_config.runtime.monitoring.captured import read_table
from mlops_config.runtime.monitoring.columns import kind_of, typed
from mlops_config.runtime.monitoring.report import MonitoringReport, Reference
from mlops_config.runtime.monitoring.stored import Reports
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.tracking.interface import ModelVersion

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext


@dataclass(frozen=True, slots=True)
class Compared:
    """The profile a window is compared with, where there is one."""

    bins: Profile | None
    """What fixes bins and categories of the window's own profile; ``None``: no profile can be made."""
    profile: Profile | None
    reference: Reference | None
    reason: str | None = None
    """Why there is no ``profile``."""


@dataclass(slots=True)
class ModelVersions:
    """Versions of the monitored model with their baselines, each fetched once in a run."""

    context: "JobContext"
    _fetched: dict[int, tuple[ModelVersion, Profile] | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The registered model's name."""
        return self.context.configs.inference.model.registered_model_name

    def baseline(self, version: int) -> tuple[ModelVersion, Profile] | None:
        """The version and its training baseline; ``None`` when the registry does not have it.

        Raises:
            ServiceError: the registry stays away.
        """
        if version not in self._fetched:
            found = self.context.registry.by_version(self.name, version)
            if found is None:
                self._fetched[version] = None
            else:
                folder = self.context.scratch / "monitoring" / f"{self.name}-{version}"
                folder.mkdir(parents=True, exist_ok=True)
                self._fetched[version] = (found, self.context.registry.fetch(found, folder).profile)
        return self._fetched[version]


def compared(
    window: Window, version: int | None, versions: ModelVersions, reports: Reports, context: "JobContext"
) -> Compared:
    """What the window is compared with, given the model ``version`` that made most of its rows.

    Raises:
        ServiceError: the registry, the report store or the reference stays away.
        UsageError: the reference that the monitoring file names is not there or is no profile.
    """
    wanted = context.configs.monitoring.reference
    if isinstance(wanted, UriReference):
        profile = _at(wanted.uri, context)
        return Compared(profile, profile, _reference("uri", profile, wanted.uri))
    if version is None:
        return Compared(None, None, None, "the rows do not say which model version made them")
    found = versions.baseline(version)
    if found is None:
        reason = f"version {version} of {versions.name} is not in the model registry, nor is its baseline"
        return Compared(None, None, None, reason)
    baseline = found[1]
    if isinstance(wanted, PreviousWindowReference):
        return _previous(window, baseline, reports)
    source = f"{versions.name} version {version}"
    return Compared(baseline, baseline, _reference("training_baseline", baseline, source))


def _previous(window: Window, baseline: Profile, reports: Reports) -> Compared:
    for report in reports.newest_first(before=window):
        if report.profile_digest is None:
            continue  # it had no rows; the one before that is the newest there is
        previous = _readable(report, reports)
        if previous is None:
            reason = f"the profile of {report.window_id} is missing or damaged"
            return Compared(baseline, None, None, reason)
        if not _same_bins(previous, baseline):
            reason = f"the profile of {report.window_id} has other bins: another model version made its rows"
            return Compared(baseline, None, None, reason)
        return Compared(baseline, previous, _reference("previous_window", previous, report.window_id))
    return Compared(baseline, None, None, "there is no window before this one to compare with")


def _readable(report: MonitoringReport, reports: Reports) -> Profile | None:
    try:
        return reports.profile(report)
    except IntegrityError:
        return None


def _same_bins(one: Profile, other: Profile) -> bool:
    try:
        one.merge(other)
    except UsageError:
        return False
    return True


def _reference(kind: str, profile: Profile, source: str) -> Reference:
    return Reference.model_validate(
        {"type": kind, "digest": profile.digest, "rows": profile.rows, "source": source}
    )


def _at(uri: str, context: "JobContext") -> Profile:
    """The profile in a JSON file, or that of a data set's features and, where it has them, targets."""
    if uri.endswith(".json"):
        return Profile.from_json(_bytes(uri, context.root))
    import pyarrow as pa

    from mlops_config.runtime.profile.making import reference_profile

    training = context.configs.training
    columns = (*training.schema_.features, training.schema_.target)
    try:
        rows, _ = read_table(uri, context.root, [each.name for each in columns])
    except FileNotFoundError:
        raise UsageError(f"there is nothing at the reference {uri}") from None
    held = [each for each in columns if each.name in rows.column_names]
    values = {each.name: typed(rows[each.name], kind_of(each, rows[each.name])).values for each in held}
    predictions = values.pop(training.schema_.target.name, None)
    return reference_profile(pa.table(values), training, predictions=predictions)


def _bytes(uri: str, root: Path) -> bytes:
    filesystem, path = filesystem_of(uri, root)
    try:
        with filesystem.open_input_stream(path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise of_file_error(error, f"reading the reference profile {uri}") from error
