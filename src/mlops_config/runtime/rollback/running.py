"""Carries a rollback out: endpoint, champion, pointer, Airflow's deployment, ledger, in that order.

Every step may be repeated, and what is done already is left as it is. The ledger is told before the first and
after the last of them, so that a rollback that was stopped goes on when it is asked for again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mlops_config.bundle.semantic import meaning
from mlops_config.contract.models.inference import AllAtOnceRollout
from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.deploy.interface import DeployFailedError, EndpointStatus
from mlops_config.errors import JobRefusedError, ServiceError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Draft, Event, ModelReference, Reason
from mlops_config.ledger.ledger import LedgerMovedError
from mlops_config.orchestration.released import Released
from mlops_config.release.changes import changes
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.integrity import require_own_model
from mlops_config.runtime.notifying import notify
from mlops_config.runtime.retraining.deploying import deploy_version, model_folder
from mlops_config.runtime.rollback.opening import Opened
from mlops_config.runtime.rollback.planning import Plan, Side, document, plan
from mlops_config.runtime.rollback.units import (
    FROM_RELEASE,
    PREVIOUS,
    Past,
    Unit,
    past,
    shown,
    standing,
    target,
)
from mlops_config.runtime.rollback.wording import describe, way
from mlops_config.store.interface import Current

_TRIES = 5
"""Entries that others may write between reading the ledger and beginning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants."""

    to: str = PREVIOUS
    model_version: int | None = None
    leaving: str | None = None
    """The release that must be running, as when the plan was looked at; ``None``: whichever does."""
    because: str | None = None
    dags_folder: str | None = None
    """Airflow's DAG folder; ``None``: as far as anybody knows, no Airflow runs the environment."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and the two contexts it leads from and to."""

    plan: Plan
    now: JobContext
    to: JobContext
    released: Released
    """The release that comes back."""
    seen: Past
    """What the ledger said."""
    pointer: Current


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """What a rollback did, or would do."""

    plan: Plan | None = None
    rolled_back: bool = False
    done: bool = True
    """Whether nothing is left to watch for: see :mod:`.watching`."""
    reasons: tuple[Reason, ...] = ()
    endpoint: EndpointStatus | None = None
    dry_run: bool = False
    exit_code: int = 0

    @property
    def summary(self) -> str:
        """What happened, for people."""
        if self.plan is None:
            return "\n".join(reason.text for reason in self.reasons)
        if self.dry_run:
            last = "not carried out" if self.plan.refusals else "nothing was changed: this was a dry run"
            return f"{describe(self.plan)}\n\n{last}"
        where = f"; {self.endpoint.endpoint} serves it" if self.endpoint else ""
        if self.endpoint and self.endpoint.url:
            where += f" at {self.endpoint.url}"
        target = self.plan.target.unit
        return f"{self.plan.environment} runs {target} again, in place of {self.plan.now.unit}{where}"

    def document(self) -> dict[str, Any]:
        """The outcome for programs."""
        return {
            "rolled_back": self.rolled_back,
            "done": self.done,
            "dry_run": self.dry_run,
            "reasons": [reason.model_dump() for reason in self.reasons],
            "endpoint": self.endpoint.endpoint if self.endpoint else None,
            "url": self.endpoint.url if self.endpoint else None,
            "plan": document(self.plan) if self.plan else None,
            "text": self.summary,
        }


def prepare(opened: Opened, asked: Asked) -> Prepared:
    """The plan for what is asked, everything in it proven; nothing is changed.

    Raises:
        UsageError: there is nothing to go back to, or it is not clear what is meant.
        IntegrityError: a record or bundle is missing or changed, or the model is another environment's.
    """
    with opened.console.stage("plan") as log:
        seen = past(opened.ledger.entries())
        in_force = opened.release(None)
        pointer = opened.store.current(opened.project, opened.environment)
        assert pointer is not None  # noqa: S101 the release above was found by it
        here = opened.context(in_force)
        name = in_force.configs.training.tracking.registered_model_name
        champion = opened.registry.by_alias(name, in_force.configs.retrain.promotion.alias_to)
        reference = ModelReference(name=name, version=champion.version) if champion else None
        runs = standing(seen, in_force.record.name, in_force.record.config_digest, reference)
        if asked.leaving not in (None, runs.release):
            raise UsageError(
                f"{opened.environment} runs release {shown(runs.release)}, not {shown(asked.leaving or '')}",
                hint="somebody released since the plan was made: look at a new one with --dry-run",
            )
        found = target(
            seen,
            runs,
            asked.to,
            _releases(opened, asked),
            model_name=name,
            model_version=asked.model_version,
        )
        left = in_force if runs.release == in_force.record.name else opened.release(runs.release)
        released = opened.release(found.release)
        now, to = opened.context(left), opened.context(released)
        planned = plan(
            opened.environment,
            _side(now, runs, left),
            _side(to, found, released),
            changes(_meanings(left), _meanings(released)),
            resumed=seen.begun is not None and _is_meant(seen, found),
        )
        log.done(f"from {way(planned.now, planned.target)}")
    return Prepared(planned, now if left is not in_force else here, to, released, seen, pointer)


