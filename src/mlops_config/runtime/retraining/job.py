"""The retraining job: decides, trains a challenger, judges it with the champion, promotes it if it may."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from mlops_config.errors import MlopsConfigError
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference, Reason
from mlops_config.ledger.ledger import LedgerMovedError
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import reports
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.runtime.retraining.challenging import Contest
from mlops_config.runtime.retraining.deciding import Decision, decide
from mlops_config.runtime.retraining.facts import gather, longest, spent_since
from mlops_config.runtime.retraining.history import INTERRUPTED
from mlops_config.runtime.retraining.overriding import overridden
from mlops_config.runtime.retraining.promoting import Promotion, drop_expired, promote
from mlops_config.runtime.retraining.running import Trained, data_of, train_challenger
from mlops_config.runtime.tracking.interface import ModelVersion

_REPORTS = 1_000
"""Newest reports that are looked at: a month of hourly ones."""
_TRIES = 5
"""Decisions made anew because somebody else wrote to the ledger meanwhile."""


@dataclass(frozen=True, slots=True)
class RetrainOutcome:
    """What a run decided and did."""

    decision: Decision | None = None
    contest: Contest | None = None
    challenger: ModelVersion | None = None
    promotion: Promotion | None = None
    note: str | None = None
    """What a person has to do next."""
    lines: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> str:
        """What happened, a line for each step."""
        return "\n".join([*self.lines, *([self.note] if self.note else [])])

    def document(self) -> dict[str, Any]:
        """The outcome for programs."""
        decision, contest = self.decision, self.contest
        return {
            "retrain": decision.retrain if decision else False,
            "triggered": _plain(decision.triggered if decision else ()),
            "held": _plain(decision.held if decision else ()),
            "quiet": _plain(decision.quiet if decision else ()),
            "accepted": contest.accepted if contest else None,
            "reasons": _plain(contest.reasons if contest else ()),
            "challenger": self.challenger.version if self.challenger else None,
            "metrics": dict(contest.challenger.metrics) if contest else {},
            "champion_metrics": dict(contest.champion.metrics) if contest and contest.champion else {},
            "promotion": self.promotion.document() if self.promotion else None,
            "note": self.note,
        }


def run(
    context: JobContext, *, requested: str | None = None, dry_run: bool = False, reset: str | None = None
) -> RetrainOutcome:
    """Decides on what reports, ledger and data say now, and retrains if it is decided.

    Of several that run at once one retrains: the start is written right behind the ledger's entry that the
    decision saw. ``requested`` is why somebody asks for it; the guards hold all the same. ``reset`` closes
    the circuit breaker and does nothing else.

    Raises:
        MlopsConfigError: the retraining failed; the ledger says so, and the champion serves as before.
    """
    if reset is not None:
        context.ledger.append(_draft(context, Event.RESET, reasons=(Reason(code="reset", text=reset),)))
        return RetrainOutcome(lines=("the circuit breaker is closed; failures are counted from zero",))
    if not dry_run:
        drop_expired(context)
    for _ in range(_TRIES):
        ledger = context.ledger.entries()
        seen = tuple(islice(reports(context), _REPORTS))
        decision = _decided(context, ledger, seen, requested)
        if dry_run:
            return RetrainOutcome(decision, lines=(f"dry run: {decision.summary}",))
        head = ledger[-1] if ledger else None
        try:
            if not decision.retrain:
                _note_decision(context, decision, ledger)
                return RetrainOutcome(decision, lines=(decision.summary,))
            context.ledger.append(
                _draft(context, Event.RETRAIN_STARTED, reasons=decision.reasons), after=head
            )
        except LedgerMovedError:
            continue
        return _retrained(context, decision, seen, ledger)
    raise MlopsConfigError(
        f"the ledger changed {_TRIES} times while the decision was made",
        hint="run the job again; if this goes on, find out who writes to the ledger that often",
    )


def _decided(
    context: JobContext,
    ledger: Sequence[LedgerEntry],
    seen: Sequence[MonitoringReport],
    requested: str | None,
) -> Decision:
    with context.console.stage("decide") as log:
        facts = gather(context, data_of(context, context.configs.training), ledger, requested)
        decision = decide(
            seen,
            ledger,
            context.configs.retrain,
            context.configs.monitoring,
            context.now,
            facts,
            longest_run=longest(context),
        )
        log.done("retrain" if decision.retrain else "no retraining")
    return decision


def _note_decision(context: JobContext, decision: Decision, ledger: Sequence[LedgerEntry]) -> None:
    """Writes a refusal down, unless the last one had the same reasons: who asks hourly says it once."""
    codes = [reason.code for reason in decision.reasons]
    last = next((entry for entry in reversed(ledger) if entry.event is Event.RETRAIN_DECIDED), None)
    if last is not None and [reason.code for reason in last.reasons] == codes:
        return
    context.ledger.append(_draft(context, Event.RETRAIN_DECIDED, outcome="refused", reasons=decision.reasons))


def _retrained(
    context: JobContext,
    decision: Decision,
    seen: Sequence[MonitoringReport],
    ledger: Sequence[LedgerEntry],
) -> RetrainOutcome:
    started = datetime.now(UTC)
    trained: Trained | None = None
    try:
        training = overridden(context.configs)
        trained = train_challenger(context, training, seen, ledger)
        outcome = _promoted(context, decision, trained)
    except BaseException as error:
        _end(context, started, "failed", (_why(error),), trained)
        raise
    contest = trained.contest
    _end(context, started, "succeeded" if contest.accepted else "refused", contest.reasons, trained)
    return outcome


def _end(
    context: JobContext,
    started: datetime,
    outcome: Literal["succeeded", "failed", "refused"],
    reasons: tuple[Reason, ...],
    trained: Trained | None,
) -> None:
    """Writes the end down; of a registered challenger also what it was made of, whatever came after."""
    made: dict[str, Any] = {}
    if trained is not None:
        made = {
            "model": _reference(trained.version),
            "champion": _reference(trained.champion),
            "data_fingerprint": trained.fingerprint,
            "rows": trained.rows.total,
            "window_end": trained.rows.newest,
            "metrics": dict(trained.contest.challenger.metrics),
        }
    cost = spent_since(context, started)
    ended = _draft(context, Event.RETRAIN_ENDED, outcome=outcome, reasons=reasons, cost_usd=cost, **made)
    context.ledger.append(ended)


def _why(error: BaseException) -> Reason:
    if isinstance(error, KeyboardInterrupt):
        return Reason(code=INTERRUPTED, text="stopped from outside")
    return Reason(code="failed", text=str(error) or type(error).__name__)


def _promoted(context: JobContext, decision: Decision, trained: Trained) -> RetrainOutcome:
    contest, challenger = trained.contest, trained.version
    lines = (decision.summary, contest.summary)
    if not contest.accepted or challenger is None:
        return RetrainOutcome(decision, contest, lines=lines)
    if context.configs.retrain.promotion.mode == "manual":
        note = (
            f"{challenger.name} version {challenger.version} waits for approval:"
            f" mlops-config promote --environment {context.environment}"
        )
        return RetrainOutcome(decision, contest, challenger, note=note, lines=lines)
    promotion = promote(context, challenger, contest.reasons, trained.smoke_rows)
    return RetrainOutcome(decision, contest, challenger, promotion, lines=(*lines, promotion.summary))


def _reference(version: ModelVersion | None) -> ModelReference | None:
    if version is None:
        return None
    return ModelReference(name=version.name, version=version.version, run_id=version.run_id)


def _draft(context: JobContext, event: Event, **more: Any) -> Draft:
    now = datetime.now(UTC) if event is Event.RETRAIN_ENDED else context.now
    return Draft(event=event, time=now, job_id=context.job_id, **context.subject(), **more)


def _plain(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    return [reason.model_dump() for reason in reasons]
