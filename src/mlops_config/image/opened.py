"""An image taken apart, and the proof that it holds exactly one environment's files, whoever built it."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_config.bundle.bundle import MANIFEST_NAME, Bundle, sha256_of
from mlops_config.errors import IntegrityError
from mlops_config.image.interface import CONFIG_DIR, ENVIRONMENTS
from mlops_config.image.labels import config_labels, environment_variables
from mlops_config.image.layers import CONFIG_FOLDERS, Entry, Layer, Sort, files_of
from mlops_config.kinds import Kind

_KINDS = "|".join(Kind)
_PREFIXED = re.compile(rf"(?P<environment>.+)_(?:{_KINDS})_config\.ya?ml")
_PLAIN = re.compile(rf"(?:{_KINDS})_config\.ya?ml")


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """What an image says and holds, as far as it matters here."""

    origin: str
    """Where it was opened, for messages: a reference or a folder."""
    config_digest: str
    """Digest of the image's configuration, computed from its bytes."""
    platform: str
    """Such as ``linux/amd64``."""
    labels: Mapping[str, str]
    variables: Mapping[str, str]
    diff_ids: tuple[str, ...]
    """Digests of the uncompressed layers, lowest first."""
    layers: tuple[Layer, ...]
    """Lowest first."""
    digest: str | None = None
    """Digest of the manifest, where the image was opened by one."""

    @classmethod
    def of(
        cls,
        origin: str,
        config_digest: str,
        config: Mapping[str, Any],
        layers: Sequence[Layer],
        digest: str | None = None,
    ) -> "OpenedImage":
        """The image described by an OCI image configuration and its layers.

        Raises:
            IntegrityError: the configuration is not one, or describes another number of layers.
        """
        try:
            settings = config.get("config") or {}
            diff_ids = tuple(config["rootfs"]["diff_ids"] or ())
            platform = "/".join(
                part for part in (config["os"], config["architecture"], config.get("variant")) if part
            )
            variables = dict(item.split("=", 1) for item in settings.get("Env") or [])
            labels = dict(settings.get("Labels") or {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise IntegrityError(f"the configuration of {origin} is not an image configuration") from error
        if len(diff_ids) != len(layers):
            raise IntegrityError(
                f"{origin} has {len(layers)} layers, and its configuration describes {len(diff_ids)}"
            )
        return cls(origin, config_digest, platform, labels, variables, diff_ids, tuple(layers), digest)


def read_bundle(image: OpenedImage) -> Bundle:
    """The bundle the image holds, checked against its own manifest.

    Raises:
        IntegrityError: there is none, or it is not what its manifest says.
    """
    contents = {}
    for path, entry in _files_at_configs(image).items():
        if entry.data is None:
            raise IntegrityError(f"{path} in {image.origin} is far larger than a configuration file may be")
        contents[posixpath.relpath(path, CONFIG_DIR)] = entry.data
    return Bundle.from_contents(contents, origin=f"{CONFIG_DIR} in {image.origin}")


def prove(
    image: OpenedImage,
    bundle: Bundle,
    *,
    labels: Mapping[str, str] | None = None,
    base_diff_ids: Sequence[str] = (),
    environments: Sequence[str] = ENVIRONMENTS,
) -> None:
    """Passes if the image holds exactly ``bundle`` and says so.

    Checked are, in this order: no layer holds a file of another environment, even hidden by a layer above;
    the files at ``/app/configs`` are the bundle's, byte for byte, and no others; environment variables and
    ``labels`` (and those that follow from the bundle) have the values they must; the lowest layers are
    those of the base. At ``/app/configs`` every other environment counts, elsewhere one of ``environments``.

    Raises:
        IntegrityError: one of them fails; the message names the file, variable or label.
    """
    _refuse_foreign(image, bundle.environment, environments)
    _compare_files(image, bundle)
    _compare(image, "the environment variable", image.variables, environment_variables(bundle))
    _compare(image, "the label", image.labels, {**(labels or {}), **config_labels(bundle)})
    if image.diff_ids[: len(base_diff_ids)] != tuple(base_diff_ids):
        raise IntegrityError(
            f"{image.origin} is not built on its base: its lowest layers are others",
            hint="a Dockerfile of your own must end in a stage that starts FROM ${BASE_IMAGE}",
        )


def _refuse_foreign(image: OpenedImage, environment: str, environments: Sequence[str]) -> None:
    for layer in image.layers:
        for entry in layer.entries:
            owner = _owner(entry.path, environments)
            if owner is None or owner == environment:
                continue
            hidden = " (hidden by a layer above, but anyone who has the image can read it)"
            gone = entry.path not in files_of(image.layers) and entry.path.startswith(CONFIG_DIR)
            raise IntegrityError(
                f"{image.origin} is for {environment}, but its layer {layer.name} holds"
                f" {entry.path} of {owner}{hidden if gone else ''}",
                hint="remove it where it comes from: the base image, or a COPY or ADD in your Dockerfile",
            )


def _owner(path: str, environments: Sequence[str]) -> str | None:
    """The environment whose configuration file ``path`` is, by its name or its folder's; or ``None``."""
    folder, name = posixpath.split(path)
    prefixed = _PREFIXED.fullmatch(name)
    if prefixed and (prefixed["environment"] in environments or folder.startswith(CONFIG_DIR)):
        return prefixed["environment"]
    parent = posixpath.basename(folder)
    if _PLAIN.fullmatch(name) and parent in environments:
        return parent
    return None


def _files_at_configs(image: OpenedImage) -> dict[str, Entry]:
    """Everything below ``/app/configs`` that is not a folder, which must be files."""
    files = {path: entry for path, entry in files_of(image.layers).items() if entry.sort is not Sort.FOLDER}
    # A folder in a higher layer would take the place of a link below, and with it of what it leads to.
    folders = (entry for layer in image.layers for entry in layer.entries if entry.path in CONFIG_FOLDERS)
    for entry in (*files.values(), *folders):
        is_file = entry.sort is Sort.FILE and entry.path not in CONFIG_FOLDERS
        if not is_file and entry.sort in {Sort.FILE, Sort.LINK, Sort.OTHER}:
            raise IntegrityError(
                f"{entry.path} in {image.origin} is {entry.sort.value}; {CONFIG_DIR} must be a real folder"
                " with real files",
                hint="build on a base that has no /app, or a real one",
            )
    return files


def _compare_files(image: OpenedImage, bundle: Bundle) -> None:
    expected = {f"{CONFIG_DIR}/{name}": data for name, data in bundle.contents().items()}
    found = _files_at_configs(image)
    # The manifest last: that it differs follows from a file that does, and says less.
    for path in sorted(expected, key=lambda path: path.endswith(f"/{MANIFEST_NAME}")):
        if path not in found:
            raise IntegrityError(f"{image.origin} lacks {path}")
        data = found[path].data
        if data != expected[path]:
            actual = sha256_of(data) if data is not None else "a file too large to be one"
            raise IntegrityError(
                f"{path} in {image.origin} is not the bundle's: expected {sha256_of(expected[path])},"
                f" found {actual}"
            )
    for path in sorted(set(found) - set(expected)):
        raise IntegrityError(
            f"{image.origin} holds {path}, which is not part of the bundle",
            hint=f"{CONFIG_DIR} is for the bundle alone; put other files elsewhere",
        )


def _compare(image: OpenedImage, what: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    for name, value in expected.items():
        if found.get(name) != value:
            state = f"is {found[name]!r}" if name in found else "is missing"
            raise IntegrityError(
                f"{what} {name} of {image.origin} {state}; expected {value!r}",
                hint="docs/image.md lists what a Dockerfile of your own has to set",
            )
