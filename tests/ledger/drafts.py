"""What the tests write into ledgers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_config.ledger.entries import Draft, Event

PROJECT, MODEL, ENVIRONMENT = "fares", "fare-amount", "prod"
START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def draft(number: int = 0, event: Event = Event.MONITORED, **fields: Any) -> Draft:
    """A draft that differs with each number."""
    return Draft(
        event=event, time=START + timedelta(minutes=number), **({"job_id": f"{number:016x}"} | fields)
    )
