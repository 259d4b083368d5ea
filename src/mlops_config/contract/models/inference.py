"""The inference file: which model version serves, where, how it is rolled out, and what is recorded of it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.field_types import (
    CaptureUri,
    Column,
    Count,
    EndpointName,
    Fraction,
    Iso8601Duration,
    Items,
    ModelAlias,
    Name,
    Percent,
    PositiveDuration,
    RegisteredModelName,
    RoleRef,
    ServiceAccountRef,
    TimeOfDay,
    Uri,
    text,
)
from mlops_config.contract.models.header import Header, Schedule
from mlops_config.contract.models.model_base import ConfigModel
from mlops_config.contract.models.training import DataFormat

RECORD_COLUMNS = ("prediction_id", "event_time", "model_version", "config_digest")
"""Written with every prediction, whatever the file says."""

_ONE_HOUR = timedelta(hours=1)
_Wait = Annotated[timedelta, Iso8601Duration(timedelta(0), _ONE_HOUR)]
_AwsRegion = Annotated[
    str, text("AWS region", r"^[a-z]{2,4}(?:-[a-z]+)+-[0-9]$", "eu-central-1", max_length=32)
]
_AwsAccount = Annotated[str, text("AWS account", r"^[0-9]{12}$", "111122223333")]
_GcpProject = Annotated[str, text("project id", r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$", "acme-fares-prod")]
_GcpRegion = Annotated[str, text("Google Cloud region", r"^[a-z]+-[a-z]+[0-9]{1,2}$", "europe-west4")]
_InstanceType = Annotated[
    str,
    text(
        "instance or machine type",
        r"^(?:ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+|[a-z][a-z0-9]*(?:-[a-z0-9]+){1,4})$",
        "ml.m5.large",
        "n2-standard-2",
        max_length=64,
    ),
]


class ServedModel(ConfigModel):
    """Which version of the registered model serves: an alias or a version, exactly one."""

    registered_model_name: RegisteredModelName = Field(description="As in the training file's tracking.")
    alias: ModelAlias | None = Field(
        default=None, description="The version that carries this alias, such as champion; not latest."
    )
    version: Count | None = Field(
        default=None, description="This version, pinned. Source: MLflow model versions."
    )


class LocalDeployer(ConfigModel):
    """An HTTP server on this machine's loopback address."""

    target: Literal["local"] = Field(description="An HTTP server on this machine's loopback address.")
    port: Annotated[int, Field(ge=1024, le=65_535)] = Field(default=8080, description="Port it listens on.")


class AwsDeployer(ConfigModel):
    """SageMaker."""

    target: Literal["aws"] = Field(description="SageMaker.")
    region: _AwsRegion = Field(description="AWS region.")
    account_id: _AwsAccount = Field(description="AWS account, 12 digits, quoted.")
    role: RoleRef = Field(
        description="Execution role: an ARN, or the secret that holds it. Source: SageMaker RoleArn."
    )
    allow_cross_cloud: bool = Field(
        default=False, description="Accept that training runs on another cloud than serving."
    )


class GcpDeployer(ConfigModel):
    """Vertex AI."""

    target: Literal["gcp"] = Field(description="Vertex AI.")
    project: _GcpProject = Field(description="Google Cloud project id.")
    location: _GcpRegion = Field(description="Google Cloud region.")
    service_account: ServiceAccountRef = Field(
        description="Service account: its e-mail address, or the secret that holds it."
    )
    allow_cross_cloud: bool = Field(
        default=False, description="Accept that training runs on another cloud than serving."
    )


Deployer = Annotated[LocalDeployer | AwsDeployer | GcpDeployer, Field(discriminator="target")]


