"""The connection to MLflow: opened when first needed, with bounded retries, silent, its errors in words."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import urlsplit

from mlops_config.errors import UsageError
from mlops_config.retrying import Retries
from mlops_config.runtime.tracking.failures import is_missing, judged, without_credentials
from mlops_config.runtime.tracking.sqlite import PREFIX, database_path, opening, schema_error

T = TypeVar("T")

SCHEMES = ("http", "https", "sqlite")
RETRIES = Retries(tries=4, longest_backoff=5.0, longest_wait=30.0, deadline=90.0)

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # We try again ourselves: MLflow also repeats what must not be done twice, and for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
"""MLflow's own settings, where the environment says nothing else."""
_TALKATIVE = ("mlflow", "alembic", "urllib3.connectionpool")


class Connection:
    """One MLflow. Its import takes seconds, so nothing happens before the first call.

    ``uri`` is the address as it may be shown, ``address`` the one that MLflow is given; ``database`` is the
    SQLite file, ``None`` for a server.
    """

    def __init__(self, uri: str, retries: Retries = RETRIES) -> None:
        self.uri = without_credentials(uri)
        if urlsplit(uri).scheme not in SCHEMES:
            raise UsageError(
                f"the address of MLflow is {self.uri!r}, expected was sqlite:///<file> or http(s)://<server>",
                hint="correct MLFLOW_TRACKING_URI, or leave it unset for a file in .mlops-config",
            )
        self.database = database_path(uri)
        self.address = f"{PREFIX}{self.database}" if self.database else uri
        self._retries = retries
        self._opened: Any = None

    def call(self, once: Callable[[Any], T], *, doing: str, retries: Retries | None = None) -> T:
        """What ``once`` returns for MLflow's client, tried again while failures look temporary.

        Raises:
            ServiceError: it failed for good, in one sentence without credentials.
        """
        _import()

        def attempt() -> T:
            return self.translating(lambda: once(self._client()), doing=doing)

        return (retries or self._retries).run(attempt, doing=doing)

    def find(self, ask: Callable[[Any], T], *, doing: str) -> T | None:
        """What ``ask`` returns, or ``None`` where MLflow says that there is no such thing."""

        def once(client: Any) -> T | None:
            try:
                return ask(client)
            except Exception as error:
                if is_missing(error):
                    return None
                raise

        return self.call(once, doing=doing)

    def translating(self, work: Callable[[], T], *, doing: str) -> T:
        """What ``work`` returns; its errors in our words, and without what MLflow logs on the way."""
        with _silence:
            try:
                return work()
            except Exception as error:
                raise judged(error, doing=doing, uri=self.uri) from error

    def _client(self) -> Any:
        if self._opened is None:
            with opening(self.database) if self.database else nullcontext():
                self._opened = self._open()
        return self._opened

    def _open(self) -> Any:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking.client import MlflowClient

        try:
            client = MlflowClient(self.address, self.address)
            if self.database:
                # MLflow's two halves make their tables when they are first asked.
                client.search_registered_models(max_results=1)
        except MlflowException as error:
            raise schema_error(error.message, self.uri) or error from error
        return client


class _Silence:
    """A block in which MLflow, its database and its migrations say nothing: what failed is said once, by us.

    Blocks of several threads may overlap: the first silences, and the last gives back what was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._given_back = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._given_back.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module="mlflow|alembic|sqlalchemy")
                for name in _TALKATIVE:
                    logger = logging.getLogger(name)
                    self._given_back.callback(logger.setLevel, logger.level)
                    logger.setLevel(logging.CRITICAL + 1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._given_back.close()


_silence = _Silence()


def _import() -> None:
    """Imports MLflow with our settings, apart from its use: it sets up its loggers while it is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if "mlflow.tracking.client" in sys.modules:
        return
    try:
        with _silence:
            import_module("mlflow.tracking.client")
    except ImportError as error:
        raise UsageError(
            f"MLflow cannot be imported: {error}", hint="pip install 'mlops-config-action[jobs]'"
        ) from error
