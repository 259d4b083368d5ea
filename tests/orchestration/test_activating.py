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
    PLANNED,
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
    DagBrokenError,
    Patience,
    await_dags,
    await_run,
    concerns,
    in_words,
    request_run,
    require_pools,
    unpause,
)
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import Dag, ParseError
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
    assert "--with-dags" in (caught.value.hint or "")
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


def test_a_run_carries_release_and_digest() -> None:
    api = Scripted()
    record = request_run(api, DEPLOYMENT, PLANNED, RUN_ID, silent)
    assert api.triggered == [
        (TRAINING, RUN_ID, {"release": "1.1.0", "config_digest": DEPLOYMENT.config_digest})
    ]
    assert (record.state, record.url) == ("queued", f"{ADDRESS}/dags/{TRAINING}/runs/{RUN_ID}")


def test_a_run_of_the_release_before_is_waited_behind_and_named() -> None:
    said: list[str] = []
    api = Scripted(going=[run("running", "deploy__dev__1.0.0"), run("success", "old"), run("queued")])
    request_run(api, DEPLOYMENT, PLANNED, RUN_ID, said.append)
    assert said == ["training waits behind deploy__dev__1.0.0, which is still running"]


def test_a_run_that_is_there_is_gone_on_with() -> None:
    said: list[str] = []
    record = request_run(
        Scripted(is_new=False, runs=[run("running")]), DEPLOYMENT, PLANNED, RUN_ID, said.append
    )
    assert record.state == "running"
    assert said == [f"training was asked for before: {RUN_ID} is there, and this goes on with it"]


def test_of_a_run_that_failed_what_did_not_end_well_runs_again() -> None:
    said: list[str] = []
    tasks = [
        task("verify", "success"),
        task("score", "success", map_index=0),
        task("score", "failed", map_index=1),
        task("complete", "upstream_failed"),
        task("more", "skipped"),
    ]
    api = Scripted(is_new=False, runs=[run("failed")], tasks=[tasks])
    record = request_run(api, DEPLOYMENT, PLANNED, RUN_ID, said.append)
    assert api.cleared == [(TRAINING, RUN_ID, ["score", "complete", "more"])]
    assert record.state == "queued"
    assert said == [
        f"training was asked for before, and {RUN_ID} failed: it goes on with score, complete, more"
    ]


def test_a_run_that_somebody_marked_as_failed_when_it_was_done_stays_failed() -> None:
    said: list[str] = []
    api = Scripted(is_new=False, runs=[run("failed")], tasks=[[task("verify", "success")]])
    assert request_run(api, DEPLOYMENT, PLANNED, RUN_ID, said.append).state == "failed"
    assert api.cleared == []
    assert "each of its tasks ended well" in said[0]


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


def test_whoever_stops_waiting_is_told_that_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    patience = Patience(600, sleep=stop)
    with pytest.raises(KeyboardInterrupt):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole())
    assert f"training goes on in Airflow without us: {RECORD.url}" in capsys.readouterr().err


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


def test_a_run_that_works_or_waits_its_turn_is_not_asked_why(capsys: pytest.CaptureFixture[str]) -> None:
    paused = [{"training": dag("training", is_paused=True)}]
    api = Scripted(
        dags=paused,
        runs=[run("running")] * 60 + [run("success")],
        tasks=[[task("train", "running")]],
    )
    await_run(api, RECORD, Clock().patience(600), TerminalConsole())
    assert "does not go on" not in capsys.readouterr().err


APPROVE = "it waits for approval: mlops-config promote --environment dev"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"promoted": True}, None),
        ({"promoted": False, "redeployed": True}, None),
        ({"promoted": False, "reasons": [{"code": "nobody_waits", "text": "no version waits"}]}, None),
        (None, None),
        (
            {"promoted": False, "reason": APPROVE, "reasons": [{"code": "manual", "text": APPROVE}]},
            f"trip-fare-dev version 3 does not serve: {APPROVE}",
        ),
    ],
)
def test_a_model_that_waits_for_a_person_is_told_of(outcome: Any, expected: str | None) -> None:
    said = outcome and {"model": "trip-fare-dev", "version": 3, **outcome}
    api = Scripted(runs=[run("success")], tasks=[[task("promote", "success")]], outcome=said)
    assert await_run(api, RECORD, Clock().patience(60), TerminalConsole(quiet=True)).held == expected


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
