"""Holds rows out: which are trained on, which decide between hyperparameters, and which judge the model."""

import hashlib
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.models.training import TrainingConfig
from mlops_config.runtime.data.problems import DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TRAIN, _VALIDATION, _TEST = 0, 1, 2
_UNIT = 2.0**64


class Split(NamedTuple):
    """Three parts that share no row; each keeps the order and the index of the whole."""

    train: "pd.DataFrame"
    validation: "pd.DataFrame"
    test: "pd.DataFrame"


def split(frame: "pd.DataFrame", training: TrainingConfig) -> Split:
    """The checked rows, split as ``training.split`` says; equal rows and seeds give equal parts.

    * ``random``: each row by itself; the shares are exact to a row.
    * ``time``: the newest rows are tested on, those before them validate. Rows of one moment stay together,
      on the newer side.
    * ``group``: all rows of a key stay together; the shares are those of the keys.
    * ``hash``: a SHA-256 of seed and key decides, so a row stays on its side when others come or go.

    Raises:
        DataError: a part would be empty.
    """
    sides = _sides(frame, training)
    parts = Split(*(frame.loc[sides == side] for side in (_TRAIN, _VALIDATION, _TEST)))
    for name, part in parts._asdict().items():
        if part.empty:
            raise DataError(
                f"{len(frame)} rows are too few: split by {training.split.strategy}, {name} gets none",
                hint="get more rows, or change the split's fractions or strategy",
            )
    return parts


def _sides(frame: "pd.DataFrame", training: TrainingConfig) -> "np.ndarray[Any, Any]":
    rule = training.split
    test, validation = rule.test_fraction, rule.validation_fraction
    if rule.strategy == "time":
        return _newest(frame[training.data.timestamp_column], test, validation)
    seed = training.random_seed if rule.seed is None else rule.seed
    if rule.strategy == "random":
        return _drawn(len(frame), test, validation, seed)
    keys = _keys(frame[rule.key or training.data.entity_key])
    sides = (
        _drawn(len(keys.names), test, validation, seed)
        if rule.strategy == "group"
        else _hashed(keys.names, test, validation, seed)
    )
    return sides[keys.codes] if len(keys.names) else sides


def _drawn(number: int, test: float, validation: float, seed: int) -> "np.ndarray[Any, Any]":
    """A side for each of ``number`` things, at random, in shares that are exact to one thing."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(number)
    sides = np.full(number, _TRAIN)
    tested = _share(number, test)
    sides[order[:tested]] = _TEST
    sides[order[tested : tested + _share(number, validation)]] = _VALIDATION
    return sides


def _newest(moments: "pd.Series[Any]", test: float, validation: float) -> "np.ndarray[Any, Any]":
    import numpy as np

    times = moments.to_numpy("datetime64[us]").astype("int64")
    sides = np.full(len(times), _TRAIN)
    if not len(times):
        return sides
    ordered = np.sort(times)
    tested = _share(len(times), test)
    held = min(len(times), tested + _share(len(times), validation))
    sides[times >= ordered[-held]] = _VALIDATION
    sides[times >= ordered[-tested]] = _TEST
    return sides


def _share(number: int, fraction: float) -> int:
    """So many of ``number``, at least one."""
    return min(number, max(1, math.floor(number * fraction + 0.5)))


class _Keys(NamedTuple):
    names: list[str]
    """Each key once, in an order that does not depend on the rows' order."""
    codes: "np.ndarray[Any, Any]"
    """For each row the position of its key."""


def _keys(column: "pd.Series[Any]") -> _Keys:
    import numpy as np
    import pandas as pd

    codes, found = pd.factorize(column, use_na_sentinel=False)
    names = ["" if pd.isna(each) else str(each) for each in found]
    order = sorted(range(len(names)), key=names.__getitem__)
    places = np.empty(len(names), dtype=np.int64)
    places[order] = np.arange(len(names))
    return _Keys([names[position] for position in order], places[codes])


def _hashed(names: list[str], test: float, validation: float, seed: int) -> "np.ndarray[Any, Any]":
    import numpy as np

    points = np.fromiter((_point(name, seed) for name in names), float, len(names))
    return np.select([points < test, points < test + validation], [_TEST, _VALIDATION], default=_TRAIN)


def _point(name: str, seed: int) -> float:
    """A number in [0, 1) that is spread evenly over names."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8]) / _UNIT
