"""Every estimator of the contract: made, fitted, stored, loaded, and asked for rows it never saw."""

import builtins
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_config.contract.validation import Validation, validate
from mlops_config.errors import UsageError
from mlops_config.runtime.data.checking import check
from mlops_config.runtime.model.estimators import build_pipeline, trusted_types
from mlops_config.runtime.model.skops_file import from_skops, to_skops
from mlops_config.runtime.training import fitting
from mlops_config.runtime.training.fitting import evaluate, fit, predict, processors
from mlops_config.settings import Settings
from tests.runtime.model.rows import combinations, config, rows

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for each other on a busy machine take longer than the work."""
    monkeypatch.setattr(fitting, "processors", lambda: 1)


@pytest.mark.parametrize(("name", "target"), combinations())
def test_it_learns_is_stored_and_predicts_as_before(name: str, target: str) -> None:
    training, found = config(name, target), rows(target)
    train, test = found.iloc[:300], found.iloc[300:]
    fitted = fit(training, train.iloc[:250], train.iloc[250:])
    evaluation = evaluate(fitted.pipeline, test, training)
    least = {"r2": 0.4, "roc_auc": 0.8, "accuracy": 0.5}
    assert all(
        evaluation.metrics[metric] > value for metric, value in least.items() if metric in evaluation.metrics
    )
    stored = to_skops(fitted.pipeline)
    loaded = from_skops(stored, origin="the test")
    ours, theirs = predict(fitted.pipeline, test, training), predict(loaded, test, training)
    assert (ours.values == theirs.values).all()
    pd.testing.assert_frame_equal(pd.DataFrame(ours.scores), pd.DataFrame(theirs.scores))
    again = fit(training, train.iloc[:250], train.iloc[250:])
    assert to_skops(again.pipeline) == stored


@pytest.mark.parametrize(("name", "target"), combinations())
def test_it_predicts_rows_unlike_any_it_learned_from(name: str, target: str) -> None:
    """Levels it never saw, and no value wherever that is allowed, in the types checked rows have."""
    training, found = config(name, target), rows(target, 200)
    pipeline = fit(training, found.iloc[:150], found.iloc[150:]).pipeline
    strange = {"count": [3, 3], "zone": ["moon", "centre"], "wet": [True, False]}
    strange |= {"gappy_count": [None, 2], "size": [None, 0.5], "street": [None, "nowhere"]}
    strange |= {"gappy_flag": [None, True], "moment": ["2031-01-01T00:00:00Z"] * 2, "never": [None, 1.5]}
    checked = check(pd.DataFrame(strange), training.schema_, with_target=False)
    assert not checked.counts
    predicted = predict(pipeline, checked.rows, training)
    assert len(predicted.values) == 2
    assert set(map(type, predicted.values.tolist())) == set(map(type, found["y"].to_numpy()[:1].tolist()))
    loose = pd.DataFrame(strange).assign(moment=pd.to_datetime(strange["moment"]))
    assert (predict(pipeline, loose, training).values == predicted.values).all()


def test_seed_and_threads_come_from_the_job() -> None:
    training = config("random_forest_regressor", "number", random_seed=11)
    parameters = build_pipeline(training, n_jobs=3).get_params()
    assert (parameters["estimator__random_state"], parameters["estimator__n_jobs"]) == (11, 3)
    fitted = fit(training, rows("number").iloc[:50], rows("number").iloc[50:60])
    assert fitted.pipeline.get_params()["estimator__n_jobs"] == 1


@pytest.mark.parametrize(
    ("said", "threads"), [(None, 4), ("2", 2), ("2,1", 2), ("16", 4), ("0", 4), ("many", 4), ("", 4)]
)
def test_a_container_learns_with_as_many_threads_as_it_is_told(
    said: str | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert processors() == threads


def test_another_seed_is_another_model() -> None:
    found = rows("number", 100)
    stored = {
        to_skops(fit(config("random_forest_regressor", "number", random_seed=seed), found, found).pipeline)
        for seed in (1, 2)
    }
    assert len(stored) == 2


def test_a_text_of_many_levels_is_cut_to_the_frequent_ones_where_each_would_get_a_column() -> None:
    training, found = config("ridge", "number"), rows("number")
    fitted = fit(training, found.iloc[:300], found.iloc[300:])
    width = fitted.pipeline[:-1].transform(found[[each.name for each in training.schema_.features]]).shape[1]
    assert found["street"].nunique() > 100
    assert width == 5 + 3 + 3 + 100  # numbers, the moment's parts, zones, streets; `never` has no value


def test_moments_become_days_hours_and_weekdays() -> None:
    from mlops_config.runtime.model.transforming import moments_as_numbers

    moments = pd.DataFrame(
        {"m": pd.to_datetime(["1970-01-01T06:30:00Z", "2026-11-23T00:00:00Z", None], utc=True)}
    )
    found = moments_as_numbers(moments)
    assert found[0].tolist() == [pytest.approx(6.5 / 24), 6.5, 3]  # a Thursday
    assert found[1].tolist() == [20780, 0, 0]  # a Monday
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize(
    ("name", "target", "library"),
    [("lightgbm_regressor", "number", "lightgbm"), ("xgboost_classifier", "word", "xgboost")],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    name: str, target: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(wanted: str, *args: Any, **kwargs: Any) -> Any:
        if wanted.partition(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return real(wanted, *args, **kwargs)

    for module in [each for each in sys.modules if each.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=f"{name} needs {library}, which is not installed") as caught:
        build_pipeline(config(name, target))
    assert caught.value.hint == f"run: pip install 'mlops-config-action[{library}]'"


@pytest.mark.parametrize(
    ("target", "change", "words"),
    [
        ("word", {"y": "no"}, "have the classes no in y; two are needed, one of them yes"),
        ("truth", {"y": True}, "have the classes True in y; two are needed, one of them true"),
        ("words", {"y": "high"}, "all rows to learn from have the same class in y: high"),
    ],
)
def test_rows_of_one_class_teach_nothing(target: str, change: dict[str, Any], words: str) -> None:
    found = rows(target, 60).assign(**change)
    with pytest.raises(UsageError, match=words):
        fit(config("logistic_regression", target), found.iloc[:40], found.iloc[40:])


OWN = '''
"""A team's own estimators."""

