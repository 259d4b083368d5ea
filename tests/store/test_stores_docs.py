"""What the pages about stores say is what the stores do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.store.examples import example_bundle, example_record

from mlops_config.bundle.bundle import MANIFEST_MEDIA_TYPE
from mlops_config.registry.client import PLAIN_HTTP_VARIABLE
from mlops_config.registry.content import EMPTY_TYPE
from mlops_config.retrying import TEMPORARY_STATUSES, Retries
from mlops_config.store import SCHEMES, open_store
from mlops_config.store.interface import LedgerName
from mlops_config.store.local import LocalStore
from mlops_config.store.oci import (
    BUNDLE_TYPE,
    ENTRY_MEDIA_TYPE,
    ENTRY_TYPE,
    RECORD_MEDIA_TYPE,
    RELEASE_TYPE,
)
from mlops_config.store.tags import entry_tag, release_tag

ROOT = Path(__file__).parents[2]
STORES = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
ARTIFACT = (ROOT / "docs" / "oci-artifact.md").read_text(encoding="utf-8")


def json_blocks(page: str) -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def test_the_pointer_shown_is_the_one_written(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, tmp_path.as_uri())
    bundle = example_bundle()
    record = example_record(bundle)
    store.publish_bundle(bundle)
    store.publish_release(record)
    store.set_current(record, None)
    written = (tmp_path / "fares/environments/prod/current.json").read_text()
    assert f"```json\n{written}```" in STORES


def test_the_policy_allows_what_the_store_calls_and_nothing_else() -> None:
    source = (ROOT / "src/mlops_config/store/s3.py").read_text(encoding="utf-8")
    called = set(re.findall(r"_client\.(\w+)\(", source))
    needed = {"get_object": "s3:GetObject", "put_object": "s3:PutObject", "list_objects_v2": "s3:ListBucket"}
    allowed = set()
    for statement in json_blocks(STORES)[1]["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    assert allowed == {needed[name] for name in called}


def test_the_retries_told_are_the_ones_made() -> None:
    statuses = ", ".join(str(status) for status in sorted(TEMPORARY_STATUSES))
    assert statuses in " ".join(STORES.split())
    policy = Retries()
    assert (policy.tries, policy.deadline, policy.longest_wait) == (5, 300, 120)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_kind_of_store_is_told_of(scheme: str) -> None:
    assert f"{scheme.partition('//')[0]}//" in STORES


def test_the_uris_shown_name_stores() -> None:
    shown = set(re.findall(r"`((?:file|s3|gs|oci)://[^`$]+)`", STORES)) - {"oci://registry/repository"}
    assert {open_store(uri).uri for uri in shown} == shown


def test_the_variable_for_plain_http_is_told() -> None:
    assert PLAIN_HTTP_VARIABLE in STORES


def test_the_manifest_shown_is_the_one_pushed() -> None:
    golden = (ROOT / "tests/store/golden/bundle-artifact.json").read_text(encoding="utf-8")
    assert f"```json\n{golden}\n```" in ARTIFACT


@pytest.mark.parametrize(
    "media_type",
    [
        *(BUNDLE_TYPE, RELEASE_TYPE, RECORD_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, EMPTY_TYPE),
        *(ENTRY_TYPE, ENTRY_MEDIA_TYPE),
    ],
)
def test_every_media_type_is_told(media_type: str) -> None:
    assert f"`{media_type}`" in ARTIFACT


def test_the_tag_shown_for_a_ledger_entry_is_the_one_made() -> None:
    tag = entry_tag(LedgerName("fares", "fare-amount", "prod"), 1)
    assert tag == "ledger.prod.fare-amount.000000001"
    assert f"`{tag.replace('fare-amount', '<model>').replace('000000001', '<number>')}`" in ARTIFACT


def test_the_tag_shown_for_an_odd_name_is_the_one_made() -> None:
    assert f"`{release_tag('prod', '1.2.0+build.7')}`" in ARTIFACT
