"""One entry of the ledger, and what an entry is about."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from mlops_config.bundle.bundle import sha256_of
from mlops_config.release.record import Digest, InfrastructureRecord

JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Event(StrEnum):
    """What happened."""

    RELEASED = "released"
    VERIFIED = "verified"
    TRAINED = "trained"
    SCORED = "scored"
    SERVED = "served"
    MONITORED = "monitored"
    RETRAIN_DECIDED = "retrain_decided"
    RETRAIN_STARTED = "retrain_started"
    RETRAIN_ENDED = "retrain_ended"
    PROMOTED = "promoted"
    DEPLOYED = "deployed"
    UNDEPLOYED = "undeployed"
    ROLLBACK_STARTED = "rollback_started"
    """Before anything is changed: asked for again after it was stopped, the same rollback goes on."""
    ROLLED_BACK = "rolled_back"
    DEPLOYMENT_STARTED = "deployment_started"
    """Before anything is changed: nobody else deploys the environment until it ended, or its time is up."""
    PROVISIONED = "provisioned"
    ACTIVATED = "activated"
    DEPLOYMENT_ENDED = "deployment_ended"
    RESET = "reset"
    INTEGRITY_FAILED = "integrity_failed"

    @classmethod
    def _missing_(cls, value: object) -> "Event | None":
        """An event that a later version wrote: it keeps its name, and is none of those above."""
        if not isinstance(value, str) or not _EVENT_NAME.fullmatch(value):
            return None
        event = str.__new__(cls, value)
        event._name_, event._value_ = value.upper(), value
        return event


_EVENT_NAME = re.compile(r"[a-z][a-z_]{0,62}")


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment, kept in UTC whatever zone it was given in; one without a zone is refused."""


class _Frozen(BaseModel):
    # A metric may be NaN, which JSON has no number for. What a later version wrote besides is left alone:
    # jobs of older images read the same ledger, and entries are chained by the digest of their bytes.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Reason(_Frozen):
    """Why: a code that stays, and a sentence for people."""

    code: str
    text: str


class ModelReference(_Frozen):
    """A version in the model registry."""

    name: str
    version: int
    run_id: str | None = None


class Lease(_Frozen):
    """Who deploys, so that nobody else does meanwhile."""

    by: str
    """A person, and the machine or repository they do it from."""
    run_url: str | None = None
    until: UtcTime
    """After it the lease is nobody's, whether or not its end was written down."""


class Draft(_Frozen):
    """What a job wants written down."""

    event: Event
    time: UtcTime
    outcome: Literal["succeeded", "failed", "refused"] = "succeeded"
    job_id: JobId | None = None
    """The job's run; prediction ids begin with it."""
    dag_run: str | None = None
    """The Airflow DAG run it belongs to, ``<dag id>/<run id>``: the same for every try of its tasks."""
    config_digest: Digest | None = None
    commit: str | None = None
    release: str | None = None
    image_digest: Digest | None = None
    base_digest: Digest | None = None
    """The runtime image that the environment's image was built from."""
    model: ModelReference | None = None
    champion: ModelReference | None = None
    """The model that was compared with, or that was replaced."""
    data_fingerprint: Digest | None = None
    window_start: UtcTime | None = None
    window_end: UtcTime | None = None
    uri: str | None = None
    """What the job wrote: predictions, a report, an endpoint."""
    rows: int | None = None
    metrics: dict[str, float] = {}
    cost_usd: float | None = None
    lease: Lease | None = None
    """Of the deployment whose run ``job_id`` is."""
    infrastructure: InfrastructureRecord | None = None
    """What was planned and applied; of an apply that failed, what it did before."""
    reasons: tuple[Reason, ...] = ()


class LedgerEntry(Draft):
    """A draft in its place in the chain."""

    schema_version: Literal[1] = 1
    sequence: Annotated[int, Field(ge=1)]
    previous: Digest | None
    """Digest of the previous entry's bytes; ``None`` for the first."""
    project: str
    model_name: str
    environment: str

    def to_json(self) -> bytes:
        """The entry as it is stored: indented UTF-8 JSON with a final newline."""
        return self.model_dump_json(indent=2, exclude_none=False).encode() + b"\n"

    @property
    def digest(self) -> str:
        """``sha256:<64 hex>`` of :meth:`to_json`, which a later version may write with more fields.

        What the next entry names is the digest of the bytes as stored (:class:`~.ledger.Placed`).
        """
        return sha256_of(self.to_json())
