"""The search for hyperparameters: which values are tried, in an order that depends on the seed alone."""

import itertools
import logging
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.models.training import IntegerSpace, SearchSpace, Tuning
from mlops_config.errors import UsageError

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)


class Trial(NamedTuple):
    """One set of values that was tried."""

    number: int
    """From 0, in the order of trying."""
    hyperparameters: Mapping[str, Any]
    """The values tried; the others are the training file's."""
    value: float | None
    """The primary metric on the validation rows; ``None``: it failed."""
    error: str | None = None

    def document(self) -> dict[str, Any]:
        """The trial as JSON has it."""
        return {
            "number": self.number,
            "hyperparameters": dict(self.hyperparameters),
            "value": self.value,
            "error": self.error,
        }


def search(
    tuning: Tuning,
    judge: Callable[[Mapping[str, Any]], float],
    *,
    greater_is_better: bool,
    seed: int,
) -> tuple[Trial, ...]:
    """Tries values of ``tuning.space``; equal arguments give equal trials, however many run at a time.

    Trials run ``max_parallel`` at a time, in rounds: the next round is picked when the whole round is judged.
    A grid with more than ``max_trials`` points is tried at so many of them, drawn by the seed.

    Args:
        tuning: Strategy, limits and space.
        judge: From values to the metric; may raise ValueError where the estimator refuses them.
        greater_is_better: Whether larger metrics are better.
        seed: Of everything random.

    Raises:
        UsageError: every trial failed; the message holds the first reason.
    """
    picker = _Grid(tuning, seed) if tuning.strategy == "grid" else _Sampler(tuning, seed, greater_is_better)
    trials: list[Trial] = []
    with _runner(tuning.max_parallel) as run:
        while len(trials) < tuning.max_trials:
            points = picker.next(min(tuning.max_parallel, tuning.max_trials - len(trials)))
            if not points:
                break
            outcomes = run(lambda point: _tried(judge, point), points)
            for point, (value, error) in zip(points, outcomes, strict=True):
                trials.append(Trial(len(trials), point, value, error))
            picker.learn(trials[-len(points) :])
    if all(trial.value is None for trial in trials):
        raise UsageError(
            f"all {len(trials)} trials failed, the first because of: {trials[0].error}",
            hint="correct tuning.space: every combination of its values must be one the estimator takes",
        )
    return tuple(trials)


def best(trials: Sequence[Trial], *, greater_is_better: bool) -> Trial:
    """The trial with the best value; of equals the first."""
    judged = [trial for trial in trials if trial.value is not None]
    return (max if greater_is_better else min)(judged, key=lambda trial: trial.value or 0.0)


@contextmanager
def _runner(parallel: int) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]]:
    """What calls a function for each item of a round, ``parallel`` at a time.

    One at a time runs in this thread: only the main thread is told of signals and of the end of its time.
    """
    if parallel == 1:
        yield lambda function, items: [function(item) for item in items]
        return
    pool = ThreadPoolExecutor(parallel)
    try:
        yield lambda function, items: list(pool.map(function, items))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever interrupts us does not wait for a round


def _tried(
    judge: Callable[[Mapping[str, Any]], float], point: Mapping[str, Any]
) -> tuple[float | None, str | None]:
    try:
        value = judge(point)
    except ValueError as error:
        return None, str(error).splitlines()[0]
    return (
        (value, None) if math.isfinite(value) else (None, "the metric is not defined on the validation rows")
    )


class _Grid:
    """Every combination, or as many as may be tried, in the order of the file."""

    def __init__(self, tuning: Tuning, seed: int) -> None:
        choices = {name: _choices(space) for name, space in tuning.space.items()}
        size = math.prod(len(each) for each in choices.values())
        places: Sequence[int] = range(size)
        if size > tuning.max_trials:
            places = sorted(random.Random(seed).sample(places, tuning.max_trials))  # noqa: S311 - no secret
            log.warning("the grid has %d points; %d of them are tried (max_trials)", size, tuning.max_trials)
        self._points: Iterator[dict[str, Any]] = (_point(choices, place) for place in places)

    def next(self, number: int) -> list[dict[str, Any]]:
        return list(itertools.islice(self._points, number))

    def learn(self, trials: Sequence[Trial]) -> None:
        """A grid knows beforehand what it tries."""


def _choices(space: SearchSpace) -> Sequence[Any]:
    if space.type == "integer":
        return range(space.low, space.high + 1, space.step)
    if space.type == "choice":
        return space.values
    raise UsageError("a grid tries every value, and there is no end of numbers with a fraction")


def _point(choices: Mapping[str, Sequence[Any]], place: int) -> dict[str, Any]:
    """The combination at ``place``, the last name changing fastest."""
    point = {}
    for name, values in reversed(list(choices.items())):
        place, position = divmod(place, len(values))
        point[name] = values[position]
    return dict(reversed(list(point.items())))


class _Sampler:
    """Values drawn at random, or near those that did well: optuna's samplers."""

    def __init__(self, tuning: Tuning, seed: int, greater_is_better: bool) -> None:
        try:
            import optuna
        except ImportError as error:
            from mlops_config.runtime.data.problems import missing_extra

            raise missing_extra("optuna", doing="tuning") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler: optuna.samplers.BaseSampler
        if tuning.strategy == "bayesian":
            sampler = optuna.samplers.TPESampler(seed=seed)
        else:
            sampler = optuna.samplers.RandomSampler(seed=seed)
        self._study = optuna.create_study(
            sampler=sampler, direction="maximize" if greater_is_better else "minimize"
        )
        self._space = tuning.space
        self._asked: list[optuna.trial.Trial] = []

    def next(self, number: int) -> list[dict[str, Any]]:
        self._asked = [self._study.ask() for _ in range(number)]
        return [
            {name: _suggested(trial, name, space) for name, space in self._space.items()}
            for trial in self._asked
        ]

    def learn(self, trials: Sequence[Trial]) -> None:
        import optuna

        for asked, trial in zip(self._asked, trials, strict=True):
            if trial.value is None:
                self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(asked, trial.value)


def _suggested(trial: "optuna.trial.Trial", name: str, space: SearchSpace) -> Any:
    if space.type == "float":
        return trial.suggest_float(name, space.low, space.high, log=space.log)
    if space.type == "choice":
        return trial.suggest_categorical(name, list(space.values))
    if not space.log:
        last = space.low + (space.high - space.low) // space.step * space.step
        return trial.suggest_int(name, space.low, last, step=space.step)
    return _on_step(trial.suggest_int(name, space.low, space.high, log=True), space)


def _on_step(drawn: int, space: IntegerSpace) -> int:
    """The nearest value at a whole number of steps: optuna draws by magnitude in steps of 1 only."""
    most = (space.high - space.low) // space.step
    return space.low + min(most, round((drawn - space.low) / space.step)) * space.step
