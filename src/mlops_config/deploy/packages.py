"""Puts a model package where a cloud's servers find it, under the digest of its content, once for all."""

import hashlib
import io
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from mlops_config.errors import UsageError

ARCHIVE_NAME = "model.tar.gz"


def publish_package(folder: Path, destination: str) -> str:
    """The URI a revision is deployed with; ``folder`` holds the package's files.

    At ``s3://bucket/prefix`` it becomes ``<prefix>/<sha256>/model.tar.gz``, which SageMaker unpacks; at
    ``gs://bucket/prefix`` the files themselves in ``<prefix>/<sha256>``, a folder that Vertex AI hands over.
    Everything is written once: the same package again changes nothing.

    Raises:
        UsageError: the folder is empty, or the destination is neither of the two.
        ServiceError: the store stayed away, or refused.
        IntegrityError: something else lies under the name.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    if not files:
        raise UsageError(f"{folder} holds no model package", hint="give the folder with package.json")
    parts = urlsplit(destination)
    if parts.scheme == "s3":
        return _to_s3(files, parts.netloc, parts.path)
    if parts.scheme == "gs":
        return _to_gcs(files, parts.netloc, parts.path)
    raise UsageError(
        f"a model package is published to s3://bucket/prefix or gs://bucket/prefix, not to {destination}"
    )


def archive(files: dict[str, Path]) -> bytes:
    """The files as a ``tar.gz`` whose bytes depend on names and content alone: no times, owners or modes."""
    import gzip

    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=6) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return packed.getvalue()


def content_digest(files: dict[str, Path]) -> str:
    """64 hex digits of the files' names and content."""
    whole = hashlib.sha256()
    for name, path in sorted(files.items()):
        with path.open("rb") as content:
            whole.update(f"{name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _to_s3(files: dict[str, Path], bucket: str, prefix: str) -> str:
    from mlops_config.store.s3 import S3Store

    store, folder = S3Store(bucket, prefix), f"{content_digest(files)}/"
    key = folder + ARCHIVE_NAME
    # What has this name has this content, though another zlib may have packed it.
    if key not in store.keys(folder):
        store.put_if_absent(key, archive(files))
    return store.address(key)


def _to_gcs(files: dict[str, Path], bucket: str, prefix: str) -> str:
    from mlops_config.store.gcs import GcsStore

    store, folder = GcsStore(bucket, prefix), f"{content_digest(files)}/"
    there = set(store.keys(folder))
    for name, path in files.items():
        if folder + name not in there:
            store.put_if_absent(folder + name, path.read_bytes())
    return store.address(folder).rstrip("/")
