"""Tags are legal for every name, and tell releases apart."""

import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlops_config.store.tags import (
    bundle_tag,
    clear_release,
    current_tag,
    may_be_release,
    release_tag,
)

LEGAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
environments = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True), st.text(min_size=1, max_size=200)
)
names = st.one_of(
    st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-rc\.[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{40}", fullmatch=True),
    st.text(string.ascii_letters + string.digits + ".-_+/ ", min_size=1, max_size=200),
    st.text(min_size=1, max_size=200),
)


@pytest.mark.parametrize(
    ("environment", "name", "tag"),
    [
        ("prod", "1.2.0", "prod-1.2.0"),
        ("staging", "1.2.0-rc.1", "staging-1.2.0-rc.1"),
        ("prod-eu", "1.2.0", "prod-eu-1.2.0"),
        ("dev", "ab" * 20, "dev-" + "ab" * 20),
        ("dev", "ab" * 32, "dev-" + "ab" * 32),
        ("dev", "ab" * 20 + "-dirty-" + "c" * 12, "dev-" + "ab" * 20 + "-dirty-" + "c" * 12),
    ],
)
def test_the_usual_names_stand_in_the_tag_as_they_are(environment: str, name: str, tag: str) -> None:
    assert release_tag(environment, name) == tag
    assert clear_release(environment, tag) == name


def test_a_name_that_is_no_tag_is_shortened_and_gets_a_hash() -> None:
    assert release_tag("prod", "1.2.0+build.7") == "prod-1.2.0_build.7__ec11ed2ac619"


def test_the_pointers_tag_says_what_it_is() -> None:
    assert current_tag("prod") == "prod-current"


@given(environments, names)
def test_every_tag_is_legal(environment: str, name: str) -> None:
    assert LEGAL.fullmatch(release_tag(environment, name))
    assert LEGAL.fullmatch(current_tag(environment))


@given(environments, names, environments, names)
def test_different_releases_have_different_tags(one: str, first: str, other: str, second: str) -> None:
    assume((one, first) != (other, second))
    assert release_tag(one, first) != release_tag(other, second)


@given(environments, names, environments)
def test_no_release_takes_the_tag_of_a_pointer_or_a_bundle(environment: str, name: str, other: str) -> None:
    digest = "ab" * 32
    assert release_tag(environment, name) not in {current_tag(other), bundle_tag(f"sha256:{digest}")}
    assert release_tag(environment, digest) not in {bundle_tag(f"sha256:{digest}"), f"sha256-{digest}"}


@given(environments, names)
def test_a_release_is_recognised_and_what_its_tag_tells_is_true(environment: str, name: str) -> None:
    tag = release_tag(environment, name)
    assert may_be_release(environment, tag)
    assert clear_release(environment, tag) in {name, None}


@given(environments, names, environments)
def test_no_tag_tells_of_a_release_of_another_environment(environment: str, name: str, other: str) -> None:
    assume(environment != other)
    assert clear_release(other, release_tag(environment, name)) is None


@given(environments)
def test_the_pointer_is_no_release(environment: str) -> None:
    assert not may_be_release(environment, current_tag(environment))
