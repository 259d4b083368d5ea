"""The retrain file: what starts a retraining, what holds it back, and what a challenger must show."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.metrics import MetricName
from mlops_config.contract.models.evaluation import MetricThreshold, Slice
from mlops_config.contract.models.field_types import (
    Column,
    Count,
    Cron,
    Instant,
    Iso8601Duration,
    Items,
    ModelAlias,
    OpenFraction,
    Owner,
    PositiveDuration,
    PositiveFraction,
    SecretRef,
    ShortText,
    Timezone,
    text,
)
from mlops_config.contract.models.header import Header
from mlops_config.contract.models.model_base import ConfigModel

Severity = Literal["ticket", "page"]


class DriftTrigger(ConfigModel):
    """Drift that monitoring's violation policy confirmed."""

    type: Literal["drift"] = Field(description="Drift that monitoring's violation policy confirmed.")
    signal: Literal["drift", "prediction_drift"] = Field(
        default="drift", description="Of the features or the predictions."
    )
    min_share_fraction: PositiveFraction | None = Field(
        default=None,
        description="Least share of drifting features; null is monitoring's drift_share_fraction.",
    )
    features: Annotated[tuple[Column, ...], Items(max_length=5_000)] = Field(
        default=(), description="Any of these drifting is enough; monitored features."
    )
    severity: Severity = Field(default="ticket", description="Least severity of the alert it takes.")


class PerformanceTrigger(ConfigModel):
    """A metric that no longer reaches its threshold in the monitoring file."""

    type: Literal["performance"] = Field(
        description="A metric that no longer reaches monitoring's threshold."
    )
    metric: MetricName = Field(description="One of the monitoring file's performance.thresholds.")


class ScheduleTrigger(ConfigModel):
    """The calendar."""

    type: Literal["schedule"] = Field(description="The calendar.")
    cron: Cron = Field(
        description="Minute, hour, day of month, month, day of week; names in capitals (MON, JAN)."
    )
    timezone: Timezone = Field(default="UTC", description="IANA time zone the cron expression is read in.")


class NewDataTrigger(ConfigModel):
    """Enough new rows."""

    type: Literal["new_data"] = Field(description="Enough new rows.")
    min_rows: Count = Field(description="Rows newer than the last training.")


class ManualTrigger(ConfigModel):
    """Someone asks for it."""

    type: Literal["manual"] = Field(description="Someone asks for it.")


Trigger = Annotated[
    DriftTrigger | PerformanceTrigger | ScheduleTrigger | NewDataTrigger | ManualTrigger,
    Field(discriminator="type"),
]


class MaxRetrains(ConfigModel):
    """So many retrainings in a stretch of time."""

    count: Annotated[int, Field(ge=1, le=1000)] = Field(default=2, description="Most retrainings.")
    per: PositiveDuration = Field(default=timedelta(days=30), description="In any stretch this long.")


class FreezeWindow(ConfigModel):
    """No retraining starts from start until end."""

    start: Instant = Field(description="First instant, UTC.")
    end: Instant = Field(description="First instant after it, UTC.")
    reason: ShortText | None = Field(default=None, description="Why.")


class Guards(ConfigModel):
    """What holds retraining back. All hold; none can be triggered away."""

    cooldown: PositiveDuration = Field(
        default=timedelta(days=3),
        description="Least time between two retrainings; at least monitoring's window.",
    )
    max_retrains: MaxRetrains = Field(
        default_factory=MaxRetrains, description="Most retrainings in a stretch of time."
    )
    min_new_rows: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=1000, description="Rows newer than the last training that must be there."
    )
    max_concurrent: Annotated[int, Field(ge=1, le=1)] = Field(
        default=1, description="Retrainings at a time: one."
    )
    freeze_windows: Annotated[tuple[FreezeWindow, ...], Items(max_length=100)] = Field(
        default=(), description="Stretches in which none starts."
    )
    budget_usd_per_month: Annotated[float, Field(gt=0, le=10_000_000)] | None = Field(
        default=None,
        description="Estimated cost of the calendar month's retrainings stays below it; needed in dev.",
    )
    max_consecutive_failures: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="After so many failures it stops until someone resets it."
    )


class SlidingWindow(ConfigModel):
    """The newest rows, a fixed stretch of time."""

    type: Literal["sliding"] = Field(description="The newest rows, a fixed stretch of time.")
    length: PositiveDuration = Field(description="How far back.")


class ExpandingWindow(ConfigModel):
    """All rows."""

    type: Literal["expanding"] = Field(description="All rows, old and new.")


class SinceLastTrainWindow(ConfigModel):
    """The rows newer than the last training."""

    type: Literal["since_last_train"] = Field(description="The rows newer than the last training.")


DataWindow = Annotated[SlidingWindow | ExpandingWindow | SinceLastTrainWindow, Field(discriminator="type")]


class Holdout(ConfigModel):
    """The rows champion and challenger are both judged on; never trained on."""

    strategy: Literal["last_fraction"] = Field(default="last_fraction", description="The newest rows.")
    fraction: OpenFraction = Field(default=0.2, description="Share of the rows.")


def _expanding_window() -> ExpandingWindow:
    return ExpandingWindow(type="expanding")


class RetrainData(ConfigModel):
    """The rows a challenger learns from."""

    window: DataWindow = Field(default_factory=_expanding_window, description="Which rows.")
    include_drifted: bool = Field(
        default=True, description="Rows of the windows that drifted are among them."
    )
    holdout: Holdout = Field(default_factory=Holdout, description="The rows both models are judged on.")


