"""Trying again: how often, how long apart, and what is said at the end."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.errors import ServiceError, UsageError
from mlops_config.retrying import Retries, TemporaryError, retry_after


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def retries(self, *, jitter: float = 0.0, **limits: float) -> Retries:
        return Retries(
            tries=int(limits.pop("tries", 5)),
            sleep=self.sleep,
            clock=lambda: self.now,
            jitter=lambda: jitter,
            **limits,
        )


class Failing:
    """Fails the given times, then returns ``"done"``."""

    def __init__(self, times: int, wait: float | None = None) -> None:
        self.left = times
        self.wait = wait
        self.tried = 0

    def __call__(self) -> str:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise TemporaryError("it is tired", wait=self.wait)
        return "done"


def test_what_works_at_once_is_done_once() -> None:
    clock, work = Clock(), Failing(0)
    assert clock.retries().run(work, doing="working") == "done"
    assert (work.tried, clock.slept) == (1, [])


def test_waits_double() -> None:
    clock, work = Clock(), Failing(4)
    assert clock.retries().run(work, doing="working") == "done"
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_waits_grow_no_longer_than_their_limit() -> None:
    clock = Clock()
    clock.retries(tries=8).run(Failing(7), doing="working")
    assert clock.slept[-2:] == [15.0, 15.0]


@given(st.floats(0, 1, exclude_max=True))
def test_chance_shortens_a_wait_by_no_more_than_half(jitter: float) -> None:
    clock = Clock()
    clock.retries(jitter=jitter).run(Failing(1), doing="working")
    assert 0.25 <= clock.slept[0] <= 0.5


def test_a_wait_that_was_asked_for_is_kept() -> None:
    clock = Clock()
    clock.retries(jitter=0.9).run(Failing(1, wait=7.0), doing="working")
    assert clock.slept == [7.0]


def test_after_the_last_try_the_error_says_what_failed_how_often_and_what_to_do() -> None:
    clock = Clock()
    with pytest.raises(ServiceError) as failed:
        clock.retries(tries=3).run(Failing(9), doing="uploading a.yaml")
    assert failed.value.message == "uploading a.yaml failed: it is tired (tried 3 times in 2 s)"
    assert failed.value.hint
    assert failed.value.exit_code == 3


def test_one_try_is_called_once() -> None:
    with pytest.raises(ServiceError, match=r"\(tried once\)"):
        Clock().retries(tries=1).run(Failing(1), doing="working")


def test_a_wait_longer_than_we_wait_ends_it_at_once() -> None:
    clock, work = Clock(), Failing(9, wait=3600)
    with pytest.raises(ServiceError, match="asks us to wait 3600 s, and the limit is 120 s"):
        clock.retries().run(work, doing="working")
    assert (work.tried, clock.slept) == (1, [])


def test_it_ends_before_a_try_that_would_come_after_the_deadline() -> None:
    clock = Clock()
    with pytest.raises(ServiceError, match="limit of 100 s"):
        clock.retries(deadline=100.0).run(Failing(9, wait=40), doing="working")
    assert clock.slept == [40, 40]


def test_other_errors_are_not_tried_again() -> None:
    calls = []

    def once() -> None:
        calls.append(1)
        raise UsageError("that cannot be")

    with pytest.raises(UsageError):
        Clock().retries().run(once, doing="working")
    assert len(calls) == 1


def test_ctrl_c_ends_it_at_once() -> None:
    def once() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Clock().retries().run(once, doing="working")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("٣", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    now = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC).timestamp()
    assert retry_after(header, now=lambda: now) == seconds
