"""URIs are compared by the objects they cover."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.contract.rules.uris import covers, names_environment, overlap

steps = st.lists(st.sampled_from(["a", "b", "a-b", "prod", "x.csv"]), max_size=4)
uris = st.builds(
    lambda scheme, bucket, path, end: f"{scheme}://{'/'.join([bucket, *path])}{end}",
    st.sampled_from(["s3", "gs"]),
    st.sampled_from(["one", "two"]),
    steps,
    st.sampled_from(["", "/"]),
)


@given(uris, steps)
def test_a_uri_covers_itself_and_all_below_it(uri: str, below: list[str]) -> None:
    assert covers(uri, "/".join([uri.rstrip("/"), *below]))


@given(uris, uris)
def test_overlapping_is_mutual(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)


@given(uris, uris, uris)
def test_covering_is_passed_on(one: str, two: str, three: str) -> None:
    if covers(one, two) and covers(two, three):
        assert covers(one, three)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://b/data", "s3://b/data-2"),
        ("s3://b/data", "gs://b/data"),
        ("s3://b/data", "s3://c/data"),
        ("file://./data/x.csv", "file://./build/"),
        ("s3://b/2026/*/x", "s3://b/2025/1/x"),
    ],
)
def test_places_with_whole_steps_apart_do_not_overlap(one: str, other: str) -> None:
    assert not overlap(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://b/data/", "s3://b/data"),
        ("s3://b/data/*/x.csv", "s3://b/data/1/"),
        ("file://./data", "file://data/x.csv"),
        ("s3://b/year=*", "s3://b/labels/"),
    ],
)
def test_a_pattern_covers_all_below_its_first_wildcard(one: str, other: str) -> None:
    assert overlap(one, other)


@pytest.mark.parametrize("uri", ["s3://acme-prod/x", "s3://acme/prod/x", "s3://acme/x_prod", "gs://prod/a"])
def test_an_environment_is_named_by_a_word_of_its_own(uri: str) -> None:
    assert names_environment(uri, "prod")


@pytest.mark.parametrize("uri", ["s3://products/x", "s3://acme/nonprod/x", "s3://acme/production"])
def test_part_of_a_word_names_no_environment(uri: str) -> None:
    assert not names_environment(uri, "prod")
