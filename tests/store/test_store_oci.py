"""What the store in a registry writes: artifacts other tools understand, with digests that never vary."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.services import unavailable
from tests.services.flaky_proxy import Answer, flaky_proxy
from tests.services.registry import Registry
from tests.store.backends import OciBackend
from tests.store.examples import PROJECT, example_bundle, example_record

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.content import EMPTY_BLOB, EMPTY_CONFIG, OCI_MANIFEST, TITLE, Manifest
from mlops_config.registry.reference import Reference
from mlops_config.store import open_store
from mlops_config.store.interface import CurrentMovedError
from mlops_config.store.oci import RELEASE_TYPE, bundle_manifest, release_manifest

GOLDEN = Path(__file__).parent / "golden"
FOUR = [file.name for file in example_bundle().files]


def expect_golden(manifest: Manifest, name: str) -> None:
    """Compares with the reviewed file; ``UPDATE_GOLDEN=1`` writes it anew."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(manifest.data)
    assert manifest.data == path.read_bytes()


def test_a_bundles_manifest_is_the_reviewed_one() -> None:
    expect_golden(bundle_manifest(example_bundle()), "bundle-artifact.json")


def test_a_releases_manifest_is_the_reviewed_one() -> None:
    bundle = example_bundle()
    expect_golden(release_manifest(example_record(bundle), bundle_manifest(bundle)), "release-artifact.json")


def test_equal_bundles_have_an_equal_manifest_digest_in_any_repository(store_registry: Registry) -> None:
    uris = [OciBackend(store_registry).open().publish_bundle(example_bundle()).uri for _ in range(2)]
    digests = {uri.partition("@")[2] for uri in uris}
    assert digests == {bundle_manifest(example_bundle()).digest}
    assert len(set(uris)) == 2


@pytest.mark.e2e
def test_another_project_in_the_same_repository_is_refused(store_registry: Registry) -> None:
    backend = OciBackend(store_registry)
    fares, tips = example_bundle(), example_bundle(project="tips", rows=4)
    store = backend.open()
    for bundle in (fares, tips):
        store.publish_bundle(bundle)
    record = example_record(fares)
    store.publish_release(record)
    store.set_current(record, None)
    for look in (
        lambda: store.current("tips", "prod"),
        lambda: store.fetch_release("tips", "prod", "1.2.0"),
        lambda: store.fetch_bundle("tips", fares.digest),
        lambda: list(store.release_names("tips", "prod")),
        lambda: store.set_current(example_record(tips), None),
    ):
        with pytest.raises(UsageError, match="holds the project 'fares', not 'tips'") as refused:
            look()
        assert refused.value.hint == "give each project a repository of its own"


@pytest.mark.e2e
def test_a_tag_that_holds_something_else_is_an_integrity_error(store_registry: Registry) -> None:
    backend = OciBackend(store_registry)
    layer = backend.client.push_blob(b"an image")
    backend.client.push_blob(EMPTY_BLOB)
    foreign = bundle_manifest(example_bundle()).document() | {"artifactType": "application/vnd.other.v1"}
    foreign |= {"layers": [layer.to_json()]}
    backend.client.put_manifest(Manifest.of(foreign), "prod-current")
    with pytest.raises(IntegrityError, match=f"is not a {RELEASE_TYPE}"):
        backend.open().current(PROJECT, "prod")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([{"size": 5, "mediaType": "a/b"}], "without mediaType, digest and size"),
        ([{"size": -1, "mediaType": "a/b", "digest": EMPTY_CONFIG.digest}], "not a number of bytes"),
        (
            [EMPTY_CONFIG.to_json() | {"annotations": {TITLE: f"{n}"}} for n in range(20)],
            "more than 16 files",
        ),
        ([EMPTY_CONFIG.to_json() | {"size": 1 << 40, "annotations": {TITLE: "x"}}], "nothing that large"),
        ([EMPTY_CONFIG.to_json() | {"annotations": {TITLE: "x"}}], "holds no manifest.json"),
        ([], "holds no manifest.json"),
        ("nonsense", "without mediaType, digest and size"),
    ],
)
def test_a_bundles_manifest_with_strange_layers_is_an_integrity_error(
    store_registry: Registry, layers: object, said: str
) -> None:
    backend = OciBackend(store_registry)
    backend.client.push_blob(EMPTY_BLOB)
    bundle = example_bundle()
    strange = Manifest.of(bundle_manifest(bundle).document() | {"layers": layers})
    with flaky_proxy(store_registry.host) as proxy:
        # The registry itself would refuse some of these.
        proxy.fail(
            Answer(200, {"Content-Type": OCI_MANIFEST}, strange.data), when=lambda _, path: "/manif" in path
        )
        store = open_store(f"oci://{proxy.host}/{backend.repository}")
        with pytest.raises(IntegrityError, match=said):
            store.fetch_bundle(PROJECT, bundle.digest)