def carry_out(opened: Opened, prepared: Prepared, asked: Asked, why: tuple[Reason, ...]) -> RollbackOutcome:
    """Goes back as planned.

    Raises:
        JobRefusedError: the plan is refused, or the target did not come up; what runs now serves on.
        ServiceError: a service failed, or somebody else changed the same; asked for again, it goes on.
    """
    planned, now, to = prepared.plan, prepared.now, prepared.to
    if planned.refusals:
        refused = RollbackOutcome(planned, done=False, reasons=planned.refusals)
        raise JobRefusedError(
            f"{planned.summary} is refused: " + "; ".join(reason.text for reason in planned.refusals),
            document=refused.document(),
            hint="look at the whole plan with --dry-run; another release may fit: --to VERSION",
        )
    _begin(opened, prepared, why)
    status = None
    if planned.target.version is not None and _serves(now, to):
        try:
            status = _deploy(to, prepared)
        except DeployFailedError as error:
            failed = (Reason(code="deploy_failed", text=error.message), *why)
            _note(prepared, Event.ROLLED_BACK, failed, outcome="failed")
            raise JobRefusedError(
                f"{planned.summary} failed: {error.message}",
                document=RollbackOutcome(planned, done=False, reasons=failed).document(),
                hint=error.hint,
            ) from error
    _set_champion(now, to, planned)
    _point(opened, prepared)
    if asked.dags_folder:
        _give_to_airflow(opened, prepared, asked.dags_folder)
    _note(prepared, Event.ROLLED_BACK, why, uri=status.url if status else None)
    outcome = RollbackOutcome(planned, rolled_back=True, reasons=why, endpoint=status)
    because = "; ".join(reason.text for reason in why)
    notify(now, "rolled_back", f"{outcome.summary} ({because})", document(planned))
    return outcome


def _releases(opened: Opened, asked: Asked) -> dict[str, str]:
    """Config digest by name of every release of this model, unless none has to be looked for."""
    if asked.to == PREVIOUS:
        return {}
    names = sorted(opened.store.release_names(opened.project, opened.environment))
    # A release that is named in full is found without reading the others.
    wanted = [asked.to] if asked.to in names else names
    records = [opened.store.fetch_release(opened.project, opened.environment, name) for name in wanted]
    return {
        record.name: record.config_digest
        for record in records
        if record is not None and record.model_name == opened.model_name
    }


def _side(context: JobContext, unit: Unit, released: Released) -> Side:
    version = table = None
    if unit.model is not None:
        version = context.registry.by_version(unit.model.name, unit.model.version)
    if version is not None:
        require_own_model(version, context)
        table = context.registry.fetch(version, model_folder(context, version)).schema
    return Side(unit, released.record, version, table, _endpoint(context))


def _endpoint(context: JobContext) -> str | None:
    inference = context.configs.inference
    return endpoint_name(inference) if inference.endpoint is not None else None


def _serves(now: JobContext, to: JobContext) -> bool:
    """Whether there is an endpoint to take back: one that only promotions do not deploy to counts too."""
    enabled = any(each.configs.retrain.redeploy.enabled for each in (now, to))
    return enabled and to.configs.inference.endpoint is not None


def _meanings(released: Released) -> dict[Kind, dict[str, Any]]:
    return {kind: meaning(released.files.model(kind)) for kind in Kind}


def _is_meant(seen: Past, unit: Unit) -> bool:
    begun = seen.begun
    return begun is not None and Unit(begun.release or "", begun.model).key == unit.key


def _begin(opened: Opened, prepared: Prepared, why: tuple[Reason, ...]) -> None:
    """Writes down that it begins, if nobody changed what serves since the plan was made."""
    if prepared.plan.resumed:
        opened.console.say("going on with the rollback that was begun")
        return
    left = Reason(code=FROM_RELEASE, text=prepared.plan.now.record.name)
    for _ in range(_TRIES):
        entries = opened.ledger.entries()
        if _standing(past(entries)) != _standing(prepared.seen):
            raise ServiceError(
                f"{opened.environment} was changed by somebody else while the rollback was planned",
                hint="look at what they did with 'mlops-config log', then decide again",
            )
        try:
            _note(prepared, Event.ROLLBACK_STARTED, (*why, left), after=entries[-1] if entries else None)
        except LedgerMovedError:
            continue
        return
    raise ServiceError(f"{opened.ledger} is written to so often that the rollback could not begin")


