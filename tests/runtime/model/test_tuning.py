"""The search for hyperparameters: what is tried, in which order, and what is made of failures."""

import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mlops_config.contract.models.training import Tuning
from mlops_config.errors import UsageError
from mlops_config.runtime.model.tuning import Trial, best, search

SPACE: dict[str, Any] = {
    "rate": {"type": "float", "low": 0.01, "high": 1.0, "log": True},
    "depth": {"type": "integer", "low": 2, "high": 10, "step": 3},
    "leaves": {"type": "integer", "low": 2, "high": 1000, "log": True, "step": 2},
    "kind": {"type": "choice", "values": ["a", None, True]},
}
GRID: dict[str, Any] = {
    "depth": SPACE["depth"],
    "kind": SPACE["kind"],
}


def tuning(strategy: str, **values: Any) -> Tuning:
    space = GRID if strategy == "grid" else SPACE
    return TypeAdapter(Tuning).validate_python({"strategy": strategy, "space": space, **values})


def loss(point: Mapping[str, Any]) -> float:
    """Least where the rate is 0.1 and the depth 5."""
    return abs(point.get("rate", 0.1) - 0.1) + abs(point["depth"] - 5) + (0 if point["kind"] == "a" else 0.5)


def points(strategy: str, *, seed: int = 3, **values: Any) -> list[Mapping[str, Any]]:
    trials = search(tuning(strategy, **values), loss, greater_is_better=False, seed=seed)
    return [trial.hyperparameters for trial in trials]


@settings(deadline=None, max_examples=20)
@given(
    strategy=st.sampled_from(["grid", "random", "bayesian"]),
    seed=st.integers(0, 2**32 - 1),
    max_trials=st.integers(1, 15),
    max_parallel=st.integers(1, 4),
)
def test_equal_searches_try_equal_values_within_the_space(
    strategy: str, seed: int, max_trials: int, max_parallel: int
) -> None:
    limits = {"max_trials": max_trials, "max_parallel": max_parallel}
    found = points(strategy, seed=seed, **limits)
    assert found == points(strategy, seed=seed, **limits)
    assert len(found) == (min(9, max_trials) if strategy == "grid" else max_trials)
    for point in found:
        assert point["depth"] in (2, 5, 8)
        assert point["kind"] in ("a", None, True)
        if strategy != "grid":
            assert 0.01 <= point["rate"] <= 1
            assert point["leaves"] in range(2, 1001, 2)


def test_a_grid_is_tried_in_the_order_of_the_file() -> None:
    assert points("grid") == [{"depth": d, "kind": k} for d in (2, 5, 8) for k in ("a", None, True)]


def test_a_grid_that_is_too_large_is_tried_in_part_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    found = points("grid", max_trials=4)
    assert len({str(point) for point in found}) == 4
    assert found != points("grid", max_trials=4, seed=4)
    assert "the grid has 9 points; 4 of them are tried" in caplog.text


def test_bayesian_search_learns_where_random_search_does_not() -> None:
    """Of 40 trials the last ten lie nearer to the best, whatever the seed."""
    ends = {
        strategy: sum(
            loss(point) for seed in range(3) for point in points(strategy, seed=seed, max_trials=40)[-10:]
        )
        for strategy in ("random", "bayesian")
    }
    assert ends["bayesian"] < 0.7 * ends["random"]


@pytest.mark.parametrize(("greater", "expected"), [(True, 1), (False, 0)])
def test_the_best_trial_is_the_first_of_the_best(greater: bool, expected: int) -> None:
    values = [1.0, 3.0, None, 3.0, 1.0]
    trials = [Trial(number, {}, value) for number, value in enumerate(values)]
    assert best(trials, greater_is_better=greater).number == expected


@pytest.mark.parametrize("strategy", ["grid", "random", "bayesian"])
def test_trials_that_fail_are_recorded_and_the_others_go_on(strategy: str) -> None:
    def fails_sometimes(point: Mapping[str, Any]) -> float:
        if point["kind"] is None:
            raise ValueError("kind must not be none\nand more")
        return float("nan") if point["kind"] is True else 1.0

    trials = search(tuning(strategy, max_trials=12), fails_sometimes, greater_is_better=False, seed=5)
    errors = {trial.hyperparameters["kind"]: trial.error for trial in trials}
    assert errors == {
        "a": None,
        None: "kind must not be none",
        True: "the metric is not defined on the validation rows",
    }
    assert best(trials, greater_is_better=False).hyperparameters["kind"] == "a"


def test_when_every_trial_fails_the_first_reason_is_told() -> None:
    def fails(_: Mapping[str, Any]) -> float:
        raise ValueError("no such solver")

    with pytest.raises(UsageError, match="all 9 trials failed, the first because of: no such solver"):
        search(tuning("grid"), fails, greater_is_better=False, seed=1)


def test_so_many_trials_run_at_a_time() -> None:
    together = threading.Barrier(3, timeout=30)

    def waits_for_the_others(_: Mapping[str, Any]) -> float:
        together.wait()
        return 1.0

    trials = search(
        tuning("grid", max_parallel=3, max_trials=9), waits_for_the_others, greater_is_better=True, seed=1
    )
    assert len(trials) == 9


def test_one_at_a_time_runs_in_the_callers_thread_where_signals_arrive() -> None:
    threads = set()

    def notes(_: Mapping[str, Any]) -> float:
        threads.add(threading.current_thread())
        return 1.0

    search(tuning("grid"), notes, greater_is_better=True, seed=1)
    assert threads == {threading.main_thread()}
