"""Images of several platforms under one name: the right one is chosen, and attestations are no images."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.image.making import COMMIT, a_bundle, a_spec, ignore, own_bundle
from tests.services.registry import Registry

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, MlopsConfigError, UsageError
from mlops_config.image.layout import LayoutBuilder, open_layout
from mlops_config.image.oci import LayoutBlobs, find_image
from mlops_config.image.publication import read_back
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.content import DOCKER_LIST, OCI_INDEX, Manifest
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ImageRecord

ATTESTATION = ("unknown/unknown", "sha256:" + "0" * 64)


def put(folder: Path, document: dict[str, Any]) -> str:
    data = json.dumps(document).encode()
    digest = sha256_of(data)
    (folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
    return digest


def several(folder: Path, *platforms: str, media_type: str = OCI_INDEX) -> dict[str, str]:
    """A layout whose one entry is an index of these platforms and an attestation; digests by platform."""
    made = {}
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for platform in platforms:
        part = folder.parent / platform.replace("/", "-")
        record = LayoutBuilder(part).build(a_spec(a_bundle(), platforms=(platform,)), ignore)
        made[platform] = record.digest or ""
        for blob in (part / "blobs" / "sha256").iterdir():
            (folder / "blobs" / "sha256" / blob.name).write_bytes(blob.read_bytes())
    entries = []
    for platform, digest in (ATTESTATION, *made.items()):
        system, architecture, *variant = platform.split("/")
        told = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        entries.append(
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest,
                "size": 1,
                "platform": told,
            }
        )
    index = put(folder, {"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    top = {"mediaType": media_type, "digest": index, "size": 1}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return made


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_the_image_for_the_platform_asked_for_is_chosen(tmp_path: Path, media_type: str) -> None:
    made = several(tmp_path / "index", "linux/amd64", "linux/arm64/v8", media_type=media_type)
    assert open_layout(tmp_path / "index", platform="linux/amd64").digest == made["linux/amd64"]
    for name in ("linux/arm64", "linux/arm64/v8"):
        assert open_layout(tmp_path / "index", platform=name).digest == made["linux/arm64/v8"]


def test_the_only_platform_needs_no_choice(tmp_path: Path) -> None:
    made = several(tmp_path / "index", "linux/arm64")
    assert open_layout(tmp_path / "index").digest == made["linux/arm64"]


def test_a_platform_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    made = several(tmp_path / "index", "linux/amd64", "linux/arm64")
    with pytest.raises(UsageError, match="is not there for linux/s390x") as caught:
        open_layout(tmp_path / "index", platform="linux/s390x")
    there = ", ".join(f"{platform} {digest}" for platform, digest in made.items())
    assert caught.value.hint == f"it has {there}; name one of them as the platform, or by its digest"
    with pytest.raises(UsageError, match="is there for several platforms"):
        open_layout(tmp_path / "index")


def test_a_base_of_several_platforms_gives_an_image_for_the_one_asked_for(tmp_path: Path) -> None:
    made = several(tmp_path / "base", "linux/amd64", "linux/arm64")
    spec = a_spec(a_bundle(), base=str(tmp_path / "base"), platforms=("linux/arm64",))
    record = LayoutBuilder(tmp_path / "image").build(spec, ignore)
    assert record.base_digest == made["linux/arm64"]
    assert open_layout(tmp_path / "image").platform == "linux/arm64"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"mediaType": "application/vnd.example"}, "is not an image but application/vnd.example"),
        ({"layers": []}, "is not an image but"),
        (
            {"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": 2}},
            "lacks blobs/sha256/0000",
        ),
        ({"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": 1 << 30}}, "is larger than"),
        ({"config": {"mediaType": "x", "digest": "md5:0", "size": 2}}, "only sha256 digests are read"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, document: dict[str, Any], message: str) -> None:
    LayoutBuilder(tmp_path).build(a_spec(a_bundle()), ignore)
    blobs = LayoutBlobs(tmp_path)
    with pytest.raises(IntegrityError, match=message):
        find_image(blobs, blobs.manifest(put(tmp_path, document)))


def test_an_artifact_is_not_taken_for_an_image(tmp_path: Path) -> None:
    LayoutBuilder(tmp_path).build(a_spec(a_bundle()), ignore)
    empty = put(tmp_path, {})
    document = {"config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2}}
    blobs = LayoutBlobs(tmp_path)
    with pytest.raises(IntegrityError, match="is an artifact, not an image"):
        find_image(blobs, blobs.manifest(put(tmp_path, document)))


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    record = LayoutBuilder(tmp_path).build(a_spec(a_bundle()), ignore)
    manifest = tmp_path / "blobs" / "sha256" / (record.digest or "").removeprefix("sha256:")
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(IntegrityError, match="is not what its digest says"):
        open_layout(tmp_path)


class TestReadBack:
    """The digest is the registry's own, and any other than expected is found out."""

    @pytest.fixture
    def record(self, registry: Registry, tmp_path: Path) -> ImageRecord:
        repository = f"{registry.host}/{own_bundle().project}"
        builder = LayoutBuilder(tmp_path)
        return builder.push(builder.build(a_spec(a_bundle(), repository), ignore), ignore)

    def read(self, record: ImageRecord, said: str | None = None) -> str:
        client = RegistryClient(Reference.parse(record.repository))
        return read_back(client, record, "linux/amd64", said)

    def test_it_is_what_the_push_said(self, record: ImageRecord) -> None:
        assert self.read(record) == self.read(record, record.digest) == record.digest

    def test_another_digest_than_the_push_said(self, record: ImageRecord) -> None:
        with pytest.raises(IntegrityError, match="do not have one digest"):
            self.read(record, "sha256:" + "0" * 64)

    def test_a_tag_that_is_not_there(self, record: ImageRecord) -> None:
        with pytest.raises(IntegrityError, match="was pushed, but its registry does not have it"):
            self.read(record.model_copy(update={"tags": (COMMIT, "other")}))

    def test_a_tag_somebody_else_moved_meanwhile(self, record: ImageRecord) -> None:
        with pytest.raises(IntegrityError, match="is not the image that was pushed"):
            self.read(record.model_copy(update={"config_digest": "sha256:" + "0" * 64}))

    def test_a_tag_that_became_something_else(self, record: ImageRecord) -> None:
        client = RegistryClient(Reference.parse(record.repository))
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        client.put_manifest(Manifest.of(index), COMMIT)
        with pytest.raises(MlopsConfigError, match="is taken by something else"):
            self.read(record)
