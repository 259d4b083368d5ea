"""Deletes reports that are older than the monitoring file keeps them: only when asked, never by the job."""

from typing import TYPE_CHECKING

from mlops_config.runtime.data.locations import filesystem_of
from mlops_config.runtime.data.problems import of_file_error
from mlops_config.runtime.monitoring.stored import PAGE, PERFORMANCE, PROFILE, REPORT, Reports
from mlops_config.runtime.monitoring.windows import Window

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from mlops_config.runtime.context import JobContext


def expired(context: "JobContext") -> tuple[Window, ...]:
    """The windows that ended longer ago than ``report.retention``, oldest first.

    The newest windows that the violation policy looks at are never among them.

    Raises:
        ServiceError: the report store stays away.
    """
    monitoring = context.configs.monitoring
    oldest_kept = context.now - monitoring.report.retention
    looked_at = monitoring.violation_policy.evaluation_windows
    old = [each for each in Reports.of(context).windows()[looked_at:] if each.end < oldest_kept]
    return tuple(reversed(old))


def delete_expired(context: "JobContext") -> tuple[str, ...]:
    """Deletes the reports of :func:`expired` and returns their window ids, oldest first.

    ``report.json`` goes first: whatever stops us, no report is left that lacks its page or profile. The
    ledger's entries stay.

    Raises:
        ServiceError: the report store stays away, or refuses.
    """
    from pyarrow.fs import FileType

    uri = context.configs.monitoring.report.destination_uri
    filesystem, base = filesystem_of(uri, context.root.resolve())
    deleted = []
    for window in expired(context):
        folder = f"{base.rstrip('/')}/{window.id}"
        try:
            for name in (REPORT, PERFORMANCE, PAGE, PROFILE):
                _delete(filesystem, f"{folder}/{name}")
            if filesystem.get_file_info(folder).type is FileType.Directory:  # buckets may hold none
                filesystem.delete_dir(folder)
        except OSError as error:
            raise of_file_error(error, f"deleting {folder}") from error
        deleted.append(window.id)
    return tuple(deleted)


def _delete(filesystem: "FileSystem", path: str) -> None:
    try:
        filesystem.delete_file(path)
    except FileNotFoundError:
        return
