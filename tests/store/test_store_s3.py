"""What the store in S3 writes, and what it says when S3 does not let it."""

import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from tests.services.flaky_proxy import ALWAYS, Answer, FlakyProxy, flaky_proxy
from tests.services.processes import free_port
from tests.services.s3 import BUCKET, lead_to
from tests.store.backends import S3Backend
from tests.store.examples import PROJECT, example_bundle, example_record

from mlops_config.errors import MlopsConfigError, ServiceError
from mlops_config.retrying import Retries
from mlops_config.store.s3 import CONNECT_SECONDS, READ_SECONDS, S3Store, open_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.e2e

Opened = Callable[..., S3Store]


@pytest.fixture
def backend(s3_client: "S3Client") -> S3Backend:
    return S3Backend(s3_client, BUCKET)


@pytest.fixture
def proxy(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyProxy]:
    """A proxy before the server; the environment leads to it."""
    with flaky_proxy(s3_endpoint.removeprefix("http://")) as running:
        lead_to(f"http://{running.host}", monkeypatch)
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def opened(waits: list[float]) -> Opened:
    """Opens a store with the environment of the moment; it notes its waits and does not sleep."""
    return lambda bucket=BUCKET: S3Store(bucket, "x", retries=Retries(sleep=waits.append, jitter=lambda: 0.0))


