"""Judges a window: rows, reference and history in, a report out. Nothing is written here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from mlops_config.runtime.monitoring import performance as performances
from mlops_config.runtime.monitoring.captured import Captured, read_captured
from mlops_config.runtime.monitoring.policy import confirmed
from mlops_config.runtime.monitoring.quality import examine
from mlops_config.runtime.monitoring.references import Compared, ModelVersions, compared
from mlops_config.runtime.monitoring.report import (
    Comparison,
    MonitoringReport,
    PerformanceRecord,
    QualityCheck,
    Signal,
    SignalResult,
)
from mlops_config.runtime.monitoring.samples import severity
from mlops_config.runtime.monitoring.stored import Reports
from mlops_config.runtime.monitoring.windows import Window
from mlops_config.runtime.profile.profile import Profile

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_config.runtime.context import JobContext

Engine = Literal["duckdb", "spark"]

MOST_PLOTTED = 200
"""Features of a report with a plot: the worst."""
NO_ROWS = "no row was captured in the window"


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """A report and what was learned on the way."""

    report: MonitoringReport
    profile: Profile | None
    """Of the window's rows; ``None`` where there are none, or nothing fixes its bins."""
    fingerprint: str | None
    """Digest over the files that the rows came from."""


def judge(
    window: Window,
    context: "JobContext",
    reports: Reports,
    history: Sequence[MonitoringReport],
    versions: ModelVersions,
    *,
    engine: Engine,
) -> JudgedWindow:
    """The window's report; ``history`` holds the reports of the windows before it, newest first.

    Raises:
        ServiceError: rows, truth, the registry or the report store cannot be reached.
    """
    configs, monitoring = context.configs, context.configs.monitoring
    captured = captured_rows(window, context)
    examined = examine(
        captured,
        window,
        configs.training,
        monitoring.quality,
        last_row_before=_last_row_before(history) if captured.rows.num_rows == 0 else None,
    )
    made_by = captured.versions()
    version = _most(made_by)
    if captured.rows.num_rows:
        against = compared(window, version, versions, reports, context)
    else:
        against = Compared(None, None, None, NO_ROWS)
    profile, drift, predictions = _drift(examined.table, against, context, engine)
    judged = _performance(window, captured, version, context, versions)
    results = (
        _drift_signal(drift, context, against.reason),
        _prediction_signal(predictions, context, against.reason),
        _quality_signal(examined.checks, captured.rows.num_rows),
        judged.signal,
    )
    report = MonitoringReport(
        window_id=window.id,
        window_start=window.start,
        window_end=window.end,
        created_at=context.now,
        project=context.bundle.project,
        model_name=context.bundle.model_name,
        environment=context.environment,
        config_digest=context.config_digest,
        commit=context.provenance.commit,
        job_id=context.job_id,
        registered_model_name=versions.name,
        model_version=version,
        model_versions=made_by,
        rows=captured.rows.num_rows,
        reference=against.reference,
        drift=drift,
        prediction_drift=predictions,
        quality=examined.checks,
        performance=judged.outcome.results if judged.outcome else (),
        labelled_rows=judged.outcome.labelled_rows if judged.outcome else None,
        labels_due=judged.labels_due,
        signals=tuple(_counted(each, history, context) for each in results),
        warnings=tuple(_warnings(captured, made_by)),
        profile_digest=profile.digest if profile else None,
    )
    return JudgedWindow(report, profile, captured.fingerprint)


def judge_performance(
    report: MonitoringReport,
    context: "JobContext",
    history: Sequence[MonitoringReport],
    versions: ModelVersions,
) -> PerformanceRecord | None:
    """What the truth says of a window whose report came before it; ``None`` while it may still arrive.

    Raises:
        ServiceError: rows, truth, the registry or the report store cannot be reached.
    """
    wanted = context.configs.monitoring.performance
    window = Window(report.window_start, report.window_end)
    if wanted is None:
        outcome = performances.Judged((), 0, "the monitoring file asks for no performance any more")
    else:
        captured = captured_rows(window, context)
        champion = _champion(report.model_version, versions)
        outcome = performances.judge(captured.rows, wanted, context.configs.training, champion, context.root)
        if outcome.violated is None and context.now < performances.final_at(window, wanted):
            return None
    signal = SignalResult(
        signal="performance", violated=outcome.violated, confirmed=False, reason=outcome.reason
    )
    return PerformanceRecord(
        window_id=report.window_id,
        created_at=context.now,
        project=report.project,
        model_name=report.model_name,
        environment=report.environment,
        config_digest=context.config_digest,
        commit=context.provenance.commit,
        job_id=context.job_id,
        model_version=report.model_version,
        performance=outcome.results,
        labelled_rows=outcome.labelled_rows,
        signal=_counted(signal, history, context),
    )


def captured_rows(window: Window, context: "JobContext") -> Captured:
    """What was captured in the window, with the columns that quality and performance need."""
    configs = context.configs
    performance = configs.monitoring.performance
    also = [name for name in (configs.training.data.entity_key,) if name]
    also += [performance.join_key] if performance else []
    return read_captured(window, configs.training, configs.inference, also=also, root=context.root)


@dataclass(frozen=True, slots=True)
class _Performance:
    signal: SignalResult
    outcome: performances.Judged | None
    labels_due: datetime | None


