"""A state that could not be saved: sealed, it may leave the machine, and comes back for who has the key."""

from pathlib import Path

import pytest

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.infrastructure.left_state import KEPT_NAME, bring_back, main, sealed_state
from mlops_config.infrastructure.sealing import KEY_VARIABLE, Header, seal, unseal

KEY = "twenty characters, or more"
STATE = b'{"version": 4, "terraform_version": "1.11.4", "serial": 2, "lineage": "ours"}'


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state that a job kept; its key is given."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    path = tmp_path / KEPT_NAME
    path.write_bytes(sealed_state(STATE, "prod", "1.2.0", KEY))
    return path


def test_it_comes_back_for_this_user_alone(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sealed.parent / "aws"
    folder.mkdir()
    assert main([str(sealed), str(folder)]) == 0
    path = folder / "errored.tfstate"
    assert str(path) in capsys.readouterr().out
    assert path.read_bytes() == STATE
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_taken_for_no_plan(sealed: Path) -> None:
    found = unseal(sealed.read_bytes(), KEY)
    assert (found.header.terraform_version, found.encrypted) == ("1.11.4", True)
    with pytest.raises(IntegrityError, match=r"release 1\.2\.0 \(its state\) of prod"):
        found.require(environment="prod", release="1.2.0")


@pytest.mark.parametrize("state", [STATE[:20], b"[]"])
def test_one_that_was_cut_short_is_kept_all_the_same(state: bytes) -> None:
    assert unseal(sealed_state(state, "prod", "1.2.0", KEY), KEY).files["errored.tfstate"] == state


def test_one_that_is_there_is_not_written_over(sealed: Path) -> None:
    there = sealed.parent / "errored.tfstate"
    there.write_bytes(b"another")
    with pytest.raises(UsageError, match="is there already"):
        bring_back(sealed, sealed.parent)
    assert there.read_bytes() == b"another"


def test_what_cannot_be_brought_back_is_said(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = sealed.with_name("plan.sealed")
    header = Header(environment="prod", release="1.2.0", digest="", terraform_version="1.11.4")
    plan.write_bytes(seal({"tfplan": b""}, header, KEY))
    for given, words in (
        ((sealed, sealed.parent / "gone"), "there is no folder"),
        ((sealed.with_name("gone"), sealed.parent), "cannot be read"),
        ((plan, sealed.parent), "holds no state"),
    ):
        assert main([str(each) for each in given]) == 2
        assert words in capsys.readouterr().err
