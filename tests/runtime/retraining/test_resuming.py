"""A retraining whose process was killed: the next try of the DAG run goes on, and nothing is done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.errors import ServiceError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, Reason
from mlops_config.runtime.retraining import promoting
from mlops_config.runtime.retraining.deciding import decide
from mlops_config.runtime.retraining.history import INTERRUPTED, history
from mlops_config.runtime.retraining.job import run
from mlops_config.runtime.retraining.resuming import earlier_try
from tests.runtime.projects import Project
from tests.runtime.retraining.conftest import Open
from tests.runtime.retraining.scenes import (
    DAY,
    HOUR,
    MONITORING,
    NOW,
    ended,
    ledger,
    report,
    retrain_config,
    started,
)

NAME = "trip-fare-dev"
DAG_RUN = "city-taxi.trip-fare.dev.retraining/asset_triggered__2026-11-20T12:00:00+00:00_a"
LONGEST = timedelta(hours=6)
LIMIT_SECONDS = 120.0
AUTOMATIC = "promotion: {mode: automatic}\n\nrollback:"

KILLED = """
import pathlib, signal, sys
from datetime import UTC, datetime

from mlops_config.console import TerminalConsole
from mlops_config.runtime.opening import Request, open_context
from mlops_config.runtime.retraining import promoting, running
from mlops_config.runtime.retraining.job import run
from mlops_config.runtime.tracking.mlflow import MlflowRegistry

root, step, reached = sys.argv[1:]

def stop(*_arguments, **_words):
    pathlib.Path(reached).touch()
    while True:
        signal.pause()

