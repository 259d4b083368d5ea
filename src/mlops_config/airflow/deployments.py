"""Finds the deployments that DAGs are made of, and says of each broken one what is wrong with it."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_config.orchestration.deployment import (
    FILE_NAME,
    FOLDER_VARIABLE,
    JOBS,
    Deployment,
    JobDeployment,
    key_of,
)

DEFAULT_FOLDER = "mlops"
"""Beside the DAG files, where :data:`FOLDER_VARIABLE` names no other."""
EXECUTIONS = ("bash", "docker", "kubernetes")


class BrokenDeploymentsError(Exception):
    """Deployments that no DAG can be made of."""


class Found(NamedTuple):
    """What a folder of deployments holds."""

    deployments: tuple[Deployment, ...]
    broken: tuple[str, ...]
    """A sentence for each deployment that no DAG can be made of; it begins with the file's path."""


def folder_of(dag_file: str) -> Path:
    """The folder with every deployment, for a DAG file.

    That is what :data:`FOLDER_VARIABLE` says, or :data:`DEFAULT_FOLDER` beside the file.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(dag_file).resolve().parent / DEFAULT_FOLDER


def read(folder: Path) -> Found:
    """Every deployment below ``folder``, in the order of their names; one broken file spoils no other."""
    deployments, broken = [], []
    if not folder.is_dir() and os.environ.get(FOLDER_VARIABLE):
        broken.append(f"{folder}: {FOLDER_VARIABLE} names this folder, and there is none")
    for path in _files(folder):
        try:
            deployments.append(_deployment(path, folder))
        except (OSError, ValueError) as error:
            broken.append(_sentence(path, error))
    return Found(tuple(deployments), tuple(broken))


def read_one(folder: Path, dag_id: str) -> Found:
    """The deployment behind a DAG's id, and nothing else read: how a task finds its own among thousands."""
    path = folder.joinpath(*dag_id.split(".")[:3], FILE_NAME)
    if dag_id.count(".") != 3 or not path.is_file():
        return Found((), ())
    try:
        return Found((_deployment(path, folder),), ())
    except (OSError, ValueError) as error:
        return Found((), (_sentence(path, error),))


def require_readable(dag_file: str) -> None:
    """Says which deployments the DAG files leave out: as an import error of a file without a DAG.

    An import error in a DAG file would stop all DAGs of that file; Airflow knows no smaller unit.

    Raises:
        BrokenDeploymentsError: there are some; each has its line.
    """
    broken = read(folder_of(dag_file)).broken
    if broken:
        raise BrokenDeploymentsError("\n".join(["these deployments have no DAGs:", *broken]))


def bundle_of(deployment: Deployment, folder: Path) -> Path:
    """Where the deployment's bundle lies, for jobs that run on the worker itself."""
    home = folder / deployment.project / deployment.model_name / deployment.environment
    return home / deployment.bundle_folder


def _sentence(path: Path, error: Exception) -> str:
    text = str(error)
    return text if text.startswith(str(path)) else f"{path}: {text}"


def _files(folder: Path) -> Iterator[Path]:
    """Every deployment's file; a folder without one is none yet."""
    for project in _folders(folder):
        for model in _folders(project):
            for environment in _folders(model):
                file = environment / FILE_NAME
                if file.is_file():
                    yield file


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except FileNotFoundError:  # not there yet, or taken away this moment
        return []


def _deployment(path: Path, folder: Path) -> Deployment:
    """The deployment in a file.

    Raises:
        ValueError: it is none, lies where another belongs, or says what Airflow cannot do.
    """
    deployment = Deployment.from_json(path.read_bytes(), str(path))
    belongs = key_of(deployment.project, deployment.model_name, deployment.environment)
    if path.relative_to(folder).as_posix() != belongs:
        raise ValueError(f"it says that it belongs at {belongs}: deploy it again, do not copy it")
    for name, job in deployment.jobs.items():
        if name not in JOBS:
            raise ValueError(f"there is no job {name!r}; jobs are {', '.join(JOBS)}")
        _check(name, job)
    return deployment


def _check(name: str, job: JobDeployment) -> None:
    if job.cron is not None and not _cron_is_valid(job.cron):
        raise ValueError(f"Airflow cannot read the schedule of {name}, {job.cron!r}")
    if not _zone_is_known(job.timezone):
        raise ValueError(f"{name} has the time zone {job.timezone!r}, which this machine does not know")
    if job.execution.get("type") not in EXECUTIONS:
        raise ValueError(
            f"{name} has the execution {job.execution.get('type')!r}; this package knows "
            f"{', '.join(EXECUTIONS)}"
        )


@lru_cache(maxsize=1024)
def _cron_is_valid(cron: str) -> bool:
    from croniter import croniter  # type: ignore[import-untyped]  # Airflow has it, and it no types

    return len(cron.split()) == 5 and bool(croniter.is_valid(cron))


@lru_cache(maxsize=1024)
def _zone_is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
