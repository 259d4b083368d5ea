"""Predicts rows with a package's model, by the shortest way that is proven to give the same predictions."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.serving.columns import InputColumn, input_columns
from mlops_config.runtime.serving.encoding import Columns, NotKnownError, encoder
from mlops_config.runtime.serving.estimating import estimate

_PROOF_ROWS = 64
_RELATIVE_TOLERANCE = 1e-12
"""A dot product of one row and of many differ in the last bits, in scikit-learn itself as well."""

_UNKNOWN_LEVEL = "\x00 a level no training row had"


class NoPredictionError(Exception):
    """The model gave something that is no prediction: NaN, infinity, or too few values."""


class Predictor:
    """The model of one package. Safe to use from one thread at a time."""

    def __init__(self, package: ModelPackage) -> None:
        self._pipeline = package.pipeline
        self._schema = package.schema
        self._names = [feature.name for feature in package.schema.features]
        self._width = len(self._names)
        self._direct = _proven(package, self._names)

    @property
    def is_direct(self) -> bool:
        """Whether rows go to the estimator without a data frame in between."""
        return self._direct is not None

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """A number or a class for every row, in their order; the first values of a row are its features.

        Raises:
            NoPredictionError: a prediction is no finite number.
            Exception: whatever the model raises.
        """
        values = [list(row.values())[: self._width] for row in rows]
        columns = list(zip(*values, strict=True))
        with np.errstate(all="ignore"):  # what comes of an overflow is looked at below
            if self._direct is not None:
                predicted = self._direct(columns)
            else:
                predicted = np.asarray(self._pipeline.predict(frame(columns, self._schema)))
        if predicted.shape != (len(rows),):
            raise NoPredictionError(f"the model gave {predicted.shape} predictions for {len(rows)} rows")
        if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
            raise NoPredictionError("the model predicted NaN or infinity")
        found: list[Any] = predicted.tolist()
        return found


def frame(columns: Columns, schema: TableSchema) -> Any:
    """A data frame of the features with the types that checked rows have in every job."""
    import pandas as pd

    from mlops_config.runtime.data.columns import dtype_of

    return pd.DataFrame(
        {
            feature.name: pd.Series(values, dtype=dtype_of(feature))
            for feature, values in zip(schema.features, columns, strict=True)
        }
    )


def _proven(package: ModelPackage, names: Sequence[str]) -> Callable[[Columns], NDArray[Any]] | None:
    """The direct way, if the pipeline is known and both ways agree on rows made from the example."""
    pipeline = package.pipeline
    if type(pipeline).__name__ != "Pipeline" or any(
        feature.type == "timestamp" for feature in package.schema.features
    ):
        return None
    try:
        encode, predict = encoder(pipeline[:-1], names), estimate(pipeline[-1])
        proof = _proof_columns(package)
        if not proof or not proof[0]:
            return None
        expected = np.asarray(pipeline.predict(frame(proof, package.schema)))

        def direct(columns: Columns) -> NDArray[Any]:
            return predict(encode(columns))

        for rows in (slice(None), *(slice(row, row + 1) for row in range(len(proof[0])))):
            if not _agree(direct([column[rows] for column in proof]), expected[rows]):
                return None
    except NotKnownError:
        return None
    except Exception:  # noqa: BLE001 a foreign estimator raises what it likes; the pipeline itself goes on
        return None
    return direct


def _agree(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    if found.shape != expected.shape:
        return False
    if expected.dtype.kind == "f":
        return bool(np.allclose(found, expected, rtol=_RELATIVE_TOLERANCE, atol=0))
    return bool((found == expected).all())


def _proof_columns(package: ModelPackage) -> list[list[Any]]:
    """Rows that mix the example's values with every level, the bounds, and no value where that may come."""
    draw = random.Random(20261)  # noqa: S311 no secret: the same rows at every start
    features = input_columns(package.schema)[: len(package.schema.features)]
    pools = [_pool(column, package.example.get(column.name, [])) for column in features]
    if not all(pools):
        return []
    rows = max(_PROOF_ROWS, min(512, max(map(len, pools))))
    return [[pool[row] if row < len(pool) else draw.choice(pool) for row in range(rows)] for pool in pools]


def _pool(column: InputColumn, example: Sequence[Any]) -> list[Any]:
    values = [value for value in example if value is not None]
    kind = column.feature.type
    if column.domain is not None:
        values += column.domain
    elif kind == "string":
        values.append(_UNKNOWN_LEVEL)
    if kind == "boolean":
        values += [True, False]
    if kind in ("integral", "fractional"):
        number = int if kind == "integral" else float
        values = [number(value) for value in values]
        values += [number(bound) for bound in column.bounds if bound is not None]
    return [*values, None] if column.nullable or not column.must_be_given else values
