"""The monitoring file: what is compared with what, how often, and who is told when it differs."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.metrics import MetricName
from mlops_config.contract.models.evaluation import MetricThreshold
from mlops_config.contract.models.field_types import (
    Column,
    Count,
    Duration,
    Fraction,
    HttpsUrl,
    Iso8601Duration,
    Items,
    MetricsNamespace,
    Name,
    OpenFraction,
    PositiveDuration,
    PositiveFraction,
    PrometheusLabel,
    ShortText,
    Uri,
)
from mlops_config.contract.models.header import Header, Schedule
from mlops_config.contract.models.model_base import ConfigModel

_Bins = Annotated[int, Field(ge=5, le=50)]


class BaselineReference(ConfigModel):
    """The profile stored with the model version that serves."""

    type: Literal["training_baseline"] = Field(
        description="The profile stored with the model version that serves."
    )


class PreviousWindowReference(ConfigModel):
    """The window before this one."""

    type: Literal["previous_window"] = Field(description="The window before this one; not in prod.")


class UriReference(ConfigModel):
    """A profile or data set of its own."""

    type: Literal["uri"] = Field(description="A profile or data set of its own; not in prod.")
    uri: Uri = Field(description="Where it lies.")
    rows: Count | None = Field(default=None, description="Rows it was made from, where known.")


Reference = Annotated[BaselineReference | PreviousWindowReference | UriReference, Field(discriminator="type")]


class PsiNumeric(ConfigModel):
    """Population stability index over bins."""

    method: Literal["psi"] = Field(description="Population stability index over bins; from 0, unbounded.")
    threshold: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.2,
        description="Drift above it. Source: Evidently uses 0.1; below the noise floor it is refused.",
    )
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")
    bins: _Bins = Field(default=10, description="Bins; those of the training baseline.")


class KolmogorovSmirnov(ConfigModel):
    """Two-sample Kolmogorov-Smirnov test."""

    method: Literal["ks"] = Field(description="Two-sample Kolmogorov-Smirnov test; a p-value.")
    threshold: OpenFraction = Field(default=0.05, description="Drift when the p-value is below it.")
    direction: Literal["below"] = Field(default="below", description="A smaller p-value is more drift.")


class Wasserstein(ConfigModel):
    """Wasserstein distance divided by the reference's standard deviation."""

    method: Literal["wasserstein"] = Field(
        description="Wasserstein distance in standard deviations of the reference; from 0, unbounded."
    )
    threshold: Annotated[float, Field(gt=0, le=100)] = Field(
        default=0.1, description="Drift above it. Source: Evidently."
    )
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")


class JensenShannonNumeric(ConfigModel):
    """Jensen-Shannon distance over bins."""

    method: Literal["jensen_shannon"] = Field(description="Jensen-Shannon distance over bins; 0 to 1.")
    threshold: OpenFraction = Field(
        default=0.1, description="Drift above it. Source: Evidently; Vertex uses 0.3."
    )
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")
    bins: _Bins = Field(default=10, description="Bins; those of the training baseline.")


NumericDrift = Annotated[
    PsiNumeric | KolmogorovSmirnov | Wasserstein | JensenShannonNumeric, Field(discriminator="method")
]


class _Categorical(ConfigModel):
    method: str
    threshold: float
    direction: str
    other_bucket_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.01, description="Categories rarer than this in the reference are taken together."
    )


class PsiCategorical(_Categorical):
    """Population stability index over categories."""

    method: Literal["psi"] = Field(
        description="Population stability index over categories; from 0, unbounded."
    )
    threshold: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.2,
        description="Drift above it. Source: Evidently uses 0.1; below the noise floor it is refused.",
    )
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")


class ChiSquare(_Categorical):
    """Chi-square test over categories."""

    method: Literal["chi_square"] = Field(description="Chi-square test over categories; a p-value.")
    threshold: OpenFraction = Field(default=0.05, description="Drift when the p-value is below it.")
    direction: Literal["below"] = Field(default="below", description="A smaller p-value is more drift.")


class JensenShannonCategorical(_Categorical):
    """Jensen-Shannon distance over categories."""

    method: Literal["jensen_shannon"] = Field(description="Jensen-Shannon distance over categories; 0 to 1.")
    threshold: OpenFraction = Field(default=0.1, description="Drift above it. Source: Evidently.")
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")


