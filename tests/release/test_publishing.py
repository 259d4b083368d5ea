"""Publishing in order, going on after an interruption, telling what is in force; on a real folder store."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.kinds import Kind
from mlops_config.release.assembly import first_record
from mlops_config.release.publishing import Standing, publish
from mlops_config.release.record import BundleLocation, ImageRecord, ReleaseRecord
from mlops_config.release.source import Checkout
from mlops_config.store import open_store
from mlops_config.store.interface import Store

COMMIT = "4f2c1d" + "0" * 34
RECIPE = "sha256:" + "a" * 64


class Silent:
    def progress(self, line: str) -> None: ...

    def done(self, summary: str) -> None: ...


def bundle_of(text: str = "a: 1\n") -> Bundle:
    return Bundle.of("fares", "fare-regressor", "prod", {kind: text.encode() for kind in Kind})


def record_of(
    bundle: Bundle,
    *,
    version: str | None = "1.2.0",
    commit: str = COMMIT,
    recipe: str = RECIPE,
    pushed: bool = False,
) -> ReleaseRecord:
    checkout = Checkout("acme/fares", commit, None, "refs/heads/main", "main", ())
    record = first_record(bundle, (), checkout, version=version, actor=None, run_url=None)
    image = ImageRecord(
        repository="fares",
        tags=(commit,),
        config_digest=recipe,
        digest=None,
        base="scratch",
        base_digest=None,
        pushed=pushed,
    )
    return record.model_copy(update={"recipe": recipe, "image": image})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri())


def standing(*stores: Store) -> Standing:
    return Standing.read(stores, "fares", "prod")


def test_a_first_release_is_stored_and_pointed_at(store: Store) -> None:
    bundle = bundle_of()
    record = publish(record_of(bundle), bundle, standing(store), Silent())
    assert store.fetch_bundle("fares", bundle.digest) == bundle
    assert store.fetch_release("fares", "prod", "1.2.0") == record
    current = store.current("fares", "prod")
    assert current is not None
    assert (current.release, current.config_digest) == ("1.2.0", bundle.digest)
    assert [location.store for location in record.bundles] == [store.uri]


def test_the_same_release_again_is_in_force(store: Store) -> None:
    bundle = bundle_of()
    published = publish(record_of(bundle), bundle, standing(store), Silent())
    assert standing(store).in_force(record_of(bundle), pushed=False) == published


@pytest.mark.parametrize(
    "other",
    [
        lambda: record_of(bundle_of("a: 2\n"), recipe="sha256:" + "b" * 64),
        lambda: record_of(bundle_of(), version="1.3.0"),
    ],
    ids=["other content", "another version of the same content"],
)
def test_another_release_is_not_in_force(store: Store, other: Callable[[], ReleaseRecord]) -> None:
    publish(record_of(bundle_of()), bundle_of(), standing(store), Silent())
    assert standing(store).in_force(other(), pushed=False) is None


def test_a_commit_that_changes_nothing_is_in_force_under_the_earlier_name(store: Store) -> None:
    first = record_of(bundle_of(), version=None)
    publish(first, bundle_of(), standing(store), Silent())
    later = record_of(bundle_of(), version=None, commit="f" * 40)
    found = standing(store).in_force(later, pushed=False)
    assert found is not None
    assert found.name == COMMIT


def test_an_image_that_was_never_pushed_is_not_in_force_where_it_has_to_be(store: Store) -> None:
    publish(record_of(bundle_of()), bundle_of(), standing(store), Silent())
    assert standing(store).in_force(record_of(bundle_of()), pushed=True) is None


def test_a_store_that_is_behind_is_brought_to_the_same_release(store: Store, tmp_path: Path) -> None:
    other = open_store((tmp_path / "other").as_uri())
    first = publish(record_of(bundle_of()), bundle_of(), standing(store), Silent())
    both = standing(store, other)
    assert both.in_force(record_of(bundle_of()), pushed=False) is None
    earlier = both.earlier_run(record_of(bundle_of()))
    assert earlier == first
    publish(earlier, bundle_of(), both, Silent())
    assert other.fetch_release("fares", "prod", "1.2.0") == first


def test_a_version_is_never_given_to_other_content(store: Store) -> None:
    publish(record_of(bundle_of()), bundle_of(), standing(store), Silent())
    other = record_of(bundle_of("a: 2\n"), recipe="sha256:" + "b" * 64)
    with pytest.raises(IntegrityError, match=r"1\.2\.0 is in file://.* already") as caught:
        standing(store).earlier_run(other)
    assert "next version" in (caught.value.hint or "")


def test_a_release_by_someone_else_meanwhile_is_not_overwritten(store: Store) -> None:
    before = standing(store)
    publish(record_of(bundle_of(), version="1.0.0"), bundle_of(), standing(store), Silent())
    other = bundle_of("a: 2\n")
    with pytest.raises(ServiceError):
        publish(record_of(other, version="1.1.0", recipe="sha256:" + "b" * 64), other, before, Silent())
    current = store.current("fares", "prod")
    assert current is not None
    assert current.release == "1.0.0"


def test_a_run_stopped_before_the_pointer_moved_goes_on_from_there(store: Store) -> None:
    bundle = bundle_of()
    location = BundleLocation(store=store.uri, uri=store.publish_bundle(bundle).uri)
    first = record_of(bundle).model_copy(update={"bundles": (location,)})
    store.publish_release(first)
    again = record_of(bundle).model_copy(update={"created_at": datetime(2030, 1, 1, tzinfo=UTC)})
    now = standing(store)
    assert now.in_force(again, pushed=False) is None
    earlier = now.earlier_run(again)
    assert earlier == first
    publish(earlier, bundle, now, Silent())
    assert store.current("fares", "prod") is not None


def test_a_pointer_to_a_deleted_release_is_an_integrity_error(store: Store, tmp_path: Path) -> None:
    publish(record_of(bundle_of()), bundle_of(), standing(store), Silent())
    (tmp_path / "store" / "fares" / "releases" / "prod" / "1.2.0.json").unlink()
    with pytest.raises(IntegrityError, match="which is not there"):
        standing(store)
