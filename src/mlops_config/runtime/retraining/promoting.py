"""Makes a challenger the champion: deployed first, then named, then written down.

Each step may be repeated: a promotion that was stopped half-way goes on when it is asked for again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlops_config.deploy.interface import DeployFailedError, EndpointStatus, State
from mlops_config.errors import JobRefusedError, UsageError
from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.notifying import notify
from mlops_config.runtime.retraining.deploying import deploy_version
from mlops_config.runtime.tracking.interface import ModelVersion


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did, or the deployment of the champion anew."""

    champion: ModelVersion
    """Or, while its endpoint is still on its way, the version that is to be it."""
    replaced: ModelVersion | None
    endpoint: EndpointStatus | None
    again: bool = False
    """Whether it was the champion before: only its configuration or image is another."""
    deployer: Mapping[str, Any] = field(default_factory=dict)
    """As the inference file has it: who looks after the endpoint meanwhile."""

    @property
    def pending(self) -> bool:
        """Whether the provider is still at work: asked for again, the promotion goes on."""
        return self.endpoint is not None and self.endpoint.state is not State.IN_SERVICE

    @property
    def summary(self) -> str:
        """One line for people."""
        name = f"{self.champion.name} version {self.champion.version}"
        if self.endpoint is not None and self.pending:
            state = self.endpoint.state.value.replace("_", " ")
            return f"{name} is on its way: {self.endpoint.endpoint} is {state}; ask again later"
        before = f", in place of version {self.replaced.version}" if self.replaced else ""
        where = f"; {self.endpoint.endpoint} serves it" if self.endpoint else ""
        if self.endpoint and self.endpoint.url:
            where += f" at {self.endpoint.url}"
        return f"{name} is {'still ' if self.again else ''}the champion{before}{where}"

    def document(self) -> dict[str, Any]:
        """The promotion for programs."""
        return {
            "model": self.champion.name,
            "version": self.champion.version,
            "promoted": not self.pending and not self.again,
            "redeployed": not self.pending and self.again,
            "replaced": self.replaced.version if self.replaced else None,
            "state": self.endpoint.state.value if self.endpoint else None,
            "endpoint": self.endpoint.endpoint if self.endpoint else None,
            "url": self.endpoint.url if self.endpoint else None,
            **({"deployer": dict(self.deployer)} if self.pending and self.deployer else {}),
        }


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing was promoted, and that is in order."""

    reason: Reason
    version: ModelVersion | None = None
    waits: bool = False
    """Whether the version waits for a person to let it serve."""

    @property
    def summary(self) -> str:
        """One line for people."""
        return f"nothing is promoted: {self.reason.text}"

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "model": self.version.name if self.version else None,
            "version": self.version.version if self.version else None,
            "promoted": False,
            "redeployed": False,
            "state": None,
            "reason": self.reason.text,
            "reasons": [self.reason.model_dump()],
            "waits": told_to_wait(self.version, self.reason.text) if self.waits and self.version else None,
        }


def told_to_wait(version: ModelVersion, why: str) -> dict[str, Any]:
    """What the outcome of a job says under ``waits`` of a version that only a person may let serve."""
    return {"model": version.name, "version": version.version, "why": why}


def waiting(context: JobContext, version: int | None = None) -> ModelVersion:
    """The version that waits for its promotion: the challenger, or the one that is asked for.

    Raises:
        UsageError: there is none, it is not this environment's, or it waited too long.
    """
    name = context.configs.training.tracking.registered_model_name
    promotion = context.configs.retrain.promotion
    if version is not None:
        found = context.registry.by_version(name, version)
        if found is None:
            raise UsageError(f"{name} has no version {version}")
    else:
        found = context.registry.by_alias(name, promotion.alias_from)
        if found is None:
            raise _nobody_waits(context, name)
    require_own_model(found, context)
    if expired(context, found) and version is None:
        raise UsageError(
            f"{name} version {found.version} waited too long: it was made {found.created_at.isoformat()}",
            hint=f"retrain, or say that it is meant all the same: --version {found.version}",
        )
    return found


def _nobody_waits(context: JobContext, name: str) -> UsageError:
    """Why: the last model was refused, or there was none."""
    alias = context.configs.retrain.promotion.alias_from
    made = (Event.TRAINED, Event.RETRAIN_ENDED)
    last = next((entry for entry in reversed(context.ledger.entries()) if entry.event in made), None)
    if last is None or last.outcome != "refused":
        hint = f"run: mlops-config run training --environment {context.environment}"
        return UsageError(f"no version of {name} waits as {alias}", hint=hint)
    job = "training" if last.event is Event.TRAINED else "retraining"
    why = "; ".join(reason.text for reason in last.reasons)
    return UsageError(
        f"no version of {name} waits as {alias}: the last {job} was refused: {why}",
        hint=f"see its numbers: mlops-config log --environment {context.environment}; other data, or another"
        " configuration, may make a better one",
    )


def expired(context: JobContext, challenger: ModelVersion) -> bool:
    """Whether the challenger was made longer ago than ``promotion.expires_after``."""
    return challenger.created_at + context.configs.retrain.promotion.expires_after < context.now


def drop_expired(context: JobContext) -> ModelVersion | None:
    """Takes the alias from a challenger that waited too long; returns it, or ``None`` when none did."""
    name = context.configs.training.tracking.registered_model_name
    promotion = context.configs.retrain.promotion
    challenger = context.registry.by_alias(name, promotion.alias_from)
    if challenger is None or not expired(context, challenger):
        return None
    context.registry.drop_alias(name, promotion.alias_from)
    context.console.say(f"{name} version {challenger.version} waited too long and is no longer a challenger")
    return challenger


def promote(
    context: JobContext,
    challenger: ModelVersion,
    reasons: Sequence[Reason],
    smoke_rows: Sequence[Mapping[str, Any]] = (),
    *,
    wait: bool = True,
) -> Promotion:
    """Deploys the challenger, gives it the champion's alias, and writes both down.

    Without ``wait`` a cloud is told what to do and left to it: the promotion is pending, and goes on when it
    is asked for again.

    Raises:
        JobRefusedError: it did not come up or failed its smoke test; the champion serves as before.
        ServiceError: a service failed; asked for again, it goes on.
    """
    promotion = context.configs.retrain.promotion
    champion = context.registry.by_alias(challenger.name, promotion.alias_to)
    is_champion = champion is not None and champion.version == challenger.version
    if is_champion:
        champion = named_before(context, challenger)
    reference, replaced = _reference(challenger), _reference(champion) if champion else None
    status = None
    if deploys(context):
        try:
            status = _deploy(context, challenger, smoke_rows, wait=wait)
        except DeployFailedError as error:
            raise _refused(context, error, reference, replaced, "was not promoted") from error
        pending = Promotion(challenger, champion, status, deployer=_deployer(context))
        if pending.pending:
            return pending
        if not _is_noted(context, Event.DEPLOYED, reference):
            _note(context, Event.DEPLOYED, reference, replaced, (), uri=status.url)
    if not is_champion:
        context.registry.set_alias(challenger.name, promotion.alias_to, challenger.version)
    if not _is_noted(context, Event.PROMOTED, reference):
        _note(context, Event.PROMOTED, reference, replaced, tuple(reasons))
        promoted = Promotion(challenger, champion, status)
        notify(context, "promoted", promoted.summary, promoted.document())
    if challenger.version in _carriers(context, challenger.name, promotion.alias_from):
        context.registry.drop_alias(challenger.name, promotion.alias_from)
    return Promotion(challenger, champion, status)


def is_unfinished(context: JobContext, challenger: ModelVersion, champion: ModelVersion | None) -> bool:
    """Whether the version is the champion and the ledger does not say so: a promotion was stopped there."""
    is_champion = champion is not None and champion.version == challenger.version
    return is_champion and not _is_noted(context, Event.PROMOTED, _reference(challenger))


def named_before(context: JobContext, champion: ModelVersion) -> ModelVersion | None:
    """The version whose place the champion took, while the ledger does not say yet that it did."""
    for entry in reversed(context.ledger.entries()):
        named = entry.event in (Event.PROMOTED, Event.ROLLED_BACK) and entry.outcome == "succeeded"
        if named and entry.model is not None:
            version = entry.model.version
            return (
                None if version == champion.version else context.registry.by_version(champion.name, version)
            )
    return None


def redeploy(context: JobContext, *, wait: bool = True) -> Promotion | Held:
    """Deploys the champion again under the present configuration and image.

    Raises:
        JobRefusedError: it did not come up or failed its smoke test; what served before serves.
        UsageError: there is no champion.
    """
    name, alias = _names(context)
    champion = context.registry.by_alias(name, alias)
    if champion is None:
        hint = f"promote a first model: mlops-config promote --environment {context.environment}"
        raise UsageError(f"no version of {name} is the {alias}, so none is deployed again", hint=hint)
    require_own_model(champion, context)
    if not deploys(context):
        return Held(Reason(code="no_endpoint", text="this configuration deploys no endpoint"), champion)
    reference = _reference(champion)
    try:
        status = _deploy(context, champion, (), wait=wait)
    except DeployFailedError as error:
        raise _refused(context, error, reference, None, "was not deployed again") from error
    done = Promotion(champion, None, status, again=True, deployer=_deployer(context))
    if not done.pending and not _is_noted(context, Event.DEPLOYED, reference):
        _note(context, Event.DEPLOYED, reference, None, (), uri=status.url)
    return done


def _names(context: JobContext) -> tuple[str, str]:
    """The registered model and its champion's alias."""
    return (
        context.configs.training.tracking.registered_model_name,
        context.configs.retrain.promotion.alias_to,
    )


