"""How long a deployment waits altogether, and how it says that it may be asked for again."""

import pytest
from tests.orchestration.scripted import ALL, DEPLOYMENT, OLD, RECORD, Clock, Scripted, run

from mlops_config.console import TerminalConsole
from mlops_config.errors import ServiceError
from mlops_config.orchestration.activating import await_run
from mlops_config.orchestration.parsing import await_dags
from mlops_config.orchestration.patience import AGAIN, going_on


def silent(_: str) -> None:
    """Says nothing."""


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


def test_one_patience_is_for_the_whole_deployment() -> None:
    clock = Clock()
    patience = clock.patience(100)
    await_dags(Scripted(dags=[*[OLD] * 20, ALL]), DEPLOYMENT, (), patience, silent)
    with pytest.raises(ServiceError):
        await_run(Scripted(runs=[run("running")]), RECORD, patience, TerminalConsole(quiet=True))
    assert clock.now == pytest.approx(100)
    assert max(clock.naps) <= 10


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
