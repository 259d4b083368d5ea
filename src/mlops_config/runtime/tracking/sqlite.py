"""MLflow's SQLite file, looked at before MLflow opens it: MLflow would try for minutes and then show SQL."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlops_config.errors import IntegrityError, ServiceError, UsageError, of_os_error

PREFIX = "sqlite:///"
LONGEST_WAIT_SECONDS = 10.0
"""For another process that writes to the file."""
_REVISION = re.compile(r"found version (\w+)")


def database_path(uri: str) -> Path | None:
    """The file of a ``sqlite:///`` address, absolute; ``None`` for any other address."""
    return Path(uri.removeprefix(PREFIX)).absolute() if uri.startswith(PREFIX) else None


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """A block in which the file may be opened and its tables made: checked, and by one process at a time.

    Its folder is made as needed; the file need not be there.

    Raises:
        ServiceError: it stays locked, or the system refuses.
        IntegrityError: it is no database, or a damaged one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(path.with_name(f".{path.name}.lock")):
            _check(path, LONGEST_WAIT_SECONDS)
            yield
    except OSError as error:
        raise of_os_error(error) from error


def _check(path: Path, seconds: float) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=seconds, isolation_level=None)) as database:
            # Waits for the writer, and fails where nothing can be written.
            database.execute("BEGIN IMMEDIATE")
            database.execute("PRAGMA schema_version").fetchone()
            database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        said = str(error)
        if "locked" in said:
            raise ServiceError(
                f"{path} is locked by another process, for longer than {seconds:g} s",
                hint="let the other job finish; jobs at the same time need a server, see MLFLOW_TRACKING_URI",
            ) from error
        raise ServiceError(
            f"{path} cannot be opened as a database: {said}",
            hint="is it a file in a folder that may be written to, with space left?",
        ) from error
    except sqlite3.DatabaseError as error:
        raise IntegrityError(
            f"{path} is no SQLite database, or is damaged: {error}",
            hint="restore it from a backup, or move it away to start with an empty one",
        ) from error


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two processes that make the tables at the same time would break each other's work."""
    try:
        import fcntl
    except ImportError:  # Windows: MLflow itself takes no lock there either
        yield
        return
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def schema_error(message: str, uri: str) -> UsageError | None:
    """What MLflow's complaint about the tables' version means; ``None`` when it is about something else."""
    found = _REVISION.search(message)
    if found is None or "database schema" not in message:
        return None
    from importlib.resources import files

    import mlflow

    known = any(
        entry.name.startswith(found[1])
        for entry in (files(mlflow) / "store/db_migrations/versions").iterdir()
    )
    if known:
        return UsageError(
            f"{uri} was made by an older MLflow than {mlflow.__version__}, the one installed here",
            hint=f"make a copy of it, then run: mlflow db upgrade {uri}",
        )
    return UsageError(
        f"{uri} was made by a newer MLflow than {mlflow.__version__}, the one installed here",
        hint="use the MLflow version that made it, or another database",
    )
