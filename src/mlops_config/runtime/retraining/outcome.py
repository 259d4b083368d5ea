"""What a run of the retraining job decided and did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_config.ledger.entries import Reason
from mlops_config.runtime.retraining.challenging import Contest
from mlops_config.runtime.retraining.deciding import Decision
from mlops_config.runtime.retraining.promoting import Promotion, told_to_wait
from mlops_config.runtime.retraining.resuming import EarlierTry
from mlops_config.runtime.tracking.interface import ModelVersion


@dataclass(frozen=True, slots=True)
class RetrainOutcome:
    """What a run decided and did."""

    decision: Decision | None = None
    contest: Contest | None = None
    earlier: EarlierTry | None = None
    """The try of the same DAG run that did what this one found done, in place of decision and contest."""
    challenger: ModelVersion | None = None
    promotion: Promotion | None = None
    approve: str | None = None
    """The command by which a person lets the challenger serve; ``None``: nobody has to."""
    lines: tuple[str, ...] = field(default=())

    @property
    def note(self) -> str | None:
        """What a person has to do next."""
        if self.challenger is None or self.approve is None:
            return None
        return f"{self.challenger.name} version {self.challenger.version} waits for approval: {self.approve}"

    @property
    def summary(self) -> str:
        """What happened, a line for each step."""
        return "\n".join([*self.lines, *([self.note] if self.note else [])])

    def document(self) -> dict[str, Any]:
        """The outcome for programs."""
        decision, contest, earlier = self.decision, self.contest, self.earlier
        triggered = earlier.start.reasons if earlier else decision.triggered if decision else ()
        reasons = contest.reasons if contest else earlier.end.reasons if earlier and earlier.end else ()
        metrics = (
            contest.challenger.metrics if contest else self.challenger.metrics if self.challenger else {}
        )
        return {
            "retrain": decision.retrain if decision else earlier is not None,
            "triggered": _plain(triggered),
            "held": _plain(decision.held if decision else ()),
            "quiet": _plain(decision.quiet if decision else ()),
            "accepted": contest.accepted if contest else not earlier.refused if earlier else None,
            "reasons": _plain(reasons),
            "challenger": self.challenger.version if self.challenger else None,
            "metrics": dict(metrics),
            "champion_metrics": dict(contest.champion.metrics) if contest and contest.champion else {},
            "promotion": self.promotion.document() if self.promotion else None,
            "note": self.note,
            "waits": told_to_wait(self.challenger, f"it waits for approval: {self.approve}")
            if self.challenger and self.approve
            else None,
        }


def _plain(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    return [reason.model_dump() for reason in reasons]
