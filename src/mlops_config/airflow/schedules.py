"""When a DAG runs by itself: cron in an IANA time zone, and for retraining also when a report arrives."""

from typing import Any

try:
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
except ImportError:  # before Airflow 3.2 they are in the core only
    from airflow.timetables.assets import AssetOrTimeSchedule
    from airflow.timetables.trigger import CronTriggerTimetable

from mlops_config.airflow.assets import asset
from mlops_config.orchestration.deployment import Deployment, JobDeployment


def schedule_of(deployment: Deployment, job: str) -> Any:
    """What ``DAG(schedule=…)`` takes for a job; ``None``: it runs on request.

    Retraining runs whenever a drift report of its own environment arrives. Events may merge or get lost, so
    it also runs on its own schedule or, when it has none, on monitoring's, and decides by what it finds.
    """
    timetable = _timetable(deployment.timed_by(job))
    if job != "retraining":
        return timetable
    report = asset(deployment, "drift-report")
    return AssetOrTimeSchedule(timetable=timetable, assets=[report]) if timetable else [report]


def _timetable(job: JobDeployment | None) -> Any:
    """A run at each of the schedule's moments; of those that were missed only the newest is made up for."""
    if job is None:
        return None
    return CronTriggerTimetable(job.cron, timezone=job.timezone)