where, name = {
    "learned": (running, "contest"),
    "registered": (MlflowRegistry, "set_alias"),
    "named the champion": (MlflowRegistry, "drop_alias"),
}[step]
setattr(where, name, stop)
request = Request(environment="dev", root=pathlib.Path(root), now=datetime.now(UTC))
run(open_context(request, TerminalConsole()), requested="the city grew")
"""


def killed_at(step: str, project: Project, folder: Path) -> None:
    """Runs the job in a process of its own and kills it (SIGKILL) when it gets to the step."""
    reached, log = folder / f"{step}.reached", folder / f"{step}.log"
    command = [sys.executable, "-c", KILLED, str(project.folder), step, str(reached)]
    environment = os.environ | {"MLOPS_DAG_RUN": DAG_RUN}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not reached.exists():
            assert process.poll() is None, f"it ended before it {step}:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"it never {step}:\n{log.read_text()}"
            time.sleep(0.02)
    finally:
        process.kill()
        assert process.wait(timeout=20) == -signal.SIGKILL


def retrainings(open_job: Open) -> list[tuple[Event, str, str | None]]:
    seen = (Event.RETRAIN_STARTED, Event.RETRAIN_ENDED, Event.PROMOTED)
    entries = open_job().ledger.entries()
    return [(entry.event, entry.outcome, entry.job_id) for entry in entries if entry.event in seen]


@pytest.mark.usefixtures("newer_rows")
def test_killed_again_and_again_it_retrains_once(
    project: Project, open_job: Open, champion: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(Kind.RETRAIN, "rollback:", AUTOMATIC)
    killed_at("learned", project, tmp_path)
    held = run(open_job(), requested="the city grew")
    assert held.decision is not None
    assert "max_concurrent" in [reason.code for reason in held.decision.held], "another DAG run waits"

    killed_at("registered", project, tmp_path)
    assert open_job().registry.by_alias(NAME, "challenger") is None
    killed_at("named the champion", project, tmp_path)
    now = open_job().registry.by_alias(NAME, "champion")
    assert now is not None
    assert now.version != champion

    monkeypatch.setenv("MLOPS_DAG_RUN", DAG_RUN)
    outcome = run(open_job(), requested="the city grew")
    assert outcome.promotion is not None
    document = outcome.document()
    assert (document["retrain"], document["accepted"], document["challenger"]) == (True, True, now.version)
    assert document["promotion"]["version"] == now.version
    assert document["metrics"]["rmse"] == now.metrics["rmse"]
    again = run(open_job(), requested="the city grew").document()
    assert {**again, "reasons": [], "note": None} == {**document, "reasons": [], "note": None}

    context = open_job()
    assert [each.version for each in context.registry.versions(NAME)] == [now.version, champion]
    assert context.registry.by_alias(NAME, "challenger") is None
    [start, promoted, end] = retrainings(open_job)
    assert [start[0], promoted[0], end[0]] == [Event.RETRAIN_STARTED, Event.PROMOTED, Event.RETRAIN_ENDED]
    assert start[2] == promoted[2] == end[2]
    last = next(entry for entry in context.ledger.entries() if entry.event is Event.RETRAIN_ENDED)
    assert (last.outcome, last.rows, last.dag_run) == ("succeeded", 3000, DAG_RUN)
    assert last.window_end is not None
    assert last.data_fingerprint == now.tags["mlops.data_fingerprint"]


@pytest.mark.usefixtures("newer_rows")
def test_a_promotion_that_failed_is_completed_and_nothing_learned_again(
    project: Project, open_job: Open, champion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(Kind.RETRAIN, "rollback:", AUTOMATIC)
    monkeypatch.setenv("MLOPS_DAG_RUN", DAG_RUN)

    def away(*_: object) -> Any:
        raise ServiceError("the registry is away")

    with monkeypatch.context() as patch:
        patch.setattr(promoting, "_carriers", away)
        with pytest.raises(ServiceError):
            run(open_job(), requested="the city grew")
    assert run(open_job(), requested="the city grew").promotion is not None
    assert [version.version for version in open_job().registry.versions(NAME)] == [champion + 1, champion]
    assert [(event, outcome) for event, outcome, _ in retrainings(open_job)] == [
        (Event.RETRAIN_STARTED, "succeeded"),
        (Event.PROMOTED, "succeeded"),
        (Event.RETRAIN_ENDED, "failed"),
        (Event.RETRAIN_STARTED, "succeeded"),
        (Event.RETRAIN_ENDED, "succeeded"),
    ]
    past = history(open_job().ledger.entries(), open_job().now, LONGEST)
    assert (len(past.started), past.failures, past.running_since) == (1, 0, None)


@pytest.mark.usefixtures("newer_rows")
def test_what_was_promoted_and_replaced_since_is_left_alone(
    project: Project, open_job: Open, champion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.edit(Kind.RETRAIN, "rollback:", AUTOMATIC)
    monkeypatch.setenv("MLOPS_DAG_RUN", DAG_RUN)
    run(open_job(), requested="the city grew")
    open_job().registry.set_alias(NAME, "champion", champion)  # a person went back
    cleared = run(open_job(), requested="the city grew")
    assert cleared.promotion is None
    assert "nothing of it is left to do" in cleared.summary
    now = open_job().registry.by_alias(NAME, "champion")
    assert now is not None
    assert now.version == champion


def of(dag_run: str, draft: Draft) -> Draft:
    return draft.model_copy(update={"dag_run": dag_run})


def on_drift(entries: Sequence[Draft], own: str | None, **guards: object) -> Any:
    return decide(
        [report(drifted="abcd")], ledger(*entries), retrain_config(guards=guards), MONITORING, NOW, own=own
    )


def test_a_killed_try_holds_every_other_retraining_and_not_its_own() -> None:
    entries = [of("dag/one", started(NOW - HOUR))]
    others = on_drift(entries, None)
    assert [reason.code for reason in others.held] == ["max_concurrent"]
    own = earlier_try(ledger(*entries), "dag/one")
    assert own is not None
    assert own.end is None
    assert on_drift(entries, own.start.job_id, cooldown=3 * DAY).retrain


def test_the_tries_of_one_dag_run_use_up_one_retraining() -> None:
    entries = [
        started(NOW - 4 * HOUR),
        ended(NOW - 3 * HOUR, outcome="failed"),
        started(NOW - 2 * HOUR),
        ended(NOW - HOUR, outcome="failed"),
    ]
    past = history(ledger(*entries), NOW, LONGEST)
    assert past.started == (NOW - 2 * HOUR,)
    assert past.failures == 1
    assert on_drift(entries, None, max_retrains={"count": 2, "per": DAY}).retrain
    held = on_drift(entries, None, max_retrains={"count": 1, "per": DAY})
    assert [reason.code for reason in held.held] == ["max_retrains"]


def test_only_the_last_start_of_the_dag_run_and_its_end_are_its_try() -> None:
    entries = ledger(
        of("dag/one", started(NOW - 4 * HOUR, 1)),
        ended(NOW - 3 * HOUR, 1, "refused"),
        of("dag/two", started(NOW - 2 * HOUR, 2)),
    )
    one, two = earlier_try(entries, "dag/one"), earlier_try(entries, "dag/two")
    assert one is not None
    assert two is not None
    assert one.refused
    assert two.end is None
    assert earlier_try(entries, None) is None
    assert earlier_try(entries, "dag/three") is None


tries = st.lists(st.sampled_from(["killed", "failed", INTERRUPTED]), max_size=5)


@given(tries=tries, last=st.sampled_from(["succeeded", "refused", "failed"]), before=st.integers(0, 3))
def test_however_often_it_is_tried_it_counts_as_its_last_try(
    tries: list[str], last: str, before: int
) -> None:
    """``before``: other retrainings that had failed."""
    drafts: list[Draft] = []
    moment = NOW - 2 * DAY
    for job in range(2, 2 + before):
        drafts += [started(moment, job), ended(moment, job, "failed")]
    for how in [*tries, last]:
        moment += HOUR
        drafts.append(started(moment))
        if how == INTERRUPTED:
            reason = Reason(code=INTERRUPTED, text="stopped from outside")
            drafts.append(ended(moment, outcome="failed", reasons=(reason,)))
        elif how != "killed":
            drafts.append(ended(moment, outcome=how))
    past = history(ledger(*drafts), NOW, LONGEST)
    assert len(past.started) == before + 1
    assert past.last_started == moment
    assert past.failures == (before + 1 if last == "failed" else 0)
    assert past.running_since is None
