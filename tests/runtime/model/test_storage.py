"""Stored models: what comes back is what was stored, nothing is pickled, and nothing foreign is loaded."""

import importlib
import io
import json
import logging
import pickle
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlops_config.contract.models.tables import TableSchema
from mlops_config.contract.registry import ESTIMATORS, EstimatorEntry
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.model import estimators, storage
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.skops_file import from_skops, to_skops, unknown_types
from mlops_config.runtime.model.storage import (
    digest_of,
    package_digest,
    package_files,
    read_package,
    write_package,
)
from mlops_config.runtime.profile.profile import Profile

ROWS = 120
VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "ridge": ({}, {"solver": "lbfgs", "positive": True}, {"solver": "sag"}),
    "logistic_regression": ({}, {"solver": "newton-cholesky"}, {"class_weight": "balanced"}),
    "random_forest_regressor": ({}, {"criterion": "poisson", "bootstrap": False}),
    "random_forest_classifier": ({}, {"criterion": "log_loss", "class_weight": "balanced"}),
    "hist_gradient_boosting_regressor": (
        {"early_stopping": True},
        *({"loss": loss} for loss in ("absolute_error", "gamma", "poisson")),
        {"loss": "quantile", "quantile": 0.9},
    ),
    "hist_gradient_boosting_classifier": ({"early_stopping": True}, {"class_weight": "balanced"}),
    "lightgbm_regressor": ({"boosting_type": "dart"}, {"objective": "regression_l1"}),
    "lightgbm_classifier": ({}, {"class_weight": "balanced"}),
    "xgboost_regressor": ({"booster": "gblinear"}, {"booster": "dart", "objective": "reg:absoluteerror"}),
    "xgboost_classifier": ({"booster": "gbtree"},),
}
"""Hyperparameters that make an estimator keep other objects."""


def table(problem: str = "regression") -> TableSchema:
    features = [
        {"name": "distance_km", "type": "fractional"},
        {"name": "passengers", "type": "integral"},
        {"name": "zone", "type": "string"},
        {"name": "raining", "type": "boolean"},
    ]
    document = {"features": features, "target": {"name": "fare", "problem_type": problem}}
    return TableSchema.model_validate_json(json.dumps(document))


def rows() -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "distance_km": random.gamma(2.0, 4.0, ROWS),
            "passengers": random.integers(1, 7, ROWS),
            "zone": random.choice(["airport", "centre", "Küste"], ROWS),
            "raining": random.random(ROWS) > 0.5,
        }
    )


def fitted(estimator: Any, problem: str = "regression") -> Pipeline:
    frame = rows()
    fare = 3 + 2 * frame["distance_km"]
    truth = {
        "regression": fare,
        "binary_classification": (fare > fare.median()).astype(int),
        "multiclass_classification": pd.qcut(fare, 3, labels=["low", "mid", "high"]).astype(str),
    }[problem]
    if problem.startswith("multi") and type(estimator).__name__.startswith("XGB"):
        truth = truth.map({"low": 0, "mid": 1, "high": 2})
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer(
        [
            ("number", numbers, ["distance_km", "passengers"]),
            ("one", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["zone"]),
            ("code", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["zone"]),
            ("rest", "passthrough", ["raining"]),
        ]
    )
    columns.set_output(transform="pandas")
    return Pipeline([("columns", columns), ("model", estimator)]).fit(frame, truth)


def package(pipeline: Any = None, **changes: Any) -> ModelPackage:
    example = {name: list(values[:3]) for name, values in rows().items()}
    made = ModelPackage(
        pipeline=pipeline if pipeline is not None else fitted(Ridge()),
        schema=table(),
        profile=Profile(rows=ROWS),
        tags={"mlops.commit": "4c879ba", "mlops.config_digest": f"sha256:{'0' * 64}"},
        example=example,
    )
    return replace(made, **changes)


def made(entry: EstimatorEntry, **hyperparameters: Any) -> Any:
    module, _, name = entry.python_class.rpartition(".")
    small = {"n_estimators": 3, "max_iter": 200, "early_stopping": False}
    if "hist" in entry.name:
        small["max_iter"] = 3
    quiet = {"verbose": -1} if entry.distribution == "lightgbm" else {}
    chosen = {key: value for key, value in small.items() if key in entry.hyperparameters}
    return getattr(importlib.import_module(module), name)(**{**chosen, **hyperparameters, **quiet})


