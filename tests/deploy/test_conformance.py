"""What every deployer does, whatever lies behind it."""

from collections.abc import Sequence

import pytest

from mlops_config.deploy.interface import DeployFailedError, Deployment, EndpointStatus, State
from mlops_config.errors import ServiceError, UsageError
from tests.deploy.examples import (
    ALARM,
    ALL_AT_ONCE,
    CANARY,
    COMMIT,
    ENDPOINT,
    LINEAR,
    RELEASE,
    ROWS,
    Rollout,
    digest_of,
    quiet,
)
from tests.deploy.providers import DIES, WRONG, Provider

MOST_CALLS = 200
"""No deploy makes more calls to its provider than this."""


def deployed(provider: Provider, *deployments: Deployment) -> EndpointStatus:
    """Deploys one after the other, each by a deployer of its own, and returns how it stands then."""
    for deployment in deployments:
        status = provider.open().deploy(deployment, quiet)
    return status


def assert_serves(provider: Provider, deployment: Deployment) -> EndpointStatus:
    """The revision, and it alone, has the traffic and answers."""
    status = provider.open().status(ENDPOINT)
    assert status is not None
    assert status.traffic == {deployment.revision.name: 100}
    assert status.state is State.IN_SERVICE
    assert provider.open().predict(ENDPOINT, ROWS) == [deployment.revision.model_version] * len(ROWS)
    return status


def test_there_is_no_status_of_an_endpoint_that_is_not_there(provider: Provider) -> None:
    assert provider.open().status("nobody-made-this") is None


def test_a_first_deploy_creates_the_endpoint(provider: Provider) -> None:
    first = provider.deployment(1)
    status = deployed(provider, first)
    assert status == assert_serves(provider, first)
    assert status.previous is None


def test_deploying_what_serves_already_changes_nothing(provider: Provider) -> None:
    first = provider.deployment(1)
    before = deployed(provider, first)
    said: list[str] = []
    assert provider.open().deploy(first, said.append) == before
    assert said == [f"{first.revision.name} serves already"]


@pytest.mark.parametrize("rollout", [ALL_AT_ONCE, CANARY, LINEAR], ids=lambda rollout: rollout["type"])
def test_a_new_revision_takes_over(provider: Provider, rollout: Rollout) -> None:
    first, second = provider.deployment(1), provider.deployment(2, rollout=rollout)
    deployed(provider, first, second)
    assert assert_serves(provider, second).previous == first.revision.name


def test_a_third_revision_goes_back_to_the_second(provider: Provider) -> None:
    first, second, third = (provider.deployment(version) for version in (1, 2, 3))
    assert deployed(provider, first, second, third).previous == second.revision.name
    provider.open().rollback(ENDPOINT, quiet)
    assert_serves(provider, second)


@pytest.mark.parametrize(
    ("model", "reason"), [(DIES, "damaged"), (WRONG, "smoke test failed: row 0 was answered with None")]
)
def test_a_revision_that_fails_leaves_the_one_before_serving(
    provider: Provider, model: str, reason: str
) -> None:
    first, bad = provider.deployment(1), provider.deployment(2, model, rollout=CANARY)
    deployed(provider, first)
    with pytest.raises(DeployFailedError, match=reason):
        provider.open().deploy(bad, quiet)
    assert_serves(provider, first)


def test_a_revision_that_answers_too_slowly_leaves_the_one_before_serving(provider: Provider) -> None:
    first, slow = provider.deployment(1), provider.deployment(2, max_latency_ms=0.5)
    deployed(provider, first)
    with pytest.raises(DeployFailedError, match=r"row 0 took \d+ ms, and at most 0 ms are allowed"):
        provider.open().deploy(slow, quiet)
    assert_serves(provider, first)


@pytest.mark.parametrize("model", [DIES, WRONG])
def test_a_first_revision_that_fails_leaves_nothing(provider: Provider, model: str) -> None:
    with pytest.raises(DeployFailedError):
        provider.open().deploy(provider.deployment(1, model), quiet)
    assert provider.open().status(ENDPOINT) is None
    good = provider.deployment(2)
    deployed(provider, good)
    assert_serves(provider, good)


def test_an_alarm_that_fires_brings_the_one_before_back(provider: Provider) -> None:
    first, second = provider.deployment(1), provider.deployment(2, rollout=CANARY)
    deployed(provider, first)
    provider.fire(ALARM)
    with pytest.raises(DeployFailedError, match=ALARM):
        provider.open().deploy(second, quiet)
    assert_serves(provider, first)


def test_after_a_failed_deploy_the_next_one_goes_through(provider: Provider) -> None:
    first, bad, good = provider.deployment(1), provider.deployment(2, WRONG), provider.deployment(3)
    deployed(provider, first)
    with pytest.raises(DeployFailedError):
        provider.open().deploy(bad, quiet)
    assert deployed(provider, good).previous == first.revision.name
    assert_serves(provider, good)


def test_a_rollback_gives_all_traffic_back_and_there_is_no_second(provider: Provider) -> None:
    first, second = provider.deployment(1), provider.deployment(2)
    deployed(provider, first, second)
    status = provider.open().rollback(ENDPOINT, quiet)
    assert status == assert_serves(provider, first)
    assert status.previous is None
    with pytest.raises(UsageError, match="no previous revision"):
        provider.open().rollback(ENDPOINT, quiet)
    assert_serves(provider, first)


def test_what_was_rolled_back_can_be_deployed_again(provider: Provider) -> None:
    first, second = provider.deployment(1), provider.deployment(2)
    deployed(provider, first, second)
    provider.open().rollback(ENDPOINT, quiet)
    assert deployed(provider, second).previous == first.revision.name
    assert_serves(provider, second)


