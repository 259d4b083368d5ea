"""Checks of the data itself: each a value against the configuration's threshold, and a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mlops_config.contract.models.inference import RECORD_COLUMNS
from mlops_config.contract.models.monitoring import Quality
from mlops_config.contract.models.tables import Feature
from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.monitoring.captured import Captured
from mlops_config.runtime.monitoring.columns import Typed, kind_of, plain, typed
from mlops_config.runtime.monitoring.report import QualityCheck
from mlops_config.runtime.monitoring.windows import Window

MOST_EXTRA_COLUMNS = 50
LONGEST_NAME = 128
MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 40


@dataclass(frozen=True, slots=True)
class Examined:
    """The outcome: the checks, and the rows as the training schema means them."""

    checks: tuple[QualityCheck, ...]
    table: pa.Table
    """Features that are there and the prediction, typed; null where a value is missing or of a wrong type."""


def examine(
    captured: Captured,
    window: Window,
    training: TrainingConfig,
    quality: Quality,
    *,
    last_row_before: datetime | None = None,
) -> Examined:
    """All checks of a window.

    A window without rows says nothing about columns; only that nothing fresh came. ``last_row_before`` is
    a time before which the newest row of all must have come, if there is none in the window.
    """
    rows = captured.rows
    checks = list(_unreadable(captured))
    if rows.num_rows == 0:
        checks.append(_silence(window, quality.freshness_max_age, last_row_before))
        return Examined(tuple(checks), pa.table({}))
    columns: dict[str, pa.ChunkedArray] = {}
    for feature in training.schema_.features:
        if feature.name in rows.column_names:
            values = typed(rows[feature.name], feature.type)
            columns[feature.name] = values.values
            checks += _feature(feature, values, rows.num_rows, quality)
        else:
            checks.append(_missing_column(feature, rows.num_rows))
    target = training.schema_.target
    if target.name in rows.column_names:
        values = typed(rows[target.name], kind_of(target, rows[target.name]))
        columns[target.name] = values.values
        checks.append(_completeness(target.name, values, rows.num_rows, quality.completeness_min_fraction))
        checks.append(_datatype(target.name, values, rows.num_rows, quality.datatype_check_threshold))
    checks += _extra_columns(captured.extra_columns)
    checks += _duplicates(rows, training, quality.max_duplicate_fraction)
    checks.append(_freshness(rows, window, quality.freshness_max_age))
    return Examined(tuple(checks), pa.table(columns))


def _feature(feature: Feature, values: Typed, rows: int, quality: Quality) -> Iterator[QualityCheck]:
    own = "completeness_min_fraction" in feature.model_fields_set
    least = feature.completeness_min_fraction if own else quality.completeness_min_fraction
    yield _completeness(feature.name, values, rows, least)
    yield _datatype(feature.name, values, rows, quality.datatype_check_threshold)
    usable = values.values.drop_null()
    domain = getattr(feature, "domain", None)
    if domain is not None and len(usable):
        inside = pc.is_in(usable, pa.array(domain, usable.type))
        known = f"{len(domain)} allowed values"
        yield _outside("domain", feature.name, usable, inside, known, quality.domain_content_threshold)
    low, high = getattr(feature, "range", None) or (None, None)
    if (low is not None or high is not None) and len(usable):
        numbers = usable.cast(pa.float64(), safe=False)
        inside = pa.chunked_array([pa.repeat(pa.scalar(True), len(numbers))])
        if low is not None:
            inside = pc.and_(inside, pc.greater_equal(numbers, low))
        if high is not None:
            inside = pc.and_(inside, pc.less_equal(numbers, high))
        bounds = f"range from {_bound(low)} to {_bound(high)}"
        yield _outside("range", feature.name, usable, inside, bounds, quality.domain_content_threshold)


def _completeness(name: str, values: Typed, rows: int, least: float) -> QualityCheck:
    share = 1 - values.missing / rows
    if values.missing == rows:
        text = f"no row has a value in {name}; at least {_percent(least)} must"
    else:
        text = f"{_percent(share)} of the rows have a value in {name}; at least {_percent(least)} must"
    return _check("completeness", name, share, least, share < least, text)


def _datatype(name: str, values: Typed, rows: int, most: float) -> QualityCheck:
    present = rows - values.missing
    share = values.wrong / present if present else 0.0
    text = f"{_percent(share)} of the values in {name} are of another type; at most {_percent(most)} may be"
    return _check("datatype", name, share, most, share > most, text)


def _outside(
    check: str, name: str, usable: pa.ChunkedArray, inside: pa.ChunkedArray, allowed: str, most: float
) -> QualityCheck:
    strangers = usable.filter(pc.invert(inside))
    share = len(strangers) / len(usable)
    outside = f"{_percent(share)} of the values in {name} are outside the {allowed}{_examples(strangers)}"
    text = f"{outside}; at most {_percent(most)} may be"
    return _check(check, name, share, most, share > most, text)


def _examples(strangers: pa.ChunkedArray) -> str:
    """The most frequent of the values, to know where to look."""
    if not len(strangers):
        return ""
    counts = strangers.value_counts().to_pylist()
    counts.sort(key=lambda each: (-each["counts"], str(each["values"])))
    shown = [_shortened(str(each["values"])) for each in counts[:MOST_EXAMPLES]]
    return f" (such as {', '.join(shown)})"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]}…"


def _missing_column(feature: Feature, rows: int) -> QualityCheck:
    if feature.required:
        text = f"the column {feature.name} is missing from all {rows:,} rows, and the schema requires it"
    else:
        text = (
            f"the column {feature.name}, which the schema does not require, is missing from all {rows:,} rows"
        )
    return _check("missing_column", feature.name, None, None, feature.required, text)


def _extra_columns(names: Sequence[str]) -> Iterator[QualityCheck]:
    """One check a column, as long as they can be read; names come from outside and may be of any length."""
    for name in names[:MOST_EXTRA_COLUMNS]:
        short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        text = f"the column {short} is not in the training schema; it is not looked at"
        yield _check("extra_column", short, None, None, False, text)
    if len(names) > MOST_EXTRA_COLUMNS:
        text = f"{len(names) - MOST_EXTRA_COLUMNS} further columns are not in the training schema"
        yield _check("extra_column", None, None, None, False, text)


def _duplicates(rows: pa.Table, training: TrainingConfig, most: float) -> Iterator[QualityCheck]:
    """By prediction id, and where the entity key is captured by key and features together.

    The key alone says nothing: the same customer may well ask twice.
    """
    if RECORD_COLUMNS[0] in rows.column_names:
        share = _repeated(rows, [RECORD_COLUMNS[0]])
        text = f"{_percent(share)} of the rows repeat a prediction id; at most {_percent(most)} may"
        yield _check("duplicates", RECORD_COLUMNS[0], share, most, share > most, text)
    key = training.data.entity_key
    if key is not None and key in rows.column_names:
        features = [each.name for each in training.schema_.features if each.name in rows.column_names]
        share = _repeated(rows, [key, *(name for name in features if name != key)])
        text = (
            f"{_percent(share)} of the rows repeat another's {key} and features; at most {_percent(most)} may"
        )
        yield _check("duplicates", key, share, most, share > most, text)


def _repeated(rows: pa.Table, columns: Sequence[str]) -> float:
    keys = pa.table({name: plain(rows[name]) for name in columns})
    distinct = keys.group_by(list(columns), use_threads=False).aggregate([]).num_rows
    return float(1 - distinct / rows.num_rows)


def _freshness(rows: pa.Table, window: Window, most: timedelta) -> QualityCheck:
    newest: datetime = pc.max(rows["event_time"]).as_py()
    age = window.end - newest
    text = f"the newest row is {_span(age)} old at the end of the window; at most {_span(most)} is allowed"
    return _check("freshness", None, age.total_seconds(), most.total_seconds(), age > most, text)


def _silence(window: Window, most: timedelta, last_row_before: datetime | None) -> QualityCheck:
    """Freshness of a window without rows: the newest row is at least as old as the silence is long."""
    since = min(window.start, last_row_before) if last_row_before else window.start
    age = window.end - since
    limit = most.total_seconds()
    if age >= most:
        text = f"no row has come for {_span(age)}; at most {_span(most)} is allowed"
        return _check("freshness", None, age.total_seconds(), limit, True, text)
    text = f"no row has come for {_span(age)}; whether longer than {_span(most)} is not known"
    return _check("freshness", None, None, limit, None, text)


def _unreadable(captured: Captured) -> Iterator[QualityCheck]:
    for each in captured.unreadable:
        text = f"{each.uri} cannot be read and was left out: {each.reason}"
        yield _check("unreadable_file", None, None, None, True, text)


def _check(
    name: str,
    column: str | None,
    value: float | None,
    threshold: float | None,
    violated: bool | None,
    text: str,
) -> QualityCheck:
    return QualityCheck(
        name=name, column=column, value=value, threshold=threshold, violated=violated, text=text
    )


def _percent(share: float) -> str:
    """Rounded, but never to 0 or 100 where it is neither."""
    if 0 < share < 0.0001 or 0.9999 < share < 1:
        return "under 0.01 %" if share < 0.5 else "over 99.99 %"
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


def _span(length: timedelta) -> str:
    """Such as ``2 d 3 h`` or ``12 min``: the two largest units."""
    seconds = int(length.total_seconds())
    parts = [
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    named = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(named[:2]) or "0 s"
