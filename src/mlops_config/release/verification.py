"""Proving after the fact that bundles, images and stores hold what a record, or their own digest, says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from mlops_config.bundle.archive import read_archive, read_folder
from mlops_config.bundle.bundle import Bundle
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.release.record import ImageRecord, ReleaseRecord


def read_record(path: Path) -> ReleaseRecord:
    """The release record in a file.

    Raises:
        UsageError: the file cannot be read.
        IntegrityError: it is no release record.
    """
    try:
        return ReleaseRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            f"there is no release record {path}",
            hint="'mlops-config build' and 'release' write one, below what --output names",
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read the release record {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the top"
        raise IntegrityError(f"{path} is not a release record: at {place}: {first['msg']}") from error


def verify_bundle(path: Path, digest: str | None) -> Iterator[str]:
    """Proves a bundle folder or archive; yields a line per thing proven.

    Raises:
        IntegrityError: a file is not what the manifest says, or the digest is another than ``digest``.
    """
    bundle = read_folder(path) if path.is_dir() else read_archive(path)
    _require_digest(bundle, digest, str(path))
    yield f"{path}: {bundle.environment} bundle {bundle.digest}, {len(bundle.files)} files"


def verify_image(image: str, digest: str | None, environments: Sequence[str]) -> Iterator[str]:
    """Proves an image in an engine, a registry or a layout folder; yields a line per thing proven.

    ``environments`` are the names whose files must not be in it, but for its own.

    Raises:
        IntegrityError: it does not hold exactly one environment's files, or labels and variables deny it.
    """
    from mlops_config.image.verify import verify_image as open_and_prove

    bundle = open_and_prove(image, environments=environments, progress=lambda _: None).bundle
    _require_digest(bundle, digest, image)
    yield f"{image}: holds exactly the {bundle.environment} bundle {bundle.digest}"


def verify_record(path: Path, digest: str | None, environments: Sequence[str]) -> Iterator[str]:
    """Proves everything a release record names: each store's bundle and record, and the image.

    Raises:
        IntegrityError: something is missing, or not what the record says.
    """
    from mlops_config.store import open_store

    record = read_record(path)
    if digest not in (None, record.config_digest):
        raise IntegrityError(f"{path} is of configs {record.config_digest}, not {digest}")
    yield f"{path}: {record.environment} release {record.name} of {record.config_digest}"
    for location in record.bundles:
        store = open_store(location.store)
        bundle = store.fetch_bundle(record.project, record.config_digest)
        if bundle is None:
            raise IntegrityError(f"{location.store} does not hold the bundle {record.config_digest}")
        _require_files(bundle, record, location.store)
        stored = store.fetch_release(record.project, record.environment, record.name)
        if stored != record.as_released():
            state = "another record" if stored else "no record"
            raise IntegrityError(f"{location.store} holds {state} of {record.environment} {record.name}")
        yield f"{location.uri}: bundle and release record"
    if record.image:
        yield from verify_image(_name_of(record.image), record.config_digest, environments)


def _name_of(image: ImageRecord) -> str:
    """What names the recorded image most exactly."""
    if image.layout:
        return image.layout
    by_digest = image.pushed and image.digest
    return f"{image.repository}@{image.digest}" if by_digest else f"{image.repository}:{image.tags[0]}"


def _require_digest(bundle: Bundle, digest: str | None, origin: str) -> None:
    if digest not in (None, bundle.digest):
        raise IntegrityError(f"{origin} holds configs {bundle.digest}, not {digest}")


def _require_files(bundle: Bundle, record: ReleaseRecord, origin: str) -> None:
    recorded = {file.name: file.sha256 for file in record.files}
    stored = {file.name: file.sha256 for file in bundle.files}
    for name in sorted(recorded.keys() | stored.keys()):
        if recorded.get(name) != stored.get(name):
            raise IntegrityError(f"{name} in {origin} is not what the release record says")
