"""Whether to retrain now: a pure function of the reports, the ledger, the configuration and the time.

It is level-triggered: it looks at what is there, not at what just happened. Asking twice gives the same
answer, and an event that got lost, doubled or merged changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_config.contract.models.monitoring import MonitoringConfig
from mlops_config.contract.models.retrain import (
    DriftTrigger,
    Guards,
    NewDataTrigger,
    PerformanceTrigger,
    RetrainConfig,
    ScheduleTrigger,
    Trigger,
)
from mlops_config.ledger.entries import LedgerEntry, Reason
from mlops_config.runtime.monitoring.report import MonitoringReport, Signal
from mlops_config.runtime.retraining.history import History, history


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decision needs besides reports and ledger; ``None`` where it could not be found out."""

    new_rows: int | None = None
    """Rows newer than the last training's."""
    estimated_cost_usd: float | None = None
    """Of one retraining."""
    requested: str | None = None
    """Who asked for it, and why, where somebody did."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to retrain, and every reason for and against it."""

    retrain: bool
    triggered: tuple[Reason, ...]
    """Triggers that fired."""
    quiet: tuple[Reason, ...]
    """Triggers that did not."""
    held: tuple[Reason, ...]
    """Guards that hold it back."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What decided it: the triggers that fired, then the guards; without any trigger, the quiet ones."""
        return (*self.triggered, *self.held) if self.triggered else self.quiet

    @property
    def summary(self) -> str:
        """The decision as a sentence for people."""
        if self.retrain:
            return "retrain: " + "; ".join(reason.text for reason in self.triggered)
        why = self.held if self.triggered else self.quiet
        return "no retraining: " + "; ".join(reason.text for reason in why)


def decide(
    reports: Sequence[MonitoringReport],
    ledger: Sequence[LedgerEntry],
    retrain: RetrainConfig,
    monitoring: MonitoringConfig,
    now: datetime,
    facts: Facts | None = None,
    *,
    longest_run: timedelta = timedelta(days=1),
    own: str | None = None,
) -> Decision:
    """The decision at ``now`` (UTC).

    ``reports`` and ``ledger`` may be in any order. ``longest_run`` is how long a retraining may
    take: one that started before that and never ended counts as failed, not as running. ``own`` is the job id
    of a retraining that goes on: what its earlier tries wrote holds it back as little as if it was not there.
    """
    facts = facts or Facts()
    past = history(ledger, now, longest_run, own=own)
    fresh = _since(reports, past.last_started)
    fired: list[Reason] = []
    quiet: list[Reason] = []
    for trigger in retrain.triggers:
        reason, is_fired = _judge(trigger, fresh, monitoring, past, now, facts)
        (fired if is_fired else quiet).append(reason)
    enough = bool(fired) and (retrain.combine == "any" or not quiet)
    held = tuple(_held(retrain.guards, past, now, facts))
    if fired and not enough:
        held = (Reason(code="combine_all", text="all triggers are needed, and not all fired"), *held)
    return Decision(enough and not held, tuple(fired), tuple(quiet), held)


def _since(reports: Sequence[MonitoringReport], started: datetime | None) -> Sequence[MonitoringReport]:
    """Reports on windows that ended after the last retraining began, newest first; it acted on the others."""
    fresh = [report for report in reports if started is None or report.window_end > started]
    return sorted(fresh, key=lambda report: (report.window_end, report.created_at), reverse=True)


def _judge(
    trigger: Trigger,
    fresh: Sequence[MonitoringReport],
    monitoring: MonitoringConfig,
    past: History,
    now: datetime,
    facts: Facts,
) -> tuple[Reason, bool]:
    if isinstance(trigger, DriftTrigger):
        return _drift(trigger, next(iter(fresh), None), monitoring)
    if isinstance(trigger, PerformanceTrigger):
        # The truth comes late, so the newest windows have none yet; what they say has to be waited for.
        judged = (each for each in fresh if each.signal("performance").violated is not None)
        return _performance(trigger, next(judged, next(iter(fresh), None)))
    if isinstance(trigger, ScheduleTrigger):
        return _schedule(trigger, past, now)
    if isinstance(trigger, NewDataTrigger):
        return _new_data(trigger, facts)
    if facts.requested:
        return Reason(code="manual", text=f"asked for: {facts.requested}"), True
    return Reason(code="manual", text="nobody asked for it"), False


def _drift(
    trigger: DriftTrigger, newest: MonitoringReport | None, monitoring: MonitoringConfig
) -> tuple[Reason, bool]:
    code = trigger.signal
    quiet, confirmed = _confirmed(trigger.signal, newest)
    if newest is None or not confirmed:
        return Reason(code=code, text=quiet), False
    if trigger.severity == "page" and not _pages(trigger.signal, newest, monitoring):
        return Reason(code=code, text="it drifts, but not so far that anyone is paged"), False
    if trigger.signal == "prediction_drift":
        return Reason(code=code, text=f"predictions drift in {newest.window_id}"), True
    judged = [each for each in newest.drift if each.drifted is not None]
    drifted = [each.name for each in judged if each.drifted]
    named = [name for name in drifted if name in trigger.features]
    if named:
        return Reason(code=code, text=f"{', '.join(named)} drift in {newest.window_id}"), True
    least = trigger.min_share_fraction
    if least is None:
        least = monitoring.drift.drift_share_fraction
    share = len(drifted) / len(judged) if judged else 0.0
    # A feature that monitoring calls important confirms drift by itself, unless the trigger asks for a share.
    important = [each.name for each in judged if each.drifted and each.important]
    if share >= least or (important and trigger.min_share_fraction is None and not trigger.features):
        text = (
            f"{len(drifted)} of {len(judged)} features drift in {newest.window_id}: {', '.join(drifted[:5])}"
        )
        return Reason(code=code, text=text), True
    return Reason(code=code, text=f"{share:.0%} of the features drift, {least:.0%} are needed"), False


