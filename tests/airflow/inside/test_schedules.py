"""When DAGs run by themselves, in local time and across both changes of the clock."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction

from mlops_config.airflow.dags import dag_of
from tests.airflow.inside.deployed import deployment, job, serialized

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = "2026-10-25"  # 3:00 becomes 2:00: the hour from 2:00 comes twice
SPRING = "2027-03-28"  # 2:00 becomes 3:00: there is no 2:30


def timetable_of(name: str, **crons: str | None) -> Any:
    """What the scheduler asks, as it reads it from Airflow's database."""
    try:
        from airflow.serialization.decoders import decode_timetable
    except ImportError:  # before Airflow 3.2
        from airflow.serialization.serialized_objects import decode_timetable
    jobs = {
        each: job("dev", each, cron=crons.get(each), timezone="Europe/Berlin")
        for each in ("training", "monitoring", "retraining")
    }
    return decode_timetable(serialized(dag_of(name, deployment(jobs=jobs)))["timetable"])


def runs(timetable: Any, after: str, count: int) -> list[datetime]:
    """The runs after a moment, in local time."""
    last, found = pendulum.parse(after), []
    for _ in range(count):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=DataInterval.exact(last),
            restriction=TimeRestriction(earliest=None, latest=None, catchup=True),
        )
        last = info.run_after
        found.append(last.astimezone(BERLIN))
    return found


@pytest.mark.parametrize("day", [AUTUMN, SPRING])
def test_a_daily_job_runs_once_on_each_day(day: str) -> None:
    eve = (datetime.fromisoformat(f"{day}T00:00:00+00:00")).timestamp() - 86_400
    found = runs(timetable_of("monitoring", monitoring="30 2 * * *"), _iso(eve), 4)
    assert len({run.date() for run in found}) == 4
    assert [later.toordinal() - earlier.toordinal() for earlier, later in pairwise(found)] == [1, 1, 1]


def test_a_time_that_comes_twice_is_taken_the_second_time() -> None:
    (run,) = runs(timetable_of("monitoring", monitoring="30 2 * * *"), f"{AUTUMN}T00:00:00Z", 1)
    assert run.astimezone(UTC) == datetime.fromisoformat(f"{AUTUMN}T01:30:00Z")


def test_a_time_that_does_not_come_is_made_up_for_an_hour_later() -> None:
    (run,) = runs(timetable_of("monitoring", monitoring="30 2 * * *"), f"{SPRING}T00:00:00Z", 1)
    assert (run.hour, run.minute) == (3, 30)


@pytest.mark.parametrize("day", [AUTUMN, SPRING])
def test_an_hourly_job_runs_every_hour_of_the_changing_day(day: str) -> None:
    found = runs(timetable_of("monitoring", monitoring="0 * * * *"), f"{day}T00:00:00Z", 6)
    gaps = {(later - earlier).total_seconds() for earlier, later in pairwise(_utc(found))}
    assert gaps == {3600.0}


def test_a_job_keeps_its_local_time_all_year() -> None:
    table = timetable_of("monitoring", monitoring="0 6 * * MON")
    for day in ("2026-07-01", "2026-12-01"):
        assert {(run.hour, run.weekday()) for run in runs(table, f"{day}T00:00:00Z", 5)} == {(6, 0)}


def test_a_new_dag_waits_for_its_next_time() -> None:
    info = timetable_of("monitoring", monitoring="0 0 29 2 *").next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert info.run_after > pendulum.now("UTC")


def test_retraining_runs_on_its_own_schedule_when_no_report_arrives() -> None:
    table = timetable_of("retraining", retraining="0 4 * * *", monitoring="30 2 * * *")
    assert {run.hour for run in runs(table, "2026-07-01T00:00:00Z", 3)} == {4}


def test_without_one_it_runs_on_monitorings() -> None:
    table = timetable_of("retraining", monitoring="30 2 * * *")
    assert {(run.hour, run.minute) for run in runs(table, "2026-07-01T00:00:00Z", 3)} == {(2, 30)}


@pytest.mark.parametrize("name", ["training", "retraining"])
def test_without_a_schedule_no_run_has_a_time(name: str) -> None:
    nothing = timetable_of(name).next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert nothing is None


def _utc(moments: list[datetime]) -> list[datetime]:
    return [moment.astimezone(UTC) for moment in moments]


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
