"""The monitoring job: judges the windows that are due, keeps their reports, tells ledger and Prometheus."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from mlops_config.runtime.metrics.export import destination, export
from mlops_config.runtime.monitoring.entering import Entries
from mlops_config.runtime.monitoring.judging import Engine, judge, judge_performance
from mlops_config.runtime.monitoring.page import page
from mlops_config.runtime.monitoring.performance import due_at, final_at
from mlops_config.runtime.monitoring.references import ModelVersions
from mlops_config.runtime.monitoring.report import MonitoringReport, SignalResult
from mlops_config.runtime.monitoring.samples import samples
from mlops_config.runtime.monitoring.stored import PERFORMANCE, REPORT, Reports
from mlops_config.runtime.monitoring.windows import MOST_CAUGHT_UP, Due, Window, due, explicit
from mlops_config.store.interface import ObjectExistsError

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext

JOB = "monitoring"
_SHOWN = 11
"""Windows before this one that the page shows, at least."""
_TRUTH_LOOKED_FOR = timedelta(days=30)
"""How long after we should have stopped waiting for a window's truth we still note so: outages end."""
_LABELLED_AMONG = 200
"""Newest reports among which the newest with performance is looked for."""


@dataclass(frozen=True, slots=True)
class WindowOutcome:
    """What became of one window."""

    window_id: str
    state: Literal["judged", "already_judged", "performance_judged"]
    uri: str
    rows: int
    signals: tuple[SignalResult, ...]

    @property
    def confirmed(self) -> tuple[str, ...]:
        """The signals that the violation policy makes count."""
        return tuple(each.signal for each in self.signals if each.confirmed)

    def sentence(self) -> str:
        """One line for people."""
        judged = {each.signal: each for each in self.signals}
        found = [
            f"{name.replace('_', ' ')} {'CONFIRMED' if each.confirmed else 'violated'}"
            for name, each in judged.items()
            if each.confirmed or each.violated
        ]
        silent = sum(each.violated is None for each in self.signals)
        verdict = ", ".join(found) or ("nothing judged" if silent == len(self.signals) else "no violation")
        return f"{self.window_id} ({self.state.replace('_', ' ')}): {self.rows:,} rows, {verdict}"


