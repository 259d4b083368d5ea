"""The chain of a ledger: what proves it, and that no change in it goes unseen."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference, Reason
from mlops_config.ledger.ledger import Ledger
from tests.ledger.drafts import ENVIRONMENT, MODEL, PROJECT, START, draft
from tests.ledger.memory import MemoryStore

FOLDER = f"{PROJECT}/ledger/{MODEL}/{ENVIRONMENT}/"

drafts = st.builds(
    Draft,
    event=st.sampled_from(Event),
    time=st.datetimes(timezones=st.timezones()),
    outcome=st.sampled_from(["succeeded", "failed", "refused"]),
    job_id=st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    commit=st.none() | st.text(max_size=5),
    model=st.none() | st.builds(ModelReference, name=st.text(max_size=5), version=st.integers(0, 99)),
    metrics=st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
    reasons=st.lists(st.builds(Reason, code=st.text(max_size=3), text=st.text(max_size=9)), max_size=2).map(
        tuple
    ),
)


def ledger_of(store: MemoryStore) -> Ledger:
    return Ledger(store, PROJECT, MODEL, ENVIRONMENT)


def filled(count: int) -> MemoryStore:
    store = MemoryStore()
    ledger = ledger_of(store)
    for number in range(count):
        ledger.append(draft(number))
    return store


def key(number: int) -> str:
    return f"{FOLDER}{number:09}.json"


@settings(max_examples=60, deadline=None)
@given(st.lists(drafts, max_size=6))
def test_what_was_added_is_read_back_and_each_entry_names_the_bytes_before_it(given: list[Draft]) -> None:
    store = MemoryStore()
    written = [ledger_of(store).append(each).to_json() for each in given]
    assert [entry.to_json() for entry in ledger_of(store).entries()] == written
    assert [store.objects[key(number)] for number in range(1, len(given) + 1)] == written
    named = [json.loads(data)["previous"] for data in written]
    assert named == [None, *map(sha256_of, written)][: len(given)]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.data())
def test_no_changed_byte_goes_unseen_but_in_the_last_entry(count: int, data: st.DataObject) -> None:
    store = filled(count)
    number = data.draw(st.integers(1, count - 1))
    before = store.objects[key(number)]
    place = data.draw(st.integers(0, len(before) - 1))
    changed = bytes([before[place] ^ data.draw(st.integers(1, 255))])
    store.objects[key(number)] = before[:place] + changed + before[place + 1 :]
    with pytest.raises(IntegrityError, match=f"entry ({number}|{number + 1}) of"):
        ledger_of(store).entries()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.data())
def test_no_missing_entry_goes_unseen_but_the_last(count: int, data: st.DataObject) -> None:
    store = filled(count)
    number = data.draw(st.integers(1, count - 1))
    del store.objects[key(number)]
    with pytest.raises(IntegrityError, match=f"entry {number} of"):
        ledger_of(store).entries()


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(1, 5)).filter(lambda order: order != [1, 2, 3, 4]))
def test_no_other_order_goes_unseen(order: list[int]) -> None:
    store = filled(4)
    store.objects = {key(place): store.objects[key(number)] for place, number in enumerate(order, 1)}
    with pytest.raises(IntegrityError):
        ledger_of(store).entries()


def rewritten(store: MemoryStore, number: int, **changes: Any) -> None:
    document = json.loads(store.objects[key(number)]) | changes
    store.objects[key(number)] = json.dumps(document).encode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"project": "tolls"}, "is entry 3 of tolls/fare-amount in prod"),
        ({"model_name": "tips"}, "is entry 3 of fares/tips in prod"),
        ({"environment": "dev"}, "is entry 3 of fares/fare-amount in dev"),
        ({"sequence": 2}, "is entry 2 of fares/fare-amount in prod"),
        ({"previous": None}, "it follows nothing"),
        ({"previous": "sha256:" + "0" * 64}, "it follows sha256:000"),
        ({"schema_version": 2}, "at schema_version"),
        ({"event": "Exploded; all of it"}, "at event"),
    ],
)
def test_an_entry_that_does_not_belong_there_is_told_by_its_number(
    changes: dict[str, Any], said: str
) -> None:
    store = filled(3)
    rewritten(store, 3, **changes)
    for read in (ledger_of(store).entries, ledger_of(store).head):
        with pytest.raises(IntegrityError, match="entry 3 of the ledger of fares/fare-amount") as refused:
            read()
        assert said in refused.value.message
    assert refused.value.exit_code == 4


def test_a_first_entry_that_follows_something_is_told() -> None:
    store = filled(1)
    rewritten(store, 1, previous="sha256:" + "0" * 64)
    for read in (ledger_of(store).entries, ledger_of(store).head):
        with pytest.raises(IntegrityError, match="the entry before it is not there"):
            read()


def test_nothing_is_added_to_a_chain_whose_end_is_broken() -> None:
    store = filled(3)
    rewritten(store, 2, rows=7)
    with pytest.raises(IntegrityError, match=r"entry 3 of .* breaks the chain"):
        ledger_of(store).append(draft(9))
    assert len(store.objects) == 3


def test_adding_reads_the_end_of_the_chain_and_not_the_whole() -> None:
    store = filled(500)
    store.reads.clear()
    ledger = ledger_of(store)
    ledger.append(draft(500))
    assert store.reads == [key(499), key(500), key(501)]
    store.reads.clear()
    ledger.append(draft(501))
    assert store.reads == [key(502)]


def test_an_entry_of_another_spelling_is_followed_by_its_bytes_not_by_ours() -> None:
    store = filled(1)
    rewritten(store, 1, rows=7)
    entry = ledger_of(store).append(draft(2))
    assert entry.previous == sha256_of(store.objects[key(1)]) != ledger_of(store).entries()[0].digest
    assert len(ledger_of(store).entries()) == 2


def test_the_very_entry_that_is_there_is_not_added_twice() -> None:
    store = MemoryStore()
    ledger_of(store).append(draft(), after=None)
    late = ledger_of(store)
    late._catch_up = lambda head: head  # type: ignore[method-assign] # as if the other's write came only now
    late._head = lambda: None  # type: ignore[method-assign]
    assert late.append(draft(), after=None).sequence == 1
    assert len(store.objects) == 1


def test_a_metric_that_is_no_number_is_kept() -> None:
    store = MemoryStore()
    ledger = ledger_of(store)
    written = ledger.append(draft(metrics={"rmse": float("nan"), "r2": float("-inf")}))
    (read,) = ledger_of(store).entries()
    assert str(read.metrics) == "{'rmse': nan, 'r2': -inf}"
    assert ledger_of(store).append(draft(1), after=written).sequence == 2


def test_times_are_kept_in_utc_and_one_without_a_zone_is_refused() -> None:
    there = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    entry = ledger_of(MemoryStore()).append(Draft(event=Event.TRAINED, time=there))
    assert json.loads(entry.to_json())["time"] == "2026-03-04T05:06:07Z"
    with pytest.raises(ValidationError, match="timezone"):
        Draft(event=Event.TRAINED, time=datetime(2026, 3, 4))


def test_the_chain_can_be_proven_with_sha256sum_alone() -> None:
    store = filled(3)
    second = json.loads(store.objects[key(2)])
    assert second["previous"] == sha256_of(store.objects[key(1)])
    assert LedgerEntry.model_validate(second).sequence == 2


def test_what_a_later_version_wrote_besides_is_left_alone_and_the_chain_goes_on() -> None:
    store = filled(1)
    later = json.loads(ledger_of(filled(2)).entries()[1].to_json())
    later |= {"event": "annealed", "furnace": {"celsius": 900}}
    later["previous"] = sha256_of(store.objects[key(1)])
    store.objects[key(2)] = json.dumps(later).encode()
    added = ledger_of(store).append(draft(3))
    entries = ledger_of(store).entries()
    assert entries[1].event == "annealed"
    assert entries[1].event not in list(Event)
    assert json.loads(entries[1].to_json())["event"] == "annealed"
    assert added.previous == sha256_of(store.objects[key(2)])
