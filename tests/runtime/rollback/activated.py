"""A checkout whose dev environment ran one release after another, before there was any model."""

import contextlib
import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

from mlops_config.cli import main
from mlops_config.ledger.entries import Draft, Event
from mlops_config.ledger.ledger import Ledger
from mlops_config.release.record import ReleaseRecord
from mlops_config.store import open_store
from tests.repositories import Repository

RETENTIONS = {"0.1.0": "P7D", "0.2.0": "P14D", "0.3.0": "P21D"}
"""``data_capture.retention`` of each release."""


def releases(folder: Path, names: tuple[str, ...] = ("0.1.0", "0.2.0")) -> Repository:
    """The repository, each release made from it and brought to Airflow in this order."""
    repository = Repository(folder)
    file = repository.config("dev", "inference")
    for name in names:
        repository.edit(file, f"retention: {retention(file)}", f"retention: {RETENTIONS[name]}")
        repository.commit(f"Prepare {name}")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            words = ["release", "--environment", "dev", "--version", name, "--root", str(folder)]
            assert main(words) == 0
        record = record_of(folder, name)
        ledger_of(folder).append(
            Draft(
                event=Event.ACTIVATED,
                time=datetime.now(UTC),
                config_digest=record.config_digest,
                release=name,
            )
        )
    return repository


def copied(repository: Repository, folder: Path) -> Repository:
    """The repository with all that was made of it, in another folder."""
    copy = Repository.__new__(Repository)
    copy.folder = folder
    shutil.copytree(repository.folder, folder, symlinks=True)
    return copy


def retention(file: Path) -> str:
    """``data_capture.retention`` of an inference file."""
    return next(line.split()[1] for line in file.read_text().splitlines() if "retention:" in line)


def ledger_of(folder: Path) -> Ledger:
    """The dev environment's ledger."""
    return Ledger(open_store((folder / ".mlops-config/store").as_uri()), "city-taxi", "trip-fare", "dev")


def record_of(folder: Path, name: str) -> ReleaseRecord:
    """The record of a release to dev."""
    path = folder / f".mlops-config/store/city-taxi/releases/dev/{name}.json"
    return ReleaseRecord.model_validate_json(path.read_bytes())