@pytest.mark.e2e
def test_a_pointer_that_another_writer_moves_right_after_us_is_told(store_registry: Registry) -> None:
    backend = OciBackend(store_registry)
    bundle = example_bundle()
    first, second = example_record(bundle, "1.2.0"), example_record(bundle, "1.3.0")
    direct = backend.open()
    direct.publish_bundle(bundle)
    for record in (first, second):
        direct.publish_release(record)
    written: list[str] = []

    def other_writer_comes_after_ours(method: str, path: str) -> bool:
        if method == "GET" and written and path.endswith("prod-current"):
            written.clear()
            direct.set_current(second, direct.current(PROJECT, "prod"))
        if method == "PUT":
            written.append(path)
        return False

    with flaky_proxy(store_registry.host) as proxy:
        proxy.fail(Answer(500), when=other_writer_comes_after_ours)
        store = open_store(f"oci://{proxy.host}/{backend.repository}")
        with pytest.raises(CurrentMovedError, match=r"pointed at release 1\.3\.0"):
            store.set_current(first, None)
    now = direct.current(PROJECT, "prod")
    assert now is not None
    assert now.release == "1.3.0"


@pytest.mark.e2e
def test_a_release_is_found_from_its_bundle(store_registry: Registry) -> None:
    backend = OciBackend(store_registry)
    bundle = example_bundle()
    backend.open().publish_bundle(bundle)
    uri = backend.open().publish_release(example_record(bundle)).uri
    (found,) = backend.client.referrers(bundle_manifest(bundle).digest, RELEASE_TYPE)
    assert f"{backend.uri}@{found.digest}" == uri


@pytest.fixture
def published(store_registry: Registry) -> str:
    """``registry/repository`` that holds one release, current in prod."""
    backend = OciBackend(store_registry)
    bundle = example_bundle()
    record = example_record(bundle)
    store = backend.open()
    store.publish_bundle(bundle)
    store.publish_release(record)
    store.set_current(record, None)
    return backend.uri.removeprefix("oci://")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to pull into."""
    made = tmp_path / "pulled"
    made.mkdir()
    return made


def run(folder: Path, *command: str) -> str:
    """What another tool prints, run in ``folder``."""
    if shutil.which(command[0]) is None:
        unavailable(f"no {command[0]} on PATH (make services installs it)")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.e2e
class TestOtherPeoplesTools:
    """The ``oras`` command and skopeo."""

    def test_oras_pull_of_the_bundle_writes_its_files_byte_for_byte(
        self, published: str, folder: Path
    ) -> None:
        bundle = example_bundle()
        run(folder, "oras", "pull", "--plain-http", f"{published}@{bundle_manifest(bundle).digest}")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == bundle.contents()

    def test_what_oras_pulled_is_verified_with_sha256sum(self, published: str, folder: Path) -> None:
        run(folder, "oras", "pull", "--plain-http", f"{published}:prod-current")
        digest = run(folder, "sh", "-c", "LC_ALL=C sha256sum *_config.yaml | sha256sum").split()[0]
        assert f"sha256:{digest}" == example_bundle().digest

    def test_oras_pull_of_the_release_writes_the_record_beside_the_files(
        self, published: str, folder: Path
    ) -> None:
        run(folder, "oras", "pull", "--plain-http", f"{published}:prod-1.2.0")
        assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", *FOUR, "release.json"]
        assert (folder / "release.json").read_bytes() == example_record(example_bundle()).to_json()

    def test_oras_discovers_the_release_from_the_bundle(self, published: str, folder: Path) -> None:
        subject = f"{published}@{bundle_manifest(example_bundle()).digest}"
        found = json.loads(run(folder, "oras", "discover", "--plain-http", "--format", "json", subject))
        (release,) = found["manifests"]
        assert release["artifactType"] == RELEASE_TYPE
        assert release["annotations"]["io.mlops-config.release"] == "1.2.0"

    def test_skopeo_shows_the_artifact(self, published: str, folder: Path) -> None:
        command = ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{published}:prod-current"]
        raw = run(folder, *command)
        shown: dict[str, Any] = json.loads(raw)
        assert shown["artifactType"] == RELEASE_TYPE
        assert shown["annotations"]["io.mlops-config.config-digest"] == example_bundle().digest
        release = RegistryClient(Reference.parse(published)).head("prod-1.2.0")
        assert release is not None
        assert f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" == release.digest

    def test_skopeo_copies_the_artifact_and_a_copy_is_a_store(
        self, published: str, folder: Path, store_registry: Registry
    ) -> None:
        copy = f"{store_registry.host}/mirror/fares"
        for tag in ("prod-current", f"bundle.{example_bundle().digest.removeprefix('sha256:')}"):
            both = ["--src-tls-verify=false", "--dest-tls-verify=false"]
            run(folder, "skopeo", "copy", *both, f"docker://{published}:{tag}", f"docker://{copy}:{tag}")
        mirror = open_store(f"oci://{copy}")
        assert mirror.fetch_bundle(PROJECT, example_bundle().digest) == example_bundle()
        current = mirror.current(PROJECT, "prod")
        assert current is not None
        assert current.release == "1.2.0"


@pytest.mark.e2e
def test_blobs_of_equal_files_are_kept_once(store_registry: Registry) -> None:
    backend = OciBackend(store_registry)
    one, two = example_bundle(rows=3), example_bundle(rows=3)
    backend.open().publish_bundle(one)
    again = backend.open().publish_bundle(two)
    assert not again.created
    assert store_registry.blob_path(sha256_of(one.files[0].data)).exists()
