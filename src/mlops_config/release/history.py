"""A release against the one before it: the earlier files fetched, proven and compared by meaning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mlops_config.bundle.bundle import Bundle
from mlops_config.bundle.semantic import meaning
from mlops_config.contract.reading.yaml_reader import read_document
from mlops_config.contract.validation import EnvironmentConfigs
from mlops_config.contract.validators import Validators
from mlops_config.kinds import Kind
from mlops_config.release.changes import Change, changes
from mlops_config.release.record import ReleaseRecord
from mlops_config.store.interface import Store


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed since the previous release; ``changes`` is ``None`` where that cannot be told."""

    previous: ReleaseRecord | None = None
    changes: tuple[Change, ...] | None = None
    not_compared: str | None = None
    """Why not, as the end of a sentence."""


def meanings_of(configs: EnvironmentConfigs) -> dict[Kind, dict[str, Any]]:
    """What each of the environment's valid files means."""
    return {kind: meaning(configs.model(kind)) for kind in configs.files}


def compare_with_previous(
    record: ReleaseRecord,
    now: Mapping[Kind, Mapping[str, Any]],
    stores: Iterable[Store],
    validators: Validators,
) -> Comparison:
    """The changes since ``record.previous``, whose files come from the first store that has them.

    Raises:
        ServiceError: a store cannot be reached.
        IntegrityError: the earlier bundle is not what its digest says.
    """
    if record.previous is None:
        return Comparison()
    digest = record.previous.config_digest
    for store in stores:
        previous = store.fetch_release(record.project, record.environment, record.previous.name)
        bundle = store.fetch_bundle(record.project, digest)
        if bundle is None:
            continue
        before = _meanings(bundle, validators)
        if before is None:
            reason = "the earlier files do not fit this version of the contract"
            return Comparison(previous, not_compared=reason)
        return Comparison(previous, changes(before, now))
    return Comparison(not_compared=f"no store holds the earlier files {digest}")


def _meanings(bundle: Bundle, validators: Validators) -> dict[Kind, dict[str, Any]] | None:
    meant = {}
    for file in bundle.files:
        document = read_document(file.data, file.name)
        try:
            meant[file.kind] = meaning(validators.validator(file.kind).validate_python(document.data))
        except ValidationError:
            return None
    return meant
