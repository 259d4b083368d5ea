"""A store in a Google Cloud Storage bucket: ``gs://bucket/prefix``.

Speaks the JSON API with Google's own credentials (google-auth). Not through Google's storage client: that one
writes what is larger than 8 MiB in several requests, and here every object is one conditional request.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from mlops_config.errors import IntegrityError, ServiceError, UsageError
from mlops_config.google_login import log_in
from mlops_config.retrying import Retries, TemporaryError
from mlops_config.store.objects import OBJECT_LIMIT_BYTES, ObjectStore, StoredObject

if TYPE_CHECKING:
    import requests

    from mlops_config.http import HttpClient, Sink

T = TypeVar("T")

EMULATOR_VARIABLE = "STORAGE_EMULATOR_HOST"
"""Where it is set, requests go there and carry no credentials, as with Google's own clients."""
EXTRA_HINT = "run: pip install 'mlops-config-action[gcs]'"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"

# https://cloud.google.com/storage/docs/buckets#naming
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ABSENT = "0"
"""The generation of an object that is not there (ifGenerationMatch)."""
_CONTENT_TYPES = {
    "json": "application/json",
    "yaml": "application/yaml",
    "html": "text/html; charset=utf-8",
}
_NOT_CACHED = "no-store"
"""Objects that everyone may read are otherwise cached for an hour, the pointer too."""
_OK, _UNAUTHORIZED, _FORBIDDEN, _MISSING, _MOVED = 200, 401, 403, 404, 412


@dataclass(frozen=True, slots=True)
class _Service:
    """Where requests go, and what proves who sends them."""

    http: "HttpClient"
    endpoint: str
    authorize: Callable[[str, str], dict[str, str]]
    """The headers for a method and URL."""


class GcsStore(ObjectStore):
    """Objects below ``prefix`` of a bucket. Every write is conditional, so none replaces what it did not see.

    Credentials are the application default ones, where every program for Google Cloud reads them.
    """

    reads_at_once = 8

    def __init__(self, bucket: str, prefix: str, *, retries: Retries | None = None) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(
                f"{bucket!r} is not the name of a Google Cloud Storage bucket:"
                " 3 to 222 of a-z, 0-9, -, _ and ."
            )
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._retries = retries or Retries()
        self._opened: _Service | None = None
        self._bucket_is_there = False
        self.uri = f"gs://{bucket}/{self._prefix}".rstrip("/")

    def get(self, key: str) -> StoredObject | None:
        from mlops_config.registry.sinks import CappedMemory

        doing = f"reading {self.address(key)}"
        path = f"/storage/v1/b/{self._bucket}/o/{quote(self._prefix + key, safe='')}"

        def once() -> tuple["requests.Response", bytes]:
            memory = CappedMemory(OBJECT_LIMIT_BYTES, self.address(key))
            headers = {"Accept-Encoding": "identity"}
            response = self._send("GET", path, {"alt": "media"}, headers=headers, into=memory)
            data = memory.getvalue()
            if response.status_code == _OK and _crc32c(data) != _stored_crc32c(response):
                raise TemporaryError("what arrived does not have the object's CRC32C checksum")
            return response, data

        response, data = self._run(once, doing)
        if response.status_code == _OK:
            return StoredObject(data, response.headers["x-goog-generation"])
        if response.status_code == _MISSING:
            if "No such object" not in response.text:
                self._require_bucket(doing)
            return None
        raise self._refused(response, doing)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self._put(key, data, _ABSENT) is not None or self.refuse_other_content(key, data)

    def compare_and_swap(self, key: str, data: bytes, expected: str | None) -> str | None:
        if expected is not None and not expected.isdecimal():
            return None
        token = self._put(key, data, expected or _ABSENT, cache_control=_NOT_CACHED)
        if token is None:
            # Maybe an earlier try of ours arrived and its answer got lost.
            stored = self.get(key)
            token = stored.token if stored and stored.data == data and stored.token != expected else None
        return token

    def keys(self, prefix: str) -> Iterator[str]:
        doing = f"listing {self.address(prefix)}"
        page: dict[str, Any] = {}
        while True:
            token = page.get("nextPageToken")
            asked = {"prefix": self._prefix + prefix, "fields": "nextPageToken,items/name"}
            page = self._list(asked | ({"pageToken": token} if token else {}), doing)
            for item in page.get("items", ()):
                yield item["name"].removeprefix(self._prefix)
            if not page.get("nextPageToken"):
                return

    def address(self, key: str) -> str:
        return f"gs://{self._bucket}/{self._prefix}{key}"

    def _put(self, key: str, data: bytes, generation: str, *, cache_control: str | None = None) -> str | None:
        """Writes the object if it is of ``generation``; the new one, or ``None`` if it is of another."""
        doing = f"writing {self.address(key)}"
        content_type = _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
        checksum = _crc32c(data)
        metadata = {"name": self._prefix + key, "contentType": content_type, "crc32c": checksum}
        if cache_control:
            metadata["cacheControl"] = cache_control
        headers, body = _multipart(metadata, content_type, data)

        def once() -> "requests.Response":
            response = self._send(
                "POST",
                f"/upload/storage/v1/b/{self._bucket}/o",
                {"uploadType": "multipart", "ifGenerationMatch": generation},
                headers=headers,
                body=body,
            )
            if "doesn't match calculated" in response.text:
                raise TemporaryError(f"what arrived was damaged on its way: {_message(response)}")
            return response

        response = self._run(once, doing)
        if response.status_code == _MOVED or (generation == _ABSENT and _may_not_replace(response)):
            return None
        if response.status_code == _MISSING:
            raise self._no_bucket(doing)
        if response.status_code != _OK:
            raise self._refused(response, doing)
        stored = response.json()
        if stored.get("crc32c") != checksum:
            raise IntegrityError(
                f"{self.address(key)} was stored with the CRC32C checksum {stored.get('crc32c')};"
                f" what was sent has {checksum}",
                hint="remove that object, then run the command again",
            )
        return str(stored["generation"])

    def _list(self, asked: dict[str, str], doing: str) -> dict[str, Any]:
        response = self._run(lambda: self._send("GET", f"/storage/v1/b/{self._bucket}/o", asked), doing)
        if response.status_code == _MISSING:
            raise self._no_bucket(doing)
        if response.status_code != _OK:
            raise self._refused(response, doing)
        self._bucket_is_there = True
        page: dict[str, Any] = response.json()
        return page

    def _require_bucket(self, doing: str) -> None:
        """A missing object and a missing bucket are both 404; a list tells them apart, once."""
        if not self._bucket_is_there:
            self._list({"prefix": self._prefix, "maxResults": "1", "fields": "nextPageToken"}, doing)

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        into: "Sink | None" = None,
    ) -> "requests.Response":
        service = self._service
        url = service.endpoint + path
        everything = {**(headers or {}), **service.authorize(method, url)}
        # A write sent twice has the effect of one: it names the generation it replaces.
        return service.http.send(
            method, url, headers=everything, params=params, body=body, into=into, repeatable=True
        )

    def _run(self, once: Callable[[], T], doing: str) -> T:
        return self._retries.run(once, doing=doing)

    @property
    def _service(self) -> _Service:
        if self._opened is None:
            self._opened = _open_service()
        return self._opened

    def _no_bucket(self, doing: str) -> ServiceError:
        return ServiceError(
            f"{doing} failed: there is no bucket {self._bucket}",
            hint="create it, or mend the store's URI:"
            f" gcloud storage buckets create gs://{self._bucket} --uniform-bucket-level-access",
        )

    def _refused(self, response: "requests.Response", doing: str) -> ServiceError:
        message = _message(response)
        hint = None
        if "user project" in message.lower() or "serviceusage" in message.lower():
            hint = "set GOOGLE_CLOUD_QUOTA_PROJECT to the project that pays for the requests"
        elif response.status_code == _UNAUTHORIZED:
            hint = "get new credentials: gcloud auth application-default login"
        elif response.status_code == _FORBIDDEN:
            hint = (
                f"let the identity in use have roles/storage.objectUser on gs://{self._bucket}"
                " (docs/stores.md has the permissions); is it the right project's?"
            )
        return ServiceError(
            f"{doing} failed: Google Cloud Storage answered {response.status_code}: {message}", hint=hint
        )


