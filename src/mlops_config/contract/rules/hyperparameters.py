"""Rules over the estimator, its hyperparameters and the search for better ones."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_config.contract.registry import ESTIMATORS
from mlops_config.contract.rules.engine import Breach, File, file_rule
from mlops_config.contract.rules.wording import instead, listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import TrainingConfig

_PARAMETERS: ConfigPath = ("estimator", "hyperparameters")


@file_rule("C09", "More trials at a time than trials", Kind.TRAINING)
def parallel_trials_fit(file: File) -> Iterator[Breach]:
    """`tuning.max_parallel` is at most `tuning.max_trials`.

    Why: the machines beyond the last trial would be paid for and idle.

    Mend: lower `max_parallel`, or raise `max_trials`.

    Source: ResourceLimits of SageMaker's CreateHyperParameterTuningJob.
    """
    tuning = file.config.tuning
    if tuning is not None and tuning.max_parallel > tuning.max_trials:
        yield file.breach(
            ("tuning", "max_parallel"),
            f"{tuning.max_parallel} trials at a time are more than the {tuning.max_trials} trials there are",
            f"write at most {tuning.max_trials}",
            file.see(("tuning", "max_trials"), f"{tuning.max_trials} trials in all"),
        )


@file_rule("C10", "A search space that cannot be searched", Kind.TRAINING)
def search_space_is_searchable(file: File) -> Iterator[Breach]:
    """Each entry of `tuning.space` is a hyperparameter of the estimator; its `low` lies below its `high`;
    whole numbers have room for a `step`; a space drawn by order of magnitude (`log`) starts above 0; and a
    `grid` holds no `float` space, which has no end of values.

    Why: the tuning job would stop at its first trial, or never try what was meant.

    Mend: correct the name or the bounds; for a grid over numbers with a fraction write a `choice`.
    """
    training: TrainingConfig = file.config
    if training.tuning is None:
        return
    known = _hyperparameters(training)
    for name, space in training.tuning.space.items():
        path: ConfigPath = ("tuning", "space", name)
        if name not in known:
            yield file.breach(
                path,
                f"{training.estimator.name} has no hyperparameter {name}",
                instead(name, known, f"its hyperparameters are {listed(sorted(known), 30)}"),
                file.see(("estimator", "name"), f"the estimator is {training.estimator.name}"),
            )
        if space.type == "choice":
            continue
        if space.low >= space.high:
            yield file.breach(
                (*path, "low"),
                f"the space begins at {space.low:g}, which is not below its end {space.high:g}",
                "put the smaller number in low and the larger in high",
                file.see((*path, "high"), f"the end is {space.high:g}"),
            )
        elif space.type == "integer" and space.step > space.high - space.low:
            yield file.breach(
                (*path, "step"),
                f"a step of {space.step} does not fit between {space.low} and {space.high}",
                f"write at most {space.high - space.low}",
            )
        if space.log and space.low <= 0:
            yield file.breach(
                (*path, "low"),
                f"a space drawn by order of magnitude cannot begin at {space.low:g}",
                "begin above 0, or set log to false",
                file.see((*path, "log"), "drawn by order of magnitude"),
            )
        if space.type == "float" and training.tuning.strategy == "grid":
            yield file.breach(
                (*path, "type"),
                f"a grid tries every value, and there is no end of them between {space.low:g} and"
                f" {space.high:g}",
                "list the values to try: {type: choice, values: [...]}, or use the strategy random",
                file.see(("tuning", "strategy"), "the strategy is grid"),
            )


def _hyperparameters(training: "TrainingConfig") -> frozenset[str]:
    """The names the estimator takes: the registry's, or those of the model of a team's own estimator."""
    entry = ESTIMATORS.get(training.estimator.name)
    if entry is not None:
        return entry.hyperparameters
    return frozenset(type(training.estimator.hyperparameters).model_fields)


@file_rule("C13", "An estimator for another problem", Kind.TRAINING)
def estimator_solves_the_problem(file: File) -> Iterator[Breach]:
    """The estimator solves the `problem_type` of the target.

    Why: a regressor given classes treats their codes as numbers; a classifier given numbers makes each its
    own class. Both train without complaint.

    Mend: name an estimator for the problem, or correct the problem type.
    """
    training: TrainingConfig = file.config
    problem = training.schema_.target.problem_type
    entry = ESTIMATORS.get(training.estimator.name)  # a team's own estimator has none
    if entry is not None and problem not in entry.problem_types:
        fitting = [name for name, entry in ESTIMATORS.items() if problem in entry.problem_types]
        yield file.breach(
            ("estimator", "name"),
            f"{training.estimator.name} does not solve {problem}",
            f"for {problem} there are {listed(fitting, 20)}",
            file.see(("schema", "target", "problem_type"), f"the problem is {problem}"),
        )


@file_rule("C14", "Hyperparameters that do not go together", Kind.TRAINING)
def hyperparameters_go_together(file: File) -> Iterator[Breach]:
    """Hyperparameters that depend on each other agree, as the library that takes them demands.

    * `ridge`: `positive` needs the solver `auto` or `lbfgs`, and `lbfgs` needs `positive`.
    * `logistic_regression`: an `l1_ratio` of 1 needs `liblinear` or `saga`, between 0 and 1 it needs `saga`;
      `liblinear` knows two classes only.
    * forests: `max_samples` needs `bootstrap`.
    * `hist_gradient_boosting_regressor`: the loss `quantile` needs a `quantile`, any other loss needs none.
    * LightGBM's `rf` needs `subsample` below 1 with `subsample_freq` above 0, or `colsample_bytree`
      below 1.
    * XGBoost's `tree_method: exact` needs a `max_depth` above 0; `scale_pos_weight` works for two classes
      only.

    Why: the library refuses the combination when training starts, or ignores one of the two silently.

    Mend: change one of the two values the message names.

    Source: tried on scikit-learn 1.9.1, LightGBM 4.7 and XGBoost 3.2.
    """
    training: TrainingConfig = file.config
    for key, message, hint in _disagreements(training):
        yield file.breach((*_PARAMETERS, key), message, hint)


def _disagreements(training: "TrainingConfig") -> Iterator[tuple[str, str, str]]:
    estimator = training.estimator
    problem = training.schema_.target.problem_type
    if estimator.name == "ridge":
        ridge = estimator.hyperparameters
        if ridge.positive and ridge.solver not in ("auto", "lbfgs"):
            yield "solver", f"the solver {ridge.solver} cannot force positive coefficients", "write auto"
        if not ridge.positive and ridge.solver == "lbfgs":
            yield "solver", "the solver lbfgs works with positive: true only", "write auto"
    elif estimator.name == "logistic_regression":
        logistic = estimator.hyperparameters
        if 0 < logistic.l1_ratio < 1 and logistic.solver != "saga":
            message = f"the solver {logistic.solver} cannot mix penalties (l1_ratio {logistic.l1_ratio:g})"
            yield "solver", message, "write saga, or an l1_ratio of 0"
        if logistic.l1_ratio == 1 and logistic.solver not in ("liblinear", "saga"):
            message = f"the solver {logistic.solver} has no L1 penalty (l1_ratio 1)"
            yield "solver", message, "write liblinear or saga, or an l1_ratio of 0"
        if logistic.solver == "liblinear" and problem == "multiclass_classification":
            yield "solver", "the solver liblinear knows two classes only", "write lbfgs"
    elif estimator.name == "random_forest_regressor" or estimator.name == "random_forest_classifier":
        forest = estimator.hyperparameters
        if forest.max_samples is not None and not forest.bootstrap:
            message = f"max_samples {forest.max_samples:g} draws rows, but bootstrap is off"
            yield "max_samples", message, "leave max_samples out, or set bootstrap to true"
    elif estimator.name == "hist_gradient_boosting_regressor":
        boosted = estimator.hyperparameters
        if boosted.loss == "quantile" and boosted.quantile is None:
            yield "quantile", "the loss quantile does not say which one", "set quantile, such as 0.5"
        if boosted.loss != "quantile" and boosted.quantile is not None:
            message = f"quantile {boosted.quantile:g} has no effect with the loss {boosted.loss}"
            yield "quantile", message, "leave quantile out, or write loss: quantile"
    elif estimator.name == "lightgbm_regressor" or estimator.name == "lightgbm_classifier":
        light = estimator.hyperparameters
        draws_rows = light.subsample < 1 and light.subsample_freq > 0
        if light.boosting_type == "rf" and not draws_rows and light.colsample_bytree == 1:
            message = "a forest (rf) of trees that all see the same rows and features"
            hint = "set subsample below 1 and subsample_freq above 0, or colsample_bytree below 1"
            yield "boosting_type", message, hint
    elif estimator.name == "xgboost_regressor" or estimator.name == "xgboost_classifier":
        trees = estimator.hyperparameters
        if trees.tree_method == "exact" and trees.max_depth == 0:
            message = "the tree method exact cannot grow trees without a limit (max_depth 0)"
            yield "max_depth", message, "set max_depth above 0, or write tree_method: hist"
        if (
            estimator.name == "xgboost_classifier"
            and estimator.hyperparameters.scale_pos_weight != 1
            and problem != "binary_classification"
        ):
            message = f"scale_pos_weight has no effect on {problem}"
            yield "scale_pos_weight", message, "leave it out"
