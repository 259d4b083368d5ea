"""What is wrong with data, worded for the person at the terminal."""

import errno
import re

from mlops_config.errors import MlopsConfigError, ServiceError, UsageError, of_os_error

_STORE = re.compile(
    r"\bAWS Error\b(?: (\w+(?: \(HTTP status \d+\))?))?|\bgoogle::cloud::Status\b(?:\((\w+))?", re.ASCII
)
"""What pyarrow says of a store that refuses or stays away, with the store's own code.

pyarrow has the same error for broken content, and there is no end of words for that: each codec and each part
of Parquet has its own. Around the code stand the names of files, which may be any.
"""
_ABSENT = re.compile(r"NO_SUCH_(BUCKET|KEY)|RESOURCE_NOT_FOUND|NOT_FOUND", re.ASCII)
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE|INVALID_CLIENT_TOKEN|PERMISSION_DENIED|UNAUTHENTICATED"
    r"|HTTP status 400",
    re.ASCII,
)
"""Amazon's 400 without a code is a token that expired: to ``HEAD`` it says no more."""
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
    text = first_line(error)
    code = store_code(error) or ""
    if isinstance(error, FileNotFoundError) or _ABSENT.fullmatch(code):
        return DataError(f"{doing}: there is no such file, folder or bucket", hint="look for a typing error")
    if _REFUSED.search(code):
        return ServiceError(
            f"{doing} was refused: {text}",
            hint="check the credentials in the environment, and that they may read and write there",
        )
    # Later than the stores: pyarrow gives refusals of Google Cloud Storage the operating system's number.
    if error.errno in _DISK:
        worded = of_os_error(error)
        return ServiceError(f"{doing}: {worded.message}", hint=worded.hint)
    return ServiceError(f"{doing} failed: {text}", hint="run the same command again when the service is back")


def store_code(error: OSError) -> str | None:
    """What the store called its failure, such as ``ACCESS_DENIED``; ``None`` where no store said anything."""
    found = _STORE.search(str(error))
    return (found[1] or found[2] or "") if found else None


def first_line(error: Exception) -> str:
    """The first line that the error says; where it says none, what kind it is."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
