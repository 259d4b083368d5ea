"""The estimator models against the registry, and against what the libraries say of themselves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from tests.contract.documents import changed, document, refusals

from mlops_config.contract.metrics import METRICS, MetricName, ProblemType
from mlops_config.contract.models.by_kind import TrainingConfig
from mlops_config.contract.models.estimators import Estimator
from mlops_config.contract.models.model_base import ConfigModel
from mlops_config.contract.registry import ESTIMATORS
from mlops_config.kinds import Kind

RECORD = json.loads((Path(__file__).parent / "estimator_parameters.json").read_text(encoding="utf-8"))
TRAINING = document("prod", Kind.TRAINING)


def models() -> Iterator[tuple[str, type[ConfigModel]]]:
    """Every estimator's name and the model of its hyperparameters."""
    union = get_args(Estimator)[0]
    for model in get_args(union):
        yield (
            get_args(model.model_fields["name"].annotation)[0],
            model.model_fields["hyperparameters"].annotation,
        )


def test_models_and_registry_name_the_same_estimators_and_hyperparameters() -> None:
    assert {name: frozenset(model.model_fields) for name, model in models()} == {
        name: entry.hyperparameters for name, entry in ESTIMATORS.items()
    }


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_needs_nothing_but_its_name(name: str) -> None:
    model = TrainingConfig.model_validate(changed(TRAINING, ("estimator",), {"name": name}))
    assert set(model.estimator.hyperparameters.model_dump()) == ESTIMATORS[name].hyperparameters


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_hyperparameter_is_a_parameter_of_the_library(name: str) -> None:
    assert ESTIMATORS[name].hyperparameters <= set(RECORD["estimators"][name])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_default_is_the_librarys(name: str) -> None:
    model = dict(models())[name]
    for parameter, field in model.model_fields.items():
        theirs = RECORD["estimators"][name][parameter]["default"]
        if theirs is None and ESTIMATORS[name].distribution != "scikit-learn":
            continue  # the library decides when it trains
        assert field.default == theirs, parameter


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_choice_is_one_the_library_takes(name: str) -> None:
    model = dict(models())[name]
    checked = 0
    for parameter, field in model.model_fields.items():
        choices = RECORD["estimators"][name][parameter].get("choices")
        ours = set(choices_in(field.annotation))
        if choices and ours:
            assert ours <= set(choices), parameter
            checked += 1
    assert checked or ESTIMATORS[name].distribution != "scikit-learn"


def choices_in(annotation: Any) -> Iterator[str]:
    """The text a parameter may be."""
    if get_origin(annotation) is Literal:
        yield from (value for value in get_args(annotation) if isinstance(value, str))
        return
    for argument in get_args(annotation):
        yield from choices_in(argument)


@pytest.mark.parametrize(
    ("estimator", "place"),
    [
        ({"name": "ridge", "hyperparameters": {"C": 1.0}}, ("estimator", "ridge", "hyperparameters", "C")),
        (
            {"name": "ridge", "hyperparameters": {"alpha": -1}},
            ("estimator", "ridge", "hyperparameters", "alpha"),
        ),
        (
            {"name": "ridge", "hyperparameters": {"random_state": 1}},
            ("estimator", "ridge", "hyperparameters", "random_state"),
        ),
        ({"name": "ridge", "import": "os.system"}, ("estimator", "ridge", "import")),
        ({"name": "sklearn.linear_model.Ridge"}, ("estimator",)),
    ],
)
def test_what_an_estimator_does_not_have_is_refused(
    estimator: dict[str, Any], place: tuple[str, ...]
) -> None:
    assert [where for where, _ in refusals(Kind.TRAINING, changed(TRAINING, ("estimator",), estimator))] == [
        place
    ]


def test_every_metric_is_described_once() -> None:
    assert set(METRICS) == set(get_args(MetricName))


def test_every_problem_has_metrics_and_estimators() -> None:
    for problem in get_args(ProblemType):
        assert any(problem in metric.problem_types for metric in METRICS.values())
        assert any(problem in entry.problem_types for entry in ESTIMATORS.values())
