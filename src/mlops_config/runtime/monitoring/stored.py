"""Reports as they are kept: below the report URI a folder for each window, written once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.runtime.data.locations import local_path
from mlops_config.runtime.monitoring.report import MonitoringReport, PerformanceRecord
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.runtime.profile.profile import Profile
from mlops_config.store import open_store
from mlops_config.store.interface import ObjectExistsError
from mlops_config.store.objects import ObjectStore

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext

_Document = TypeVar("_Document", MonitoringReport, PerformanceRecord)

REPORT = "report.json"
PAGE = "report.html"
PROFILE = "profile.json"
PERFORMANCE = "performance.json"


class Reports:
    """The reports of one model in one environment. A window is judged once its ``report.json`` is there."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def of(cls, context: "JobContext") -> "Reports":
        """Where the monitoring file says; nothing is read yet.

        Raises:
            UsageError: it names a kind of store that keeps no files.
        """
        uri = context.configs.monitoring.report.destination_uri
        if uri.startswith("file://"):
            uri = local_path(uri, context.root.resolve()).as_uri()
        store = open_store(uri)
        if not isinstance(store, ObjectStore):
            raise UsageError(f"reports cannot be kept in {uri}", hint="use file://, s3:// or gs://")
        return cls(store)

    def windows(self) -> list[Window]:
        """Every window that has a folder, newest first; a folder may lack its report yet."""
        names = {key.partition("/")[0] for key in self._store.keys("")}
        found = [window for window in map(Window.of_id, names) if window is not None]
        return sorted(found, key=lambda window: (window.end, window.start), reverse=True)

    def newest_first(self, *, before: Window | None = None) -> Iterator[MonitoringReport]:
        """Every report with what is known of its performance; only windows that end ``before`` that one."""
        for window in self.windows():
            if before is None or (window.end, window.start) < (before.end, before.start):
                report = self.report(window)
                if report is not None:
                    yield report

    def report(self, window: Window) -> MonitoringReport | None:
        """The window's report with its performance, or ``None`` while it is not judged.

        Raises:
            IntegrityError: what is there is no report, or of another window.
        """
        found = self._read(window, REPORT, MonitoringReport)
        if found is None:
            return None
        record = self.performance(window) if found.labels_due else None
        return found if record is None else found.with_performance(record)

    def performance(self, window: Window) -> PerformanceRecord | None:
        """What was learned about the window after its report, or ``None``."""
        return self._read(window, PERFORMANCE, PerformanceRecord)

    def profile(self, report: MonitoringReport) -> Profile | None:
        """The profile beside the report; ``None`` where there is none.

        Raises:
            IntegrityError: it is not the one the report was made with.
        """
        if report.profile_digest is None:
            return None
        key = f"{report.window_id}/{PROFILE}"
        found = self._store.get(key)
        profile = Profile.from_json(found.data) if found else None
        if profile is None or profile.digest != report.profile_digest:
            raise IntegrityError(
                f"{self._store.address(key)} is not the profile that its report was made with"
            )
        return profile

    def put(self, report: MonitoringReport, page: bytes, profile: Profile | None) -> None:
        """Writes the report, all of it or nothing that counts: ``report.json`` comes last.

        What an interrupted run left beside no ``report.json`` is replaced.

        Raises:
            ObjectExistsError: someone else judged the window meanwhile; theirs stays.
        """
        if profile is not None:
            self._put_unfinished(f"{report.window_id}/{PROFILE}", profile.to_json())
        self._put_unfinished(f"{report.window_id}/{PAGE}", page)
        self._store.put_if_absent(f"{report.window_id}/{REPORT}", report.to_json())

    def put_performance(self, record: PerformanceRecord) -> None:
        """Writes what was learned later.

        Raises:
            ObjectExistsError: someone else did meanwhile; theirs stays.
        """
        self._store.put_if_absent(f"{record.window_id}/{PERFORMANCE}", record.to_json())

    def address(self, window_id: str, name: str = REPORT) -> str:
        """URI of a window's file."""
        return self._store.address(f"{window_id}/{name}")

    def _put_unfinished(self, key: str, data: bytes) -> None:
        try:
            self._store.put_if_absent(key, data)
        except ObjectExistsError:
            left = self._store.get(key)
            if self._store.compare_and_swap(key, data, left.token if left else None) is None:
                raise ServiceError(
                    f"{self._store.address(key)} is being written by someone else",
                    hint="run the same command again: what they judged is then there",
                ) from None

    def _read(self, window: Window, name: str, model: type[_Document]) -> _Document | None:
        key = f"{window.id}/{name}"
        found = self._store.get(key)
        if found is None:
            return None
        try:
            document = model.model_validate_json(found.data)
        except ValidationError as error:
            raise IntegrityError(f"{self._store.address(key)} is no {name}: {error}") from error
        if document.window_id != window.id:
            raise IntegrityError(f"{self._store.address(key)} is of another window")
        return document