from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import HuberRegressor


class Middle(RegressorMixin, BaseEstimator):
    """Says the same of every row."""

    def __init__(self, quantile=0.5, random_state=None):
        self.quantile, self.random_state = quantile, random_state

    def fit(self, X, y):
        import numpy as np
        self.value_ = float(np.quantile(y, self.quantile))
        self.width_ = X.shape[1]
        return self

    def predict(self, X):
        import numpy as np
        return np.full(len(X), self.value_)


def middle(hyperparameters):
    return Middle(**hyperparameters)


def huber(hyperparameters):
    return HuberRegressor(max_iter=20_000)


def broken(hyperparameters):
    raise RuntimeError("no licence")


def nothing(hyperparameters):
    return 7
'''
ENTRY_POINTS = """
[mlops_config.estimators]
acme_middle = {module}:middle
acme_huber = {module}:huber
acme_broken = {module}:broken
acme_nothing = {module}:nothing
acme_absent = {module}:absent

[mlops_config.trusted_types]
middle = {module}:Middle
"""
CONTRACT = '''
"""The team's own contract: ours, and one more estimator."""

from typing import Annotated, Literal

from pydantic import Field

from mlops_config.contract.models.by_kind import TrainingConfig
from mlops_config.contract.models.estimators import Estimator
from mlops_config.contract.models.model_base import ConfigModel


class MiddleHyperparameters(ConfigModel):
    quantile: float = Field(default=0.5, ge=0, le=1, description="Which.")


