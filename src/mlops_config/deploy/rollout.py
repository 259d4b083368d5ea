"""How traffic moves to a new revision: in which steps, and how long each is watched."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mlops_config.deploy.interface import DeployFailedError

if TYPE_CHECKING:
    from mlops_config.contract.models.inference import Rollout

T = TypeVar("T")

ALL = 100


def steps(rollout: "Rollout") -> tuple[int, ...]:
    """Percent of the traffic the new revision gets after each step; the last is 100.

    The steps are SageMaker's: a canary moves twice, a linear rollout in equal steps of which the last may be
    smaller.
    """
    if rollout.type == "canary":
        return (rollout.canary_percent, ALL)
    if rollout.type == "linear":
        return (*range(rollout.step_percent, ALL, rollout.step_percent), ALL)
    return (ALL,)


@dataclass(frozen=True, slots=True)
class Pace:
    """The clock of a deployer. Seconds; a test gives a clock of its own."""

    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def until(self, look: Callable[[], T | None], *, limit: float, every: float) -> T | None:
        """What ``look`` returns once that is not ``None``; ``None`` when ``limit`` seconds went by."""
        end = self.clock() + limit
        while True:
            found = look()
            if found is not None or self.clock() >= end:
                return found
            self.sleep(every)

    def watch(self, seconds: float, look: Callable[[], None], *, every: float) -> None:
        """Calls ``look`` at once, then every so often until ``seconds`` went by, and at the end."""
        end = self.clock() + seconds
        while True:
            look()
            left = end - self.clock()
            if left <= 0:
                return
            self.sleep(min(every, left))


def raise_when_firing(firing: Callable[[], tuple[str, ...]]) -> None:
    """Fails the rollout when one of its alarms fires.

    Raises:
        DeployFailedError: one does.
    """
    names = firing()
    if names:
        plural = "s" * (len(names) > 1)
        raise DeployFailedError(
            f"the rollback alarm{plural} {', '.join(names)} fired",
            hint="look at the alert's runbook; the revision before goes on serving",
        )
