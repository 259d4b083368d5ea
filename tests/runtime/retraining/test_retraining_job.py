"""The retraining job on real parts: data, registry and ledger."""

from datetime import timedelta
from typing import Any

import pytest

from mlops_config.deploy.interface import DeployFailedError
from mlops_config.errors import FindingsError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event
from mlops_config.runtime.retraining import deploying, job, running
from mlops_config.runtime.retraining.job import run
from mlops_config.runtime.retraining.promoting import promote, waiting
from tests.runtime.projects import Project
from tests.runtime.retraining.conftest import Open

NAME = "trip-fare-dev"


def events(open_job: Open) -> list[tuple[Event, str]]:
    return [(entry.event, entry.outcome) for entry in open_job().ledger.entries()]


def test_without_a_reason_nothing_is_trained_and_the_ledger_says_so_once(
    open_job: Open, champion: int
) -> None:
    before = events(open_job)
    first, second = run(open_job()), run(open_job())
    assert first.decision is not None
    assert not first.decision.retrain
    assert second.challenger is None
    assert events(open_job) == [*before, (Event.RETRAIN_DECIDED, "refused")]
    assert [each.version for each in open_job().registry.versions(NAME)] == [champion]


@pytest.mark.usefixtures("newer_rows")
def test_a_better_challenger_waits_for_its_approval_and_then_is_the_champion(
    open_job: Open, champion: int
) -> None:
    outcome = run(open_job(), requested="the city grew")
    assert outcome.contest is not None
    assert outcome.contest.accepted
    assert outcome.contest.champion is not None
    assert outcome.contest.challenger.metrics["rmse"] < outcome.contest.champion.metrics["rmse"]
    assert outcome.challenger is not None
    why = "it waits for approval: mlops-config promote --environment dev"
    assert why.removeprefix("it ") in outcome.summary
    waits = {"model": NAME, "version": outcome.challenger.version, "why": why}
    assert outcome.document()["waits"] == waits
    context = open_job()
    version = context.registry.by_alias(NAME, "challenger")
    assert version is not None
    assert version.version == outcome.challenger.version != champion
    assert version.tags["mlops.config_digest"] == context.config_digest
    ended = context.ledger.entries()[-1]
    assert (ended.event, ended.outcome, ended.rows) == (Event.RETRAIN_ENDED, "succeeded", 3000)
    assert ended.champion is not None
    assert ended.champion.version == champion

    promotion = promote(open_job(), waiting(open_job()), ())
    assert promotion.replaced is not None
    assert promotion.replaced.version == champion
    now = open_job().registry.by_alias(NAME, "champion")
    assert now is not None
    assert now.version == version.version
    assert open_job().registry.by_alias(NAME, "challenger") is None
    assert events(open_job)[-1] == (Event.PROMOTED, "succeeded")


@pytest.mark.usefixtures("newer_rows")
def test_a_worse_challenger_is_refused_and_registers_nothing(
    project: Project, open_job: Open, champion: int
) -> None:
    project.edit(
        Kind.RETRAIN, "estimator.hyperparameters.max_iter: 50", "estimator.hyperparameters.max_iter: 1"
    )
    outcome = run(open_job(), requested="to see it refused")
    assert outcome.contest is not None
    assert not outcome.contest.accepted
    assert "rmse.not_worse" in [reason.code for reason in outcome.contest.reasons]
    assert [each.version for each in open_job().registry.versions(NAME)] == [champion]
    assert events(open_job)[-1] == (Event.RETRAIN_ENDED, "refused")


@pytest.mark.usefixtures("champion")
def test_too_few_new_rows_hold_even_who_asks(open_job: Open) -> None:
    outcome = run(open_job(), requested="now")
    assert outcome.decision is not None
    assert [reason.code for reason in outcome.decision.held] == ["min_new_rows"]
    assert "0 rows are new" in outcome.summary


@pytest.mark.usefixtures("newer_rows")
@pytest.mark.parametrize("how", [KeyboardInterrupt, BrokenPipeError])
def test_a_stopped_retraining_leaves_nothing_and_the_next_one_goes_on(
    open_job: Open, champion: int, monkeypatch: pytest.MonkeyPatch, how: type[BaseException]
) -> None:
    def stopped(*_: object) -> Any:
        raise how

    with monkeypatch.context() as patch:
        patch.setattr(running, "contest", stopped)
        with pytest.raises(how):
            run(open_job(), requested="the city grew")
    assert [each.version for each in open_job().registry.versions(NAME)] == [champion]
    assert open_job().ledger.entries()[-1].reasons[0].code == "interrupted"
    assert run(open_job(), requested="the city grew").challenger is not None