@pytest.fixture
def ridge() -> ModelPackage:
    return package()


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_estimator_predicts_the_same_after_being_stored(name: str, tmp_path: Path) -> None:
    entry = ESTIMATORS[name]
    for number, variant in enumerate(VARIANTS[name]):
        for problem in entry.problem_types:
            pipeline = fitted(made(entry, **variant), problem)
            folder = tmp_path / f"{number}-{problem}"
            stored = package(pipeline, schema=table(problem))

            digest = write_package(stored, folder)
            read = read_package(folder, digest=digest)

            assert np.array_equal(read.pipeline.predict(rows()), pipeline.predict(rows()))
            assert (read.schema, read.tags) == (stored.schema, stored.tags)
            check_that_no_member_is_a_pickle((folder / "model.skops").read_bytes())


def check_that_no_member_is_a_pickle(model: bytes) -> None:
    """Arrays are read with ``allow_pickle=False``, JSON is JSON, and bytes are the library's own format."""
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        for member in archive.namelist():
            data = archive.read(member)
            match member.rpartition(".")[2]:
                case "npy":
                    np.load(io.BytesIO(data), allow_pickle=False)
                case "json":
                    json.loads(data)
                case "bin":
                    # A pickle begins with 0x80 and its protocol, XGBoost's own format with a brace.
                    assert data[:1] != pickle.PROTO
                    assert data[:1] == b"{"
                case other:
                    pytest.fail(f"what is a .{other}?")


def test_nothing_is_pickled_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ridge: ModelPackage
) -> None:
    import cloudpickle
    import joblib

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("pickled")

    for module in (pickle, cloudpickle, joblib):
        for name in {"dump", "dumps", "load", "loads", "Pickler", "Unpickler"} & set(dir(module)):
            monkeypatch.setattr(module, name, refuse)
    write_package(ridge, tmp_path)

    assert read_package(tmp_path).pipeline.predict(rows()).shape == (ROWS,)


def test_example_tags_and_missing_values_come_back_as_they_were(tmp_path: Path) -> None:
    schema = TableSchema.model_validate_json(
        json.dumps(
            {
                "features": [
                    {"name": "distance_km", "type": "fractional"},
                    {"name": "pickup", "type": "timestamp"},
                ],
                "target": {"name": "fare", "problem_type": "regression"},
            }
        )
    )
    pickup = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    pipeline = Pipeline(
        [
            ("columns", ColumnTransformer([("number", SimpleImputer(), ["distance_km"])])),
            ("model", Ridge()),
        ]
    ).fit(pd.DataFrame({"distance_km": [1.0, 2.0], "pickup": [pickup, pickup]}), [1, 2])
    example = {"distance_km": [np.float64(1.5), float("nan")], "pickup": [pd.Timestamp(pickup), pd.NaT]}

    write_package(package(pipeline, schema=schema, example=example), tmp_path)

    assert read_package(tmp_path).example == {"distance_km": [1.5, None], "pickup": [pickup, None]}


def test_equal_packages_have_equal_files(ridge: ModelPackage) -> None:
    again = package(fitted(Ridge()))

    assert package_files(ridge) == package_files(again)
    assert package_files(ridge) != package_files(package(fitted(Ridge(alpha=2.0))))


def test_a_digest_names_every_byte(tmp_path: Path, ridge: ModelPackage) -> None:
    digest = write_package(ridge, tmp_path)

    assert digest == package_digest(tmp_path) == digest_of(package_files(ridge))
    assert digest != write_package(replace(ridge, profile=Profile(rows=ROWS + 1)), tmp_path / "other")


@pytest.mark.parametrize("name", ["model.skops", "profile.json"])
def test_a_changed_byte_is_refused(name: str, tmp_path: Path, ridge: ModelPackage) -> None:
    write_package(ridge, tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)

    with pytest.raises(IntegrityError, match=rf"{name} is sha256:\w+, but package.json says sha256:"):
        read_package(tmp_path)


def test_a_changed_description_is_refused_where_the_digest_is_known(
    tmp_path: Path, ridge: ModelPackage
) -> None:
    digest = write_package(ridge, tmp_path)
    description = tmp_path / "package.json"
    description.write_bytes(description.read_bytes().replace(b"4c879ba", b"0000000"))

    with pytest.raises(IntegrityError, match=f"expected was {digest}"):
        read_package(tmp_path, digest=digest)


