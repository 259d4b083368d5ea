"""Tables to profile, and the training files that describe them."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from mlops_config.contract.models.by_kind import TrainingConfig
from mlops_config.kinds import Kind
from tests.contract.documents import document, model_of

FEATURES = {"amount": "fractional", "count": "integral", "zone": "string", "open": "boolean"}


def training(
    features: dict[str, str] | None = None, target: str = "regression", **baseline: Any
) -> TrainingConfig:
    """The example's training file for other features, name → type, and a target ``label``."""
    data = document("dev", Kind.TRAINING)
    given = FEATURES if features is None else features
    data["schema"] = {
        "features": [{"name": name, "type": type_} for name, type_ in given.items()],
        "target": {"name": "label", "problem_type": target},
    }
    data["data"].pop("timestamp_column", None)
    data["data"].pop("entity_key", None)
    data["baseline"] = baseline
    model = model_of(data)
    assert isinstance(model, TrainingConfig)
    return model


def trips(rows: int, seed: int = 1) -> pa.Table:
    """A table with everything that a column may hold: nulls, NaN, infinities, unseen and odd names."""
    random = np.random.default_rng(seed)
    amount = random.lognormal(1, 1, rows)
    amount[random.random(rows) < 0.02] = np.nan
    amount[random.random(rows) < 0.01] = np.inf
    amount[random.random(rows) < 0.01] = -np.inf
    zones = np.array(["north", "sü\u0000d", "o'est", "e\\nast", "", "中"])
    return pa.table(
        {
            "amount": pa.array(amount, mask=random.random(rows) < 0.03),
            "count": pa.array(random.poisson(3, rows), mask=random.random(rows) < 0.03),
            "zone": pa.array(random.choice(zones, rows), mask=random.random(rows) < 0.03),
            "open": pa.array(random.random(rows) < 0.3, mask=random.random(rows) < 0.03),
        }
    )


def frame(rows: int, seed: int = 1) -> pd.DataFrame:
    """Plain rows, as training has them."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": random.normal(10, 2, rows),
            "count": random.integers(0, 9, rows),
            "zone": random.choice(["north", "south", "west"], rows, p=[0.6, 0.3, 0.1]),
            "open": random.random(rows) < 0.3,
        }
    )


# Everything UTF-8 can say: a lone surrogate is no text.
_TEXTS = st.one_of(
    st.sampled_from(["north", "o'est", "a" * 300, "a" * 299, "", "中"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
_ROW = st.tuples(
    st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.5, 1.5e308, -1e-320]),
    st.none() | st.integers(-(2**53), 2**53) | st.integers(-2, 2),
    st.none() | _TEXTS,
    st.none() | st.booleans(),
)
_TYPES = (pa.float64(), pa.int64(), pa.string(), pa.bool_())


def tables(min_size: int = 0, max_size: int = 30) -> st.SearchStrategy[pa.Table]:
    """Tables of a few rows, with any value there is."""

    def table(rows: list[tuple[Any, ...]]) -> pa.Table:
        columns = [[row[place] for row in rows] for place in range(len(_TYPES))]
        arrays = [pa.array(column, type_) for column, type_ in zip(columns, _TYPES, strict=True)]
        return pa.table(dict(zip(FEATURES, arrays, strict=True)))

    return st.lists(_ROW, min_size=min_size, max_size=max_size).map(table)
