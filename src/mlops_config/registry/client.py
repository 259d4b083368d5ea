"""A client for one repository of a container registry (OCI distribution specification 1.1)."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import requests

from mlops_config.bundle.bundle import sha256_of
from mlops_config.errors import IntegrityError, ServiceError
from mlops_config.http import Body, HttpClient, Sink
from mlops_config.registry.answers import codes_of, words_of
from mlops_config.registry.auth import Authorizer, is_loopback
from mlops_config.registry.content import MANIFEST_TYPES, OCI_INDEX, Descriptor, Manifest
from mlops_config.registry.credentials import Credentials, find_credentials
from mlops_config.registry.reference import DOCKER_HUB, Reference
from mlops_config.registry.sinks import CappedMemory, HashingFile
from mlops_config.retrying import TemporaryError

PLAIN_HTTP_VARIABLE = "MLOPS_CONFIG_PLAIN_HTTP_REGISTRIES"
"""Registries (``host:port``, separated by commas) spoken to without TLS. Loopback always is."""

MANIFEST_LIMIT_BYTES = 4 << 20
"""What every registry takes for a manifest (distribution specification, "Pushing manifests")."""

_PULL, _PUSH = "pull", "pull,push"
_BLOB_TYPE = "application/octet-stream"
_UPLOAD_BROKEN = {"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "DIGEST_INVALID"}
_REFERRER_TRIES = 3

Send = Callable[..., requests.Response]


def speaks_plain_http(registry: str) -> bool:
    """Whether ``registry`` is spoken to without TLS: loopback, or named in the environment."""
    named = os.environ.get(PLAIN_HTTP_VARIABLE, "").split(",")
    return is_loopback(registry) or registry in {name.strip() for name in named}


class RegistryClient:
    """Reads and writes one repository. All content is checked against its digest, both ways.

    Every method raises :class:`ServiceError` when the registry stays away or refuses, and
    :class:`IntegrityError` when it hands out something else than the digest names.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        http: HttpClient | None = None,
        find: Callable[[str], Credentials] = find_credentials,
        plain_http: bool | None = None,
    ) -> None:
        self.reference = Reference(reference.registry, reference.repository)
        plain = speaks_plain_http(reference.registry) if plain_http is None else plain_http
        host = "registry-1.docker.io" if reference.registry == DOCKER_HUB else reference.registry
        self._origin = f"{'http' if plain else 'https'}://{host}"
        self._base = f"{self._origin}/v2/{reference.repository}"
        self._http = http or HttpClient()
        self._auth = Authorizer(reference.registry, reference.repository, find, self._http)

    def head(self, reference: str) -> Descriptor | None:
        """Type, digest and size of the manifest under a tag or digest, or ``None`` when there is none."""
        response = self._read("HEAD", f"manifests/{reference}", f"looking for {self._shown(reference)}")
        if response is None:
            return None
        digest = response.headers.get("Docker-Content-Digest")
        if digest is None:
            manifest = self.manifest(reference)
            return manifest.descriptor if manifest else None
        self._require_digest(reference, digest)
        size = int(response.headers.get("Content-Length") or 0)
        return Descriptor(_media_type(response), digest, size)

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest or index under a tag or digest, or ``None`` when there is none."""
        shown = self._shown(reference)
        sink = CappedMemory(MANIFEST_LIMIT_BYTES, shown)
        response = self._read("GET", f"manifests/{reference}", f"reading {shown}", into=sink)
        if response is None:
            return None
        data = sink.getvalue()
        digest = sha256_of(data)
        self._require_digest(reference, digest)
        named = response.headers.get("Docker-Content-Digest", digest)
        if named != digest:
            raise IntegrityError(
                f"{shown} is not what its registry says: expected {named}, received {digest}"
            )
        return Manifest(_media_type(response), data, digest)

    def put_manifest(self, manifest: Manifest, tag: str | None = None) -> str:
        """Puts the manifest under ``tag``, or under its digest alone, and returns its digest.

        Its blobs must be there. A manifest with a ``subject`` is also listed as its subject's referrer: by
        the registry itself or, where it does not know referrers, in the index under the fallback tag.
        """
        reference = tag or manifest.digest
        doing = f"writing {self._shown(reference)}"
        headers = {"Content-Type": manifest.media_type}
        url = f"{self._base}/manifests/{reference}"

        def once() -> requests.Response:
            send = self._http.send
            answer = self._call(send, "PUT", url, _PUSH, doing=doing, headers=headers, body=manifest.data)
            if "MANIFEST_BLOB_UNKNOWN" in codes_of(answer):
                # Blobs just uploaded, by us or by another writer this moment, may not be seen at once.
                raise TemporaryError(f"{self.reference.registry} answered {words_of(answer)}")
            return answer

        response = self._http.retries.run(once, doing=doing)
        if response.status_code != requests.codes.created:
            raise self._failure(response, doing)
        stored = response.headers.get("Docker-Content-Digest", manifest.digest)
        if stored != manifest.digest:
            raise IntegrityError(
                f"{self._shown(reference)} was stored as {stored}; what was sent is {manifest.digest}"
            )
        if manifest.document().get("subject") and "OCI-Subject" not in response.headers:
            self._list_under_fallback_tag(manifest)
        return manifest.digest

    def blob(self, descriptor: Descriptor) -> bytes:
        """The blob's bytes, checked.

        Raises:
            IntegrityError: it is missing, or not the bytes the descriptor names.
        """
        sink = CappedMemory(descriptor.size, self._shown(descriptor.digest))
        self.blob_to(descriptor, sink)
        return sink.getvalue()

    def blob_to(self, descriptor: Descriptor, file: IO[bytes]) -> None:
        """Writes the blob to ``file``, which must be seekable, and checks it on the way.

        Raises:
            IntegrityError: it is missing, or not the bytes the descriptor names; ``file`` then holds rubbish.
        """
        shown = self._shown(descriptor.digest)
        sink = HashingFile(file)
        response = self._read("GET", f"blobs/{descriptor.digest}", f"reading {shown}", into=sink)
        if response is None:
            raise IntegrityError(f"{shown} is missing, though a manifest names it")
        if sink.digest != descriptor.digest or sink.size != descriptor.size:
            raise IntegrityError(
                f"{shown} is not what its digest says: received {sink.size} bytes with {sink.digest}"
            )

    def push_blob(self, data: bytes | Path, *, name: str | None = None) -> Descriptor:
        """Uploads the bytes or the file unless the repository holds them. ``name`` is for messages."""
        digest, size = _digest_and_size(data)
        doing = f"uploading {name or digest} to {self.reference.name}"
        body: Body = data if isinstance(data, bytes) else lambda: data.open("rb")
        self._http.retries.run(lambda: self._upload_once(digest, body, size, doing), doing=doing)
        return Descriptor(_BLOB_TYPE, digest, size)

    def tags(self) -> Iterator[str]:
        """All tags of the repository, in the registry's order; none when there is no such repository."""
        for page in self._pages("tags/list?n=1000", f"listing the tags of {self.reference.name}"):
            yield from (str(tag) for tag in page.get("tags") or ())

    def referrers(self, digest: str, artifact_type: str | None = None) -> list[Descriptor]:
        """The manifests whose ``subject`` is ``digest``, of one type or of all.

        From the referrers API, or from the index under the fallback tag where the registry does not offer it.
        """
        doing = f"listing what refers to {self._shown(digest)}"
        pages = list(self._pages(f"referrers/{digest}", doing))
        if not pages:
            index = self.manifest(_fallback_tag(digest))
            pages = [index.document()] if index else []
        found = [
            Descriptor.from_json(entry, origin=f"the referrers list of {digest}")
            for page in pages
            for entry in page.get("manifests") or ()
        ]
        return [one for one in found if artifact_type is None or one.artifact_type == artifact_type]

    def _upload_once(self, digest: str, body: Body, size: int, doing: str) -> None:
        """One whole upload. A broken session is not taken up again: registries differ in what they kept."""
        send = self._http.send
        head = self._call(send, "HEAD", f"{self._base}/blobs/{digest}", _PUSH, doing=doing)
        if head.ok:
            return
        begun = self._call(send, "POST", f"{self._base}/blobs/uploads/", _PUSH, doing=doing, repeatable=True)
        location = begun.headers.get("Location")
        if begun.status_code != requests.codes.accepted or not location:
            raise self._failure(begun, doing)
        url = self._same_scheme(urljoin(begun.url, location))
        url += f"{'&' if urlsplit(url).query else '?'}digest={digest}"
        headers = {"Content-Type": _BLOB_TYPE, "Content-Length": str(size)}
        done = self._call(send, "PUT", url, _PUSH, doing=doing, headers=headers, body=body)
        if done.status_code == requests.codes.created:
            return
        if codes_of(done) & _UPLOAD_BROKEN or done.status_code == 416:
            raise TemporaryError(f"the upload broke off: {words_of(done)}")
        raise self._failure(done, doing)

    def _list_under_fallback_tag(self, manifest: Manifest) -> None:
        """Adds the manifest to its subject's index of referrers (the specification's "Referrers Tag Schema").

        Registries have no compare-and-swap: another writer's entry can get lost between our read and write.
        """
        subject = Descriptor.from_json(
            manifest.document()["subject"], origin=f"the manifest {manifest.digest}"
        )
        tag = _fallback_tag(subject.digest)
        for _ in range(_REFERRER_TRIES):
            stored = self.manifest(tag)
            entries: list[dict[str, Any]] = list(stored.document().get("manifests") or ()) if stored else []
            if any(entry.get("digest") == manifest.digest for entry in entries):
                return
            entries.append(manifest.descriptor.to_json())
            index = Manifest.of({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
            self.put_manifest(index, tag)
        if not any(one.digest == manifest.digest for one in self.referrers(subject.digest)):
            raise ServiceError(
                f"other writers keep replacing {self._shown(tag)},"
                f" the list of what refers to {subject.digest}"
            )

    def _pages(self, path: str, doing: str) -> Iterator[dict[str, Any]]:
        """Each page of a list as JSON; none when the registry does not know the list."""
        url: str | None = f"{self._base}/{path}"
        seen: set[str] = set()
        while url and url not in seen:
            seen.add(url)
            sink = CappedMemory(MANIFEST_LIMIT_BYTES, url)
            response = self._call(self._http.request, "GET", url, _PULL, doing=doing, into=sink)
            if response.status_code == requests.codes.not_found:
                return
            if not response.ok:
                raise self._failure(response, doing)
            try:
                page = json.loads(sink.getvalue())
            except ValueError as error:
                raise ServiceError(f"{doing} failed: the answer is not JSON") from error
            yield page if isinstance(page, dict) else {}
            following = response.links.get("next", {}).get("url")
            url = self._same_scheme(urljoin(response.url, following)) if following else None

    def _read(
        self, method: str, path: str, doing: str, *, into: Sink | None = None
    ) -> requests.Response | None:
        """The answer when it is a good one, ``None`` when the registry says that there is no such thing."""
        headers = {"Accept": ", ".join(MANIFEST_TYPES)} if path.startswith("manifests/") else {}
        url = f"{self._base}/{path}"
        response = self._call(self._http.request, method, url, _PULL, doing=doing, headers=headers, into=into)
        if response.status_code == requests.codes.not_found:
            return None
        if not response.ok:
            raise self._failure(response, doing)
        return response

    def _call(
        self, send: Send, method: str, url: str, actions: str, *, doing: str, **options: Any
    ) -> requests.Response:
        """Sends with the credentials the registry asks for; a token that ran out is renewed once."""
        if send == self._http.request:
            options["doing"] = doing
        headers = dict(options.pop("headers", None) or {})
        if not url.startswith(f"{self._origin}/"):
            return send(method, url, headers=headers, **options)
        known = self._auth.header(actions)
        response = send(method, url, headers=headers | _authorization(known), **options)
        if response.status_code == requests.codes.unauthorized:
            fresh = self._auth.answer(response, actions, refused=known, doing=doing)
            response = send(method, url, headers=headers | _authorization(fresh), **options)
        if response.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
            raise self._auth.refusal(doing, response)
        return response

    def _same_scheme(self, url: str) -> str:
        """The address with TLS where the registry has it: behind a proxy some name themselves with http."""
        upgraded = "https" + url.removeprefix("http")
        return upgraded if upgraded.startswith(f"{self._origin}/") else url

    def _require_digest(self, reference: str, digest: str) -> None:
        if ":" in reference and reference != digest:
            raise IntegrityError(f"{self._shown(reference)} is not what its digest says: received {digest}")

    def _failure(self, response: requests.Response, doing: str) -> ServiceError:
        codes = codes_of(response)
        hint = None
        if "NAME_UNKNOWN" in codes or (response.status_code == 404 and response.request.method == "POST"):
            hint = f"create the repository {self.reference.name} first: this registry does not on its own"
        elif "TAG_INVALID" in codes or "immutable" in response.text.lower():
            hint = "exclude it from this registry's immutable tags"
        return ServiceError(
            f"{doing} failed: {self.reference.registry} answered {words_of(response)}", hint=hint
        )

    def _shown(self, reference: str) -> str:
        return f"{self.reference.name}{'@' if ':' in reference else ':'}{reference}"


def _digest_and_size(data: bytes | Path) -> tuple[str, int]:
    if isinstance(data, bytes):
        return sha256_of(data), len(data)
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"sha256:{digest}", file.tell()


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-", 1)


def _media_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()


def _authorization(value: str | None) -> dict[str, str]:
    return {"Authorization": value} if value else {}
