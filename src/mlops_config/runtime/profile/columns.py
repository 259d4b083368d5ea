"""One column's counts, over cells or categories that the reference has fixed, so that counts add up.

What the reference fixes (cells, bins, categories, its mean and standard deviation) comes along unchanged in
every profile made after it; what is counted is whole numbers, the least and the largest value. So merging is
exact, and in any order.
"""

from itertools import pairwise
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlops_config.errors import UsageError

LABEL_CHARACTERS = 256
"""A category is known by so many of its first characters; the contract's own limit for a value."""
MOST_CATEGORIES = 1_000
"""Categories of the reference that are counted one by one, the most frequent; the rest is taken together."""
MOST_UNSEEN = 20
"""Categories that are new in a window and kept by name: the first in code point order."""

Rows = Annotated[int, Field(ge=0)]


class _Column(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    absent: Rows = 0
    """Rows of tables that did not have the column at all."""
    nulls: Rows = 0
    """Rows without a value."""


class NumericColumn(_Column):
    """Counts of numbers by cell.

    Cell ``i`` holds the values above ``grid[i - 1]``, up to and with ``grid[i]``; the first cell has no lower
    end and the last no upper one. Bins are runs of cells.
    """

    kind: Literal["numeric"] = "numeric"
    grid: tuple[float, ...]
    """Upper ends of all cells but the last, increasing."""
    edges: tuple[int, ...]
    """Positions in ``grid`` of the upper ends of all bins but the last, increasing."""
    exact: bool
    """Whether every value of the reference is a point of the grid."""
    mean: float | None
    """Of the reference's finite values; ``None`` without any."""
    std: float | None
    """Of the reference's finite values, divided by their number; ``None`` without any."""
    counts: tuple[Rows, ...]
    """Rows by cell; one more than points of the grid."""
    nans: Rows = 0
    positive_infinities: Rows = 0
    negative_infinities: Rows = 0
    minimum: float | None = None
    """Least finite value; ``None`` without any."""
    maximum: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.counts) != len(self.grid) + 1:
            raise ValueError("there is one cell more than points of the grid")
        if any(low >= high for low, high in pairwise(self.grid)):
            raise ValueError("the points of the grid increase")
        if any(low >= high for low, high in pairwise((-1, *self.edges, len(self.grid)))):
            raise ValueError("edges are positions in the grid, and increase")
        return self

    @property
    def rows(self) -> int:
        """Rows with a finite value."""
        return sum(self.counts)

    @property
    def bins(self) -> tuple[int, ...]:
        """Rows by bin; one more than edges."""
        starts = (0, *(position + 1 for position in self.edges), len(self.counts))
        return tuple(sum(self.counts[start:end]) for start, end in pairwise(starts))

    def emptied(self, *, absent: int) -> "NumericColumn":
        """The column of a table of so many rows that does not have it."""
        return NumericColumn(
            name=self.name,
            absent=absent,
            grid=self.grid,
            edges=self.edges,
            exact=self.exact,
            mean=self.mean,
            std=self.std,
            counts=(0,) * len(self.counts),
        )

    def require_same_cells(self, other: "NumericColumn") -> None:
        """Passes when both count over the same cells.

        Raises:
            UsageError: they were made after different references.
        """
        fixed = ("name", "grid", "edges", "exact", "mean", "std")
        if any(getattr(self, field) != getattr(other, field) for field in fixed):
            raise _other_reference(self.name)

    def merge(self, other: "NumericColumn") -> "NumericColumn":
        """The counts of both, of rows that are in one or the other.

        Raises:
            UsageError: the two count over other cells: they were made after different references.
        """
        self.require_same_cells(other)
        counts = tuple(own + others for own, others in zip(self.counts, other.counts, strict=True))
        return self.model_copy(
            update={
                "absent": self.absent + other.absent,
                "nulls": self.nulls + other.nulls,
                "counts": counts,
                "nans": self.nans + other.nans,
                "positive_infinities": self.positive_infinities + other.positive_infinities,
                "negative_infinities": self.negative_infinities + other.negative_infinities,
                "minimum": min(_given(self.minimum, other.minimum), default=None),
                "maximum": max(_given(self.maximum, other.maximum), default=None),
            }
        )


class Unseen(BaseModel):
    """A category that the reference does not count by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    rows: Rows


class CategoricalColumn(_Column):
    """Counts of texts, truth values or classes by category."""

    kind: Literal["categorical"] = "categorical"
    categories: tuple[str, ...]
    """The reference's, in code point order: the most frequent, if there are more than we count by name."""
    truncated: bool
    """Whether the reference had more; then what is unseen here may have been seen there."""
    counts: tuple[Rows, ...]
    """Rows by category."""
    other: Rows = 0
    """Rows of all other categories."""
    unseen: tuple[Unseen, ...] = ()
    """The first of the other categories, in code point order."""
    more_unseen: bool = False
    """Whether there are more than those."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.counts) != len(self.categories):
            raise ValueError("there is one count for each category")
        labels = [each.label for each in self.unseen]
        for names in (self.categories, labels):
            if any(low >= high for low, high in pairwise(names)):
                raise ValueError("categories are in code point order")
        return self

    @property
    def rows(self) -> int:
        """Rows with a value."""
        return sum(self.counts) + self.other

    def emptied(self, *, absent: int) -> "CategoricalColumn":
        """The column of a table of so many rows that does not have it."""
        return CategoricalColumn(
            name=self.name,
            absent=absent,
            categories=self.categories,
            truncated=self.truncated,
            counts=(0,) * len(self.counts),
        )

    def require_same_categories(self, other: "CategoricalColumn") -> None:
        """Passes when both count the same categories by name.

        Raises:
            UsageError: they were made after different references.
        """
        fixed = ("name", "categories", "truncated")
        if any(getattr(self, field) != getattr(other, field) for field in fixed):
            raise _other_reference(self.name)

    def merge(self, other: "CategoricalColumn") -> "CategoricalColumn":
        """The counts of both, of rows that are in one or the other.

        Raises:
            UsageError: the two count other categories: they were made after different references.
        """
        self.require_same_categories(other)
        counts = tuple(own + others for own, others in zip(self.counts, other.counts, strict=True))
        rows: dict[str, int] = {}
        for each in (*self.unseen, *other.unseen):
            rows[each.label] = rows.get(each.label, 0) + each.rows
        # A category among the first of both tables together is among the first of each table that has it,
        # so its two counts are whole; those that were left out of one come after all that are kept.
        kept = sorted(rows)[:MOST_UNSEEN]
        return self.model_copy(
            update={
                "absent": self.absent + other.absent,
                "nulls": self.nulls + other.nulls,
                "counts": counts,
                "other": self.other + other.other,
                "unseen": tuple(Unseen(label=label, rows=rows[label]) for label in kept),
                "more_unseen": self.more_unseen or other.more_unseen or len(rows) > MOST_UNSEEN,
            }
        )


Column = Annotated[NumericColumn | CategoricalColumn, Field(discriminator="kind")]


def _given(*values: float | None) -> list[float]:
    return [value for value in values if value is not None and isfinite(value)]


def _other_reference(name: str) -> UsageError:
    return UsageError(
        f"two profiles count {name} differently: they were made after different references",
        hint="make both profiles after the same reference",
    )