@dataclass(frozen=True, slots=True)
class MonitoringOutcome:
    """What a run did."""

    windows: tuple[WindowOutcome, ...] = ()
    skipped: tuple[str, ...] = ()
    """Ids of missed windows that are not caught up."""
    note: str | None = None
    """Why nothing was judged."""
    exit_code: int = 0

    @property
    def summary(self) -> str:
        """What happened, a line for each window."""
        lines = [each.sentence() for each in self.windows]
        if self.skipped:
            names = ", ".join(self.skipped[:3]) + (", …" if len(self.skipped) > 3 else "")
            lines.append(f"{len(self.skipped)} missed windows are not caught up: {names}")
        if self.note:
            lines.append(self.note)
        return "\n".join(lines) or "no window is due"

    def document(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {
            "windows": [
                {
                    "window_id": each.window_id,
                    "state": each.state,
                    "report": each.uri,
                    "rows": each.rows,
                    "confirmed": list(each.confirmed),
                    "signals": [signal.model_dump(mode="json") for signal in each.signals],
                }
                for each in self.windows
            ],
            "skipped": list(self.skipped),
            "note": self.note,
        }


def run(
    context: "JobContext",
    *,
    window: tuple[datetime, datetime] | None = None,
    engine: Engine = "duckdb",
    fail_on_violation: bool = False,
) -> MonitoringOutcome:
    """Judges ``window``, or every window that is due, and those whose truth has arrived since.

    Running it again changes nothing: a window with a report is not judged again, and what an interrupted run
    left out (its ledger entry, its metrics) is made up for. ``fail_on_violation`` makes the exit code 1 when
    a signal is confirmed.

    Raises:
        UsageError: ``window`` cannot be judged.
        ServiceError: something it needs stays away. Windows judged before that keep their reports.
    """
    monitoring = context.configs.monitoring
    if not monitoring.enabled:
        return MonitoringOutcome(note="monitoring is switched off in the monitoring file")
    reports = Reports.of(context)
    wanted = _wanted(context, reports, window)
    versions = ModelVersions(context)
    entries = Entries(context, reports)
    entries.make_up()
    outcomes = list(_late_performance(context, reports, entries, versions))
    for each in wanted.windows:
        with context.console.stage("monitor") as log:
            log.progress(each.id)
            outcome = _one(each, context, reports, entries, versions, engine)
            log.done(f"{outcome.rows:,} rows, report {outcome.uri}")
        outcomes.append(outcome)
    _export(context, reports)
    note = None
    if wanted.clock_behind is not None:
        note = (
            f"nothing is judged: it is {context.now:%Y-%m-%dT%H:%M:%SZ} on this clock, and the newest report"
            f" is on a window that ends {wanted.clock_behind:%Y-%m-%dT%H:%M:%SZ}"
        )
    failed = fail_on_violation and any(each.confirmed for each in outcomes)
    return MonitoringOutcome(
        tuple(outcomes), tuple(each.id for each in wanted.skipped), note, exit_code=int(failed)
    )


def reports(context: "JobContext") -> Iterator[MonitoringReport]:
    """The reports of the environment, newest first, each with its performance once that is known.

    Raises:
        ServiceError: the report store stays away.
        IntegrityError: a report is not one.
    """
    return Reports.of(context).newest_first()


def _wanted(context: "JobContext", reports: Reports, window: tuple[datetime, datetime] | None) -> Due:
    monitoring = context.configs.monitoring
    if window is not None:
        return Due((explicit(*window, monitoring.delay, context.now),))
    newest = next(reports.newest_first(), None)
    capture = context.configs.inference.data_capture
    found = due(
        monitoring.schedule,
        monitoring.window,
        monitoring.delay,
        context.now,
        judged=newest.window_end if newest else None,
        most=max(MOST_CAUGHT_UP, monitoring.violation_policy.evaluation_windows),
        rows_since=context.now - capture.retention if capture else None,
    )
    if found.windows or newest is None or found.clock_behind:
        return found
    # Nothing new is due: what is there is looked at again, so that an interrupted run is finished.
    return Due((Window(newest.window_start, newest.window_end),), found.skipped)


def _one(
    window: Window,
    context: "JobContext",
    reports: Reports,
    entries: Entries,
    versions: ModelVersions,
    engine: Engine,
) -> WindowOutcome:
    known = reports.report(window)
    if known is None:
        history = _history(reports, window, context)
        judged = judge(window, context, reports, history, versions, engine=engine)
        policy = context.configs.monitoring.violation_policy
        try:
            reports.put(judged.report, page(judged.report, history, policy), judged.profile)
        except ObjectExistsError:  # someone else judged the window meanwhile: theirs counts
            known = reports.report(window)
            if known is None:
                raise
        else:
            entries.judged(judged.report, fingerprint=judged.fingerprint)
            return _outcome(judged.report, "judged", reports)
    entries.judged(known)
    return _outcome(known, "already_judged", reports)


def _late_performance(
    context: "JobContext", reports: Reports, entries: Entries, versions: ModelVersions
) -> Iterator[WindowOutcome]:
    """Judges the performance of the windows whose truth has arrived since their report, oldest first."""
    performance = context.configs.monitoring.performance
    if performance is None:
        return
    for window in reversed(reports.windows()):
        if (
            not due_at(window, performance)
            <= context.now
            <= final_at(window, performance) + _TRUTH_LOOKED_FOR
        ):
            continue
        report = reports.report(window)
        if report is None:
            continue
        if (stored := reports.performance(window)) is not None:
            entries.performance(report, stored)  # in case a run was stopped right after keeping it
        if report.labels_due is None or report.labels_due > context.now:
            continue
        record = judge_performance(report, context, _history(reports, window, context), versions)
        if record is None:
            continue
        try:
            reports.put_performance(record)
        except ObjectExistsError:
            continue  # someone else judged it meanwhile
        entries.performance(report, record)
        yield _outcome(report.with_performance(record), "performance_judged", reports, PERFORMANCE)


def _history(reports: Reports, window: Window, context: "JobContext") -> list[MonitoringReport]:
    """The windows before that one which the policy looks at or the page shows, newest first."""
    before = context.configs.monitoring.violation_policy.evaluation_windows - 1
    return list(islice(reports.newest_first(before=window), max(before, _SHOWN)))


def _outcome(report: MonitoringReport, state: Any, reports: Reports, name: str = REPORT) -> WindowOutcome:
    address = reports.address(report.window_id, name)
    return WindowOutcome(report.window_id, state, address, report.rows, report.signals)


def _export(context: "JobContext", reports: Reports) -> None:
    """Makes the newest report Prometheus' state, whoever wrote it: running again repairs what was lost."""
    newest_reports = list(islice(reports.newest_first(), 1))
    if not newest_reports:
        return
    judged = (
        report
        for report in islice(reports.newest_first(), _LABELLED_AMONG)
        if report.signal("performance").violated is not None
    )
    labelled = next(judged, None) if context.configs.monitoring.performance else None
    where = destination(context.root)
    export(
        samples(newest_reports[0], labelled),
        context.configs.monitoring,
        directory=where.directory,
        pushgateway_url=where.pushgateway_url,
        job=JOB,
    )
