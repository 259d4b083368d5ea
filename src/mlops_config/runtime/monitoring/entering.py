"""What the ledger is told of a window: its report, what was found, and later its performance."""

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.runtime.monitoring.report import MonitoringReport, PerformanceRecord, SignalResult
from mlops_config.runtime.monitoring.stored import PERFORMANCE, REPORT, Reports

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext

_NEWEST = 200
"""Windows whose entries are looked for: a stopped run leaves out one, and it is among the newest."""


class Entries:
    """The ledger's entries about windows, each written once even if a run is stopped and run again."""

    def __init__(self, context: "JobContext", reports: Reports) -> None:
        self._context = context
        self._reports = reports

    @cached_property
    def _uris(self) -> set[str]:
        entries = self._context.ledger.entries()
        return {entry.uri for entry in entries if entry.event is Event.MONITORED and entry.uri is not None}

    def make_up(self) -> None:
        """Writes down the reports that were kept by a run which was stopped right after."""
        for window in islice(self._reports.windows(), _NEWEST):
            if self._reports.address(window.id) in self._uris:
                continue
            report = self._reports.report(window)
            if report is not None:
                self.judged(report)

    def judged(self, report: MonitoringReport, *, fingerprint: str | None = None) -> None:
        """Writes down that the window was judged; ``fingerprint`` is of the files with its rows."""
        share = report.signal("drift").value
        metrics = {} if share is None else {"drift_share_fraction": share}
        metrics |= {each.metric: each.value for each in report.performance if each.value is not None}
        reasons = tuple(_reason(each) for each in report.signals)
        self._enter(report, REPORT, report.job_id, report.rows, metrics, reasons, fingerprint)

    def performance(self, report: MonitoringReport, record: PerformanceRecord) -> None:
        """Writes down what was learned of the window once the truth had arrived."""
        metrics = {each.metric: each.value for each in record.performance if each.value is not None}
        reasons = (_reason(record.signal),)
        self._enter(report, PERFORMANCE, record.job_id, record.labelled_rows, metrics, reasons, None)

    def _enter(
        self,
        report: MonitoringReport,
        name: str,
        job_id: str,
        rows: int,
        metrics: dict[str, float],
        reasons: tuple[Reason, ...],
        fingerprint: str | None,
    ) -> None:
        uri = self._reports.address(report.window_id, name)
        if uri in self._uris:
            return
        model = None
        if report.model_version is not None:
            model = ModelReference(name=report.registered_model_name, version=report.model_version)
        draft = Draft.model_validate(
            {
                "event": Event.MONITORED,
                "time": self._context.now,
                "job_id": job_id,
                **self._context.subject(),
                "model": model,
                "data_fingerprint": fingerprint,
                "window_start": report.window_start,
                "window_end": report.window_end,
                "uri": uri,
                "rows": rows,
                "metrics": metrics,
                "reasons": reasons,
            }
        )
        self._context.ledger.append(draft)
        self._uris.add(uri)


def _reason(signal: SignalResult) -> Reason:
    if signal.violated is None:
        state = "not_judged"
    elif signal.confirmed:
        state = "confirmed"
    else:
        state = "violated" if signal.violated else "fine"
    text = signal.reason or f"{signal.signal.replace('_', ' ')}: {state.replace('_', ' ')}"
    return Reason(code=f"{signal.signal}_{state}", text=text)
