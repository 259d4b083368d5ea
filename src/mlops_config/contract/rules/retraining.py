"""Rules over the retrain file: what starts a retraining, what holds it back, what a promotion moves."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_config.contract.rules.drift import comparisons
from mlops_config.contract.rules.engine import Breach, Environment, File, environment_rule, file_rule
from mlops_config.contract.rules.serving import MOVING_ALIASES
from mlops_config.contract.rules.walk import find
from mlops_config.contract.rules.wording import duration, instead, listed
from mlops_config.findings import ConfigPath, Severity
from mlops_config.kinds import Kind, accepted_names

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import RetrainConfig

_HEADER = ("schema_version", "kind", "metadata", "orchestration")
_Scalar = bool | int | float | str | timedelta | None


@file_rule("C30", "Triggers that never meet", Kind.RETRAIN)
def triggers_can_meet(file: File) -> Iterator[Breach]:
    """With `combine: all`, a `schedule` trigger stands beside no `drift` or `performance` trigger.

    Why: a schedule is due for a moment, and drift would have to be found in that very moment.

    Mend: write `combine: any`; the guards still hold retraining back.
    """
    retrain: RetrainConfig = file.config
    if retrain.combine != "all":
        return
    schedules = [index for index, trigger in enumerate(retrain.triggers) if trigger.type == "schedule"]
    signals = [t.type for t in retrain.triggers if t.type == "drift" or t.type == "performance"]
    for index in schedules if signals else ():
        yield file.breach(
            ("triggers", index, "type"),
            "all triggers must hold at once, so the schedule would have to meet"
            f" {' and '.join(dict.fromkeys(signals))} to the minute",
            "write combine: any, or remove one of them",
            file.see(("combine",), "all triggers are needed"),
        )


@file_rule("C31", "A freeze window that ends before it starts", Kind.RETRAIN)
def freeze_windows_have_a_length(file: File) -> Iterator[Breach]:
    """The `start` of each of `guards.freeze_windows` lies before its `end`.

    Why: a window turned around freezes nothing.

    Mend: swap the two, or correct the date that is wrong.
    """
    for index, window in enumerate(file.config.guards.freeze_windows):
        if window.start >= window.end:
            yield file.breach(
                ("guards", "freeze_windows", index, "end"),
                f"the freeze ends at {window.end:%Y-%m-%dT%H:%MZ}, not after its start"
                f" {window.start:%Y-%m-%dT%H:%MZ}",
                "swap start and end, or correct the date",
                file.see(("guards", "freeze_windows", index, "start"), "its start"),
            )


@file_rule("C32", "Retraining with another environment's training file", Kind.RETRAIN)
def training_file_is_the_environments(file: File) -> Iterator[Breach]:
    """`training.config_ref` names the training file of the same folder: `training_config.yaml`, or with the
    environment's own name in front.

    Why: the image of an environment holds only its own four files.

    Mend: leave it out; the default is the right one.
    """
    reference = file.config.training.config_ref
    allowed = accepted_names(file.environment, Kind.TRAINING)
    if reference not in allowed:
        yield file.breach(
            ("training", "config_ref"),
            f"{reference} is not the training file of {file.environment}",
            f"write {allowed[1]}, or leave it out",
        )


@file_rule("C33", "A promotion that moves nothing", Kind.RETRAIN)
def promotion_moves_an_alias(file: File) -> Iterator[Breach]:
    """`promotion.alias_from` and `promotion.alias_to` differ, and neither moves by itself as `latest` does.

    Why: a challenger must be told from the champion until it is promoted.

    Mend: write `challenger` and `champion`, the defaults.
    """
    promotion = file.config.promotion
    if promotion.alias_from == promotion.alias_to:
        wrong, right = ("alias_to", "alias_from")
        if promotion.alias_from != "challenger":
            wrong, right = right, wrong
        yield file.breach(
            ("promotion", wrong),
            f"champion and challenger are both called {promotion.alias_to}",
            "write alias_from: challenger and alias_to: champion",
            file.see(("promotion", right), "called so as well"),
        )
    for name in ("alias_from", "alias_to"):
        alias = getattr(promotion, name)
        if alias in MOVING_ALIASES:
            yield file.breach(
                ("promotion", name),
                f"{alias} is whatever was registered last, so it cannot be promoted",
                f"write {name}: {'challenger' if name == 'alias_from' else 'champion'}",
            )


@environment_rule(
    "X08", "Retraining waits for what nobody computes", Kind.TRAINING, Kind.MONITORING, Kind.RETRAIN
)
def triggers_are_computed(environment: Environment) -> Iterator[Breach]:
    """A `drift` or `performance` trigger names what the monitoring file computes: monitoring is enabled,
    its features are compared, `prediction_drift` is on, its metric has a threshold in
    `performance.thresholds`, and for `severity: page` there is an alert of that signal that pages.

    Why: a trigger on something that is not computed never fires, and the model grows old unnoticed.

    Mend: name what is computed, or make monitoring compute it.
    """
    monitoring = environment.monitoring
    compared = [each.name for each in comparisons(environment.training, monitoring)]
    for index, trigger in enumerate(environment.retrain.triggers):
        path: ConfigPath = ("triggers", index)
        if trigger.type != "drift" and trigger.type != "performance":
            continue
        if not monitoring.enabled:
            yield environment.breach(
                Kind.RETRAIN,
                (*path, "type"),
                f"the trigger {trigger.type} waits for monitoring, which is off",
                "set enabled to true in the monitoring file, or remove the trigger",
                environment.see(Kind.MONITORING, ("enabled",), "monitoring is off"),
            )
            continue
        if trigger.type == "performance":
            judged = monitoring.performance.thresholds if monitoring.performance else {}
            if trigger.metric not in judged:
                yield environment.breach(
                    Kind.RETRAIN,
                    (*path, "metric"),
                    f"monitoring judges no {trigger.metric}: it has no threshold in performance.thresholds",
                    f"name one of {listed(judged)}, or add it there"
                    if judged
                    else "add a performance block to the monitoring file, or remove the trigger",
                    environment.see(Kind.MONITORING, ("performance",), "judged here"),
                )
            continue
        if trigger.signal == "prediction_drift" and not monitoring.prediction_drift.enabled:
            yield environment.breach(
                Kind.RETRAIN,
                (*path, "signal"),
                "the trigger waits for drift of the predictions, which monitoring does not compare",
                "set prediction_drift.enabled to true in the monitoring file, or write signal: drift",
                environment.see(Kind.MONITORING, ("prediction_drift", "enabled"), "switched off here"),
            )
        if trigger.signal == "prediction_drift" and trigger.features:
            yield environment.breach(
                Kind.RETRAIN,
                (*path, "features"),
                "the trigger waits for drift of the predictions, which have no features",
                "remove features, or write signal: drift",
            )
            continue
        for position, name in enumerate(trigger.features):
            if name not in compared:
                yield environment.breach(
                    Kind.RETRAIN,
                    (*path, "features", position),
                    f"monitoring does not compare {name}",
                    instead(name, compared, f"name one of {listed(compared)}"),
                    environment.see(Kind.MONITORING, ("drift",), "what is compared"),
                )
        pages = [a for a in monitoring.alerts if a.signal == trigger.signal and a.severity == "page"]
        if trigger.severity == "page" and not pages:
            yield environment.breach(
                Kind.RETRAIN,
                (*path, "severity"),
                f"the trigger waits for a page, but no alert of the signal {trigger.signal} pages",
                "write severity: ticket, or add such an alert to the monitoring file",
                environment.see(Kind.MONITORING, ("alerts",), "the alerts"),
            )


@environment_rule("X09", "Retraining again before its effect is seen", Kind.MONITORING, Kind.RETRAIN)
def cooldown_outlasts_a_window(environment: Environment) -> Iterator[Breach]:
    """`guards.cooldown` is at least monitoring's `window`, and with a `performance` trigger at least
    `window` and `performance.label_delay` together.

    Why: until then every judged window still holds predictions of the model before, and its drift would
    start the next retraining.

    Mend: write at least the duration in the message.
    """
    monitoring, retrain = environment.monitoring, environment.retrain
    needed, parts = monitoring.window, f"the window {duration(monitoring.window)}"
    waits_for_labels = any(trigger.type == "performance" for trigger in retrain.triggers)
    if waits_for_labels and monitoring.performance is not None:
        needed += monitoring.performance.label_delay
        parts += f" and the label delay {duration(monitoring.performance.label_delay)}"
    if retrain.guards.cooldown < needed:
        yield environment.breach(
            Kind.RETRAIN,
            ("guards", "cooldown"),
            f"the cooldown {duration(retrain.guards.cooldown)} is shorter than {parts}",
            f"write at least {duration(needed)}",
            environment.see(Kind.MONITORING, ("window",), f"the window is {duration(monitoring.window)}"),
        )


@environment_rule("X20", "An override of nothing", Kind.TRAINING, Kind.RETRAIN)
def overrides_exist(environment: Environment) -> Iterator[Breach]:
    """Each key of `training.overrides` is the dotted path of a single value of the training file, and not
    one of its header.

    Why: a path with a slip in it would change nothing, and a challenger would be taken for something it is
    not.

    Mend: correct the path; `mlops-config show` prints them all.
    """
    for key in environment.retrain.training.overrides:
        path = tuple(key.split("."))
        where: ConfigPath = ("training", "overrides", key)
        if path[0] in _HEADER:
            message = f"{key} is of the training file's header, which a retraining does not read"
            yield environment.breach(Kind.RETRAIN, where, message, "remove it")
            continue
        try:
            value = find(environment.training, path)
        except LookupError:
            yield environment.breach(
                Kind.RETRAIN,
                where,
                f"the training file has no value {key}",
                "correct the path; `mlops-config show` prints every value with its path",
            )
            continue
        if not isinstance(value, _Scalar):
            yield environment.breach(
                Kind.RETRAIN,
                where,
                f"{key} is a block of the training file, not a single value",
                "name the value in it that is to change",
                environment.see(Kind.TRAINING, path, "the block"),
            )


@environment_rule("X21", "A rollback that stops watching too early", Kind.INFERENCE, Kind.RETRAIN)
def bake_time_outlasts_the_rollout(environment: Environment) -> Iterator[Breach]:
    """`rollback.bake_time` is at least the `wait` of the endpoint's rollout.

    Why: an alarm during the rollout itself must still be able to take it back.

    Mend: write at least the duration in the message.

    Source: WaitIntervalInSeconds of SageMaker's TrafficRoutingConfig.
    """
    endpoint, bake = environment.inference.endpoint, environment.retrain.rollback.bake_time
    if endpoint is not None and bake < endpoint.rollout.wait:
        wait = duration(endpoint.rollout.wait)
        yield environment.breach(
            Kind.RETRAIN,
            ("rollback", "bake_time"),
            f"alarms count for {duration(bake)}, but the rollout waits {wait}",
            f"write at least {wait}",
            environment.see(Kind.INFERENCE, ("endpoint", "rollout", "wait"), f"the rollout waits {wait}"),
        )


@environment_rule(
    "X24", "A retraining that learns nothing new", Kind.INFERENCE, Kind.RETRAIN, severity=Severity.NOTE
)
def new_rows_outnumber_the_holdout(environment: Environment) -> Iterator[Breach]:
    """With a sliding `data.window`, `guards.min_new_rows` is more than `data.holdout.fraction` of the rows
    that come in within the window, at the inference file's `data_capture.expected_rows_per_day`. Nothing is
    said where that is not given, or where `min_new_rows` is 0.

    Why: the holdout is the newest rows. When the new ones are fewer, it takes them all, and the challenger
    learns from the rows that the champion has seen: after drift, from none that drifted. What the inference
    file plans with need not be what the training data grows by, so this is a note.

    Mend: raise `min_new_rows`, hold out a smaller share, or write `window: {type: since_last_train}`.
    """
    guards, data = environment.retrain.guards, environment.retrain.data
    capture = environment.inference.data_capture
    if data.window.type != "sliding" or not guards.min_new_rows:
        return
    if capture is None or capture.expected_rows_per_day is None:
        return
    rows = capture.expected_rows_per_day * (data.window.length / timedelta(days=1))
    held = round(rows * data.holdout.fraction)
    if guards.min_new_rows <= held:
        yield environment.breach(
            Kind.RETRAIN,
            ("guards", "min_new_rows"),
            f"a retraining may start after {guards.min_new_rows} new rows, and about {held} are held out:"
            " the challenger learns none of the new ones",
            f"raise it above {held}, or make data.holdout.fraction smaller",
            environment.see(
                Kind.RETRAIN,
                ("data", "holdout", "fraction"),
                f"{data.holdout.fraction:g} of the rows of {duration(data.window.length)}",
            ),
            environment.see(
                Kind.INFERENCE,
                ("data_capture", "expected_rows_per_day"),
                f"{capture.expected_rows_per_day} rows a day",
            ),
        )