@pytest.mark.parametrize("name", ["model.skops", "profile.json", "package.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path, ridge: ModelPackage) -> None:
    write_package(ridge, tmp_path)
    (tmp_path / name).unlink()

    with pytest.raises(IntegrityError, match=f"{name} is missing"):
        read_package(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "is no description"),
        (b"[]", "is no description"),
        (b'{"format": 1}', "files: Field required"),
    ],
)
def test_a_broken_description_is_refused(
    content: bytes, said: str, tmp_path: Path, ridge: ModelPackage
) -> None:
    write_package(ridge, tmp_path)
    (tmp_path / "package.json").write_bytes(content)

    with pytest.raises(IntegrityError, match=said):
        read_package(tmp_path)


def test_a_newer_format_asks_for_a_newer_version(tmp_path: Path, ridge: ModelPackage) -> None:
    write_package(ridge, tmp_path)
    describe(tmp_path, format=2)

    with pytest.raises(UsageError, match="has format 2, and this version reads 1"):
        read_package(tmp_path)


def describe(folder: Path, **changes: Any) -> None:
    """Changes what ``package.json`` says."""
    path = folder / "package.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


class Foreign:
    """A type nobody has put on the list."""

    def __setstate__(self, state: object) -> None:
        raise AssertionError("was loaded")

    def predict(self, frame: pd.DataFrame) -> list[int]:
        return [0] * len(frame)


def test_a_model_of_an_untrusted_type_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not on the list of trusted types: tests.*Foreign"):
        write_package(package(Pipeline([("model", Foreign())])), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_teams_own_type_is_stored_where_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(estimators, "trusted_types", lambda: (f"{Doubling.__module__}.Doubling",))
        write_package(package(Doubling()), tmp_path)
        assert list(read_package(tmp_path).pipeline.predict(rows())[:2]) == [2, 2]
    with pytest.raises(IntegrityError, match=r"not trusted: tests.*Doubling"):
        read_package(tmp_path)


class Doubling:
    def predict(self, frame: pd.DataFrame) -> list[int]:
        return [2] * len(frame)


def test_a_file_with_an_untrusted_type_is_refused_before_anything_is_made() -> None:
    data = skops.io.dumps(Pipeline([("model", Foreign())]))

    assert unknown_types(data) == (f"{Foreign.__module__}.Foreign",)
    with pytest.raises(IntegrityError, match=r"m\.skops holds types that are not trusted: tests.*Foreign"):
        from_skops(data, origin="m.skops")


def test_a_function_in_a_file_is_refused_by_name() -> None:
    document = json.dumps(
        {
            "__class__": "system",
            "__module__": "os",
            "__loader__": "FunctionNode",
            "protocol": 2,
            "_skops_version": "0",
        }
    )
    with pytest.raises(IntegrityError, match=r"not trusted: os\.system"):
        from_skops(zipped({"schema.json": document.encode()}), origin="m.skops")


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no model file"),
        (pickle.dumps({"a": 1}), "no model file"),
        (zipped({}), "no model file"),
        (zipped({"schema.json": b"{}"}), "no model file"),
        (zipped({"schema.json": bytes(1000)}, zipfile.ZIP_DEFLATED), "compressed member 'schema.json'"),
    ],
    ids=["nothing", "a pickle", "an empty archive", "an empty schema", "compressed"],
)
def test_what_is_no_model_file_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        from_skops(data, origin="m.skops")


def test_a_lambda_cannot_be_stored() -> None:
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UsageError, match=r"not on the list of trusted types: .*<lambda>"):
        to_skops(FunctionTransformer(lambda frame: frame))


def with_trees(name: str) -> tuple[Pipeline, Any]:
    """A fitted pipeline and one of its trees."""
    pipeline = fitted(made(ESTIMATORS[name]))
    model = pipeline.named_steps["model"]
    return pipeline, model.estimators_[1].tree_ if "forest" in name else model._predictors[1][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left_child", 0),
        ("left_child", 1_000_000),
        ("right_child", -5),
        ("right_child", 1_000_000),
        ("feature", -5),
        ("feature", 1_000_000),
    ],
)
def test_a_forest_whose_indices_lead_outside_is_refused(field: str, value: int) -> None:
    pipeline, tree = with_trees("random_forest_regressor")
    state = tree.__getstate__()
    state["nodes"][field][0] = value
    tree.__setstate__(state)

    with pytest.raises(IntegrityError, match="holds a Tree whose indices lead outside"):
        from_skops(to_skops(pipeline), origin="m.skops")


