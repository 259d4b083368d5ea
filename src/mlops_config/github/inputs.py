"""The action's inputs as the runner hands them over, checked before anything is installed.

Imports the standard library alone: the bootstrap reads the inputs with the runner's bare Python.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mlops_config.errors import UsageError

PREFIX = "MLOPS_INPUT_"

STAGES = ("validate", "build", "publish", "notes")
NOTES_TARGETS = ("summary", "pull-request", "release")
_CLOUD_STORES = {"s3://": "s3", "gs://": "gcs"}
"""The locked set that brings what a kind of store needs."""
_EVERY_STORE = "run"
FAIL_ON = ("error", "warning", "note")

BUILD_ONLY = ("image", "base-image", "dockerfile", "platforms", "push")
"""Inputs that say how to build an image, so they mean nothing without that stage."""


@dataclass(frozen=True)
class Inputs:
    """What the caller's ``with:`` says; ``None`` or an empty tuple leaves the choice to the settings."""

    stages: tuple[str, ...] = ("validate",)
    """In the order they run."""
    environment: str | None = None
    config_dir: str | None = None
    settings: str | None = None
    image: str | None = None
    base_image: str | None = None
    dockerfile: str | None = None
    push: bool = False
    platforms: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    notes: tuple[str, ...] = ("summary",)
    """Where notes go besides the file: the job summary always."""
    fail_on: str = "error"
    dry_run: bool = False
    github_token: str | None = None
    working_directory: str = "."


def read_inputs(environ: Mapping[str, str], *, platform: str = sys.platform) -> Inputs:
    """The inputs in ``environ`` (``MLOPS_INPUT_<NAME>``), each checked alone and against the others.

    An input that is missing or blank has its default. ``platform`` is spelled as ``sys.platform``.

    Raises:
        UsageError: a value is not among those allowed, or two inputs contradict each other.
    """
    inputs = Inputs(
        stages=_choices("stages", environ, STAGES, Inputs.stages),
        environment=_text("environment", environ),
        config_dir=_path("config-dir", environ),
        settings=_path("settings", environ),
        image=_lower_case(_text("image", environ)),
        base_image=_text("base-image", environ),
        dockerfile=_path("dockerfile", environ),
        push=_flag("push", environ),
        platforms=words(_raw("platforms", environ)),
        stores=_stores("stores", environ),
        notes=_choices("notes", environ, NOTES_TARGETS, Inputs.notes),
        fail_on=_choice("fail-on", environ, FAIL_ON, Inputs.fail_on),
        dry_run=_flag("dry-run", environ),
        github_token=_text("github-token", environ),
        working_directory=_path("working-directory", environ) or ".",
    )
    _refuse_contradictions(inputs, environ, platform)
    return inputs


def requirements_for(inputs: Inputs, settings_text: str = "") -> str:
    """Which locked set the stages need: ``core`` (validation), ``build``, or those of the clouds with stores.

    ``settings_text`` is the settings file as it stands: without a YAML reader any mention of ``s3://`` or
    ``gs://`` counts, which at worst installs more than was needed.
    """
    if inputs.stages == ("validate",):
        return "core" if inputs.notes == ("summary",) else "build"
    if "publish" not in inputs.stages and "notes" not in inputs.stages:
        return "build"
    places = " ".join(inputs.stores) or settings_text
    clouds = [lock for scheme, lock in _CLOUD_STORES.items() if scheme in places]
    if len(clouds) > 1:
        return _EVERY_STORE
    return clouds[0] if clouds else "build"


def settings_text(inputs: Inputs, workspace: Path) -> str:
    """The text of the settings file the inputs lead to, or nothing if there is none to read."""
    path = workspace / inputs.working_directory / (inputs.settings or "mlops-config.yaml")
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def variable(name: str) -> str:
    """The environment variable that carries the input: ``MLOPS_INPUT_BASE_IMAGE`` for ``base-image``."""
    return PREFIX + name.upper().replace("-", "_")


