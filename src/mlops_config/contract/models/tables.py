"""The columns of the training data: features, identifiers and the target."""

from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.field_types import Column, Fraction, Items
from mlops_config.contract.models.model_base import ConfigModel

_Bounds = Annotated[tuple[float | None, float | None], Items(min_length=2, max_length=2)]
_BOUNDS = "Least and largest value, both allowed; null is unbounded on that side."
_Level = Annotated[str, Field(min_length=1, max_length=256)]
_DOMAIN = "The only values allowed. Source: Model Monitor constraints, domains."


class _Feature(ConfigModel):
    name: Column = Field(description="Column.")
    type: str
    required: bool = Field(default=True, description="The column must be there.")
    completeness_min_fraction: Fraction = Field(
        default=1.0,
        description="Least share of rows with a value. Source: Model Monitor constraints, completeness.",
    )


class IntegralFeature(_Feature):
    """Whole numbers."""

    type: Literal["integral"] = Field(description="Whole numbers. Source: Model Monitor inferred_type.")
    range: _Bounds | None = Field(default=None, description=_BOUNDS)
    domain: Annotated[tuple[int, ...], Items(min_length=1, max_length=10_000)] | None = Field(
        default=None, description=_DOMAIN
    )


class FractionalFeature(_Feature):
    """Numbers with a fraction."""

    type: Literal["fractional"] = Field(
        description="Numbers with a fraction. Source: Model Monitor inferred_type."
    )
    range: _Bounds | None = Field(default=None, description=_BOUNDS)


class StringFeature(_Feature):
    """Text, taken as categories."""

    type: Literal["string"] = Field(
        description="Text, taken as categories. Source: Model Monitor inferred_type."
    )
    domain: Annotated[tuple[_Level, ...], Items(min_length=1, max_length=10_000)] | None = Field(
        default=None, description=_DOMAIN
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


class _Target(ConfigModel):
    name: Column = Field(description="Column to predict; not a feature.")
    problem_type: str


class RegressionTarget(_Target):
    """A number to predict."""

    problem_type: Literal["regression"] = Field(description="A number is predicted.")
    range: _Bounds | None = Field(default=None, description=_BOUNDS)


class BinaryTarget(_Target):
    """One of two classes to predict."""

    problem_type: Literal["binary_classification"] = Field(description="One of two classes is predicted.")
    positive_class: bool | int | _Level | None = Field(
        default=None, description="The class that precision and recall are about; null is true, or 1."
    )


class MulticlassTarget(_Target):
    """One of several classes to predict."""

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
