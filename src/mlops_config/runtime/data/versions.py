"""Whether the data is still the snapshot that the configuration pins."""

import re

from mlops_config.errors import IntegrityError
from mlops_config.runtime.data.dataset import Dataset, object_stamps
from mlops_config.runtime.data.problems import of_file_error

_ETAG = re.compile(r"[0-9a-f]{32}(-[0-9]{1,5})?")
_VERSION_ID = re.compile(r"[A-Za-z0-9._]{32}")
_GENERATION = re.compile(r"[0-9]{13,20}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{8,64}")


def check_version(dataset: Dataset, version: str | None) -> None:
    """Compares ``data.source.version`` with the data, as far as it says what can be compared.

    ``sha256:…`` (eight digits or more) is compared with the data's fingerprint. For a single object, an ETag
    is compared with the object's ETag, and an S3 version id or a generation of Google Cloud Storage with the
    newest version. Anything else, such as a date, is a name people gave the snapshot: it is recorded with the
    model, and nothing here can tell whether the data still is that snapshot.

    Raises:
        IntegrityError: the data is another one.
    """
    if version is None:
        return
    found: tuple[str, ...]
    if _DIGEST.fullmatch(version):
        found = (dataset.fingerprint,)
    elif len(dataset.files) == 1 and _names_an_object(dataset.uri, version):
        try:
            found = object_stamps(dataset.filesystem, dataset.files[0].path)
        except OSError as error:
            raise of_file_error(error, f"reading {dataset.uri}") from error
    else:
        return
    if not any(
        each.startswith(version) if version.startswith("sha256:") else each == version for each in found
    ):
        raise IntegrityError(
            f"the data at {dataset.uri} is {found[0]}, but data.source.version says {version}",
            hint="the data was written again since: set version to what it is now, or restore the snapshot",
        )


def _names_an_object(uri: str, version: str) -> bool:
    if uri.startswith("s3://"):
        return bool(_ETAG.fullmatch(version) or _VERSION_ID.fullmatch(version))
    return uri.startswith("gs://") and bool(_GENERATION.fullmatch(version) or _ETAG.fullmatch(version))
