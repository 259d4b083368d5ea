"""Stores of bundles and release records: a folder, a bucket, or a repository of a container registry."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlops_config.errors import UsageError

if TYPE_CHECKING:
    from mlops_config.store.interface import Store

SCHEMES = ("file:///folder", "s3://bucket/prefix", "gs://bucket/prefix", "oci://registry/repository")


def open_store(uri: str) -> "Store":
    """The store behind ``uri``; nothing is read or written yet.

    Raises:
        UsageError: ``uri`` is not one of the kinds in :data:`SCHEMES`, holds credentials, or is not complete.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise UsageError(f"the store {uri!r} is not a URI: {error}") from error
    if "@" in parts.netloc:
        raise UsageError(
            f"the store {parts.scheme}://…@{parts.netloc.rpartition('@')[2]} has credentials in its URI",
            hint="use the store's own login (docs/stores.md): URIs end up in logs and release records",
        )
    if parts.query or parts.fragment:
        raise UsageError(f"the store {uri!r} has a query or fragment; a store's URI ends with its path")
    openers = {"file": _open_local, "s3": _open_s3, "gs": _open_gcs, "oci": _open_oci}
    opener = openers.get(parts.scheme)
    if opener is None:
        what = (
            f"stores of the kind {parts.scheme}:// are" if parts.scheme else f"{uri!r} has no scheme, and is"
        )
        raise UsageError(f"{what} not supported by this version", hint=f"use one of {', '.join(SCHEMES)}")
    return opener(uri)


def _open_local(uri: str) -> "Store":
    from pathlib import Path
    from urllib.request import url2pathname

    from mlops_config.store.local import LocalStore

    parts = urlsplit(uri)
    path = Path(url2pathname(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"the store {uri!r} is not a folder on this machine: expected file:/// and an absolute path",
            hint="for example file:///srv/configs; in a shell: file://$PWD/store",
        )
    return LocalStore(path, uri.rstrip("/"))


def _open_s3(uri: str) -> "Store":
    from mlops_config.store.s3 import S3Store

    parts = urlsplit(uri)
    return S3Store(parts.netloc, unquote(parts.path))


def _open_gcs(uri: str) -> "Store":
    from mlops_config.store.gcs import GcsStore

    parts = urlsplit(uri)
    return GcsStore(parts.netloc, unquote(parts.path))


def _open_oci(uri: str) -> "Store":
    from mlops_config.registry.client import RegistryClient
    from mlops_config.registry.reference import Reference
    from mlops_config.store.oci import OciStore

    name = uri.removeprefix("oci://").rstrip("/")
    first = name.partition("/")[0]
    if first == name or not (set(first) & set(".:") or first == "localhost"):
        raise UsageError(
            f"the store {uri!r} does not say which registry and repository",
            hint="for example oci://ghcr.io/acme/fares-config",
        )
    reference = Reference.parse(name)
    if reference.tag or reference.digest:
        raise UsageError(
            f"the store {uri!r} has a tag or digest: a store is a whole repository",
            hint=f"use oci://{reference.name}",
        )
    return OciStore(RegistryClient(reference))
