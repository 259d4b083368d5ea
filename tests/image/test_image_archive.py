"""The tar an engine saves an image as, in the shapes of engines old and new."""

import io
import json
import tarfile
from pathlib import Path

import docker
import pytest
from tests.image.making import COMMIT, a_bundle, a_spec, config_entries, ignore, output_of, tar_of

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError
from mlops_config.image.archive import Chunks, open_archive
from mlops_config.image.labels import config_labels, environment_variables
from mlops_config.image.layout import LayoutBuilder
from mlops_config.image.opened import prove, read_bundle

BUNDLE = a_bundle("prod")
LAYER = tar_of(config_entries(BUNDLE))
BASE = tar_of({"bin/sh": b"x"})
CONFIG = json.dumps(
    {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [sha256_of(BASE), sha256_of(LAYER), sha256_of(BASE)]},
        "config": {
            "Labels": config_labels(BUNDLE),
            "Env": [f"{name}={value}" for name, value in environment_variables(BUNDLE).items()],
        },
    }
).encode()


def manifest(config: str, *layers: str) -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["fares:1"], "Layers": layers}]).encode()


def in_chunks(data: bytes, size: int = 777) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def until_24() -> bytes:
    """A folder for each layer; a layer that occurs twice is a link the second time."""
    return tar_of(
        {
            "a": None,
            "a/VERSION": b"1.0",
            "a/json": b"{}",
            "a/layer.tar": BASE,
            "b/layer.tar": LAYER,
            "c/layer.tar": "../a/layer.tar",
            "config.json": CONFIG,
            "manifest.json": manifest("config.json", "a/layer.tar", "b/layer.tar", "c/layer.tar"),
            "repositories": b"{}",
        }
    )


def from_25_on() -> bytes:
    """An OCI layout with the old manifest beside it; nothing says which blob is what before the end."""
    blobs = {
        f"blobs/sha256/{sha256_of(data)[7:]}": data for data in (BASE, LAYER, CONFIG, b"{}", b"\0rubbish")
    }
    base, layer, config, *_ = blobs
    return tar_of(
        {
            "blobs": None,
            "blobs/sha256": None,
            **blobs,
            "index.json": b"{}",
            "manifest.json": manifest(config, base, layer, base),
            "oci-layout": b"{}",
        }
    )


@pytest.mark.parametrize("archive", [until_24(), from_25_on()], ids=["until 24", "from 25 on"])
@pytest.mark.parametrize("size", [100, 5000, 1 << 20])
def test_an_image_is_opened_in_one_pass_whatever_the_engine_and_the_chunks(archive: bytes, size: int) -> None:
    image = open_archive(iter(in_chunks(archive, size)), "fares:1")
    assert image.config_digest == sha256_of(CONFIG)
    assert [layer.name for layer in image.layers] == ["1 of 3", "2 of 3", "3 of 3"]
    prove(image, BUNDLE, base_diff_ids=[sha256_of(BASE)])
    assert read_bundle(image) == BUNDLE


def test_an_archive_that_breaks_off_is_refused() -> None:
    with pytest.raises(IntegrityError, match="archive of fares:1"):
        open_archive(in_chunks(until_24()[:9000]), "fares:1")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": b"x"}, "has no manifest.json"),
        ({"manifest.json": b"[]"}, "does not hold exactly one image"),
        ({"manifest.json": b'[{"Config": "c.json"}]', "c.json": b"{}"}, "lacks a part"),
        ({"manifest.json": manifest("c.json", "a/layer.tar"), "c.json": b"{}"}, "lacks a part"),
        ({"manifest.json": manifest("c.json"), "c.json": b"{"}, "lacks a part"),
        (
            {
                "manifest.json": manifest("c.json", "a/layer.tar"),
                "c.json": b"{}",
                "a/layer.tar": b"\0rubbish",
            },
            "layer a is not a readable tar",
        ),
    ],
)
def test_an_archive_that_is_no_images_is_refused(
    entries: dict[str, bytes | str | None], message: str
) -> None:
    with pytest.raises(IntegrityError, match=message):
        open_archive([tar_of(entries)], "fares:1")


def test_chunks_read_like_a_file() -> None:
    stream = Chunks(iter([b"ab", b"", b"cdef", b"g"]))
    assert [stream.read(3), stream.read(0), stream.read(2), stream.read(9), stream.read(1)] == [
        b"abc",
        b"",
        b"de",
        b"fg",
        b"",
    ]
    assert Chunks(iter([b"ab", b"c"])).read() == b"abc"


def test_the_archive_skopeo_writes_is_opened(tmp_path: Path, skopeo: str) -> None:
    record = LayoutBuilder(tmp_path / "image").build(a_spec(BUNDLE), ignore)
    saved = tmp_path / "image.tar"
    output_of(
        skopeo, "copy", "--insecure-policy", f"oci:{tmp_path / 'image'}", f"docker-archive:{saved}:fares:1"
    )
    image = open_archive([saved.read_bytes()], "fares:1")
    prove(image, BUNDLE)
    assert image.config_digest == record.config_digest


def test_memory_stays_small_whatever_the_layers_hold(engine: docker.DockerClient, image_name: str) -> None:
    """A layer of 64 MB passes by; what is kept of it is what lies at the configs."""
    import tracemalloc

    big = io.BytesIO()
    with tarfile.open(fileobj=big, mode="w") as archive:
        entry = tarfile.TarInfo("usr/lib/model.bin")
        entry.size = 64 << 20
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    engine.api.import_image_from_data(big.getvalue(), repository=image_name, tag=COMMIT)
    big.close()
    chunks = engine.api.get_image(f"{image_name}:{COMMIT}")
    tracemalloc.start()
    image = open_archive(chunks, image_name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert image.layers[0].entries == ()
    assert peak < 24 << 20
