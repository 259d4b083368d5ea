"""Rules over one monitoring file: its windows, its drift settings and its alerts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, File, file_rule
from mlops_config.contract.rules.schedules import gaps
from mlops_config.contract.rules.wording import duration, listed
from mlops_config.findings import ConfigPath
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import MonitoringConfig

OWN_LABELS = frozenset(
    (
        *("project", "model", "environment", "job", "instance", "alertname", "severity", "signal", "le"),
        *("quantile", "feature", "method", "metric", "mlops_job", "code", "model_version", "config_digest"),
    )
)
"""Labels that our series and rules, or Prometheus, set; ``mlops_config.alerting.labels`` gathers the same."""


@file_rule("C26", "Windows that leave gaps or overlap", Kind.MONITORING)
def windows_cover_the_schedule(file: File) -> Iterator[Breach]:
    """`window` is as long as the longest time between two runs of `schedule`; a longer one than the
    shortest time needs `allow_overlap: true`.

    Why: with a shorter window some rows are never looked at; with a longer one two windows share rows, and
    one bad hour counts twice in the violation policy.

    Mend: write the window that the message names, or allow the overlap.
    """
    monitoring: MonitoringConfig = file.config
    cron = monitoring.schedule.cron
    shortest, longest = gaps(cron)
    apart = duration(shortest) if shortest == longest else f"{duration(shortest)} to {duration(longest)}"
    seen = file.see(("schedule", "cron"), f"runs are {apart} apart")
    if monitoring.window < longest:
        yield file.breach(
            ("window",),
            f"the window {duration(monitoring.window)} is shorter than the {duration(longest)} between two"
            " runs, so some rows are never looked at",
            f"write window: {duration(longest)}" + (" and allow_overlap: true" if longest > shortest else ""),
            seen,
        )
    elif monitoring.window > shortest and not monitoring.allow_overlap:
        yield file.breach(
            ("window",),
            f"the window {duration(monitoring.window)} is longer than the {duration(shortest)} between two"
            " runs, so windows share rows",
            f"write window: {duration(shortest)}"
            if shortest == longest
            else "write allow_overlap: true if that is meant",
            seen,
        )


@file_rule("C27", "A feature's drift settings contradict each other", Kind.MONITORING)
def feature_settings_agree(file: File) -> Iterator[Breach]:
    """An entry of `drift.features` either ignores the feature or gives one method, and a feature that is
    ignored is neither among `drift.important_features` nor the `feature` of an alert.

    Why: one of the two would silently have no effect.

    Mend: keep the one that is meant.
    """
    monitoring: MonitoringConfig = file.config
    ignored: dict[str, ConfigPath] = {}
    for name, entry in monitoring.drift.features.items():
        path: ConfigPath = ("drift", "features", name)
        methods = [kind for kind in ("numeric", "categorical") if getattr(entry, kind) is not None]
        if entry.ignore:
            ignored[name] = (*path, "ignore")
            if methods:
                yield file.breach(
                    (*path, methods[0]),
                    f"{name} is ignored, so its method has no effect",
                    "remove the method, or ignore: true",
                    file.see((*path, "ignore"), "ignored here"),
                )
        elif not methods:
            yield file.breach(
                path, f"the entry of {name} says nothing", "give ignore, numeric or categorical, or remove it"
            )
        elif len(methods) == 2:
            yield file.breach(
                (*path, "categorical"),
                f"{name} has two methods, but a feature is either numeric or categorical",
                "remove the one that does not fit its type",
                file.see((*path, "numeric"), "the other method"),
            )
    wanted: list[tuple[ConfigPath, str | None, str]] = [
        (("drift", "important_features", index), name, "an important feature")
        for index, name in enumerate(monitoring.drift.important_features)
    ]
    wanted += [
        (("alerts", index, "feature"), alert.feature, f"what the alert {alert.name} watches")
        for index, alert in enumerate(monitoring.alerts)
        if alert.signal == "drift" or alert.signal == "prediction_drift"
    ]
    for path, wanted_name, role in wanted:
        if wanted_name in ignored:
            yield file.breach(
                path,
                f"{wanted_name} is {role}, and is ignored",
                "remove it here, or compare it",
                file.see(ignored[wanted_name], "ignored here"),
            )


@file_rule("C28", "More violations wanted than windows", Kind.MONITORING)
def violations_fit_the_windows(file: File) -> Iterator[Breach]:
    """`violation_policy.violation_windows` is at most `evaluation_windows`.

    Why: of three windows four can never violate, so drift would never count.

    Mend: lower `violation_windows`, or raise `evaluation_windows`.
    """
    policy = file.config.violation_policy
    if policy.violation_windows > policy.evaluation_windows:
        yield file.breach(
            ("violation_policy", "violation_windows"),
            f"{policy.violation_windows} of {policy.evaluation_windows} windows can never violate",
            f"write at most {policy.evaluation_windows}",
            file.see(("violation_policy", "evaluation_windows"), f"{policy.evaluation_windows} windows"),
        )


@file_rule("C29", "An alert that cannot fire or be told apart", Kind.MONITORING)
def alerts_can_fire(file: File) -> Iterator[Breach]:
    """Alert names are unique; an alert on `performance` names a metric of `performance.thresholds`; an
    alert on `prediction_drift` needs `prediction_drift.enabled`, and names no feature.

    Why: an alert that never fires looks just like a healthy system, and a rollback refers to alerts by
    name.

    Mend: rename the alert, or describe what it is to watch.
    """
    monitoring: MonitoringConfig = file.config
    seen: dict[str, int] = {}
    for index, alert in enumerate(monitoring.alerts):
        path: ConfigPath = ("alerts", index)
        first = seen.setdefault(alert.name, index)
        if first != index:
            yield file.breach(
                (*path, "name"),
                f"two alerts are called {alert.name}",
                "give each a name of its own",
                file.see(("alerts", first, "name"), "the first of them"),
            )
        if alert.signal == "performance":
            computed = monitoring.performance.thresholds if monitoring.performance else {}
            if alert.metric not in computed:
                yield file.breach(
                    (*path, "metric"),
                    f"{alert.name} watches {alert.metric}, which has no threshold in performance.thresholds",
                    f"add it there, or name one of {listed(computed)}"
                    if computed
                    else "add a performance block with this metric among its thresholds",
                )
        if alert.signal == "prediction_drift":
            if not monitoring.prediction_drift.enabled:
                yield file.breach(
                    (*path, "signal"),
                    f"{alert.name} watches the predictions, which are not compared",
                    "remove the alert, or set prediction_drift.enabled to true",
                    file.see(("prediction_drift", "enabled"), "switched off here"),
                )
            if alert.feature is not None:
                yield file.breach(
                    (*path, "feature"),
                    f"{alert.name} watches the predictions, which have no feature {alert.feature}",
                    "remove feature, or write signal: drift",
                )


@file_rule("C36", "A label that the series have already", Kind.MONITORING)
def metric_labels_are_free(file: File) -> Iterator[Breach]:
    """No key of `metrics.labels` is a label that our series and alerts have (`project`, `model`,
    `environment`, `feature`, `mlops_job` …), or that Prometheus sets (`job`, `instance`, `le` …).

    Why: a series has each label once. Yours would take the place of the one that tells two series apart, so
    the jobs refuse to write any metric.

    Mend: call it something else.
    """
    for name in file.config.metrics.labels:
        if name in OWN_LABELS:
            yield file.breach(
                ("metrics", "labels", name),
                f"the series have a label {name} already",
                f"call it something else, such as team_{name}",
            )
