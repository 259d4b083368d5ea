"""The one meaning of a valid row: every job and the model server judge rows against the schema here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.models.tables import Feature, TableSchema, Target
from mlops_config.runtime.data.problems import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mlops_config.runtime.data.columns import Column

MISSING = "missing"
WRONG_TYPE = "wrong_type"
NOT_FINITE = "not_finite"
OUT_OF_RANGE = "out_of_range"
OUT_OF_DOMAIN = "out_of_domain"
REASONS: Mapping[str, str] = {
    MISSING: "no value where one is needed",
    WRONG_TYPE: "a value of another type",
    NOT_FINITE: "an infinite number",
    OUT_OF_RANGE: "a number outside the column's range",
    OUT_OF_DOMAIN: "a value outside the column's domain",
}
"""What a row is refused for; in ``_reason`` and in counts a reason is written ``<code>:<column>``."""
REASON_COLUMN = "_reason"


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows judged. Valid and refused rows keep the index they came with."""

    rows: "pd.DataFrame"
    """Valid rows: the schema's columns, in its order, in the types that ``columns`` lists."""
    refused: "pd.DataFrame"
    """Refused rows as they came, with the reasons in ``_reason``, separated by ``; ``."""
    counts: Mapping[str, int]
    """Rows by reason. A row that is refused for two reasons counts in both."""
    extra: tuple[str, ...]
    """Columns the schema does not know; they are not in ``rows``."""
    incomplete: Mapping[str, float]
    """Columns with fewer values than ``completeness_min_fraction`` asks, each with its share of values."""

    @property
    def explained(self) -> str:
        """The counts for people: ``3 rows: distance_km: a number outside the column's range``, and so on."""
        parts = (f"{number} rows: {name}: {REASONS[code]}" for code, name, number in self._parts())
        return "; ".join(parts)

    def _parts(self) -> Iterator[tuple[str, str, int]]:
        for reason, number in sorted(self.counts.items(), key=lambda item: (-item[1], item[0])):
            code, _, name = reason.partition(":")
            yield code, name, number


class _Refusal(NamedTuple):
    reason: str
    rows: "np.ndarray[Any, Any]"
    """One boolean a row."""


def check(frame: "pd.DataFrame", schema: TableSchema, *, with_target: bool) -> Checked:
    """Judges every row of ``frame`` against the schema, whatever types its columns come with.

    A value that reads as the column's type counts as that type, since a CSV file holds nothing but text. NaN
    is no value. A feature has to have a value in every row unless its ``completeness_min_fraction`` is below
    1; a column with ``required: false`` may be absent, and then has no value in any row. With ``with_target``
    the target and the identifiers are needed too; without, identifiers are judged only where they are there.

    Raises:
        DataError: a required column is missing, or two columns have one name.
    """
    import numpy as np
    import pandas as pd

    from mlops_config.runtime.data import columns

    _refuse_duplicates(frame)
    _refuse_absent(frame, schema, with_target=with_target)
    typed: dict[str, pd.Series[Any]] = {}
    refusals: list[_Refusal] = []
    incomplete: dict[str, float] = {}
    for feature in _judged(frame, schema, with_target=with_target):
        if feature.name not in frame.columns:
            typed[feature.name] = columns.empty(feature, frame.index)
            continue
        column = columns.read(frame[feature.name], feature)
        refusals += _refusals_of(column, feature)
        share = _share_of_values(column)
        if feature.completeness_min_fraction < 1 and share < feature.completeness_min_fraction:
            incomplete[feature.name] = share
        typed[feature.name] = column.values
    if with_target:
        target = columns.read_target(frame[schema.target.name], schema.target)
        refusals += _refusals_of_target(target, schema.target)
        typed[schema.target.name] = target.values
    refusals = [each for each in refusals if each.rows.any()]
    bad = np.zeros(len(frame), dtype=bool)
    for each in refusals:
        bad |= each.rows
    rows = pd.DataFrame(typed, index=frame.index, copy=False)
    return Checked(
        rows=_finished(rows.loc[~bad] if bad.any() else rows, schema, with_target=with_target),
        refused=_with_reasons(frame, refusals, bad),
        counts={each.reason: int(each.rows.sum()) for each in refusals},
        extra=tuple(str(name) for name in frame.columns if name not in known_columns(schema)),
        incomplete=incomplete,
    )


def known_columns(schema: TableSchema) -> tuple[str, ...]:
    """Every column of the schema: features, identifiers, target."""
    names = [each.name for each in (*schema.features, *schema.identifiers)]
    return (*names, schema.target.name)


