"""The image written without an engine: the same bytes on any machine, and other people's tools read it."""

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.image.making import COMMIT, a_bundle, a_spec, ignore, output_of, tar_of

from mlops_config.bundle.bundle import Bundle, sha256_of
from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.image.labels import config_labels, environment_variables
from mlops_config.image.layout import LayoutBuilder, open_layout
from mlops_config.image.opened import read_bundle
from mlops_config.kinds import Kind
from mlops_config.release.record import ImageRecord

BUNDLE = a_bundle("prod")
GOLDEN_DIGEST = "sha256:54a95590e0c08ffc01b038a965d588d053f15e355734b4f044b45b6e406a06fa"


def build(folder: Path, bundle: Bundle = BUNDLE, **changes: Any) -> ImageRecord:
    return LayoutBuilder(folder).build(a_spec(bundle, **changes), ignore)


def blob(folder: Path, digest: str | None) -> Path:
    assert digest is not None
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def document(folder: Path, digest: str | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(blob(folder, digest).read_bytes())
    return found


def write_base(folder: Path, entries: dict[str, bytes | str | None], *, docker_types: bool = False) -> None:
    """A one-layer image layout, gzipped, as ``skopeo copy`` writes them."""
    layer = tar_of(entries)
    packed = gzip.compress(layer, mtime=0)
    settings = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": ["PATH=/bin", "MLOPS_ENVIRONMENT=none"], "Labels": {"base": "yes"}, "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256_of(layer)]},
        "history": [{"created_by": "import"}],
    }
    configuration = json.dumps(settings).encode()
    kind = "docker.image.rootfs.diff.tar.gzip" if docker_types else "oci.image.layer.v1.tar+gzip"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": sha256_of(configuration),
                "size": len(configuration),
            },
            "layers": [
                {"mediaType": f"application/vnd.{kind}", "digest": sha256_of(packed), "size": len(packed)}
            ],
        }
    ).encode()
    (folder / "blobs" / "sha256").mkdir(parents=True)
    for data in (packed, configuration, manifest):
        blob(folder, sha256_of(data)).write_bytes(data)
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": sha256_of(manifest),
        "size": len(manifest),
    }
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def test_an_image_from_scratch_holds_the_bundle_and_says_so(tmp_path: Path) -> None:
    record = build(tmp_path / "image")
    assert record.base == "scratch"
    assert record.base_digest is None
    assert record.layout == str(tmp_path / "image")
    assert not record.pushed
    opened = open_layout(tmp_path / "image")
    assert read_bundle(opened) == BUNDLE
    assert opened.variables == environment_variables(BUNDLE)
    assert opened.labels == config_labels(BUNDLE)
    assert (opened.digest, opened.config_digest) == (record.digest, record.config_digest)


def test_equal_input_gives_one_digest_in_any_folder_under_any_clock(tmp_path: Path) -> None:
    assert build(tmp_path / "here").digest == build(tmp_path / "there").digest


def test_the_digest_is_pinned_since_other_people_rely_on_it(tmp_path: Path) -> None:
    """A change of this digest is a change of every image ever built: say so in the changelog."""
    bundle = Bundle.of("fares", "fare", "prod", {kind: f"kind: {kind}\n".encode() for kind in Kind})
    assert build(tmp_path / "image", bundle).digest == GOLDEN_DIGEST


def test_another_byte_another_label_or_another_platform_gives_another_digest(tmp_path: Path) -> None:
    digests = {
        build(tmp_path / "plain").digest,
        build(tmp_path / "bytes", a_bundle("prod", "other")).digest,
        build(tmp_path / "label", labels={"team": "pricing"}).digest,
        build(tmp_path / "platform", platforms=("linux/arm64/v8",)).digest,
    }
    assert len(digests) == 4


def test_the_layer_is_what_gnu_tar_writes(tmp_path: Path) -> None:
    record = build(tmp_path / "image")
    [layer] = document(tmp_path / "image", record.digest)["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    for name, data in BUNDLE.contents().items():
        file = tmp_path / "app" / "configs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    flags = "--format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX"
    version = output_of("tar", "--version")
    if "GNU tar" not in version:
        pytest.skip(f"another tar: {version.splitlines()[0]}")
    output_of("tar", *flags.split(), "-cf", "layer.tar", "app", cwd=tmp_path)
    assert (tmp_path / "layer.tar").read_bytes() == blob(tmp_path / "image", layer["digest"]).read_bytes()


def test_the_configuration_has_one_diff_id_and_one_step_of_history_for_each_layer(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"bin/sh": b"x"})
    record = build(tmp_path / "image", base=str(tmp_path / "base"))
    config = document(tmp_path / "image", record.config_digest)
    assert len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 2