def test_an_endpoint_that_is_not_there_cannot_be_rolled_back_or_asked(provider: Provider) -> None:
    with pytest.raises(UsageError, match="there is no endpoint"):
        provider.open().rollback(ENDPOINT, quiet)
    with pytest.raises(UsageError, match="there is no endpoint"):
        provider.open().predict(ENDPOINT, ROWS)


def test_deleting_removes_it_and_may_be_repeated(provider: Provider) -> None:
    deployed(provider, provider.deployment(1), provider.deployment(2))
    provider.open().delete(ENDPOINT, quiet)
    assert provider.open().status(ENDPOINT) is None
    provider.open().delete(ENDPOINT, quiet)
    again = provider.deployment(1)
    deployed(provider, again)
    assert_serves(provider, again)


def test_killed_at_any_call_and_repeated_it_ends_as_if_nothing_had_been(provider: Provider) -> None:
    serving = provider.deployment(1)
    deployed(provider, serving)
    for point in range(MOST_CALLS):
        following = provider.deployment(point + 2, rollout=CANARY)
        with provider.killing(point):
            try:
                provider.open().deploy(following, quiet)
                break
            except KeyboardInterrupt:
                pass
        status = provider.open().status(ENDPOINT)
        assert status is not None
        assert sum(status.traffic.values()) == 100
        repeated = deployed(provider, following)
        assert assert_serves(provider, following) == repeated
        assert repeated.previous == serving.revision.name, f"killed at call {point}"
        serving = following
    assert 3 < point < MOST_CALLS - 1


def test_killed_at_any_call_of_the_first_deploy_and_repeated_it_serves(provider: Provider) -> None:
    first = provider.deployment(1)
    for point in range(MOST_CALLS):
        with provider.killing(point):
            try:
                provider.open().deploy(first, quiet)
                break
            except KeyboardInterrupt:
                pass
        deployed(provider, first)
        assert_serves(provider, first)
        provider.open().delete(ENDPOINT, quiet)
    assert 3 < point < MOST_CALLS - 1


def test_after_a_kill_another_revision_may_be_deployed_instead(provider: Provider) -> None:
    first, second, third = (provider.deployment(version, rollout=CANARY) for version in (1, 2, 3))
    deployed(provider, first)
    for point in (1, 4):
        with provider.killing(point), pytest.raises(KeyboardInterrupt):
            provider.open().deploy(second, quiet)
        deployed(provider, third)
        assert_serves(provider, third)
        deployed(provider, first)


def pressed_on(provider: Provider, deployment: Deployment) -> tuple[EndpointStatus, list[EndpointStatus]]:
    """Asked again and again without waiting: how it ended, and what was said on the way."""
    on_the_way: list[EndpointStatus] = []
    for _ in range(MOST_CALLS):
        status = provider.open().deploy(deployment, quiet, wait=False)
        if status.state is State.IN_SERVICE:
            return status, on_the_way
        on_the_way.append(status)
    raise AssertionError(f"still {status.state} after {MOST_CALLS} calls")


@pytest.mark.parametrize("rollout", [ALL_AT_ONCE, CANARY], ids=lambda rollout: rollout["type"])
def test_without_waiting_it_gets_there_by_asking_again(provider: Provider, rollout: Rollout) -> None:
    first, second = provider.deployment(1), provider.deployment(2, rollout=rollout)
    status, on_the_way = pressed_on(provider, first)
    assert status == assert_serves(provider, first)
    assert bool(on_the_way) is (provider.name != "local"), "a cloud is not waited for"
    assert {each.state for each in on_the_way} <= {State.CREATING, State.UPDATING}
    status, _ = pressed_on(provider, second)
    assert status == assert_serves(provider, second)
    assert status.previous == first.revision.name


@pytest.mark.parametrize("model", [DIES, WRONG])
def test_without_waiting_a_revision_that_fails_is_told_of_once_and_not_tried_for_ever(
    provider: Provider, model: str
) -> None:
    with pytest.raises(DeployFailedError):
        pressed_on(provider, provider.deployment(1, model))
    first, bad, good = provider.deployment(2), provider.deployment(3, model), provider.deployment(4)
    pressed_on(provider, first)
    with pytest.raises(DeployFailedError):
        pressed_on(provider, bad)
    assert_serves(provider, first)
    pressed_on(provider, good)
    assert_serves(provider, good)


def test_without_waiting_an_alarm_that_fires_is_told_of(provider: Provider) -> None:
    first, second = provider.deployment(1), provider.deployment(2, rollout=CANARY)
    pressed_on(provider, first)
    provider.fire(ALARM)
    with pytest.raises(DeployFailedError, match=ALARM):
        pressed_on(provider, second)
    assert_serves(provider, first)


def test_a_provider_that_is_down_is_tried_again_and_then_given_up(provider: Provider) -> None:
    deployed(provider, provider.deployment(1))
    provider.go_down()
    provider.clock.slept.clear()
    with pytest.raises(ServiceError, match=r"tried 5 times"):
        provider.open().predict(ENDPOINT, ROWS)
    assert len(provider.clock.slept) == 4


def test_the_revision_carries_what_leads_back_to_its_configuration(provider: Provider) -> None:
    deployment = provider.deployment(1)
    deployed(provider, deployment)
    carried = list(provider.carried().values())
    assert_contains(carried, [digest_of(1), COMMIT, RELEASE, "1"])


def assert_contains(values: Sequence[str], expected: Sequence[str]) -> None:
    """Each expected value is one of the values."""
    missing = [each for each in expected if each not in values]
    assert not missing, f"{missing} not in {values}"