@pytest.mark.usefixtures("newer_rows")
def test_a_failed_retraining_is_written_down_with_its_reason(
    open_job: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise UsageError("the estimator does not converge")

    monkeypatch.setattr(running, "fit", broken)
    with pytest.raises(UsageError, match="converge"):
        run(open_job(), requested="the city grew")
    entry = open_job().ledger.entries()[-1]
    assert (entry.event, entry.outcome) == (Event.RETRAIN_ENDED, "failed")
    assert "converge" in entry.reasons[0].text


@pytest.mark.usefixtures("newer_rows")
def test_of_two_retrainers_at_once_one_wins(open_job: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = job._decided  # the moment between the decision and the start
    other = open_job()

    def overtaken(*arguments: Any) -> Any:
        decision = decided(*arguments)
        if decision.retrain:
            start = Draft(event=Event.RETRAIN_STARTED, time=other.now, job_id=other.job_id)
            other.ledger.append(start)
        return decision

    monkeypatch.setattr(job, "_decided", overtaken)
    outcome = run(open_job(), requested="the city grew")
    assert outcome.decision is not None
    assert "max_concurrent" in [reason.code for reason in outcome.decision.held]
    assert [event for event, _ in events(open_job)].count(Event.RETRAIN_STARTED) == 1


@pytest.mark.usefixtures("newer_rows")
@pytest.mark.parametrize(("policy", "accepted"), [("accept", True), ("reject", False)])
def test_without_a_champion_the_configuration_decides(
    project: Project, open_job: Open, policy: str, accepted: bool
) -> None:
    open_job().registry.drop_alias(NAME, "champion")
    project.edit(Kind.RETRAIN, "on_missing_champion: accept ", f"on_missing_champion: {policy} ")
    outcome = run(open_job(), requested="the first one")
    assert outcome.contest is not None
    assert outcome.contest.accepted is accepted
    assert ("no champion" in outcome.summary) is not None


@pytest.mark.usefixtures("newer_rows")
def test_a_champion_that_cannot_be_judged_is_a_refusal(open_job: Open, champion: int) -> None:
    open_job().registry.tag(NAME, champion, {"mlops.environment": "prod"})
    outcome = run(open_job(), requested="the city grew")
    assert outcome.contest is not None
    assert [reason.code for reason in outcome.contest.reasons] == ["champion.unknown"]
    assert "trained in prod" in outcome.summary


@pytest.mark.usefixtures("newer_rows")
def test_a_challenger_that_waited_too_long_is_none_any_more(open_job: Open) -> None:
    challenger = run(open_job(), requested="the city grew").challenger
    assert challenger is not None
    late = open_job()
    late = type(late)(
        **{**{name: getattr(late, name) for name in late.__slots__}, "now": late.now + timedelta(days=8)}
    )
    with pytest.raises(UsageError, match="waited too long"):
        waiting(late)
    assert waiting(late, challenger.version).version == challenger.version
    run(late)
    assert open_job().registry.by_alias(NAME, "challenger") is None


class _Refusing:
    """A deployer whose new revisions never come up."""

    def deploy(self, *_: object, **__: object) -> Any:
        raise DeployFailedError("the server ended with 1 before it was ready")


@pytest.mark.usefixtures("newer_rows")
def test_a_deployment_that_fails_leaves_the_champion_what_it_is(
    project: Project, open_job: Open, champion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(open_job(), requested="the city grew")
    project.edit(Kind.RETRAIN, "redeploy: {enabled: false}", "redeploy: {enabled: true}")
    monkeypatch.setattr(deploying, "open_deployer", lambda *_, **__: _Refusing())
    with pytest.raises(FindingsError, match="was not promoted"):
        promote(open_job(), waiting(open_job()), ())
    now = open_job().registry.by_alias(NAME, "champion")
    assert now is not None
    assert now.version == champion
    assert events(open_job)[-1] == (Event.DEPLOYED, "failed")


def test_a_reset_closes_the_circuit(open_job: Open) -> None:
    run(open_job(), reset="the data was mended")
    entry = open_job().ledger.entries()[-1]
    assert (entry.event, entry.reasons[0].text) == (Event.RESET, "the data was mended")