def _raw(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(variable(name), "").strip()


def _text(name: str, environ: Mapping[str, str]) -> str | None:
    value = _raw(name, environ)
    if any(not char.isprintable() for char in value):
        raise UsageError(f"the input {name} holds a line break or control character: {value!r}")
    return value or None


def _path(name: str, environ: Mapping[str, str]) -> str | None:
    value = _text(name, environ)
    parts = re.split(r"[/\\]", value) if value else []
    if value and (parts[0] == "" or ":" in parts[0] or ".." in parts):
        raise UsageError(
            f"the input {name} leads out of the repository: {value!r}",
            hint="give a path relative to the repository's root (or to working-directory), without '..'",
        )
    return value


def _stores(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    values = tuple(line.strip() for line in _raw(name, environ).splitlines() if line.strip())
    for value in values:
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S.*", value):
            raise UsageError(
                f"the input {name} has {value!r}, which is not the address of a store",
                hint="one per line: s3://bucket/prefix, gs://bucket/prefix, oci://registry/repository or"
                " file:///folder",
            )
    return tuple(value.lower() if value.startswith("oci://") else value for value in values)


def _lower_case(image: str | None) -> str | None:
    """Registries take lower case alone; ``github.repository``, which names images, may have capitals."""
    return image and image.lower()


def words(text: str) -> tuple[str, ...]:
    """What stands between commas or white space, each once."""
    return tuple(dict.fromkeys(word for word in re.split(r"[,\s]+", text) if word))


def _choices(
    name: str, environ: Mapping[str, str], allowed: tuple[str, ...], default: tuple[str, ...]
) -> tuple[str, ...]:
    given = words(_raw(name, environ))
    for word in given:
        _refuse_unknown(name, word, allowed)
    return tuple(choice for choice in allowed if choice in given) or default


def _choice(name: str, environ: Mapping[str, str], allowed: tuple[str, ...], default: str) -> str:
    value = _raw(name, environ) or default
    _refuse_unknown(name, value, allowed)
    return value


def _refuse_unknown(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        near = get_close_matches(value, allowed, n=1)
        raise UsageError(
            f"the input {name} has {value!r}, which is none of {', '.join(allowed)}",
            hint=f"did you mean {near[0]}?" if near else None,
        )


def _flag(name: str, environ: Mapping[str, str]) -> bool:
    value = _raw(name, environ).lower()
    if value not in ("", "true", "false"):
        raise UsageError(f"the input {name} must be true or false, not {value!r}")
    return value == "true"


def _refuse_contradictions(inputs: Inputs, environ: Mapping[str, str], platform: str) -> None:
    builds = "build" in inputs.stages
    if builds and platform == "win32":
        raise UsageError(
            "the stage build needs a Linux or macOS runner: environment images are Linux images",
            hint="run it in a job with runs-on: ubuntu-latest; the stage validate works on Windows",
        )
    if not builds:
        given = [name for name in BUILD_ONLY if _raw(name, environ).lower() not in ("", "false")]
        if given:
            raise UsageError(
                f"{_listed(given)} nothing without the stage build, and stages is {', '.join(inputs.stages)}",
                hint="add build to stages, or leave the input out",
            )
    if inputs.stores and "publish" not in inputs.stages:
        raise UsageError(
            f"stores means nothing without the stage publish, and stages is {', '.join(inputs.stages)}",
            hint="add publish to stages, or leave stores out",
        )
    if len(inputs.platforms) > 1 and not inputs.push:
        raise UsageError(
            f"an image for {len(inputs.platforms)} platforms can only be built into a registry",
            hint="set push: true, or name one platform",
        )
    elsewhere = [target for target in inputs.notes if target != "summary"]
    if elsewhere and not inputs.github_token:
        raise UsageError(
            f"notes to {' and '.join(elsewhere)} need a token, and github-token is empty",
            hint="leave github-token out: its default is the job's own token",
        )
    if "release" in inputs.notes and "notes" not in inputs.stages:
        raise UsageError(
            "notes: release needs the stage notes, which makes the text to post",
            hint="add notes to stages",
        )


def _listed(names: list[str]) -> str:
    return f"the input {names[0]} means" if len(names) == 1 else f"the inputs {', '.join(names)} mean"
