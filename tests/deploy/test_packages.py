"""Publishing model packages to where a cloud's servers find them."""

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_config.deploy.packages import archive, content_digest, publish_package
from mlops_config.errors import UsageError
from mlops_config.store.gcs import GcsStore
from tests.services.gcs import BUCKET as GCS_BUCKET
from tests.services.gcs import VARIABLE
from tests.services.s3 import BUCKET, lead_to

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a package."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "trip-fare"}')
    (folder / "model.skops").write_bytes(os.urandom(1 << 10))
    return folder


def files_of(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def test_an_archive_depends_on_names_and_content_alone(package: Path) -> None:
    first = archive(files_of(package))
    for path in package.iterdir():
        path.chmod(0o600)
        os.utime(path, (1, 1))
    assert archive(dict(reversed(files_of(package).items()))) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert tar.getnames() == ["model.skops", "package.json"]


def test_a_package_goes_to_s3_as_an_archive_and_only_once(
    package: Path, s3_endpoint: str, s3_client: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(s3_endpoint, monkeypatch)
    uri = publish_package(package, f"s3://{BUCKET}/models/")
    key = f"models/{content_digest(files_of(package))}/model.tar.gz"
    assert uri == f"s3://{BUCKET}/{key}"
    stored = s3_client.get_object(Bucket=BUCKET, Key=key)
    assert stored["Body"].read() == archive(files_of(package))
    assert publish_package(package, f"s3://{BUCKET}/models") == uri
    assert s3_client.head_object(Bucket=BUCKET, Key=key)["LastModified"] == stored["LastModified"]


def test_a_package_goes_to_gcs_as_a_folder(
    package: Path, gcs_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, gcs_bucket)
    uri = publish_package(package, f"gs://{GCS_BUCKET}/models")
    digest = content_digest(files_of(package))
    assert uri == f"gs://{GCS_BUCKET}/models/{digest}"
    store = GcsStore(GCS_BUCKET, "models")
    assert set(store.keys(f"{digest}/")) == {f"{digest}/model.skops", f"{digest}/package.json"}
    assert publish_package(package, f"gs://{GCS_BUCKET}/models") == uri


def test_other_content_has_another_name(package: Path) -> None:
    before = content_digest(files_of(package))
    (package / "package.json").rename(package / "other.json")
    assert content_digest(files_of(package)) != before


def test_other_destinations_and_empty_folders_are_sentences(package: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not to file:///srv"):
        publish_package(package, "file:///srv")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="holds no model package"):
        publish_package(empty, "s3://bucket/models")
