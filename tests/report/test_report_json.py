"""Findings as JSON: the document that docs/findings.md describes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.report.samples import ALL, CONTEXT, HOSTILE, HOSTILE_TEXT, TRAINING

from mlops_config.findings import format_path
from mlops_config.report.interface import ReportContext
from mlops_config.report.json import render

DOCS = Path(__file__).parents[2] / "docs" / "findings.md"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(render(ALL, CONTEXT))
    return loaded


def test_the_counts_are_in_the_summary(document: dict[str, Any]) -> None:
    assert document["schema_version"] == 1
    assert document["summary"] == {"errors": 4, "warnings": 1, "notes": 1, "waived": 1, "files_read": 2}


def test_a_finding_has_all_its_parts(document: dict[str, Any]) -> None:
    assert document["findings"][3] == {
        "code": "S04",
        "severity": "error",
        "message": "`split.test_fraction` is 20; it must be below 1",
        "hint": "a fraction is meant: 20 percent is 0.2",
        "place": {"file": TRAINING, "line": 3, "column": 18, "end_line": 3, "end_column": 20},
        "path": ["split", "test_fraction"],
        "path_text": "split.test_fraction",
        "related": [],
        "replacement": "0.2",
        "help": "https://github.com/org/mlops-config-action/blob/v1/docs/rules/S04.md",
    }


def test_what_belongs_to_no_file_has_no_place(document: dict[str, Any]) -> None:
    assert document["findings"][0]["place"] is None


def test_waived_findings_stand_apart_with_their_reason(document: dict[str, Any]) -> None:
    (waived,) = document["waived"]
    assert (waived["code"], waived["reason"], waived["expires"]) == (
        "E03",
        "trial until the review",
        "2026-12-31",
    )


def test_every_file_says_whether_it_is_valid(document: dict[str, Any]) -> None:
    assert document["files"][0] == {
        "environment": "prod",
        "kind": "training",
        "path": TRAINING,
        "valid": False,
    }
    assert document["files"][2]["path"] is None


def test_hostile_text_comes_back_as_it_was() -> None:
    loaded = json.loads(render([HOSTILE], ReportContext()))
    assert loaded["findings"][0]["message"] == HOSTILE_TEXT
    assert loaded["findings"][0]["path_text"] == format_path(HOSTILE.path)


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_the_page_names_every_key(document: dict[str, Any]) -> None:
    named = set(re.findall(r"`([a-z_]+)`", DOCS.read_text("utf-8")))
    assert keys_of(document) <= named
