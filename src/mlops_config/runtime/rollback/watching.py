"""Whether a deployment has to be taken back while it bakes: a pure function of ledger, reports and alarms.

It is level-triggered, as retraining is: it looks at what is there, and asking twice gives the same answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops_config.contract.models.retrain import Rollback, RollbackCause
from mlops_config.ledger.entries import Event, LedgerEntry, Reason
from mlops_config.runtime.monitoring.report import MonitoringReport
from mlops_config.runtime.rollback.units import Past

ALARM: RollbackCause = "alarm"
GATE: RollbackCause = "gate_failed_after_deploy"
"""Causes as the retrain file names them."""


@dataclass(frozen=True, slots=True)
class Need:
    """Whether to go back, and whether there is anything left to watch."""

    go: bool
    reasons: tuple[Reason, ...]
    done: bool = False
    """The bake time is over, or somebody went back; nothing that comes now changes the answer."""
    rolled_back: bool = False
    """Somebody went back already."""


def need(
    seen: Past,
    reports: Iterable[MonitoringReport],
    firing: Sequence[str],
    rollback: Rollback,
    now: datetime,
    *,
    dag_run: str | None = None,
) -> Need:
    """The answer at ``now`` (UTC).

    Args:
        seen: What the ledger says.
        reports: Of monitoring, in any order.
        firing: Names of the rollout's alarms that fire.
        rollback: Of the retrain file.
        now: The moment.
        dag_run: Who asks: a rollback that the same DAG run carried out is its own, however long ago.
    """
    if seen.begun is not None:
        return Need(go=True, reasons=(Reason(code="begun", text="a rollback was begun and did not end"),))
    change = seen.changed
    if change is None:
        return _over("nothing was deployed yet")
    ends = change.time + rollback.bake_time
    if change.event is Event.ROLLED_BACK:
        own = dag_run is not None and change.dag_run == dag_run
        text = f"it went back at {_shown(change.time)} already"
        return Need(go=False, reasons=(_calm(text),), done=True, rolled_back=own or now < ends)
    if not rollback.when:
        return _over("rollback.when is empty: nothing takes a deployment back")
    if now >= ends:
        return _over(f"the bake time ended at {_shown(ends)}")
    causes = (*_alarms(firing, rollback), *_gates(change, reports, rollback))
    if causes:
        return Need(go=True, reasons=causes)
    text = f"nothing speaks against what was deployed at {_shown(change.time)}; it bakes until {_shown(ends)}"
    return Need(go=False, reasons=(_calm(text),))


def asks(cause: RollbackCause, seen: Past, rollback: Rollback, now: datetime) -> bool:
    """Whether it matters to the answer if ``cause`` is there."""
    change = seen.changed
    if change is None or change.event is Event.ROLLED_BACK or cause not in rollback.when:
        return False
    return now < change.time + rollback.bake_time


def _alarms(firing: Sequence[str], rollback: Rollback) -> list[Reason]:
    if ALARM not in rollback.when or not firing:
        return []
    fires = "fires" if len(firing) == 1 else "fire"
    return [Reason(code=ALARM, text=f"{', '.join(firing)} {fires}")]


def _gates(change: LedgerEntry, reports: Iterable[MonitoringReport], rollback: Rollback) -> list[Reason]:
    """What the newest report on the deployed version, made since its deployment, says of its performance."""
    if GATE not in rollback.when:
        return []
    version = change.model.version if change.model else None
    since = [
        report
        for report in reports
        if report.created_at >= change.time
        and report.window_end > change.time
        and (version is None or report.model_version == version)
        and report.signal("performance").violated is not None
    ]
    newest = max(since, key=lambda report: (report.window_end, report.created_at), default=None)
    if newest is None or not newest.signal("performance").confirmed:
        return []
    missed = [each for each in newest.performance if each.violated]
    text = ", ".join(f"{each.metric} is {each.value}, the limit is {each.threshold}" for each in missed)
    return [Reason(code=GATE, text=f"{text or 'its performance is too low'} ({newest.window_id})")]


def _over(text: str) -> Need:
    return Need(go=False, reasons=(_calm(text),), done=True)


def _calm(text: str) -> Reason:
    return Reason(code="not_needed", text=text)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
