"""How rows are held out: shares, repeatability, and what each strategy promises."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.runtime.data.problems import DataError
from mlops_config.runtime.data.splitting import Split, split
from tests.runtime.data.schemas import training, trips

FRACTIONS = {"test_fraction": 0.2, "validation_fraction": 0.1}
RANDOM = {"strategy": "random"} | FRACTIONS
TIME = {"strategy": "time"} | FRACTIONS
GROUP = {"strategy": "group", "key": "pickup_zone"} | FRACTIONS
HASH = {"strategy": "hash"} | FRACTIONS
ROWS = st.integers(30, 120)
SEEDS = st.integers(0, 2**32 - 1)


def parts(frame: pd.DataFrame, rule: dict[str, Any]) -> Split:
    return split(frame, training(split=rule))


def zones(frame: pd.DataFrame, number: int = 12) -> pd.DataFrame:
    names = [f"zone {position % number}" for position in range(len(frame))]
    return frame.assign(pickup_zone=pd.Series(names, dtype="str"))


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, rule=st.sampled_from([RANDOM, TIME, GROUP, HASH | {"test_fraction": 0.5}]), seed=SEEDS)
def test_every_row_lies_in_one_part_and_the_same_one_again(
    rows: int, rule: dict[str, Any], seed: int
) -> None:
    rule = rule if rule is TIME else rule | {"seed": seed}
    frame = zones(trips(rows))
    try:
        first = parts(frame, rule)
    except DataError:  # a hash may leave a part of few rows empty
        assert rule["strategy"] == "hash"
        return
    assert sorted(index for part in first for index in part.index) == list(range(rows))
    again = parts(frame, rule)
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, other)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, seed=SEEDS)
def test_shares_of_a_random_split_are_exact_to_a_row(rows: int, seed: int) -> None:
    found = parts(trips(rows), RANDOM | {"seed": seed})
    assert abs(len(found.test) - 0.2 * rows) <= 0.5
    assert abs(len(found.validation) - 0.1 * rows) <= 0.5


def test_the_seed_decides_and_random_seed_stands_in_for_it() -> None:
    frame = trips(100)
    by_default = split(frame, training(split=RANDOM, random_seed=5))
    assert list(by_default.test.index) == list(parts(frame, RANDOM | {"seed": 5}).test.index)
    assert list(by_default.test.index) != list(parts(frame, RANDOM | {"seed": 6}).test.index)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(range(40)))
def test_by_time_each_part_is_newer_than_the_one_before(order: list[int]) -> None:
    found = parts(trips(40).iloc[order].reset_index(drop=True), TIME)
    moments = [part["pickup_time"] for part in found]
    assert moments[0].max() < moments[1].min()
    assert moments[1].max() < moments[2].min()
    assert [len(part) for part in found] == [28, 4, 8]


def test_rows_of_one_moment_stay_together_on_the_newer_side() -> None:
    frame = trips(40)
    frame.loc[25:35, "pickup_time"] = frame.loc[25, "pickup_time"]
    found = parts(frame, TIME | {"validation_fraction": 0.25})
    assert list(found.test.index) == list(range(25, 40))
    assert list(found.validation.index) == list(range(22, 25))


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, order=st.permutations(range(48)))
def test_a_group_is_never_torn_apart_and_row_order_does_not_matter(seed: int, order: list[int]) -> None:
    frame = zones(trips(48))
    found = parts(frame, GROUP | {"seed": seed})
    sides = [set(part["pickup_zone"]) for part in found]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    shuffled = parts(frame.iloc[order], GROUP | {"seed": seed})
    assert [set(part.index) for part in shuffled] == [set(part.index) for part in found]


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, keep=st.sets(st.integers(0, 299), max_size=100).map(lambda gone: set(range(300)) - gone))
def test_by_hash_a_row_stays_on_its_side_when_others_come_or_go(seed: int, keep: set[int]) -> None:
    frame = trips(300)
    rule = HASH | {"seed": seed}
    whole = parts(frame, rule)
    some = parts(frame.iloc[sorted(keep)], rule)
    for part, larger in zip(some, whole, strict=True):
        assert set(part["trip_id"]) <= set(larger["trip_id"])


def test_shares_of_a_hash_split_are_those_asked_for() -> None:
    found = parts(trips(20_000), HASH)
    assert len(found.test) / 20_000 == pytest.approx(0.2, abs=0.012)  # four standard deviations
    assert len(found.validation) / 20_000 == pytest.approx(0.1, abs=0.009)


def test_a_hash_depends_on_nothing_but_seed_and_key() -> None:
    """Written down once: a later version must not move a row to the other side."""
    found = parts(trips(60), HASH | {"seed": 7})
    assert list(found.test["trip_id"]) == GOLDEN_TEST


GOLDEN_TEST = [
    *("T0002", "T0003", "T0007", "T0009", "T0013", "T0014", "T0017", "T0020", "T0024"),
    *("T0027", "T0037", "T0045", "T0048", "T0052", "T0053", "T0055", "T0056", "T0058"),
]


@pytest.mark.parametrize(
    ("rows", "rule", "words"),
    [
        (0, RANDOM, "0 rows are too few: split by random, train gets none"),
        (2, RANDOM, "2 rows are too few: split by random, train gets none"),
        (1, TIME, "1 rows are too few: split by time, train gets none"),
        (40, GROUP, "40 rows are too few: split by group, train gets none"),
        (3, HASH | {"test_fraction": 0.01}, "split by hash"),
    ],
)
def test_too_few_rows_are_a_sentence(rows: int, rule: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        parts(trips(rows), rule)