class _Rollout(ConfigModel):
    type: str
    wait: _Wait
    termination_wait: _Wait = Field(
        default=timedelta(0),
        description=(
            "The old fleet is kept this long after the switch."
            " Source: SageMaker TerminationWaitInSeconds, 0 to 3600 s."
        ),
    )
    timeout: Annotated[timedelta, Iso8601Duration(timedelta(minutes=10), timedelta(hours=8))] = Field(
        default=_ONE_HOUR,
        description=(
            "The rollout fails after it; longer than all waits together."
            " Source: SageMaker MaximumExecutionTimeoutInSeconds, 600 to 28800 s."
        ),
    )
    rollback_alarms: Annotated[tuple[Name, ...], Items(max_length=10)] = Field(
        default=(),
        description=(
            "Alerts of the monitoring file that undo the rollout when they fire."
            " Source: SageMaker AlarmList, at most 10."
        ),
    )


class AllAtOnceRollout(_Rollout):
    """All traffic moves at once."""

    type: Literal["all_at_once"] = Field(description="All traffic moves at once; not in prod.")
    wait: _Wait = Field(
        default=timedelta(0),
        description="Time to watch the new fleet. Source: SageMaker WaitIntervalInSeconds.",
    )


class CanaryRollout(_Rollout):
    """A small share of the traffic moves first; the rest after a watch without alarm."""

    type: Literal["canary"] = Field(
        description="A small share moves first, the rest after a watch without alarm."
    )
    canary_percent: Annotated[int, Field(ge=1, le=50)] = Field(
        default=10, description="Share that moves first. Source: SageMaker CanarySize, at most 50 %."
    )
    wait: _Wait = Field(
        default=timedelta(minutes=10),
        description="Time to watch the first share. Source: SageMaker WaitIntervalInSeconds, 0 to 3600 s.",
    )


class LinearRollout(_Rollout):
    """Traffic moves in equal steps with a watch after each."""

    type: Literal["linear"] = Field(description="Traffic moves in equal steps with a watch after each.")
    step_percent: Annotated[int, Field(ge=10, le=50)] = Field(
        default=20, description="Share that moves in a step. Source: SageMaker LinearStepSize, 10 to 50 %."
    )
    wait: _Wait = Field(
        default=timedelta(minutes=10),
        description="Time to watch after each step. Source: SageMaker WaitIntervalInSeconds, 0 to 3600 s.",
    )


Rollout = Annotated[AllAtOnceRollout | CanaryRollout | LinearRollout, Field(discriminator="type")]


def _canary_rollout() -> CanaryRollout:
    return CanaryRollout(type="canary")


class Autoscaling(ConfigModel):
    """Machines follow the load."""

    min_instance_count: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Fewest machines; at least 2 in prod."
    )
    max_instance_count: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Most machines. Source: SageMaker ManagedInstanceScalingMaxInstanceCount, from 1.",
    )
    target_invocations_per_minute: Count = Field(
        default=1000,
        description=(
            "Requests a minute one machine should get."
            " Source: SageMakerVariantInvocationsPerInstance, the metric of target tracking."
        ),
    )


class Endpoint(ConfigModel):
    """Predictions on request."""

    name: EndpointName | None = Field(
        default=None,
        description=(
            "Name of the endpoint, with the environment in it; null is <model_name>-<environment>."
            " Source: SageMaker EndpointName, 63."
        ),
    )
    instance_type: _InstanceType | None = Field(
        default=None, description="Machine type of the deployer's cloud; null on the local deployer only."
    )
    initial_instance_count: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="Machines to begin with. Source: SageMaker InitialTaskCount, from 1."
    )
    autoscaling: Autoscaling | None = Field(
        default=None, description="Machines follow the load; null is a fixed count."
    )
    rollout: Rollout = Field(default_factory=_canary_rollout, description="How a new version takes over.")


class Batch(ConfigModel):
    """Predictions on a schedule."""

    input_uri: Uri = Field(description="Rows to predict. Source: SageMaker S3Uri.")
    output_uri: Uri = Field(description="Where predictions go; of this environment only, and not the input.")
    format: DataFormat = Field(default="parquet", description="How input and output are written.")
    schedule: Schedule = Field(description="When it runs.")
    input_ready_time: TimeOfDay | None = Field(
        default=None,
        description="Time of day the input is complete by, HH:MM in the schedule's time zone, quoted.",
    )
    instance_type: _InstanceType | None = Field(
        default=None, description="Machine type of the deployer's cloud; null on the local deployer only."
    )
    instance_count: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="Machines. Source: SageMaker TransformInstanceCount, from 1."
    )
    max_concurrent: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="Parts worked on at a time. Source: SageMaker MaxConcurrentTransforms."
    )
    on_invalid_row: Literal["fail", "quarantine"] = Field(
        default="quarantine",
        description="A row that breaks the schema fails the run, or is set aside; never dropped.",
    )
    max_invalid_fraction: Fraction = Field(
        default=0.01, description="The run fails when a larger share of rows is set aside."
    )


