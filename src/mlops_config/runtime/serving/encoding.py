"""A pipeline's preprocessing without data frames: scikit-learn's own arithmetic on plain columns.

A ``ColumnTransformer`` takes milliseconds for one row, nearly all of it bookkeeping around data frames. What
is known here is done with the same operations in the same order; anything else is refused, and the caller
goes on with the pipeline itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Columns = Sequence[Sequence[Any]]
"""Values by column; ``None`` is no value."""
Encoder = Callable[[Columns], Matrix]
"""Columns to a matrix of (rows, encoded features)."""


class NotKnownError(Exception):
    """This transformer, or this setting of it, is not among those done here."""


def encoder(transformer: Any, names: Sequence[str]) -> Encoder:
    """What ``transformer`` does to columns of these names.

    Raises:
        NotKnownError: it does something else than the transformers known here.
    """
    kind = type(transformer).__name__
    if kind == "ColumnTransformer":
        return _column_transformer(transformer, names)
    if kind == "Pipeline":
        return _pipeline([step for _, step in transformer.steps], names)
    return _chain([transformer], names)


def _column_transformer(transformer: Any, names: Sequence[str]) -> Encoder:
    if transformer.transformer_weights:
        raise NotKnownError("transformer_weights")
    parts: list[tuple[list[int], Encoder]] = []
    for _, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        if not isinstance(columns, list) or not all(isinstance(each, str) for each in columns):
            raise NotKnownError(f"columns given as {columns!r}")
        if columns:
            parts.append(([names.index(each) for each in columns], encoder(step, columns)))
    if len(parts) == 1:
        [(only, encode)] = parts
        return lambda columns: encode([columns[index] for index in only])
    return lambda columns: np.hstack(
        [encode([columns[index] for index in indexes]) for indexes, encode in parts]
    )


def _pipeline(steps: list[Any], names: Sequence[str]) -> Encoder:
    first, *after = steps
    if type(first).__name__ not in ("ColumnTransformer", "Pipeline"):
        return _chain(steps, names)
    encode = encoder(first, names)
    scalers = [_scaler(step) for step in after if not _is_passthrough(step)]
    if not scalers:
        return encode

    def encode_and_scale(columns: Columns) -> Matrix:
        matrix = encode(columns)
        for scale in scalers:
            matrix = scale(matrix)
        return matrix

    return encode_and_scale


def _chain(steps: list[Any], names: Sequence[str]) -> Encoder:
    """Steps one after the other: imputers, then one encoder of categories or any number of scalers."""
    steps = [step for step in steps if not _is_passthrough(step)]
    if any(type(step).__name__ in _CATEGORIES for step in steps):
        return _categories(steps, len(names))
    scalers = [_scaler(step) for step in steps]

    def encode(columns: Columns) -> Matrix:
        # None becomes NaN.
        matrix: Matrix = np.array(columns, dtype=np.float64).T
        for scale in scalers:
            matrix = scale(matrix)
        return matrix

    return encode


def _is_passthrough(step: Any) -> bool:
    if isinstance(step, str):
        return step == "passthrough"
    return type(step).__name__ == "FunctionTransformer" and step.func is None


def _scaler(step: Any) -> Callable[[Matrix], Matrix]:
    match type(step).__name__:
        case "StandardScaler":
            mean = step.mean_ if step.with_mean else None
            scale = step.scale_ if step.with_std else None

            def standardize(matrix: Matrix) -> Matrix:
                centered = matrix if mean is None else matrix - mean
                return centered if scale is None else centered / scale

            return standardize
        case "MinMaxScaler" if not step.clip:
            return lambda matrix: matrix * step.scale_ + step.min_
        case "SimpleImputer":
            return _numeric_imputer(step)
        case other:
            raise NotKnownError(other)


def _numeric_imputer(step: Any) -> Callable[[Matrix], Matrix]:
    _require_plain_imputer(step)
    fill = np.asarray(step.statistics_, dtype=np.float64)
    if np.isnan(fill).any():
        raise NotKnownError("a column that was empty in training")
    marks = None
    if step.add_indicator:
        marks = step.indicator_.features_

    def impute(matrix: Matrix) -> Matrix:
        empty = np.isnan(matrix)
        filled = np.where(empty, fill, matrix)
        return filled if marks is None else np.hstack([filled, empty[:, marks].astype(np.float64)])

    return impute


def _require_plain_imputer(step: Any) -> None:
    is_nan = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    if not is_nan and step.missing_values is not None and "NA" not in repr(step.missing_values):
        raise NotKnownError(f"missing_values={step.missing_values!r}")


def _categories(steps: list[Any], count: int) -> Encoder:
    *before, last = steps
    fills: list[Any] = [None] * count
    for step in before:
        if type(step).__name__ != "SimpleImputer" or step.add_indicator:
            raise NotKnownError(type(step).__name__)
        _require_plain_imputer(step)
        fills = [_plain(value) for value in step.statistics_]
    tables = [{_plain(level): number for number, level in enumerate(levels)} for levels in last.categories_]
    finish = _CATEGORIES[type(last).__name__](last, tables)

    def encode(columns: Columns) -> Matrix:
        codes = np.array(
            [
                [table.get(fill if value is None else value, -1) for value in column]
                for column, table, fill in zip(columns, tables, fills, strict=True)
            ],
            dtype=np.intp,
        )
        return finish(codes)

    return encode


def _plain(level: Any) -> Any:
    """A category as JSON has it; every kind of missing value is ``None``."""
    value = level.item() if isinstance(level, np.generic) else level
    missing = value is None or (isinstance(value, float) and np.isnan(value)) or repr(value) == "<NA>"
    return None if missing else value


def _one_hot(step: Any, tables: list[dict[Any, int]]) -> Callable[[NDArray[np.intp]], Matrix]:
    if step.handle_unknown != "ignore" or step._infrequent_enabled:
        raise NotKnownError("OneHotEncoder with infrequent categories, or that refuses unknown ones")
    blocks = []
    for table, dropped in zip(tables, _dropped(step, len(tables)), strict=True):
        # The last line, which -1 points at, is an unknown category: no column is hot.
        block = np.vstack([np.eye(len(table)), np.zeros((1, len(table)))])
        blocks.append(block if dropped is None else np.delete(block, dropped, axis=1))
    return lambda codes: np.hstack([block[code] for block, code in zip(blocks, codes, strict=True)])


def _dropped(step: Any, count: int) -> list[int | None]:
    return [None] * count if step.drop_idx_ is None else list(step.drop_idx_)


def _ordinal(step: Any, tables: list[dict[Any, int]]) -> Callable[[NDArray[np.intp]], Matrix]:
    if step.handle_unknown != "use_encoded_value" or step._infrequent_enabled:
        raise NotKnownError("OrdinalEncoder with infrequent categories, or that refuses unknown ones")
    lines = []
    for table in tables:
        line = np.arange(len(table) + 1, dtype=np.float64)
        line[-1] = step.unknown_value
        if None in table:
            line[table[None]] = step.encoded_missing_value
        lines.append(line)
    return lambda codes: np.column_stack([line[code] for line, code in zip(lines, codes, strict=True)])


_CATEGORIES: dict[str, Callable[[Any, list[dict[Any, int]]], Callable[[NDArray[np.intp]], Matrix]]] = {
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
}
