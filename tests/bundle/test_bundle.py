"""The bundle's digest, manifest and archive, also as coreutils and GNU tar make them."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_config.bundle.archive import read_archive, read_folder, to_tar
from mlops_config.bundle.bundle import MANIFEST_NAME, Bundle, config_digest, sha256_of
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.kinds import Kind

DATA = {kind: f"kind: {kind}\n".encode() for kind in Kind}


def bundle_of(data: dict[Kind, bytes] = DATA) -> Bundle:
    return Bundle.of("fares", "fare-regressor", "prod", data)


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def shell(command: str, folder: Path) -> bytes:
    return subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True).stdout


def test_files_are_sorted_by_their_canonical_names() -> None:
    assert [file.name for file in bundle_of().files] == [
        "prod_inference_config.yaml",
        "prod_monitoring_config.yaml",
        "prod_retrain_config.yaml",
        "prod_training_config.yaml",
    ]


def test_a_bundle_without_all_four_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="missing: retrain"):
        bundle_of({kind: b"" for kind in Kind if kind != Kind.RETRAIN})


def test_coreutils_give_the_same_config_digest(tmp_path: Path) -> None:
    bundle = bundle_of()
    folder = write(tmp_path / "bundle", bundle.contents())
    printed = shell("LC_ALL=C sha256sum *_config.yaml | sha256sum", folder)
    assert bundle.digest == f"sha256:{printed.split()[0].decode()}"


def test_gnu_tar_gives_the_same_archive(tmp_path: Path) -> None:
    bundle = bundle_of()
    folder = write(tmp_path / "bundle", bundle.contents())
    options = "--format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644"
    assert shell(f"LC_ALL=C tar {options} -cf - *", folder) == to_tar(bundle)


@given(st.dictionaries(st.sampled_from(Kind), st.binary(max_size=64), min_size=4))
def test_whatever_the_bytes_the_archive_gives_the_bundle_back(data: dict[Kind, bytes]) -> None:
    bundle = bundle_of(data)
    assert Bundle.from_contents(bundle.contents(), origin="memory") == bundle


@given(st.sampled_from(Kind), st.binary(min_size=1, max_size=8))
def test_any_changed_byte_changes_the_digest(kind: Kind, extra: bytes) -> None:
    assert bundle_of(DATA | {kind: DATA[kind] + extra}).digest != bundle_of().digest


def test_the_digest_does_not_depend_on_the_order_files_are_given_in() -> None:
    files = [(file.name, file.data) for file in bundle_of().files]
    assert config_digest(files) == config_digest(reversed(files))


def test_an_archive_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(to_tar(bundle_of()))
    assert read_archive(path) == bundle_of()


def test_a_folder_is_read_back(tmp_path: Path) -> None:
    assert read_folder(write(tmp_path / "bundle", bundle_of().contents())) == bundle_of()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({}, "holds no manifest.json"),
        ({MANIFEST_NAME: b"{"}, "is not JSON"),
        ({MANIFEST_NAME: b"[]"}, "is not a application/vnd.mlops-config"),
        (bundle_of().contents() | {"extra.yaml": b""}, "does not know: extra.yaml"),
        (bundle_of().contents() | {"prod_retrain_config.yaml": b"x"}, "is not what the manifest says"),
    ],
)
def test_what_is_not_a_whole_bundle_is_an_integrity_error(
    tmp_path: Path, contents: dict[str, bytes], message: str
) -> None:
    with pytest.raises(IntegrityError, match=message):
        read_folder(write(tmp_path / "bundle", contents))


def test_a_manifest_with_a_forged_digest_is_an_integrity_error(tmp_path: Path) -> None:
    contents = bundle_of().contents()
    forged = contents[MANIFEST_NAME].replace(bundle_of().digest.encode(), sha256_of(b"").encode())
    with pytest.raises(IntegrityError, match="does not describe the files"):
        read_folder(write(tmp_path / "bundle", contents | {MANIFEST_NAME: forged}))


def test_a_file_that_is_no_tar_is_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(IntegrityError, match="not a bundle archive"):
        read_archive(tmp_path / "bundle.tar")


def test_an_archive_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_archive(tmp_path / "none.tar")


def test_an_archive_with_a_link_is_an_integrity_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/etc/hostname")
    shell("tar -cf bundle.tar a", tmp_path)
    with pytest.raises(IntegrityError, match="which no bundle holds"):
        read_archive(tmp_path / "bundle.tar")
