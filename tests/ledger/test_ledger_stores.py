"""A ledger in every kind of store: added to, read, and written to by many at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlops_config.errors import IntegrityError
from mlops_config.ledger.entries import LedgerEntry
from mlops_config.ledger.ledger import Ledger, LedgerMovedError
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName, ObjectExistsError
from tests.ledger.drafts import ENVIRONMENT, MODEL, PROJECT, draft
from tests.store.backends import Backend
from tests.store.examples import example_bundle, example_record

NAME = LedgerName(PROJECT, MODEL, ENVIRONMENT)
RACERS = 48


def ledger_in(backend: Backend, environment: str = ENVIRONMENT, model_name: str = MODEL) -> Ledger:
    return Ledger(backend.open(), PROJECT, model_name, environment)


def test_an_empty_ledger_has_no_entries(backend: Backend) -> None:
    ledger = ledger_in(backend)
    assert ledger.head() is None
    assert ledger.entries() == ()


def test_entries_come_back_in_the_order_they_were_added(backend: Backend) -> None:
    writer = ledger_in(backend)
    written = [writer.append(draft(number)) for number in range(3)]
    assert ledger_in(backend).entries() == tuple(written)
    assert ledger_in(backend).head() == written[-1]
    assert [entry.sequence for entry in written] == [1, 2, 3]
    assert [entry.previous for entry in written] == [None, written[0].digest, written[1].digest]


def test_ledgers_of_like_names_are_kept_apart(backend: Backend) -> None:
    backend.open().publish_bundle(example_bundle())
    backend.open().publish_release(example_record(example_bundle()))
    names = [(ENVIRONMENT, MODEL), ("prod-eu", MODEL), (ENVIRONMENT, "fare-amount-eu"), ("ü.x", "2.1 beta")]
    written = {name: ledger_in(backend, *name).append(draft(number)) for number, name in enumerate(names)}
    for name, entry in written.items():
        assert ledger_in(backend, *name).entries() == (entry,)
    assert list(backend.open().release_names(PROJECT, ENVIRONMENT)) == ["1.2.0"]


def test_a_number_that_is_taken_is_refused_and_the_same_entry_again_is_not(backend: Backend) -> None:
    store = backend.open()
    assert store.append_entry(NAME, 1, b"first").created
    assert not store.append_entry(NAME, 1, b"first").created
    with pytest.raises(ObjectExistsError):
        store.append_entry(NAME, 1, b"second")
    assert store.fetch_entry(NAME, 1) == b"first"
    assert store.fetch_entry(NAME, 2) is None
    assert list(store.entry_numbers(NAME)) == [1]


def test_a_writer_who_comes_late_adds_after_the_others(backend: Backend) -> None:
    early, late = ledger_in(backend), ledger_in(backend)
    late.append(draft(0))
    early.append(draft(1))
    early.append(draft(2))
    assert late.append(draft(3)).sequence == 4
    assert [entry.sequence for entry in early.entries()] == [1, 2, 3, 4]


def test_who_asked_for_a_head_that_moved_is_refused(backend: Backend) -> None:
    early, late = ledger_in(backend), ledger_in(backend)
    first = early.append(draft(0), after=None)
    second = early.append(draft(1), after=first)
    for after in (None, first):
        with pytest.raises(LedgerMovedError, match=r"ends with entry 2 \(monitored\)") as refused:
            late.append(draft(2), after=after)
        assert refused.value.exit_code == 3
        assert refused.value.hint
    assert ledger_in(backend).entries() == (first, second)


def at_once(actions: list[Callable[[], LedgerEntry]]) -> list[LedgerEntry | LedgerMovedError]:
    """What the actions return or how they are refused, started in the same moment in threads of their own."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], LedgerEntry]) -> LedgerEntry | LedgerMovedError:
        barrier.wait()
        try:
            return action()
        except LedgerMovedError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_of_many_who_ask_for_the_same_head_one_wins(exclusive_backend: Backend) -> None:
    store = exclusive_backend.open()
    head = Ledger(store, PROJECT, MODEL, ENVIRONMENT).append(draft(0))
    results = at_once(
        [
            lambda number=number: Ledger(store, PROJECT, MODEL, ENVIRONMENT).append(draft(number), after=head)
            for number in range(1, RACERS + 1)
        ]
    )
    winners = [result for result in results if isinstance(result, LedgerEntry)]
    assert len(winners) == 1
    assert len(results) == RACERS
    assert ledger_in(exclusive_backend).entries() == (head, *winners)


def test_many_writers_in_one_moment_all_get_a_place_of_their_own(exclusive_backend: Backend) -> None:
    store = exclusive_backend.open()
    racers = RACERS if exclusive_backend.uri.startswith("file:") else 12
    results = at_once(
        [
            lambda number=number: Ledger(store, PROJECT, MODEL, ENVIRONMENT).append(draft(number))
            for number in range(racers)
        ]
    )
    entries = ledger_in(exclusive_backend).entries()
    assert {entry.job_id for entry in entries} == {f"{number:016x}" for number in range(racers)}
    assert [entry.sequence for entry in entries] == list(range(1, racers + 1))
    assert sorted(results, key=lambda entry: entry.sequence) == list(entries)


def test_an_entry_is_read_only_and_named_by_its_number(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    entry = Ledger(open_store(folder.as_uri()), PROJECT, MODEL, ENVIRONMENT).append(draft())
    (file,) = (folder / PROJECT / "ledger" / MODEL / ENVIRONMENT).iterdir()
    assert (file.name, file.read_bytes()) == ("000000001.json", entry.to_json())
    assert not file.stat().st_mode & 0o222


def test_what_is_no_entry_in_a_ledgers_folder_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    ledger = Ledger(open_store(folder.as_uri()), PROJECT, MODEL, ENVIRONMENT)
    ledger.append(draft())
    (folder / PROJECT / "ledger" / MODEL / ENVIRONMENT / "notes.txt").write_text("mine")
    with pytest.raises(IntegrityError, match=r"notes\.txt is no entry"):
        ledger.entries()