def _pages(signal: Signal, newest: MonitoringReport, monitoring: MonitoringConfig) -> bool:
    """Whether an alert on the signal that pages would fire; one without a threshold has the signal's own."""
    value = newest.signal(signal).value
    pages = [alert for alert in monitoring.alerts if alert.signal == signal and alert.severity == "page"]
    return any(alert.threshold is None or (value is not None and value > alert.threshold) for alert in pages)


def _performance(trigger: PerformanceTrigger, newest: MonitoringReport | None) -> tuple[Reason, bool]:
    quiet, confirmed = _confirmed("performance", newest)
    if newest is None or not confirmed:
        return Reason(code="performance", text=quiet), False
    for result in newest.performance:
        if result.metric == trigger.metric and result.violated:
            text = f"{result.metric} is {result.value} in {newest.window_id}; the limit is {result.threshold}"
            return Reason(code="performance", text=text), True
    return Reason(code="performance", text=f"{trigger.metric} is within its limit"), False


def _confirmed(signal: Signal, newest: MonitoringReport | None) -> tuple[str, bool]:
    """Why the newest report confirms nothing, and whether it does."""
    if newest is None:
        return "no window was judged since the last retraining", False
    result = newest.signal(signal)
    name = signal.replace("_", " ")
    if result.violated is None:
        return f"{name} was not judged in {newest.window_id}: {result.reason or 'no reason given'}", False
    if not result.confirmed:
        state = "seen, but not in enough windows yet" if result.violated else "not seen"
        return f"{name}: {state} ({newest.window_id})", False
    return "", True


def _schedule(trigger: ScheduleTrigger, past: History, now: datetime) -> tuple[Reason, bool]:
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    since = past.last_started or past.first_entry
    if since is None:
        return Reason(code="schedule", text="nothing has run yet, so nothing is due"), False
    due = next(CronSim(trigger.cron, since.astimezone(ZoneInfo(trigger.timezone))))
    text = f"due at {due.isoformat()} by {trigger.cron} ({trigger.timezone})"
    return Reason(code="schedule", text=text), due <= now


def _new_data(trigger: NewDataTrigger, facts: Facts) -> tuple[Reason, bool]:
    if facts.new_rows is None:
        return Reason(code="new_data", text="how many rows are new could not be counted"), False
    text = f"{facts.new_rows} rows are new, {trigger.min_rows} are needed"
    return Reason(code="new_data", text=text), facts.new_rows >= trigger.min_rows


def _held(guards: Guards, past: History, now: datetime, facts: Facts) -> Iterator[Reason]:
    if past.running_since is not None:
        text = f"another retraining runs since {_shown(past.running_since)}"
        yield Reason(code="max_concurrent", text=text)
    if past.last_started is not None and now < past.last_started + guards.cooldown:
        until = past.last_started + guards.cooldown
        yield Reason(
            code="cooldown",
            text=f"the last one started at {_shown(past.last_started)},"
            f" and the cooldown ends at {_shown(until)}",
        )
    recent = [each for each in past.started if each > now - guards.max_retrains.per]
    if len(recent) >= guards.max_retrains.count:
        free = min(recent) + guards.max_retrains.per
        yield Reason(
            code="max_retrains",
            text=f"{len(recent)} retrainings of {guards.max_retrains.count} are"
            f" used up, and the next may start at {_shown(free)}",
        )
    yield from _frozen(guards, now)
    yield from _too_few_rows(guards, facts)
    yield from _over_budget(guards, past, facts)
    if past.failures >= guards.max_consecutive_failures:
        yield Reason(
            code="circuit_open",
            text=f"{past.failures} retrainings failed one after the other;"
            " look into it, then reset it with `mlops-config run retraining --reset`",
        )


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _frozen(guards: Guards, now: datetime) -> Iterator[Reason]:
    for window in guards.freeze_windows:
        if window.start <= now < window.end:
            why = f": {window.reason}" if window.reason else ""
            yield Reason(code="freeze_window", text=f"frozen until {_shown(window.end)}{why}")


def _too_few_rows(guards: Guards, facts: Facts) -> Iterator[Reason]:
    if guards.min_new_rows == 0:
        return
    if facts.new_rows is None:
        yield Reason(code="min_new_rows", text="how many rows are new could not be counted")
    elif facts.new_rows < guards.min_new_rows:
        text = f"{facts.new_rows} rows are new, {guards.min_new_rows} are needed"
        yield Reason(code="min_new_rows", text=text)


def _over_budget(guards: Guards, past: History, facts: Facts) -> Iterator[Reason]:
    budget = guards.budget_usd_per_month
    if budget is None:
        return
    if facts.estimated_cost_usd is None:
        yield Reason(
            code="budget_unknown",
            text="what a retraining costs is not known, so neither is whether"
            " the budget allows it; set MLOPS_INSTANCE_PRICE_USD_PER_HOUR",
        )
    elif past.spent_usd_this_month + facts.estimated_cost_usd > budget:
        yield Reason(
            code="budget",
            text=f"{past.spent_usd_this_month:.2f} USD are spent this month and one"
            f" costs about {facts.estimated_cost_usd:.2f}, and the budget is {budget:.2f}",
        )
