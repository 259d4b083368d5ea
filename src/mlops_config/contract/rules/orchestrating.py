"""Rules over how Airflow runs the jobs: its time limits, and its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, Environment, File, environment_rule, file_rule
from mlops_config.contract.rules.schedules import ClockChange, clock_changes, covers_every_hour, runs_at
from mlops_config.contract.rules.wording import duration
from mlops_config.findings import ConfigPath, Severity
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import RetrainConfig, TrainingConfig

_TIMEOUT = ("orchestration", "timeout")
_MAX_RUNTIME = "compute.max_runtime"


@file_rule("C34", "Airflow ends the training first", Kind.TRAINING)
def airflow_waits_for_the_training(file: File) -> Iterator[Breach]:
    """`orchestration.timeout` is longer than the training may take: `compute.max_runtime`, or with spot
    capacity `compute.max_wait`.

    Why: the training's own limit ends it in good order, with its sentence in the log and its end in the
    ledger. Airflow's kills the task, and tries it again from the beginning.

    Mend: write more than the duration in the message, or leave `timeout` out: then it is twice
    `max_runtime`.
    """
    training: TrainingConfig = file.config
    limit = training.orchestration.timeout
    path, needed = _longest(training)
    if limit is not None and limit <= needed:
        yield file.breach(
            _TIMEOUT,
            f"Airflow ends the task after {duration(limit)}, but the training may take {duration(needed)}",
            _hint(training, needed),
            file.see(path, f"{path[-1]} is {duration(needed)}"),
        )


@environment_rule("X23", "Airflow ends the retraining first", Kind.TRAINING, Kind.RETRAIN)
def airflow_waits_for_the_retraining(environment: Environment) -> Iterator[Breach]:
    """`orchestration.timeout` of the retrain file is longer than the training in it may take: the training
    file's `compute.max_runtime`, or with spot capacity its `compute.max_wait`.

    Why: a retraining trains first, and then judges and deploys. One that Airflow kills leaves the next try
    to find out how far it came.

    Mend: write more than the duration in the message, or leave `timeout` out: then it is twice
    `max_runtime`.
    """
    retrain: RetrainConfig = environment.retrain
    limit = retrain.orchestration.timeout
    if _MAX_RUNTIME in retrain.training.overrides:
        return  # its value is text until the override is made
    path, needed = _longest(environment.training)
    if limit is not None and limit <= needed:
        yield environment.breach(
            Kind.RETRAIN,
            _TIMEOUT,
            f"Airflow ends the task after {duration(limit)}, but the training in it may take"
            f" {duration(needed)}",
            _hint(environment.training, needed),
            environment.see(Kind.TRAINING, path, f"{path[-1]} is {duration(needed)}"),
        )


def _longest(training: "TrainingConfig") -> tuple[ConfigPath, timedelta]:
    """How long a training may take, and the value that says so."""
    compute = training.compute
    if compute.target != "local" and compute.use_spot and compute.max_wait is not None:
        return ("compute", "max_wait"), max(compute.max_wait, compute.max_runtime)
    return ("compute", "max_runtime"), compute.max_runtime


def _hint(training: "TrainingConfig", needed: timedelta) -> str:
    enough = 2 * training.compute.max_runtime > needed
    return f"write more than {duration(needed)}" + (", or leave timeout out" if enough else "")


@file_rule(
    "C35",
    "A schedule in an hour that the clock skips or repeats",
    Kind.INFERENCE,
    Kind.MONITORING,
    Kind.RETRAIN,
    severity=Severity.NOTE,
)
def schedules_stay_clear_of_clock_changes(file: File) -> Iterator[Breach]:
    """No schedule has a run at a time of day that the clock of its zone skips, or shows twice, from today
    until the end of next year. Schedules of every hour are left alone: they keep their distance.

    Why: on those days the run comes at another time than the file says. Airflow starts a run of the skipped
    hour as much later as the clock jumps, and of several runs one at most; a run of the repeated hour it
    starts once, the second time.

    Mend: choose another hour, or write `timezone: UTC`.

    Source: CronTriggerTimetable of Airflow 3.1 and 3.3.
    """
    for path, cron, zone in _schedules(file):
        if covers_every_hour(cron):
            continue
        start = datetime.combine(file.today, time(), UTC)
        end = datetime(file.today.year + 2, 1, 1, tzinfo=UTC)
        hit = [
            (change, runs) for change in clock_changes(zone, start, end) if (runs := runs_at(cron, change))
        ]
        for skipping in (True, False):
            first = next((each for each in hit if each[0].skips is skipping), None)
            if first is not None:
                yield file.breach(
                    (*path, "cron"),
                    _on_that_day(cron, zone, *first),
                    "choose another hour, or write timezone: UTC",
                    file.see((*path, "timezone"), f"read by the clock of {zone}"),
                )


def _schedules(file: File) -> Iterator[tuple[ConfigPath, str, str]]:
    """Where each schedule of a file stands, its cron expression and its zone."""
    if file.kind is Kind.MONITORING:
        schedule = file.config.schedule
        yield ("schedule",), schedule.cron, schedule.timezone
    elif file.kind is Kind.INFERENCE:
        batch = file.config.batch
        if batch is not None:
            yield ("batch", "schedule"), batch.schedule.cron, batch.schedule.timezone
    else:
        for index, trigger in enumerate(file.config.triggers):
            if trigger.type == "schedule":
                yield ("triggers", index), trigger.cron, trigger.timezone


def _on_that_day(cron: str, zone: str, change: ClockChange, runs: tuple[datetime, ...]) -> str:
    does = "skips" if change.skips else "repeats"
    day = f"on {change.first:%Y-%m-%d} the clock of {zone} {does} {change.first:%H:%M} to {change.last:%H:%M}"
    one, several = f"the run of {runs[0]:%H:%M}", f"the runs from {runs[0]:%H:%M} to {runs[-1]:%H:%M}"
    if not change.skips:
        return f"{day}: Airflow starts {one if len(runs) == 1 else several} once, the second time"
    if len(runs) > 1:
        return f"{day}: Airflow starts one of {several} at most"
    moved = runs[0] + change.length
    merged = runs_at(cron, change._replace(first=moved, last=moved + timedelta(minutes=1)))
    return f"{day}: Airflow starts {one} at {moved:%H:%M}" + (", and none besides" if merged else "")
