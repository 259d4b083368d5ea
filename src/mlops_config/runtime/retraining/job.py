"""The retraining job: decides, trains a challenger, judges it with the champion, promotes it if it may."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from mlops_config.errors import MlopsConfigError
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference, Reason
from mlops_config.ledger.ledger import LedgerMovedError
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.monitoring.job import reports
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.runtime.notifying import notify
from mlops_config.runtime.retraining.deciding import Decision, decide
from mlops_config.runtime.retraining.facts import gather, longest, spent_since
from mlops_config.runtime.retraining.history import INTERRUPTED, history
from mlops_config.runtime.retraining.outcome import RetrainOutcome
from mlops_config.runtime.retraining.overriding import overridden
from mlops_config.runtime.retraining.promoting import drop_expired, promote
from mlops_config.runtime.retraining.resuming import (
    EarlierTry,
    earlier_try,
    newest_row,
    registered,
    rows_read,
)
from mlops_config.runtime.retraining.running import Trained, data_of, train_challenger
from mlops_config.runtime.tracking.interface import ModelVersion
from mlops_config.runtime.training.packaging import FINGERPRINT_TAG

_REPORTS = 1_000
"""Newest reports that are looked at: a month of hourly ones."""
_TRIES = 5
"""Decisions made anew because somebody else wrote to the ledger meanwhile."""


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
    earlier = None if dry_run else earlier_try(context.ledger.entries(), context.dag_run)
    if earlier is not None:
        context.console.say(f"an earlier try of {context.dag_run} began at {earlier.start.time.isoformat()}")
        context = replace(context, job_id=earlier.start.job_id or context.job_id)
    for _ in range(_TRIES):
        ledger = context.ledger.entries()
        try:
            if earlier is not None and (done := _gone_on(context, earlier, ledger)) is not None:
                return done
            seen = tuple(islice(reports(context), _REPORTS))
            decision = _decided(context, ledger, seen, requested, earlier)
            if dry_run:
                return RetrainOutcome(decision, lines=(f"dry run: {decision.summary}",))
            if not decision.retrain:
                _note_decision(context, decision, ledger, earlier)
                return RetrainOutcome(decision, lines=(decision.summary,))
            if earlier is None or earlier.end is not None:
                _start(context, decision.reasons, ledger)
        except LedgerMovedError:
            continue
        return _retrained(context, decision, seen, ledger)
    raise MlopsConfigError(
        f"the ledger changed {_TRIES} times while the decision was made",
        hint="run the job again; if this goes on, find out who writes to the ledger that often",
    )


def _start(context: JobContext, reasons: tuple[Reason, ...], ledger: Sequence[LedgerEntry]) -> None:
    """Writes the start right behind the entry that the decision saw.

    Raises:
        LedgerMovedError: somebody was faster.
    """
    draft = _draft(context, Event.RETRAIN_STARTED, reasons=reasons)
    context.ledger.append(draft, after=ledger[-1] if ledger else None)
    notify(context, "triggered", f"retraining begins: {_listed(reasons)}", {"reasons": _plain(reasons)})


def _gone_on(
    context: JobContext, earlier: EarlierTry, ledger: Sequence[LedgerEntry]
) -> RetrainOutcome | None:
    """What is left of an earlier try that got as far as a verdict; ``None``: it did not, so decide anew."""
    end = earlier.end
    judged = end is not None and end.outcome in ("succeeded", "refused")
    version = registered(context, earlier)
    if version is None:
        line = "an earlier try of this DAG run ended; nothing of it is left to do"
        return RetrainOutcome(earlier=earlier, lines=(line,)) if judged else None
    others = history(ledger, context.now, longest(context), own=context.job_id)
    if judged:
        return _promoted(context, RetrainOutcome(earlier=earlier, challenger=version))
    if others.running_since is not None:
        return None
    if end is not None:
        _start(context, earlier.start.reasons, ledger)
    made = {
        "model": _reference(version),
        "champion": end.champion if end else None,
        "data_fingerprint": version.tags.get(FINGERPRINT_TAG),
        "rows": rows_read(version),
        "window_end": newest_row(version),
        "metrics": dict(version.metrics),
    }
    reasons = (Reason(code="resumed", text="an earlier try of the same DAG run accepted the challenger"),)
    began = datetime.now(UTC)
    try:
        outcome = _promoted(context, RetrainOutcome(earlier=earlier, challenger=version), reasons)
    except BaseException as error:
        _end(context, began, "failed", (_why(error),), made)
        raise
    _end(context, began, "succeeded", reasons, made)
    return outcome


def _decided(
    context: JobContext,
    ledger: Sequence[LedgerEntry],
    seen: Sequence[MonitoringReport],
    requested: str | None,
    earlier: EarlierTry | None,
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
            own=earlier.start.job_id if earlier else None,
        )
        log.done("retrain" if decision.retrain else "no retraining")
    return decision


def _note_decision(
    context: JobContext, decision: Decision, ledger: Sequence[LedgerEntry], earlier: EarlierTry | None
) -> None:
    """Writes a refusal down, unless the last one had the same reasons: who asks hourly says it once."""
    if earlier is not None and earlier.end is None:
        stopped = Reason(code=INTERRUPTED, text="the process was killed, and by now nothing asks for it")
        context.ledger.append(
            _draft(context, Event.RETRAIN_ENDED, outcome="failed", reasons=(stopped,)), after=ledger[-1]
        )
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
    began = datetime.now(UTC)
    made: Mapping[str, Any] = {}
    try:
        training = overridden(context.configs)
        trained = train_challenger(context, training, seen, ledger)
        made = _made(trained)
        contest = trained.contest
        outcome = RetrainOutcome(
            decision, contest, challenger=trained.version, lines=(decision.summary, contest.summary)
        )
        if contest.accepted and trained.version is not None:
            outcome = _promoted(context, outcome, contest.reasons, trained.smoke_rows)
    except BaseException as error:
        _end(context, began, "failed", (_why(error),), made)
        raise
    _end(context, began, "succeeded" if contest.accepted else "refused", contest.reasons, made)
    return outcome


def _made(trained: Trained) -> dict[str, Any]:
    """What the ledger is told of the challenger, registered or refused."""
    return {
        "model": _reference(trained.version),
        "champion": _reference(trained.champion),
        "data_fingerprint": trained.fingerprint,
        "rows": trained.rows.total,
        "window_end": trained.rows.newest,
        "metrics": dict(trained.contest.challenger.metrics),
    }


def _end(
    context: JobContext,
    began: datetime,
    outcome: Literal["succeeded", "failed", "refused"],
    reasons: tuple[Reason, ...],
    made: Mapping[str, Any],
) -> None:
    """Writes the end down; of a registered challenger also what it was made of, whatever came after."""
    cost = spent_since(context, began)
    context.ledger.append(
        _draft(context, Event.RETRAIN_ENDED, outcome=outcome, reasons=reasons, cost_usd=cost, **made)
    )
    if outcome == "refused":
        notify(
            context,
            "rejected",
            f"the challenger is refused: {_listed(reasons)}",
            {"reasons": _plain(reasons)},
        )


def _listed(reasons: Sequence[Reason]) -> str:
    return "; ".join(reason.text for reason in reasons)


def _plain(reasons: Sequence[Reason]) -> list[dict[str, str]]:
    return [reason.model_dump() for reason in reasons]


def _why(error: BaseException) -> Reason:
    # Who started us and read what we say is gone: Airflow's scheduler was killed, or a terminal closed.
    if isinstance(error, (KeyboardInterrupt, BrokenPipeError)):
        return Reason(code=INTERRUPTED, text="stopped from outside")
    return Reason(code="failed", text=str(error) or type(error).__name__)


def _promoted(
    context: JobContext,
    outcome: RetrainOutcome,
    reasons: tuple[Reason, ...] = (),
    smoke_rows: Sequence[Mapping[str, Any]] = (),
) -> RetrainOutcome:
    """The outcome with its challenger promoted, or with what a person has to do for that."""
    challenger = outcome.challenger
    if challenger is None:
        return outcome
    promotion_rules = context.configs.retrain.promotion
    if promotion_rules.mode == "manual":
        if promotion_rules.alias_to in challenger.aliases:
            line = f"{challenger.name} version {challenger.version} was approved meanwhile"
            return replace(outcome, lines=(*outcome.lines, line))
        return replace(outcome, approve=f"mlops-config promote --environment {context.environment}")
    promotion = promote(context, challenger, reasons, smoke_rows)
    return replace(outcome, promotion=promotion, lines=(*outcome.lines, promotion.summary))


def _reference(version: ModelVersion | None) -> ModelReference | None:
    if version is None:
        return None
    return ModelReference(name=version.name, version=version.version, run_id=version.run_id)


def _draft(context: JobContext, event: Event, **more: Any) -> Draft:
    now = datetime.now(UTC) if event is Event.RETRAIN_ENDED else context.now
    return Draft(event=event, time=now, job_id=context.job_id, **context.subject(), **more)
