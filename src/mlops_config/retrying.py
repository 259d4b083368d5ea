"""Tries a call again while the failure looks temporary, within bounds on how often and how long."""

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar

from mlops_config.errors import ServiceError

log = logging.getLogger(__name__)

T = TypeVar("T")

TEMPORARY_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP answers after which the same request may succeed later."""


class TemporaryError(Exception):
    """One try failed in a way that may pass. ``wait`` is how many seconds the service asked us to wait."""

    def __init__(self, reason: str, *, wait: float | None = None, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long to try. Waits double from ``first_wait``, shortened by up to half at random.

    A service that names its own wait (``Retry-After``) is waited for that long, and given up at once when it
    asks for more than ``longest_wait`` or than is left of ``deadline``. All times are in seconds.
    """

    tries: int = 5
    first_wait: float = 0.5
    longest_backoff: float = 15.0
    longest_wait: float = 120.0
    deadline: float = 300.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def run(self, once: Callable[[], T], *, doing: str) -> T:
        """What ``once`` returns, called again after each :class:`TemporaryError`.

        ``doing`` names the work in the message, such as ``uploading bundle.json to s3://configs``.

        Raises:
            ServiceError: every try failed, or the next one would come too late.
        """
        started = self.clock()
        for tried in range(1, self.tries + 1):
            try:
                return once()
            except TemporaryError as error:
                if tried == self.tries:
                    raise self._given_up(doing, error, tried, started, "") from error
                wait = self._wait(tried, error)
                if wait > self.longest_wait:
                    end = f"; it asks us to wait {wait:.0f} s, and the limit is {self.longest_wait:.0f} s"
                    raise self._given_up(doing, error, tried, started, end) from error
                if self.clock() - started + wait > self.deadline:
                    end = f"; the next try would come after the limit of {self.deadline:.0f} s"
                    raise self._given_up(doing, error, tried, started, end) from error
                log.warning("%s: %s; trying again in %.1f s", doing, error.reason, wait)
                self.sleep(wait)
        raise AssertionError("tries is at least 1")

    def _wait(self, tried: int, error: TemporaryError) -> float:
        backoff = min(self.longest_backoff, self.first_wait * 2.0 ** (tried - 1))
        return max(error.wait or 0.0, backoff * (1 - self.jitter() / 2))

    def _given_up(
        self, doing: str, error: TemporaryError, tried: int, started: float, end: str
    ) -> ServiceError:
        times = "once" if tried == 1 else f"{tried} times in {self.clock() - started:.0f} s"
        hint = error.hint or "run the same command again when the service is back: it goes on from there"
        return ServiceError(f"{doing} failed: {error.reason} (tried {times}{end})", hint=hint)


def retry_after(value: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds a ``Retry-After`` header asks for (RFC 9110, section 10.2.3); ``None``: absent or broken."""
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, float(math.ceil(moment.timestamp() - now())))
