"""What tests need of each kind of store beyond its interface: open it anew, harm what it holds."""

import base64
import secrets
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import requests
from tests.services.registry import Registry

from mlops_config.bundle.bundle import Bundle, sha256_of
from mlops_config.registry.client import RegistryClient
from mlops_config.registry.reference import Reference
from mlops_config.release.record import ReleaseRecord
from mlops_config.store import open_store
from mlops_config.store.interface import Store
from mlops_config.store.s3 import S3Store
from mlops_config.store.tags import bundle_tag, release_tag

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Backend(ABC):
    """One empty store and ways to harm it behind its back."""

    uri: str

    def open(self) -> Store:
        """A new object for the same store."""
        return open_store(self.uri)

    @abstractmethod
    def overwrite_file(self, bundle: Bundle, name: str, data: bytes) -> None:
        """Puts other bytes of the same length under a published bundle's file."""

    @abstractmethod
    def remove_file(self, bundle: Bundle, name: str) -> None:
        """Removes a published bundle's file."""

    @abstractmethod
    def remove_manifest(self, bundle: Bundle) -> None:
        """Leaves of a published bundle what an interrupted upload leaves."""

    @abstractmethod
    def overwrite_record(self, record: ReleaseRecord, data: bytes) -> None:
        """Puts other bytes under a published release record."""


class LocalBackend(Backend):
    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = root.as_uri()

    def _bundle(self, bundle: Bundle) -> Path:
        return self.root / bundle.project / "bundles" / "sha256" / bundle.digest.removeprefix("sha256:")

    def overwrite_file(self, bundle: Bundle, name: str, data: bytes) -> None:
        _replace(self._bundle(bundle) / name, data)

    def remove_file(self, bundle: Bundle, name: str) -> None:
        (self._bundle(bundle) / name).unlink()

    def remove_manifest(self, bundle: Bundle) -> None:
        self.remove_file(bundle, "manifest.json")

    def overwrite_record(self, record: ReleaseRecord, data: bytes) -> None:
        _replace(self.root / record.project / "releases" / record.environment / f"{record.name}.json", data)


class S3Backend(Backend):
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = f"teams/{secrets.token_hex(4)}"
        self.uri = f"s3://{bucket}/{self.prefix}"

    def open(self) -> Store:
        return S3Store(self.bucket, self.prefix, client=self.client)

    def _bundle(self, bundle: Bundle, name: str) -> str:
        digest = bundle.digest.removeprefix("sha256:")
        return f"{self.prefix}/{bundle.project}/bundles/sha256/{digest}/{name}"

    def overwrite_file(self, bundle: Bundle, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self._bundle(bundle, name), Body=data)

    def remove_file(self, bundle: Bundle, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self._bundle(bundle, name))

    def remove_manifest(self, bundle: Bundle) -> None:
        self.remove_file(bundle, "manifest.json")

    def overwrite_record(self, record: ReleaseRecord, data: bytes) -> None:
        key = f"{self.prefix}/{record.project}/releases/{record.environment}/{record.name}.json"
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)


class GcsBackend(Backend):
    def __init__(self, endpoint: str, bucket: str) -> None:
        self.endpoint = endpoint
        self.bucket = bucket
        self.prefix = f"teams/{secrets.token_hex(4)}"
        self.uri = f"gs://{bucket}/{self.prefix}"

    def _object(self, key: str) -> str:
        return f"{self.endpoint}/storage/v1/b/{self.bucket}/o/{quote(f'{self.prefix}/{key}', safe='')}"

    def _overwrite(self, key: str, data: bytes) -> None:
        parameters = {"uploadType": "media", "name": f"{self.prefix}/{key}"}
        url = f"{self.endpoint}/upload/storage/v1/b/{self.bucket}/o"
        requests.post(url, params=parameters, data=data, timeout=30).raise_for_status()

    def overwrite_file(self, bundle: Bundle, name: str, data: bytes) -> None:
        self._overwrite(_bundle_key(bundle, name), data)

    def remove_file(self, bundle: Bundle, name: str) -> None:
        requests.delete(self._object(_bundle_key(bundle, name)), timeout=30).raise_for_status()

    def remove_manifest(self, bundle: Bundle) -> None:
        self.remove_file(bundle, "manifest.json")

    def overwrite_record(self, record: ReleaseRecord, data: bytes) -> None:
        self._overwrite(f"{record.project}/releases/{record.environment}/{record.name}.json", data)


class OciBackend(Backend):
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.repository = f"acme/fares-{secrets.token_hex(4)}"
        self.uri = f"oci://{registry.host}/{self.repository}"

    @property
    def client(self) -> RegistryClient:
        return RegistryClient(Reference(self.registry.host, self.repository))

    def overwrite_file(self, bundle: Bundle, name: str, data: bytes) -> None:
        _replace(self.registry.blob_path(sha256_of(bundle.contents()[name])), data)

    def remove_file(self, bundle: Bundle, name: str) -> None:
        self.registry.blob_path(sha256_of(bundle.contents()[name])).unlink()

    def remove_manifest(self, bundle: Bundle) -> None:
        tags = self.registry.data / f"docker/registry/v2/repositories/{self.repository}/_manifests/tags"
        (tags / bundle_tag(bundle.digest) / "current/link").unlink()

    def overwrite_record(self, record: ReleaseRecord, data: bytes) -> None:
        manifest = self.client.manifest(release_tag(record.environment, record.name))
        assert manifest is not None
        _replace(self.registry.blob_path(manifest.layers()[0].digest), data)


def _bundle_key(bundle: Bundle, name: str) -> str:
    return f"{bundle.project}/bundles/sha256/{bundle.digest.removeprefix('sha256:')}/{name}"


def _replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def flipped(data: bytes) -> bytes:
    """Other bytes of the same length."""
    return base64.b16encode(data)[: len(data)]
