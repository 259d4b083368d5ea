"""Every way a command can fail, each with the exit code the process ends with.

The exit codes are part of the public contract:

====  =====================================================================
0     fine
1     findings: the configuration breaks the contract
2     wrong usage or settings
3     a service or the network failed, after retries
4     integrity mismatch: something is not what its digest says
130   interrupted (Ctrl-C)
====  =====================================================================
"""

import errno
from collections.abc import Mapping
from typing import Any, ClassVar


class MlopsConfigError(Exception):
    """A failure worded for the person at the terminal: what was given, what was expected, what to do.

    ``hint`` is the next step to take, printed on a line of its own.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FindingsError(MlopsConfigError):
    """The configuration has findings at or above the severity the caller refuses."""

    exit_code = 1


class JobRefusedError(FindingsError):
    """A job did its work, and what came of it is refused: a gate was missed, or a deployment failed.

    ``document`` is the job's outcome for programs, the reasons in it.
    """

    def __init__(self, message: str, *, document: Mapping[str, Any], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.document = {"error": message, **document}


class UsageError(MlopsConfigError):
    """Arguments, settings or the work tree ask for something that cannot be done."""

    exit_code = 2


class ServiceError(MlopsConfigError):
    """A service or the network failed and retrying did not help, or it refused us."""

    exit_code = 3


class IntegrityError(MlopsConfigError):
    """Bytes do not match the digest that names them, or a write-once name holds other content."""

    exit_code = 4


INTERRUPTED_EXIT_CODE = 130
INTERRUPTED = ("interrupted; nothing half-done was left in sight", "run the same command again")
"""What an interrupted process says: message and hint."""


def of_os_error(error: OSError) -> MlopsConfigError:
    """What the operating system refused, worded for the person at the terminal."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space and run the same command again: it goes on from there"
        return ServiceError(f"the disk is full{where}", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ServiceError(f"no permission to write or read{where}: {error.strerror}")
    if error.errno == errno.EISDIR:
        return UsageError(f"there is a folder where a file is meant{where}", hint="name a file")
    return ServiceError(f"{error.strerror or error}{where}")
