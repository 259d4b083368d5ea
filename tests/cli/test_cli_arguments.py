"""What is no value for an option is refused before any work, in words that say what would be one."""

import shutil

import pytest

from mlops_config import cli

NOTED = "sha256:" + "5d" * 32


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("log --limit -1", "'-1' is no whole number of 0 or more"),
        ("log --since 99999999999999w", "'99999999999999w' is no date, time or span"),
        ("log --since yesterday", "'yesterday' is no date, time or span"),
        ("log --verify --holds 5d5d5d5", "'5d5d5d5' is no digest, sha256: and 64 hex digits"),
        ("verify --environment dev --digest 5d", "'5d' is no digest"),
        ("promote --version 0", "'0' is no whole number of 1 or more"),
        ("run serving --port 99999", "'99999' is no whole number from 1 to 65535"),
        ("run serving --port http", "'http' is no whole number from 1 to 65535"),
        ("run serving --model-version 0", "'0' is no whole number of 1 or more"),
        ("run monitoring --window 2026-11-01/2026-11-02", "has no time zone: write Z for UTC"),
        (
            "run monitoring --window 2026-11-02T00:00:00Z/2026-11-01T00:00:00Z",
            "ends before it starts",
        ),
    ],
)
def test_what_is_no_value_is_refused(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = line.split()
    with pytest.raises(SystemExit) as ended:
        cli.parser(words[:1]).parse_args(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("log --limit 0", "limit", 0),
        (f"log --verify --holds {NOTED}", "holds", NOTED),
        ("promote --version 1", "version", 1),
        ("run serving --port 65535", "port", 65_535),
    ],
)
def test_the_outermost_values_are_taken(line: str, name: str, value: object) -> None:
    words = line.split()
    assert getattr(cli.parser(words[:1]).parse_args(words), name) == value


@pytest.mark.parametrize("columns", ["60", "0", "wide", None])
def test_help_is_as_wide_as_argparse_would_make_it(
    columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    assert cli._columns() == shutil.get_terminal_size().columns


def test_without_a_verb_all_of_them_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    said = capsys.readouterr().err
    assert all(f"\n    {verb}" in said for verb in cli.VERBS)
