"""Rules over how a model is judged: metrics, thresholds and slices, from training to retraining."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlops_config.contract.metrics import METRICS
from mlops_config.contract.rules.columns import column_types
from mlops_config.contract.rules.engine import Breach, Environment, File, environment_rule, file_rule
from mlops_config.contract.rules.wording import instead, listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import TrainingConfig
    from mlops_config.contract.models.evaluation import MetricThreshold

_CHANGES = ("min_absolute_change", "min_relative_change")


@file_rule(
    "C03",
    "A threshold that says nothing, or that nothing can meet",
    Kind.TRAINING,
    Kind.MONITORING,
    Kind.RETRAIN,
)
def thresholds_mean_something(file: File) -> Iterator[Breach]:
    """A threshold of a metric gives at least one of `threshold`, `min_absolute_change`,
    `min_relative_change`, and its `threshold` is a value the metric can take.

    Why: an empty threshold looks like a gate and lets everything through; an accuracy of 95 instead of 0.95
    is a gate that nothing ever passes.

    Mend: give a number in the metric's own unit: shares lie between 0 and 1.

    Source: the bounds of the metrics are those of scikit-learn's functions of the same name.
    """
    for path, metric, threshold in _all_thresholds(file.kind, file.config):
        if all(getattr(threshold, name) is None for name in ("threshold", *_CHANGES)):
            yield file.breach(
                path,
                f"the threshold of {metric} says nothing",
                "give threshold, min_absolute_change or min_relative_change",
            )
        value, known = threshold.threshold, METRICS[metric]
        if value is None:
            continue
        if known.upper is not None and value > known.upper:
            limit = f"never above {known.upper:g}"
        elif known.lower is not None and value < known.lower:
            limit = f"never below {known.lower:g}"
        else:
            continue
        yield file.breach(
            (*path, "threshold"),
            f"{metric} is {limit}, so {value:g} is no threshold for it",
            f"did you mean {value / 100:g}?" if 1 < value <= 100 else "give a value the metric can take",
        )


def _all_thresholds(kind: Kind, config: Any) -> Iterator[tuple[ConfigPath, str, "MetricThreshold"]]:
    if kind is Kind.MONITORING:
        if config.performance is not None:
            yield from _thresholds(("performance", "thresholds"), config.performance.thresholds)
    else:
        yield from _thresholds(("evaluation", "thresholds"), config.evaluation.thresholds)
        for index, part in enumerate(config.evaluation.slices):
            yield from _thresholds(("evaluation", "slices", index, "thresholds"), part.thresholds)


def _thresholds(
    path: ConfigPath, thresholds: Mapping[Any, "MetricThreshold"]
) -> Iterator[tuple[ConfigPath, str, "MetricThreshold"]]:
    for metric, threshold in thresholds.items():
        yield (*path, metric), metric, threshold


@file_rule("C11", "A metric that is not computed", Kind.TRAINING)
def judged_metrics_are_computed(file: File) -> Iterator[Breach]:
    """`evaluation.primary` and every metric with a threshold, in slices too, are listed in
    `evaluation.metrics`.

    Why: a gate on a metric that nobody computes fails every model.

    Mend: add the metric to `evaluation.metrics`, or name one that is there.
    """
    training: TrainingConfig = file.config
    computed = training.evaluation.metrics
    named: list[tuple[ConfigPath, str]] = [(("evaluation", "primary"), training.evaluation.primary)]
    named += [(path, metric) for path, metric, _ in _all_thresholds(Kind.TRAINING, training)]
    for path, metric in named:
        if metric not in computed:
            yield file.breach(
                path,
                f"{metric} is not among the metrics computed: {listed(computed, 20)}",
                f"add {metric} to evaluation.metrics",
                file.see(("evaluation", "metrics"), "the metrics computed"),
            )


@file_rule("C12", "A metric for another problem", Kind.TRAINING)
def metrics_fit_the_problem(file: File) -> Iterator[Breach]:
    """Every metric of `evaluation.metrics` fits the `problem_type` of the target.

    Why: it cannot be computed, or computes something that means nothing.

    Mend: replace it by one of the metrics that the message lists.
    """
    training: TrainingConfig = file.config
    problem = training.schema_.target.problem_type
    for index, metric in enumerate(training.evaluation.metrics):
        if problem not in METRICS[metric].problem_types:
            yield file.breach(
                ("evaluation", "metrics", index),
                f"{metric} is no metric of {problem}",
                f"for {problem} there are {_fitting(problem)}",
                file.see(("schema", "target", "problem_type"), f"the problem is {problem}"),
            )


def _fitting(problem: str) -> str:
    return listed((name for name, metric in METRICS.items() if problem in metric.problem_types), 20)


@environment_rule("X10", "Retraining lets through what training refuses", Kind.TRAINING, Kind.RETRAIN)
def retraining_is_no_looser(environment: Environment) -> Iterator[Breach]:
    """Every metric that `evaluation` of the retrain file judges is computed in training, its slices go by
    columns of the schema, and where both files give a threshold the retrain file's is at least as strict.

    Why: a challenger must never replace a champion with a result that training would have refused.

    Mend: write at least the training file's value, or leave the threshold out: training's own always holds.
    """
    training, evaluation = environment.training, environment.retrain.evaluation
    computed = training.evaluation.metrics
    for path, metric, _ in _all_thresholds(Kind.RETRAIN, environment.retrain):
        if metric not in computed:
            yield environment.breach(
                Kind.RETRAIN,
                path,
                f"{metric} is not among the metrics training computes: {listed(computed, 20)}",
                f"add {metric} to evaluation.metrics of the training file",
                environment.see(Kind.TRAINING, ("evaluation", "metrics"), "the metrics computed"),
            )
    yield from _looser(
        environment,
        ("evaluation", "thresholds"),
        evaluation.thresholds,
        ("evaluation", "thresholds"),
        training.evaluation.thresholds,
    )
    columns = (*column_types(training), training.schema_.target.name)
    of_training = {part.column: (index, part) for index, part in enumerate(training.evaluation.slices)}
    for index, part in enumerate(evaluation.slices):
        path = ("evaluation", "slices", index)
        if part.column not in columns:
            yield environment.breach(
                Kind.RETRAIN,
                (*path, "column"),
                f"there is no column {part.column} in the training file's schema",
                instead(part.column, columns, f"name one of {listed(columns)}"),
                environment.see(Kind.TRAINING, ("schema",), "the columns of the schema"),
            )
        elif part.column in of_training:
            other_index, other = of_training[part.column]
            yield from _looser(
                environment,
                (*path, "thresholds"),
                part.thresholds,
                ("evaluation", "slices", other_index, "thresholds"),
                other.thresholds,
            )


def _looser(
    environment: Environment,
    path: ConfigPath,
    retrain: Mapping[Any, "MetricThreshold"],
    training_path: ConfigPath,
    training: Mapping[Any, "MetricThreshold"],
) -> Iterator[Breach]:
    for metric in (name for name in retrain if name in training):
        for field in ("threshold", *_CHANGES):
            ours, theirs = getattr(retrain[metric], field), getattr(training[metric], field)
            if ours is None or theirs is None:
                continue
            larger_is_stricter = field != "threshold" or METRICS[metric].greater_is_better
            if (ours < theirs) if larger_is_stricter else (ours > theirs):
                side = "least" if larger_is_stricter else "most"
                yield environment.breach(
                    Kind.RETRAIN,
                    (*path, metric, field),
                    f"{metric} {field} {ours:g} is looser than the training file's {theirs:g}",
                    f"write at {side} {theirs:g}, or leave it out",
                    environment.see(
                        Kind.TRAINING, (*training_path, metric, field), f"training demands {theirs:g}"
                    ),
                )


@environment_rule("X13", "Monitoring judges what training does not", Kind.TRAINING, Kind.MONITORING)
def monitored_metrics_are_of_training(environment: Environment) -> Iterator[Breach]:
    """Every metric of `performance.thresholds` in the monitoring file is computed in training, and so fits
    the problem type.

    Why: what was never measured in training has no value to compare production with; a metric of another
    problem type cannot be computed at all.

    Mend: name one of the training file's metrics, or add the metric there.
    """
    monitoring, training = environment.monitoring, environment.training
    if monitoring.performance is None:
        return
    computed, problem = training.evaluation.metrics, training.schema_.target.problem_type
    for metric in monitoring.performance.thresholds:
        if metric in computed:
            continue
        fits = problem in METRICS[metric].problem_types
        yield environment.breach(
            Kind.MONITORING,
            ("performance", "thresholds", metric),
            f"{metric} is not among the metrics training computes: {listed(computed, 20)}"
            if fits
            else f"{metric} is no metric of {problem}, which the training file says the problem is",
            f"add {metric} to evaluation.metrics of the training file"
            if fits
            else f"name one of {listed(computed, 20)}",
            environment.see(Kind.TRAINING, ("evaluation", "metrics"), "the metrics computed"),
        )
