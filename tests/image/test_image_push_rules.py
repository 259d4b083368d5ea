"""Which tags an image may take in a registry: what is published is never replaced by something else."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.image.making import COMMIT, a_bundle, a_spec, ignore, output_of, own_bundle
from tests.services.flaky_proxy import Answer, flaky_proxy
from tests.services.registry import PASSWORD, USER, Registry

from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.image.layout import LayoutBuilder
from mlops_config.image.opened import read_bundle
from mlops_config.image.publication import is_commit_tag, open_remote
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.content import Manifest
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord

VERSION = "1.2.0-prod"


@pytest.fixture
def repository(registry: Registry) -> str:
    """A repository of the test's own."""
    return f"{registry.host}/{own_bundle().project}"


def built(folder: Path, repository: str, **changes: Any) -> ImageRecord:
    bundle = changes.pop("bundle", a_bundle())
    return LayoutBuilder(folder).build(a_spec(bundle, repository, **changes), ignore)


def pushed(folder: Path, repository: str, **changes: Any) -> ImageRecord:
    return LayoutBuilder(folder).push(built(folder, repository, **changes), ignore)


def digest_of(repository: str, tag: str) -> str | None:
    found = RegistryClient(Reference.parse(repository)).head(tag)
    return found.digest if found else None


@pytest.mark.parametrize(
    ("tag", "names_a_commit"),
    [
        (COMMIT, True),
        (f"{COMMIT}-prod", True),
        (f"{COMMIT}-dirty-0123456789ab", True),
        ("0" * 64, True),
        ("1.2.0-prod", False),
        ("1.2.0-rc.1-staging", False),
        ("latest", False),
        (COMMIT[:12], False),
        (f"{COMMIT}0", False),
    ],
)
def test_a_full_commit_makes_a_commit_tag_and_all_else_is_written_once(
    tag: str, names_a_commit: bool
) -> None:
    assert is_commit_tag(tag) is names_a_commit


def test_a_push_without_an_engine_puts_the_layout_under_every_tag(
    tmp_path: Path, repository: str, skopeo: str
) -> None:
    record = pushed(tmp_path, repository, tags=(COMMIT, VERSION))
    assert record.pushed
    assert digest_of(repository, COMMIT) == digest_of(repository, VERSION) == record.digest
    seen = output_of(skopeo, "inspect", "--tls-verify=false", f"docker://{repository}:{VERSION}")
    assert json.loads(seen)["Digest"] == record.digest


def test_what_was_pushed_can_be_read_back_without_an_engine(tmp_path: Path, repository: str) -> None:
    record = pushed(tmp_path, repository)
    for name in (f"{repository}:{COMMIT}", f"{repository}@{record.digest}"):
        opened = open_remote(RegistryClient(Reference.parse(repository)), name)
        assert read_bundle(opened) == a_bundle()
        assert opened.digest == record.digest


def test_the_same_image_again_is_no_push(tmp_path: Path, repository: str) -> None:
    first = pushed(tmp_path, repository, tags=(COMMIT, VERSION))
    said: list[str] = []
    assert LayoutBuilder(tmp_path).push(first, said.append) == first
    assert any("has this release's image already" in line for line in said)
    assert not any("pushing" in line or "tagging" in line for line in said)


def test_a_version_taken_by_another_image_is_refused_before_anything_is_written(
    tmp_path: Path, repository: str
) -> None:
    first = pushed(tmp_path / "first", repository, tags=(VERSION,))
    with pytest.raises(IntegrityError, match=f"{VERSION} is taken by an image of config") as caught:
        pushed(tmp_path / "second", repository, tags=(COMMIT, VERSION), bundle=a_bundle("prod", "other"))
    assert caught.value.hint
    assert "new version" in caught.value.hint
    assert digest_of(repository, VERSION) == first.digest
    assert digest_of(repository, COMMIT) is None


def test_a_version_of_the_same_config_but_another_commit_is_refused(tmp_path: Path, repository: str) -> None:
    revision = "org.opencontainers.image.revision"
    pushed(tmp_path / "first", repository, tags=(VERSION,), labels={revision: "a" * 40})
    with pytest.raises(IntegrityError, match="another image of the same config"):
        pushed(tmp_path / "second", repository, tags=(VERSION,), labels={revision: "b" * 40})


def test_a_commit_tag_moves_to_a_new_build_of_the_same_config(tmp_path: Path, repository: str) -> None:
    base = "org.opencontainers.image.base.name"
    first = pushed(tmp_path / "first", repository, labels={base: "python:3.12.1"})
    second = pushed(tmp_path / "second", repository, labels={base: "python:3.12.2"})
    assert first.digest != second.digest == digest_of(repository, COMMIT)


def test_a_commit_tag_with_another_config_is_refused(tmp_path: Path, repository: str) -> None:
    first = pushed(tmp_path / "first", repository)
    with pytest.raises(IntegrityError, match=f"{COMMIT} is taken by an image of config"):
        pushed(tmp_path / "second", repository, bundle=a_bundle("prod", "other"))
    assert digest_of(repository, COMMIT) == first.digest


