"""A promotion on a cloud waits without a worker, and goes on when the endpoint has come to rest."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from mlops_config.airflow.waiting import EndpointTrigger
from tests.airflow.inside.deployed import deployment, job
from tests.airflow.inside.operators.running import connection, context_of, pin, run, task_of

DEPLOYER = {
    "target": "aws",
    "region": "eu-central-1",
    "account_id": "123456789012",
    "role": "arn:aws:iam::123456789012:role/x",
}
SAYS = """\
import json, sys
from pathlib import Path
def main():
    asked = Path("asked")
    asked.write_text(asked.read_text() + "." if asked.exists() else ".")
    print(json.dumps(json.loads(Path("says").read_text())))
if __name__ == "__main__": main()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose "package" answers ``promote`` with what its file ``says`` has."""
    package = tmp_path / "stub" / "mlops_config"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SAYS)
    connection(
        monkeypatch,
        tmp_path,
        variables={"AWS_SECRET_ACCESS_KEY": "hunter22", "PYTHONPATH": str(package.parent)},
    )
    return tmp_path


def promote(target: str = "aws", **options: Any) -> Any:
    """The task that promotes after a training."""
    jobs = {"training": job("dev", "training", timeout_seconds=7200.0)}
    given = deployment(target=target, jobs=jobs)
    return task_of(given, "training", words=("promote",), arguments=["--if-allowed"], **options)


def says(folder: Path, **outcome: Any) -> None:
    (folder / "says").write_text(json.dumps(outcome))


def deferral(folder: Path, task: Any) -> TaskDeferred:
    says(folder, state="updating", endpoint="fares-dev", deployer=DEPLOYER, promoted=False)
    with pytest.raises(TaskDeferred) as caught:
        run(task, pin(folder))
    return caught.value


def test_on_a_cloud_a_promotion_does_not_wait_itself() -> None:
    assert promote().own_words({}) == ["--if-allowed", "--no-wait"]
    assert promote("local").own_words({}) == ["--if-allowed"]


def test_while_the_endpoint_is_updating_the_task_lets_its_worker_go(folder: Path) -> None:
    told: list[Any] = []
    deferred = deferral(folder, promote(on_outcome=lambda *given: told.append(given)))
    assert deferred.method_name == "waited"
    assert deferred.timeout.total_seconds() == 7200
    assert isinstance(deferred.trigger, EndpointTrigger)
    assert told == []


def test_what_airflow_keeps_of_a_wait_has_no_secret_and_makes_the_same_trigger(folder: Path) -> None:
    path, kwargs = deferral(folder, promote()).trigger.serialize()
    assert path == "mlops_config.airflow.waiting.EndpointTrigger"
    assert kwargs == {
        "environment": "dev",
        "endpoint": "fares-dev",
        "deployer": DEPLOYER,
        "poll_seconds": 30.0,
    }
    assert EndpointTrigger(**kwargs).serialize() == (path, kwargs)


def test_once_it_rests_the_promotion_is_asked_again_and_finds_what_is_done(folder: Path) -> None:
    task = promote()
    deferral(folder, task)
    says(folder, state="in_service", endpoint="fares-dev", promoted=True)
    task = promote()
    context = context_of(task, pin(folder))
    task.render_template_fields(context, task.dag.get_template_env())
    outcome = task.waited(context, {"endpoint": "fares-dev", "state": "in_service"})
    assert outcome["promoted"] is True
    assert (folder / "asked").read_text() == ".."


def test_an_endpoint_that_failed_is_no_promotion(folder: Path) -> None:
    says(folder, state="failed", endpoint="fares-dev", promoted=False)
    with pytest.raises(AirflowFailException, match="fares-dev is failed"):
        run(promote(), pin(folder))


def test_what_waits_for_approval_ends_well(folder: Path) -> None:
    says(folder, state=None, promoted=False, reason="it waits for approval")
    assert run(promote(), pin(folder))["promoted"] is False


def event_of(trigger: EndpointTrigger) -> Any:
    """The one event that the trigger fires."""

    async def first() -> Any:
        events = [event async for event in trigger.run()]
        assert len(events) == 1
        return events[0].payload

    return asyncio.run(first())


def looking(monkeypatch: pytest.MonkeyPatch, *answers: str | None) -> list[int]:
    """Makes the looks answer so, the last for ever; counts them."""
    looks: list[int] = []

    async def look(_self: EndpointTrigger) -> tuple[str | None, str]:
        looks.append(1)
        return answers[min(len(looks), len(answers)) - 1], "no answer"

    monkeypatch.setattr(EndpointTrigger, "_look", look)
    return looks


def test_the_trigger_looks_until_the_endpoint_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looking(monkeypatch, "creating", None, "updating", "in_service")
    trigger = EndpointTrigger("dev", "fares-dev", DEPLOYER, poll_seconds=0.0)
    assert event_of(trigger) == {"endpoint": "fares-dev", "state": "in_service"}
    assert len(looks) == 4


@pytest.mark.parametrize("state", ["failed", "missing"])
def test_an_endpoint_that_ended_badly_rests_too(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looking(monkeypatch, "updating", state)
    trigger = EndpointTrigger("dev", "fares-dev", DEPLOYER, poll_seconds=0.0)
    assert event_of(trigger)["state"] == state


def test_a_provider_that_never_answers_is_left_to_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looking(monkeypatch, None)
    trigger = EndpointTrigger("dev", "fares-dev", DEPLOYER, poll_seconds=0.0)
    assert event_of(trigger)["state"] == "unknown"
    assert len(looks) == 10


def test_without_a_deployer_the_job_looks_itself_after_a_while() -> None:
    trigger = EndpointTrigger("dev", "fares-dev", poll_seconds=0.0)
    assert event_of(trigger)["state"] == "unknown"
