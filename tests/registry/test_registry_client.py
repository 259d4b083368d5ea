"""The registry client against a real registry: what it writes, reads, checks and mends."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.flaky_proxy import ALWAYS, Answer, CutShort, Drop, FlakyProxy, flaky_proxy
from tests.services.registry import Registry

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.http import HttpClient
from mlops_config.registry.client import PLAIN_HTTP_VARIABLE, RegistryClient, speaks_plain_http
from mlops_config.registry.content import (
    EMPTY_BLOB,
    EMPTY_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from mlops_config.registry.credentials import Credentials
from mlops_config.registry.reference import Reference
from mlops_config.retrying import Retries

pytestmark = pytest.mark.e2e

MISSING = "sha256:" + "0" * 64


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository name of this test's own."""
    return "acme/" + "".join(
        letter if letter.isalnum() else "-" for letter in request.node.name.lower()
    ).strip("-")


@pytest.fixture
def client(registry: Registry, repository: str) -> RegistryClient:
    return RegistryClient(Reference(registry.host, repository))


@pytest.fixture
def proxy(registry: Registry) -> Iterator[FlakyProxy]:
    with flaky_proxy(registry.host) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """How long the client behind the proxy slept, without sleeping."""
    return []


@pytest.fixture
def flaky_client(proxy: FlakyProxy, repository: str, waits: list[float]) -> RegistryClient:
    http = HttpClient(retries=Retries(sleep=waits.append, jitter=lambda: 0.0))
    return RegistryClient(Reference(proxy.host, repository), http=http)


def artifact(client: RegistryClient, text: bytes, **fields: Any) -> Manifest:
    """A pushed artifact of one layer, its manifest not yet pushed."""
    client.push_blob(EMPTY_BLOB)
    layer = client.push_blob(text)
    return Manifest.of(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.test.v1",
            "config": EMPTY_CONFIG.to_json(),
            "layers": [layer.to_json()],
            **fields,
        }
    )


def test_nothing_is_there_at_first(client: RegistryClient) -> None:
    assert client.head("prod") is None
    assert client.manifest("prod") is None
    assert client.manifest(MISSING) is None
    assert list(client.tags()) == []
    assert client.referrers(MISSING) == []


def test_bytes_come_back(client: RegistryClient) -> None:
    descriptor = client.push_blob(b"hello")
    assert (descriptor.digest, descriptor.size) == (sha256_of(b"hello"), 5)
    assert client.blob(descriptor) == b"hello"


def test_an_empty_blob_comes_back(client: RegistryClient) -> None:
    assert client.blob(client.push_blob(b"")) == b""


def test_a_file_is_streamed_both_ways(client: RegistryClient, tmp_path: Path) -> None:
    source = tmp_path / "layer.tar"
    source.write_bytes(bytes(range(256)) * 20_000)
    descriptor = client.push_blob(source)
    with (tmp_path / "copy").open("w+b") as copy:
        client.blob_to(descriptor, copy)
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_a_blob_that_is_there_is_not_sent_again(flaky_client: RegistryClient, proxy: FlakyProxy) -> None:
    flaky_client.push_blob(b"once")
    proxy.requests.clear()
    flaky_client.push_blob(b"once")
    assert [method for method, _ in proxy.requests] == ["HEAD"]


def test_a_manifest_comes_back_byte_for_byte_by_tag_and_digest(client: RegistryClient) -> None:
    manifest = artifact(client, b"hello")
    assert client.put_manifest(manifest, "prod") == manifest.digest
    assert client.manifest("prod") == client.manifest(manifest.digest) == manifest
    found = client.head("prod")
    assert found is not None
    assert (found.media_type, found.digest, found.size) == (OCI_MANIFEST, manifest.digest, len(manifest.data))


def test_a_registry_that_does_not_tell_a_manifests_digest_is_asked_for_the_manifest(
    flaky_client: RegistryClient, proxy: FlakyProxy
) -> None:
    manifest = artifact(flaky_client, b"hello")
    flaky_client.put_manifest(manifest, "prod")
    proxy.fail(Answer(200, {"Content-Type": OCI_MANIFEST}), when=lambda method, _: method == "HEAD")
    found = flaky_client.head("prod")
    assert found is not None
    assert found.digest == manifest.digest


