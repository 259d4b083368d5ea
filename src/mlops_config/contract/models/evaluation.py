"""How a model is judged: metrics, thresholds, and parts of the data that are judged by themselves."""

from typing import Annotated

from pydantic import Field

from mlops_config.contract.metrics import MetricName
from mlops_config.contract.models.field_types import Column, Count, Fraction, Items
from mlops_config.contract.models.model_base import ConfigModel


class MetricThreshold(ConfigModel):
    """What a metric must reach. At least one of the three is given; all that are given must hold."""

    threshold: float | None = Field(
        default=None,
        description="Least value, or most where lower is better. Source: MLflow MetricThreshold.",
    )
    min_absolute_change: Annotated[float, Field(ge=0)] | None = Field(
        default=None,
        description="Least gain on the champion, in the metric's unit. Source: MLflow MetricThreshold.",
    )
    min_relative_change: Fraction | None = Field(
        default=None,
        description=(
            "Least gain on the champion, as a fraction of its value. Source: MLflow MetricThreshold."
        ),
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
        default_factory=dict,
        description="What the model must reach, by metric; at least one in prod.",
    )
    slices: Annotated[tuple[Slice, ...], Items(max_length=50)] = Field(
        default=(), description="Parts of the data that are judged by themselves."
    )
