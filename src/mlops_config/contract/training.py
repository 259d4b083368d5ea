"""The training file: what data, which model, how it is judged, where it is trained."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.estimators import Estimator
from mlops_config.contract.field_types import (
    Column,
    Count,
    Fraction,
    Iso8601Duration,
    Items,
    OpenFraction,
    PositiveDuration,
    RegisteredModelName,
    Seed,
    ShortText,
    Uri,
    text,
)
from mlops_config.contract.header import ConfigModel, Header
from mlops_config.contract.metrics import MetricName

DataFormat = Literal["parquet", "csv", "jsonl"]


class DataSource(ConfigModel):
    """Where the rows lie."""

    uri: Uri = Field(
        description="A file, or a folder or pattern of partitions. file:// only in dev. Source: SageMaker S3Uri."
    )
    format: DataFormat = Field(default="parquet", description="How the rows are written.")
    version: (
        Annotated[str, text(r"^[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,255}$", examples=("2026-10-01",))] | None
    ) = Field(
        default=None,
        description="Snapshot: a version id, an ETag or a date of the data set. Needed in staging and prod.",
    )


class TrainingData(ConfigModel):
    """The rows to learn from."""

    source: DataSource = Field(description="Where the rows lie.")
    timestamp_column: Column | None = Field(
        default=None, description="Column that dates a row; in the schema."
    )
    entity_key: Column | None = Field(
        default=None, description="Column that says whom or what a row is about; in the schema."
    )
    window: PositiveDuration | None = Field(
        default=None, description="Only rows this recent, by timestamp_column; null is all rows."
    )


class _Feature(ConfigModel):
    name: Column = Field(description="Column.")
    required: bool = Field(default=True, description="The column must be there.")
    completeness_min_fraction: Fraction = Field(
        default=1.0,
        description="Least share of rows with a value. Source: Model Monitor constraints, completeness.",
    )


_Bounds = Annotated[tuple[float | None, float | None], Items(min_length=2, max_length=2)]
_Level = Annotated[str, Field(min_length=1, max_length=256)]


class IntegralFeature(_Feature):
    """Whole numbers."""

    type: Literal["integral"] = Field(description="Whole numbers. Source: Model Monitor inferred_type.")
    range: _Bounds | None = Field(
        default=None, description="Least and largest value, both allowed; null is unbounded on that side."
    )
    domain: Annotated[tuple[int, ...], Items(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="The only values allowed. Source: Model Monitor constraints, domains."
    )


class FractionalFeature(_Feature):
    """Numbers with a fraction."""

    type: Literal["fractional"] = Field(
        description="Numbers with a fraction. Source: Model Monitor inferred_type."
    )
    range: _Bounds | None = Field(
        default=None, description="Least and largest value, both allowed; null is unbounded on that side."
    )


class StringFeature(_Feature):
    """Text, taken as categories."""

    type: Literal["string"] = Field(description="Text. Source: Model Monitor inferred_type.")
    domain: Annotated[tuple[_Level, ...], Items(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="The only values allowed. Source: Model Monitor constraints, domains."
    )


class BooleanFeature(_Feature):
    """True or false."""

    type: Literal["boolean"] = Field(description="True or false.")


class TimestampFeature(_Feature):
    """A point in time."""

    type: Literal["timestamp"] = Field(description="A point in time.")


Feature = Annotated[
    IntegralFeature | FractionalFeature | StringFeature | BooleanFeature | TimestampFeature,
    Field(discriminator="type"),
]


class RegressionTarget(ConfigModel):
    """A number to predict."""

    name: Column = Field(description="Column to predict; not a feature.")
    problem_type: Literal["regression"] = Field(description="A number is predicted.")
    range: _Bounds | None = Field(
        default=None, description="Least and largest value, both allowed; null is unbounded on that side."
    )


class BinaryTarget(ConfigModel):
    """One of two classes to predict."""

    name: Column = Field(description="Column to predict; not a feature.")
    problem_type: Literal["binary_classification"] = Field(description="One of two classes is predicted.")
    positive_class: bool | int | _Level | None = Field(
        default=None, description="The class that precision and recall are about; null is true, or 1."
    )


class MulticlassTarget(ConfigModel):
    """One of several classes to predict."""

    name: Column = Field(description="Column to predict; not a feature.")
    problem_type: Literal["multiclass_classification"] = Field(
        description="One of several classes is predicted."
    )
    classes: Annotated[tuple[int | _Level, ...], Items(min_length=3, max_length=10_000)] | None = Field(
        default=None, description="The classes, where they are known beforehand."
    )


Target = Annotated[RegressionTarget | BinaryTarget | MulticlassTarget, Field(discriminator="problem_type")]


class TableSchema(ConfigModel):
    """The columns of the data."""

    features: Annotated[tuple[Feature, ...], Items(min_length=1, max_length=5_000)] = Field(
        description="Columns the model learns from; names are unique."
    )
    target: Target = Field(description="The column to predict.")
    identifiers: Annotated[tuple[Feature, ...], Items(max_length=64)] = Field(
        default=(), description="Columns that name or date a row and are never fed to the model."
    )


class RandomSplit(ConfigModel):
    """Rows at random."""

    strategy: Literal["random"] = Field(description="Rows at random.")
    test_fraction: OpenFraction = Field(default=0.2, description="Share of the rows held out for the gate.")
    validation_fraction: OpenFraction = Field(
        default=0.1, description="Share of the rows held out for tuning."
    )
    seed: Seed | None = Field(default=None, description="Seed of the draw; null is random_seed.")


class TimeSplit(ConfigModel):
    """The newest rows are held out, by data.timestamp_column."""

    strategy: Literal["time"] = Field(description="The newest rows are held out, by data.timestamp_column.")
    test_fraction: OpenFraction = Field(default=0.2, description="Share of the rows held out for the gate.")
    validation_fraction: OpenFraction = Field(
        default=0.1, description="Share of the rows held out for tuning."
    )


class GroupSplit(ConfigModel):
    """All rows of one key fall on the same side, keys at random."""

    strategy: Literal["group"] = Field(
        description="All rows of one key fall on the same side, keys at random."
    )
    key: Column | None = Field(default=None, description="The key; null is data.entity_key.")
    test_fraction: OpenFraction = Field(default=0.2, description="Share of the keys held out for the gate.")
    validation_fraction: OpenFraction = Field(
        default=0.1, description="Share of the keys held out for tuning."
    )
    seed: Seed | None = Field(default=None, description="Seed of the draw; null is random_seed.")


class HashSplit(ConfigModel):
    """A hash of the key decides, so a row stays on its side when data is added."""

    strategy: Literal["hash"] = Field(
        description="A hash of the key decides; a row stays on its side for ever."
    )
    key: Column | None = Field(default=None, description="The key; null is data.entity_key.")
    test_fraction: OpenFraction = Field(default=0.2, description="Share of the keys held out for the gate.")
    validation_fraction: OpenFraction = Field(
        default=0.1, description="Share of the keys held out for tuning."
    )
    seed: Seed | None = Field(default=None, description="Salt of the hash; null is random_seed.")


Split = Annotated[RandomSplit | TimeSplit | GroupSplit | HashSplit, Field(discriminator="strategy")]


class FloatSpace(ConfigModel):
    """Numbers to try."""

    type: Literal["float"] = Field(description="Numbers with a fraction.")
    low: float = Field(description="Least value.")
    high: float = Field(description="Largest value.")
    log: bool = Field(default=False, description="Draw by order of magnitude.")


class IntegerSpace(ConfigModel):
    """Whole numbers to try."""

    type: Literal["integer"] = Field(description="Whole numbers.")
    low: int = Field(ge=-(2**31), le=2**31 - 1, description="Least value.")
    high: int = Field(ge=-(2**31), le=2**31 - 1, description="Largest value.")
    step: Count = Field(default=1, description="Distance of the values.")
    log: bool = Field(default=False, description="Draw by order of magnitude.")


class ChoiceSpace(ConfigModel):
    """Values to try."""

    type: Literal["choice"] = Field(description="One of the listed values.")
    values: Annotated[
        tuple[bool | int | float | _Level | None, ...], Items(min_length=2, max_length=1_000)
    ] = Field(description="The values.")


SearchSpace = Annotated[FloatSpace | IntegerSpace | ChoiceSpace, Field(discriminator="type")]


class Tuning(ConfigModel):
    """A search for better hyperparameters before the model is trained."""

    strategy: Literal["grid", "random", "bayesian"] = Field(
        default="random",
        description="How the next values are picked. Source: SageMaker HyperParameterTuningJobStrategyType.",
    )
    max_trials: Annotated[int, Field(ge=1, le=500)] = Field(default=20, description="Most trials.")
    max_parallel: Annotated[int, Field(ge=1, le=500)] = Field(
        default=1, description="Trials at a time; at most max_trials."
    )
    space: Annotated[
        dict[Annotated[str, text(r"^[A-Za-z][A-Za-z0-9_]{0,63}$")], SearchSpace],
        Field(min_length=1, max_length=30),
    ] = Field(description="Values to try, by hyperparameter of the estimator.")


class MetricThreshold(ConfigModel):
    """What a metric must reach; the names are those of MLflow's MetricThreshold. At least one is given."""

    threshold: float | None = Field(default=None, description="Least value, or most where lower is better.")
    min_absolute_change: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="Least improvement on the champion, in the metric's unit."
    )
    min_relative_change: Fraction | None = Field(
        default=None, description="Least improvement on the champion, as a fraction of the champion's value."
    )


