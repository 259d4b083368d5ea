"""How long a deployment waits, and how it says that it may be asked for again."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

AGAIN = "run the same command again: it goes on from there"
_SAYS_AGAIN = "command again"


@dataclass(slots=True)
class Patience:
    """How long a deployment waits, all told, and how often it looks. Times are in seconds."""

    seconds: float
    """From the first look on."""
    within: float | None = None
    """From now on, whatever happens before the first look; it ends the waiting early."""
    poll: float = 1.0
    slowest_poll: float = 10.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _deadline: float | None = field(default=None, init=False)
    _latest: float = field(default=math.inf, init=False)

    def __post_init__(self) -> None:
        """Begins to count."""
        if self.within is not None:
            self._latest = self.clock() + self.within

    def looks(self, limit: float | None = None) -> Iterator[float]:
        """The seconds waited so far, again and again until the time is over; less and less often."""
        started = self.clock()
        if self._deadline is None:
            self._deadline = min(started + self.seconds, self._latest)
        ends = min(self._deadline, started + limit) if limit is not None else self._deadline
        pause = self.poll
        while True:
            now = self.clock()
            yield now - started
            if now >= ends:
                return
            self.sleep(min(pause, max(0.0, ends - self.clock())))
            pause = min(pause * 1.1, self.slowest_poll)


def joined(hint: str | None, more: str) -> str:
    """A hint with another one after it, of which the first may be a question."""
    if not hint:
        return more
    return f"{hint} {more[0].upper()}{more[1:]}" if hint.endswith("?") else f"{hint}; {more}"


def going_on(hint: str | None) -> str:
    """The hint with what lets the deployment go on, if it does not say that already."""
    if hint and _SAYS_AGAIN in hint:
        return hint
    return joined(hint, f"then {AGAIN}" if hint else AGAIN)
