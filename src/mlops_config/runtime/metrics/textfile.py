"""A folder of text files with metrics, one a job: for node_exporter, or for a server's ``/metrics``."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlops_config.errors import of_os_error
from mlops_config.files import write_atomically
from mlops_config.runtime.metrics.exposition import families_in, text_of_families

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from mlops_config.contract.models.by_kind import MonitoringConfig


def path_of(directory: Path, monitoring: "MonitoringConfig", job: str) -> Path:
    """The job's file. Names hold no underscore, so that no two jobs share one."""
    about = monitoring.metadata
    return directory / f"{about.project}_{about.model_name}_{about.environment}_{job}.prom"


def write_text(path: Path, text: str, *, replace: Literal["group", "families"]) -> None:
    """Puts ``text`` at ``path``, readable by all, in one step.

    ``replace`` says what goes: all that the file held, or the families of the same names. A file that cannot
    be read is replaced whole.

    Raises:
        ServiceError: the disk is full, or the folder may not be written.
    """
    try:
        if replace == "families":
            text = _merged(path, text)
        write_atomically(path, text.encode())
    except OSError as error:
        raise of_os_error(error) from error


def _merged(path: Path, text: str) -> str:
    new = families_in(text)
    replaced = {family.name for family in new}
    try:
        old = families_in(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        old = ()
    return text_of_families([*(family for family in old if family.name not in replaced), *new])


class TextFiles:
    """Every family in a folder's text files: a collector for ``prometheus_client``'s registries.

    Files of several jobs hold the same families; each comes out once, with all its samples. A file that is
    not text in Prometheus' format is left out.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def describe(self) -> "tuple[Metric, ...]":
        """Nothing: what the files hold is known only when they are read."""
        return ()

    def collect(self) -> "Iterator[Metric]":
        """The families, as the files are now."""
        families: dict[str, Metric] = {}
        for path in sorted(self._directory.glob("*.prom")):
            for family in _readable(path):
                known = families.setdefault(family.name, family)
                if known is not family:
                    known.samples.extend(family.samples)
        yield from families.values()


def _readable(path: Path) -> "tuple[Metric, ...]":
    try:
        return families_in(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