def _performance(
    window: Window,
    captured: Captured,
    version: int | None,
    context: "JobContext",
    versions: ModelVersions,
) -> _Performance:
    wanted = context.configs.monitoring.performance
    if wanted is None:
        return _Performance(_unjudged("performance", "the monitoring file does not ask for it"), None, None)
    if captured.rows.num_rows == 0:
        return _Performance(_unjudged("performance", NO_ROWS), None, None)
    due = performances.due_at(window, wanted)
    if context.now < due:
        reason = f"the truth is complete at {due:%Y-%m-%dT%H:%M:%SZ}; performance.json follows then"
        return _Performance(_unjudged("performance", reason), None, due)
    champion = _champion(version, versions)
    outcome = performances.judge(captured.rows, wanted, context.configs.training, champion, context.root)
    waits = outcome.violated is None and context.now < performances.final_at(window, wanted)
    signal = SignalResult(
        signal="performance", violated=outcome.violated, confirmed=False, reason=outcome.reason
    )
    return _Performance(signal, outcome, due if waits else None)


def _champion(version: int | None, versions: ModelVersions) -> dict[str, float]:
    found = versions.baseline(version) if version is not None else None
    return dict(found[0].metrics) if found else {}


def _drift(
    table: "pa.Table", against: Compared, context: "JobContext", engine: Engine
) -> tuple[Profile | None, tuple[Comparison, ...], Comparison | None]:
    from mlops_config.runtime.drift.comparing import compare, compare_predictions
    from mlops_config.runtime.profile.making import profile

    if against.bins is None or table.num_rows == 0:
        return None, (), None
    made = profile(table, against.bins, engine=engine)
    if against.profile is None:
        return made, (), None
    training, monitoring = context.configs.training, context.configs.monitoring
    drift = with_plots(compare(made, against.profile, training, monitoring))
    predictions = None
    if monitoring.prediction_drift.enabled and training.schema_.target.name in table.column_names:
        predictions = compare_predictions(made, against.profile, training, monitoring)
    return made, drift, predictions


def with_plots(drift: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons, with plots for the worst of them: a report of thousands of features stays readable."""
    worst = {each.name for each in sorted(drift, key=severity, reverse=True)[:MOST_PLOTTED]}
    return tuple(each if each.name in worst else each.model_copy(update={"plot": {}}) for each in drift)


def _drift_signal(drift: Sequence[Comparison], context: "JobContext", reason: str | None) -> SignalResult:
    threshold = context.configs.monitoring.drift.drift_share_fraction
    judged = [each for each in drift if each.drifted is not None]
    if not judged:
        why = reason or next((each.reason for each in drift if each.reason), "no feature is compared")
        return _unjudged("drift", why, threshold)
    drifted = [each for each in judged if each.drifted]
    share = len(drifted) / len(judged)
    important = [each.name for each in drifted if each.important]
    text = f"{len(drifted)} of {len(judged)} features drift"
    if important:
        text += f", among them important ones: {', '.join(important[:5])}"
    return SignalResult(
        signal="drift",
        violated=share >= threshold or bool(important),
        confirmed=False,
        value=share,
        threshold=threshold,
        reason=text,
    )


def _prediction_signal(
    comparison: Comparison | None, context: "JobContext", reason: str | None
) -> SignalResult:
    if not context.configs.monitoring.prediction_drift.enabled:
        return _unjudged("prediction_drift", "the monitoring file does not ask for it")
    if comparison is None:
        return _unjudged(
            "prediction_drift", reason or "the rows hold no predictions, or the reference has none"
        )
    return SignalResult(
        signal="prediction_drift",
        violated=comparison.drifted,
        confirmed=False,
        value=comparison.value,
        threshold=comparison.threshold,
        reason=comparison.reason,
    )


def _quality_signal(checks: Sequence[QualityCheck], rows: int) -> SignalResult:
    violations = [each for each in checks if each.violated]
    if not rows and not violations:
        return _unjudged("quality", NO_ROWS)
    text = f"{len(violations)} of {len(checks)} checks failed"
    return SignalResult(
        signal="quality",
        violated=bool(violations),
        confirmed=False,
        value=float(len(violations)),
        threshold=0.0,
        reason=text + (f": {violations[0].text}" if violations else ""),
    )


def _unjudged(signal: Signal, reason: str, threshold: float | None = None) -> SignalResult:
    return SignalResult(signal=signal, violated=None, confirmed=False, threshold=threshold, reason=reason)


def _counted(
    result: SignalResult, history: Sequence[MonitoringReport], context: "JobContext"
) -> SignalResult:
    """The result with whether the violation policy makes it count, after the windows before it."""
    outcomes = [result.violated, *(each.signal(result.signal).violated for each in history)]
    counts = confirmed(outcomes, context.configs.monitoring.violation_policy)
    return result.model_copy(update={"confirmed": counts})


def _last_row_before(history: Sequence[MonitoringReport]) -> datetime | None:
    """The end of the newest window with rows: the newest row of all is older than that.

    ``None`` when a window is missing between, or none of the few looked at has rows.
    """
    silent_since = None
    for report in history:
        if silent_since is not None and report.window_end < silent_since:
            return silent_since
        if report.rows:
            return report.window_end
        silent_since = report.window_start
    return silent_since


def _most(made_by: dict[str, int]) -> int | None:
    named = [version for version in made_by if version.isdecimal()]
    return int(named[0]) if named else None


def _warnings(captured: Captured, made_by: dict[str, int]) -> Iterator[str]:
    if len(made_by) > 1:
        counts = ", ".join(f"{version}: {rows:,}" for version, rows in list(made_by.items())[:10])
        yield f"several model versions made the rows ({counts}); the reference is that of the first"
    if captured.unreadable:
        yield f"{len(captured.unreadable)} files could not be read and were left out"
    if captured.undated:
        yield f"{captured.undated:,} rows have no readable event_time and were left out"
    if captured.unfinished:
        names = ", ".join(captured.unfinished[:5])
        yield f"batch runs without _SUCCESS.json were left out: {names}"
