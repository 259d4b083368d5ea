"""What the store in Google Cloud Storage writes, and what it says when Google does not let it."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.services.flaky_proxy import ALWAYS, Answer, Drop, FlakyProxy, flaky_proxy
from tests.services.gcs import BUCKET, VARIABLE
from tests.services.processes import free_port
from tests.store.backends import GcsBackend
from tests.store.examples import PROJECT, example_bundle, example_record

from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError
from mlops_config.retrying import Retries
from mlops_config.store.gcs import SCOPE, GcsStore, _open_service
from mlops_config.store.interface import ObjectExistsError

pytestmark = pytest.mark.e2e

Opened = Callable[..., GcsStore]
LARGE = bytes(range(256)) * (9 << 12)
"""9 MiB: more than the 8 MiB up to which Google's own client sends one request."""


@pytest.fixture
def backend(gcs_bucket: str, monkeypatch: pytest.MonkeyPatch) -> GcsBackend:
    monkeypatch.setenv(VARIABLE, gcs_bucket)
    return GcsBackend(gcs_bucket, BUCKET)


@pytest.fixture
def proxy(gcs_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyProxy]:
    """A proxy before the server; the environment leads to it."""
    with flaky_proxy(gcs_bucket.removeprefix("http://")) as running:
        monkeypatch.setenv(VARIABLE, f"http://{running.host}")
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def opened(waits: list[float]) -> Opened:
    """Opens a store with the environment of the moment; it notes its waits and does not sleep."""
    return lambda bucket=BUCKET: GcsStore(
        bucket, "x", retries=Retries(sleep=waits.append, jitter=lambda: 0.0)
    )


def refusal(status: int, message: str = "said so") -> Answer:
    """An error as Google writes it."""
    body = {"error": {"code": status, "message": message, "errors": [{"message": message}]}}
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def failure_of(action: Callable[[], object]) -> MlopsConfigError:
    with pytest.raises(ServiceError) as failed:
        action()
    return failed.value


def described(endpoint: str, key: str) -> dict[str, Any]:
    """The object's metadata."""
    url = f"{endpoint}/storage/v1/b/{BUCKET}/o/{requests.utils.quote(key, safe='')}"
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def test_the_layout_is_the_documented_one(backend: GcsBackend) -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    store = backend.open()
    folder = f"fares/bundles/sha256/{bundle.digest.removeprefix('sha256:')}"
    assert store.publish_bundle(bundle).uri == f"{backend.uri}/{folder}/"
    assert store.publish_release(record).uri == f"{backend.uri}/fares/releases/prod/1.2.0.json"
    store.set_current(record, None)
    listed = GcsStore(BUCKET, backend.prefix).keys("")
    assert sorted(listed) == [
        f"{folder}/manifest.json",
        f"{folder}/prod_inference_config.yaml",
        f"{folder}/prod_monitoring_config.yaml",
        f"{folder}/prod_retrain_config.yaml",
        f"{folder}/prod_training_config.yaml",
        "fares/environments/prod/current.json",
        "fares/releases/prod/1.2.0.json",
    ]


def test_objects_have_their_content_type_and_checksum(backend: GcsBackend) -> None:
    GcsStore(BUCKET, backend.prefix).put_if_absent("a/b.yaml", b"hello")
    found = described(backend.endpoint, f"{backend.prefix}/a/b.yaml")
    # 9a71bb4c is the CRC32C of "hello", as RFC 3720 defines it; Google writes it in base64.
    assert (found["contentType"], found["crc32c"], found["size"]) == ("application/yaml", "mnG7TA==", "5")


def test_googles_own_client_reads_what_we_write_and_the_other_way_round(backend: GcsBackend) -> None:
    from google.cloud import storage

    ours = GcsStore(BUCKET, backend.prefix)
    bucket = storage.Client(project="test").bucket(BUCKET)
    ours.put_if_absent("a/ü +%.json", b"ours")
    theirs = bucket.blob(f"{backend.prefix}/a/ü +%.json")
    assert theirs.download_as_bytes() == b"ours"
    assert str(theirs.generation) == ours.get("a/ü +%.json").token  # type: ignore[union-attr]
    bucket.blob(f"{backend.prefix}/b.json").upload_from_string(b"theirs", if_generation_match=0)
    assert ours.get("b.json").data == b"theirs"  # type: ignore[union-attr]


def test_a_bucket_without_prefix_is_used_from_its_root(backend: GcsBackend) -> None:
    GcsStore(BUCKET, "").put_if_absent(f"{backend.prefix}/root.json", b"x")
    assert described(backend.endpoint, f"{backend.prefix}/root.json")["size"] == "1"


def test_a_large_object_is_one_conditional_request(opened: Opened, proxy: FlakyProxy) -> None:
    store = opened()
    key = f"large-{proxy.host}"
    assert store.put_if_absent(key, LARGE) is True
    assert [method for method, _ in proxy.requests] == ["POST"]
    (path,) = [path for _, path in proxy.requests]
    assert path.endswith("?uploadType=multipart&ifGenerationMatch=0")
    assert store.put_if_absent(key, LARGE) is False
    with pytest.raises(ObjectExistsError):
        store.put_if_absent(key, LARGE[:-1] + b"x")
    assert store.get(key).data == LARGE  # type: ignore[union-attr]