def test_credentials_do_not_go_where_a_registry_sends_an_upload(
    proxy: FlakyProxy, registry: Registry, repository: str
) -> None:
    credentials = Credentials("the test", "ada", "secret")
    client = RegistryClient(Reference(proxy.host, repository), find=lambda _: credentials)
    with flaky_proxy(registry.host) as storage:
        proxy.fail(Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}))
        location = {"Location": f"http://{storage.host}/upload?session=1"}
        proxy.fail(Answer(202, location), when=lambda method, _: method == "POST")
        storage.fail(Answer(201))
        client.push_blob(b"sent elsewhere")
        assert [method for method, _ in proxy.authorized] == ["HEAD", "POST"]
        (elsewhere,) = storage.requests
        assert elsewhere[0] == "PUT"
        assert elsewhere[1].startswith("/upload?session=1&digest=sha256:")
        assert storage.authorized == []


@pytest.mark.parametrize("body", [b"<html>", b""])
def test_a_list_that_is_not_json_is_a_service_error(
    flaky_client: RegistryClient, proxy: FlakyProxy, body: bytes
) -> None:
    proxy.fail(Answer(200, {}, body))
    with pytest.raises(ServiceError, match="not JSON"):
        list(flaky_client.tags())


@pytest.mark.parametrize(("body", "said"), [(b"{", "is not JSON"), (b"[]", "is not a JSON object")])
def test_a_manifest_that_is_not_json_is_an_integrity_error(
    flaky_client: RegistryClient, proxy: FlakyProxy, body: bytes, said: str
) -> None:
    proxy.fail(Answer(200, {"Content-Type": OCI_MANIFEST}, body))
    manifest = flaky_client.manifest("prod")
    assert manifest is not None
    with pytest.raises(IntegrityError, match=said):
        manifest.document()


def test_a_refusal_of_a_read_is_told_in_the_registrys_words(
    flaky_client: RegistryClient, proxy: FlakyProxy
) -> None:
    body = b'{"errors": [{"code": "UNSUPPORTED", "message": "The operation is unsupported."}]}'
    proxy.fail(Answer(405, {}, body), times=2)
    with pytest.raises(ServiceError, match=r"answered 405 .*UNSUPPORTED: The operation is unsupported\."):
        flaky_client.manifest("prod")
    with pytest.raises(ServiceError, match="UNSUPPORTED"):
        list(flaky_client.tags())


def test_a_manifest_may_have_no_tag(client: RegistryClient) -> None:
    manifest = artifact(client, b"hello")
    client.put_manifest(manifest)
    assert client.manifest(manifest.digest) == manifest
    assert list(client.tags()) == []


def test_all_pages_of_the_tags_are_listed(
    flaky_client: RegistryClient, proxy: FlakyProxy, repository: str
) -> None:
    first = json.dumps({"name": repository, "tags": ["a", "b"]}).encode()
    link = {"Link": f'</v2/{repository}/tags/list?last=b&n=2>; rel="next"'}
    # This registry gives all tags at once, whatever it is asked for.
    proxy.fail(Answer(200, link, first), when=lambda _, path: path.endswith("?n=1000"))
    proxy.fail(Answer(200, {}, b'{"tags": ["c"]}'), when=lambda _, path: path.endswith("?last=b&n=2"))
    assert list(flaky_client.tags()) == ["a", "b", "c"]


def test_a_list_that_leads_back_to_itself_ends(
    flaky_client: RegistryClient, proxy: FlakyProxy, repository: str
) -> None:
    link = {"Link": f'</v2/{repository}/tags/list?n=1000>; rel="next"'}
    proxy.fail(Answer(200, link, b'{"tags": ["a"]}'), times=ALWAYS)
    assert list(flaky_client.tags()) == ["a"]


def test_a_manifest_whose_blobs_are_missing_is_refused(flaky_client: RegistryClient) -> None:
    manifest = Manifest.of(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": EMPTY_CONFIG.to_json(),
            "layers": [Descriptor("a/b", MISSING, 3).to_json()],
        }
    )
    with pytest.raises(ServiceError, match="MANIFEST_BLOB_UNKNOWN"):
        flaky_client.put_manifest(manifest, "prod")
    assert flaky_client.head("prod") is None


