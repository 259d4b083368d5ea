"""What a job runs with: the configuration it has proven, where that came from, and where the job is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_config.bundle.bundle import Bundle
from mlops_config.console import Console
from mlops_config.contract.models.by_kind import (
    InferenceConfig,
    MonitoringConfig,
    RetrainConfig,
    TrainingConfig,
)
from mlops_config.release.record import FileRecord

if TYPE_CHECKING:
    from mlops_config.ledger.ledger import Ledger
    from mlops_config.runtime.tracking.interface import ModelRegistry


@dataclass(frozen=True, slots=True)
class Configs:
    """The environment's four files as models."""

    training: TrainingConfig
    inference: InferenceConfig
    monitoring: MonitoringConfig
    retrain: RetrainConfig


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the running code and configuration came from; ``None`` where nothing says so."""

    commit: str | None = None
    release: str | None = None
    """Name of the release: its version, or its commit."""
    image_digest: str | None = None
    """Digest of the image the job runs in."""
    image: str | None = None
    """That image by digest, ``repository@sha256:…``: what a cloud's model server is started from."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """One job's run. Everything that changes from run to run comes in through here."""

    bundle: Bundle
    """The four files, every digest checked."""
    files: tuple[FileRecord, ...]
    """Each file's two hashes."""
    configs: Configs
    provenance: Provenance
    root: Path
    """What relative ``file://`` URIs are relative to."""
    scratch: Path
    """A folder for what the job writes on the way; may be deleted between runs."""
    job_id: str
    """16 hex digits; predictions and ledger entries carry it."""
    now: datetime
    """UTC; when the job started."""
    console: Console
    registry: "ModelRegistry"
    ledger: "Ledger"
    dag_run: str | None = None
    """The Airflow DAG run the job belongs to, ``<dag id>/<run id>``: the same for every try of a task."""

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.bundle.environment

    @property
    def config_digest(self) -> str:
        """``sha256:<64 hex>`` of the four files."""
        return self.bundle.digest

    def subject(self) -> dict[str, str | None]:
        """What a ledger entry says of the configuration and code behind it: fields of a draft."""
        return {
            "config_digest": self.config_digest,
            "commit": self.provenance.commit,
            "release": self.provenance.release,
            "image_digest": self.provenance.image_digest,
            "dag_run": self.dag_run,
        }

    def tags(self) -> Mapping[str, str]:
        """What every run and model version is tagged with; names begin with ``mlops.``."""
        hashes = {f"mlops.{file.kind}_sha256": file.sha256 for file in self.files}
        known = {
            "mlops.commit": self.provenance.commit,
            "mlops.release": self.provenance.release,
            "mlops.image_digest": self.provenance.image_digest,
        }
        return {
            "mlops.project": self.bundle.project,
            "mlops.model_name": self.bundle.model_name,
            "mlops.environment": self.environment,
            "mlops.config_digest": self.config_digest,
            **hashes,
            **{name: value for name, value in known.items() if value},
        }