class LInfinity(_Categorical):
    """Largest change of any category's share."""

    method: Literal["l_infinity"] = Field(description="Largest change of any category's share; 0 to 1.")
    threshold: OpenFraction = Field(default=0.3, description="Drift above it. Source: Vertex AI's default.")
    direction: Literal["above"] = Field(default="above", description="A larger value is more drift.")


CategoricalDrift = Annotated[
    PsiCategorical | ChiSquare | JensenShannonCategorical | LInfinity, Field(discriminator="method")
]


def _psi_numeric() -> PsiNumeric:
    return PsiNumeric(method="psi")


def _psi_categorical() -> PsiCategorical:
    return PsiCategorical(method="psi")


class FeatureDrift(ConfigModel):
    """What differs for one feature."""

    ignore: bool = Field(default=False, description="The feature is not compared; nothing else may be given.")
    numeric: NumericDrift | None = Field(default=None, description="Method of this numeric feature.")
    categorical: CategoricalDrift | None = Field(
        default=None, description="Method of this categorical feature."
    )


class Drift(ConfigModel):
    """When the features differ from the reference."""

    numeric: NumericDrift = Field(default_factory=_psi_numeric, description="Method of numeric features.")
    categorical: CategoricalDrift = Field(
        default_factory=_psi_categorical, description="Method of string and boolean features."
    )
    features: Annotated[dict[Column, FeatureDrift], Field(max_length=5_000)] = Field(
        default_factory=dict, description="What differs for single features; names of the training schema."
    )
    min_samples: Annotated[int, Field(ge=30, le=1_000_000_000)] = Field(
        default=1_000,
        description="A window with fewer rows is not judged; high enough for the thresholds' noise floor.",
    )
    drift_share_fraction: PositiveFraction = Field(
        default=0.5,
        description="The data set drifts when this share of the features does. Source: Evidently, 0.5.",
    )
    important_features: Annotated[tuple[Column, ...], Items(max_length=5_000)] = Field(
        default=(), description="The data set drifts when any of these does."
    )
    multiple_testing: Literal["none", "bonferroni", "benjamini_hochberg"] = Field(
        default="benjamini_hochberg", description="Correction of p-values over the features."
    )


class Quality(ConfigModel):
    """When the data itself is bad."""

    completeness_min_fraction: Fraction = Field(
        default=0.95, description="Least share of rows with a value, where the feature says nothing."
    )
    datatype_check_threshold: Fraction = Field(
        default=0.1,
        description="Largest share of values of a wrong type. Source: Model Monitor, 0.1.",
    )
    domain_content_threshold: Fraction = Field(
        default=0.1,
        description="Largest share of values outside the domain. Source: Model Monitor, 0.1.",
    )
    max_duplicate_fraction: Fraction = Field(default=0.05, description="Largest share of rows seen before.")
    freshness_max_age: PositiveDuration = Field(
        default=timedelta(days=2), description="The newest row is at most this old."
    )


class PredictionDrift(ConfigModel):
    """When the predictions differ from the reference."""

    enabled: bool = Field(default=True, description="Compare predictions too.")
    numeric: NumericDrift = Field(default_factory=_psi_numeric, description="Method of a numeric prediction.")
    categorical: CategoricalDrift = Field(
        default_factory=_psi_categorical, description="Method of a predicted class."
    )
    min_samples: Annotated[int, Field(ge=30, le=1_000_000_000)] = Field(
        default=1_000, description="A window with fewer rows is not judged."
    )


class Performance(ConfigModel):
    """How good predictions were, once the truth is known."""

    labels_uri: Uri = Field(description="Where the truth arrives.")
    join_key: Column = Field(default="prediction_id", description="Column that joins truth and prediction.")
    label_delay: Duration = Field(default=timedelta(days=1), description="The truth is complete after it.")
    min_labels: Count = Field(default=100, description="Fewer labelled rows are not judged.")
    thresholds: Annotated[dict[MetricName, MetricThreshold], Field(min_length=1)] = Field(
        description="What each metric must reach; metrics of the training file."
    )


class ViolationPolicy(ConfigModel):
    """k of the last n windows, the newest among them, make a violation count."""

    evaluation_windows: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="Windows looked at (n). Source: Databricks MLOps Stacks, 5."
    )
    violation_windows: Annotated[int, Field(ge=1, le=100)] = Field(
        default=2, description="Windows that must violate (k), at most n. Source: Databricks MLOps Stacks, 2."
    )
    newest_must_violate: bool = Field(default=True, description="The newest window is one of them.")