class TestReferrers:
    """What points at a manifest as its subject."""

    def test_a_registry_that_does_not_know_referrers_gets_the_index_under_the_fallback_tag(
        self, client: RegistryClient
    ) -> None:
        subject = artifact(client, b"bundle")
        client.put_manifest(subject, "bundle")
        pointing = artifact(
            client, b"release", subject=subject.descriptor.to_json(), annotations={"release": "1.2.0"}
        )
        client.put_manifest(pointing, "release")
        (found,) = client.referrers(subject.digest)
        assert (found.digest, found.artifact_type) == (pointing.digest, "application/vnd.test.v1")
        assert found.annotations == {"release": "1.2.0"}
        index = client.manifest(subject.digest.replace(":", "-"))
        assert index is not None
        assert index.media_type == OCI_INDEX

    def test_the_index_keeps_what_is_in_it_and_lists_nothing_twice(self, client: RegistryClient) -> None:
        subject = artifact(client, b"bundle")
        client.put_manifest(subject)
        first = artifact(client, b"one", subject=subject.descriptor.to_json())
        second = artifact(client, b"two", subject=subject.descriptor.to_json())
        for manifest in (first, second, first):
            client.put_manifest(manifest)
        assert [one.digest for one in client.referrers(subject.digest)] == [first.digest, second.digest]

    def test_referrers_are_picked_by_type(self, client: RegistryClient) -> None:
        subject = artifact(client, b"bundle")
        client.put_manifest(subject)
        client.put_manifest(artifact(client, b"one", subject=subject.descriptor.to_json()))
        assert len(client.referrers(subject.digest, "application/vnd.test.v1")) == 1
        assert client.referrers(subject.digest, "application/vnd.other.v1") == []

    def test_a_registry_that_keeps_referrers_itself_gets_no_index(
        self, flaky_client: RegistryClient, client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        subject = artifact(client, b"bundle")
        client.put_manifest(subject)
        pointing = artifact(client, b"release", subject=subject.descriptor.to_json())
        proxy.fail(Answer(201, {"OCI-Subject": subject.digest}), when=lambda method, _: method == "PUT")
        listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [pointing.descriptor.to_json()]}
        answer = Answer(200, {"Content-Type": OCI_INDEX}, json.dumps(listed).encode())
        proxy.fail(answer, when=lambda _, path: "/referrers/" in path)
        flaky_client.put_manifest(pointing)
        assert flaky_client.head(subject.digest.replace(":", "-")) is None
        assert [one.digest for one in flaky_client.referrers(subject.digest)] == [pointing.digest]


