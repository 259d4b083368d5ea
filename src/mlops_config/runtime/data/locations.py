"""Where data lies: file systems for file://, s3:// and gs://, and what a URI or pattern there matches."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mlops_config.errors import UsageError
from mlops_config.runtime.data.problems import DataError, first_line, missing_extra, of_file_error

if TYPE_CHECKING:
    from pyarrow import fs

CONNECT_SECONDS = 10
REQUEST_SECONDS = 120
GCS_RETRY_SECONDS = 60
"""How long calls of Google Cloud Storage are tried again; S3's are tried three times."""

_SUFFIXES = {
    "parquet": (".parquet", ".parq", ".pq"),
    "csv": (".csv", ".csv.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".ndjson", ".json"),
}


class Found(NamedTuple):
    """One file: ``path`` is the file system's, ``name`` is relative to the folder that was looked through."""

    path: str
    name: str
    size: int
    """Bytes."""
    modified: datetime | None
    """UTC."""


def filesystem_of(uri: str, root: Path) -> "tuple[fs.FileSystem, str]":
    """The pyarrow file system of a URI, and the URI's path in it.

    ``file://./x`` is relative to ``root``. Credentials and region come from where every program of that cloud
    looks for them. ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` leads to another S3 server, and
    ``STORAGE_EMULATOR_HOST`` to another server of Google Cloud Storage, which then gets no credentials.

    Raises:
        UsageError: no such scheme, or pyarrow is missing.
    """
    try:
        from pyarrow import fs
    except ImportError as error:
        raise missing_extra("pyarrow", doing=f"reading {uri}") from error
    if uri.startswith("file://"):
        return fs.LocalFileSystem(), str(local_path(uri, root))
    parts = urlsplit(uri)
    path = f"{parts.netloc}{parts.path}".rstrip("/")
    if parts.scheme == "s3":
        return _s3(), path
    if parts.scheme == "gs":
        return _gcs(), path
    raise UsageError(
        f"{uri!r} is no place for data", hint="write file:///folder, file://./folder, s3://… or gs://…"
    )


def local_path(uri: str, root: Path) -> Path:
    """The path of a ``file://`` URI; ``file://./x`` is below ``root``."""
    rest = uri.removeprefix("file://")
    return Path(os.path.normpath(root / rest if rest.startswith(".") else rest))


def files_at(filesystem: "fs.FileSystem", path: str, format: str, *, uri: str) -> tuple[Found, ...]:  # noqa: A002
    """The files of ``format`` that ``path`` names: a file, a folder of partitions at any depth, or a pattern.

    In a pattern ``*`` stands for any part of a name and ``**`` for any folders. Names that start with ``_``
    or ``.`` are other programs' notes (``_SUCCESS``) and left out, as are files with another format's suffix;
    a file without suffix counts. Sorted by name.

    Raises:
        DataError: there is nothing, or nothing of that format.
        ServiceError: the place cannot be listed.
    """
    try:
        found = list(_listed(filesystem, path))
    except OSError as error:
        raise of_file_error(error, f"looking for data at {uri}") from error
    except ValueError as error:  # pyarrow's name for what Google Cloud Storage calls a bad request
        raise DataError(
            f"looking for data at {uri}: the request is not valid there: {first_line(error)}",
            hint="check the bucket's name and the path",
        ) from error
    if not found:
        raise DataError(f"there is no data at {uri}", hint="check the URI; data has to be there already")
    if len(found) == 1 and found[0].path == path:
        return (found[0],)
    fitting = tuple(sorted(each for each in found if _is_data(each.name, format)))
    if not fitting:
        names = ", ".join(each.name for each in sorted(found)[:3])
        raise DataError(
            f"none of the {len(found)} files at {uri} is {format}: {names}",
            hint="set data.source.format to the format of the files",
        )
    return fitting


def _listed(filesystem: "fs.FileSystem", path: str) -> Iterator[Found]:
    from pyarrow import fs

    if "*" in path:
        base = path[: path.index("*")].rpartition("/")[0]
        pattern = _pattern(path)
        infos = filesystem.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        chosen = [info for info in infos if pattern.fullmatch(info.path)]
    else:
        base, info = path, filesystem.get_file_info(path)
        if info.type == fs.FileType.File:
            base, chosen = path.rpartition("/")[0], [info]
        elif info.type == fs.FileType.Directory:
            chosen = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
        else:
            chosen = []
    for info in chosen:
        if info.type == fs.FileType.File:
            modified = info.mtime.astimezone(UTC) if info.mtime else None
            yield Found(info.path, info.path[len(base) :].lstrip("/"), info.size or 0, modified)


def _pattern(path: str) -> re.Pattern[str]:
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*/|\*\*|\*)", path)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def _is_data(name: str, format: str) -> bool:  # noqa: A002 - the contract's word
    if any(part.startswith(("_", ".")) for part in name.split("/")):
        return False
    last = name.rpartition("/")[2].lower()
    return last.endswith(_SUFFIXES[format]) or "." not in last


def _s3() -> "fs.FileSystem":
    from pyarrow import fs

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options: dict[str, object] = {"connect_timeout": CONNECT_SECONDS, "request_timeout": REQUEST_SECONDS}
    if endpoint:
        parts = urlsplit(endpoint)
        options |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if region or endpoint:
        options["region"] = region or "us-east-1"
    return fs.S3FileSystem(**options)


def _gcs() -> "fs.FileSystem":
    from pyarrow import fs

    options: dict[str, object] = {"retry_time_limit": timedelta(seconds=GCS_RETRY_SECONDS)}
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        parts = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
        options |= {"anonymous": True, "endpoint_override": parts.netloc, "scheme": parts.scheme}
    return fs.GcsFileSystem(**options)
