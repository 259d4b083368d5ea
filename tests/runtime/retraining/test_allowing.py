"""The promotion that nobody has to approve: what it rests on, and what it does."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mlops_config.deploy.interface import Deployment, EndpointStatus, State
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.retraining import deploying, promoting
from mlops_config.runtime.retraining.allowing import Permission, permission, promote_if_allowed
from mlops_config.runtime.retraining.promoting import Held, Promotion, promote, redeploy, waiting
from mlops_config.runtime.training.job import run as train
from tests.runtime.projects import Project
from tests.runtime.retraining.conftest import Open
from tests.runtime.retraining.scenes import NOW, ended, ledger, retrain_config

NAME = "trip-fare-dev"
AUTOMATIC: dict[str, Any] = {"promotion": {"mode": "automatic"}}


def trained(version: int, champion: int | None, *codes: str) -> Draft:
    """A training registered the version and compared it."""
    return Draft(
        event=Event.TRAINED,
        time=NOW,
        model=ModelReference(name=NAME, version=version),
        champion=ModelReference(name=NAME, version=champion) if champion else None,
        reasons=tuple(Reason(code=code, text=f"it is {code}") for code in codes),
    )


def permitted(
    champion: int | None, drafts: Sequence[Draft], changes: Mapping[str, Any] | None = None
) -> Permission:
    """For version 7."""
    config = retrain_config(**dict(AUTOMATIC if changes is None else changes))
    return permission(7, champion, ledger(*drafts), config, "mlops-config promote")


@pytest.mark.parametrize(("policy", "allowed"), [("accept", True), ("reject", False)])
def test_a_first_model_is_promoted_where_a_missing_champion_is_accepted(policy: str, allowed: bool) -> None:
    permit = permitted(None, [], {"evaluation": {"on_missing_champion": policy}})
    assert permit.allowed is allowed
    assert permit.reason.code == "champion.missing"


def test_by_hand_means_by_hand() -> None:
    permit = permitted(6, [trained(7, 6, "champion.not_worse")], {"promotion": {"mode": "manual"}})
    assert permit == (False, Reason(code="manual", text="it waits for approval: mlops-config promote"))


@pytest.mark.parametrize(
    ("drafts", "code"),
    [
        ([], "champion.unknown"),
        ([trained(7, 6)], "champion.unknown"),
        ([trained(7, 6, "champion.unknown")], "champion.unknown"),
        ([trained(7, 6, "champion.worse")], "champion.worse"),
        ([trained(8, 6, "champion.not_worse")], "champion.unknown"),
        ([trained(7, 5, "champion.not_worse")], "champion.changed"),
        ([trained(7, None, "champion.not_worse")], "champion.changed"),
        ([trained(7, 6, "champion.not_worse"), trained(7, 6, "champion.worse")], "champion.worse"),
    ],
)
def test_what_is_unknown_or_worse_waits(drafts: list[Draft], code: str) -> None:
    permit = permitted(6, drafts)
    assert not permit.allowed
    assert permit.reason.code == code
    assert "waits for approval: mlops-config promote" in permit.reason.text


def test_no_worse_than_the_champion_of_now_is_allowed_and_so_is_what_a_retraining_accepted() -> None:
    assert permitted(6, [trained(7, 6, "champion.not_worse")]).allowed
    references: dict[str, Any] = {
        "model": ModelReference(name=NAME, version=7),
        "champion": ModelReference(name=NAME, version=6),
    }
    assert permitted(6, [ended(NOW, outcome="failed", **references)]).allowed
    assert not permitted(5, [ended(NOW, **references)]).allowed


class Cloud:
    """A deployer that works by itself: it is updating until it is told that it has come to rest."""

    def __init__(self) -> None:
        self.serving: dict[str, int] = {}
        self.state = State.IN_SERVICE
        self.asked: list[tuple[str, bool]] = []

    def deploy(self, deployment: Deployment, _progress: object, *, wait: bool) -> EndpointStatus:
        self.asked.append((deployment.revision.name, wait))
        self.serving = {deployment.revision.name: 100}
        return EndpointStatus("fares", State.IN_SERVICE if wait else self.state, self.serving, None)

    def status(self, endpoint: str) -> EndpointStatus | None:
        return EndpointStatus(endpoint, self.state, self.serving, None) if self.serving else None


@pytest.fixture
def cloud(project: Project, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The project deploys, to a cloud of the test's."""
    project.edit(Kind.RETRAIN, "redeploy: {enabled: false}", "promotion: {mode: automatic}")
    found = Cloud()
    monkeypatch.setattr(deploying, "open_deployer", lambda *_, **__: found)
    return found


def events(open_job: Open) -> list[Event]:
    return [entry.event for entry in open_job().ledger.entries()]


def test_after_each_training_what_is_no_worse_is_promoted_once(
    project: Project, open_job: Open, cloud: Cloud
) -> None:
    assert isinstance(promote_if_allowed(open_job()), Held), "nothing was trained yet"
    train(open_job())
    first = promote_if_allowed(open_job())
    assert isinstance(first, Promotion)
    assert first.document()["promoted"] is True
    assert first.champion.version == 1

    project.edit(Kind.TRAINING, "max_iter: 30 ", "max_iter: 40 ")
    train(open_job())
    entry = open_job().ledger.entries()[-1]
    assert entry.champion is not None
    assert entry.champion.version == 1
    assert [reason.code for reason in entry.reasons] == ["champion.not_worse"]
    second = promote_if_allowed(open_job())
    assert isinstance(second, Promotion)
    assert (second.champion.version, second.replaced and second.replaced.version) == (2, 1)

    project.edit(Kind.TRAINING, "max_iter: 40 ", "max_iter: 20 ")
    train(open_job())
    held = promote_if_allowed(open_job())
    assert isinstance(held, Held)
    assert held.document()["reasons"][0]["code"] == "champion.worse"
    assert held.document()["waits"] == {"model": NAME, "version": 3, "why": held.reason.text}
    assert len(cloud.asked) == 2