def _standing(seen: Past) -> tuple[Any, ...]:
    """What a plan rests on."""
    begun, changed = (each.sequence if each else None for each in (seen.begun, seen.changed))
    return ([unit.key for unit in seen.way], begun, changed)


def _deploy(to: JobContext, prepared: Prepared) -> EndpointStatus:
    """The endpoint, serving the target: blue/green, and at once when its server has passed the smoke test.

    A canary and its alarms watch what is new. This has served before, and the very alarm that asks for it
    would stop it.
    """
    version = prepared.plan.target.version
    assert version is not None  # noqa: S101 the caller looked
    inference = to.configs.inference
    endpoint = inference.endpoint
    assert endpoint is not None  # noqa: S101 the caller looked
    at_once = AllAtOnceRollout(type="all_at_once").model_copy(update={"timeout": endpoint.rollout.timeout})
    plain = inference.model_copy(update={"endpoint": endpoint.model_copy(update={"rollout": at_once})})
    context = replace(to, configs=replace(to.configs, inference=plain))
    with to.console.stage("deploy") as log:
        status = deploy_version(context, version, (), _saying(to))
        log.done(f"{status.endpoint} serves {version.name} version {version.version}")
    return status


def _saying(context: JobContext) -> Callable[[str], None]:
    return lambda line: context.console.say(f"deploy: {line}")


def _set_champion(now: JobContext, to: JobContext, planned: Plan) -> None:
    """Names the target's version the champion; what is gone back from waits for no promotion either."""
    version, left = planned.target.version, planned.now.unit.model
    if version is not None:
        alias = to.configs.retrain.promotion.alias_to
        found = to.registry.by_alias(version.name, alias)
        if found is None or found.version != version.version:
            to.registry.set_alias(version.name, alias, version.version)
    if left is None or left == planned.target.unit.model:
        return
    for waiting in {now.configs.retrain.promotion.alias_from, to.configs.retrain.promotion.alias_from}:
        found = to.registry.by_alias(left.name, waiting)
        if found is not None and found.version == left.version:
            to.registry.drop_alias(left.name, waiting)


def _point(opened: Opened, prepared: Prepared) -> None:
    """Points the environment at the target's release in every store that it is released to."""
    record = prepared.released.record
    for store in opened.stores:
        current = store.current(opened.project, opened.environment)
        if store is opened.store and current is not None and current.release != record.name:
            current = replace(current, token=prepared.pointer.token)
        if current is not None and current.release != record.name:
            store.set_current(record, current)


def _give_to_airflow(opened: Opened, prepared: Prepared, dags_folder: str) -> None:
    from mlops_config.orchestration.describing import deployment_of
    from mlops_config.orchestration.folder import open_folder

    planned, released = prepared.plan, prepared.released
    with opened.console.stage("airflow") as log:
        try:
            folder = open_folder(dags_folder)
        except UsageError as error:
            # A mistake in the call would mean that nothing was done.
            raise ServiceError(
                f"{opened.environment} serves {planned.target.unit} again, but Airflow was not told:"
                f" {error.message}",
                hint="asked for again with the right --dags-folder, the rollback goes on from there",
            ) from error
        there = folder.standing(opened.project, opened.model_name, opened.environment)
        if there.deployment is None:
            log.done(f"{folder.uri} has no deployment of {opened.environment}: nothing to take back")
            return
        published = folder.write(deployment_of(released.record, released.configs), released.bundle, there)
        log.done(published.uri)


def _note(
    prepared: Prepared,
    event: Event,
    reasons: tuple[Reason, ...],
    *,
    after: Any = ...,
    **more: Any,
) -> None:
    planned, to = prepared.plan, prepared.to
    target, left = planned.target, planned.now.unit.model
    run_id = target.version.run_id if target.version else None
    draft = Draft(
        event=event,
        time=datetime.now(UTC),
        job_id=to.job_id,
        **to.subject(),
        model=target.unit.model.model_copy(update={"run_id": run_id}) if target.unit.model else None,
        champion=left,
        reasons=reasons,
        **more,
    )
    if after is ...:
        to.ledger.append(draft)
    else:
        to.ledger.append(draft, after=after)