class Slice(ConfigModel):
    """A part of the data that is judged by itself."""

    column: Column = Field(description="Column whose values make the slices; in the schema.")
    min_rows: Count = Field(default=100, description="A slice with fewer rows is not judged.")
    thresholds: Annotated[dict[MetricName, MetricThreshold], Field(min_length=1)] = Field(
        description="What each slice must reach, by metric."
    )


class Evaluation(ConfigModel):
    """How the model is judged. A missing or NaN metric fails."""

    metrics: Annotated[tuple[MetricName, ...], Items(min_length=1, max_length=20)] = Field(
        description="Metrics computed; they fit the problem type."
    )
    primary: MetricName = Field(description="The metric that ranks models; one of metrics.")
    thresholds: dict[MetricName, MetricThreshold] = Field(
        default_factory=dict, description="What the model must reach, by metric; at least one in prod."
    )
    slices: Annotated[tuple[Slice, ...], Items(max_length=50)] = Field(
        default=(), description="Parts of the data that are judged by themselves."
    )


class Baseline(ConfigModel):
    """The reference profile stored with the model, which drift is measured against."""

    bins: Annotated[int, Field(ge=5, le=50)] = Field(default=10, description="Bins of a numeric feature.")
    max_sample_rows: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        default=100_000, description="Most rows the profile is made from."
    )
    quantile_binning: bool = Field(default=True, description="Bins of equal count, not of equal width.")


