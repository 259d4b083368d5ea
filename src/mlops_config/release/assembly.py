"""The first record of a release: what the files, git and the caller say, before anything is built."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel

from mlops_config import __version__
from mlops_config.bundle.bundle import Bundle
from mlops_config.bundle.semantic import semantic_sha256
from mlops_config.errors import UsageError
from mlops_config.kinds import Kind
from mlops_config.release.record import FileRecord, ReleaseRecord, SourceRecord, ToolRecord
from mlops_config.release.source import Checkout
from mlops_config.settings import Settings

SHOWN_CHANGES = 5


def file_records(
    bundle: Bundle, sources: Mapping[Kind, str], models: Mapping[Kind, BaseModel]
) -> tuple[FileRecord, ...]:
    """Each file's identity by bytes and by meaning. ``sources`` are paths in the repository."""
    return tuple(
        FileRecord(
            kind=file.kind,
            name=file.name,
            source=sources[file.kind],
            size=len(file.data),
            sha256=file.sha256,
            semantic_sha256=semantic_sha256(models[file.kind]),
        )
        for file in bundle.files
    )


def first_record(
    bundle: Bundle,
    files: tuple[FileRecord, ...],
    checkout: Checkout,
    *,
    version: str | None,
    actor: str | None,
    run_url: str | None,
) -> ReleaseRecord:
    """The record as it stands before image, stores and predecessor are known."""
    return ReleaseRecord(
        project=bundle.project,
        model_name=bundle.model_name,
        environment=bundle.environment,
        version=version,
        config_digest=bundle.digest,
        files=files,
        source=SourceRecord(
            repository=checkout.repository,
            commit=checkout.commit,
            ref=checkout.ref,
            dirty=checkout.dirty,
            actor=actor,
            run_url=run_url,
        ),
        created_at=datetime.now(UTC).replace(microsecond=0),
        tool=ToolRecord(version=__version__),
    )


def refuse_untraceable(checkout: Checkout, environment: str, settings: Settings) -> None:
    """Refuses a release that no commit describes, where the environment is protected.

    Raises:
        UsageError: there is no commit, or the work tree differs from it.
    """
    if not settings.is_protected(environment):
        return
    if checkout.commit is None:
        raise UsageError(
            f"a release to {environment} must come from a git commit, and here is none",
            hint="run it in a git checkout with at least one commit; dev can be released without",
        )
    if checkout.dirty:
        shown = ", ".join(checkout.changed[:SHOWN_CHANGES])
        more = len(checkout.changed) - SHOWN_CHANGES
        raise UsageError(
            f"the work tree differs from commit {checkout.commit[:12]}: {shown}"
            + (f" and {more} more" if more > 0 else ""),
            hint=f"commit or stash the changes: what goes to {environment} must be traceable to a commit",
        )
