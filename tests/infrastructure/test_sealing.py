"""Only who holds the key reads a sealed plan, and nobody alters one."""

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.infrastructure.sealing import Header, plan_key, seal, unseal, write_private

KEY = "correct horse battery staple"
HEADER = Header(environment="prod", release="1.2.0", digest="sha256:" + "a" * 64, terraform_version="1.11.4")
FILES = {"tfplan": b"PK\x03\x04 secret-value \x00\xff", "release.auto.tfvars.json": b"{}"}
SEALED = seal(FILES, HEADER, KEY)
PLAIN = seal(FILES, HEADER, None)


def test_what_was_sealed_comes_out_again() -> None:
    found = unseal(SEALED, KEY)
    assert (found.files, found.header, found.encrypted) == (FILES, HEADER, True)


def test_nothing_of_the_files_can_be_seen_and_which_plan_it_is_can() -> None:
    assert b"secret-value" not in SEALED
    assert b"tfplan" not in SEALED
    assert b'"environment":"prod"' in SEALED.splitlines()[1]


def test_the_same_plan_is_never_the_same_file() -> None:
    assert seal(FILES, HEADER, KEY) != SEALED


def test_another_key_opens_nothing() -> None:
    with pytest.raises(IntegrityError, match="MLOPS_PLAN_KEY is not its key"):
        unseal(SEALED, KEY + "!")


def test_no_key_opens_nothing() -> None:
    with pytest.raises(UsageError, match="MLOPS_PLAN_KEY is not set"):
        unseal(SEALED, None)


@settings(max_examples=25, deadline=None)  # a key takes a tenth of a second, on purpose
@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_property_a_changed_byte_is_noticed(position: int, difference: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= difference
    with pytest.raises((IntegrityError, UsageError)):
        unseal(bytes(altered), KEY)


@given(st.integers(0, len(PLAIN) - 1))
def test_property_a_plan_without_a_key_is_proven_whole(length: int) -> None:
    with pytest.raises((IntegrityError, UsageError)):
        unseal(PLAIN[:length], None)


def test_a_header_of_another_environment_is_noticed() -> None:
    with pytest.raises(IntegrityError):
        unseal(SEALED.replace(b'"environment":"prod"', b'"environment":"test"'), KEY)


def test_without_a_key_it_is_in_the_clear_and_says_so() -> None:
    found = unseal(PLAIN, None)
    assert (found.files, found.encrypted) == (FILES, False)


def test_a_plan_for_something_else_is_refused() -> None:
    found = unseal(SEALED, KEY)
    found.require(environment="prod", release="1.2.0")
    with pytest.raises(IntegrityError, match=r"release 1\.2\.0 of prod, not for 1\.2\.0 of staging"):
        found.require(environment="staging", release="1.2.0")
    with pytest.raises(IntegrityError):
        found.require(environment="prod", release="1.3.0")


def test_some_other_file_is_no_plan() -> None:
    with pytest.raises(UsageError, match="no plan of mlops-config"):
        unseal(b"PK\x03\x04", KEY)


def test_the_key_comes_from_the_environment_and_is_long_enough() -> None:
    assert plan_key({}) is None
    assert plan_key({"MLOPS_PLAN_KEY": ""}) is None
    assert plan_key({"MLOPS_PLAN_KEY": KEY}) == KEY
    with pytest.raises(UsageError, match="has 5 characters: 20 are the least") as refused:
        plan_key({"MLOPS_PLAN_KEY": "short"})
    assert "short" not in refused.value.message.replace("shorter", "")


def test_a_file_is_for_this_user_only_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan" / "plan.sealed"
    write_private(path, b"one")
    write_private(path, SEALED)
    assert path.read_bytes() == SEALED
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["plan.sealed"]