class FieldType(ConfigModel):
    """A column of the signature."""

    name: Column = Field(description="Column.")
    type: Literal["integral", "fractional", "string", "boolean", "timestamp"] = Field(
        description="Its type. Source: Model Monitor inferred_type."
    )


class TrainingSignature(ConfigModel):
    """The features and the target of the training file."""

    source: Literal["training"] = Field(description="The features and the target of the training file.")


class DeclaredSignature(ConfigModel):
    """Columns in and out, written here as well; they must equal the training file's."""

    source: Literal["declared"] = Field(
        description="Written here as well; must equal the training file's schema."
    )
    inputs: Annotated[tuple[FieldType, ...], Items(min_length=1, max_length=5_000)] = Field(
        description="Columns of a request. Source: MLflow model signatures."
    )
    output: FieldType = Field(description="Column of the answer.")


Signature = Annotated[TrainingSignature | DeclaredSignature, Field(discriminator="source")]


def _training_signature() -> TrainingSignature:
    return TrainingSignature(source="training")


class DataCapture(ConfigModel):
    """What is kept of requests and predictions; monitoring reads it."""

    enabled: bool = Field(default=True, description="Keep them; monitoring needs it.")
    sampling_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        default=100,
        description="Share of the requests kept. Source: SageMaker SamplingPercentage, whole percent.",
    )
    destination_uri: CaptureUri = Field(
        description="Where they go; of this environment only. Source: SageMaker DestinationS3Uri, 512."
    )
    include_output: bool = Field(default=True, description="Keep the prediction too, not the request alone.")
    retention: PositiveDuration = Field(default=timedelta(days=90), description="Deleted after it.")
    expected_rows_per_day: Count | None = Field(
        default=None, description="Traffic to plan with: rows predicted a day, before sampling."
    )


class ServiceLevel(ConfigModel):
    """What users may rely on; alerts take their thresholds from here."""

    p95_latency_ms: Annotated[float, Field(gt=0, le=3_600_000)] = Field(
        default=500.0, description="95 of 100 requests are answered within it."
    )
    error_rate_max_fraction: Fraction = Field(default=0.01, description="Largest share of failed requests.")
    availability_percent: Percent = Field(default=99.0, description="Least share of time it answers.")


class Record(ConfigModel):
    """What is written with every prediction, besides the columns that always are (RECORD_COLUMNS)."""

    extra_columns: Annotated[tuple[Column, ...], Items(max_length=50)] = Field(
        default=(), description="Columns of the request written with the prediction, such as the entity key."
    )


class InferenceConfig(Header):
    """Which model version serves, where, how it is rolled out, and what is recorded of it."""

    kind: Literal["inference"] = Field(description="This is an inference file.")
    mode: Literal["batch", "endpoint", "both"] = Field(description="On a schedule, on request, or both.")
    model: ServedModel = Field(description="Which version of the registered model serves.")
    deployer: Deployer = Field(description="Where it serves.")
    endpoint: Endpoint | None = Field(
        default=None, description="Predictions on request; with mode endpoint or both."
    )
    batch: Batch | None = Field(
        default=None, description="Predictions on a schedule; with mode batch or both."
    )
    signature: Signature = Field(default_factory=_training_signature, description="Columns in and out.")
    data_capture: DataCapture | None = Field(
        default=None, description="What is kept for monitoring; needed while monitoring is on."
    )
    service_level: ServiceLevel = Field(default_factory=ServiceLevel, description="What users may rely on.")
    record: Record = Field(default_factory=Record, description="What is written with every prediction.")
