"""How much one server takes: a request, a batch, the queue, and the time it has to end."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one caller from harming the others."""

    max_body_bytes: int = 6 * 1024 * 1024
    """As much as SageMaker lets through to an endpoint."""
    max_rows: int = 1_000
    """In one request."""
    max_batch_rows: int = 1_000
    """In one call of the model."""
    max_waiting_rows: int = 20_000
    """Further requests are answered 503 with Retry-After while this many rows wait for the model."""
    body_seconds: float = 30.0
    """For a request's body to arrive."""
    drain_seconds: float = 0.5
    """After SIGTERM requests are still accepted for so long, so that balancers see that we are not ready."""
    finish_seconds: float = 30.0
    """Then requests being answered have so long."""
