"""The direct way to a prediction gives what the pipeline gives, or is not taken."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from mlops_config.contract import registry
from mlops_config.kinds import Kind
from mlops_config.runtime.model.estimators import build_pipeline
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.profile.profile import Profile
from mlops_config.runtime.serving.encoding import NotKnownError, encoder
from mlops_config.runtime.serving.predictor import NoPredictionError, Predictor
from tests.runtime.serving.scenes import LEVELS, NUMBERS, ROW, config, package_of, table_schema, trips

ROWS = 40


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame[list(ROW)].astype(object).where(frame[list(ROW)].notna(), None)
    return plain.to_dict("records")


def classes(levels: list[Any]) -> np.ndarray[Any, Any]:
    return np.array([levels[int(number) % len(levels)] for number in trips().fare_eur])


ESTIMATORS = {
    "ridge": (Ridge(), None),
    "forest": (RandomForestRegressor(20, max_depth=6, random_state=1), None),
    "large forest": (RandomForestRegressor(3, random_state=1, n_jobs=2), None),
    "boosting": (HistGradientBoostingRegressor(max_iter=20), None),
    "boosting of counts": (HistGradientBoostingRegressor(loss="poisson", max_iter=20), None),
    "two classes": (HistGradientBoostingClassifier(max_iter=10), classes([False, True])),
    "three classes": (HistGradientBoostingClassifier(max_iter=10), classes(["a", "b", "c"])),
    "logistic, two": (LogisticRegression(max_iter=500), classes([0, 1])),
    "logistic, three": (LogisticRegression(max_iter=500), classes(["a", "b", "c"])),
    "forest of classes": (RandomForestClassifier(5, random_state=1), classes(["a", "b"])),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_served_directly_and_predicts_as_its_pipeline(name: str) -> None:
    estimator, target = ESTIMATORS[name]
    package = package_of(estimator, target=target)
    predictor = Predictor(package)
    assert predictor.is_direct
    frame = trips(ROWS, seed=9)
    expected = package.pipeline.predict(frame[list(ROW)]).tolist()
    rows = rows_of(frame)
    together = predictor.predict(rows)
    one_by_one = [predictor.predict([row])[0] for row in rows]
    for found in (together, one_by_one):
        if isinstance(expected[0], float):
            assert found == pytest.approx(expected, rel=1e-12)
        else:
            assert found == expected
            assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("name", registry.ESTIMATORS)
def test_every_estimator_of_the_training_file_is_served_directly(name: str) -> None:
    problem = "regression" if name == "ridge" or name.endswith("regressor") else "multiclass_classification"
    target = {"name": "fare", "problem_type": problem}
    gap = (("schema", "features", 0, "completeness_min_fraction"), 0.5)
    training = config(Kind.TRAINING, (("estimator",), {"name": name}), (("schema", "target"), target), gap)
    rows, fares = trips(), trips().fare_eur
    rows.loc[::7, "distance_km"] = np.nan
    truth = (
        fares
        if problem == "regression"
        else np.array(["low", "mid", "high"])[(fares // 130).clip(0, 2).astype(int)]
    )
    hyperparameters = training.estimator.hyperparameters.model_dump()
    count = "max_iter" if "hist" in name else "n_estimators"
    if count in hyperparameters:
        hyperparameters[count] = 20
    pipeline = build_pipeline(training, hyperparameters=hyperparameters).fit(rows[list(ROW)], truth)
    example = {column: [row[column] for row in rows_of(rows.head())] for column in ROW}
    package = ModelPackage(pipeline, training.schema_, Profile(rows=300), {}, example)
    predictor = Predictor(package)
    assert predictor.is_direct
    asked = rows.iloc[:ROWS]
    expected = pipeline.predict(asked[list(ROW)]).tolist()
    for found in (predictor.predict(rows_of(asked)), [predictor.predict([row])[0] for row in rows_of(asked)]):
        if problem == "regression":
            assert found == pytest.approx(expected, rel=1e-12)
        else:
            assert found == expected


def with_preprocessing(transformer: Any, schema: Any = None) -> ModelPackage:
    rows = trips()
    features = rows[list(ROW)]
    pipeline = Pipeline([("prepare", transformer), ("estimate", Ridge())]).fit(features, rows.fare_eur)
    given = package_of(Ridge(), schema)
    return ModelPackage(pipeline, given.schema, given.profile, {}, given.example)


def columns(*steps: tuple[str, Any, Any], **options: Any) -> ColumnTransformer:
    return ColumnTransformer(list(steps), **options)


KNOWN = {
    "min and max, ordinals": columns(
        ("numbers", MinMaxScaler(), list(NUMBERS)),
        ("levels", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), list(LEVELS)),
    ),
    "as they are, one level dropped": columns(
        ("numbers", "passthrough", list(NUMBERS)),
        ("levels", OneHotEncoder(handle_unknown="ignore", drop="first", sparse_output=False), list(LEVELS)),
    ),
    "the rest dropped, scaled at the end": Pipeline(
        [
            ("columns", columns(("numbers", SimpleImputer(strategy="median"), list(NUMBERS)))),
            ("scale", StandardScaler()),
        ]
    ),
    "sparse": columns(
        ("numbers", StandardScaler(with_mean=False), list(NUMBERS)),
        ("levels", OneHotEncoder(handle_unknown="ignore"), list(LEVELS)),
    ),
}


@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
@pytest.mark.parametrize("name", KNOWN)
def test_preprocessing_that_is_known_gives_the_same_predictions(name: str) -> None:
    package = with_preprocessing(KNOWN[name])
    predictor = Predictor(package)
    assert predictor.is_direct
    frame = trips(ROWS, seed=9)
    expected = package.pipeline.predict(frame[list(ROW)]).tolist()
    assert predictor.predict(rows_of(frame)) == pytest.approx(expected, rel=1e-12)


UNKNOWN = {
    "a function": columns(("numbers", FunctionTransformer(np.log1p), list(NUMBERS))),
    "unknown levels refused": columns(("levels", OneHotEncoder(), list(LEVELS))),
    "rare levels": columns(
        ("levels", OneHotEncoder(handle_unknown="ignore", min_frequency=0.25), list(LEVELS))
    ),
    "columns by number": columns(("numbers", "passthrough", [0, 1, 2])),
    "weights": columns(("numbers", "passthrough", list(NUMBERS)), transformer_weights={"numbers": 2.0}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_preprocessing_that_is_not_known_goes_through_the_pipeline(name: str) -> None:
    package = with_preprocessing(UNKNOWN[name])
    with pytest.raises(NotKnownError):
        encoder(package.pipeline[:-1], list(ROW))
    predictor = Predictor(package)
    assert not predictor.is_direct
    frame = trips(ROWS, seed=9)
    expected = package.pipeline.predict(frame[list(ROW)]).tolist()
    assert predictor.predict(rows_of(frame)) == expected


def test_rows_with_gaps_are_imputed_alike_both_ways() -> None:
    schema = table_schema(
        (("features", 0, "completeness_min_fraction"), 0.5),
        (("features", 2, "completeness_min_fraction"), 0.5),
    )
    package = with_preprocessing(
        columns(
            (
                "numbers",
                Pipeline([("fill", SimpleImputer(add_indicator=True)), ("scale", StandardScaler())]),
                list(NUMBERS),
            ),
        ),
        schema,
    )
    predictor = Predictor(package)
    assert predictor.is_direct
    frame = trips(4, seed=9)[list(ROW)]
    frame["pickup_hour"] = frame["pickup_hour"].astype("Int64")
    frame.loc[1, "distance_km"] = np.nan
    frame.loc[2, "pickup_hour"] = pd.NA
    expected = package.pipeline.predict(frame).tolist()
    assert predictor.predict(rows_of(frame)) == pytest.approx(expected, rel=1e-12)


class Shifted(Ridge):
    """Predicts otherwise than its coefficients say."""

    def predict(self, rows: Any) -> Any:
        return super().predict(rows) + 1


def test_a_direct_way_that_predicts_otherwise_is_not_taken() -> None:
    Shifted.__name__ = "Ridge"
    try:
        package = package_of(Shifted())
        predictor = Predictor(package)
    finally:
        Shifted.__name__ = "Shifted"
    assert not predictor.is_direct
    expected = package.pipeline.predict(trips(2)[list(ROW)]).tolist()
    assert predictor.predict(rows_of(trips(2))) == expected


class Silent(Ridge):
    """Gives fewer predictions than rows."""

    def predict(self, rows: Any) -> Any:
        return super().predict(rows)[:1]


def test_a_model_that_gives_too_few_predictions_is_found_out() -> None:
    predictor = Predictor(package_of(Silent()))
    with pytest.raises(NoPredictionError, match="predictions for 2 rows"):
        predictor.predict(rows_of(trips(2)))
