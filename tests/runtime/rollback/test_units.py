"""What served, and where the way back leads."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.errors import UsageError
from mlops_config.ledger.entries import Event
from mlops_config.runtime.rollback.units import PREVIOUS, Past, Unit, past, shown, standing, target
from tests.runtime.rollback.ledgers import (
    MODEL,
    begun,
    deployed,
    digest_of,
    entry,
    ledger,
    model,
    promoted,
    released,
    rolled_back,
)

RELEASES = {name: digest_of(name) for name in ("0.1.0", "0.2.0", "0.3.0")}


def now(seen: Past, release: str, version: int | None) -> Unit:
    return standing(seen, release, digest_of(release), model(version))


def back(
    said: Sequence[dict[str, Any]],
    release: str,
    version: int | None,
    asked: str = PREVIOUS,
    *,
    model_version: int | None = None,
    releases: dict[str, str] | None = None,
) -> tuple[str, int | None]:
    """Where it goes back to from ``release`` with ``version``."""
    seen = past(ledger(said))
    found = target(
        seen,
        now(seen, release, version),
        asked,
        RELEASES if releases is None else releases,
        model_name=MODEL,
        model_version=model_version,
    )
    return found.release, found.model.version if found.model else None


TWO = (released("0.1.0"), promoted("0.1.0", 1), released("0.2.0"), promoted("0.2.0", 2))
THREE = (*TWO, released("0.3.0"), promoted("0.3.0", 3))


def test_previous_is_what_served_before_both_release_and_model() -> None:
    assert back(TWO, "0.2.0", 2) == ("0.1.0", 1)


def test_a_new_model_of_the_same_release_goes_back_to_the_model_before() -> None:
    assert back((promoted("0.1.0", 1), promoted("0.1.0", 2)), "0.1.0", 2) == ("0.1.0", 1)


def test_a_release_that_nothing_was_deployed_of_goes_back_to_what_serves() -> None:
    assert back((*TWO, released("0.3.0")), "0.3.0", 2) == ("0.2.0", 2)


def test_what_failed_never_served() -> None:
    failed = deployed("0.2.0", 2, outcome="failed")
    assert back((promoted("0.1.0", 1), failed, promoted("0.2.0", 3)), "0.2.0", 3) == ("0.1.0", 1)


def test_a_deployment_and_its_promotion_are_one_step() -> None:
    said = (deployed("0.1.0", 1), promoted("0.1.0", 1), deployed("0.2.0", 1), promoted("0.2.0", 2))
    assert [str(unit) for unit in past(ledger(said)).way] == [
        f"release 0.1.0 with {MODEL} version 1",
        f"release 0.2.0 with {MODEL} version 1",
        f"release 0.2.0 with {MODEL} version 2",
    ]


def test_what_was_rolled_back_is_skipped_the_next_time() -> None:
    said = (*THREE, rolled_back("0.2.0", 2))
    assert back(said, "0.2.0", 2) == ("0.1.0", 1)
    assert back((*said, promoted("0.2.0", 4)), "0.2.0", 4) == ("0.2.0", 2)


def test_nobody_goes_back_past_the_first_nor_forward_again() -> None:
    said = (*TWO, rolled_back("0.1.0", 1))
    with pytest.raises(UsageError, match="nothing to go back to"):
        back(said, "0.1.0", 1)
    assert back(said, "0.1.0", 1, "0.2.0") == ("0.2.0", 2)


def test_whoever_went_forward_again_by_name_may_come_back() -> None:
    said = (*TWO, rolled_back("0.1.0", 1), rolled_back("0.2.0", 2))
    assert back(said, "0.2.0", 2) == ("0.1.0", 1)


def test_what_was_left_for_something_older_is_no_way_back() -> None:
    said = (*TWO, rolled_back("0.1.0", 1), promoted("0.3.0", 3), rolled_back("0.2.0", 2))
    assert back(said, "0.2.0", 2) == ("0.1.0", 1)


def test_going_back_further_takes_everything_after_it_off_the_way() -> None:
    with pytest.raises(UsageError, match="nothing to go back to"):
        back((*THREE, rolled_back("0.1.0", 1)), "0.1.0", 1)


def test_a_rollback_that_failed_changes_nothing() -> None:
    said = (*TWO, begun("0.2.0", 2, "0.1.0", 1), rolled_back("0.1.0", 1, outcome="failed"))
    seen = past(ledger(said))
    assert seen.begun is None
    assert back(said, "0.2.0", 2) == ("0.1.0", 1)


@pytest.mark.parametrize(("release", "version"), [("0.2.0", 2), ("0.2.0", 1), ("0.1.0", 1)])
def test_a_rollback_that_was_stopped_goes_on_wherever_it_was_stopped(release: str, version: int) -> None:
    said = (*TWO, begun("0.2.0", 2, "0.1.0", 1))
    seen = past(ledger(said))
    assert now(seen, release, version).key == ("0.2.0", MODEL, 2)
    assert back(said, release, version) == ("0.1.0", 1)


def test_a_rollback_that_was_stopped_is_forgotten_when_another_model_serves_since() -> None:
    assert past(ledger((*TWO, begun("0.2.0", 2, "0.1.0", 1), promoted("0.3.0", 3)))).begun is None


def test_a_release_in_the_meantime_does_not_make_it_go_back_to_what_it_left() -> None:
    said = (*TWO, begun("0.2.0", 2, "0.1.0", 1), released("0.3.0"))
    assert back(said, "0.3.0", 1) == ("0.1.0", 1)


def test_a_batch_makes_a_unit_of_a_release_that_nothing_was_promoted_in() -> None:
    said = (promoted("0.1.0", 1), released("0.2.0"), entry(Event.SCORED, "0.2.0", 1), released("0.3.0"))
    assert back(said, "0.3.0", 1) == ("0.2.0", 1)


def test_a_batch_that_outlives_its_release_is_no_step() -> None:
    said = (*TWO, entry(Event.SCORED, "0.1.0", 1), promoted("0.3.0", 3))
    assert back(said, "0.3.0", 3) == ("0.2.0", 2)


def test_an_activation_goes_with_the_model_that_serves() -> None:
    said = (*TWO, entry(Event.ACTIVATED, "0.3.0"))
    assert back(said, "0.3.0", 2) == ("0.2.0", 2)


def test_what_was_activated_before_there_was_a_model_is_nothing_to_go_back_to() -> None:
    with pytest.raises(UsageError, match="nothing to go back to"):
        back((entry(Event.ACTIVATED, "0.1.0"), promoted("0.1.0", 1)), "0.1.0", 1)


def test_what_was_never_released_is_no_unit() -> None:
    assert back((*TWO[:2], entry(Event.PROMOTED, None, 5), TWO[3]), "0.2.0", 2) == ("0.1.0", 1)


def test_a_release_is_named_by_version_or_by_the_beginning_of_its_digest() -> None:
    assert back(THREE, "0.3.0", 3, "0.1.0") == ("0.1.0", 1)
    assert back(THREE, "0.3.0", 3, digest_of("0.2.0")) == ("0.2.0", 2)
    assert back(THREE, "0.3.0", 3, digest_of("0.2.0").removeprefix("sha256:")[:12]) == ("0.2.0", 2)


def test_a_release_without_a_version_is_named_by_the_beginning_of_its_commit() -> None:
    commit = "5d3c" * 10
    said = (promoted(commit, 1), promoted("0.2.0", 2))
    found = back(said, "0.2.0", 2, commit[:8], releases={commit: digest_of(commit), **RELEASES})
    assert found == (commit, 1)
    assert shown(commit) == commit[:12]


def test_a_beginning_that_two_digests_share_is_not_enough() -> None:
    releases = {"0.1.0": "sha256:" + "ab" * 32, "0.2.0": "sha256:" + "ab" * 31 + "cd"}
    with pytest.raises(UsageError, match=r"0\.1\.0 or 0\.2\.0"):
        back(TWO, "0.2.0", 2, "abab", releases=releases)


@pytest.mark.parametrize("asked", ["9.9.9", "abc", "sha256:0000000", ""])
def test_a_release_that_nobody_knows_is_refused_and_the_known_ones_are_named(asked: str) -> None:
    with pytest.raises(UsageError, match="there is no release") as refused:
        back(TWO, "0.2.0", 2, asked)
    assert "0.1.0, 0.2.0, 0.3.0" in str(refused.value.hint)


def test_what_runs_already_is_refused() -> None:
    with pytest.raises(UsageError, match="is what runs already"):
        back(TWO, "0.2.0", 2, "0.2.0")


def test_a_release_that_never_served_needs_a_model_version() -> None:
    with pytest.raises(UsageError, match="never served") as refused:
        back(TWO, "0.2.0", 2, "0.3.0")
    assert refused.value.hint == "say which version it is to serve: --to 0.3.0 --model-version 2"
    assert back(TWO, "0.2.0", 2, "0.3.0", model_version=2) == ("0.3.0", 2)


def test_a_version_alone_goes_back_to_the_release_it_served_with() -> None:
    assert back(THREE, "0.3.0", 3, model_version=1) == ("0.1.0", 1)
    with pytest.raises(UsageError, match="version 7 never served"):
        back(THREE, "0.3.0", 3, model_version=7)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("up"), st.integers(1, 3), st.integers(1, 4)),
        st.tuples(st.just("back"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(steps)
def test_every_step_back_undoes_the_newest_step_up_that_is_left(
    taken: list[tuple[str, int, int]],
) -> None:
    said: list[dict[str, Any]] = []
    expected: list[tuple[str, int]] = []
    for kind, number, version in taken:
        release = f"0.{number}.0"
        if kind == "up":
            said += [deployed(release, version), promoted(release, version)]
            if expected[-1:] != [(release, version)]:
                expected.append((release, version))
        elif len(expected) < 2:
            if expected:
                with pytest.raises(UsageError):
                    back(said, *expected[-1])
        else:
            release, version = expected.pop()
            found = back(said, release, version)
            # Going back to what stands twice on the way takes the newer of the two as where it ends.
            assert found == expected[-1]
            said += [begun(release, version, *expected[-1]), rolled_back(*expected[-1])]
    assert [(unit.release, unit.model.version) for unit in past(ledger(said)).way if unit.model] == expected
