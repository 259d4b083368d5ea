"""Rules between what monitoring compares and what training and inference provide for it."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.contract.rules.engine import Breach, Environment, environment_rule
from mlops_config.contract.rules.noise import noise_floor, rows_needed
from mlops_config.contract.rules.serving import RECORDED_ALWAYS
from mlops_config.contract.rules.wording import duration, instead, listed, number
from mlops_config.findings import ConfigPath, format_path
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig, TrainingConfig
    from mlops_config.contract.models.monitoring import CategoricalDrift, NumericDrift
    from mlops_config.contract.rules.noise import BinnedMeasure

NUMERIC_TYPES = ("integral", "fractional")
CATEGORICAL_TYPES = ("string", "boolean")
MOST_UNCORRECTED_TESTS = 5
LONGEST_WINDOW_DAYS = 3650
LEAST_SAMPLES = 30
"""Bounds of ``window`` and ``min_samples`` in the contract, so that no hint goes beyond them."""
_ONE_DAY = timedelta(days=1)


class Comparison(NamedTuple):
    """One thing that monitoring compares with the reference.

    ``categories`` is how many values a categorical one can take, ``None`` where the contract does not say.
    """

    name: str
    path: ConfigPath
    method: "NumericDrift | CategoricalDrift"
    categories: int | None


def comparisons(training: "TrainingConfig", monitoring: "MonitoringConfig") -> Iterator[Comparison]:
    """The features that monitoring compares, each with the method in force for it."""
    drift = monitoring.drift
    for feature in training.schema_.features:
        override = drift.features.get(feature.name)
        if override is not None and override.ignore:
            continue
        path: ConfigPath = ("drift",) if override is None else ("drift", "features", feature.name)
        if feature.type in NUMERIC_TYPES:
            given = override.numeric if override else None
            where = (*path, "numeric") if given else ("drift", "numeric")
            yield Comparison(feature.name, where, given or drift.numeric, None)
        elif feature.type == "string" or feature.type == "boolean":
            chosen = override.categorical if override else None
            where = (*path, "categorical") if chosen else ("drift", "categorical")
            values = 2 if feature.type == "boolean" else len(feature.domain or ()) or None
            yield Comparison(feature.name, where, chosen or drift.categorical, values)


def prediction_comparison(training: "TrainingConfig", monitoring: "MonitoringConfig") -> Comparison | None:
    """How the predictions are compared with the reference, if they are."""
    settings, target = monitoring.prediction_drift, training.schema_.target
    if not settings.enabled:
        return None
    if target.problem_type == "regression":
        return Comparison(target.name, ("prediction_drift", "numeric"), settings.numeric, None)
    classes = 2 if target.problem_type == "binary_classification" else len(target.classes or ()) or None
    return Comparison(target.name, ("prediction_drift", "categorical"), settings.categorical, classes)


@environment_rule(
    "X02", "Monitoring names a feature that training does not have", Kind.TRAINING, Kind.MONITORING
)
def monitored_features_exist(environment: Environment) -> Iterator[Breach]:
    """Every feature that the monitoring file names is a feature of the training file's schema: in
    `drift.features`, `drift.important_features` and the alerts. Its method there fits its type: `numeric`
    for integral and fractional features, `categorical` for string and boolean ones, none for timestamps.

    Why: what the model does not see cannot drift; a name with a slip in it would never be compared, and
    nobody would notice.

    Mend: correct the name or the method.
    """
    monitoring = environment.monitoring
    types = {feature.name: feature.type for feature in environment.training.schema_.features}
    named: list[tuple[ConfigPath, str | None]] = [
        (("drift", "features", name), name) for name in monitoring.drift.features
    ]
    named += [
        (("drift", "important_features", index), name)
        for index, name in enumerate(monitoring.drift.important_features)
    ]
    named += [
        (("alerts", index, "feature"), alert.feature)
        for index, alert in enumerate(monitoring.alerts)
        if alert.signal == "drift"
    ]
    for path, name in named:
        if name is not None and name not in types:
            yield environment.breach(
                Kind.MONITORING,
                path,
                f"{name} is no feature of the training file",
                instead(name, types, f"its features are {listed(types)}"),
                environment.see(Kind.TRAINING, ("schema", "features"), "the features"),
            )
    for name, entry in monitoring.drift.features.items():
        family = {"numeric": NUMERIC_TYPES, "categorical": CATEGORICAL_TYPES}
        for method, fitting in family.items():
            if name in types and getattr(entry, method) is not None and types[name] not in fitting:
                other = next((kind for kind, own in family.items() if types[name] in own), None)
                yield environment.breach(
                    Kind.MONITORING,
                    ("drift", "features", name, method),
                    f"{name} has the type {types[name]}, which has no {method} method",
                    f"give a {other} method" if other else "write ignore: true",
                    environment.see(Kind.TRAINING, ("schema", "features"), f"{name} is {types[name]} here"),
                )


@environment_rule("X05", "Monitoring does not get the rows it needs", Kind.INFERENCE, Kind.MONITORING)
def capture_feeds_monitoring(environment: Environment) -> Iterator[Breach]:
    """While monitoring is on, `data_capture` is there and enabled, with `include_output` if predictions or
    performance are judged; it keeps rows until their window is judged; the column that `performance.join_key`
    names is written with predictions; and where `expected_rows_per_day` is given, the rows captured in one
    window are at least every `min_samples` and `min_labels`.

    Why: a window with too few rows is not judged at all, and silence looks like health.

    Mend: the message computes the share to capture, or else the window or `min_samples` that would do.
    """
    inference, monitoring = environment.inference, environment.monitoring
    if not monitoring.enabled:
        return
    capture = inference.data_capture
    needed_by = environment.see(Kind.MONITORING, ("enabled",), "monitoring is on")
    if capture is None or not capture.enabled:
        path: ConfigPath = ("data_capture",) if capture is None else ("data_capture", "enabled")
        yield environment.breach(
            Kind.INFERENCE,
            path,
            "monitoring is on, but nothing is captured for it",
            "add data_capture with a destination_uri" if capture is None else "set enabled to true",
            needed_by,
        )
        return
    if not capture.include_output and (monitoring.prediction_drift.enabled or monitoring.performance):
        judged = "prediction_drift" if monitoring.prediction_drift.enabled else "performance"
        yield environment.breach(
            Kind.INFERENCE,
            ("data_capture", "include_output"),
            f"{judged} is judged, but predictions are not captured",
            "set include_output to true",
            environment.see(Kind.MONITORING, (judged,), "judged here"),
        )
    if monitoring.performance is not None:
        key, columns = monitoring.performance.join_key, (*RECORDED_ALWAYS, *inference.record.extra_columns)
        if key not in columns:
            yield environment.breach(
                Kind.INFERENCE,
                ("record", "extra_columns"),
                f"labels are joined by {key}, which is not written with predictions: {listed(columns, 10)}",
                f"add {key} to record.extra_columns",
                environment.see(Kind.MONITORING, ("performance", "join_key"), f"joined by {key}"),
            )
    label_delay = monitoring.performance.label_delay if monitoring.performance else timedelta(0)
    until_judged = monitoring.window + max(monitoring.delay, label_delay)
    if capture.retention < until_judged:
        yield environment.breach(
            Kind.INFERENCE,
            ("data_capture", "retention"),
            f"rows are deleted after {duration(capture.retention)}, but are judged only after"
            f" {duration(until_judged)}",
            f"write at least {duration(until_judged)}",
            environment.see(Kind.MONITORING, ("window",), f"the window is {duration(monitoring.window)}"),
        )
    if capture.expected_rows_per_day is None:
        return
    yield from _too_few_rows(environment, capture.expected_rows_per_day, capture.sampling_percent)


def _too_few_rows(environment: Environment, rows_per_day: int, percent: int) -> Iterator[Breach]:
    monitoring = environment.monitoring
    least: list[tuple[ConfigPath, int]] = [(("drift", "min_samples"), monitoring.drift.min_samples)]
    if monitoring.prediction_drift.enabled:
        least.append((("prediction_drift", "min_samples"), monitoring.prediction_drift.min_samples))
    if monitoring.performance is not None:
        least.append((("performance", "min_labels"), monitoring.performance.min_labels))
    path, wanted = max(least, key=lambda each: each[1])
    in_window = rows_per_day * (monitoring.window / _ONE_DAY)
    captured = floor(in_window * percent / 100)
    if captured >= wanted:
        return
    needed_percent = ceil(100 * wanted / in_window)
    if needed_percent <= 100:
        hint = f"write sampling_percent: {needed_percent} or more"
    else:
        mends = []
        if 24 * wanted / rows_per_day <= LONGEST_WINDOW_DAYS * 24:
            hours = ceil(24 * wanted / rows_per_day)
            mends.append(f"lengthen the window to {duration(timedelta(hours=hours))} or more")
        if in_window >= LEAST_SAMPLES:
            mends.append(f"lower {format_path(path)} to {floor(in_window)}")
        hint = (
            f"even all rows are only {floor(in_window)}: {', or '.join(mends) or 'monitor with more traffic'}"
        )
    yield environment.breach(
        Kind.INFERENCE,
        ("data_capture", "sampling_percent"),
        f"{percent} % of {rows_per_day} rows a day are {captured} rows in a window of"
        f" {duration(monitoring.window)}, but monitoring needs {wanted}",
        hint,
        environment.see(Kind.MONITORING, path, f"at least {wanted} rows"),
    )


@environment_rule("X06", "Other bins than the baseline's", Kind.TRAINING, Kind.MONITORING)
def bins_are_the_baselines(environment: Environment) -> Iterator[Breach]:
    """With the reference `training_baseline`, every numeric method over bins uses as many as
    `baseline.bins` of the training file.

    Why: the baseline is stored as counts per bin; other bins cannot be made of them.

    Mend: write the same number in both files.
    """
    training, monitoring = environment.training, environment.monitoring
    if not monitoring.enabled or monitoring.reference.type != "training_baseline":
        return
    compared = [*comparisons(training, monitoring)]
    prediction = prediction_comparison(training, monitoring)
    methods = {each.path: each.method for each in [*compared, *([prediction] if prediction else [])]}
    for path, method in methods.items():
        bins = getattr(method, "bins", None)
        if bins is not None and bins != training.baseline.bins:
            yield environment.breach(
                Kind.MONITORING,
                (*path, "bins"),
                f"{method.method} over {bins} bins, but the training baseline has {training.baseline.bins}",
                f"write bins: {training.baseline.bins}, or change baseline.bins in the training file",
                environment.see(Kind.TRAINING, ("baseline", "bins"), f"{training.baseline.bins} bins"),
            )


@environment_rule("X07", "A drift threshold below its noise floor", Kind.TRAINING, Kind.MONITORING)
def thresholds_lie_above_the_noise(environment: Environment) -> Iterator[Breach]:
    """Each threshold of `psi`, `jensen_shannon` and `l_infinity` lies above the value that the measure
    reaches by chance alone in one window of 1000 without drift, with `min_samples` rows in the window.

    Why: two samples of one distribution never look quite the same; the fewer rows, the more they differ.
    With a threshold below that noise every quiet night raises an alarm, until nobody listens.

    Mend: raise `min_samples` to the number in the message, or the threshold, or use fewer bins.

    Source: without drift PSI / (1/rows + 1/reference rows) is chi-square distributed with bins - 1 degrees
    of freedom (Yurdakul and Naranjo, Journal of Risk Model Validation 14 (4), 2020). The derivation, and
    those for the other two measures, stand in `contract/rules/noise.py`. The reference is taken as large as
    the files allow: `baseline.max_sample_rows`, or `reference.rows`. Tests (`ks`, `chi_square`) give
    p-values, which know the number of rows; `wasserstein` has no such bound; categories that no `domain`
    lists are not judged.
    """
    training, monitoring = environment.training, environment.monitoring
    if not monitoring.enabled:
        return
    lowest: dict[ConfigPath, Noise] = {}
    compared = [(each, monitoring.drift.min_samples) for each in comparisons(training, monitoring)]
    prediction = prediction_comparison(training, monitoring)
    if prediction is not None:
        compared.append((prediction, monitoring.prediction_drift.min_samples))
    for each, rows in compared:
        noise = _noise(environment, each, rows)
        known = lowest.get(each.path)
        if noise and each.method.threshold <= noise.floor and (known is None or noise.floor > known.floor):
            lowest[each.path] = noise
    for noise in lowest.values():
        yield _below_noise(environment, noise)


class Noise(NamedTuple):
    """The noise floor of one comparison and what it was computed from."""

    floor: float
    of: Comparison
    measure: "BinnedMeasure"
    bins: int
    rows: int
    reference_rows: int


def _noise(environment: Environment, each: Comparison, rows: int) -> Noise | None:
    """The noise floor of a comparison over bins or known categories, ``None`` for any other.

    Categories rarer than ``other_bucket_fraction`` share one bucket, so there are never more than
    1 / ``other_bucket_fraction`` of the others.
    """
    method = each.method
    if method.method == "ks" or method.method == "wasserstein" or method.method == "chi_square":
        return None
    bins: int | None = getattr(method, "bins", None)
    if bins is None:
        if each.categories is None:
            return None
        rarest: float = getattr(method, "other_bucket_fraction", 0.0)
        bins = min(each.categories, floor(1 / rarest) + 1) if rarest else each.categories
    if bins < 2:
        return None
    reference_rows = _reference_rows(environment, rows)
    least = noise_floor(method.method, bins, reference_rows, rows)
    return Noise(least, each, method.method, bins, rows, reference_rows)


def _below_noise(environment: Environment, noise: Noise) -> Breach:
    path, threshold = noise.of.path, noise.of.method.threshold
    moving = environment.monitoring.reference.type == "previous_window"
    needed = rows_needed(noise.measure, noise.bins, None if moving else noise.reference_rows, threshold)
    samples: ConfigPath = (path[0], "min_samples")
    above = f"a threshold above {number(noise.floor)}"
    hint = (
        f"write {format_path(samples)}: {needed} or more, or {above}"
        if needed
        else f"no number of rows is enough: write {above}"
    )
    counted = "bins" if path[-1] == "numeric" else "categories"
    return environment.breach(
        Kind.MONITORING,
        (*path, "threshold"),
        f"the threshold {threshold:g} is not above the noise floor {number(noise.floor)} of {noise.measure}"
        f" for {noise.of.name}: over {noise.bins} {counted}, with {noise.rows} rows against"
        f" {noise.reference_rows}, one quiet window in 1000 exceeds it",
        hint,
        environment.see(Kind.MONITORING, samples, f"{noise.rows} rows are enough to be judged"),
    )


def _reference_rows(environment: Environment, current_rows: int) -> int:
    reference = environment.monitoring.reference
    if reference.type == "previous_window":
        return current_rows
    if reference.type == "uri":
        return reference.rows or 1_000_000_000
    return environment.training.baseline.max_sample_rows


@environment_rule("X18", "Many tests without a correction", Kind.TRAINING, Kind.MONITORING)
def many_tests_are_corrected(environment: Environment) -> Iterator[Breach]:
    """When more than five features are compared by a p-value (`ks`, `chi_square`), `drift.multiple_testing`
    is not `none`.

    Why: at a threshold of 0.05 each test is wrong once in twenty windows without drift, so of six tests one
    is wrong in every fourth window.

    Mend: write `benjamini_hochberg`, the default, or `bonferroni`.

    Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal
    Statistical Society B 57 (1), 1995.
    """
    monitoring = environment.monitoring
    if not monitoring.enabled or monitoring.drift.multiple_testing != "none":
        return
    tested = [
        each.name
        for each in comparisons(environment.training, monitoring)
        if each.method.method == "ks" or each.method.method == "chi_square"
    ]
    if len(tested) > MOST_UNCORRECTED_TESTS:
        yield environment.breach(
            Kind.MONITORING,
            ("drift", "multiple_testing"),
            f"{len(tested)} features are tested by a p-value without a correction: {listed(tested)}",
            "write benjamini_hochberg or bonferroni",
            environment.see(Kind.TRAINING, ("schema", "features"), "the features"),
        )
