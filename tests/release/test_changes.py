"""Changes say what means something else, exactly and once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, FileChange, Named, Nature, changes, file_change, is_same

MONITORING = Kind.MONITORING


def between(old, new):
    return changes({MONITORING: old}, {MONITORING: new})


def shown(old, new):
    return [(each.where, each.nature.value, each.old, each.new) for each in between(old, new)]


def test_nothing_changed():
    assert between({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) == ()


def test_a_changed_value_has_its_path():
    old = {"drift": {"numeric": {"threshold": 0.2}}}
    new = {"drift": {"numeric": {"threshold": 0.1}}}
    assert shown(old, new) == [("drift.numeric.threshold", "changed", 0.2, 0.1)]


def test_added_and_removed_keys():
    assert shown({"a": 1, "b": 2}, {"b": 2, "c": {"d": 3}}) == [
        ("a", "removed", 1, None),
        ("c", "added", None, {"d": 3}),
    ]


def test_the_order_of_keys_means_nothing():
    assert between({"a": 1, "b": 2}, {"b": 2, "a": 1}) == ()


def test_entries_with_names_are_matched_by_them():
    old = {"alerts": [{"name": "errors", "for": "PT5M"}, {"name": "drift", "for": "PT0S"}]}
    new = {"alerts": [{"name": "latency", "for": "PT1M"}, {"name": "errors", "for": "PT9M"}]}
    assert shown(old, new) == [
        ("alerts[errors].for", "changed", "PT5M", "PT9M"),
        ("alerts[drift]", "removed", {"name": "drift", "for": "PT0S"}, None),
        ("alerts[latency]", "added", None, {"name": "latency", "for": "PT1M"}),
    ]


def test_another_order_of_named_entries_is_one_change():
    old = {"steps": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    new = {"steps": [{"name": "c"}, {"name": "a"}, {"name": "b"}]}
    assert shown(old, new) == [("steps", "reordered", ["a", "b", "c"], ["c", "a", "b"])]


def test_entries_without_names_are_matched_by_the_next_best_key():
    old = {"triggers": [{"type": "drift"}, {"type": "schedule", "cron": "0 4 * * *"}]}
    new = {"triggers": [{"type": "schedule", "cron": "0 5 * * *"}]}
    assert [each[:2] for each in shown(old, new)] == [
        ("triggers[drift]", "removed"),
        ("triggers[schedule].cron", "changed"),
    ]


def test_names_that_occur_twice_tell_nothing_apart():
    old = {"windows": [{"name": "a", "x": 1}, {"name": "a", "x": 2}]}
    new = {"windows": [{"name": "a", "x": 1}, {"name": "a", "x": 3}]}
    assert shown(old, new) == [("windows[1].x", "changed", 2, 3)]


def test_entries_without_any_key_are_matched_by_place():
    assert shown({"windows": [{"from": 1}]}, {"windows": [{"from": 2}, {"from": 3}]}) == [
        ("windows[0].from", "changed", 1, 2),
        ("windows[1]", "added", None, {"from": 3}),
    ]


def test_a_list_of_plain_values_changes_as_a_whole():
    assert shown({"metrics": ["rmse"]}, {"metrics": ["rmse", "mae"]}) == [
        ("metrics", "changed", ["rmse"], ["rmse", "mae"])
    ]


def test_a_key_with_a_dot_in_it_is_one_key():
    assert shown({"labels": {"a.b": "1"}}, {"labels": {"a.b": "2"}})[0][0] == "labels['a.b']"


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), ("1", 1), (None, 0), ([], {}), ("", None)])
def test_values_of_other_types_differ(old, new):
    assert shown({"a": old}, {"a": new}) == [("a", "changed", old, new)]


def test_whole_numbers_are_the_same_however_they_are_written():
    assert between({"a": 1, "b": [2.0]}, {"a": 1.0, "b": [2]}) == ()


def test_kinds_come_in_their_own_order():
    old = {Kind.RETRAIN: {"a": 1}, Kind.TRAINING: {"a": 1}}
    new = {Kind.RETRAIN: {"a": 2}, Kind.TRAINING: {"a": 2}}
    assert [each.kind for each in changes(old, new)] == [Kind.TRAINING, Kind.RETRAIN]


def test_a_kind_on_one_side_only():
    assert changes({}, {MONITORING: {"a": 1}}) == (Change(MONITORING, (), Nature.ADDED, new={"a": 1}),)
    assert changes({MONITORING: {"a": 1}}, {}) == (Change(MONITORING, (), Nature.REMOVED, old={"a": 1}),)


def test_secret_references_stay_references():
    old, new = "secret://role", "secret://other-role"
    assert shown({"role": old}, {"role": new}) == [("role", "changed", old, new)]


@pytest.mark.parametrize(
    ("old", "new", "factor"),
    [
        (0.05, 0.1, 2.0),
        (10, 5, 0.5),
        (0, 5, None),
        (-1, 1, None),
        (-2, -4, 2.0),
        ("1", "2", None),
        (1, True, None),
    ],
)
def test_the_factor_between_two_numbers(old, new, factor):
    (change,) = between({"a": old}, {"a": new})
    assert change.factor == (pytest.approx(factor) if factor else None)


class Hashes:
    def __init__(self, sha256, semantic_sha256):
        self.sha256 = sha256
        self.semantic_sha256 = semantic_sha256


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (Hashes("a", "m"), Hashes("a", "m"), FileChange.NONE),
        (Hashes("a", "m"), Hashes("b", "m"), FileChange.LAYOUT),
        (Hashes("a", "m"), Hashes("b", "n"), FileChange.MEANING),
        (Hashes("a", "m"), Hashes("a", "n"), FileChange.REREAD),
        (None, Hashes("a", "m"), FileChange.NEW),
        (Hashes("a", "m"), None, FileChange.GONE),
        (None, None, FileChange.NONE),
    ],
)
def test_how_a_file_differs_by_its_two_hashes(old, new, expected):
    assert file_change(old, new) is expected


LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from("abc")
KEYS = st.sampled_from(["name", "type", "a", "b"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("pqrst"), "a": inner}), max_size=4)
    ),
    max_leaves=12,
)
CONFIGS = st.dictionaries(st.sampled_from(Kind), st.dictionaries(KEYS, VALUES, max_size=3), max_size=2)


@given(CONFIGS)
def test_nothing_differs_from_itself(config):
    assert changes(config, config) == ()


@given(CONFIGS, CONFIGS)
def test_applying_the_changes_to_the_old_gives_the_new(old, new):
    assert is_same(strings(applied(changes(old, new), old)), strings(new))


@given(CONFIGS, CONFIGS)
def test_the_way_back_is_each_change_turned_round(old, new):
    there = {repr(turned(change)) for change in changes(old, new)}
    back = {repr(change) for change in changes(new, old)}
    assert there == back


@given(CONFIGS, CONFIGS)
def test_no_value_is_reported_twice(old, new):
    places = [(each.kind, each.path, each.nature is Nature.REORDERED) for each in changes(old, new)]
    assert len(set(places)) == len(places)


def strings(config):
    return {str(kind): value for kind, value in config.items()}


def turned(change):
    natures = {Nature.ADDED: Nature.REMOVED, Nature.REMOVED: Nature.ADDED}
    nature = natures.get(change.nature, change.nature)
    return Change(change.kind, change.path, nature, change.new, change.old, change.index)


def applied(found, config):
    """The config with the changes carried out: values, removals from the end, orders, additions."""
    order = [Nature.CHANGED, Nature.REMOVED, Nature.REORDERED, Nature.ADDED]

    def turn(change):
        return order.index(change.nature), -(change.index or 0) if change.nature is Nature.REMOVED else 0

    result = copied(config)
    for change in sorted(found, key=turn):
        carry_out(result, change)
    return result


def carry_out(config, change):
    if change.nature is Nature.REORDERED:
        entries = reached(config, (change.kind, *change.path))
        key = next(key for key in ("name", "type") if all(key in entry for entry in entries))
        entries.sort(key=lambda entry: change.new.index(entry[key]))
        return
    *way, last = (change.kind, *change.path)
    holder = reached(config, way)
    if change.nature is Nature.REMOVED:
        del holder[position(holder, last)]
    elif change.nature is Nature.ADDED and isinstance(holder, list):
        holder.insert(change.index, change.new)
    else:
        holder[position(holder, last)] = change.new


def reached(config, path):
    for step in path:
        config = config[position(config, step)]
    return config


def position(holder, step):
    if isinstance(step, Named):
        return next(index for index, entry in enumerate(holder) if entry[step.key] == step.value)
    return step


def copied(value):
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value
