"""What went wrong in MLflow: whether it may pass, and one sentence about it, without credentials."""

import errno
import re
from urllib.parse import urlsplit, urlunsplit

from mlops_config.errors import MlopsConfigError, ServiceError, of_os_error
from mlops_config.retrying import TEMPORARY_STATUSES, TemporaryError

_USER_INFO = re.compile(r"(?<=://)[^/\s'\"@]+@")
_NO_ANSWER = re.compile(r"API request to \S+ failed with (?:timeout )?exception\s*", re.DOTALL)
_SQL_DETAILS = re.compile(r"\s*(\[SQL:|\(Background on this error).*", re.DOTALL)
_DRIVER = re.compile(r"^\([\w.]+\)\s*")
_SERVER_SAID = re.compile(r"too many (\d{3}) error responses")
_LONGEST = 300
_DISK_IS_FULL = "database or disk is full"
_LOST_RACE = "UNIQUE constraint failed: registered_model_aliases"


def without_credentials(uri: str) -> str:
    """The address as it may be shown: without user, password and query."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc and not parts.query:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_missing(error: Exception) -> bool:
    """Whether MLflow says that what was asked for is not there."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or (
        # So it answers where an alias is missing.
        error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in error.message
    )


def already_exists(error: Exception) -> bool:
    """Whether MLflow says that what was to be made is there already."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.error_code == "RESOURCE_ALREADY_EXISTS"


def judged(error: Exception, *, doing: str, uri: str) -> Exception:
    """What to raise in place of ``error``: a :class:`TemporaryError` where trying again may help.

    ``doing`` names the work, ``uri`` is the address without credentials.
    """
    from mlflow.exceptions import MlflowException

    if isinstance(error, (MlopsConfigError, TemporaryError)):
        return error
    said = _words(error)
    if _LOST_RACE in said:
        # Somebody else wrote the same row between MLflow's look and its write: the next try finds it there.
        return TemporaryError(f"{uri} answered: {said}")
    if _is_disk_full(error):
        return ServiceError(
            f"{doing} failed: the disk is full",
            hint="free some space and run the same command again: it goes on from there",
        )
    if isinstance(error, MlflowException):
        if _NO_ANSWER.match(error.message):
            return TemporaryError(
                f"no answer from {uri}: {said}",
                hint="is MLFLOW_TRACKING_URI right, the server up, and reachable from here?",
            )
        status = error.get_http_status_code()  # type: ignore[no-untyped-call] # untyped there
        if status in (401, 403):
            return ServiceError(
                f"{doing} failed: {uri} refused us: {said}",
                hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
            )
        if status in TEMPORARY_STATUSES:
            return TemporaryError(f"{uri} answered: {said}")
        return ServiceError(f"{doing} failed: {uri} answered: {said}")
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in TEMPORARY_STATUSES or isinstance(error, (ConnectionError, TimeoutError)):
        return TemporaryError(f"no good answer from {uri}: {said}")
    if isinstance(error, OSError) and error.errno:
        refused = of_os_error(error)
        return ServiceError(f"{doing} failed: {refused.message}", hint=refused.hint)
    return ServiceError(f"{doing} failed: {said}")


def _is_disk_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return _DISK_IS_FULL in str(error)


def _words(error: Exception) -> str:
    """The reason on one line: no traceback of SQL, no wrapped exception's name, no credentials."""
    text = _SQL_DETAILS.sub("", _NO_ANSWER.sub("", str(error)))
    status = _SERVER_SAID.search(text)
    if status:
        return f"it answered {status[1]}"
    text = text.rpartition("Caused by ")[2] or text
    text = _DRIVER.sub("", " ".join(text.split()))
    text = _USER_INFO.sub("", "".join(letter for letter in text if letter.isprintable()))
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text or type(error).__name__
