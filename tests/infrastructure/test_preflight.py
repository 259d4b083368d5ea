"""A release whose image is gone is refused before anything is changed; real registries say so."""

import json
from pathlib import Path

import pytest

from mlops_config.bundle.bundle import sha256_of
from mlops_config.console import TerminalConsole
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.http import HttpClient
from mlops_config.infrastructure.preflight import require_image
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.content import Manifest
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ReleaseRecord
from mlops_config.retrying import Retries
from tests.infrastructure.releases import image
from tests.orchestration.releases import release
from tests.services.processes import free_port
from tests.services.registry import Registry, password_auth, running_registry

QUIET = TerminalConsole(quiet=True)


def of_image(host: str, digest: str, *, pushed: bool = True) -> ReleaseRecord:
    given = {"repository": f"{host}/acme/fares", "digest": digest, "pushed": pushed}
    return release().record.model_copy(update={"image": image().model_copy(update=given)})


def pushed(registry: Registry) -> str:
    """The digest of an image in the registry."""
    client = RegistryClient(Reference.parse(f"{registry.host}/acme/fares"))
    config = client.push_blob(b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config.digest,
            "size": config.size,
        },
        "layers": [],
    }
    data = json.dumps(document).encode()
    return client.put_manifest(Manifest(str(document["mediaType"]), data, sha256_of(data)), "1.0.0")


def test_an_image_is_there_until_somebody_deletes_it(tmp_path: Path) -> None:
    with running_registry(tmp_path) as registry:
        digest = pushed(registry)
        record = of_image(registry.host, digest)
        require_image(record, QUIET)
        registry.blob_path(digest).unlink()
        with pytest.raises(IntegrityError, match=f"has no image {digest} any more") as caught:
            require_image(record, QUIET)
        assert "nothing was changed" in (caught.value.hint or "")


def test_a_registry_that_refuses_us_is_no_proof_of_anything(tmp_path: Path) -> None:
    with (
        running_registry(tmp_path, auth=password_auth(tmp_path)) as registry,
        pytest.raises(ServiceError, match="cannot be known") as caught,
    ):
        require_image(of_image(registry.host, f"sha256:{'0' * 64}"), QUIET)
    assert "docker login" in (caught.value.hint or "")


def once(reference: Reference) -> RegistryClient:
    return RegistryClient(reference, http=HttpClient(retries=Retries(tries=1)))


def test_a_registry_that_is_away_is_no_proof_either() -> None:
    with pytest.raises(ServiceError, match="cannot be known"):
        require_image(of_image(f"127.0.0.1:{free_port()}", f"sha256:{'0' * 64}"), QUIET, once)


def test_an_image_that_was_never_pushed_is_not_looked_for() -> None:
    require_image(of_image("registry.example", f"sha256:{'0' * 64}", pushed=False), QUIET)
    require_image(release().record, QUIET)