def test_of_many_writers_of_a_large_object_one_wins(backend: GcsBackend) -> None:
    store = GcsStore(BUCKET, backend.prefix)
    barrier = threading.Barrier(4)

    def write(number: int) -> bool:
        data = LARGE + bytes([number])
        barrier.wait()
        try:
            return store.put_if_absent("contested", data)
        except ObjectExistsError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(write, range(4))) == [False, False, False, True]


def test_the_pointer_is_never_cached(backend: GcsBackend) -> None:
    store = GcsStore(BUCKET, backend.prefix)
    token = store.compare_and_swap("current.json", b"1", None)
    found = described(backend.endpoint, f"{backend.prefix}/current.json")
    assert (found["generation"], found["cacheControl"]) == (token, "no-store")


def test_all_pages_of_a_listing_are_read(opened: Opened, proxy: FlakyProxy) -> None:
    first = {"items": [{"name": "x/n/1"}], "nextPageToken": "more"}
    proxy.fail(Answer(200, {"Content-Type": "application/json"}, json.dumps(first).encode()))
    second = {"items": [{"name": "x/n/2"}, {"name": "x/n/3"}]}
    proxy.fail(Answer(200, {"Content-Type": "application/json"}, json.dumps(second).encode()))
    assert list(opened().keys("n/")) == ["n/1", "n/2", "n/3"]
    assert [path.partition("pageToken=")[2] for _, path in proxy.requests] == ["", "more"]


