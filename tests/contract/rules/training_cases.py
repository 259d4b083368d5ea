"""Cases of the rules over any file, and over the training file."""

from typing import Any

from tests.contract.rules.case_types import breaks, monitoring, passes, retrain, training
from tests.contract.rules.example_configs import GONE, Change

GITHUB_TOKEN = "ghp_" + "x1" * 18
"""Put together here, so that nobody's scanner takes this file for a leak."""

CLASSIFICATION = (
    training("schema.target", {"name": "tipped", "problem_type": "binary_classification"}),
    training("estimator", {"name": "logistic_regression"}),
    training("evaluation", {"metrics": ["roc_auc"], "primary": "roc_auc"}),
)

ONE_SPACE = {"space": {"max_iter": {"type": "integer", "low": 100, "high": 400, "step": 100}}}


def _hyperparameters(name: str, **values: Any) -> Change:
    return training("estimator", {"name": name, "hyperparameters": values})


CASES = (
    breaks(
        "C01",
        training("tracking.tags.registry_password", "correct-horse"),
        at="prod training tracking.tags.registry_password",
        says="a secret, going by its key registry_password",
    ),
    breaks(
        "C01",
        monitoring("metrics.labels.team", GITHUB_TOKEN),
        at="prod monitoring metrics.labels.team",
        says="a GitHub token",
    ),
    breaks(
        "C01",
        monitoring("alerts[0].runbook_url", "https://runbooks.example.com/x?X-Amz-Signature=abc"),
        at="prod monitoring alerts[0].runbook_url",
        says="a signed AWS URL",
    ),
    passes("C01", training("tracking.tags.registry_password_file", "see the vault")),
    passes("C01", training("tracking.tags.token", "secret://registry-token")),
    breaks(
        "C02",
        training("evaluation.metrics", ["rmse", "mae", "rmse", "r2"]),
        at="prod training evaluation.metrics[2]",
        says="'rmse' is listed twice",
    ),
    breaks(
        "C02",
        training("schema.features[4].domain", [1, 2, 2]),
        at="prod training schema.features[4].domain[2]",
        says="2 is listed twice",
    ),
    passes("C02", training("schema.features[4].range", [6, 6])),
    breaks(
        "C03",
        training("evaluation.thresholds.r2", {"threshold": 95}),
        at="prod training evaluation.thresholds.r2.threshold",
        says="did you mean 0.95?",
    ),
    breaks(
        "C03",
        retrain("evaluation.thresholds.rmse", {}),
        at="prod retrain evaluation.thresholds.rmse",
        says="says nothing",
    ),
    breaks(
        "C03",
        monitoring("performance.thresholds.rmse.threshold", -1),
        at="prod monitoring performance.thresholds.rmse.threshold",
        says="never below 0",
    ),
    breaks(
        "C03",
        training("evaluation.slices[0].thresholds.rmse.threshold", -4),
        at="prod training evaluation.slices[0].thresholds.rmse.threshold",
        says="never below 0",
    ),
    passes("C03", training("evaluation.thresholds.r2", {"threshold": -3})),
    passes("C03", retrain("evaluation.thresholds.rmse", {"min_relative_change": 0.0})),
    breaks(
        "C04",
        training("schema.features[1].name", "distance_km"),
        at="prod training schema.features[1].name",
        says="distance_km is defined twice",
    ),
    breaks(
        "C04",
        training("schema.features[1].name", "trip_id"),
        at="prod training schema.identifiers[0].name",
        says="defined twice",
    ),
    breaks(
        "C04",
        training("schema.target.name", "distance_km"),
        at="prod training schema.features[0].name",
        says="is the column to predict",
    ),
    breaks(
        "C05",
        training("schema.features[0].range", [150, 0.1]),
        at="prod training schema.features[0].range",
        says="write [0.1, 150]",
    ),
    breaks(
        "C05",
        training("schema.target.range", [3, 3]),
        at="prod training schema.target.range",
        says="not below",
    ),
    breaks(
        "C05",
        training("schema.features[4].range", [1, 5]),
        at="prod training schema.features[4].domain[5]",
        says="6 is in the domain",
    ),
    passes("C05", training("schema.features[0].range", [None, 150])),
    passes("C05", training("schema.features[4].range", [None, 6])),
    breaks(
        "C06",
        training("data.entity_key", "trip"),
        at="prod training data.entity_key",
        says="did you mean trip_id?",
    ),
    breaks(
        "C06",
        training("data.timestamp_column", "trip_id"),
        at="prod training data.timestamp_column",
        says="its type is string",
    ),
    breaks(
        "C06",
        training("split", {"strategy": "hash", "key": "customer"}),
        at="prod training split.key",
        says="no column customer",
    ),
    breaks(
        "C06",
        training("evaluation.slices[0].column", "zone"),
        at="prod training evaluation.slices[0].column",
        says="no column zone",
    ),
    passes("C06", training("evaluation.slices[0].column", "fare_eur")),
    passes("C06", training("split", {"strategy": "group", "key": "trip_id"})),
    breaks(
        "C07",
        training("data.timestamp_column", GONE),
        training("data.window", GONE),
        at="prod training split.strategy",
        says="nothing says how old a row is",
    ),
    breaks(
        "C07",
        training("data.timestamp_column", GONE),
        training("split", {"strategy": "random"}),
        at="prod training data.window",
        says="nothing says how old a row is",
    ),
    breaks(
        "C07",
        training("data.entity_key", GONE),
        training("split", {"strategy": "group"}),
        at="prod training split.strategy",
        says="names no key",
    ),
    passes(
        "C07", training("data.entity_key", GONE), training("split", {"strategy": "hash", "key": "trip_id"})
    ),
    breaks(
        "C08",
        training("split.test_fraction", 0.6),
        training("split.validation_fraction", 0.3),
        at="prod training split.test_fraction",
        says="hold out 0.9",
    ),
    passes("C08", training("split.test_fraction", 0.6), training("split.validation_fraction", 0.29)),
    breaks(
        "C09",
        training("tuning", {"max_trials": 4, "max_parallel": 8, **ONE_SPACE}),
        at="prod training tuning.max_parallel",
        says="write at most 4",
    ),
    passes("C09", training("tuning", {"max_trials": 4, "max_parallel": 4, **ONE_SPACE})),
    breaks(
        "C10",
        training("tuning", {"space": {"learning_rates": {"type": "float", "low": 0.01, "high": 0.3}}}),
        at="prod training tuning.space.learning_rates",
        says="did you mean learning_rate?",
    ),
    breaks(
        "C10",
        training("tuning", {"space": {"learning_rate": {"type": "float", "low": 0.3, "high": 0.01}}}),
        at="prod training tuning.space.learning_rate.low",
        says="not below",
    ),
    breaks(
        "C10",
        training(
            "tuning", {"space": {"learning_rate": {"type": "float", "low": 0, "high": 0.3, "log": True}}}
        ),
        at="prod training tuning.space.learning_rate.low",
        says="order of magnitude",
    ),
    breaks(
        "C10",
        training("tuning", {"space": {"max_iter": {"type": "integer", "low": 1, "high": 9, "step": 10}}}),
        at="prod training tuning.space.max_iter.step",
        says="write at most 8",
    ),
    breaks(
        "C10",
        training(
            "tuning",
            {"strategy": "grid", "space": {"learning_rate": {"type": "float", "low": 0.1, "high": 0.3}}},
        ),
        at="prod training tuning.space.learning_rate.type",
        says="a grid tries every value",
    ),
    passes("C10", training("tuning", {"strategy": "grid", **ONE_SPACE})),
    passes("C10", training("tuning", {"space": {"learning_rate": {"type": "choice", "values": [0.1, 0.2]}}})),
    breaks(
        "C11",
        training("evaluation.primary", "mape"),
        at="prod training evaluation.primary",
        says="add mape to evaluation.metrics",
    ),
    breaks(
        "C11",
        training("evaluation.thresholds.mape", {"threshold": 0.1}),
        at="prod training evaluation.thresholds.mape",
        says="not among the metrics",
    ),
    breaks(
        "C11",
        training("evaluation.slices[0].thresholds", {"mape": {"threshold": 0.1}}),
        at="prod training evaluation.slices[0].thresholds.mape",
        says="not among the metrics",
    ),
    breaks(
        "C12",
        training("evaluation.metrics", ["rmse", "mae", "r2", "accuracy"]),
        at="prod training evaluation.metrics[3]",
        says="accuracy is no metric of regression",
    ),
    passes("C12", *CLASSIFICATION),
    breaks(
        "C13",
        training("estimator", {"name": "logistic_regression"}),
        at="prod training estimator.name",
        says="does not solve regression",
    ),
    passes("C13", *CLASSIFICATION),
    breaks(
        "C14",
        _hyperparameters("hist_gradient_boosting_regressor", loss="quantile"),
        at="prod training estimator.hyperparameters.quantile",
        says="does not say which one",
    ),
    breaks(
        "C14",
        _hyperparameters("hist_gradient_boosting_regressor", quantile=0.5),
        at="prod training estimator.hyperparameters.quantile",
        says="has no effect",
    ),
    breaks(
        "C14",
        _hyperparameters("ridge", positive=True, solver="svd"),
        at="prod training estimator.hyperparameters.solver",
        says="cannot force positive",
    ),
    breaks(
        "C14",
        _hyperparameters("ridge", solver="lbfgs"),
        at="prod training estimator.hyperparameters.solver",
        says="positive: true only",
    ),
    breaks(
        "C14",
        _hyperparameters("logistic_regression", l1_ratio=0.5),
        at="prod training estimator.hyperparameters.solver",
        says="cannot mix penalties",
    ),
    breaks(
        "C14",
        _hyperparameters("logistic_regression", l1_ratio=1.0),
        at="prod training estimator.hyperparameters.solver",
        says="no L1 penalty",
    ),
    breaks(
        "C14",
        training("schema.target", {"name": "kind", "problem_type": "multiclass_classification"}),
        _hyperparameters("logistic_regression", solver="liblinear"),
        at="prod training estimator.hyperparameters.solver",
        says="two classes only",
    ),
    breaks(
        "C14",
        _hyperparameters("random_forest_regressor", bootstrap=False, max_samples=0.5),
        at="prod training estimator.hyperparameters.max_samples",
        says="bootstrap is off",
    ),
    breaks(
        "C14",
        _hyperparameters("lightgbm_regressor", boosting_type="rf"),
        at="prod training estimator.hyperparameters.boosting_type",
        says="the same rows and features",
    ),
    breaks(
        "C14",
        _hyperparameters("xgboost_regressor", tree_method="exact", max_depth=0),
        at="prod training estimator.hyperparameters.max_depth",
        says="without a limit",
    ),
    breaks(
        "C14",
        training("schema.target", {"name": "kind", "problem_type": "multiclass_classification"}),
        _hyperparameters("xgboost_classifier", scale_pos_weight=2.0),
        at="prod training estimator.hyperparameters.scale_pos_weight",
        says="no effect",
    ),
    passes("C14", _hyperparameters("hist_gradient_boosting_regressor", loss="quantile", quantile=0.9)),
    passes("C14", _hyperparameters("ridge", positive=True, solver="lbfgs")),
    passes("C14", _hyperparameters("logistic_regression", l1_ratio=0.5, solver="saga")),
    passes("C14", _hyperparameters("random_forest_classifier", max_samples=0.5)),
    passes(
        "C14", _hyperparameters("lightgbm_classifier", boosting_type="rf", subsample=0.5, subsample_freq=1)
    ),
    passes("C14", _hyperparameters("xgboost_regressor", tree_method="exact")),
    breaks(
        "C15",
        training("compute.max_wait", "PT2H", "staging"),
        training("compute.max_runtime", "PT3H", "staging"),
        at="staging training compute.max_wait",
        says="write at least PT3H",
    ),
    breaks(
        "C15",
        training("compute.max_wait", "PT8H"),
        at="prod training compute.max_wait",
        says="use_spot is false",
    ),
    breaks(
        "C15",
        training("compute.use_spot", True),
        at="prod training compute.max_wait",
        says="needs a max_wait",
    ),
    passes("C15", training("compute.use_spot", True), training("compute.max_wait", "PT4H")),
    passes("C15", training("compute", {"target": "gcp", "instance_type": "n2-standard-4", "use_spot": True})),
    breaks(
        "C16",
        training("tracking.tags", {"mlops.config_digest": "sha256:0"}),
        at="prod training tracking.tags['mlops.config_digest']",
        says="rename it, such as config_digest",
    ),
    passes("C16", training("tracking.tags", {"mlops_team": "fares"})),
)
