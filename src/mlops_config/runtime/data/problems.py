"""What is wrong with data, worded for the person at the terminal."""

import errno
import re

from mlops_config.errors import MlopsConfigError, ServiceError, UsageError, of_os_error

_ABSENT = re.compile(r"NO_SUCH_(BUCKET|KEY)|RESOURCE_NOT_FOUND|NOT_FOUND", re.ASCII)
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE|EXPIRED_TOKEN|INVALID_CLIENT_TOKEN"
    r"|PERMISSION_DENIED|UNAUTHENTICATED|HTTP status code: 40[13]",
    re.ASCII,
)
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}


class DataError(UsageError):
    """The data is not what the configuration says: missing, unreadable, of another form, or too little."""


def missing_extra(library: str, *, doing: str, extra: str = "jobs") -> UsageError:
    """The error for a library that an extra of this package would have brought."""
    return UsageError(
        f"{doing} needs {library}, which is not installed",
        hint=f"run: pip install 'mlops-config-action[{extra}]'",
    )


def of_file_error(error: OSError, doing: str) -> MlopsConfigError:
    """What a file system refused while ``doing``, such as ``reading s3://acme/trips``.

    Returns a :class:`DataError` where nothing is there, and a :class:`ServiceError` for all else.
    """
    text = _first_line(error)
    if isinstance(error, FileNotFoundError) or _ABSENT.search(text):
        return DataError(f"{doing}: there is no such file, folder or bucket", hint="look for a typing error")
    if _REFUSED.search(text):
        return ServiceError(
            f"{doing} was refused: {text}",
            hint="check the credentials in the environment, and that they may read and write there",
        )
    # Later than the stores: pyarrow gives refusals of Google Cloud Storage the operating system's number.
    if error.errno in _DISK:
        worded = of_os_error(error)
        return ServiceError(f"{doing}: {worded.message}", hint=worded.hint)
    return ServiceError(f"{doing} failed: {text}", hint="run the same command again when the service is back")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
