"""What a deployment leaves behind: the ledger's entry, and the record and notes that say what runs."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mlops_config.console import Console
from mlops_config.contract.validators import Validators
from mlops_config.errors import MlopsConfigError
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.ledger.entries import Draft, Event, LedgerEntry, ModelReference, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.orchestration.released import Released
from mlops_config.pipeline import NOTES_NAME, RECORD_NAME
from mlops_config.release.history import compare_with_previous, meanings_of
from mlops_config.release.notes import render_notes
from mlops_config.release.record import DagRunRecord, ReleaseRecord, ServingModel
from mlops_config.release.thresholds import thresholds
from mlops_config.release.verification import read_record
from mlops_config.store.interface import Store

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
_LETS_SERVE = (Event.PROMOTED, Event.ROLLED_BACK)
_MADE_BY = (Event.TRAINED, Event.RETRAIN_ENDED)


def write_activated(
    ledger: Ledger, record: ReleaseRecord, runs: Sequence[DagRunRecord], uri: str, now: datetime
) -> LedgerEntry | None:
    """Adds how the deployment ended, unless the last entry of its kind says so; ``None``: it does.

    ``uri`` is where Airflow finds what it runs.
    """
    image = record.image
    draft = Draft(
        event=Event.ACTIVATED,
        time=now,
        outcome="failed" if any(run.state == "failed" for run in runs) else "succeeded",
        config_digest=record.config_digest,
        commit=record.source.commit,
        release=record.name,
        image_digest=image.digest if image else None,
        base_digest=image.base_digest if image else None,
        uri=uri,
        reasons=tuple(_reason(run) for run in runs),
    )
    activations = [entry for entry in ledger.entries() if entry.event is Event.ACTIVATED]
    if activations and _same(activations[-1], draft):
        return None
    return ledger.append(draft)


def serving_model(
    released: Released, entries: Sequence[LedgerEntry], root: Path, console: Console
) -> ServingModel | None:
    """The model that serves, as MLflow says where ``MLFLOW_TRACKING_URI`` is set, else as the ledger does.

    MLflow that is not installed here, or does not answer, is said; it fails nothing.
    """
    if os.environ.get(TRACKING_VARIABLE):
        try:
            return _registered(released, root)
        except MlopsConfigError as error:
            console.say(f"MLflow was not asked for the model that serves: {error.message}")
    serves = next(
        (
            entry.model
            for entry in reversed(entries)
            if entry.event in _LETS_SERVE and entry.outcome == "succeeded" and entry.model
        ),
        None,
    )
    if serves is None:
        return None
    return ServingModel(
        name=serves.name, version=serves.version, config_digest=_trained_with(serves, entries)
    )


def serves_since(
    name: str, version: int, entries: Sequence[LedgerEntry], serving: ServingModel | None
) -> bool:
    """Whether a version that waited was let serve by now, or a later one was."""
    let = [each.model for each in entries if each.event in _LETS_SERVE and each.outcome == "succeeded"]
    known = [(each.name, each.version) for each in (*let, serving) if each is not None]
    return any(model == name and number >= version for model, number in known)


def ended_well(entries: Sequence[LedgerEntry], dag_id: str, run_id: str) -> bool:
    """Whether the ledger says of a DAG run that a deployment saw it end well."""
    told = _ended(dag_id, run_id, "success")
    activated = (each for each in entries if each.event is Event.ACTIVATED)
    return any(reason.text.startswith(told) for each in activated for reason in each.reasons)


def write_feedback(
    record: ReleaseRecord,
    released: Released,
    store: Store,
    validators: Validators,
    output: Path,
    server_url: str,
) -> tuple[Path, ...]:
    """Writes record and notes below ``output`` and returns their paths.

    The record of a release that is yet to be published stays, since `publish` needs it: nothing is written.
    """
    folder = output / record.environment
    path, notes = folder / RECORD_NAME, folder / NOTES_NAME
    if record.bundles and _waits_for_publish(path):
        return ()
    meanings = meanings_of(released.files)
    comparison = compare_with_previous(record, meanings, [store], validators)
    text = render_notes(
        record,
        comparison.changes,
        thresholds(meanings),
        previous=comparison.previous,
        not_compared=comparison.not_compared,
        server_url=server_url,
    )
    make_output_folder(output)
    write_atomically(path, record.to_json())
    write_atomically(notes, text.encode())
    return path, notes


def _waits_for_publish(path: Path) -> bool:
    try:
        return not read_record(path).bundles
    except MlopsConfigError:
        return False


def _registered(released: Released, root: Path) -> ServingModel | None:
    from mlops_config.runtime.tracking import registry_from_environment

    registry = registry_from_environment(root)
    name = released.configs.training.tracking.registered_model_name
    version = registry.by_alias(name, released.configs.retrain.promotion.alias_to)
    if version is None:
        return None
    return ServingModel(
        name=version.name,
        version=version.version,
        config_digest=version.tags.get("mlops.config_digest"),
        registry=registry.uri,
    )


def _trained_with(model: ModelReference, entries: Sequence[LedgerEntry]) -> str | None:
    return next(
        (
            entry.config_digest
            for entry in entries
            if entry.event in _MADE_BY
            and entry.model
            and (entry.model.name, entry.model.version) == (model.name, model.version)
        ),
        None,
    )


def _reason(run: DagRunRecord) -> Reason:
    return Reason(code="dag_run", text=f"{_ended(run.dag_id, run.run_id, run.state)}{run.because}")


def _ended(dag_id: str, run_id: str, state: str) -> str:
    """How the reason begins that is written down of a DAG run."""
    return f"{dag_id}/{run_id} {state}: "


def _same(entry: LedgerEntry, draft: Draft) -> bool:
    names = ("outcome", "release", "config_digest", "image_digest", "uri", "reasons")
    return all(getattr(entry, name) == getattr(draft, name) for name in names)
