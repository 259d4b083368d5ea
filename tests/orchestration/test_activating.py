"""Waiting for Airflow: what is said on the way, and what ends the wait."""

from typing import Any

import pytest
from tests.orchestration.scripted import (
    ADDRESS,
    DEPLOYMENT,
    HEALTHY,
    RECORD,
    RUN_ID,
    TRAINING,
    Clock,
    Scripted,
    dag,
    run,
    task,
)

from mlops_config.console import TerminalConsole
from mlops_config.errors import ServiceError, UsageError
from mlops_config.orchestration.activating import (
    Waiting,
    await_run,
    in_words,
    require_pools,
    unpause,
)
from mlops_config.orchestration.api_answers import TaskInstance
from mlops_config.orchestration.patience import Patience


def test_a_pool_that_is_not_there_is_told_of_before_anything_waits_for_it() -> None:
    jobs = {**DEPLOYMENT.jobs, "training": DEPLOYMENT.jobs["training"]._replace(pool="trainings")}
    wanted = DEPLOYMENT._replace(jobs=jobs)
    require_pools(Scripted(pools=("default_pool", "trainings")), wanted)
    with pytest.raises(UsageError, match="no pool 'trainings', and training of dev") as caught:
        require_pools(Scripted(), wanted)
    assert "airflow pools set trainings 1" in (caught.value.hint or "")


PAUSED = {job: dag(job, is_paused=job != "inference") for job in DEPLOYMENT.jobs}


def test_what_is_new_is_unpaused() -> None:
    api = Scripted()
    assert unpause(api, PAUSED, ()) == (("training", "monitoring", "retraining"), ())
    assert DEPLOYMENT.dag_id("inference") not in api.unpaused


def test_what_somebody_paused_stays_so_unless_it_is_needed_or_asked_for() -> None:
    api = Scripted(going=[run("success", "scheduled__2026-11-01")])
    assert unpause(api, PAUSED, {"training"}) == (("training",), ("monitoring", "retraining"))
    assert api.unpaused == [TRAINING]
    assert unpause(api, PAUSED, (), every=True).left == ()


def test_each_end_of_a_task_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    done = task("verify", "success", seconds=2.0)
    again = task("train", "up_for_retry", seconds=31.2)
    api = Scripted(
        runs=[run("queued"), run("running"), run("running"), run("running"), run("success")],
        tasks=[
            [],
            [done, task("train", "running")],
            [done, again],
            [done, task("train", "running", try_number=2)],
            [done, task("train", "success", try_number=2, seconds=30.0)],
        ],
    )
    ended = await_run(api, RECORD, Clock().patience(600), TerminalConsole())
    assert (ended.record.state, ended.failed) == ("success", ())
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "  training.verify success after 2 s",
        "  training.train up_for_retry after 31 s, try 1 of 3",
        "  training.train success after 30 s",
    ]
    assert lines[3].startswith("✓ training  success: verify success, train success")


def test_a_failed_run_says_which_task_what_it_said_and_where_to_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = Scripted(
        runs=[run("failed")],
        tasks=[
            [
                task("verify", "success"),
                task("train", "failed", seconds=3.0),
                task("promote", "upstream_failed"),
            ]
        ],
    )
    ended = await_run(api, RECORD, Clock().patience(600), TerminalConsole())
    assert capsys.readouterr().err.splitlines()[-1].startswith("✗ training  failed: verify success, train")
    assert ended.record.state == "failed"
    assert ended.failed == (
        f"training.train failed after 3 s, try 1 of 3: {ADDRESS}/dags/{TRAINING}/runs/{RUN_ID}/tasks/train",
        "  error: the table has no rows",
    )


def test_a_run_that_failed_without_a_task_is_said_as_well() -> None:
    ended = await_run(
        Scripted(runs=[run("failed")]), RECORD, Clock().patience(9), TerminalConsole(quiet=True)
    )
    assert "none of its tasks did" in ended.failed[0]


def test_a_run_that_takes_longer_than_the_time_is_left_to_airflow() -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match="still going after 60 s") as caught:
        await_run(Scripted(runs=[run("running")]), RECORD, clock.patience(60), TerminalConsole(quiet=True))
    assert clock.now == pytest.approx(60)
    assert "again to wait on" in (caught.value.hint or "")


