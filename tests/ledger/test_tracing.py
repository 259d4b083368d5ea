"""From a prediction to the commit and back: what is found, what it comes from, what came of it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.errors import UsageError
from mlops_config.ledger.entries import Draft, Event, ModelReference
from mlops_config.ledger.history import read_history
from mlops_config.ledger.ledger import Ledger
from mlops_config.ledger.rendering import Style, render_trace
from mlops_config.ledger.tracing import Graph, History, Key, NodeKind, NothingFoundError
from mlops_config.store.interface import LedgerName
from tests.ledger.example_history import (
    DATA,
    FIRST_BATCH,
    FIRST_COMMIT,
    MODEL,
    PROJECT,
    RUN,
    SECOND_BATCH,
    SECOND_COMMIT,
    SERVER,
    Life,
    live,
)
from tests.ledger.memory import MemoryStore

STORE = MemoryStore()
LIFE = live(STORE)
NAMES = [LedgerName(PROJECT, MODEL, environment) for environment in ("dev", "staging", "prod")]
GRAPH = Graph(read_history(STORE, NAMES))

SEVEN = Key(NodeKind.MODEL, "fare-amount-prod:7")
PROD_1, PROD_2 = Key(NodeKind.RELEASE, "prod/1.2.0"), Key(NodeKind.RELEASE, "prod/1.3.0")
STAGING_1 = Key(NodeKind.RELEASE, "staging/1.2.0-rc.1")
COMMIT_1, COMMIT_2 = Key(NodeKind.COMMIT, FIRST_COMMIT), Key(NodeKind.COMMIT, SECOND_COMMIT)
BUNDLE_1 = Key(NodeKind.BUNDLE, LIFE.bundles["prod-1"].digest)
IMAGE_1 = Key(NodeKind.IMAGE, "sha256:" + "a1" * 32)
TRAINING_FILE = LIFE.bundles["prod-1"].files[-1]


def entry(name: str, life: Life = LIFE) -> Key:
    return Key(NodeKind.ENTRY, f"{MODEL}/prod/{life.entries[name].sequence}")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (FIRST_COMMIT, [COMMIT_1]),
        (FIRST_COMMIT[:10], [COMMIT_1]),
        ("1.2.0", [PROD_1]),
        ("v1.2.0", [PROD_1]),
        ("release/v1.2.0", [PROD_1]),
        ("refs/tags/release/v1.2.0", [PROD_1]),
        ("v1.2.0-rc.1", [STAGING_1]),
        ("prod/1.3.0", [PROD_2]),
        (BUNDLE_1.name, [BUNDLE_1]),
        (BUNDLE_1.name[7:], [BUNDLE_1]),
        (BUNDLE_1.name[:14], [BUNDLE_1]),
        (BUNDLE_1.name[7:14].upper(), [BUNDLE_1]),
        (IMAGE_1.name, [IMAGE_1]),
        ("sha256:" + "1a" * 32, [IMAGE_1]),
        ("1a1a1a1", [IMAGE_1]),
        ("fare-amount-prod:7", [SEVEN]),
        ("models:/fare-amount-prod/7", [SEVEN]),
        (RUN[:-1] + "7", [SEVEN]),
        (f"{FIRST_BATCH}-42", [entry("scored")]),
        (f"{SERVER}-1000000", [entry("served")]),
        (FIRST_BATCH, [entry("scored")]),
        (f" {FIRST_BATCH} ", [entry("scored")]),
        (DATA, [Key(NodeKind.DATA, DATA)]),
        (TRAINING_FILE.sha256, [Key(NodeKind.FILE, TRAINING_FILE.sha256)]),
    ],
)
def test_everything_that_has_a_name_is_found(query: str, found: list[Key]) -> None:
    assert GRAPH.find(query) == found


@pytest.mark.parametrize(
    "query",
    ["", "nothing", "beefbee", "1.2", "fare-amount-prod:70", "ffffffffffffffff-1", "main", "da" * 3, "prod"],
)
def test_what_is_not_there_is_told_with_what_was_searched(query: str) -> None:
    with pytest.raises(NothingFoundError, match="none of 3 release records and 7 ledger entries") as refused:
        GRAPH.find(query)
    assert refused.value.exit_code == 1
    assert refused.value.hint


def test_a_beginning_of_several_lists_them() -> None:
    with pytest.raises(UsageError, match="'0123456' is the beginning of 2 things") as refused:
        GRAPH.find("0123456")
    assert FIRST_COMMIT in refused.value.message
    assert SECOND_COMMIT in refused.value.message
    assert refused.value.exit_code == 2


def test_a_jobs_number_that_only_monitored_is_no_prediction() -> None:
    store = MemoryStore()
    ledger = Ledger(store, PROJECT, MODEL, "prod")
    ledger.append(Draft(event=Event.MONITORED, time=LIFE.entries["scored"].time, job_id=FIRST_BATCH))
    graph = Graph(read_history(store, NAMES))
    assert graph.find(FIRST_BATCH) == [Key(NodeKind.ENTRY, f"{MODEL}/prod/1")]
    with pytest.raises(NothingFoundError):
        graph.find(f"{FIRST_BATCH}-1")


def test_a_prediction_leads_to_its_model_training_configuration_data_and_commit() -> None:
    trace = GRAPH.trace(f"{FIRST_BATCH}-42")
    assert trace.upstream[entry("scored")] == (SEVEN, PROD_1)
    assert trace.upstream[SEVEN] == (entry("trained"),)
    assert trace.upstream[entry("trained")] == (PROD_1, Key(NodeKind.DATA, DATA))
    assert trace.upstream[PROD_1] == (COMMIT_1, BUNDLE_1)
    assert [node.kind for node in trace.upstream[BUNDLE_1]] == [NodeKind.FILE] * 4
    assert trace.downstream == {entry("scored"): ()}
    assert COMMIT_2 not in trace.upstream


def test_a_batch_obeys_another_release_than_its_model_was_trained_under() -> None:
    trace = GRAPH.trace(f"{SECOND_BATCH}-0")
    assert trace.upstream[entry("scored-later")] == (SEVEN, PROD_2)
    assert {COMMIT_1, COMMIT_2} <= set(trace.upstream)


def test_a_commit_leads_to_releases_models_and_all_that_used_them() -> None:
    trace = GRAPH.trace(FIRST_COMMIT)
    assert trace.upstream == {COMMIT_1: ()}
    assert trace.downstream[COMMIT_1] == (PROD_1, STAGING_1)
    assert trace.downstream[entry("trained")] == (SEVEN,)
    used = [entry(name) for name in ("promoted", "deployed", "served", "scored", "scored-later", "refused")]
    assert list(trace.downstream[SEVEN]) == used


def test_a_digest_leads_up_to_files_and_commit_and_down_to_its_releases() -> None:
    trace = GRAPH.trace(BUNDLE_1.name)
    kinds = [node.kind for node in trace.upstream[BUNDLE_1]]
    assert kinds == [NodeKind.FILE] * 4 + [NodeKind.COMMIT]
    assert trace.downstream[BUNDLE_1] == (PROD_1,)


def test_a_champion_is_what_something_came_of_and_not_where_it_comes_from() -> None:
    six = Key(NodeKind.MODEL, "fare-amount-prod:6")
    assert GRAPH.trace("fare-amount-prod:6").downstream[six] == (entry("promoted"),)
    assert six not in GRAPH.trace("fare-amount-prod:7").upstream


def test_a_retrained_model_leads_to_its_retraining_and_the_data_of_that() -> None:
    store = MemoryStore()
    ledger = Ledger(store, PROJECT, MODEL, "prod")
    old, new = (ModelReference(name="fare-amount-prod", version=version) for version in (7, 8))
    moment = LIFE.entries["trained"].time
    for event, more in (
        (Event.RETRAIN_ENDED, {"model": new, "champion": old, "data_fingerprint": DATA}),
        (Event.SCORED, {"model": new, "job_id": FIRST_BATCH}),
    ):
        ledger.append(Draft(event=event, time=moment, **more))
    ended, scored = (Key(NodeKind.ENTRY, f"{MODEL}/prod/{number}") for number in (1, 2))
    eight = Key(NodeKind.MODEL, "fare-amount-prod:8")
    up = Graph(read_history(store, NAMES)).trace(f"{FIRST_BATCH}-1").upstream
    assert up == {
        scored: (eight,),
        eight: (ended,),
        ended: (Key(NodeKind.DATA, DATA),),
        Key(NodeKind.DATA, DATA): (),
    }


def test_a_job_without_a_release_leads_to_its_configuration_and_commit() -> None:
    store = MemoryStore()
    subject = {"config_digest": "sha256:" + "c" * 64, "commit": "d" * 40}
    when = LIFE.entries["scored"].time
    Ledger(store, PROJECT, MODEL, "dev").append(
        Draft(event=Event.SCORED, time=when, job_id=FIRST_BATCH, **subject)
    )
    graph = Graph(read_history(store, NAMES))
    node = Key(NodeKind.ENTRY, f"{MODEL}/dev/1")
    bundle, commit = Key(NodeKind.BUNDLE, "sha256:" + "c" * 64), Key(NodeKind.COMMIT, "d" * 40)
    assert graph.trace(FIRST_BATCH).upstream[node] == (commit, bundle)
    assert graph.find("d" * 9) == [commit]
    assert graph.trace("c" * 9).downstream[bundle] == (node,)


def test_a_job_that_names_no_release_obeyed_those_of_its_very_configuration() -> None:
    scored = LIFE.entries["scored"].model_copy(update={"release": None, "commit": None})
    graph = Graph(History(tuple(LIFE.releases.values()), (scored,)))
    assert PROD_1 in graph.trace(FIRST_BATCH).upstream[entry("scored")]


def test_an_image_that_no_release_names_is_where_the_job_comes_from() -> None:
    other = "sha256:" + "e" * 64
    scored = LIFE.entries["scored"].model_copy(update={"image_digest": other})
    graph = Graph(History(tuple(LIFE.releases.values()), (scored,)))
    assert Key(NodeKind.IMAGE, other) in graph.trace(FIRST_BATCH).upstream[entry("scored")]
    assert graph.trace(other).downstream[Key(NodeKind.IMAGE, other)] == (entry("scored"),)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_what_was_read_does_not_matter(shuffle: random.Random) -> None:
    releases, entries = list(LIFE.releases.values()), list(LIFE.entries.values())
    shuffle.shuffle(releases)
    shuffle.shuffle(entries)
    graph = Graph(History(tuple(releases), tuple(entries)))
    for query in (FIRST_COMMIT, f"{FIRST_BATCH}-1", "fare-amount-prod:7"):
        assert graph.trace(query) == GRAPH.trace(query)


def test_up_and_down_are_the_same_roads() -> None:
    for start in (COMMIT_1, COMMIT_2):
        for node, results in GRAPH.trace(start.name).downstream.items():
            for result in results:
                champion = node.kind is NodeKind.MODEL and node not in GRAPH.parents(result)
                assert champion or node in GRAPH.parents(result)


def many(count: int) -> Graph:
    store = MemoryStore()
    live(store)
    ledger = Ledger(store, PROJECT, MODEL, "prod")
    model = ModelReference(name="fare-amount-prod", version=7)
    for number in range(count):
        when = LIFE.entries["scored-later"].time.replace(minute=number % 60, hour=number // 60)
        ledger.append(Draft(event=Event.MONITORED, time=when, model=model))
    return Graph(read_history(store, NAMES))


def test_many_entries_of_one_kind_are_counted_and_the_newest_shown() -> None:
    graph = many(40)
    text = render_trace(graph.trace("fare-amount-prod:7"), graph, Style())
    assert "… 37 more monitored since 2026-03-12 00:00Z" in text
    assert text.count("├─ monitored") == 3
    assert len(graph.trace("fare-amount-prod:7").downstream) == 1 + 6 + 40


def test_text_that_would_steer_a_terminal_is_escaped() -> None:
    hostile = LIFE.entries["scored"].model_copy(update={"uri": "s3://x/\x1b[2J\n└─ release 9.9.9"})
    graph = Graph(History((), (hostile,)))
    text = render_trace(graph.trace(FIRST_BATCH), graph, Style())
    assert "\x1b" not in text
    assert "\\x1b[2J\\n└─ release" in text


@pytest.mark.parametrize("query", [f"{FIRST_BATCH}-42", FIRST_COMMIT, "v1.2.0", "fare-amount-prod:7"])
def test_no_line_is_drawn_twice(query: str) -> None:
    lines = render_trace(GRAPH.trace(query), GRAPH, Style()).splitlines()
    titles = [line.lstrip(" │├└─") for line in lines if "─ " in line]
    assert len(titles) == len(set(titles))