def test_the_time_is_the_epoch_unless_a_label_or_the_environment_says_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def created(folder: str, **changes: Any) -> str:
        record = build(tmp_path / folder, **changes)
        return str(document(tmp_path / folder, record.config_digest)["created"])

    label = {"org.opencontainers.image.created": "2026-04-01T12:00:00Z"}
    assert created("epoch") == "1970-01-01T00:00:00Z"
    assert created("label", labels=label) == "2026-04-01T12:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert created("variable", labels=label) == "1970-01-02T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        created("wrong")


def test_the_same_build_again_writes_nothing(tmp_path: Path) -> None:
    first = build(tmp_path / "image")
    before = (tmp_path / "image").stat()
    assert build(tmp_path / "image") == first
    assert (tmp_path / "image").stat() == before


def test_another_build_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    old = build(tmp_path / "image")
    new = build(tmp_path / "image", a_bundle("prod", "other"))
    assert not blob(tmp_path / "image", old.digest).exists()
    assert open_layout(tmp_path / "image").digest == new.digest
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_damaged_layout_is_written_anew(tmp_path: Path) -> None:
    record = build(tmp_path / "image")
    blob(tmp_path / "image", record.config_digest).write_bytes(b"{}")
    said: list[str] = []
    LayoutBuilder(tmp_path / "image").build(a_spec(BUNDLE), said.append)
    assert any("damaged" in line for line in said)
    assert open_layout(tmp_path / "image").config_digest == record.config_digest


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_each_tag_finds_the_image(tmp_path: Path) -> None:
    record = build(tmp_path / "image", tags=(COMMIT, "1.2.0-prod"))
    assert open_layout(tmp_path / "image", "1.2.0-prod").digest == record.digest
    assert open_layout(tmp_path / "image").digest == record.digest
    with pytest.raises(UsageError, match="no image tagged 9") as caught:
        open_layout(tmp_path / "image", "9")
    assert caught.value.hint
    assert "1.2.0-prod" in caught.value.hint


def test_a_base_keeps_its_layers_and_settings_and_ours_come_on_top(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"bin/sh": b"x"})
    record = build(tmp_path / "image", base=str(tmp_path / "base"))
    opened = open_layout(tmp_path / "image")
    base = open_layout(tmp_path / "base")
    assert opened.diff_ids[:1] == base.diff_ids
    assert opened.variables == {"PATH": "/bin", **environment_variables(BUNDLE)}
    assert opened.labels["base"] == "yes"
    assert record.base_digest == base.digest == opened.labels["org.opencontainers.image.base.digest"]
    assert document(tmp_path / "image", record.config_digest)["config"]["Cmd"] == ["sh"]


def test_the_place_of_the_base_is_not_part_of_the_image(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write_base(tmp_path / name / "base", {"bin/sh": b"x"})
    digests = {
        build(tmp_path / name / "image", base=str(tmp_path / name / "base")).digest
        for name in ("here", "there")
    }
    assert len(digests) == 1


def test_a_base_with_docker_types_becomes_an_oci_image(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"bin/sh": b"x"}, docker_types=True)
    record = build(tmp_path / "image", base=str(tmp_path / "base"))
    types = [layer["mediaType"] for layer in document(tmp_path / "image", record.digest)["layers"]]
    assert types == [f"application/vnd.oci.image.layer.v1.tar{end}" for end in ("+gzip", "")]


def test_a_base_that_holds_another_environments_file_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"srv/configs/dev/dev_training_config.yaml": b"x"})
    with pytest.raises(IntegrityError, match="dev_training_config"):
        build(tmp_path / "image", base=str(tmp_path / "base"))
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_base_whose_app_folder_is_a_link_is_refused_since_ours_would_replace_it(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"app": "srv", "srv/main.py": b"pass"})
    with pytest.raises(IntegrityError, match=r"/app in .* is a link"):
        build(tmp_path / "image", base=str(tmp_path / "base"))


def test_a_damaged_base_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"bin/sh": b"x"})
    [layer] = open_layers(tmp_path / "base")
    blob(tmp_path / "base", layer).write_bytes(gzip.compress(tar_of({"bin/sh": b"y"}), mtime=0))
    with pytest.raises(IntegrityError, match="is not what its digest says"):
        build(tmp_path / "image", base=str(tmp_path / "base"))
    blob(tmp_path / "base", layer).unlink()
    with pytest.raises(IntegrityError, match="lacks the blob"):
        build(tmp_path / "image", base=str(tmp_path / "base"))
    assert not (tmp_path / "image").exists()


