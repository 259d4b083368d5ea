"""The release record: provenance of one release, the single thing handed from stage to stage.

Each stage takes a record and returns a fuller one (``model_copy(update=…)``); stored as ``release.json``.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlops_config.digests import DIGEST_PATTERN
from mlops_config.kinds import Kind

Digest = Annotated[str, Field(pattern=rf"^{DIGEST_PATTERN}$")]
"""``sha256:<64 hex>``, as OCI descriptors write it."""


class _Frozen(BaseModel):
    # What a later version wrote besides is left alone: an older one goes on with what it knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class FileRecord(_Frozen):
    """One of the four files: its identity by bytes and by meaning."""

    kind: Kind
    name: str
    """Canonical name, ``<environment>_<kind>_config.yaml``."""
    source: str
    """Path in the repository, with ``/``."""
    size: int
    """Bytes."""
    sha256: Digest
    semantic_sha256: Digest
    """Digest of the validated model, defaults applied, as RFC 8785 canonical JSON."""


class SourceRecord(_Frozen):
    """Where the files came from."""

    repository: str | None
    """``owner/name`` on the forge, or the remote's address, or ``None`` outside git."""
    commit: str | None
    """Full 40 or 64 hex digits, or ``None`` outside git."""
    ref: str | None
    """``refs/heads/…``, ``refs/tags/…`` or ``None`` for a detached HEAD."""
    dirty: bool
    """The work tree differed from the commit when the release was made."""
    actor: str | None
    run_url: str | None


class ImageRecord(_Frozen):
    """The environment image."""

    repository: str
    """Without tag or digest, such as ``ghcr.io/acme/fares``."""
    tags: tuple[str, ...]
    config_digest: Digest
    """Digest of the image's configuration: the image ID."""
    digest: Digest | None
    """Digest of the manifest as the registry or the OCI layout holds it; ``None`` while only in an engine."""
    base: str
    """What it was built ``FROM``: a reference, or ``scratch``."""
    base_digest: Digest | None
    """The base's image ID, or the digest it was given by; ``None`` for ``scratch``."""
    pushed: bool
    layout: str | None = None
    """Folder of the OCI image layout, where no engine was there to hold the image."""

    @property
    def by_digest(self) -> str | None:
        """``repository@sha256:…``, which a registry answers to; ``None`` while none holds the image."""
        return f"{self.repository}@{self.digest}" if self.pushed and self.digest else None


class BundleLocation(_Frozen):
    """One place the bundle was published to."""

    store: str
    """The store's URI as configured."""
    uri: str
    """Where in it this bundle lies; by digest where the store has digests."""


class PreviousRelease(_Frozen):
    """The release of the same environment that this one follows."""

    name: str
    """Version, or commit SHA for a release without one."""
    commit: str | None
    config_digest: Digest


class ToolRecord(_Frozen):
    """The program that made the record."""

    name: Literal["mlops-config-action"] = "mlops-config-action"
    version: str


class DagRunRecord(_Frozen):
    """A DAG run that a deployment asked for."""

    job: str
    dag_id: str
    run_id: str
    state: str
    """As Airflow says it: ``success``, ``failed``, or of a run that is still going."""
    because: str
    """Why it was asked for."""
    url: str | None = None
    """Its page."""


class ServingModel(_Frozen):
    """The model that served when the deployment ended."""

    name: str
    version: int
    config_digest: Digest | None
    """Of the configuration that it was trained with."""
    registry: str | None = None
    """Address of the registry that says so; ``None``: the ledger does."""

    @property
    def uri(self) -> str:
        """As MLflow writes it."""
        return f"models:/{self.name}/{self.version}"


class InfrastructureRecord(_Frozen):
    """What Terraform did for a release."""

    program: str
    """``Terraform 1.11.4`` or ``OpenTofu 1.10.6``."""
    directory: str
    """The root module, relative to the repository root where it lies in it."""
    plan_digest: Digest
    """What was planned, by meaning: what ``--reviewed`` takes."""
    created: int = 0
    changed: int = 0
    deleted: int = 0
    """A replacement is counted as one that was created and one that was deleted."""

    @property
    def summary(self) -> str:
        """What was done, such as ``3 created, 1 changed``."""
        counts = {
            "created": self.created,
            "changed": self.changed,
            "deleted": self.deleted,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to change"


class ActivationRecord(_Frozen):
    """What came of handing the release to Airflow."""

    activated_at: datetime
    """UTC."""
    airflow: str | None
    """Address of Airflow's API server."""
    dags_folder: str
    dag_runs: tuple[DagRunRecord, ...] = ()
    model: ServingModel | None = None
    infrastructure: InfrastructureRecord | None = None
    """What was applied before; ``None``: nothing was planned."""


class ReleaseRecord(_Frozen):
    """Everything known about one release. Two commits with equal configs have one digest and two records."""

    schema_version: Literal[1] = 1
    project: str
    model_name: str
    environment: str
    version: str | None
    """From the release tag: ``release/v1.2.0`` gives ``1.2.0``."""
    config_digest: Digest
    files: tuple[FileRecord, ...]
    source: SourceRecord
    created_at: datetime
    """UTC."""
    tool: ToolRecord
    recipe: Digest | None = None
    """Digest of what the image is made from (configs, base, Dockerfile, platforms)."""
    image: ImageRecord | None = None
    bundles: tuple[BundleLocation, ...] = ()
    previous: PreviousRelease | None = None
    activation: ActivationRecord | None = None
    """Only beside the notes of the run that deployed it: what a store holds was written before."""

    @property
    def revision(self) -> str:
        """The commit; of a dirty work tree marked as such; outside git the config digest's hex."""
        content = self.config_digest.removeprefix("sha256:")
        if self.source.commit is None:
            return content
        return f"{self.source.commit}-dirty-{content[:12]}" if self.source.dirty else self.source.commit

    @property
    def name(self) -> str:
        """What the release is stored under: the version where it has one, else the revision."""
        return self.version or self.revision

    def to_json(self) -> bytes:
        """The record as ``release.json`` holds it: indented UTF-8 JSON with a final newline."""
        left_out = None if self.activation else {"activation"}
        return self.model_dump_json(indent=2, exclude=left_out).encode() + b"\n"

    def as_released(self) -> "ReleaseRecord":
        """The record as stores hold it: without what came after."""
        return self.model_copy(update={"activation": None})
