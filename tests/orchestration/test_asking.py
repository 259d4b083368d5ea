"""Asking for DAG runs: once for each thing that is asked for, and on with what an earlier try left."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.orchestration.scripted import (
    ADDRESS,
    DEPLOYMENT,
    PLANNED,
    RUN_ID,
    TRAINING,
    Scripted,
    run,
    task,
)

from mlops_config.orchestration.api_answers import DagRun
from mlops_config.orchestration.asking import Wanted, find_run, request_run
from mlops_config.orchestration.choosing import again


def silent(_: str) -> None:
    """Says nothing."""


WANTED = Wanted(PLANNED, RUN_ID)


def test_a_run_carries_release_and_digest() -> None:
    api = Scripted()
    record = request_run(api, DEPLOYMENT, WANTED, silent)
    assert api.triggered == [
        (TRAINING, RUN_ID, {"release": "1.1.0", "config_digest": DEPLOYMENT.config_digest})
    ]
    assert (record.state, record.url) == ("queued", f"{ADDRESS}/dags/{TRAINING}/runs/{RUN_ID}")


def test_a_run_of_the_release_before_is_waited_behind_and_named() -> None:
    said: list[str] = []
    api = Scripted(going=[run("running", "deploy__dev__1.0.0"), run("success", "old"), run("queued")])
    request_run(api, DEPLOYMENT, WANTED, said.append)
    assert said == ["training waits behind deploy__dev__1.0.0, which is still running"]


def test_a_run_that_is_there_is_gone_on_with() -> None:
    said: list[str] = []
    record = request_run(Scripted(is_new=False, runs=[run("running")]), DEPLOYMENT, WANTED, said.append)
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
    record = request_run(api, DEPLOYMENT, WANTED, said.append)
    assert api.cleared == [(TRAINING, RUN_ID, ["score[1]", "complete", "more"])]
    assert record.state == "queued"
    assert said == [
        f"training was asked for before, and {RUN_ID} failed: it goes on with score, complete, more"
    ]


def test_a_run_that_somebody_marked_as_failed_when_it_was_done_stays_failed() -> None:
    said: list[str] = []
    api = Scripted(is_new=False, runs=[run("failed")], tasks=[[task("verify", "success")]])
    assert request_run(api, DEPLOYMENT, WANTED, said.append).state == "failed"
    assert api.cleared == []
    assert "each of its tasks ended well" in said[0]


class Keeping(Scripted):
    """Has these runs, by how often each was asked for."""

    def __init__(self, kept: Mapping[int, DagRun]) -> None:
        super().__init__()
        self.kept = {again(RUN_ID, number): each for number, each in kept.items()}

    def run(self, dag_id: str, run_id: str) -> DagRun | None:  # noqa: ARG002 the client's signature
        return self.kept.get(run_id)


@pytest.mark.parametrize(
    ("kept", "number", "state"),
    [
        ({}, 1, None),
        ({1: run("running")}, 1, "running"),
        ({1: run("failed")}, 1, "failed"),
        ({1: run("success")}, 2, None),
        ({1: run("success"), 2: run("queued")}, 2, "queued"),
        ({1: run("success"), 2: run("success")}, 3, None),
        ({1: run("running", only="redeploy")}, 2, None),
        ({1: run("success", only="redeploy"), 2: run("failed")}, 2, "failed"),
    ],
)
def test_what_has_ended_or_was_something_else_is_not_what_is_asked_for(
    kept: Any, number: int, state: str | None
) -> None:
    found = find_run(Keeping(kept), DEPLOYMENT, PLANNED, RUN_ID, lambda _: True)
    assert found == (PLANNED, again(RUN_ID, number), state)


def test_what_a_deployment_needs_is_done_once_its_run_ended_well() -> None:
    redeploy = PLANNED._replace(only="redeploy")
    kept = Keeping({1: run("success"), 2: run("success", only="redeploy")})
    found = [find_run(kept, DEPLOYMENT, each, RUN_ID, lambda _: False) for each in (PLANNED, redeploy)]
    assert [each.run_id for each in found] == [RUN_ID, f"{RUN_ID}__again2"]
    assert all(each.is_done for each in found)
