"""Waiting for Airflow: what is said on the way, and what ends the wait."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.orchestration.scripted import (
    ADDRESS,
    ALL,
    DEPLOYMENT,
    HEALTHY,
    OLD,
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
    AGAIN,
    DagBrokenError,
    Patience,
    Waiting,
    await_dags,
    await_run,
    concerns,
    going_on,
    in_words,
    require_pools,
    unpause,
)
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import Dag, ParseError, TaskInstance
from mlops_config.release.record import DagRunRecord


def test_a_pool_that_is_not_there_is_told_of_before_anything_waits_for_it() -> None:
    jobs = {**DEPLOYMENT.jobs, "training": DEPLOYMENT.jobs["training"]._replace(pool="trainings")}
    wanted = DEPLOYMENT._replace(jobs=jobs)
    require_pools(Scripted(pools=("default_pool", "trainings")), wanted)
    with pytest.raises(UsageError, match="no pool 'trainings', and training of dev") as caught:
        require_pools(Scripted(), wanted)
    assert "airflow pools set trainings 1" in (caught.value.hint or "")


def silent(_: str) -> None:
    """Says nothing."""


def parsed(
    api: AirflowApi, clock: Clock, seconds: float = 900, known: Sequence[ParseError] = ()
) -> list[str]:
    said: list[str] = []
    found = await_dags(api, DEPLOYMENT, known, clock.patience(seconds), said.append)
    assert found == ALL
    return said


def test_it_waits_until_every_dag_is_of_this_very_release() -> None:
    half = {**OLD, "training": dag("training")}
    said = parsed(Scripted(dags=[{}, OLD, half, ALL]), Clock())
    assert said == [f"{number} of 4 DAGs are of release 1.1.0" for number in (0, 0, 1)]


@pytest.mark.parametrize(
    "almost",
    [
        dag("training", is_stale=True),
        dag("training", frozenset({"release:1.1.0"})),
        dag("training", frozenset({"release:1.1.0", "config:000000000000"})),
    ],
)
def test_a_dag_of_other_bytes_or_of_a_file_that_is_gone_does_not_count(almost: Dag) -> None:
    with pytest.raises(ServiceError, match="of another release than"):
        parsed(Scripted(dags=[{**ALL, "training": almost}]), Clock(), seconds=30)


def test_a_new_import_error_ends_the_wait_at_once() -> None:
    error = ParseError("training_dag.py", "Traceback\nImportError: no module named mlops_config")
    clock = Clock()
    with pytest.raises(DagBrokenError, match=r"training_dag\.py: ImportError: no module") as caught:
        parsed(Scripted(dags=[OLD], errors=[[], [error]]), clock)
    assert caught.value.exit_code == 1
    assert clock.now < 5


def test_an_error_from_before_and_somebody_else_s_are_waited_over() -> None:
    old = ParseError("training_dag.py", "NameError: x")
    other = ParseError("their_dag.py", "NameError: y")
    parsed(Scripted(dags=[OLD, OLD, ALL], errors=[[old], [old, other]]), Clock(), known=[old])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ParseError("sub/training_dag.py", "x"), True),
        (ParseError("their_dag.py", "city-taxi/trip-fare/dev/deployment.json"), False),
        (ParseError("deployments_dag.py", "/dags/mlops/city-taxi/trip-fare/dev/deployment.json: no"), True),
        (ParseError("deployments_dag.py", "/dags/mlops/city-taxi/trip-fare/prod/deployment.json: no"), False),
    ],
)
def test_an_import_error_concerns_its_own_deployment(error: ParseError, expected: bool) -> None:
    assert concerns(error, DEPLOYMENT) is expected


def test_dags_that_never_come_are_said_with_what_to_do() -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match=f"Airflow has no DAG {TRAINING}") as caught:
        parsed(Scripted(), clock, seconds=10_000)
    assert clock.now == pytest.approx(600)
    assert caught.value.hint == (
        "look at its folder; without DAG files of your own, put ours there with --with-dags"
    )
    assert caught.value.exit_code == 3


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


RECORD = DagRunRecord(
    job="training", dag_id=TRAINING, run_id=RUN_ID, state="queued", because="it was asked for", url=ADDRESS
)


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


def test_what_an_apply_took_is_no_time_to_wait_in() -> None:
    clock = Clock()
    patience = clock.patience(7200, within=3300)
    clock.sleep(1800)
    with pytest.raises(ServiceError, match="still going after 1500 s"):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole(quiet=True))
    assert clock.now == pytest.approx(3300)


def test_where_an_apply_took_all_of_the_time_nothing_is_said_against_airflow_and_its_folder() -> None:
    clock = Clock()
    patience = clock.patience(7200, within=3300)
    clock.sleep(3301)
    for there in (OLD, {}):
        with pytest.raises(
            ServiceError, match=r"no time left to wait for Airflow: .* all of 3300 s"
        ) as caught:
            await_dags(Scripted(dags=[there]), DEPLOYMENT, [], patience, silent)
        assert caught.value.hint == (
            "give --within more, in GitHub's workflow deploy-minutes;"
            " then run the same command again: it goes on from there"
        )
    with pytest.raises(ServiceError, match="is still going, and no time was left to wait for it: http"):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole(quiet=True))


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


def test_one_patience_is_for_the_whole_deployment() -> None:
    clock = Clock()
    patience = clock.patience(100)
    await_dags(Scripted(dags=[*[OLD] * 20, ALL]), DEPLOYMENT, (), patience, silent)
    with pytest.raises(ServiceError):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole(quiet=True))
    assert clock.now == pytest.approx(100)
    assert max(clock.naps) <= 10


def test_a_part_of_a_batch_goes_by_its_number() -> None:
    assert in_words(task("score", "success", map_index=3, seconds=12.0)) == "score[3] success after 12 s"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (None, AGAIN),
        ("start it: airflow dag-processor", f"start it: airflow dag-processor; then {AGAIN}"),
        ("is it up?", f"is it up? Then {AGAIN}"),
        (
            "mend these files; Airflow reads them again by itself",
            f"mend these files; Airflow reads them again by itself; then {AGAIN}",
        ),
        ("free some space and run the same command again", "free some space and run the same command again"),
    ],
)
def test_each_hint_says_to_give_the_command_again_once(hint: str | None, expected: str) -> None:
    assert going_on(hint) == expected


def test_what_is_left_out_of_a_log_for_a_person() -> None:
    said = ["begins", '{"rows": 3}', "begins", *[f"line {number}" for number in range(20)], "error: no rows"]

    class Talking(Scripted):
        def log(self, task: TaskInstance, lines: int = 20) -> list[str]:  # noqa: ARG002 the client's signature
            return said

    api = Talking(runs=[run("failed")], tasks=[[task("train", "failed")]])
    _, *told = await_run(api, RECORD, Clock().patience(9), TerminalConsole(quiet=True)).failed
    assert told == [f"  line {number}" for number in range(6, 20)] + ["  error: no rows"]
