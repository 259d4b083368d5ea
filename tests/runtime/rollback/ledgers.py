"""Ledgers to go back in, with only what a test cares about spelled out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.ledger.entries import Event, LedgerEntry, ModelReference, Reason
from mlops_config.runtime.rollback.units import FROM_RELEASE

MODEL = "trip-fare-dev"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def digest_of(release: str) -> str:
    """The config digest of a release."""
    return sha256_of(release.encode())


def model(version: int | None) -> ModelReference | None:
    """A version of the model."""
    return None if version is None else ModelReference(name=MODEL, version=version)


def entry(event: Event, release: str | None, version: int | None = None, **more: Any) -> dict[str, Any]:
    """What an entry says, without its place."""
    digest = digest_of(release) if release else None
    return {"event": event, "release": release, "config_digest": digest, "model": model(version), **more}


def released(release: str) -> dict[str, Any]:
    """A release."""
    return entry(Event.RELEASED, release)


def promoted(release: str, version: int, **more: Any) -> dict[str, Any]:
    """A promotion."""
    return entry(Event.PROMOTED, release, version, **more)


def deployed(release: str, version: int, **more: Any) -> dict[str, Any]:
    """A deployment to the endpoint."""
    return entry(Event.DEPLOYED, release, version, **more)


def begun(left: str, left_version: int, release: str, version: int) -> dict[str, Any]:
    """A rollback that begins."""
    reasons = (Reason(code="asked", text="INC-1"), Reason(code=FROM_RELEASE, text=left))
    return entry(Event.ROLLBACK_STARTED, release, version, champion=model(left_version), reasons=reasons)


def rolled_back(release: str, version: int, **more: Any) -> dict[str, Any]:
    """A rollback that came through, unless ``more`` says otherwise."""
    return entry(Event.ROLLED_BACK, release, version, **more)


def ledger(said: Sequence[dict[str, Any]]) -> tuple[LedgerEntry, ...]:
    """The entries in this order, a minute apart."""
    return tuple(
        LedgerEntry(
            **{"time": START + index * MINUTE, **each},
            sequence=index + 1,
            previous=None,
            project="city-taxi",
            model_name="trip-fare",
            environment="dev",
        )
        for index, each in enumerate(said)
    )