class TestIntegrity:
    """A registry that hands out other bytes than asked for."""

    def test_a_tampered_blob(self, client: RegistryClient, registry: Registry) -> None:
        descriptor = client.push_blob(b"to be tampered with")
        registry.blob_path(descriptor.digest).write_bytes(b"TO be tampered with")
        with pytest.raises(IntegrityError, match="is not what its digest says"):
            client.blob(descriptor)
        with pytest.raises(IntegrityError, match="is not what its digest says"):
            client.blob_to(descriptor, io.BytesIO())

    def test_a_blob_longer_than_its_descriptor_is_not_read_to_its_end(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        descriptor = flaky_client.push_blob(b"short")
        proxy.fail(Answer(200, body=b"x" * 100_000))
        with pytest.raises(IntegrityError, match="larger than the 5 bytes"):
            flaky_client.blob(descriptor)

    def test_a_missing_blob(self, client: RegistryClient) -> None:
        with pytest.raises(IntegrityError, match="is missing"):
            client.blob(Descriptor("a/b", MISSING, 3))

    def test_a_manifest_that_is_not_what_its_digest_says(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        manifest = artifact(flaky_client, b"hello")
        flaky_client.put_manifest(manifest)
        proxy.fail(Answer(200, {"Content-Type": OCI_MANIFEST}, b"{}"))
        with pytest.raises(IntegrityError, match="is not what its digest says"):
            flaky_client.manifest(manifest.digest)

    def test_a_tag_whose_manifest_is_not_what_the_registry_says(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        header = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": MISSING}
        proxy.fail(Answer(200, header, b"{}"))
        with pytest.raises(IntegrityError, match="is not what its registry says"):
            flaky_client.manifest("prod")

    def test_a_manifest_stored_as_another(self, flaky_client: RegistryClient, proxy: FlakyProxy) -> None:
        manifest = artifact(flaky_client, b"hello")
        proxy.fail(Answer(201, {"Docker-Content-Digest": MISSING}))
        with pytest.raises(IntegrityError, match="was stored as"):
            flaky_client.put_manifest(manifest, "prod")

    def test_a_manifest_without_end(self, flaky_client: RegistryClient, proxy: FlakyProxy) -> None:
        proxy.fail(Answer(200, {"Content-Type": OCI_MANIFEST}, b" " * (5 << 20)))
        with pytest.raises(IntegrityError, match="larger than"):
            flaky_client.manifest("prod")


class TestFaults:
    """A registry that fails for a while, or for good."""

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
    @pytest.mark.parametrize("fault", [Answer(503), Answer(429, {"Retry-After": "3"}), Drop()])
    def test_an_upload_survives_faults_at_each_step(
        self, flaky_client: RegistryClient, proxy: FlakyProxy, method: str, fault: Answer | Drop
    ) -> None:
        content = f"{method} {fault}".encode()
        proxy.fail(fault, times=2, when=lambda asked, _: asked == method)
        assert flaky_client.blob(flaky_client.push_blob(content)) == content

    def test_an_upload_whose_answer_got_lost_is_found_done(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        proxy.fail(Drop(delivered=True), when=lambda method, _: method == "PUT")
        flaky_client.push_blob(b"delivered, but nobody said so")
        assert [method for method, _ in proxy.requests] == ["HEAD", "POST", "PUT", "HEAD"]

    def test_an_upload_whose_session_is_gone_starts_anew(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        body = b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN", "message": "upload unknown"}]}'
        proxy.fail(
            Answer(404, {"Content-Type": "application/json"}, body), when=lambda method, _: method == "PUT"
        )
        descriptor = flaky_client.push_blob(b"from the start")
        assert flaky_client.blob(descriptor) == b"from the start"

    def test_retry_after_is_kept(
        self, flaky_client: RegistryClient, proxy: FlakyProxy, waits: list[float]
    ) -> None:
        proxy.fail(Answer(429, {"Retry-After": "21"}), when=lambda method, _: method == "PUT")
        flaky_client.push_blob(b"not so fast")
        assert waits == [21.0]

    def test_a_download_cut_short_is_read_again(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        descriptor = flaky_client.push_blob(b"as long as it takes")
        proxy.fail(CutShort())
        assert flaky_client.blob(descriptor) == b"as long as it takes"

    def test_a_registry_that_stays_down_is_a_service_error_that_names_it(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        proxy.fail(Drop(), times=ALWAYS)
        with pytest.raises(ServiceError) as failed:
            flaky_client.push_blob(b"never", name="prod_training_config.yaml")
        work = f"uploading prod_training_config.yaml to {flaky_client.reference.name}"
        assert failed.value.message.startswith(f"{work} failed: no answer from {proxy.host}")

    def test_a_repository_that_must_be_made_first_is_told(
        self, flaky_client: RegistryClient, proxy: FlakyProxy
    ) -> None:
        body = b'{"errors": [{"code": "NAME_UNKNOWN", "message": "repository not found"}]}'
        proxy.fail(Answer(404, {}, body), times=2)
        with pytest.raises(ServiceError, match="NAME_UNKNOWN: repository not found") as failed:
            flaky_client.push_blob(b"x")
        assert failed.value.hint == (
            f"create the repository {flaky_client.reference.name} first: this registry does not on its own"
        )

    def test_a_tag_that_may_not_move_is_told(self, flaky_client: RegistryClient, proxy: FlakyProxy) -> None:
        manifest = artifact(flaky_client, b"hello")
        body = b'{"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]}'
        proxy.fail(Answer(400, {}, body))
        with pytest.raises(ServiceError, match="the tag is immutable") as failed:
            flaky_client.put_manifest(manifest, "prod-current")
        assert failed.value.hint
        assert "immutable" in failed.value.hint


def test_registries_are_spoken_to_with_tls_but_for_loopback_and_those_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PLAIN_HTTP_VARIABLE, "registry.internal:5000, other.internal")
    names = ["127.0.0.1:5000", "registry.internal:5000", "other.internal", "registry.internal", "ghcr.io"]
    assert [speaks_plain_http(name) for name in names] == [True, True, True, False, False]