def test_another_build_of_the_same_release_is_taken_over_and_gets_the_free_tags(
    tmp_path: Path, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pushed(tmp_path / "first", repository, tags=(COMMIT,))
    # Another time in the image: other bytes, the same labels, as when an engine builds a release twice.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    second = built(tmp_path / "second", repository, tags=(COMMIT, VERSION))
    assert second.config_digest != first.config_digest
    taken = LayoutBuilder(tmp_path / "second").push(second, ignore)
    assert (taken.digest, taken.config_digest, taken.pushed) == (first.digest, first.config_digest, True)
    assert digest_of(repository, COMMIT) == digest_of(repository, VERSION) == first.digest


def test_the_image_of_a_version_wins_over_that_of_its_commit(
    tmp_path: Path, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = pushed(tmp_path / "released", repository, tags=(VERSION,))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    pushed(tmp_path / "rebuilt", repository, tags=(f"{COMMIT}-prod",))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2")
    taken = pushed(tmp_path / "again", repository, tags=(f"{COMMIT}-prod", VERSION))
    assert taken.digest == released.digest == digest_of(repository, f"{COMMIT}-prod")


def test_a_published_image_whose_labels_lie_is_not_taken_over(tmp_path: Path, repository: str) -> None:
    record = built(tmp_path / "image", repository)
    client = RegistryClient(Reference.parse(repository))
    folder = tmp_path / "image" / "blobs" / "sha256"

    def blob(digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((folder / digest.removeprefix("sha256:")).read_bytes())
        return found

    # All labels as they should be, and no configuration files at all.
    config = {**blob(record.config_digest), "rootfs": {"type": "layers", "diff_ids": []}, "history": []}
    descriptor = client.push_blob(json.dumps(config).encode())
    document = blob(record.digest or "")
    document |= {
        "layers": [],
        "config": {**document["config"], "digest": descriptor.digest, "size": descriptor.size},
    }
    client.put_manifest(Manifest.of(document), COMMIT)
    with pytest.raises(IntegrityError, match="lacks /app/configs/"):
        LayoutBuilder(tmp_path / "image").push(record, ignore)


def test_a_tag_that_holds_no_image_is_refused(tmp_path: Path, repository: str) -> None:
    client = RegistryClient(Reference.parse(repository))
    config = client.push_blob(b"{}")
    artifact = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.example+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": 2},
        "layers": [],
    }
    client.put_manifest(Manifest.of(artifact), COMMIT)
    with pytest.raises(IntegrityError, match=f"{COMMIT} is taken by something else"):
        pushed(tmp_path, repository)


def log_in(monkeypatch: pytest.MonkeyPatch, folder: Path, host: str, password: str) -> None:
    """A Docker configuration with a user's password, as ``docker login`` leaves it."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_the_password_docker_login_stored_is_used(
    tmp_path: Path, locked_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(monkeypatch, tmp_path / "docker", locked_registry.host, PASSWORD)
    assert pushed(tmp_path / "image", f"{locked_registry.host}/fares").pushed


def test_a_wrong_password_and_none_at_all_are_told_apart(
    tmp_path: Path, locked_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServiceError, match="wants credentials") as caught:
        pushed(tmp_path / "image", f"{locked_registry.host}/fares")
    assert caught.value.hint == f"run: docker login {locked_registry.host}"
    log_in(monkeypatch, tmp_path / "docker", locked_registry.host, "wrong")
    with pytest.raises(ServiceError, match=f"refuses the credentials of user '{USER}'"):
        pushed(tmp_path / "image", f"{locked_registry.host}/fares")


def test_a_registry_that_forbids_writing_is_named(tmp_path: Path, registry: Registry) -> None:
    body = b'{"errors": [{"code": "DENIED", "message": "read only"}]}'
    with flaky_proxy(registry.host) as proxy:
        proxy.fail(Answer(403, body=body), when=lambda method, _: method == "POST")
        with pytest.raises(ServiceError, match=f"{proxy.host} .*read only"):
            pushed(tmp_path, f"{proxy.host}/fares-denied")


def test_a_push_that_breaks_off_leaves_no_tag_and_the_next_one_finishes_it(
    tmp_path: Path, registry: Registry
) -> None:
    with flaky_proxy(registry.host) as proxy:
        repository = f"{proxy.host}/{own_bundle().project}"
        proxy.fail(Answer(400), when=lambda method, path: method == "PUT" and "/manifests/" in path)
        with pytest.raises(ServiceError):
            pushed(tmp_path, repository)
        assert digest_of(repository, COMMIT) is None
        assert pushed(tmp_path, repository).digest == digest_of(repository, COMMIT)


def test_a_damaged_layout_is_not_pushed(tmp_path: Path, repository: str) -> None:
    record = built(tmp_path, repository)
    for blob in (tmp_path / "blobs" / "sha256").iterdir():
        whole = blob.read_bytes()
        blob.write_bytes(whole + b" ")
        with pytest.raises(IntegrityError, match="is not what its digest says"):
            LayoutBuilder(tmp_path).push(record, ignore)
        blob.write_bytes(whole)
    assert digest_of(repository, COMMIT) is None


def test_a_repository_name_that_is_none_is_a_mistake_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a reference"):
        pushed(tmp_path, "registry.example.com/Acme/Fares")