OverrideKey = Annotated[
    str,
    text(
        "dotted path", r"^[a-z_]+(?:\.[A-Za-z0-9_]+)+$", "estimator.hyperparameters.max_iter", max_length=256
    ),
]


_TrainingFile = Annotated[
    str,
    text(
        "name of a training file",
        r"^(?:[a-z][a-z0-9-]{0,39}[a-z0-9]_)?training_config\.yaml$",
        "training_config.yaml",
    ),
]


class RetrainTraining(ConfigModel):
    """How a challenger is trained."""

    config_ref: _TrainingFile = Field(
        default="training_config.yaml", description="The training file in the same folder."
    )
    overrides: Annotated[dict[OverrideKey, bool | int | float | ShortText | None], Field(max_length=50)] = (
        Field(
            default_factory=dict,
            description="Values that replace the training file's, by dotted path; none in prod.",
        )
    )


class RetrainEvaluation(ConfigModel):
    """What a challenger must show. A missing or NaN metric is a refusal."""

    compare_to: Literal["champion"] = Field(
        default="champion",
        description="The model that serves; a challenger with a worse primary metric is refused.",
    )
    dataset: Literal["common_holdout"] = Field(
        default="common_holdout", description="Both models are judged on the same rows."
    )
    thresholds: dict[MetricName, MetricThreshold] = Field(
        default_factory=dict,
        description="What the challenger must reach, by metric; no looser than in training.",
    )
    slices: Annotated[tuple[Slice, ...], Items(max_length=50)] = Field(
        default=(), description="Parts of the data that are judged by themselves."
    )
    require_all: bool = Field(default=True, description="Every threshold must be met, not one alone.")
    on_missing_champion: Literal["accept", "reject"] = Field(
        default="reject",
        description="What becomes of a challenger when there is no champion to compare with.",
    )


class Promotion(ConfigModel):
    """How a challenger that passed becomes the champion."""

    mode: Literal["automatic", "manual"] = Field(
        default="manual", description="automatic needs a canary rollout and a rollback alarm."
    )
    approvers: Annotated[tuple[Owner, ...], Items(max_length=50)] = Field(
        default=(), description="Who may approve; empty is whoever may deploy to the environment."
    )
    alias_from: ModelAlias = Field(
        default="challenger", description="Alias of the model that waits. Source: MLflow aliases."
    )
    alias_to: ModelAlias = Field(
        default="champion", description="Alias of the model that serves. Source: MLflow aliases."
    )
    expires_after: PositiveDuration = Field(
        default=timedelta(days=7), description="A challenger not approved by then is dropped."
    )


class SmokeTest(ConfigModel):
    """What a new deployment must answer before traffic moves."""

    rows: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Rows of the holdout it is asked."
    )
    max_latency_ms: Annotated[float, Field(gt=0, le=3_600_000)] = Field(
        default=2000.0, description="Slowest answer that passes."
    )
    expected_schema: bool = Field(default=True, description="The answers fit the signature.")


class Redeploy(ConfigModel):
    """What follows a promotion."""

    enabled: bool = Field(default=True, description="Deploy the new champion.")
    smoke_test: SmokeTest = Field(default_factory=SmokeTest, description="What it must answer first.")


RollbackCause = Literal["gate_failed_after_deploy", "alarm"]


class Rollback(ConfigModel):
    """When the previous bundle comes back: configuration, image and model together."""

    when: Annotated[tuple[RollbackCause, ...], Items(max_length=2)] = Field(
        default=("gate_failed_after_deploy", "alarm"), description="What brings it back."
    )
    keep_bundles: Annotated[int, Field(ge=3, le=1000)] = Field(
        default=5, description="Bundles kept to go back to."
    )
    bake_time: Annotated[timedelta, Iso8601Duration(timedelta(0), timedelta(days=30))] = Field(
        default=timedelta(hours=1),
        description="Alarms count this long after a deployment; at least the rollout's wait.",
    )


NotificationEvent = Literal["triggered", "rejected", "promoted", "rolled_back"]


class Notification(ConfigModel):
    """Who is told what."""

    channel_ref: SecretRef = Field(description="The channel: the secret that holds its address.")
    when: Annotated[tuple[NotificationEvent, ...], Items(min_length=1, max_length=4)] = Field(
        default=("triggered", "rejected", "promoted", "rolled_back"), description="What is told."
    )


class RetrainConfig(Header):
    """What starts a retraining, what holds it back, and what a challenger must show to be promoted."""

    kind: Literal["retrain"] = Field(description="This is a retrain file.")
    triggers: Annotated[tuple[Trigger, ...], Items(min_length=1, max_length=50)] = Field(
        description="What starts a retraining."
    )
    combine: Literal["any", "all"] = Field(
        default="any", description="One trigger is enough, or all are needed."
    )
    guards: Guards = Field(default_factory=Guards, description="What holds retraining back.")
    data: RetrainData = Field(default_factory=RetrainData, description="The rows a challenger learns from.")
    training: RetrainTraining = Field(
        default_factory=RetrainTraining, description="How a challenger is trained."
    )
    evaluation: RetrainEvaluation = Field(
        default_factory=RetrainEvaluation, description="What a challenger must show."
    )
    promotion: Promotion = Field(
        default_factory=Promotion, description="How a challenger becomes the champion."
    )
    redeploy: Redeploy = Field(default_factory=Redeploy, description="What follows a promotion.")
    rollback: Rollback = Field(default_factory=Rollback, description="When the previous bundle comes back.")
    notifications: Annotated[tuple[Notification, ...], Items(max_length=20)] = Field(
        default=(), description="Who is told what."
    )
