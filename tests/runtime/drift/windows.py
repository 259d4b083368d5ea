"""Windows against a reference, and the monitoring files that judge them."""

from typing import Any

import numpy as np

from mlops_config.contract.models.by_kind import MonitoringConfig
from mlops_config.kinds import Kind
from mlops_config.runtime.profile.binning import choose
from mlops_config.runtime.profile.columns import CategoricalColumn, NumericColumn
from mlops_config.runtime.profile.profile import Profile
from tests.contract.documents import document, model_of


def monitoring(drift: dict[str, Any] | None = None, **other: Any) -> MonitoringConfig:
    """The example's monitoring file with another section ``drift`` and others."""
    data = document("dev", Kind.MONITORING) | {"drift": drift or {}} | other
    model = model_of(data)
    assert isinstance(model, MonitoringConfig)
    return model


def numbers(name: str, reference: Any, *, bins: int = 10, cells: int = 1000) -> NumericColumn:
    """The column of a reference, made without an engine."""
    values = np.asarray(reference, dtype=float)
    binning = choose(values, bins=bins, quantiles=True, cells=cells)
    empty = NumericColumn(
        name=name,
        grid=binning.grid,
        edges=binning.edges,
        exact=binning.exact,
        mean=binning.mean,
        std=binning.std,
        counts=(0,) * (len(binning.grid) + 1),
    )
    ends = {"minimum": values.min(), "maximum": values.max()} if len(values) else {}
    return counted(empty, values).model_copy(update=ends)


def counted(column: NumericColumn, values: Any) -> NumericColumn:
    """The column of a window."""
    places = np.searchsorted(column.grid, np.asarray(values, dtype=float))
    counts = np.bincount(places, minlength=len(column.grid) + 1)
    return column.model_copy(update={"counts": tuple(counts.tolist())})


def categories(name: str, counts: dict[str, int]) -> CategoricalColumn:
    """The column of a reference, rows by category."""
    known = tuple(sorted(counts))
    return CategoricalColumn(
        name=name, categories=known, truncated=False, counts=tuple(counts[each] for each in known)
    )


def of(column: CategoricalColumn, counts: dict[str, int]) -> CategoricalColumn:
    """The column of a window."""
    known = tuple(counts.get(each, 0) for each in column.categories)
    return column.model_copy(update={"counts": known, "other": sum(counts.values()) - sum(known)})


def profile(*columns: NumericColumn | CategoricalColumn, rows: int | None = None) -> Profile:
    """A profile of columns."""
    held = max((each.rows for each in columns), default=0)
    return Profile(rows=held if rows is None else rows, columns=columns)
