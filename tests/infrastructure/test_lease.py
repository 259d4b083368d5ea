"""Of all who deploy an environment one does at a time, whatever they do and whenever they die."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.console import TerminalConsole
from mlops_config.errors import ServiceError, UsageError
from mlops_config.github.context import GitHubContext
from mlops_config.infrastructure.lease import (
    APPLY_TIME,
    DeploymentHeldError,
    Held,
    Holder,
    deployment,
    lasting,
    standing,
)
from mlops_config.ledger.entries import Draft, Event
from mlops_config.ledger.ledger import Ledger
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName, Published, Store
from tests.ledger.memory import MemoryStore

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET = TerminalConsole(quiet=True)
NAME = ("city-taxi", "trip-fare", "prod")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def ledger_in(store: Store) -> Ledger:
    return Ledger(store, *NAME)


@contextmanager
def deploying(
    store: Store, clock: Callable[[], datetime], by: str = "ada", *, take_over: bool = False
) -> Iterator[Held]:
    with deployment(
        ledger_in(store),
        {"release": f"of {by}"},
        Holder(by),
        lasts=HOUR,
        console=QUIET,
        take_over=take_over,
        clock=clock,
    ) as held:
        yield held


def test_others_are_kept_out_for_as_long_as_it_may_take_and_never_less_than_an_apply() -> None:
    assert lasting() == lasting(within=60) == APPLY_TIME
    assert lasting(waiting=3600) == APPLY_TIME + HOUR
    assert lasting(waiting=3600, within=6 * 3600) == 6 * HOUR


def events(store: Store) -> list[tuple[Event, str]]:
    return [(entry.event, entry.outcome) for entry in ledger_in(store).entries()]


def test_a_second_deployment_is_told_who_deploys_since_when_and_until_when() -> None:
    store, clock = MemoryStore(), Clock()
    with deploying(store, clock, "ada on laptop"):
        clock.now += timedelta(minutes=5)
        with pytest.raises(DeploymentHeldError) as caught, deploying(store, clock, "bob"):
            pytest.fail("two deploy at once")
    assert caught.value.message == (
        "ada on laptop deploys release of ada on laptop to prod since 2026-11-22 12:00:00 UTC."
        " It has time until 2026-11-22 13:00:00 UTC."
    )
    assert "--take-over" in (caught.value.hint or "")
    assert caught.value.exit_code == 3


def test_the_next_one_deploys_when_it_ended() -> None:
    store, clock = MemoryStore(), Clock()
    for by in ("ada", "bob"):
        with deploying(store, clock, by) as held:
            held.require()
    assert (
        events(store)
        == [
            (Event.DEPLOYMENT_STARTED, "succeeded"),
            (Event.DEPLOYMENT_ENDED, "succeeded"),
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UsageError("there is no such release"), "there is no such release"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError("a password"), "ValueError"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_however_a_deployment_ends_its_end_is_written_down(error: BaseException, text: str) -> None:
    store, clock = MemoryStore(), Clock()
    with pytest.raises(type(error)), deploying(store, clock):
        raise error
    ended = ledger_in(store).entries()[-1]
    assert (ended.event, ended.outcome, ended.reasons[0].text) == (Event.DEPLOYMENT_ENDED, "failed", text)
    assert standing(ledger_in(store).entries(), clock.now) is None


def test_one_that_was_killed_holds_it_until_its_time_is_up() -> None:
    store, clock = MemoryStore(), Clock()
    killed = ExitStack()  # never closed, as a process that gets no further
    killed.enter_context(deploying(store, clock))
    clock.now += HOUR - timedelta(seconds=1)
    with pytest.raises(DeploymentHeldError), deploying(store, clock, "bob"):
        pass
    clock.now += timedelta(seconds=1)
    with deploying(store, clock, "bob") as held:
        held.require()
    assert [event for event, _ in events(store)].count(Event.DEPLOYMENT_ENDED) == 1
    killed.close()


def test_one_that_is_taken_over_goes_no_further() -> None:
    store, clock = MemoryStore(), Clock()
    with deploying(store, clock) as held, deploying(store, clock, "bob", take_over=True) as other:
        other.require()
        with pytest.raises(DeploymentHeldError, match=r"bob deploys .* took over from this deployment"):
            held.require()
    (reason,) = ledger_in(store).entries()[1].reasons
    assert reason.code == "taken_over"
    assert "ada deploys" in reason.text


def test_taking_over_from_nobody_says_nothing_of_it() -> None:
    store, clock = MemoryStore(), Clock()
    with deploying(store, clock, take_over=True) as held:
        assert held.entry.reasons == ()


def test_an_end_that_cannot_be_written_is_said_and_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(MemoryStore):
        full = False

        def put_if_absent(self, key: str, data: bytes) -> bool:
            """Takes nothing any more."""
            if self.full:
                raise ServiceError("the store refuses us")
            return super().put_if_absent(key, data)

    store, clock = Full(), Clock()

    def fail() -> None:
        with deployment(
            ledger_in(store), {}, Holder("ada"), lasts=HOUR, console=TerminalConsole(), clock=clock
        ):
            store.full = True
            raise UsageError("the first reason")

    with pytest.raises(UsageError, match="the first reason"):
        fail()
    said = capsys.readouterr().err
    assert "the ledger was not told that the deployment ended (the store refuses us)" in said
    assert "until 2026-11-22 13:00:00 UTC" in said


def test_entries_of_others_do_not_stand_in_the_way() -> None:
    class Busy(MemoryStore):
        """Somebody monitors in the very moment of the first append."""

        def append_entry(self, ledger: LedgerName, number: int, data: bytes) -> Published:
            """The other one is faster once."""
            if number == 1 and not self.objects:
                own = Ledger(other, *NAME)
                own.append(Draft(event=Event.MONITORED, time=START))
                self.objects.update(other.objects)
            return super().append_entry(ledger, number, data)

    other = MemoryStore()
    store = Busy()
    with deploying(store, Clock()):
        pass
    assert [event for event, _ in events(store)] == [
        Event.MONITORED,
        Event.DEPLOYMENT_STARTED,
        Event.DEPLOYMENT_ENDED,
    ]


def test_of_many_in_one_moment_one_deploys(tmp_path: Path) -> None:
    uri = (tmp_path / "store").as_uri()
    together, done = threading.Barrier(8), threading.Barrier(8)
    outcomes: list[str] = []

    def deploy(number: int) -> None:
        together.wait(timeout=30)
        try:
            with deploying(open_store(uri), lambda: START, str(number)):
                outcomes.append("deployed")
                done.wait(timeout=30)
        except DeploymentHeldError:
            outcomes.append("refused")
            done.wait(timeout=30)

    threads = [threading.Thread(target=deploy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["deployed", *["refused"] * 7]


class Interrupted(MemoryStore):
    """Lets somebody else go first each time an entry is about to be written."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], object]] = []

    def append_entry(self, ledger: LedgerName, number: int, data: bytes) -> Published:
        """Whoever waits goes first."""
        if self.before:
            self.before.pop()()
        return super().append_entry(ledger, number, data)


