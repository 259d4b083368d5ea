"""Samples in Prometheus' text format: the labels they carry, and how many features have series."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.alerting.labels import identity_labels
from mlops_config.alerting.series import FEATURE_DRIFT, FEATURE_DRIFTED, Series

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from mlops_config.contract.models.by_kind import MonitoringConfig

OTHER_FEATURES = "(other)"
"""The label value that the features without a series of their own share; no column can be called so."""

_SMALLER_IS_MORE_DRIFT = frozenset({"ks", "chi_square"})


class Sample(NamedTuple):
    """One value of a series. ``labels`` are those that ``series.labels`` names, and no others."""

    series: Series
    value: float
    labels: Mapping[str, str] = {}


def text_of(samples: Sequence[Sample], monitoring: "MonitoringConfig") -> str:
    """The samples as Prometheus' text format 0.0.4, families in the order they come in.

    Raises:
        UsageError: a label of ``metrics.labels`` is one that we set ourselves.
        ValueError: a sample lacks a label or has one too many, or two samples are of one series.
    """
    return text_of_families(_families(limited(samples, monitoring), monitoring))


def text_of_families(families: "Iterable[Metric]") -> str:
    """Metric families as text."""
    from prometheus_client.exposition import generate_latest

    return generate_latest(_Collected(tuple(families))).decode()


def families_in(text: str) -> "tuple[Metric, ...]":
    """The metric families of a text file.

    Raises:
        ValueError: it is not Prometheus' text format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    return tuple(text_string_to_metric_families(text))


def limited(samples: Sequence[Sample], monitoring: "MonitoringConfig") -> tuple[Sample, ...]:
    """The samples with at most ``metrics.max_feature_series`` features of their own.

    Features that an alert watches or that are important come first and always stay, then those that come
    first among the samples. Of the rest there is one sample a series: the number that drift, and for each
    method the value that drifts most.
    """
    own = _features_kept(samples, monitoring)
    kept = [each for each in samples if each.labels.get("feature") in own or "feature" not in each.labels]
    rest = [each for each in samples if "feature" in each.labels and each.labels["feature"] not in own]
    drifted = [each.value for each in rest if each.series is FEATURE_DRIFTED]
    if drifted:
        kept.append(Sample(FEATURE_DRIFTED, sum(drifted), {"feature": OTHER_FEATURES}))
    by_method: dict[str, list[float]] = {}
    for each in rest:
        if each.series is FEATURE_DRIFT and not math.isnan(each.value):
            by_method.setdefault(each.labels["method"], []).append(each.value)
    for method, values in by_method.items():
        worst = min(values) if method in _SMALLER_IS_MORE_DRIFT else max(values)
        kept.append(Sample(FEATURE_DRIFT, worst, {"feature": OTHER_FEATURES, "method": method}))
    return tuple(kept)


def _features_kept(samples: Sequence[Sample], monitoring: "MonitoringConfig") -> set[str]:
    watched = {
        *monitoring.drift.important_features,
        *(alert.feature for alert in monitoring.alerts if alert.signal == "drift" and alert.feature),
    }
    present = dict.fromkeys(each.labels["feature"] for each in samples if "feature" in each.labels)
    kept = {feature for feature in present if feature in watched}
    for feature in present:
        if len(kept) >= monitoring.metrics.max_feature_series:
            break
        kept.add(feature)
    return kept


def _families(samples: Sequence[Sample], monitoring: "MonitoringConfig") -> "Iterator[Metric]":
    from prometheus_client.metrics_core import Metric

    common = identity_labels(monitoring)
    families: dict[Series, Metric] = {}
    seen: set[tuple[Series, tuple[str, ...]]] = set()
    for series, value, labels in samples:
        if set(labels) != set(series.labels):
            raise ValueError(f"{series.suffix} has the labels {series.labels}, not {tuple(labels)}")
        values = tuple(labels[name] for name in series.labels)
        if (series, values) in seen:
            raise ValueError(f"two samples of {series.suffix} {dict(labels)}")
        seen.add((series, values))
        name = series.name(monitoring.metrics.namespace)
        family = families.get(series)
        if family is None:
            # A counter's family is named without the suffix that each of its samples has.
            family = Metric(name.removesuffix("_total"), series.help, series.type)
            families[series] = family
        family.add_sample(name, {**common, **labels}, float(value))
    yield from families.values()


@dataclass(frozen=True, slots=True)
class _Collected:
    """What ``generate_latest`` asks of a registry."""

    families: "tuple[Metric, ...]" = field(default=())

    def collect(self) -> "Iterator[Metric]":
        yield from self.families
