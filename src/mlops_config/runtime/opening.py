"""Opens a job's context: finds the configuration, proves it, and connects what the job works with."""

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_config.bundle.bundle import Bundle
from mlops_config.console import Console
from mlops_config.contract.reading.sources import SourceFile, read_sources
from mlops_config.contract.validation import EnvironmentConfigs, read_files, validate
from mlops_config.contract.validators import Validators
from mlops_config.errors import FindingsError, UsageError
from mlops_config.findings import Severity
from mlops_config.kinds import Kind, canonical_name
from mlops_config.ledger.places import ledger_store
from mlops_config.pipeline import OUTPUT_NAME, RefusedError, bundle_of, files_of
from mlops_config.release.record import ReleaseRecord
from mlops_config.release.source import read_checkout
from mlops_config.runtime.context import Configs, JobContext, Provenance
from mlops_config.runtime.integrity import (
    is_baked,
    read_baked,
    require_bytes,
    require_digest,
    require_wall,
)
from mlops_config.settings import Settings, load_settings
from mlops_config.store.interface import Store

DAG_RUN_VARIABLE = "MLOPS_DAG_RUN"
"""Names the Airflow DAG run a job belongs to, ``<dag id>/<run id>``."""


@dataclass(frozen=True, slots=True)
class Request:
    """Which configuration a job is to obey, and where it keeps what it makes."""

    config: Path | None = None
    """One of the four files, in an image's folder or in a checkout; the other three lie beside it."""
    environment: str | None = None
    """In a checkout, instead of ``config``."""
    root: Path = Path()
    settings: Path | None = None
    store: str | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    bundle: Bundle
    configs: EnvironmentConfigs
    settings: Settings
    root: Path
    commit: str | None


def open_context(request: Request, console: Console) -> JobContext:
    """The context of a job that may now act.

    Raises:
        IntegrityError: the files are not those that were deployed, or act on another environment.
        FindingsError: the files break the contract.
        UsageError: there are none, or the request names none.
    """
    from mlops_config.ledger.ledger import Ledger
    from mlops_config.runtime.tracking import registry_from_environment

    found = _find(request, console)
    models = {kind: found.configs.model(kind) for kind in Kind}
    configs = Configs(**{kind.value: model for kind, model in models.items()})
    require_wall(configs, found.bundle.environment, found.settings.environments)
    output = found.root / OUTPUT_NAME
    store = ledger_store(request.store, found.root, found.settings)
    return JobContext(
        bundle=found.bundle,
        files=files_of(found.configs, found.bundle),
        configs=configs,
        provenance=_provenance(found, store),
        root=found.root,
        scratch=output / "scratch",
        job_id=secrets.token_hex(8),
        now=request.now or datetime.now(UTC),
        console=console,
        registry=registry_from_environment(found.root),
        ledger=Ledger(store, found.bundle.project, found.bundle.model_name, found.bundle.environment),
        dag_run=os.environ.get(DAG_RUN_VARIABLE) or None,
    )


def _find(request: Request, console: Console) -> _Found:
    config, root = request.config, request.root
    folder = config.parent if config else _folder_of_image()
    if config is not None and not config.is_file():
        raise UsageError(f"there is no configuration file {config}")
    if folder is not None and is_baked(folder):
        return _baked(folder, root, request.settings)
    if config is not None:
        config_dir = folder.parent if folder else Path()
        root = root if _is_within(config_dir, root) else config_dir.resolve().parent
        relative = config_dir.resolve().relative_to(root.resolve()).as_posix()
        settings = load_settings(root, request.settings)._replace(config_dir=relative)
        return _sources(config.parent.name, root, settings, console)
    if request.environment is None:
        raise UsageError(
            "which environment's configuration shall the job obey?",
            hint="say --environment dev in a checkout, or --config /app/configs/prod_training_config.yaml",
        )
    return _sources(request.environment, root, load_settings(root, request.settings), console)


def _folder_of_image() -> Path | None:
    """Where the image says its configuration lies."""
    folder = os.environ.get("MLOPS_CONFIG_DIR")
    return Path(folder) if folder else None


def _baked(folder: Path, root: Path, settings_file: Path | None) -> _Found:
    bundle = read_baked(folder)
    settings = load_settings(root, settings_file)
    contracts = os.environ.get("MLOPS_CONTRACTS") or settings.contracts
    sources = [SourceFile(file.kind, file.name, file.data) for file in bundle.files]
    configs, findings = read_files(sources, bundle.environment, Validators(contracts, root, light=False))
    errors = [each for each in findings if each.severity is Severity.ERROR]
    if errors:
        raise FindingsError(
            f"{folder} breaks the contract of this version: {errors[0].message}",
            hint="run the job in the image that the configuration was released with",
        )
    return _Found(bundle, configs, settings, root, None)


def _sources(environment: str, root: Path, settings: Settings, console: Console) -> _Found:
    origin = str(root / settings.config_dir / environment)
    sources = read_sources(root, settings.config_dir, [environment], settings.environments).files
    read = sources.get(environment, {}).items()
    require_bytes(((canonical_name(environment, kind), file.data) for kind, file in read), origin)
    with console.stage("validate") as log:
        validation = validate(root, settings, [environment])
        log.done(f"{validation.files_read} files, {len(validation.findings)} findings")
        if errors := validation.number_of(Severity.ERROR):
            raise RefusedError(validation, errors)
    configs = validation.environment(environment)
    bundle = bundle_of(configs)
    require_digest(bundle, origin)
    checkout = read_checkout(root, [root / settings.config_dir])
    return _Found(bundle, configs, settings, root, None if checkout.dirty else checkout.commit)


def _provenance(found: _Found, store: Store) -> Provenance:
    """What the deployment says; else the release in force, if it is of these very files; else git."""
    record = _release_in_force(found.bundle, store)
    image = os.environ.get("MLOPS_IMAGE") or (_image_of(record) if record else None)
    digest = os.environ.get("MLOPS_IMAGE_DIGEST") or (image.partition("@")[2] if image else None)
    return Provenance(
        commit=os.environ.get("MLOPS_COMMIT") or (record.source.commit if record else found.commit),
        release=os.environ.get("MLOPS_RELEASE") or (record.name if record else None),
        image_digest=digest or None,
        image=image,
    )


def _release_in_force(bundle: Bundle, store: Store) -> ReleaseRecord | None:
    current = store.current(bundle.project, bundle.environment)
    if current is None or current.config_digest != bundle.digest:
        return None
    return store.fetch_release(bundle.project, bundle.environment, current.release)


def _image_of(record: ReleaseRecord) -> str | None:
    image = record.image
    return f"{image.repository}@{image.digest}" if image and image.digest and image.pushed else None


def _is_within(folder: Path, root: Path) -> bool:
    return folder.resolve().is_relative_to(root.resolve())