def test_a_file_changed_behind_our_back_stops_publishing(backend: GcsBackend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    backend.overwrite_file(bundle, bundle.files[0].name, b"other")
    with pytest.raises(MlopsConfigError, match="other content") as refused:
        backend.open().publish_bundle(bundle)
    assert refused.value.exit_code == 4


def test_a_write_whose_answer_got_lost_counts_as_ours(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    store = opened()
    proxy.fail(Drop(delivered=True), when=lambda method, _: method == "POST")
    token = store.compare_and_swap(f"pointer-{proxy.host}", b"1", None)
    assert token == store.get(f"pointer-{proxy.host}").token  # type: ignore[union-attr]
    assert len(waits) == 1


def test_a_throttled_bucket_is_tried_again(opened: Opened, proxy: FlakyProxy, waits: list[float]) -> None:
    proxy.fail(refusal(429, "The object exceeded the rate limit for object mutation operations"), times=2)
    assert opened().current(PROJECT, "prod") is None
    assert len(waits) == 2


def test_an_answer_that_does_not_match_its_checksum_is_read_again(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    store = opened()
    store.put_if_absent("checked", b"right")
    header = {"x-goog-hash": "md5=AAAA,crc32c=AAAAAA==", "x-goog-generation": "1"}
    proxy.fail(Answer(200, header, b"wrong"), when=lambda method, _: method == "GET")
    assert store.get("checked").data == b"right"  # type: ignore[union-attr]
    assert len(waits) == 1


def test_a_write_that_google_found_damaged_is_sent_again(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    said = 'Provided CRC32C "mnG7TA==" doesn\'t match calculated CRC32C "AAAAAA==".'
    proxy.fail(refusal(400, said), when=lambda method, _: method == "POST")
    assert opened().put_if_absent(f"damaged-{proxy.host}", b"hello") is True
    assert len(waits) == 1


def test_a_write_stored_with_another_checksum_is_an_integrity_error(
    opened: Opened, proxy: FlakyProxy
) -> None:
    stored = json.dumps({"generation": "1", "crc32c": "AAAAAA=="}).encode()
    proxy.fail(Answer(200, {"Content-Type": "application/json"}, stored))
    with pytest.raises(IntegrityError, match="was stored with the CRC32C checksum AAAAAA=="):
        opened().put_if_absent("bent", b"hello")


def test_an_object_larger_than_any_of_ours_is_not_read(
    backend: GcsBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_config.store.gcs.OBJECT_LIMIT_BYTES", 4)
    store = GcsStore(BUCKET, backend.prefix)
    store.put_if_absent("big", b"hello")
    with pytest.raises(IntegrityError, match="larger than the 4 bytes"):
        store.get("big")


@pytest.mark.parametrize(
    "action",
    [
        lambda store: store.publish_bundle(example_bundle()),
        lambda store: store.current(PROJECT, "prod"),
        lambda store: list(store.release_names(PROJECT, "prod")),
    ],
)
def test_a_missing_bucket_is_told_with_the_command_that_makes_it(
    opened: Opened, proxy: FlakyProxy, waits: list[float], action: Callable[[GcsStore], object]
) -> None:
    assert proxy.host
    error = failure_of(lambda: action(opened("no-such-bucket")))
    assert "there is no bucket no-such-bucket" in error.message
    assert error.hint
    assert "gcloud storage buckets create gs://no-such-bucket" in error.hint
    assert error.exit_code == 3
    assert waits == []


def test_whether_the_bucket_is_there_is_asked_once_and_only_if_google_does_not_say(
    opened: Opened, proxy: FlakyProxy
) -> None:
    store = opened()
    proxy.fail(Answer(404, {}, f"No such object: {BUCKET}/x/a".encode()))
    assert [store.get(name) for name in ("a", "b", "c")] == [None, None, None]
    lists = [path for _, path in proxy.requests if "maxResults" in path]
    assert len(lists) == 1
    assert len(proxy.requests) == 4


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (403, "ada@example.com does not have storage.objects.create access.", "roles/storage.objectUser"),
        (401, "Invalid Credentials", "gcloud auth application-default login"),
        (
            400,
            "Bucket is a requester pays bucket but no user project provided.",
            "GOOGLE_CLOUD_QUOTA_PROJECT",
        ),
        (403, "Caller needs serviceusage.services.use on project 7.", "GOOGLE_CLOUD_QUOTA_PROJECT"),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do(
    opened: Opened, proxy: FlakyProxy, waits: list[float], status: int, message: str, hint: str
) -> None:
    proxy.fail(refusal(status, message), times=ALWAYS)
    for action in (
        lambda: opened().publish_bundle(example_bundle()),
        lambda: opened().current(PROJECT, "prod"),
        lambda: list(opened().release_names(PROJECT, "prod")),
    ):
        error = failure_of(action)
        assert f"Google Cloud Storage answered {status}: {message}" in error.message
        assert error.hint
        assert hint in error.hint
    assert waits == []


TAKEN = refusal(403, "ci@acme-ml-dev.iam does not have storage.objects.delete access to the object.")


def test_one_who_may_only_create_finds_that_a_name_is_taken(opened: Opened, proxy: FlakyProxy) -> None:
    store = opened()
    assert store.put_if_absent("taken", b"hello")
    proxy.fail(TAKEN)
    assert not store.put_if_absent("taken", b"hello")
    proxy.fail(TAKEN)
    with pytest.raises(ObjectExistsError, match="taken is there with other content"):
        store.put_if_absent("taken", b"world")
    stored = store.get("taken")
    assert stored
    proxy.fail(TAKEN)
    with pytest.raises(ServiceError, match=r"storage\.objects\.delete"):
        store.compare_and_swap("taken", b"world", stored.token)


@pytest.fixture
def no_machine_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a laptop: nobody asks the metadata server of a machine in the cloud."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PATH", "")


@pytest.mark.usefixtures("no_machine_credentials")
def test_without_credentials_the_error_says_how_to_give_some(opened: Opened) -> None:
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "default credentials were not found" in error.message
    assert error.hint
    assert "google-github-actions/auth" in error.hint


@pytest.mark.usefixtures("no_machine_credentials")
def test_a_credentials_file_that_is_not_there_is_told(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "none.json" in error.message
    assert error.hint


@pytest.fixture
def service_account(
    no_machine_credentials: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[FlakyProxy]:
    """A service account's key file whose tokens come from the server that is returned."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with flaky_proxy("127.0.0.1:9") as tokens:
        account = {
            "type": "service_account",
            "client_email": "releases@acme.iam.gserviceaccount.com",
            "private_key": key.decode(),
            "token_uri": f"http://{tokens.host}/token",
            "project_id": "acme",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        yield tokens


def token(status: int, **document: object) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def test_requests_carry_the_token_of_the_service_account(
    service_account: FlakyProxy, opened: Opened, gcs_bucket: str
) -> None:
    service_account.fail(token(200, access_token="t0k3n", expires_in=3600, token_type="Bearer"))
    service = _open_service()
    assert service.endpoint == "https://storage.googleapis.com"
    with flaky_proxy(gcs_bucket.removeprefix("http://")) as seen:
        store = opened()
        store._opened = replace(service, endpoint=f"http://{seen.host}")
        store.put_if_absent(f"with-token-{seen.host}", b"x")
        assert store.get(f"with-token-{seen.host}")
        assert seen.authorized == seen.requests
    assert service.authorize("GET", "https://x")["authorization"] == "Bearer t0k3n"
    assert service_account.requests == [("POST", "/token")]


def test_a_refused_account_is_told_at_once(
    service_account: FlakyProxy, opened: Opened, waits: list[float]
) -> None:
    refused = token(400, error="invalid_grant", error_description="Invalid grant: account not found")
    service_account.fail(refused, times=ALWAYS)
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "Google gave no access token" in error.message
    assert "account not found" in error.message
    assert error.hint
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.hint
    assert waits == []


def test_the_token_may_read_and_write_objects_and_no_more() -> None:
    assert SCOPE.endswith("/devstorage.read_write")


def test_an_endpoint_nobody_listens_on_is_told(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv(VARIABLE, address)
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert address in error.message
    assert "tried 5 times" in error.message
    assert len(waits) == 4
