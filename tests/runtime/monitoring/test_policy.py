"""k of the n newest windows: by example, and as laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.models.monitoring import ViolationPolicy
from mlops_config.runtime.monitoring.policy import confirmed

POLICY = ViolationPolicy(evaluation_windows=3, violation_windows=2)
outcomes = st.lists(st.sampled_from([True, False, None]), max_size=12)


@st.composite
def policies(draw: st.DrawFn) -> ViolationPolicy:
    windows = draw(st.integers(1, 8))
    return ViolationPolicy(
        evaluation_windows=windows,
        violation_windows=draw(st.integers(1, windows)),
        newest_must_violate=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("violations", "expected"),
    [
        ([True, True, False], True),
        ([True, False, True], True),
        ([True, None, True], True),
        ([False, True, True], False),  # the newest does not violate
        ([None, True, True], False),
        ([True, None, None, True], False),  # a window not judged takes its place among the three
        ([True], False),
        ([], False),
    ],
)
def test_two_of_three_with_the_newest(violations: list[bool | None], expected: bool) -> None:
    assert confirmed(violations, POLICY) is expected


def test_the_newest_need_not_violate_when_the_policy_says_so() -> None:
    relaxed = POLICY.model_copy(update={"newest_must_violate": False})
    assert confirmed([False, True, True], relaxed)


@given(outcomes, policies(), st.data())
def test_more_evidence_never_unconfirms(
    violations: list[bool | None], policy: ViolationPolicy, data: st.DataObject
) -> None:
    if not violations:
        return
    place = data.draw(st.integers(0, len(violations) - 1))
    worse = [*violations[:place], True, *violations[place + 1 :]]
    assert confirmed(worse, policy) >= confirmed(violations, policy)


@given(outcomes, policies())
def test_what_is_not_judged_counts_as_no_violation(
    violations: list[bool | None], policy: ViolationPolicy
) -> None:
    assert confirmed(violations, policy) == confirmed([bool(each) for each in violations], policy)


@given(outcomes, outcomes, policies())
def test_windows_older_than_n_do_not_matter(
    violations: list[bool | None], older: list[bool | None], policy: ViolationPolicy
) -> None:
    recent = [*violations, *[False] * policy.evaluation_windows]
    assert confirmed([*recent, *older], policy) == confirmed(recent, policy)
