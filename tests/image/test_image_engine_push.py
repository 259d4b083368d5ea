"""Pushes by a real engine to a real registry, and what the registry has afterwards."""

import json
from pathlib import Path
from typing import Any

import docker
import pytest
from tests.image.making import COMMIT, a_spec, ignore, output_of, own_bundle
from tests.image.test_image_push_rules import VERSION, digest_of, log_in
from tests.services.flaky_proxy import Answer, flaky_proxy
from tests.services.registry import PASSWORD, Registry

from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.image.engine import EngineBuilder
from mlops_config.image.opened import read_bundle
from mlops_config.image.publication import open_remote
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord


def built(builder: EngineBuilder, repository: str, **changes: Any) -> ImageRecord:
    bundle = changes.pop("bundle", None) or own_bundle()
    return builder.build(a_spec(bundle, repository, **changes), ignore)


def test_every_tag_is_pushed_and_the_digest_is_the_registrys(
    builder: EngineBuilder, registry: Registry, image_name: str, busybox: str, skopeo: str
) -> None:
    repository = f"{registry.host}/{image_name}"
    record = built(builder, repository, tags=(COMMIT, VERSION), base=busybox)
    said: list[str] = []
    pushed = builder.push(record, said.append)
    assert pushed == record.model_copy(update={"digest": pushed.digest, "pushed": True})
    assert digest_of(repository, COMMIT) == digest_of(repository, VERSION) == pushed.digest
    seen = output_of(skopeo, "inspect", "--tls-verify=false", f"docker://{repository}:{VERSION}")
    assert json.loads(seen)["Digest"] == pushed.digest
    assert any("layers there" in line for line in said)


def test_what_was_pushed_holds_the_bundle(
    classic: EngineBuilder, engine: docker.DockerClient, registry: Registry, image_name: str, busybox: str
) -> None:
    repository = f"{registry.host}/{image_name}"
    bundle = own_bundle()
    record = classic.push(built(classic, repository, bundle=bundle, base=busybox), ignore)
    remote = open_remote(RegistryClient(Reference.parse(repository)), f"{repository}@{record.digest}")
    assert read_bundle(remote) == bundle
    engine.images.remove(f"{repository}:{COMMIT}", force=True)
    pulled = classic.open(f"{repository}@{record.digest}", ignore)
    assert read_bundle(pulled) == bundle
    assert pulled.config_digest == remote.config_digest == record.config_digest


def test_the_same_image_again_is_no_push(classic: EngineBuilder, registry: Registry, image_name: str) -> None:
    record = built(classic, f"{registry.host}/{image_name}")
    first = classic.push(record, ignore)
    said: list[str] = []
    assert classic.push(record, said.append) == first
    assert not any("pushing" in line for line in said)


def test_a_release_built_again_elsewhere_takes_over_what_is_published(
    classic: EngineBuilder, engine: docker.DockerClient, registry: Registry, image_name: str, busybox: str
) -> None:
    repository = f"{registry.host}/{image_name}"
    bundle = own_bundle()
    first = classic.push(built(classic, repository, bundle=bundle, base=busybox), ignore)
    # As on a new machine: neither the image nor the steps that led to it are there.
    engine.images.remove(f"{repository}:{COMMIT}", force=True)
    again = built(classic, repository, bundle=bundle, base=busybox, tags=(COMMIT, VERSION))
    assert again.config_digest != first.config_digest
    taken = classic.push(again, ignore)
    assert (taken.digest, taken.config_digest) == (first.digest, first.config_digest)
    assert digest_of(repository, VERSION) == first.digest
    assert engine.images.get(f"{repository}:{VERSION}").id == first.config_digest