class Metrics(ConfigModel):
    """How results reach Prometheus."""

    namespace: MetricsNamespace = Field(
        default="mlops",
        description="Prefix of every metric. Source: Prometheus metric names, without the colon.",
    )
    transport: Literal["textfile", "pushgateway", "scrape"] = Field(
        default="textfile", description="node_exporter text file, push gateway, or an endpoint to scrape."
    )
    labels: Annotated[dict[PrometheusLabel, ShortText], Field(max_length=20)] = Field(
        default_factory=dict, description="Labels put on every metric. Source: Prometheus label names."
    )
    max_feature_series: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=200, description="Most features with a series of their own; the rest is summed up."
    )


class _Alert(ConfigModel):
    name: Name = Field(description="Name of the alert; unique, and what rollbacks refer to.")
    signal: str
    op: Literal["gt", "ge", "lt", "le"] | None = Field(
        default=None,
        description="Fires when the value is greater, less … than the threshold; null is the signal's own.",
    )
    threshold: float | None = Field(
        default=None, description="Fires beyond it; null is the value this configuration gives elsewhere."
    )
    for_: Annotated[timedelta, Iso8601Duration(timedelta(0), timedelta(days=30))] = Field(
        default=timedelta(0),
        alias="for",
        description="It must hold this long. Source: Prometheus alerting rules.",
    )
    severity: Literal["page", "ticket"] = Field(
        default="ticket", description="Wakes someone, or waits for the morning."
    )
    runbook_url: HttpsUrl | None = Field(
        default=None, description="What to do when it fires; needed in prod for a page."
    )


class DriftAlert(_Alert):
    """Features or predictions drift."""

    signal: Literal["drift", "prediction_drift"] = Field(description="Features or predictions drift.")
    feature: Column | None = Field(default=None, description="This feature; null is the share of features.")


class PerformanceAlert(_Alert):
    """A metric against the truth is bad."""

    signal: Literal["performance"] = Field(description="A metric against the truth is bad.")
    metric: MetricName = Field(description="The metric; one of performance.thresholds.")


class ServiceAlert(_Alert):
    """Data quality, the service, or the loop itself is bad."""

    signal: Literal["quality", "latency", "errors", "availability", "integrity", "staleness"] = Field(
        description=(
            "Data quality; latency, errors and availability of the service; a config digest that does not"
            " match; monitoring that did not run."
        )
    )


Alert = Annotated[DriftAlert | PerformanceAlert | ServiceAlert, Field(discriminator="signal")]


class Report(ConfigModel):
    """Where reports are kept, one a window, never overwritten. Retraining decides by them."""

    destination_uri: Uri = Field(description="Where they go; of this environment only.")
    retention: PositiveDuration = Field(default=timedelta(days=365), description="Deleted after it.")


def _baseline_reference() -> BaselineReference:
    return BaselineReference(type="training_baseline")


class MonitoringConfig(Header):
    """What is compared with what, how often, and who is told when it differs."""

    kind: Literal["monitoring"] = Field(description="This is a monitoring file.")
    enabled: bool = Field(default=True, description="Monitoring runs.")
    schedule: Schedule = Field(
        description="When a window is judged; at most hourly on aws. Source: SageMaker ScheduleExpression."
    )
    window: PositiveDuration = Field(default=timedelta(days=1), description="Length of a window.")
    allow_overlap: bool = Field(
        default=False,
        description="Windows may be longer than the time between runs, so that they share rows.",
    )
    delay: Duration = Field(default=timedelta(0), description="A window is judged this long after its end.")
    reference: Reference = Field(
        default_factory=_baseline_reference, description="What a window is compared with."
    )
    drift: Drift = Field(default_factory=Drift, description="When the features differ from the reference.")
    prediction_drift: PredictionDrift = Field(
        default_factory=PredictionDrift, description="When the predictions differ from the reference."
    )
    quality: Quality = Field(default_factory=Quality, description="When the data itself is bad.")
    performance: Performance | None = Field(
        default=None, description="How good predictions were, once the truth is known; null is never."
    )
    violation_policy: ViolationPolicy = Field(
        default_factory=ViolationPolicy, description="How many windows make a violation count."
    )
    metrics: Metrics = Field(default_factory=Metrics, description="How results reach Prometheus.")
    alerts: Annotated[tuple[Alert, ...], Items(max_length=200)] = Field(
        default=(), description="Who is told when; names are unique."
    )
    report: Report = Field(description="Where reports are kept.")
