"""Rules that schedules do not work against the data or against freezes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_config.contract.rules.engine import Breach, File, file_rule
from mlops_config.contract.rules.schedules import first_run, gaps, times_of_day
from mlops_config.contract.rules.wording import duration
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.models.by_kind import InferenceConfig, RetrainConfig


@file_rule("X15", "A schedule that misses its purpose", Kind.INFERENCE, Kind.RETRAIN)
def schedules_meet_their_purpose(file: File) -> Iterator[Breach]:
    """The batch never runs before `input_ready_time`. A `schedule` trigger does not lose its run to a
    freeze window that is shorter than the time between two of its runs.

    Why: a batch that starts before its input is complete predicts the rest a day late, or never. A monthly
    retraining whose day falls into a short freeze comes a month later, and nobody notices. A freeze longer
    than the time between two runs is a pause that was meant.

    Mend: move the schedule past the time in the message.
    """
    if file.kind is Kind.INFERENCE:
        yield from _batch_before_its_input(file)
    else:
        yield from _runs_lost_to_a_freeze(file)


def _batch_before_its_input(file: File) -> Iterator[Breach]:
    inference: InferenceConfig = file.config
    batch = inference.batch
    if batch is None or batch.input_ready_time is None:
        return
    hours, minutes = batch.input_ready_time.split(":")
    ready = timedelta(hours=int(hours), minutes=int(minutes))
    early = times_of_day(batch.schedule.cron)[0]
    if early < ready:
        at = f"{early // timedelta(hours=1):02}:{early // timedelta(minutes=1) % 60:02}"
        yield file.breach(
            ("batch", "schedule", "cron"),
            f"the batch runs at {at}, before its input is complete at {batch.input_ready_time}",
            f"run it at {batch.input_ready_time} or later",
            file.see(("batch", "input_ready_time"), f"complete at {batch.input_ready_time}"),
        )


def _runs_lost_to_a_freeze(file: File) -> Iterator[Breach]:
    retrain: RetrainConfig = file.config
    for index, trigger in enumerate(retrain.triggers):
        if trigger.type != "schedule":
            continue
        for number, freeze in enumerate(retrain.guards.freeze_windows):
            if freeze.start >= freeze.end or freeze.end - freeze.start > gaps(trigger.cron)[1]:
                continue
            lost = first_run(trigger.cron, trigger.timezone, freeze.start, freeze.end)
            if lost is not None:
                yield file.breach(
                    ("triggers", index, "cron"),
                    f"the run of {lost:%Y-%m-%d %H:%M} {trigger.timezone} falls into a freeze of"
                    f" {duration(freeze.end - freeze.start)} and is lost",
                    f"move the schedule or the freeze, which ends at {freeze.end:%Y-%m-%dT%H:%MZ}",
                    file.see(("guards", "freeze_windows", number), "the freeze"),
                )
