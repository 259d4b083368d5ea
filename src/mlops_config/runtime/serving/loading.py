"""Finds the model package to serve: a folder, an archive, what a cloud laid down, or the model registry."""

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_config.errors import IntegrityError, ServiceError, UsageError, of_os_error
from mlops_config.ledger.entries import ModelReference
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.data.locations import filesystem_of, local_path
from mlops_config.runtime.integrity import require_own, require_own_model
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.model.storage import DESCRIPTION, MODEL, PROFILE, read_package

PACKAGE_VARIABLE = "MLOPS_PACKAGE"
"""A package's folder or archive (``.tar.gz``), or a URI of either; the registry is not asked then."""
VERSION_VARIABLE = "MLOPS_MODEL_VERSION"
"""The version of that package in the model registry."""
SAGEMAKER_MODEL = Path("/opt/ml/model")
"""Where SageMaker unpacks the model's archive before it starts the container."""
VERTEX_VARIABLE = "AIP_STORAGE_URI"
"""Where Vertex AI copied the model's folder to, ``gs://…``."""

_FILES = (MODEL, PROFILE, DESCRIPTION)
_VERSION_TAG = "mlops.model_version"
_LARGEST_BYTES = 16 * 1024**3


@dataclass(frozen=True, slots=True)
class Loaded:
    """A package and which version of the registered model it is."""

    package: ModelPackage
    model: ModelReference
    origin: str
    """Where it came from, for people."""


def load(context: JobContext, package: str | None = None, version: int | None = None) -> Loaded:
    """The package named by ``package`` or the environment, else the version the inference file names.

    ``version`` is which version that package is, or which one of the registry is meant instead.

    Raises:
        UsageError: there is no such package or version, or the package's version is not known.
        IntegrityError: a file is not what the package says, or another environment trained the version.
        ServiceError: the registry or the store stays away.
    """
    named = package or _named(os.environ)
    if named is None:
        return _from_registry(context, version)
    folder = _folder(named, context)
    loaded = read_package(folder)
    require_own(loaded.tags, f"the model in {named}", context)
    number = version or _version(loaded.tags)
    model = ModelReference(
        name=context.configs.inference.model.registered_model_name,
        version=number,
        run_id=loaded.tags.get("mlops.run_id"),
    )
    return Loaded(loaded, model, named)


def _named(variables: Mapping[str, str]) -> str | None:
    if variables.get(PACKAGE_VARIABLE):
        return variables[PACKAGE_VARIABLE]
    if variables.get(VERTEX_VARIABLE):
        return variables[VERTEX_VARIABLE]
    return str(SAGEMAKER_MODEL) if (SAGEMAKER_MODEL / DESCRIPTION).is_file() else None


def _version(tags: Mapping[str, str]) -> int:
    said = os.environ.get(VERSION_VARIABLE) or tags.get(_VERSION_TAG, "")
    if said.isascii() and said.isdigit() and int(said) >= 1:
        return int(said)
    raise UsageError(
        "the package does not say which version of the registered model it is"
        if not said
        else f"{said!r} is no version of a model",
        hint=f"set {VERSION_VARIABLE}, or say --model-version: predictions are recorded with it",
    )


def _from_registry(context: JobContext, version: int | None) -> Loaded:
    wanted, registry = context.configs.inference.model, context.registry
    name = wanted.registered_model_name
    if version is not None:
        found, said = registry.by_version(name, version), f"version {version}"
    elif wanted.alias is not None:
        found, said = registry.by_alias(name, wanted.alias), f"alias {wanted.alias}"
    elif wanted.version is not None:
        found, said = registry.by_version(name, wanted.version), f"version {wanted.version}"
    else:
        raise UsageError("the inference file names neither an alias nor a version of the model")
    if found is None:
        raise UsageError(
            f"{name} has no {said} in {registry.uri}",
            hint="train a model and promote it, or name a version that exists",
        )
    require_own_model(found, context)
    package = registry.fetch(found, context.scratch / "models" / f"{name}-{found.version}")
    model = ModelReference(name=name, version=found.version, run_id=found.run_id)
    return Loaded(package, model, f"{name} version {found.version} ({said})")


def _folder(named: str, context: JobContext) -> Path:
    """A local folder with the package's files, fetched or unpacked as needed."""
    if named.startswith("file://"):
        path = local_path(named, context.root)
    else:
        path = _fetched(named, context) if "://" in named else Path(named)
    if path.is_dir():
        return path
    if not path.is_file():
        raise UsageError(f"there is no model package at {named}")
    return _unpacked(path, context.scratch / "models" / f"package-{context.job_id}")


def _fetched(uri: str, context: JobContext) -> Path:
    from mlops_config.runtime.data.problems import of_file_error

    filesystem, path = filesystem_of(uri, context.root)
    folder = context.scratch / "models" / f"fetched-{context.job_id}"
    is_archive = uri.endswith((".tar.gz", ".tgz"))
    wanted = (
        {path: folder / "model.tar.gz"}
        if is_archive
        else {f"{path}/{each}": folder / each for each in _FILES}
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in wanted.items():
            with filesystem.open_input_stream(source) as stream, target.open("wb") as file:
                while chunk := stream.read(1 << 20):
                    file.write(chunk)
    except OSError as error:
        raise of_file_error(error, f"fetching {uri}") from error
    return folder / "model.tar.gz" if is_archive else folder


def _unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks the package's own files and nothing else, whatever the archive's names lead to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "r:*") as members:
            for member in members:
                name = member.name.removeprefix("./")
                if name not in _FILES:
                    continue
                content = members.extractfile(member) if member.isfile() else None
                if content is None or member.size > _LARGEST_BYTES:
                    raise IntegrityError(f"{name} in {archive} is no file of a model package")
                with (folder / name).open("wb") as file:
                    while chunk := content.read(1 << 20):
                        file.write(chunk)
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityError(
            f"{archive} is no archive that can be read: {error}",
            hint="it was cut short, or damaged: fetch it again",
        ) from error
    except OSError as error:
        if error.errno is None:
            raise ServiceError(f"{archive} cannot be unpacked: {error}") from error
        raise of_os_error(error) from error
    return folder
