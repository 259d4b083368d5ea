"""Makes profiles: the reference's, which fixes cells and categories, and those of windows after it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mlops_config.errors import UsageError
from mlops_config.runtime.profile import counting
from mlops_config.runtime.profile.binning import cells_per_column, choose
from mlops_config.runtime.profile.columns import MOST_CATEGORIES, CategoricalColumn, NumericColumn
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.profile.sampling import sampled
from mlops_config.runtime.profile.sources import Engine, Source, opened

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import TrainingConfig


class _Wanted(NamedTuple):
    name: str
    family: Literal["numeric", "categorical"]


def reference_profile(table: Any, training: "TrainingConfig", *, predictions: Any = None) -> Profile:
    """The profile that windows are compared with: of ``table``'s features, and of ``predictions``.

    Made from at most ``baseline.max_sample_rows`` rows, the same ones for the same table. ``table`` is a
    pandas frame, a pyarrow table or data set, or an ibis expression with the schema's features; timestamps
    are left out. ``predictions`` are one value for each row of a frame or an Arrow table, and are profiled
    under the target's name.

    Raises:
        UsageError: the table has no rows, lacks a feature, or has values of another type.
    """
    wanted = [*_features(training)]
    target = training.schema_.target
    if predictions is not None:
        family: Literal["numeric", "categorical"] = (
            "numeric" if target.problem_type == "regression" else "categorical"
        )
        wanted.append(_Wanted(target.name, family))
    names = [each.name for each in wanted]
    sample = sampled(
        table, names, training.baseline.max_sample_rows, training.random_seed, target.name, predictions
    )
    with opened(sample, names, "duckdb") as source:
        missing = [name for name in names if name not in source.columns]
        if missing:
            raise UsageError(f"the table lacks {', '.join(missing)}", hint="give all features of the schema")
        if not counting.count_rows(source):
            raise UsageError("the table has no rows, so there is nothing to compare with")
        columns = [_fixed(source, each, wanted, training) for each in wanted]
        return _counted(source, columns)


def profile(table: Any, reference: Profile, *, engine: Engine = "duckdb") -> Profile:
    """The profile of ``table`` after ``reference``: its columns, its cells, its categories, other counts.

    ``table`` is a pandas frame, a pyarrow table or data set, a Spark frame or an ibis expression; what lives
    in an engine is counted there, anything else by ``engine``. A column it does not have is counted as
    absent.

    Raises:
        UsageError: a column has values of another type, or an engine is not installed.
    """
    names = [column.name for column in reference.columns]
    with opened(table, names, engine) as source:
        return _counted(source, reference.columns)


def _features(training: "TrainingConfig") -> list[_Wanted]:
    found = []
    for feature in training.schema_.features:
        if feature.type in ("integral", "fractional"):
            found.append(_Wanted(feature.name, "numeric"))
        elif feature.type in ("string", "boolean"):
            found.append(_Wanted(feature.name, "categorical"))
    return found


def _fixed(
    source: Source, column: _Wanted, wanted: Sequence[_Wanted], training: "TrainingConfig"
) -> NumericColumn | CategoricalColumn:
    """An empty column with what the reference fixes."""
    if column.family == "categorical":
        known, truncated = counting.frequent(source, column.name, MOST_CATEGORIES)
        return CategoricalColumn(
            name=column.name, categories=known, truncated=truncated, counts=(0,) * len(known)
        )
    binning = choose(
        counting.finite_values(source, column.name),
        bins=training.baseline.bins,
        quantiles=training.baseline.quantile_binning,
        cells=cells_per_column(sum(each.family == "numeric" for each in wanted)),
    )
    return NumericColumn(
        name=column.name,
        grid=binning.grid,
        edges=binning.edges,
        exact=binning.exact,
        mean=binning.mean,
        std=binning.std,
        counts=(0,) * (len(binning.grid) + 1),
    )


def _counted(source: Source, columns: Sequence[NumericColumn | CategoricalColumn]) -> Profile:
    rows = counting.count_rows(source)
    held = [column for column in columns if column.name in source.columns]
    numeric = [column for column in held if isinstance(column, NumericColumn)]
    categorical = [column for column in held if isinstance(column, CategoricalColumn)]
    counted: dict[str, NumericColumn | CategoricalColumn] = {}
    for each in counting.count_numeric(source, numeric):
        counted[each.name] = each
    for other in counting.count_categorical(source, categorical, rows):
        counted[other.name] = other
    return Profile(
        rows=rows,
        columns=tuple(counted.get(column.name) or column.emptied(absent=rows) for column in columns),
    )
