"""A small project's life in a store: two releases, a model trained, deployed, used, and replaced."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mlops_config.bundle.bundle import Bundle
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.release.record import (
    FileRecord,
    ImageRecord,
    PreviousRelease,
    ReleaseRecord,
    SourceRecord,
    ToolRecord,
)
from mlops_config.store.interface import Store
from tests.store.examples import example_bundle

PROJECT, MODEL = "fares", "fare-amount"
FIRST_COMMIT, SECOND_COMMIT = "0123456789abcdef" + "0" * 24, "0123456fedcba987" + "1" * 24
FIRST_BATCH, SERVER, SECOND_BATCH = "3f9a1c2e4b5d6071", "00000000000000aa", "51c2d3e4f5061728"
DATA = "sha256:" + "da" * 32
RUN = "5e7b0c6a9d1f4e2b8a3c5d7e9f1b2a4c"
START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class Life(NamedTuple):
    """What happened, by name."""

    bundles: dict[str, Bundle]
    releases: dict[str, ReleaseRecord]
    entries: dict[str, LedgerEntry]


def release(bundle: Bundle, version: str, commit: str, image: str, **changes: Any) -> ReleaseRecord:
    return ReleaseRecord(
        project=PROJECT,
        model_name=MODEL,
        environment=bundle.environment,
        version=version,
        config_digest=bundle.digest,
        files=tuple(
            FileRecord(
                kind=file.kind,
                name=file.name,
                source=f"configs/{bundle.environment}/{file.name}",
                size=len(file.data),
                sha256=file.sha256,
                semantic_sha256=file.sha256,
            )
            for file in bundle.files
        ),
        source=SourceRecord(
            repository="acme/fares",
            commit=commit,
            ref=f"refs/tags/release/v{version}",
            dirty=False,
            actor="ada",
            run_url="https://github.com/acme/fares/actions/runs/41",
        ),
        created_at=START if version == "1.2.0" else START + timedelta(days=7),
        tool=ToolRecord(version="1.0.0"),
        image=ImageRecord(
            repository="ghcr.io/acme/fares",
            tags=(f"{commit}-{bundle.environment}",),
            config_digest="sha256:" + image * 32,
            digest="sha256:" + image[::-1] * 32,
            base="ghcr.io/acme/runtime:2",
            base_digest="sha256:" + "ba" * 32,
            pushed=True,
        ),
        **changes,
    )


def live(store: Store) -> Life:
    """Lets it all happen in ``store``; returns what happened."""
    bundles = {
        "prod-1": example_bundle("prod", rows=3),
        "prod-2": example_bundle("prod", rows=4),
        "staging-1": example_bundle("staging"),
    }
    first = release(bundles["prod-1"], "1.2.0", FIRST_COMMIT, "1a")
    previous = PreviousRelease(name=first.name, commit=FIRST_COMMIT, config_digest=first.config_digest)
    releases = {
        "prod-1": first,
        "prod-2": release(bundles["prod-2"], "1.3.0", SECOND_COMMIT, "2b", previous=previous),
        "staging-1": release(bundles["staging-1"], "1.2.0-rc.1", FIRST_COMMIT, "3c"),
    }
    for name, bundle in bundles.items():
        store.publish_bundle(bundle)
        store.publish_release(releases[name])
    ledger = Ledger(store, PROJECT, MODEL, "prod")
    six, seven = ModelReference(name="fare-amount-prod", version=6), _model(7)
    one, two = _of(releases["prod-1"]), _of(releases["prod-2"])
    drafts = {
        "trained": _draft(
            1, Event.TRAINED, one, model=seven, data_fingerprint=DATA, rows=20_000, job_id="0" * 15 + "7"
        ),
        "promoted": _draft(2, Event.PROMOTED, one, model=seven, champion=six, reasons=(BETTER,)),
        "deployed": _draft(3, Event.DEPLOYED, one, model=seven, uri="http://127.0.0.1:8080"),
        "served": _draft(4, Event.SERVED, one, model=seven, job_id=SERVER),
        "scored": _draft(
            24, Event.SCORED, one, model=seven, job_id=FIRST_BATCH, rows=1_200, uri="s3://acme-ml/predictions"
        ),
        "scored-later": _draft(24 * 8, Event.SCORED, two, model=seven, job_id=SECOND_BATCH, rows=900),
        "refused": _draft(
            24 * 9, Event.RETRAIN_ENDED, two, model=_model(8), champion=seven, outcome="refused"
        ),
    }
    return Life(bundles, releases, {name: ledger.append(draft) for name, draft in drafts.items()})


BETTER = Reason(code="gates_passed", text="rmse 2.41 is better than the champion's 2.63")


def _model(version: int) -> ModelReference:
    return ModelReference(name="fare-amount-prod", version=version, run_id=RUN[:-1] + str(version % 10))


def _of(record: ReleaseRecord) -> dict[str, Any]:
    digest = record.image.digest if record.image else None
    subject = {"config_digest": record.config_digest, "commit": record.source.commit, "release": record.name}
    return subject | {"image_digest": digest}


def _draft(hours: int, event: Event, subject: dict[str, Any], **fields: Any) -> Draft:
    return Draft(event=event, time=START + timedelta(hours=hours), **subject, **fields)