def open_layers(folder: Path) -> list[str]:
    index = json.loads((folder / "index.json").read_bytes())
    return [layer["digest"] for layer in document(folder, index["manifests"][0]["digest"])["layers"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "python:3.12-slim"}, "python:3.12-slim needs a Docker engine"),
        ({"dockerfile": Path("Dockerfile")}, "the Dockerfile Dockerfile needs a Docker engine"),
        ({"platforms": ("linux/amd64", "linux/arm64")}, "one platform at a time"),
        ({"platforms": ("arm64",)}, "'arm64' is not a platform"),
    ],
)
def test_what_only_an_engine_can_do_is_refused_with_what_to_do(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build(tmp_path / "image", **changes)
    assert caught.value.hint or "one platform" in message
    assert not (tmp_path / "image").exists()


def test_a_base_for_another_platform_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path / "base", {"bin/sh": b"x"})
    with pytest.raises(UsageError, match="is for linux/amd64, not for linux/arm64"):
        build(tmp_path / "image", base=str(tmp_path / "base"), platforms=("linux/arm64",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("index.json", None, "lacks index.json"),
        ("index.json", "[]", "is not a JSON object"),
        ("index.json", "{", "is not JSON"),
        ("index.json", '{"manifests": [{}]}', "descriptor without mediaType"),
        ("index.json", '{"manifests": []}', "holds 0 images"),
        (
            "index.json",
            '{"manifests": [{"mediaType": "a", "digest": "sha256:../../../etc/passwd", "size": 3}]}',
            "names a blob by",
        ),
    ],
)
def test_a_layout_that_is_none_is_refused(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    build(tmp_path / "image")
    (tmp_path / "image" / name).unlink()
    if content is not None:
        (tmp_path / "image" / name).write_text(content)
    with pytest.raises(MlopsConfigError, match=message):
        open_layout(tmp_path / "image")


def test_a_folder_that_is_no_layout_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an OCI image layout") as caught:
        open_layout(tmp_path)
    assert caught.value.hint
    assert "skopeo copy" in caught.value.hint


STOPPED = """
import resource, sys
from pathlib import Path
from tests.image.making import a_bundle, a_spec
from mlops_config.image import layout
{change}
layout.LayoutBuilder(Path(sys.argv[1])).build(a_spec(a_bundle()), print)
"""


def run_stopped(folder: Path, change: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", STOPPED.format(change=change), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_a_disk_that_takes_no_more_leaves_the_old_image_and_no_half_one(tmp_path: Path) -> None:
    old = build(tmp_path / "image", a_bundle("prod", "other"))
    # The kernel's limit on a file's size stands for a full disk: a write fails half way through.
    done = run_stopped(tmp_path / "image", "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))")
    assert f"the image layout {tmp_path / 'image'} cannot be written" in done.stderr
    assert ServiceError.__name__ in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
    assert open_layout(tmp_path / "image").digest == old.digest


def test_ctrl_c_leaves_the_old_image_and_no_half_one(tmp_path: Path) -> None:
    old = build(tmp_path / "image", a_bundle("prod", "other"))
    # The signal comes when everything is written and only the proof is missing.
    stop = "import os, signal; layout.prove = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)"
    done = run_stopped(tmp_path / "image", stop)
    assert done.returncode == -signal.SIGINT, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
    assert open_layout(tmp_path / "image").digest == old.digest


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ServiceError, match=r"cannot be written: File exists \(.*/file\)"):
        build(tmp_path / "file" / "image")


def test_skopeo_reads_the_layout(tmp_path: Path, skopeo: str) -> None:
    record = build(tmp_path / "image")
    seen = json.loads(output_of(skopeo, "inspect", f"oci:{tmp_path / 'image'}"))
    assert seen["Digest"] == record.digest
    assert seen["Labels"] == config_labels(BUNDLE)
    assert seen["Env"] == [f"{key}={value}" for key, value in environment_variables(BUNDLE).items()]
    tagged = output_of(skopeo, "inspect", f"oci:{tmp_path / 'image'}:{COMMIT}")
    assert json.loads(tagged)["Digest"] == record.digest


def test_a_base_written_by_skopeo_runs_with_the_configs_on_top(
    tmp_path: Path, base_layout: Path, skopeo: str, image_name: str
) -> None:
    build(tmp_path / "image", base=str(base_layout))
    output_of(
        skopeo, "copy", "--insecure-policy", f"oci:{tmp_path / 'image'}", f"docker-daemon:{image_name}:layout"
    )
    show = "cat $ACTIVE_CONFIG; ls /app/configs"
    shown = output_of("docker", "run", "--rm", "--network=none", f"{image_name}:layout", "sh", "-c", show)
    files = {file.kind: file for file in BUNDLE.files}
    assert shown.startswith(files[Kind.TRAINING].data.decode())
    assert shown.splitlines()[-5:] == sorted(BUNDLE.contents())