class LocalCompute(ConfigModel):
    """The machine the job runs on."""

    target: Literal["local"] = Field(description="The machine the job runs on.")
    max_runtime: Annotated[timedelta, Iso8601Duration(timedelta(seconds=1), timedelta(days=28))] = Field(
        default=timedelta(days=1), description="The job is stopped after it."
    )


class _CloudCompute(ConfigModel):
    instance_count: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="Machines.")
    volume_size_gib: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=30,
        description="Disk of each machine, GiB. Source: SageMaker ProcessingVolumeSizeInGB, 1 to 16384.",
    )
    max_runtime: Annotated[timedelta, Iso8601Duration(timedelta(seconds=1), timedelta(days=28))] = Field(
        default=timedelta(days=1),
        description="The job is stopped after it. Source: SageMaker StoppingCondition, default 1 day, at most 28.",
    )
    use_spot: bool = Field(default=False, description="Cheaper capacity that may be taken back.")
    max_wait: Annotated[timedelta, Iso8601Duration(timedelta(seconds=1), timedelta(days=28))] | None = Field(
        default=None,
        description=(
            "Waiting for capacity and running together; at least max_runtime, with use_spot only."
            " Source: SageMaker StoppingCondition."
        ),
    )


class AwsCompute(_CloudCompute):
    """A SageMaker training job."""

    target: Literal["aws"] = Field(description="A SageMaker training job.")
    instance_type: Annotated[
        str, text(r"^ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+$", max_length=64, examples=("ml.m5.xlarge",))
    ] = Field(description="Machine type. Source: SageMaker TrainingInstanceType.")


class GcpCompute(_CloudCompute):
    """A Vertex AI custom job."""

    target: Literal["gcp"] = Field(description="A Vertex AI custom job.")
    instance_type: Annotated[
        str, text(r"^[a-z][a-z0-9]*(?:-[a-z0-9]+){1,4}$", max_length=64, examples=("n2-standard-4",))
    ] = Field(description="Machine type. Source: Compute Engine machine types.")


Compute = Annotated[LocalCompute | AwsCompute | GcpCompute, Field(discriminator="target")]


class Tracking(ConfigModel):
    """Where runs and models are recorded."""

    registered_model_name: RegisteredModelName = Field(
        description="Name in the model registry; of one environment only. Source: SageMaker EntityName, 63."
    )
    experiment_name: Annotated[str, text(r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,249}$")] | None = Field(
        default=None,
        description="Experiment the runs belong to; null is <project>/<model_name>/<environment>.",
    )
    tags: Annotated[
        dict[Annotated[str, text(r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$")], ShortText], Field(max_length=40)
    ] = Field(
        default_factory=dict, description="Tags of the run and the model version; the prefix mlops. is ours."
    )


def _random_split() -> RandomSplit:
    return RandomSplit(strategy="random")


def _local_compute() -> LocalCompute:
    return LocalCompute(target="local")


class TrainingConfig(Header):
    """What data, which model, how it is judged, where it is trained."""

    kind: Literal["training"] = Field(description="This is a training file.")
    data: TrainingData = Field(description="The rows to learn from.")
    schema_: TableSchema = Field(alias="schema", description="The columns of the data.")
    split: Split = Field(default_factory=_random_split, description="How rows are held out.")
    estimator: Estimator = Field(description="The model and its hyperparameters.")
    tuning: Tuning | None = Field(
        default=None, description="Search for better hyperparameters; null is none."
    )
    evaluation: Evaluation = Field(description="How the model is judged.")
    baseline: Baseline = Field(default_factory=Baseline, description="The profile drift is measured against.")
    compute: Compute = Field(default_factory=_local_compute, description="Where the job runs.")
    tracking: Tracking = Field(description="Where runs and models are recorded.")
    random_seed: Seed = Field(description="Seed of everything random in the job.")