@pytest.mark.usefixtures("cloud")
def test_a_promotion_that_was_killed_before_it_was_written_down_is_written_down_by_the_next_try(
    project: Project, open_job: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        """What a kill looks like from inside."""

    def killed(context: JobContext, event: Event, *given: Any, **more: Any) -> None:
        if event is Event.PROMOTED:
            raise KilledError
        note(context, event, *given, **more)

    note = promoting._note
    for version, replaced in ((1, None), (2, 1)):
        if replaced:
            project.edit(Kind.TRAINING, "max_iter: 30 ", "max_iter: 40 ")
        train(open_job())
        with monkeypatch.context() as patch:
            patch.setattr(promoting, "_note", killed)
            with pytest.raises(KilledError):
                promote_if_allowed(open_job())
        named = open_job().registry.by_alias(NAME, "champion")
        assert named is not None
        assert named.version == version
        assert events(open_job)[-1] is Event.DEPLOYED

        again = promote_if_allowed(open_job())
        assert isinstance(again, Promotion)
        assert (again.champion.version, again.replaced and again.replaced.version) == (version, replaced)
        last = open_job().ledger.entries()[-1]
        assert (last.event, last.model and last.model.version) == (Event.PROMOTED, version)
        assert last.reasons[0].code == ("champion.not_worse" if replaced else "champion.missing")
        assert (last.champion and last.champion.version) == replaced
        assert open_job().registry.by_alias(NAME, "challenger") is None
        assert isinstance(promote_if_allowed(open_job()), Held), "nothing is left to do"


@pytest.mark.usefixtures("champion")
def test_a_release_that_changes_no_model_deploys_the_champion_again(
    project: Project, open_job: Open, cloud: Cloud
) -> None:
    assert isinstance(redeploy(open_job()), Promotion)
    again = promote_if_allowed(open_job())
    assert isinstance(again, Held)
    assert "is the champion already" in again.summary
    assert again.document()["waits"] is None, "it serves"
    assert len(cloud.asked) == 1

    file = project.file(Kind.INFERENCE)
    file.write_text(f"{file.read_text()}\n# another configuration\n")
    redeployed = promote_if_allowed(open_job())
    assert isinstance(redeployed, Promotion)
    document = redeployed.document()
    assert (document["promoted"], document["redeployed"], document["version"]) == (False, True, 1)
    assert cloud.asked[0] != cloud.asked[1]
    assert events(open_job).count(Event.DEPLOYED) == 2
    assert Event.PROMOTED not in events(open_job)


@pytest.mark.usefixtures("champion")
def test_without_waiting_it_is_pending_and_nothing_is_named_before_it_serves(
    open_job: Open, cloud: Cloud, champion: int
) -> None:
    context = open_job()
    context.registry.drop_alias(NAME, "champion")
    context.registry.set_alias(NAME, "challenger", champion)
    cloud.state = State.UPDATING
    before = events(open_job)
    pending = promote_if_allowed(open_job(), wait=False)
    assert isinstance(pending, Promotion)
    document = pending.document()
    assert (document["promoted"], document["state"], document["endpoint"]) == (False, "updating", "fares")
    assert document["deployer"]["target"] == "local"
    assert events(open_job) == before
    assert open_job().registry.by_alias(NAME, "champion") is None

    cloud.state = State.IN_SERVICE
    done = promote_if_allowed(open_job(), wait=False)
    assert isinstance(done, Promotion)
    assert (done.document()["promoted"], done.document()["state"]) == (True, "in_service")
    assert events(open_job) == [*before, Event.DEPLOYED, Event.PROMOTED]


def test_without_a_champion_there_is_nothing_to_deploy_again(open_job: Open) -> None:
    with pytest.raises(UsageError, match="no version of trip-fare-dev is the champion"):
        redeploy(open_job())


def test_who_promotes_after_a_refusal_is_told_of_it(open_job: Open) -> None:
    reason = Reason(code="rmse.not_worse", text="rmse is 9, the champion's on the same rows is 3")
    open_job().ledger.append(Draft(event=Event.RETRAIN_ENDED, time=NOW, outcome="refused", reasons=(reason,)))
    with pytest.raises(UsageError, match="the last retraining was refused: rmse is 9") as refused:
        waiting(open_job())
    assert "mlops-config log" in (refused.value.hint or "")


@pytest.mark.usefixtures("champion")
def test_a_promotion_asked_for_twice_in_one_dag_run_is_written_down_once(
    open_job: Open, cloud: Cloud, champion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DAG_RUN", "dag/run")
    version = open_job().registry.by_version(NAME, champion)
    assert version is not None
    promote(open_job(), version, ())
    promote(open_job(), version, ())
    assert len(cloud.asked) == 2
    told = events(open_job)
    assert (told.count(Event.DEPLOYED), told.count(Event.PROMOTED)) == (1, 1)
