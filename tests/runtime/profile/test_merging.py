"""Profiles of parts of a table add up to the profile of the table."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.errors import UsageError
from mlops_config.runtime.profile.columns import MOST_UNSEEN
from mlops_config.runtime.profile.making import profile, reference_profile
from mlops_config.runtime.profile.profile import Profile, merged
from tests.runtime.profile.tables import tables, training, trips

REFERENCE = reference_profile(trips(3_000), training())


@settings(max_examples=8, deadline=None)
@given(tables(), tables())
def test_two_tables_profiles_merge_into_that_of_both(one: pa.Table, other: pa.Table) -> None:
    both = profile(pa.concat_tables([one, other]), REFERENCE)
    first, second = profile(one, REFERENCE), profile(other, REFERENCE)
    assert first.merge(second) == both
    assert first.merge(second).to_json() == both.to_json()
    assert second.merge(first) == both


@settings(max_examples=5, deadline=None)
@given(tables(), tables(), tables())
def test_merging_is_associative(one: pa.Table, two: pa.Table, three: pa.Table) -> None:
    a, b, c = (profile(each, REFERENCE) for each in (one, two, three))
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


@settings(max_examples=8, deadline=None)
@given(tables(min_size=1), st.data())
def test_the_references_own_rows_merge_too(table: pa.Table, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, table.num_rows))
    reference = reference_profile(table, training())
    parts = [profile(part, reference) for part in (table.slice(0, cut), table.slice(cut))]
    assert merged(parts) == reference


def test_an_empty_table_is_the_neutral_element() -> None:
    whole = profile(trips(50), REFERENCE)
    nothing = profile(trips(0), REFERENCE)
    assert nothing.rows == 0
    assert whole.merge(nothing) == whole == nothing.merge(whole)


def test_new_categories_are_kept_up_to_a_bound_that_merging_respects() -> None:
    names = [f"zone {number:02}" for number in range(2 * MOST_UNSEEN)]
    parts = [pa.table({"zone": names[start::3]}) for start in range(3)]
    together = merged(profile(part, REFERENCE) for part in parts)
    column = together.column("zone")
    assert column is not None
    assert column.kind == "categorical"
    assert [each.label for each in column.unseen] == names[:MOST_UNSEEN]
    assert column.more_unseen
    assert column.other == len(names)
    assert together == profile(pa.table({"zone": names}), REFERENCE)


def test_a_part_without_a_column_counts_its_rows_as_absent() -> None:
    whole = trips(40)
    part = profile(whole.drop_columns(["amount"]), REFERENCE)
    both = part.merge(profile(whole, REFERENCE))
    column = both.column("amount")
    assert column is not None
    assert (column.absent, both.rows) == (40, 80)


def test_profiles_after_different_references_do_not_merge() -> None:
    other = reference_profile(trips(100, seed=2), training())
    with pytest.raises(UsageError, match="made after different references") as raised:
        profile(trips(10), REFERENCE).merge(profile(trips(10), other))
    assert raised.value.hint == "make both profiles after the same reference"


def test_profiles_of_different_columns_do_not_merge() -> None:
    with pytest.raises(UsageError, match="different columns"):
        REFERENCE.merge(Profile(rows=1))


def test_nothing_at_all_is_not_merged() -> None:
    with pytest.raises(UsageError, match="no profile to merge"):
        merged([])
