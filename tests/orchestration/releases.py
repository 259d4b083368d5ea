"""Releases of the example configuration, made without an engine or git, for tests to publish and deploy."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.bundle.bundle import Bundle
from mlops_config.contract.validators import Validators
from mlops_config.kinds import Kind, canonical_name
from mlops_config.orchestration.released import Released, read_bundle
from mlops_config.release.assembly import file_records
from mlops_config.release.record import ImageRecord, ReleaseRecord, SourceRecord, ToolRecord
from mlops_config.store.interface import Store

ROOT = Path(__file__).resolve().parents[2]
VALIDATORS = Validators(None, ROOT, light=False)
Edit = Callable[[str], str]


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def replacing(old: str, new: str) -> Edit:
    """An edit of a file in which ``old`` stands once."""

    def edit(text: str) -> str:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        return text.replace(old, new)

    return edit


def adding(lines: str) -> Edit:
    """An edit that adds lines at the end."""
    return lambda text: f"{text.rstrip()}\n{lines}\n"


@dataclass(frozen=True)
class Release:
    """A release that can be published and deployed."""

    record: ReleaseRecord
    bundle: Bundle

    def publish(self, store: Store, *, current: bool = True) -> Released:
        """Puts it into the store, as the release in force."""
        store.publish_bundle(self.bundle)
        store.publish_release(self.record)
        if current:
            store.set_current(self.record, store.current(self.record.project, self.record.environment))
        return self.released

    @property
    def released(self) -> Released:
        return Released(self.record, self.bundle, read_bundle(self.bundle, VALIDATORS, "it"))


def pushed_image() -> ImageRecord:
    return ImageRecord(
        repository="ghcr.io/acme/city-taxi",
        tags=("1",),
        config_digest=digest("image id"),
        digest=digest("manifest"),
        base="scratch",
        base_digest=None,
        pushed=True,
    )


def release(
    name: str = "1.0.0",
    edits: Mapping[Kind, Edit] | None = None,
    *,
    environment: str = "dev",
    project: str = "city-taxi",
    **record: Any,
) -> Release:
    """A release of the example's dev files, edited, for an environment and a project of any name."""
    data = {}
    for kind in Kind:
        text = (ROOT / "configs" / "dev" / canonical_name("dev", kind)).read_text("utf-8")
        text = replacing("environment: dev", f"environment: {environment}")(text)
        text = replacing("project: city-taxi", f"project: {project}")(text)
        data[kind] = (edits[kind](text) if edits and kind in edits else text).encode()
    bundle = Bundle.of(project, "trip-fare", environment, data)
    files = read_bundle(bundle, VALIDATORS, "it")
    sources = {kind: f"configs/{environment}/{canonical_name(environment, kind)}" for kind in Kind}
    values: dict[str, Any] = {
        "project": bundle.project,
        "model_name": bundle.model_name,
        "environment": environment,
        "version": name,
        "config_digest": bundle.digest,
        "files": file_records(bundle, sources, {kind: files.model(kind) for kind in Kind}),
        "source": SourceRecord(
            repository="acme/fares",
            commit=hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(),
            ref=None,
            dirty=False,
            actor=None,
            run_url=None,
        ),
        "created_at": datetime(2026, 11, 22, tzinfo=UTC),
        "tool": ToolRecord(version="1.0.0"),
    }
    return Release(ReleaseRecord(**values | record), bundle)