def test_a_version_taken_by_another_release_is_refused(
    classic: EngineBuilder, registry: Registry, image_name: str
) -> None:
    repository = f"{registry.host}/{image_name}"
    first = classic.push(built(classic, repository, tags=(VERSION,)), ignore)
    with pytest.raises(IntegrityError, match=f"{VERSION} is taken by an image of config"):
        classic.push(built(classic, repository, tags=(COMMIT, VERSION)), ignore)
    assert digest_of(repository, VERSION) == first.digest
    assert digest_of(repository, COMMIT) is None


def test_a_base_pulled_from_a_registry_is_recorded_by_its_digest_there(
    classic: EngineBuilder, engine: docker.DockerClient, registry: Registry, image_name: str, busybox: str
) -> None:
    base = f"{registry.host}/{image_name}-base"
    engine.images.get(busybox).tag(base, "1")
    engine.images.push(base, tag="1")
    engine.images.remove(f"{base}:1")
    digest = digest_of(base, "1")
    for name in (f"{base}:1", f"{base}@{digest}"):
        record = built(classic, image_name, base=name)
        assert (record.base, record.base_digest) == (name, digest)
        assert not [tag for tag in engine.images.get(busybox).tags if "building" in tag]
    labels = classic.open(f"{image_name}:{COMMIT}", ignore).labels
    assert labels["org.opencontainers.image.base.digest"] == digest


def test_the_password_docker_login_stored_is_used_to_push_and_to_pull(
    classic: EngineBuilder,
    engine: docker.DockerClient,
    locked_registry: Registry,
    image_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_in(monkeypatch, tmp_path / "docker", locked_registry.host, PASSWORD)
    repository = f"{locked_registry.host}/{image_name}"
    record = classic.push(built(classic, repository), ignore)
    assert record.digest
    engine.images.remove(f"{repository}:{COMMIT}", force=True)
    assert classic.open(f"{repository}:{COMMIT}", ignore).config_digest == record.config_digest


def test_without_credentials_nothing_is_pushed_and_the_way_to_log_in_is_shown(
    classic: EngineBuilder, locked_registry: Registry, image_name: str
) -> None:
    record = built(classic, f"{locked_registry.host}/{image_name}")
    with pytest.raises(ServiceError, match="wants credentials") as caught:
        classic.push(record, ignore)
    assert caught.value.hint == f"run: docker login {locked_registry.host}"


def test_a_refusal_the_engine_meets_is_worded(
    classic: EngineBuilder, registry: Registry, image_name: str
) -> None:
    # The registry's front door asks the engine for a password, which asks nobody else when there is none.
    challenge = Answer(401, {"WWW-Authenticate": 'Basic realm="test"'})
    with flaky_proxy(registry.host) as proxy:
        proxy.fail(challenge, times=99, when=lambda _, path: path == "/v2/")
        record = built(classic, f"{proxy.host}/{image_name}")
        with pytest.raises(ServiceError, match=f"pushing {proxy.host}/.* failed: .*credentials") as caught:
            classic.push(record, ignore)
    assert caught.value.hint
    assert f"docker login {proxy.host}" in caught.value.hint


def test_an_image_that_is_gone_from_the_engine_is_named(
    classic: EngineBuilder, engine: docker.DockerClient, registry: Registry, image_name: str
) -> None:
    record = built(classic, f"{registry.host}/{image_name}")
    engine.images.remove(f"{record.repository}:{COMMIT}", force=True)
    with pytest.raises(ServiceError, match="is no longer in the engine"):
        classic.push(record, ignore)


def test_a_local_tag_moved_between_build_and_push_is_found_out(
    classic: EngineBuilder, engine: docker.DockerClient, registry: Registry, image_name: str
) -> None:
    record = built(classic, f"{registry.host}/{image_name}")
    other = built(classic, f"{image_name}-other", labels={"team": "other"})
    engine.images.get(f"{other.repository}:{COMMIT}").tag(record.repository, COMMIT)
    with pytest.raises(IntegrityError, match="is no longer the image that was built"):
        classic.push(record, ignore)
    assert digest_of(record.repository, COMMIT) is None