class AcmeMiddle(ConfigModel):
    name: Literal["acme_middle", "acme_huber", "acme_broken", "acme_nothing", "acme_absent", "acme_none"]
    hyperparameters: MiddleHyperparameters = Field(default_factory=MiddleHyperparameters)


class Training(TrainingConfig):
    estimator: Annotated[Estimator | AcmeMiddle, Field(discriminator="name")]


MODELS = {"training": Training}
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an installed module with estimators and entry points, beside a contract that knows them."""
    module = "acme_models_of_the_test"
    (tmp_path / f"{module}.py").write_text(OWN)
    (tmp_path / "acme_contract_of_the_test.py").write_text(CONTRACT)
    info = tmp_path / "acme_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS.format(module=module))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield module
    for name in (module, "acme_contract_of_the_test"):
        sys.modules.pop(name, None)


def own_config(name: str, quantile: float = 0.5) -> Any:
    from importlib import import_module

    contract = import_module("acme_contract_of_the_test")
    data = config("ridge", "number").model_dump(mode="json", by_alias=True)
    data["estimator"] = {"name": name, "hyperparameters": {"quantile": quantile}}
    return contract.Training.model_validate(data)


@pytest.mark.usefixtures("own")
def test_a_teams_own_estimator_is_made_stored_and_loaded(own: str) -> None:
    training, found = own_config("acme_middle", 0.25), rows("number")
    fitted = fit(training, found.iloc[:300], found.iloc[300:])
    assert fitted.pipeline[-1].random_state == training.random_seed
    assert fitted.pipeline[-1].value_ == pytest.approx(found["y"].quantile(0.25))
    assert trusted_types() == (f"{own}.Middle",)
    loaded = from_skops(to_skops(fitted.pipeline), origin="the test")
    assert (loaded.predict(found) == fitted.pipeline.predict(found)).all()


@pytest.mark.usefixtures("own")
def test_features_are_prepared_for_whatever_the_estimator_is() -> None:
    """scikit-learn's robust regression takes neither gaps nor text."""
    found = rows("number")
    fitted = fit(own_config("acme_huber"), found.iloc[:300], found.iloc[300:])
    assert evaluate(fitted.pipeline, found, own_config("acme_huber")).metrics["r2"] > 0.5


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acme_broken", "broken made no estimator: RuntimeError: no licence"),
        ("acme_nothing", "nothing returned int, not a scikit-learn estimator"),
        ("acme_absent", "absent cannot be loaded: AttributeError"),
        ("acme_none", "nothing that is installed provides the estimator acme_none"),
    ],
)
def test_an_own_estimator_that_cannot_be_used_is_a_sentence(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build_pipeline(own_config(name))


@pytest.mark.usefixtures("own")
def test_a_file_with_a_teams_own_estimator_is_valid_by_every_rule(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[3] / "configs", tmp_path / "configs")
    retrain = tmp_path / "configs" / "dev" / "dev_retrain_config.yaml"
    ours = retrain.read_text("utf-8")
    retrain.write_text(re.sub(r"max_iter: \d+", "quantile: 0.4", ours), "utf-8")
    path = tmp_path / "configs" / "dev" / "dev_training_config.yaml"
    text = path.read_text("utf-8")
    before, after = text[: text.index("estimator:")], text[text.index("evaluation:") :]
    own_estimator = "estimator: {name: acme_middle, hyperparameters: {quantile: 0.3}}\n"

    def checked(searched: str) -> Validation:
        space = f"tuning: {{space: {{{searched}: {{type: float, low: 0.1, high: 0.9}}}}}}\n\n"
        path.write_text(before + own_estimator + space + after, "utf-8")
        return validate(tmp_path, Settings(contracts="acme_contract_of_the_test"), ["dev"])

    validation = checked("quantile")
    assert [each.message for each in validation.findings] == []
    assert validation.environment("dev").training.estimator.hyperparameters.quantile == 0.3
    [finding] = checked("quantil").findings
    assert (finding.code, finding.message) == ("C10", "acme_middle has no hyperparameter quantil")
