"""The training file: what data, which model, how it is judged, where it is trained."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.estimators import Estimator
from mlops_config.contract.models.evaluation import Evaluation
from mlops_config.contract.models.field_types import (
    Column,
    Count,
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
from mlops_config.contract.models.header import Header
from mlops_config.contract.models.model_base import ConfigModel
from mlops_config.contract.models.tables import TableSchema

DataFormat = Literal["parquet", "csv", "jsonl"]

_DataVersion = Annotated[
    str, text("data version", r"^[A-Za-z0-9][A-Za-z0-9._:+/=-]{0,255}$", "2026-10-01", "sha256:9f86d081")
]
_HyperparameterName = Annotated[str, text("hyperparameter", r"^[A-Za-z][A-Za-z0-9_]{0,63}$", "learning_rate")]
_ExperimentName = Annotated[
    str, text("experiment name", r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,249}$", "city-taxi/trip-fare/prod")
]
_TagKey = Annotated[str, text("tag key", r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$", "team")]
_SageMakerInstanceType = Annotated[
    str, text("SageMaker instance type", r"^ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+$", "ml.m5.xlarge", max_length=64)
]
_MachineType = Annotated[
    str, text("machine type", r"^[a-z][a-z0-9]*(?:-[a-z0-9]+){1,4}$", "n2-standard-4", max_length=64)
]
_Runtime = Annotated[timedelta, Iso8601Duration(ge=timedelta(seconds=1), le=timedelta(days=28))]


class DataSource(ConfigModel):
    """Where the rows lie."""

    uri: Uri = Field(
        description=(
            "A file, or a folder or pattern of partitions; file:// only in dev."
            " Source: SageMaker S3Uri, 1024."
        )
    )
    format: DataFormat = Field(default="parquet", description="How the rows are written.")
    version: _DataVersion | None = Field(
        default=None,
        description="Snapshot: a version id, an ETag or a date of the data. Needed in staging and prod.",
    )


class TrainingData(ConfigModel):
    """The rows to learn from."""

    source: DataSource = Field(description="Where the rows lie.")
    timestamp_column: Column | None = Field(
        default=None, description="Column that dates a row; in the schema, of type timestamp."
    )
    entity_key: Column | None = Field(
        default=None, description="Column that says whom or what a row is about; in the schema."
    )
    window: PositiveDuration | None = Field(
        default=None, description="Only rows this recent, by timestamp_column; null is all rows."
    )


class _Split(ConfigModel):
    strategy: str
    test_fraction: OpenFraction = Field(default=0.2, description="Share held out for the gate.")
    validation_fraction: OpenFraction = Field(default=0.1, description="Share held out for tuning.")


class RandomSplit(_Split):
    """Rows at random."""

    strategy: Literal["random"] = Field(description="Rows at random.")
    seed: Seed | None = Field(default=None, description="Seed of the draw; null is random_seed.")


class TimeSplit(_Split):
    """The newest rows are held out, by data.timestamp_column."""

    strategy: Literal["time"] = Field(description="The newest rows are held out, by data.timestamp_column.")


class GroupSplit(_Split):
    """All rows of one key fall on the same side, keys at random."""

    strategy: Literal["group"] = Field(
        description="All rows of one key fall on the same side, keys at random."
    )
    key: Column | None = Field(default=None, description="The key; null is data.entity_key.")
    seed: Seed | None = Field(default=None, description="Seed of the draw; null is random_seed.")


class HashSplit(_Split):
    """A hash of the key decides, so a row stays on its side when data is added."""

    strategy: Literal["hash"] = Field(
        description="A hash of the key decides, so a row stays on its side when data is added."
    )
    key: Column | None = Field(default=None, description="The key; null is data.entity_key.")
    seed: Seed | None = Field(default=None, description="Salt of the hash; null is random_seed.")


Split = Annotated[RandomSplit | TimeSplit | GroupSplit | HashSplit, Field(discriminator="strategy")]


class FloatSpace(ConfigModel):
    """Numbers to try."""

    type: Literal["float"] = Field(description="Numbers with a fraction.")
    low: float = Field(description="Least value.")
    high: float = Field(description="Largest value, above low.")
    log: bool = Field(default=False, description="Draw by order of magnitude; low is above 0.")


class IntegerSpace(ConfigModel):
    """Whole numbers to try."""

    type: Literal["integer"] = Field(description="Whole numbers.")
    low: int = Field(description="Least value.")
    high: int = Field(description="Largest value, above low.")
    step: Count = Field(default=1, description="Distance of the values.")
    log: bool = Field(default=False, description="Draw by order of magnitude; low is above 0.")


class ChoiceSpace(ConfigModel):
    """Values to try."""

    type: Literal["choice"] = Field(description="One of the listed values.")
    values: Annotated[
        tuple[bool | int | float | ShortText | None, ...], Items(min_length=2, max_length=1_000)
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
    space: Annotated[dict[_HyperparameterName, SearchSpace], Field(min_length=1, max_length=30)] = Field(
        description="Values to try, by hyperparameter of the estimator."
    )


class Baseline(ConfigModel):
    """The reference profile stored with the model, which drift is measured against."""

    bins: Annotated[int, Field(ge=5, le=50)] = Field(default=10, description="Bins of a numeric feature.")
    max_sample_rows: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        default=100_000, description="Most rows the profile is made from."
    )
    quantile_binning: bool = Field(default=True, description="Bins of equal count, not of equal width.")


class LocalCompute(ConfigModel):
    """The machine the job is started on."""

    target: Literal["local"] = Field(description="The machine the job is started on.")
    max_runtime: _Runtime = Field(default=timedelta(days=1), description="The job is stopped after it.")


class _CloudCompute(ConfigModel):
    target: str
    instance_type: str
    instance_count: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="Machines.")
    volume_size_gib: Annotated[int, Field(ge=1, le=16_384)] = Field(
        default=30,
        description="Disk of each machine. Source: SageMaker ProcessingVolumeSizeInGB, 1 to 16384.",
    )
    max_runtime: _Runtime = Field(
        default=timedelta(days=1),
        description="The job is stopped after it. Source: SageMaker StoppingCondition, at most 28 days.",
    )
    use_spot: bool = Field(default=False, description="Cheaper capacity that may be taken back.")
    max_wait: _Runtime | None = Field(
        default=None,
        description=(
            "Waiting for capacity and running together; at least max_runtime, and only with use_spot."
            " Source: SageMaker StoppingCondition."
        ),
    )


class AwsCompute(_CloudCompute):
    """A SageMaker training job."""

    target: Literal["aws"] = Field(description="A SageMaker training job.")
    instance_type: _SageMakerInstanceType = Field(
        description="Machine type. Source: SageMaker TrainingInstanceType."
    )


class GcpCompute(_CloudCompute):
    """A Vertex AI custom job."""

    target: Literal["gcp"] = Field(description="A Vertex AI custom job.")
    instance_type: _MachineType = Field(description="Machine type. Source: Compute Engine machine types.")


Compute = Annotated[LocalCompute | AwsCompute | GcpCompute, Field(discriminator="target")]


class Tracking(ConfigModel):
    """Where runs and models are recorded."""

    registered_model_name: RegisteredModelName = Field(
        description="Name in the model registry; of one environment only. Source: SageMaker EntityName, 63."
    )
    experiment_name: _ExperimentName | None = Field(
        default=None,
        description="Experiment the runs belong to; null is <project>/<model_name>/<environment>.",
    )
    tags: Annotated[dict[_TagKey, ShortText], Field(max_length=40)] = Field(
        default_factory=dict,
        description="Tags of the run and of the model version; names beginning with mlops. are ours.",
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