def _open_service() -> _Service:
    """The emulator that the environment names, or Google with the application default credentials.

    Raises:
        UsageError: google-auth or google-crc32c is not installed.
        ServiceError: there are no credentials.
    """
    if find_spec("google_crc32c") is None:
        raise UsageError(
            "stores in Google Cloud Storage need google-crc32c, and it is not installed", hint=EXTRA_HINT
        )
    from mlops_config.http import HttpClient

    emulator = os.environ.get(EMULATOR_VARIABLE)
    if emulator:
        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        return _Service(HttpClient(), endpoint.rstrip("/"), lambda _method, _url: {})
    login = log_in(SCOPE, "Google Cloud Storage", extra="gcs")
    return _Service(HttpClient(), f"https://storage.{login.universe_domain}", login.authorize)


def _multipart(metadata: dict[str, str], content_type: str, data: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of an upload in one request.

    https://cloud.google.com/storage/docs/json_api/v1/objects/insert, ``uploadType=multipart``.
    """
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        f"{json.dumps(metadata)}\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/related; boundary={boundary}"}, body


def _crc32c(data: bytes) -> str:
    """As Google writes it: big-endian, base64."""
    import google_crc32c

    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def _may_not_replace(response: "requests.Response") -> bool:
    """Whether an object is there that we lack the permission to replace.

    An identity that may create but not delete is answered so, for a name that is taken, wherever Google looks
    at permissions before conditions (https://cloud.google.com/storage/docs/access-control/iam-roles).
    """
    return response.status_code == _FORBIDDEN and "storage.objects.delete" in _message(response)


def _stored_crc32c(response: "requests.Response") -> str | None:
    for part in response.headers.get("x-goog-hash", "").split(","):
        name, _, value = part.strip().partition("=")
        if name == "crc32c":
            return value
    return None


def _message(response: "requests.Response") -> str:
    from mlops_config.http import answer_excerpt

    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return (answer_excerpt(response) or response.reason or "").strip(" ()")
