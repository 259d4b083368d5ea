"""Every time series the system exposes: the one list that jobs, server, rules and dashboard share."""

from typing import Literal, NamedTuple

BASE_LABELS = ("project", "model", "environment")
"""On every series, together with ``metrics.labels`` of the monitoring file."""


class Series(NamedTuple):
    """One metric. Its full name is ``<metrics.namespace>_<suffix>``; counters end in ``_total``."""

    suffix: str
    type: Literal["gauge", "counter", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    """Besides :data:`BASE_LABELS`."""

    def name(self, namespace: str) -> str:
        """The full name."""
        return f"{namespace}_{self.suffix}"


# The monitoring job.
WINDOW_ROWS = Series("monitoring_window_rows", "gauge", "Rows in the newest window.")
WINDOW_END = Series("monitoring_window_end_timestamp_seconds", "gauge", "End of the newest window judged.")
FEATURE_DRIFT = Series(
    "feature_drift_value", "gauge", "Drift of a feature, by its method.", ("feature", "method")
)
FEATURE_DRIFTED = Series(
    "feature_drifted", "gauge", "1 when the feature drifts in the newest window.", ("feature",)
)
DRIFT_SHARE = Series("drift_share_fraction", "gauge", "Share of the features that drift, 0 to 1.")
PREDICTION_DRIFT = Series("prediction_drift_value", "gauge", "Drift of the predictions.", ("method",))
QUALITY_VIOLATIONS = Series("quality_violations", "gauge", "Checks of data quality that failed.")
PERFORMANCE = Series("performance", "gauge", "A metric against the truth.", ("metric",))
SIGNAL_VIOLATED = Series(
    "signal_violated", "gauge", "1 when the newest window violates the signal, 0 when not.", ("signal",)
)
SIGNAL_CONFIRMED = Series(
    "signal_confirmed", "gauge", "1 when the violation policy (k of n windows) confirms it.", ("signal",)
)

# Every job. The label is not `job`: Prometheus gives that name to the target it scrapes, and renames ours.
JOB_SUCCESS = Series(
    "job_last_success_timestamp_seconds", "gauge", "When the job last succeeded.", ("mlops_job",)
)
JOB_RUN = Series(
    "job_last_run_timestamp_seconds", "gauge", "When the job last ended, however.", ("mlops_job",)
)
JOB_SECONDS = Series("job_duration_seconds", "gauge", "How long the job's last run took.", ("mlops_job",))
JOB_FAILED = Series("job_failed", "gauge", "1 when the job's last run failed.", ("mlops_job",))
INTEGRITY_FAILED = Series(
    "config_integrity_failed",
    "gauge",
    "1 when the job found files that are not what their digest says.",
    ("mlops_job",),
)

# The model server.
REQUESTS = Series("requests_total", "counter", "Requests for predictions, by HTTP status.", ("code",))
REQUEST_SECONDS = Series("request_duration_seconds", "histogram", "Time a request for predictions took.")
ROWS_PREDICTED = Series("rows_predicted_total", "counter", "Rows predicted.")
ROWS_REFUSED = Series("rows_refused_total", "counter", "Rows refused because they break the schema.")
IN_FLIGHT = Series("requests_in_flight", "gauge", "Requests being answered.")
CAPTURE_DROPPED = Series("capture_rows_dropped_total", "counter", "Rows that could not be captured.")
SERVING_INFO = Series(
    "serving_info", "gauge", "Always 1; its labels say what serves.", ("model_version", "config_digest")
)

# Retraining.
RETRAIN_DECISION = Series("retrain_started", "gauge", "1 when the newest decision was to retrain.")
CHAMPION_VERSION = Series("champion_version", "gauge", "Version of the model that serves.")

ALL: tuple[Series, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Series))
