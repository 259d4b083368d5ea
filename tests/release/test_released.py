"""What was released, read again: compared with the release after it, and proven against its record."""

import shutil
from pathlib import Path

import pytest
from tests.repositories import ROOT
from tests.store.examples import example_bundle, example_record

from mlops_config.contract.validation import validate
from mlops_config.contract.validators import Validators
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.pipeline import bundle_of
from mlops_config.release.history import compare_with_previous, meanings_of
from mlops_config.release.naming import image_repository
from mlops_config.release.record import BundleLocation, PreviousRelease, ReleaseRecord
from mlops_config.release.signoff import stores_of
from mlops_config.release.verification import verify_record
from mlops_config.settings import Settings
from mlops_config.store import open_store
from mlops_config.store.interface import Store

ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


def compared(store: Store, record: ReleaseRecord, previous: ReleaseRecord) -> str | None:
    """Why the two were not compared."""
    follows = PreviousRelease(
        name=previous.name, commit=previous.source.commit, config_digest=previous.config_digest
    )
    now = meanings_of(validate(ROOT, Settings(), ["prod"]).environment("prod"))
    validators = Validators(None, ROOT, light=False)
    record = record.model_copy(update={"previous": follows})
    return compare_with_previous(record, now, [store], validators).not_compared


def test_a_release_whose_files_are_gone_is_not_compared(store: Store) -> None:
    earlier = example_bundle(rows=1)
    said = compared(store, example_record(example_bundle()), example_record(earlier, "1.1.0"))
    assert said == f"no store holds the earlier files {earlier.digest}"


def test_a_release_of_an_older_contract_is_not_compared(store: Store) -> None:
    earlier = example_bundle(rows=1)
    store.publish_bundle(earlier)
    said = compared(store, example_record(example_bundle()), example_record(earlier, "1.1.0"))
    assert said == "the earlier files do not fit this version of the contract"


def test_a_release_of_files_that_mean_the_same_is_compared(store: Store) -> None:
    bundle = bundle_of(validate(ROOT, Settings(), ["prod"]).environment("prod"))
    store.publish_bundle(bundle)
    assert compared(store, example_record(bundle), example_record(bundle, "1.1.0")) is None


@pytest.fixture
def released(store: Store, tmp_path: Path) -> tuple[Path, ReleaseRecord]:
    """A published record as a file, and what it says."""
    bundle = example_bundle()
    record = example_record(bundle)
    location = BundleLocation(store=store.uri, uri=store.publish_bundle(bundle).uri)
    record = record.model_copy(update={"bundles": (location,)})
    store.publish_release(record)
    path = tmp_path / "release.json"
    path.write_bytes(record.to_json())
    return path, record


def proven(path: Path, digest: str | None = None) -> list[str]:
    return list(verify_record(path, digest, ENVIRONMENTS))


def test_a_release_that_is_as_its_record_says_is_proven(released: tuple[Path, ReleaseRecord]) -> None:
    assert [line.partition(": ")[2].split()[0] for line in proven(released[0])] == ["prod", "bundle"]


def test_another_digest_than_the_one_expected_is_refused(released: tuple[Path, ReleaseRecord]) -> None:
    with pytest.raises(IntegrityError, match="is of configs sha256:"):
        proven(released[0], "sha256:" + "0" * 64)


def test_a_store_without_the_bundle_is_named(released: tuple[Path, ReleaseRecord], tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store" / "fares" / "bundles")
    with pytest.raises(IntegrityError, match="does not hold the bundle sha256:"):
        proven(released[0])


def test_a_store_with_another_record_of_the_name_is_named(released: tuple[Path, ReleaseRecord]) -> None:
    path, record = released
    path.write_bytes(record.model_copy(update={"model_name": "other"}).to_json())
    with pytest.raises(IntegrityError, match="holds another record of prod"):
        proven(path)
    path.write_bytes(record.model_copy(update={"version": "9.9.9"}).to_json())
    with pytest.raises(IntegrityError, match="holds no record of prod"):
        proven(path)


def test_a_record_that_lists_other_files_is_refused(released: tuple[Path, ReleaseRecord]) -> None:
    path, record = released
    path.write_bytes(record.model_copy(update={"files": record.files[1:]}).to_json())
    with pytest.raises(IntegrityError, match="is not what the release record says"):
        proven(path)


def test_what_was_not_published_has_no_ledger() -> None:
    with pytest.raises(UsageError, match="is in no store"):
        stores_of(example_record(example_bundle()))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{project}/{team}", "braces this command does not fill in"),
        ("ghcr.io/acme/fares:1", "carries a tag or digest"),
        ("ghcr.io/acme/fares@sha256:00", "carries a tag or digest"),
    ],
)
def test_a_template_of_no_repository_is_refused(template: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        image_repository(template, example_record(example_bundle()))


def test_a_registry_may_have_a_port() -> None:
    record = example_record(example_bundle())
    named = image_repository("localhost:5000/{project}-{environment}", record)
    assert named == "localhost:5000/fares-prod"
