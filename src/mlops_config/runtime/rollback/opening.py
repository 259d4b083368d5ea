"""Finds what is to go back, and opens releases of it: from the store, whatever the work tree says by now."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_config.console import Console
from mlops_config.contract.reading.sources import read_sources
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.contract.validators import Validators
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.ledger import Ledger
from mlops_config.ledger.places import ledger_store
from mlops_config.orchestration.released import Released, released
from mlops_config.pipeline import OUTPUT_NAME
from mlops_config.runtime.context import JobContext, Provenance
from mlops_config.runtime.integrity import ENVIRONMENT_VARIABLE, is_baked, read_baked, require_wall
from mlops_config.runtime.opening import DAG_RUN_VARIABLE, Request
from mlops_config.runtime.tracking import registry_from_environment
from mlops_config.settings import Settings, load_settings
from mlops_config.store import open_store
from mlops_config.store.interface import Store

if TYPE_CHECKING:
    from mlops_config.runtime.tracking.interface import ModelRegistry


@dataclass(frozen=True, slots=True)
class Opened:
    """One environment of one model, and what a rollback of it works with."""

    project: str
    model_name: str
    environment: str
    root: Path
    settings: Settings
    contracts: str | None
    stores: tuple[Store, ...]
    """Where releases are pointed at; the first has the ledger."""
    ledger: Ledger
    registry: "ModelRegistry"
    console: Console
    job_id: str
    now: datetime
    dag_run: str | None

    @property
    def store(self) -> Store:
        """The store with the ledger."""
        return self.stores[0]

    def release(self, name: str | None) -> Released:
        """The release of that name, or the one in force, every digest proven.

        Raises:
            UsageError: there is none.
            IntegrityError: its record or bundle is missing or changed.
            FindingsError: its files do not fit this version of the contract.
        """
        validators = Validators(self.contracts, self.root, light=False)
        return released(self.store, self.project, self.environment, name, validators)

    def context(self, of: Released) -> JobContext:
        """What a job of that release would run with.

        Raises:
            IntegrityError: the release would act on another environment.
        """
        record = of.record
        require_wall(of.configs, self.environment, self.settings.environments)
        return JobContext(
            bundle=of.bundle,
            files=record.files,
            configs=of.configs,
            provenance=Provenance(
                commit=record.source.commit,
                release=record.name,
                image_digest=record.image.digest if record.image else None,
                image=record.image.by_digest if record.image else None,
            ),
            root=self.root,
            scratch=self.root / OUTPUT_NAME / "scratch",
            job_id=self.job_id,
            now=self.now,
            console=self.console,
            registry=self.registry,
            ledger=self.ledger,
            dag_run=self.dag_run,
        )


def opened(request: Request, console: Console) -> Opened:
    """What the request names: the environment of an image's or a bundle's folder, or one of a checkout.

    Of a checkout only the names in ``metadata`` are read: a configuration that was broken since can be gone
    back from all the same.

    Raises:
        UsageError: nothing says which environment, project and model are meant.
        IntegrityError: the folder's files are not those that were deployed, or of another environment.
    """
    settings = load_settings(request.root, request.settings)
    environment, names = _names(request, settings)
    expected = os.environ.get(ENVIRONMENT_VARIABLE)
    if expected and expected != environment:
        raise IntegrityError(
            f"this is the {expected} environment, and {environment} was to go back",
            hint=f"run it where {environment} is deployed from",
        )
    store = ledger_store(request.store, request.root, settings)
    others = () if request.store else tuple(open_store(uri) for uri in settings.stores if uri != store.uri)
    project, model_name = names["project"], names["model_name"]
    return Opened(
        project=project,
        model_name=model_name,
        environment=environment,
        root=request.root,
        settings=settings,
        contracts=os.environ.get("MLOPS_CONTRACTS") or settings.contracts,
        stores=(store, *others),
        ledger=Ledger(store, project, model_name, environment),
        registry=registry_from_environment(request.root),
        console=console,
        job_id=secrets.token_hex(8),
        now=request.now or datetime.now(UTC),
        dag_run=os.environ.get(DAG_RUN_VARIABLE) or None,
    )


def _names(request: Request, settings: Settings) -> tuple[str, Mapping[str, str]]:
    """The environment, and the names of its project and model."""
    given = os.environ.get("MLOPS_CONFIG_DIR")
    folder = request.config.parent if request.config else Path(given) if given else None
    if request.config is not None and not request.config.is_file():
        raise UsageError(f"there is no configuration file {request.config}")
    if folder is not None and is_baked(folder):
        bundle = read_baked(folder)
        if request.environment not in (None, bundle.environment):
            raise IntegrityError(
                f"{folder} holds the {bundle.environment} bundle, and {request.environment} was to go back",
                hint=f"run it where {request.environment} is deployed from",
            )
        return bundle.environment, {"project": bundle.project, "model_name": bundle.model_name}
    environment = request.config.parent.name if request.config else request.environment
    if environment is None:
        raise UsageError("which environment shall go back?", hint="say --environment dev")
    settings.require_environment(environment)
    return environment, _header(request.root, settings, environment)


def _header(root: Path, settings: Settings, environment: str) -> Mapping[str, str]:
    """``metadata`` of the first of the four files that can be read."""
    sources = read_sources(root, settings.config_dir, [environment], settings.environments)
    for kind in Kind:
        file = sources.files.get(environment, {}).get(kind)
        data: Any = read_document(file.data, file.path).data if file else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        if isinstance(metadata, dict) and {"project", "model_name"} <= metadata.keys():
            return {name: str(metadata[name]) for name in ("project", "model_name")}
    raise UsageError(
        f"no file of {environment} in {root / settings.config_dir} says which project and model it is about",
        hint="run it in a checkout of the repository (--root), or with --config in a release's folder",
    )
