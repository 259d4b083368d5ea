"""The monitoring report: the contract between the job that judges a window and all that act on it.

Stored as ``<report.destination_uri>/<window_id>/report.json`` beside ``report.html`` and ``profile.json``,
written once. Where the truth arrives later than the report, ``performance.json`` follows, written once too.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlops_config.release.record import Digest

Signal = Literal["drift", "prediction_drift", "quality", "performance"]

WindowId = Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z-[0-9]{8}T[0-9]{6}Z$")]
"""``<start>-<end>``, UTC; sorts by time."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Comparison(_Frozen):
    """One column against the reference."""

    name: str
    family: Literal["numeric", "categorical"]
    method: str
    """As in the monitoring file: psi, ks, wasserstein, jensen_shannon, chi_square, l_infinity."""
    threshold: float
    direction: Literal["above", "below"]
    value: float | None
    """Of the method; for a test its p-value. ``None``: not judged."""
    adjusted: float | None = None
    """The p-value after the correction over all columns; compared with the threshold in place of value."""
    statistic: float | None = None
    """Of a test, such as the Kolmogorov-Smirnov distance."""
    drifted: bool | None
    """``None``: not judged, see ``reason``."""
    reason: str | None = None
    important: bool = False
    rows: int
    """Of the window, with a value."""
    reference_rows: int
    plot: dict[str, Any] = {}
    """What a plot needs: labels, and shares of reference and window."""


class QualityCheck(_Frozen):
    """One check of the data itself."""

    name: str
    """completeness, datatype, domain, range, duplicates, freshness, missing_column, extra_column,
    unreadable_file."""
    column: str | None
    value: float | None
    threshold: float | None
    violated: bool | None
    text: str
    """The outcome as a sentence."""


class PerformanceResult(_Frozen):
    """One metric against the truth."""

    metric: str
    value: float | None
    threshold: float | None
    champion_value: float | None = None
    """On the rows the model was tested on, for comparison."""
    violated: bool | None
    reason: str | None = None


class SignalResult(_Frozen):
    """What the window says about one signal."""

    signal: Signal
    violated: bool | None
    """``None``: not judged, see ``reason``."""
    confirmed: bool
    """Whether the violation policy (k of the last n windows) makes it count."""
    value: float | None = None
    """drift: share of drifting features; prediction_drift: the value; quality: violated checks."""
    threshold: float | None = None
    reason: str | None = None


class Reference(_Frozen):
    """What the window was compared with."""

    type: Literal["training_baseline", "previous_window", "uri"]
    digest: Digest
    """Of the reference profile."""
    rows: int
    source: str
    """The model version, the window id or the URI it comes from."""


class MonitoringReport(_Frozen):
    """One window, judged."""

    schema_version: Literal[1] = 1
    window_id: WindowId
    window_start: datetime
    window_end: datetime
    """Exclusive."""
    created_at: datetime
    project: str
    model_name: str
    environment: str
    config_digest: Digest
    commit: str | None = None
    job_id: str
    registered_model_name: str
    model_version: int | None
    """That served most of the window's rows."""
    model_versions: dict[str, int] = {}
    """Rows by model version that made them."""
    rows: int
    reference: Reference | None
    drift: tuple[Comparison, ...] = ()
    prediction_drift: Comparison | None = None
    quality: tuple[QualityCheck, ...] = ()
    performance: tuple[PerformanceResult, ...] = ()
    labelled_rows: int | None = None
    labels_due: datetime | None = None
    """When the truth is complete; then ``performance.json`` follows. ``None``: nothing follows."""
    signals: tuple[SignalResult, ...]
    warnings: tuple[str, ...] = ()
    """What a reader should know besides: several model versions, files that could not be read."""
    profile_digest: Digest | None = None
    """Of ``profile.json`` beside this report; ``None`` where there were no rows to profile."""

    def signal(self, name: Signal) -> SignalResult:
        """What the window says about ``name``; a signal that was not computed is not judged."""
        for each in self.signals:
            if each.signal == name:
                return each
        return SignalResult(signal=name, violated=None, confirmed=False, reason="not computed")

    def to_json(self) -> bytes:
        """The report as it is stored: indented UTF-8 JSON with a final newline."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def with_performance(self, record: "PerformanceRecord") -> "MonitoringReport":
        """This report with what was learned about performance once the truth had arrived."""
        others = tuple(each for each in self.signals if each.signal != "performance")
        return self.model_copy(
            update={
                "performance": record.performance,
                "labelled_rows": record.labelled_rows,
                "labels_due": None,
                "signals": (*others, record.signal),
            }
        )


class PerformanceRecord(_Frozen):
    """A window's performance, judged after its report because the truth arrives later."""

    schema_version: Literal[1] = 1
    window_id: WindowId
    created_at: datetime
    project: str
    model_name: str
    environment: str
    config_digest: Digest
    commit: str | None = None
    job_id: str
    model_version: int | None
    performance: tuple[PerformanceResult, ...]
    labelled_rows: int
    signal: SignalResult

    def to_json(self) -> bytes:
        """The record as it is stored: indented UTF-8 JSON with a final newline."""
        return self.model_dump_json(indent=2).encode() + b"\n"