class World:
    """Deployers that come, end and die while time passes."""

    def __init__(self) -> None:
        self.store, self.clock = Interrupted(), Clock()
        self.going: dict[int, tuple[ExitStack, Held]] = {}
        self.count = 0
        self.dead: list[ExitStack] = []
        """Kept: a block that Python throws away is left in good order."""

    def begin(self) -> None:
        stack = ExitStack()
        self.count += 1
        number = self.count
        try:
            held = stack.enter_context(deploying(self.store, self.clock, str(number)))
        except DeploymentHeldError:
            return
        self.going[number] = stack, held

    def race(self) -> None:
        self.store.before.append(self.begin)
        self.begin()
        self.store.before.clear()

    def end(self) -> None:
        if self.going:
            number = min(self.going)
            self.going.pop(number)[0].close()

    def die(self) -> None:
        if self.going:
            self.dead.append(self.going.pop(min(self.going))[0])

    def monitor(self) -> None:
        ledger_in(self.store).append(Draft(event=Event.MONITORED, time=self.clock.now))

    def wait(self) -> None:
        self.clock.now += timedelta(minutes=25)

    def at_work(self) -> int:
        """How many believe that they may deploy now."""
        leases = [held.entry.lease for _, held in self.going.values()]
        return sum(lease is not None and lease.until > self.clock.now for lease in leases)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["begin", "race", "end", "die", "monitor", "wait"]), max_size=14))
def test_two_never_deploy_at_once(steps: list[str]) -> None:
    world = World()
    for step in steps:
        getattr(world, step)()
        assert world.at_work() <= 1, steps
    world.wait()
    world.wait()
    world.wait()
    before = world.count
    world.begin()
    assert before + 1 in world.going, "after everybody's time somebody can deploy again"


def test_who_deploys_is_the_run_on_github_or_the_person_here(monkeypatch: pytest.MonkeyPatch) -> None:
    run = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/fares",
        "GITHUB_SHA": "0" * 40,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_ACTOR": "ada",
        "GITHUB_RUN_ID": "7",
    }
    assert Holder.of(GitHubContext.from_env(run)) == Holder(
        "ada in acme/fares", "https://github.com/acme/fares/actions/runs/7"
    )
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert Holder.of(None) == Holder("ada on laptop")
    monkeypatch.setattr("getpass.getuser", nameless)
    assert Holder.of(None) == Holder("somebody on laptop")


def nameless() -> str:
    """What Python does for a user without a name."""
    raise KeyError("getpwuid(): uid not found: 12345")