def test_whoever_stops_waiting_is_told_that_the_run_goes_on() -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    patience = Patience(600, sleep=stop)
    with pytest.raises(KeyboardInterrupt, match="interrupted; training goes on in Airflow: http"):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole(quiet=True))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"health": [{**HEALTHY, "scheduler": "unhealthy"}]}, "Airflow's scheduler is unhealthy"),
        ({"health": [{"triggerer": "healthy"}]}, "Airflow's scheduler is not running"),
        (
            {"health": [{"scheduler": "healthy"}], "tasks": [[task("watch", "deferred")]]},
            "Airflow's triggerer is not running",
        ),
        ({"dags": [{"training": dag("training", is_paused=True)}]}, "somebody paused its DAG: unpause it"),
    ],
)
def test_a_run_in_which_nothing_happens_says_what_it_waits_for(
    parts: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match="still going") as caught:
        await_run(Scripted(runs=[run("running")], **parts), RECORD, clock.patience(120), TerminalConsole())
    assert (caught.value.hint or "").startswith(expected)
    said = [line for line in capsys.readouterr().err.splitlines() if expected in line]
    assert said == [said[0]], "it is said once"
    assert said[0].startswith("  training does not go on: ")


def test_a_run_that_works_is_not_asked_why(capsys: pytest.CaptureFixture[str]) -> None:
    paused = [{"training": dag("training", is_paused=True)}]
    api = Scripted(
        dags=paused,
        runs=[run("running")] * 60 + [run("success")],
        tasks=[[task("train", "running")]],
    )
    await_run(api, RECORD, Clock().patience(600), TerminalConsole())
    assert "does not go on" not in capsys.readouterr().err


WAITS = {
    "model": "trip-fare-dev",
    "version": 3,
    "why": "it waits for approval: mlops-config promote --environment dev",
}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"promoted": True, "version": 3}, None),
        ({"promoted": False, "waits": None}, None),
        (["part-0", "part-1"], None),
        (None, None),
        ({"promoted": False, "waits": WAITS}, Waiting(**WAITS)),
    ],
)
@pytest.mark.parametrize("name", ["promote", "retrain"])
def test_a_model_that_waits_for_a_person_is_told_of(name: str, outcome: Any, expected: Any) -> None:
    api = Scripted(runs=[run("success")], tasks=[[task(name, "success")]], outcome=outcome)
    assert await_run(api, RECORD, Clock().patience(60), TerminalConsole(quiet=True)).held == expected


class Forbidding(Scripted):
    """Lets nobody see more than runs and their tasks."""

    def xcom(self, task: TaskInstance, key: str = "return_value") -> Any:
        raise ServiceError(f"reading {key} of {task.task_id} failed: Airflow does not allow it")

    def health(self) -> dict[str, str]:
        raise ServiceError("asking Airflow for its health failed: it answered with a login page")


def test_a_run_that_ended_well_did_so_though_nobody_may_read_what_its_tasks_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = Forbidding(runs=[run("success")], tasks=[[task("promote", "success")]])
    ended = await_run(api, RECORD, Clock().patience(60), TerminalConsole())
    assert (ended.record.state, ended.held) == ("success", None)
    assert "Airflow was not asked whether a model waits: reading return_value" in capsys.readouterr().err


def test_the_wait_goes_on_where_nobody_may_ask_why_nothing_happens() -> None:
    api = Forbidding(runs=[run("running")] * 40 + [run("success")])
    ended = await_run(api, RECORD, Clock().patience(600), TerminalConsole(quiet=True))
    assert ended.record.state == "success"


def test_a_run_that_somebody_deleted_is_said() -> None:
    with pytest.raises(ServiceError, match="somebody deleted it"):
        await_run(
            Scripted(runs=[run("running"), None]), RECORD, Clock().patience(60), TerminalConsole(quiet=True)
        )


def test_a_part_of_a_batch_goes_by_its_number() -> None:
    assert in_words(task("score", "success", map_index=3, seconds=12.0)) == "score[3] success after 12 s"


def test_what_is_left_out_of_a_log_for_a_person() -> None:
    said = ["begins", '{"rows": 3}', "begins", *[f"line {number}" for number in range(20)], "error: no rows"]

    class Talking(Scripted):
        def log(self, task: TaskInstance, lines: int = 20) -> list[str]:  # noqa: ARG002 the client's signature
            return said

    api = Talking(runs=[run("failed")], tasks=[[task("train", "failed")]])
    _, *told = await_run(api, RECORD, Clock().patience(9), TerminalConsole(quiet=True)).failed
    assert told == [f"  line {number}" for number in range(6, 20)] + ["  error: no rows"]
