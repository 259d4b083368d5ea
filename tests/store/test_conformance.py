"""What every store does, whatever lies behind it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.store.backends import Backend, flipped
from tests.store.examples import COMMIT, PROJECT, example_bundle, example_record

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.store.interface import Current, CurrentMovedError, ObjectExistsError

WRITERS = 6


def released(backend: Backend, version: str = "1.2.0", environment: str = "prod") -> None:
    """Publishes a bundle and a release of it."""
    bundle = example_bundle(environment)
    store = backend.open()
    store.publish_bundle(bundle)
    store.publish_release(example_record(bundle, version))


def test_an_empty_store_holds_nothing(backend: Backend) -> None:
    store = backend.open()
    assert store.fetch_bundle(PROJECT, example_bundle().digest) is None
    assert store.fetch_release(PROJECT, "prod", "1.2.0") is None
    assert list(store.release_names(PROJECT, "prod")) == []
    assert store.current(PROJECT, "prod") is None


def test_its_uri_is_the_one_it_was_opened_with(backend: Backend) -> None:
    assert backend.open().uri == backend.uri


def test_a_published_bundle_is_read_back_byte_for_byte(backend: Backend) -> None:
    bundle = example_bundle()
    published = backend.open().publish_bundle(bundle)
    assert published.created
    assert published.uri.startswith(backend.uri)
    assert backend.open().fetch_bundle(PROJECT, bundle.digest) == bundle


def test_a_bundle_that_is_there_is_not_written_again(backend: Backend) -> None:
    bundle = example_bundle()
    first = backend.open().publish_bundle(bundle)
    second = backend.open().publish_bundle(bundle)
    assert (second.uri, second.created) == (first.uri, False)


def test_bundles_of_several_environments_lie_side_by_side(backend: Backend) -> None:
    bundles = [example_bundle("dev"), example_bundle("prod"), example_bundle("prod", rows=4)]
    store = backend.open()
    for bundle in bundles:
        assert store.publish_bundle(bundle).created
    assert [store.fetch_bundle(PROJECT, bundle.digest) for bundle in bundles] == bundles


def test_a_bundle_without_its_manifest_is_not_there_and_publishing_completes_it(backend: Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    backend.remove_manifest(bundle)
    assert backend.open().fetch_bundle(PROJECT, bundle.digest) is None
    assert backend.open().publish_bundle(bundle).created
    assert backend.open().fetch_bundle(PROJECT, bundle.digest) == bundle


def test_a_file_with_other_bytes_is_an_integrity_error(backend: Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    file = bundle.files[2]
    backend.overwrite_file(bundle, file.name, flipped(file.data))
    with pytest.raises(IntegrityError, match="is not what"):
        backend.open().fetch_bundle(PROJECT, bundle.digest)


def test_a_file_of_another_length_is_an_integrity_error(backend: Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    file = bundle.files[0]
    backend.overwrite_file(bundle, file.name, file.data + b"# and more\n")
    with pytest.raises(IntegrityError):
        backend.open().fetch_bundle(PROJECT, bundle.digest)


def test_a_missing_file_is_an_integrity_error(backend: Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    backend.remove_file(bundle, bundle.files[1].name)
    with pytest.raises(IntegrityError, match=r"lacks|missing"):
        backend.open().fetch_bundle(PROJECT, bundle.digest)


def test_a_manifest_of_other_content_is_an_integrity_error(backend: Backend) -> None:
    bundle, other = example_bundle(rows=3), example_bundle(rows=4)
    backend.open().publish_bundle(bundle)
    backend.overwrite_file(bundle, "manifest.json", other.manifest())
    with pytest.raises(IntegrityError):
        backend.open().fetch_bundle(PROJECT, bundle.digest)


def test_a_published_release_is_read_back(backend: Backend) -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    backend.open().publish_bundle(bundle)
    published = backend.open().publish_release(record)
    assert published.created
    assert published.uri.startswith(backend.uri)
    assert backend.open().fetch_release(PROJECT, "prod", "1.2.0") == record


def test_the_same_release_again_is_a_no_op(backend: Backend) -> None:
    released(backend)
    again = backend.open().publish_release(example_record(example_bundle()))
    assert not again.created


def test_another_release_under_the_same_name_is_refused_and_the_first_stays(backend: Backend) -> None:
    bundle = example_bundle()
    first, second = example_record(bundle), example_record(bundle, commit="f" * 40)
    backend.open().publish_bundle(bundle)
    backend.open().publish_release(first)
    with pytest.raises(ObjectExistsError, match="other content") as refused:
        backend.open().publish_release(second)
    assert refused.value.hint
    assert backend.open().fetch_release(PROJECT, "prod", "1.2.0") == first


def test_a_release_whose_bundle_is_not_there_is_refused(backend: Backend) -> None:
    with pytest.raises(UsageError, match="bundle"):
        backend.open().publish_release(example_record(example_bundle()))
    assert backend.open().fetch_release(PROJECT, "prod", "1.2.0") is None


def test_a_record_with_other_bytes_is_an_integrity_error(backend: Backend) -> None:
    released(backend)
    record = example_record(example_bundle())
    backend.overwrite_record(record, flipped(record.to_json()))
    with pytest.raises(IntegrityError):
        backend.open().fetch_release(PROJECT, "prod", "1.2.0")


def test_a_record_of_another_release_under_this_name_is_an_integrity_error(backend: Backend) -> None:
    released(backend)
    record = example_record(example_bundle())
    backend.overwrite_record(record, example_record(example_bundle(), "1.2.1").to_json())
    with pytest.raises(IntegrityError):
        backend.open().fetch_release(PROJECT, "prod", "1.2.0")


@pytest.mark.parametrize(
    "name",
    ["1.2.0", "1.2.0-rc.1", "1.2.0+build.7", "current", "2026 spring/first", "eu-1.0.0", "v" * 90, "ü"],
)
def test_any_release_name_is_kept_as_it_is(backend: Backend, name: str) -> None:
    released(backend, name)
    found = backend.open().fetch_release(PROJECT, "prod", name)
    assert found is not None
    assert found.name == name
    assert list(backend.open().release_names(PROJECT, "prod")) == [name]
    assert backend.open().current(PROJECT, "prod") is None


def test_a_release_without_version_is_found_by_its_commit(backend: Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    backend.open().publish_release(example_record(bundle, version=None))
    assert list(backend.open().release_names(PROJECT, "prod")) == [COMMIT]


def test_releases_of_environments_with_like_names_are_kept_apart(backend: Backend) -> None:
    released(backend, "1.2.0", "prod")
    released(backend, "eu-1.2.0", "prod")
    released(backend, "1.2.0", "prod-eu")
    released(backend, "1.3.0", "prod-eu")
    store = backend.open()
    assert set(store.release_names(PROJECT, "prod")) == {"1.2.0", "eu-1.2.0"}
    assert set(store.release_names(PROJECT, "prod-eu")) == {"1.2.0", "1.3.0"}
    found = store.fetch_release(PROJECT, "prod-eu", "1.2.0")
    assert found is not None
    assert found.environment == "prod-eu"


def test_the_pointer_starts_at_the_first_release_and_moves_on(backend: Backend) -> None:
    released(backend, "1.2.0")
    released(backend, "1.3.0")
    store = backend.open()
    first = store.set_current(example_record(example_bundle(), "1.2.0"), None)
    assert backend.open().current(PROJECT, "prod") == first
    second = store.set_current(example_record(example_bundle(), "1.3.0"), first)
    assert (second.release, second.config_digest) == ("1.3.0", example_bundle().digest)
    assert backend.open().current(PROJECT, "prod") == second


def test_the_pointer_can_go_back(backend: Backend) -> None:
    released(backend, "1.2.0")
    released(backend, "1.3.0")
    store = backend.open()
    first = store.set_current(example_record(example_bundle(), "1.2.0"), None)
    second = store.set_current(example_record(example_bundle(), "1.3.0"), first)
    back = store.set_current(example_record(example_bundle(), "1.2.0"), second)
    assert back.release == "1.2.0"


def test_each_environment_has_its_own_pointer(backend: Backend) -> None:
    released(backend, "1.2.0", "prod")
    released(backend, "1.2.0", "dev")
    backend.open().set_current(example_record(example_bundle("dev")), None)
    assert backend.open().current(PROJECT, "prod") is None


def stale_token(first: Current) -> Current | None:
    return first


def no_token(_first: Current) -> Current | None:
    return None


@pytest.mark.parametrize("expected", [stale_token, no_token])
def test_a_pointer_that_moved_since_it_was_read_is_left_alone(
    backend: Backend, expected: Callable[[Current], Current | None]
) -> None:
    for version in ("1.2.0", "1.3.0", "1.4.0"):
        released(backend, version)
    store = backend.open()
    first = store.set_current(example_record(example_bundle(), "1.2.0"), None)
    second = store.set_current(example_record(example_bundle(), "1.3.0"), first)
    with pytest.raises(CurrentMovedError, match=r"1\.3\.0") as refused:
        store.set_current(example_record(example_bundle(), "1.4.0"), expected(first))
    assert refused.value.hint
    assert store.current(PROJECT, "prod") == second


def test_a_pointer_that_is_gone_since_it_was_read_is_not_made_anew(backend: Backend) -> None:
    released(backend)
    gone = Current("1.1.0", example_bundle().digest, "sha256:" + "0" * 64)
    with pytest.raises(CurrentMovedError, match="nothing"):
        backend.open().set_current(example_record(example_bundle()), gone)
    assert backend.open().current(PROJECT, "prod") is None


def test_the_pointer_never_names_a_release_that_is_not_there(backend: Backend) -> None:
    backend.open().publish_bundle(example_bundle())
    with pytest.raises(UsageError, match="release"):
        backend.open().set_current(example_record(example_bundle()), None)
    assert backend.open().current(PROJECT, "prod") is None


def at_once(actions: list[Callable[[], object]]) -> list[object]:
    """What the actions return or raise, started in the same moment in threads of their own."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return action()
        except (IntegrityError, CurrentMovedError) as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_publishers_of_the_same_bundle_in_one_moment_all_succeed(backend: Backend) -> None:
    bundle = example_bundle()
    results = at_once([lambda: backend.open().publish_bundle(bundle).created] * WRITERS)
    assert set(results) <= {True, False}
    assert True in results
    assert backend.open().fetch_bundle(PROJECT, bundle.digest) == bundle