@pytest.mark.parametrize(("field", "value"), [("left", 0), ("right", 1_000_000), ("feature_idx", 77)])
def test_a_histogram_tree_whose_indices_lead_outside_is_refused(field: str, value: int) -> None:
    pipeline, tree = with_trees("hist_gradient_boosting_regressor")
    tree.nodes[field][0] = value

    with pytest.raises(IntegrityError, match="whose indices lead outside"):
        from_skops(to_skops(pipeline), origin="m.skops")


def test_a_tree_for_more_features_than_its_forest_has_is_refused() -> None:
    pipeline, _ = with_trees("random_forest_regressor")
    wider = made(ESTIMATORS["random_forest_regressor"]).fit(
        np.random.default_rng(1).random((50, 40)), range(50)
    )
    pipeline.named_steps["model"].estimators_[1] = wider.estimators_[0]

    with pytest.raises(IntegrityError, match="holds a RandomForestRegressor whose indices lead outside"):
        from_skops(to_skops(pipeline), origin="m.skops")


def test_another_version_that_predicts_the_same_is_told(
    tmp_path: Path, ridge: ModelPackage, caplog: pytest.LogCaptureFixture
) -> None:
    write_package(ridge, tmp_path)
    stored_by(tmp_path, "1.2.0")

    with caplog.at_level(logging.WARNING):
        read_package(tmp_path)
    assert "was stored by scikit-learn 1.2.0, and" in caplog.text
    assert "predicts its example as before" in caplog.text


def stored_by(folder: Path, version: str) -> None:
    versions = json.loads((folder / "package.json").read_bytes())["versions"]
    describe(folder, versions={**versions, "scikit-learn": version})


def test_another_version_that_predicts_differently_is_refused(tmp_path: Path, ridge: ModelPackage) -> None:
    write_package(ridge, tmp_path)
    stored_by(tmp_path, "99.0.0")
    describe(tmp_path, expected=[0.5, 0.5, 0.5])

    with pytest.raises(
        IntegrityError, match=r"scikit-learn 99\.0\.0, and .* predicts its example differently"
    ):
        read_package(tmp_path)


def test_another_patch_release_is_not_worth_a_word(
    tmp_path: Path, ridge: ModelPackage, caplog: pytest.LogCaptureFixture
) -> None:
    import sklearn

    write_package(ridge, tmp_path)
    stored_by(tmp_path, f"{sklearn.__version__.rpartition('.')[0]}.99")

    with caplog.at_level(logging.WARNING):
        read_package(tmp_path)
    assert caplog.text == ""


def test_versions_name_the_booster_that_is_in_the_model_and_no_other(ridge: ModelPackage) -> None:
    boosted = package(fitted(made(ESTIMATORS["lightgbm_regressor"])))

    assert set(versions(ridge)) == {"python", "scikit-learn", "numpy", "skops"}
    assert set(versions(boosted)) == {"python", "scikit-learn", "numpy", "skops", "lightgbm"}


def versions(package: ModelPackage) -> dict[str, str]:
    found: dict[str, str] = json.loads(package_files(package)["package.json"])["versions"]
    return found


def test_a_booster_that_is_not_installed_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(package(fitted(made(ESTIMATORS["lightgbm_regressor"]))), tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "lightgbm"]:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError, match="a model of lightgbm, which is not installed here") as refused:
        read_package(tmp_path)
    assert refused.value.hint == "pip install 'mlops-config-action[jobs,lightgbm]'"


def test_a_model_that_cannot_predict_its_example_is_not_stored(tmp_path: Path, ridge: ModelPackage) -> None:
    with pytest.raises(UsageError, match="cannot predict its own example"):
        write_package(replace(ridge, example={"zone": ["north"]}), tmp_path)


def test_other_files_beside_a_package_are_left_alone(tmp_path: Path, ridge: ModelPackage) -> None:
    write_package(ridge, tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: {}")

    assert read_package(tmp_path).schema == ridge.schema


def test_writing_over_a_package_that_is_cut_short_leaves_no_readable_mixture(
    tmp_path: Path, ridge: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(ridge, tmp_path)
    whole = storage.write_atomically

    def interrupted(path: Path, data: bytes) -> None:
        if path.name == "profile.json":
            raise KeyboardInterrupt
        whole(path, data)

    monkeypatch.setattr(storage, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_package(package(fitted(Ridge(alpha=9.0))), tmp_path)

    with pytest.raises(IntegrityError, match=r"model\.skops is sha256"):
        read_package(tmp_path)
