"""Which root module an environment's infrastructure is described by, and how it is run."""

from dataclasses import dataclass
from pathlib import Path

from mlops_config.errors import UsageError
from mlops_config.settings import Settings, TerraformSettings

AIRFLOW_URL, DAGS_FOLDER = "airflow_url", "dags_folder"
"""Outputs of a root module that say where the Airflow is that it made."""
STORE_URI = "store_uri"
"""Output that says which store its jobs were told to use."""


@dataclass(frozen=True, slots=True)
class RootModule:
    """A folder with Terraform's files, and what running it takes."""

    directory: Path
    shown: str
    """The folder as people and records name it: relative to the repository root where it lies in it."""
    program: str | None
    """``terraform`` or ``tofu``; ``None``: whichever is there."""
    backend_config: Path | None
    lock_timeout: str


def has_root_module(settings: Settings, environment: str, root: Path) -> bool:
    """Whether the folder is there that the settings name as the environment's root module."""
    given = settings.terraform
    return given is not None and (root / _filled(given.directory, environment)).is_dir()


def root_module_of(settings: Settings, environment: str, root: Path, asked: Path | None) -> RootModule | None:
    """The root module that is asked for, or the settings'; ``None``: there is none.

    Raises:
        UsageError: there is no such folder, or nothing of Terraform's in it, or no such backend file.
    """
    given = settings.terraform
    if given is None and asked is None:
        return None
    # Of a root module that is asked for, the settings still say how it is run.
    how = given or TerraformSettings(directory="")
    directory = asked if asked is not None else root / _filled(how.directory, environment)
    shown = _shown(directory, root)
    if not any(directory.glob("*.tf")) and not any(directory.glob("*.tf.json")):
        raise UsageError(
            f"{shown} is no root module of Terraform: "
            + ("no *.tf file lies in it" if directory.is_dir() else "there is no such folder"),
            hint="name it with --terraform, or as `terraform: {directory: …}` in mlops-config.yaml",
        )
    backend = root / _filled(how.backend_config, environment) if how.backend_config else None
    if backend is not None and not backend.is_file():
        raise UsageError(
            f"there is no backend configuration {_shown(backend, root)}",
            hint="write it from the root module's backend.hcl.example",
        )
    return RootModule(directory, shown, how.program, backend, how.lock_timeout)


def _filled(text: str, environment: str) -> str:
    return text.replace("{environment}", environment)


def _shown(path: Path, root: Path) -> str:
    resolved, base = path.resolve(), root.resolve()
    return resolved.relative_to(base).as_posix() if resolved.is_relative_to(base) else str(path)
