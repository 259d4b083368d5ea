"""Which URIs name a store, and what is said about those that do not."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.errors import UsageError
from mlops_config.store import open_store
from mlops_config.store.gcs import GcsStore
from mlops_config.store.local import LocalStore
from mlops_config.store.oci import OciStore
from mlops_config.store.s3 import S3Store


def test_the_scheme_decides_the_kind(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path.as_uri()), LocalStore)
    assert isinstance(open_store("s3://configs/fares"), S3Store)
    assert isinstance(open_store("gs://configs/fares"), GcsStore)
    assert isinstance(open_store("oci://ghcr.io/acme/fares-config"), OciStore)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("file:///srv/configs/", "file:///srv/configs"),
        ("file://localhost/srv/configs", "file://localhost/srv/configs"),
        ("s3://configs", "s3://configs"),
        ("s3://configs/a/b/", "s3://configs/a/b"),
        ("gs://configs/a/b/", "gs://configs/a/b"),
        ("oci://ghcr.io/acme/fares-config/", "oci://ghcr.io/acme/fares-config"),
        ("oci://localhost:5000/fares", "oci://localhost:5000/fares"),
    ],
)
def test_a_store_keeps_its_uri_without_a_slash_at_the_end(given: str, kept: str) -> None:
    assert open_store(given).uri == kept


def test_a_folder_may_have_a_blank_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "my store"
    store = open_store(folder.as_uri())
    assert isinstance(store, LocalStore)
    assert store.address("x") == (folder / "x").as_uri()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gs://", r"not the name of a Google Cloud Storage bucket"),
        ("gs://Bucket/x", r"not the name of a Google Cloud Storage bucket"),
        ("gs://bucket/x#1234", r"query or fragment"),
        ("az://container/x", r"az:// are not supported by this version"),
        ("https://example.org/x", r"https:// are not supported"),
        ("/srv/configs", r"has no scheme"),
        ("store", r"has no scheme"),
        ("", r"has no scheme"),
        ("file://store", r"expected file:/// and an absolute path"),
        ("file:store", r"expected file:/// and an absolute path"),
        ("file:///srv/../etc", r"expected file:/// and an absolute path"),
        ("s3://", r"not the name of an S3 bucket"),
        ("s3:///prefix", r"not the name of an S3 bucket"),
        ("s3://My_Bucket/x", r"not the name of an S3 bucket"),
        ("s3://bucket/x?versionId=1", r"query or fragment"),
        ("oci://", r"which registry and repository"),
        ("oci://ghcr.io", r"which registry and repository"),
        ("oci://acme/fares", r"which registry and repository"),
        ("oci://ghcr.io/acme/fares:prod", r"has a tag or digest"),
        ("oci://ghcr.io/Acme/fares", r"lower-case"),
        ("oci://[::1/x", r"is not a URI"),
    ],
)
def test_what_names_no_store_is_a_usage_error(uri: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_store(uri)


@pytest.mark.parametrize("uri", ["s3://AKIA:secret@bucket/x", "oci://ada:secret@ghcr.io/acme/fares"])
def test_credentials_in_a_uri_are_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(UsageError, match="credentials") as refused:
        open_store(uri)
    assert "secret" not in refused.value.message
    assert refused.value.hint


def imported_by(code: str) -> set[str]:
    """The top-level modules a fresh interpreter has after running ``code``."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import mlops_config.store", {"requests", "boto3", "pydantic", "docker"}),
        (
            "from mlops_config.store import open_store; open_store('file:///x')",
            {"requests", "boto3", "docker"},
        ),
        (
            "from mlops_config.store import open_store; open_store('s3://xxx')",
            {"requests", "boto3", "docker"},
        ),
        (
            "from mlops_config.store import open_store; open_store('gs://xxx')",
            {"requests", "boto3", "docker"},
        ),
        ("from mlops_config.store import open_store; open_store('oci://a.b/c')", {"boto3", "docker"}),
    ],
)
def test_opening_a_store_loads_only_what_that_kind_needs(code: str, absent: set[str]) -> None:
    assert imported_by(code) & absent == set()


def test_without_boto3_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match="boto3") as missing:
        open_store("s3://configs").current("fares", "prod")
    assert missing.value.hint == "run: pip install 'mlops-config-action[s3]'"


@pytest.mark.parametrize("module", ["google.auth", "google_crc32c"])
def test_without_googles_packages_the_error_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"needs? google-(auth|crc32c), and it is not installed") as missing:
        open_store("gs://configs").current("fares", "prod")
    assert missing.value.hint == "run: pip install 'mlops-config-action[gcs]'"
