"""Small bundles and release records for the tests of stores."""

from datetime import UTC, datetime

from mlops_config.bundle.bundle import Bundle
from mlops_config.kinds import Kind
from mlops_config.release.record import FileRecord, ReleaseRecord, SourceRecord, ToolRecord

PROJECT = "fares"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def example_bundle(environment: str = "prod", *, project: str = PROJECT, rows: int = 3) -> Bundle:
    """A bundle whose files differ with each argument; stores do not look into them."""
    data = {kind: f"kind: {kind}\nenvironment: {environment}\nrows: {rows}\n".encode() for kind in Kind}
    return Bundle.of(project, "fare-amount", environment, data)


def example_record(bundle: Bundle, version: str | None = "1.2.0", *, commit: str = COMMIT) -> ReleaseRecord:
    """The record of a release of ``bundle``; equal arguments give equal records."""
    files = tuple(
        FileRecord(
            kind=file.kind,
            name=file.name,
            source=f"configs/{bundle.environment}/{file.name}",
            size=len(file.data),
            sha256=file.sha256,
            semantic_sha256=file.sha256,
        )
        for file in bundle.files
    )
    return ReleaseRecord(
        project=bundle.project,
        model_name=bundle.model_name,
        environment=bundle.environment,
        version=version,
        config_digest=bundle.digest,
        files=files,
        source=SourceRecord(
            repository="acme/fares",
            commit=commit,
            ref="refs/heads/main",
            dirty=False,
            actor=None,
            run_url=None,
        ),
        created_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        tool=ToolRecord(version="1.0.0"),
    )