def deploys(context: JobContext) -> bool:
    """Whether a promotion deploys: there is an endpoint, and it is not left to others."""
    return context.configs.retrain.redeploy.enabled and context.configs.inference.endpoint is not None


def _deployer(context: JobContext) -> dict[str, Any]:
    """Nothing on Vertex AI: there an endpoint's state does not tell of what it waits for."""
    deployer = context.configs.inference.deployer
    return {} if deployer.target == "gcp" else deployer.model_dump(mode="json")


def _refused(
    context: JobContext,
    error: DeployFailedError,
    reference: ModelReference,
    replaced: ModelReference | None,
    what: str,
) -> JobRefusedError:
    """The refusal, once it is written down."""
    reason = Reason(code="deploy_failed", text=error.message)
    _note(context, Event.DEPLOYED, reference, replaced, (reason,), outcome="failed")
    notify(context, "rejected", f"{reference.name} version {reference.version} {what}: {error.message}")
    return JobRefusedError(
        f"{reference.name} version {reference.version} {what}: {error.message}",
        hint=error.hint,
        document={
            "model": reference.name,
            "version": reference.version,
            "promoted": False,
            "reasons": [reason.model_dump()],
        },
    )


def _is_noted(context: JobContext, event: Event, model: ModelReference) -> bool:
    """Whether the ledger's last word on what serves is this very event: an earlier try wrote it down.

    A deployment counts only when it is of the same configuration and DAG run: who deploys by hand is told
    of each time.
    """
    ends = (Event.ROLLED_BACK, Event.UNDEPLOYED) if event is Event.DEPLOYED else (Event.ROLLED_BACK,)
    for entry in reversed(context.ledger.entries()):
        if entry.event in ends:
            return False
        if entry.event is event and entry.outcome == "succeeded":
            same = entry.model is not None and entry.model.version == model.version
            if event is Event.PROMOTED:
                return same
            run, digest = (entry.dag_run, entry.config_digest)
            return (
                same
                and context.dag_run is not None
                and (run, digest) == (context.dag_run, context.config_digest)
            )
    return False


def _deploy(
    context: JobContext, version: ModelVersion, smoke_rows: Sequence[Mapping[str, Any]], *, wait: bool
) -> EndpointStatus:
    def progress(line: str) -> None:
        context.console.say(f"deploy: {line}")

    return deploy_version(context, version, smoke_rows, progress, wait=wait)


def _carriers(context: JobContext, name: str, alias: str) -> tuple[int, ...]:
    found = context.registry.by_alias(name, alias)
    return (found.version,) if found else ()


def _reference(version: ModelVersion) -> ModelReference:
    return ModelReference(name=version.name, version=version.version, run_id=version.run_id)


def _note(
    context: JobContext,
    event: Event,
    model: ModelReference,
    replaced: ModelReference | None,
    reasons: tuple[Reason, ...],
    **more: Any,
) -> None:
    context.ledger.append(
        Draft(
            event=event,
            time=datetime.now(UTC),
            job_id=context.job_id,
            **context.subject(),
            model=model,
            champion=replaced,
            reasons=reasons,
            **more,
        )
    )