def _refuse_duplicates(frame: "pd.DataFrame") -> None:
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        raise DataError(
            f"two columns have the name {', '.join(twice)}",
            hint="rename or drop one of them; nothing says which is meant",
        )


def _refuse_absent(frame: "pd.DataFrame", schema: TableSchema, *, with_target: bool) -> None:
    needed = [each.name for each in schema.features if each.required]
    if with_target:
        needed += [each.name for each in schema.identifiers if each.required] + [schema.target.name]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        there = ", ".join(str(name) for name in frame.columns) or "none"
        raise DataError(
            f"the data lacks {', '.join(missing)}; its columns are {there}",
            hint="correct the schema, or the data; a column that may be absent has required: false",
        )


def _judged(frame: "pd.DataFrame", schema: TableSchema, *, with_target: bool) -> Iterator[Feature]:
    yield from schema.features
    for each in schema.identifiers:
        if with_target or each.name in frame.columns:
            yield each


def _refusals_of(column: "Column", feature: Feature) -> Iterator[_Refusal]:
    name = feature.name
    yield _Refusal(f"{WRONG_TYPE}:{name}", column.wrong)
    yield _Refusal(f"{NOT_FINITE}:{name}", column.infinite)
    if feature.completeness_min_fraction >= 1:
        yield _Refusal(f"{MISSING}:{name}", column.missing)
    there = ~(column.wrong | column.infinite | column.missing)
    bounds = getattr(feature, "range", None)
    if bounds is not None:
        yield _Refusal(f"{OUT_OF_RANGE}:{name}", there & _outside(column.values, bounds))
    domain = getattr(feature, "domain", None)
    if domain is not None:
        yield _Refusal(f"{OUT_OF_DOMAIN}:{name}", there & ~column.values.isin(list(domain)).to_numpy(bool))


def _refusals_of_target(column: "Column", target: Target) -> Iterator[_Refusal]:
    name = target.name
    yield _Refusal(f"{WRONG_TYPE}:{name}", column.wrong)
    yield _Refusal(f"{NOT_FINITE}:{name}", column.infinite)
    yield _Refusal(f"{MISSING}:{name}", column.missing)
    there = ~(column.wrong | column.infinite | column.missing)
    if target.problem_type == "regression" and target.range is not None:
        yield _Refusal(f"{OUT_OF_RANGE}:{name}", there & _outside(column.values, target.range))
    if target.problem_type == "multiclass_classification" and target.classes is not None:
        known = column.values.isin(list(target.classes)).to_numpy(bool)
        yield _Refusal(f"{OUT_OF_DOMAIN}:{name}", there & ~known)


def _outside(values: "pd.Series[Any]", bounds: tuple[float | None, float | None]) -> "np.ndarray[Any, Any]":
    import numpy as np

    low, high = bounds
    outside = np.zeros(len(values), dtype=bool)
    if low is not None:
        outside |= (values < low).fillna(False).to_numpy(bool)
    if high is not None:
        outside |= (values > high).fillna(False).to_numpy(bool)
    return outside


def _share_of_values(column: "Column") -> float:
    return 1.0 - float(column.missing.mean()) if len(column.missing) else 1.0


def _with_reasons(
    frame: "pd.DataFrame", refusals: list[_Refusal], bad: "np.ndarray[Any, Any]"
) -> "pd.DataFrame":
    import numpy as np

    refused = frame.loc[bad].drop(columns=REASON_COLUMN, errors="ignore")
    reasons = np.full(len(refused), "", dtype=object)
    for each in refusals:
        rows = each.rows[bad]
        reasons[rows] = np.where(reasons[rows] == "", each.reason, reasons[rows] + f"; {each.reason}")
    return refused.assign(**{REASON_COLUMN: reasons})


def _finished(rows: "pd.DataFrame", schema: TableSchema, *, with_target: bool) -> "pd.DataFrame":
    """The valid rows in their final types: those with gaps only where the schema allows a gap."""
    from mlops_config.runtime.data import columns

    features = {each.name: each for each in (*schema.features, *schema.identifiers)}
    types = {name: columns.dtype_of(feature) for name, feature in features.items() if name in rows.columns}
    if with_target:
        types[schema.target.name] = columns.without_gaps(rows[schema.target.name].dtype)
    return rows.astype({name: type_ for name, type_ in types.items() if rows[name].dtype != type_})