def test_of_different_releases_under_one_name_in_one_moment_one_wins(exclusive_backend: Backend) -> None:
    bundle = example_bundle()
    exclusive_backend.open().publish_bundle(bundle)
    records = [example_record(bundle, commit=f"{number:040x}") for number in range(WRITERS)]
    results = at_once(
        [lambda record=record: exclusive_backend.open().publish_release(record) for record in records]
    )
    losers = [result for result in results if isinstance(result, ObjectExistsError)]
    assert len(losers) == WRITERS - 1
    assert exclusive_backend.open().fetch_release(PROJECT, "prod", "1.2.0") in records


def test_of_several_moves_of_the_pointer_in_one_moment_one_wins(exclusive_backend: Backend) -> None:
    versions = [f"1.{number}.0" for number in range(WRITERS)]
    for version in versions:
        released(exclusive_backend, version)
    records = [example_record(example_bundle(), version) for version in versions]
    results = at_once(
        [lambda record=record: exclusive_backend.open().set_current(record, None) for record in records]
    )
    winners = [result for result in results if isinstance(result, Current)]
    assert len(winners) == 1
    assert exclusive_backend.open().current(PROJECT, "prod") == winners[0]


def test_of_publishers_of_the_same_bundle_in_one_moment_one_put_it_there(exclusive_backend: Backend) -> None:
    bundle = example_bundle()
    results = at_once([lambda: exclusive_backend.open().publish_bundle(bundle).created] * WRITERS)
    assert sorted(results, key=bool) == [False] * (WRITERS - 1) + [True]