def refusal(status: int, code: str, message: str = "said so") -> Answer:
    """An error as S3 writes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def failure_of(action: Callable[[], object]) -> MlopsConfigError:
    with pytest.raises(ServiceError) as failed:
        action()
    return failed.value


def test_the_layout_is_the_documented_one(backend: S3Backend, s3_client: "S3Client") -> None:
    bundle = example_bundle()
    record = example_record(bundle)
    store = backend.open()
    assert store.publish_bundle(bundle).uri == (
        f"{backend.uri}/fares/bundles/sha256/{bundle.digest.removeprefix('sha256:')}/"
    )
    assert store.publish_release(record).uri == f"{backend.uri}/fares/releases/prod/1.2.0.json"
    store.set_current(record, None)
    listed = s3_client.list_objects_v2(Bucket=BUCKET, Prefix=f"{backend.prefix}/")["Contents"]
    folder = f"{backend.prefix}/fares/bundles/sha256/{bundle.digest.removeprefix('sha256:')}"
    assert [entry["Key"] for entry in listed] == [
        f"{folder}/manifest.json",
        f"{folder}/prod_inference_config.yaml",
        f"{folder}/prod_monitoring_config.yaml",
        f"{folder}/prod_retrain_config.yaml",
        f"{folder}/prod_training_config.yaml",
        f"{backend.prefix}/fares/environments/prod/current.json",
        f"{backend.prefix}/fares/releases/prod/1.2.0.json",
    ]


def test_files_have_their_content_type(backend: S3Backend, s3_client: "S3Client") -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    folder = f"{backend.prefix}/fares/bundles/sha256/{bundle.digest.removeprefix('sha256:')}"
    types = [
        s3_client.head_object(Bucket=BUCKET, Key=f"{folder}/{name}")["ContentType"]
        for name in ("manifest.json", "prod_training_config.yaml")
    ]
    assert types == ["application/json", "application/yaml"]


def test_a_bucket_without_prefix_is_used_from_its_root(s3_client: "S3Client") -> None:
    s3_client.create_bucket(Bucket="whole-bucket")
    store = S3Store("whole-bucket", "", client=s3_client)
    store.publish_bundle(example_bundle())
    (first, *_) = s3_client.list_objects_v2(Bucket="whole-bucket")["Contents"]
    assert first["Key"].startswith("fares/bundles/sha256/")


def test_all_pages_of_a_listing_are_read(backend: S3Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    store = backend.open()
    bundle = example_bundle()
    store.publish_bundle(bundle)
    names = [f"1.{number}.0" for number in range(5)]
    for name in names:
        store.publish_release(example_record(bundle, name))
    real = backend.client.list_objects_v2
    monkeypatch.setattr(backend.client, "list_objects_v2", lambda **given: real(**given, MaxKeys=2))
    assert sorted(store.release_names(PROJECT, "prod")) == names


def test_a_file_changed_behind_our_back_stops_publishing(backend: S3Backend) -> None:
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    backend.overwrite_file(bundle, bundle.files[0].name, b"other")
    with pytest.raises(MlopsConfigError, match="other content") as refused:
        backend.open().publish_bundle(bundle)
    assert refused.value.exit_code == 4


def test_an_object_that_is_deleted_while_it_is_compared_is_told(opened: Opened, proxy: FlakyProxy) -> None:
    proxy.fail(refusal(412, "PreconditionFailed"), when=lambda method, _: method == "PUT")
    error = failure_of(lambda: opened().put_if_absent("gone", b"x"))
    assert "gone when it was read" in error.message


@pytest.mark.parametrize("status", [412, 304])
def test_a_write_refused_because_the_same_is_there_is_a_no_op(
    opened: Opened, proxy: FlakyProxy, status: int
) -> None:
    store = opened()
    store.put_if_absent(f"same-{status}", b"x")
    proxy.fail(Answer(status), when=lambda method, _: method == "PUT")
    assert store.put_if_absent(f"same-{status}", b"x") is False


def test_a_conflict_with_another_writer_is_tried_again(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    proxy.fail(refusal(409, "ConditionalRequestConflict"), times=2, when=lambda method, _: method == "PUT")
    assert opened().put_if_absent("contested", b"x") is True
    assert len(waits) == 2


def test_a_throttled_bucket_is_tried_again(opened: Opened, proxy: FlakyProxy, waits: list[float]) -> None:
    proxy.fail(refusal(503, "SlowDown", "Please reduce your request rate."), times=2)
    assert opened().current(PROJECT, "prod") is None
    assert len(waits) == 2


def test_an_answer_that_does_not_match_its_checksum_is_read_again(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    store = opened()
    store.put_if_absent("checked", b"right")
    header = {"x-amz-checksum-sha256": "AAAA", "ETag": '"x"'}
    proxy.fail(Answer(200, header, b"wrong"), when=lambda method, _: method == "GET")
    found = store.get("checked")
    assert found is not None
    assert found.data == b"right"
    assert len(waits) == 1


def test_a_missing_bucket_is_told_with_the_command_that_makes_it(
    opened: Opened, proxy: FlakyProxy, waits: list[float]
) -> None:
    assert proxy.host
    error = failure_of(lambda: opened("no-such-bucket").publish_bundle(example_bundle()))
    assert "there is no bucket no-such-bucket" in error.message
    assert error.hint == "create it, or mend the store's URI: aws s3 mb s3://no-such-bucket"
    assert error.exit_code == 3
    assert waits == []


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (403, "AccessDenied", "s3:GetObject, s3:PutObject and s3:ListBucket"),
        (403, "InvalidAccessKeyId", "aws sts get-caller-identity"),
        (403, "SignatureDoesNotMatch", "aws sts get-caller-identity"),
        (400, "ExpiredToken", "aws sts get-caller-identity"),
        (400, "AuthorizationHeaderMalformed", "set AWS_REGION"),
        (403, "RequestTimeTooSkewed", "clock"),
        (501, "NotImplemented", "conditional writes"),
    ],
)
def test_a_refusal_is_told_at_once_with_what_to_do(
    opened: Opened, proxy: FlakyProxy, waits: list[float], status: int, code: str, hint: str
) -> None:
    proxy.fail(refusal(status, code, "because"), times=ALWAYS)
    error = failure_of(lambda: opened().publish_bundle(example_bundle()))
    assert f"S3 answered {status} {code}: because" in error.message
    assert error.hint
    assert hint in error.hint
    assert waits == []


def test_without_credentials_the_error_says_how_to_give_some(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "Unable to locate credentials" in error.message
    assert error.hint
    assert "configure-aws-credentials" in error.hint
    assert proxy.requests == []


def test_half_of_the_credentials_are_told(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert error.hint
    assert "mend" in error.hint
    assert proxy.requests == []


def test_a_profile_that_does_not_exist_is_told(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "nobody" in error.message
    assert error.hint
    assert proxy.requests == []


def test_an_endpoint_nobody_listens_on_is_told(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    lead_to(endpoint, monkeypatch)
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert endpoint in error.message
    assert "tried 5 times" in error.message
    assert error.hint
    assert "AWS_ENDPOINT_URL_S3" in error.hint
    assert len(waits) == 4


def test_an_endpoint_without_the_tls_it_should_have_is_told_at_once(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    lead_to(f"https://{proxy.host}", monkeypatch)
    error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "cannot be reached safely" in error.message
    assert error.hint
    assert "AWS_CA_BUNDLE" in error.hint
    assert waits == []


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_endpoint_comes_from_the_environment(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.setenv(variable, f"http://localhost:{proxy.host.rpartition(':')[2]}")
    opened().current(PROJECT, "prod")
    (request,) = proxy.requests
    assert request == ("GET", f"/{BUCKET}/x/{PROJECT}/environments/prod/current.json")


def test_every_request_has_a_limit(proxy: FlakyProxy) -> None:
    config = open_client().meta.config
    assert proxy.host
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_SECONDS, READ_SECONDS)


def test_silence_ends_in_an_error(
    opened: Opened, proxy: FlakyProxy, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    assert proxy.host
    monkeypatch.setattr("mlops_config.store.s3.READ_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        lead_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        error = failure_of(lambda: opened().current(PROJECT, "prod"))
    assert "Read timeout" in error.message
    assert len(waits) == 4
