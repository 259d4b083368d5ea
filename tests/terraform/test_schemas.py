"""The stand-in's schemas: complete for what we use, and the providers' own where those are recorded."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tools.generate_provider_schemas import PACKAGES, missing_types, used_types

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "tests" / "terraform" / "schemas"
FAMILIES = tuple(PACKAGES)

_NUMBER = "the package says only one or many"
_NEWER = "the recorded provider is older"
TOLERATED: Mapping[str, str] = {
    "aws_ecr_repository.image_tag_mutability_exclusion_filter: max_items 5, ours 0": _NUMBER,
    "google_storage_bucket.encryption.default_kms_key_name: optional None, ours True": _NEWER,
    "google_storage_bucket.encryption.default_kms_key_name: required True, ours None": _NEWER,
    "google_storage_bucket.lifecycle_rule: max_items 100, ours 0": _NUMBER,
    "google_storage_bucket.retention_policy.retention_period: type number, ours string": _NEWER,
}
"""Difference -> why ours may have it."""
NEWER: Mapping[str, frozenset[str]] = {
    "aws": frozenset(),
    # The recorded provider is three major versions older; what it has must hold still.
    "google": frozenset({"google_storage_bucket"}),
}
"""Types whose recording is older than the provider we use: attributes and blocks came since."""


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


RECORDED = {
    kind: (family, schema)
    for family in FAMILIES
    for kind, schema in load(SCHEMAS / "recorded" / f"{family}.json")["resource_schemas"].items()
}


def differences(
    name: str, true: Mapping[str, Any], ours: Mapping[str, Any], *, newer: bool = False
) -> Iterator[str]:
    """How our block differs from the provider's, path by path."""
    for part in ("attributes", "block_types"):
        theirs, mine = true.get(part, {}), ours.get(part, {})
        for key in sorted(theirs.keys() | mine.keys()):
            path = f"{name}.{key}"
            if key not in mine:
                yield f"{path}: we lack it"
            elif key not in theirs:
                if not newer:
                    yield f"{path}: the provider lacks it"
            elif part == "attributes":
                for facet in ("type", "required", "optional", "computed", "sensitive"):
                    if theirs[key].get(facet) != mine[key].get(facet):
                        yield f"{path}: {facet} {theirs[key].get(facet)}, ours {mine[key].get(facet)}"
            else:
                if theirs[key]["nesting_mode"] != mine[key]["nesting_mode"]:
                    yield f"{path}: nesting {theirs[key]['nesting_mode']}, ours {mine[key]['nesting_mode']}"
                for facet in ("min_items", "max_items"):
                    if theirs[key].get(facet, 0) != mine[key].get(facet, 0):
                        yield f"{path}: {facet} {theirs[key].get(facet, 0)}, ours {mine[key].get(facet, 0)}"
                yield from differences(path, theirs[key]["block"], mine[key]["block"], newer=newer)


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_a_schema_is_the_providers_own(kind: str) -> None:
    family, true = RECORDED[kind]
    ours = load(SCHEMAS / f"{family}.json")["resource_schemas"][kind]
    found = differences(kind, true["block"], ours["block"], newer=kind in NEWER[family])

    assert sorted(set(found) - TOLERATED.keys()) == []


def test_every_tolerated_difference_is_there() -> None:
    found: set[str] = set()
    for kind, (family, true) in RECORDED.items():
        ours = load(SCHEMAS / f"{family}.json")["resource_schemas"][kind]
        found |= set(differences(kind, true["block"], ours["block"], newer=True))

    assert found >= TOLERATED.keys()


def test_every_type_in_use_has_a_schema() -> None:
    assert missing_types(used_types()) == []


def test_a_type_without_a_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_s3_bucket" "a" {}\nresource "aws_chatbot_team" "b" {}\ndata "google_projects" "c" {}\n'
    )

    assert missing_types(used_types([tmp_path])) == ["resource aws_chatbot_team", "data google_projects"]


def test_the_check_downloads_nothing_and_passes() -> None:
    finished = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_provider_schemas.py"), "--check"],
        env={"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_schema_says_where_it_comes_from(family: str) -> None:
    package = PACKAGES[family]
    source = load(SCHEMAS / f"{family}.json")["source"]

    assert f"{package.name} {package.version} (MPL-2.0)" in source
    assert package.provider_version in source


@pytest.mark.parametrize("family", FAMILIES)
def test_no_type_is_left_to_guesswork(family: str) -> None:
    text = (SCHEMAS / f"{family}.json").read_text("utf-8")

    assert '"dynamic"' not in text
