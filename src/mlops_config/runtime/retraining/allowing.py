"""Whether a waiting challenger may be promoted by itself: after a training nobody is there to say so."""

from collections.abc import Sequence
from typing import NamedTuple

from mlops_config.contract.models.retrain import RetrainConfig
from mlops_config.ledger.entries import Event, LedgerEntry, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.model.gates import NOT_WORSE, UNKNOWN, WORSE
from mlops_config.runtime.retraining.deploying import serves
from mlops_config.runtime.retraining.promoting import (
    Held,
    Promotion,
    deploys,
    expired,
    is_unfinished,
    named_before,
    promote,
    redeploy,
)
from mlops_config.runtime.tracking.interface import ModelVersion


class Permission(NamedTuple):
    """Whether it may be promoted, and why or why not."""

    allowed: bool
    reason: Reason


def permission(
    challenger: int, champion: int | None, ledger: Sequence[LedgerEntry], retrain: RetrainConfig, approve: str
) -> Permission:
    """The permission for version ``challenger`` while ``champion`` serves; ``None``: nobody does.

    It rests on what the ledger says of the comparison. What it does not say is no permission. ``approve`` is
    the command that a person approves with.
    """
    if champion is None:
        accepts = retrain.evaluation.on_missing_champion == "accept"
        text = "there is no champion yet"
        if not accepts:
            text += f", and evaluation.on_missing_champion is reject: it waits for approval: {approve}"
        return Permission(accepts, Reason(code="champion.missing", text=text))
    if retrain.promotion.mode == "manual":
        return Permission(False, Reason(code="manual", text=f"it waits for approval: {approve}"))
    entry = _about(challenger, ledger)
    code, text = _compared(entry)
    if entry is not None and code == NOT_WORSE:
        compared = entry.champion.version if entry.champion else None
        if compared == champion:
            return Permission(True, Reason(code=NOT_WORSE, text=text))
        code = "champion.changed"
        text = (
            f"it was compared with {f'version {compared}' if compared else 'nobody'},"
            f" and version {champion} is the champion now"
        )
    return Permission(False, Reason(code=code, text=f"{text}: it waits for approval: {approve}"))


def _about(version: int, ledger: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """The newest entry of the training that made the version."""
    for entry in sorted(ledger, key=lambda each: each.sequence, reverse=True):
        made = entry.event in (Event.TRAINED, Event.RETRAIN_ENDED)
        if made and entry.model is not None and entry.model.version == version:
            return entry
    return None


def _compared(entry: LedgerEntry | None) -> tuple[str, str]:
    """How the model compares with the champion, as a code and a sentence."""
    if entry is not None and entry.event is Event.RETRAIN_ENDED:
        # A retraining registers only what passed its contest.
        return NOT_WORSE, "its retraining accepted it"
    for reason in entry.reasons if entry is not None else ():
        if reason.code in (NOT_WORSE, WORSE, UNKNOWN):
            return reason.code, reason.text
    return UNKNOWN, "nothing says how it compares with the champion"


def promote_if_allowed(context: JobContext, *, wait: bool = True) -> Promotion | Held:
    """Promotes the waiting challenger if that needs nobody's approval.

    One that was stopped after it had named its champion goes on. Where nobody waits, the champion is deployed
    again if its endpoint serves another configuration or image.

    Raises:
        IntegrityError: the challenger is another environment's.
        JobRefusedError: it was promoted, and did not come up; the champion serves as before.
        ServiceError: a service failed; asked for again, it goes on.
    """
    name = context.configs.training.tracking.registered_model_name
    rules = context.configs.retrain.promotion
    challenger = context.registry.by_alias(name, rules.alias_from)
    champion = context.registry.by_alias(name, rules.alias_to)
    approve = f"mlops-config promote --environment {context.environment}"
    if challenger is not None and is_unfinished(context, challenger, champion):
        require_own_model(challenger, context)
        return promote(context, challenger, (_why_named(context, challenger, approve),), wait=wait)
    if challenger is None or (champion is not None and challenger.version == champion.version):
        kept = _kept(context, champion, wait=wait)
        if challenger is not None and not (isinstance(kept, Promotion) and kept.pending):
            context.registry.drop_alias(name, rules.alias_from)
        return kept
    require_own_model(challenger, context)
    if expired(context, challenger):
        text = (
            f"version {challenger.version} waited too long: it was made {challenger.created_at.isoformat()}"
        )
        return Held(Reason(code="expired", text=text), challenger)
    serving = champion.version if champion else None
    ledger = context.ledger.entries()
    allowed, reason = permission(challenger.version, serving, ledger, context.configs.retrain, approve)
    if not allowed:
        return Held(reason, challenger, waits=True)
    return promote(context, challenger, (reason,), wait=wait)


def _why_named(context: JobContext, champion: ModelVersion, approve: str) -> Reason:
    """Why a version is the champion of whose promotion the ledger does not say: as it would have said."""
    before = named_before(context, champion)
    replaced = before.version if before else None
    entries = context.ledger.entries()
    allowed, reason = permission(champion.version, replaced, entries, context.configs.retrain, approve)
    text = "it was named before: a promotion by hand was stopped, or its alias was moved"
    return reason if allowed else Reason(code="named", text=text)


def _kept(context: JobContext, champion: ModelVersion | None, *, wait: bool) -> Promotion | Held:
    """The champion, deployed again where its endpoint serves something else."""
    if champion is None:
        return Held(Reason(code="nobody_waits", text="no version waits for its promotion"))
    if not deploys(context) or serves(context, champion):
        text = f"version {champion.version} is the champion already, and nobody waits"
        return Held(Reason(code="nobody_waits", text=text), champion)
    return redeploy(context, wait=wait)
