"""The deployment of a release: planned, written into the DAG folder, handed to Airflow, written down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_config.console import Console
from mlops_config.contract.validators import Validators
from mlops_config.errors import ServiceError, UsageError
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.activating import Ended, await_run, require_pools, unpause
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import DagRun
from mlops_config.orchestration.asking import Wanted, find_run, request_run
from mlops_config.orchestration.choosing import Past, PlannedRun, choose, past_of, run_id
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.describing import deployment_of
from mlops_config.orchestration.feedback import (
    ended_well,
    serves_since,
    serving_model,
    write_activated,
    write_feedback,
)
from mlops_config.orchestration.folder import DagFolder, Standing, dag_files
from mlops_config.orchestration.parsing import await_dags
from mlops_config.orchestration.patience import Patience, going_on
from mlops_config.orchestration.released import Released, released
from mlops_config.release.changes import Change
from mlops_config.release.history import compare_with_previous, meanings_of
from mlops_config.release.record import (
    ActivationRecord,
    InfrastructureRecord,
    PreviousRelease,
    ReleaseRecord,
)
from mlops_config.store.interface import LedgerName, Store


@dataclass(frozen=True, slots=True)
class Wish:
    """What a deployment is asked to do."""

    store: Store
    name: LedgerName
    validators: Validators
    root: Path
    output: Path
    release: str | None = None
    """``None``: the one in force."""
    asked: str | None = None
    """A job to run in any case."""
    run: bool = True
    wait: bool = True
    with_dags: bool = False
    unpause: bool = False
    """Also the DAGs that somebody paused."""
    patience: Patience = field(default_factory=lambda: Patience(7200.0))
    server_url: str = "https://github.com"


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What a deployment will write and run: known before Airflow is asked anything."""

    released: Released
    deployment: Deployment
    past: Past
    runs: tuple[PlannedRun, ...]

    @property
    def run_id(self) -> str:
        """The id of each of its DAG runs, unless it is asked for once more."""
        return run_id(self.deployment.release, self.deployment.environment, self.past.number)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment did."""

    record: ReleaseRecord
    plan: DeploymentPlan
    address: str
    """Of the deployment's file."""
    ended: tuple[Ended, ...] = ()
    written: tuple[Path, ...] = ()
    held: tuple[str, ...] = ()
    """Models that wait for a person before they serve, a sentence each."""
    paused: tuple[str, ...] = ()
    """Jobs whose DAGs somebody paused in Airflow, and that stay so."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Why it failed, a line each; empty when it did not."""
        return tuple(line for each in self.ended for line in each.failed)

    def document(self) -> dict[str, Any]:
        """The deployment for programs."""
        activation = self.record.activation
        return {
            "environment": self.record.environment,
            "release": self.record.name,
            "config_digest": self.record.config_digest,
            "deployment": self.address,
            "activation": activation.model_dump(mode="json") if activation else None,
            "held": list(self.held),
            "paused": list(self.paused),
        }


def proven(wish: Wish) -> Released:
    """The release that is asked for, every digest of it proven.

    Raises:
        UsageError: there is no such release, or it is another model's.
        IntegrityError: the record or its bundle are not what they should be.
    """
    name = wish.name
    found = released(wish.store, name.project, name.environment, wish.release, wish.validators)
    if found.record.model_name != name.model_name:
        raise UsageError(
            f"{name.environment} release {found.record.name} is of the model {found.record.model_name},"
            f" not {name.model_name}",
            hint="name the model with --model, or its release with --release",
        )
    return found


def plan_deployment(wish: Wish) -> DeploymentPlan:
    """The release proven, and what its deployment takes.

    Raises:
        UsageError: there is no such release, or Airflow cannot run it as its files say.
        IntegrityError: the record, its bundle or the ledger are not what they should be.
    """
    name, found = wish.name, proven(wish)
    deployment = deployment_of(found.record, found.configs)
    if wish.asked is not None and wish.asked not in deployment.jobs:
        raise UsageError(
            f"release {found.record.name} has no job {wish.asked!r}",
            hint=f"its jobs are {', '.join(deployment.jobs)}",
        )
    past = past_of(ledger_of(wish.store, name).entries(), found.record.name)
    changes, new_image = _compared(found, past, wish)
    runs = choose(
        deployment,
        past,
        changes,
        monitored=found.configs.monitoring.enabled,
        serves=found.configs.inference.endpoint is not None and found.configs.retrain.redeploy.enabled,
        new_image=new_image,
        asked=wish.asked,
    )
    return DeploymentPlan(found, deployment, past, runs if wish.run else ())


def deploy(
    plan: DeploymentPlan,
    folder: DagFolder,
    airflow: Callable[[], AirflowApi] | None,
    wish: Wish,
    console: Console,
    infrastructure: InfrastructureRecord | None = None,
) -> Deployed:
    """Carries the plan out; without ``airflow`` the files are written and that is all.

    ``infrastructure`` is what was provisioned for it before; it is written down with what runs.

    Raises:
        DeploymentMovedError: somebody else deployed in the same moment.
        DagBrokenError: Airflow cannot import the DAGs.
        ServiceError: the folder or Airflow failed after retries, or the time is over.
    """
    deployment, record = plan.deployment, plan.released.record
    standing = folder.standing(wish.name.project, wish.name.model_name, wish.name.environment)
    if airflow is None:
        address = _write(plan, folder, standing, wish, console)
        return Deployed(record, plan, address)
    with _going_on(), airflow() as api:
        console.say(f"Airflow {api.version()} at {api.address}")
        require_pools(api, deployment)
        known = api.parse_errors()
        address = _write(plan, folder, standing, wish, console)
        _say_of_missing_dag_files(deployment, folder, api, console)
        with console.stage("parse") as log:
            dags = await_dags(
                api, deployment, known, wish.patience, log.progress, copied_within=folder.copied_within
            )
            log.done(f"{len(dags)} DAGs are of release {deployment.release}")
        wanted = _wanted(plan, api, wish)
        needed = {each.planned.job for each in wanted if not each.is_done}
        woken = unpause(api, dags, needed, every=wish.unpause)
        if woken.now:
            console.say(f"unpaused {', '.join(woken.now)}")
        for job in woken.left:
            console.say(
                f"somebody paused the DAG of {job} in Airflow, and it stays so:"
                " unpause it there, or deploy with --unpause"
            )
        if not plan.runs:
            console.say("no DAG run is needed: " + ("none was wanted" if not wish.run else "nothing changed"))
        asked = [request_run(api, deployment, each, console.say) for each in wanted]
        if wish.wait:
            ended = tuple(await_run(api, each, wish.patience, console) for each in asked)
        else:
            ended = tuple(Ended(each) for each in asked)
        where = api.address
    record, held = _written_down(plan, ended, address, folder, where, wish, console, infrastructure)
    for sentence in held:
        console.say(sentence)
    written = write_feedback(record, plan.released, wish.store, wish.validators, wish.output, wish.server_url)
    return Deployed(record, plan, address, ended, written, held, woken.left)


def _wanted(plan: DeploymentPlan, api: AirflowApi, wish: Wish) -> tuple[Wanted, ...]:
    """The planned runs as Airflow has them.

    What somebody asks for by name runs once more when the last run of it ended well and the ledger says so:
    one that nobody waited for to its end is what this command goes on with.
    """
    entries = ledger_of(wish.store, wish.name).entries() if wish.asked else ()

    def is_over(run: DagRun) -> bool:
        return wish.asked is not None and (not wish.wait or ended_well(entries, run.dag_id, run.run_id))

    return tuple(find_run(api, plan.deployment, each, plan.run_id, is_over) for each in plan.runs)


def _write(plan: DeploymentPlan, folder: DagFolder, standing: Standing, wish: Wish, console: Console) -> str:
    with console.stage("write") as log:
        if wish.with_dags:
            kept = [name for name, same in folder.write_dags(dag_files()).items() if not same]
            if kept:
                console.say(f"{', '.join(kept)} in {folder.uri} is not this version's, and stays as it is")
        published = folder.write(plan.deployment, plan.released.bundle, standing)
        log.done(published.uri if published.created else f"{published.uri} is of this release already")
    return published.uri


def _say_of_missing_dag_files(
    deployment: Deployment, folder: DagFolder, api: AirflowApi, console: Console
) -> None:
    """Says before the wait that it is likely to be for nothing: DAG files may have other names, though."""
    unknown = [job for job in deployment.jobs if api.dag(deployment.dag_id(job)) is None]
    absent = folder.missing([f"{job}_dag.py" for job in unknown])
    if absent:
        console.say(
            f"{folder.uri} has no {', '.join(absent)}: unless files of your own make these DAGs, stop and"
            " add --with-dags"
        )


def _written_down(
    plan: DeploymentPlan,
    ended: tuple[Ended, ...],
    address: str,
    folder: DagFolder,
    airflow: str,
    wish: Wish,
    console: Console,
    infrastructure: InfrastructureRecord | None,
) -> tuple[ReleaseRecord, tuple[str, ...]]:
    """The record with what runs now, and which models wait for a person still.

    In the ledger, once all that was asked for has come to its end.
    """
    runs = tuple(each.record for each in ended)
    ledger, now = ledger_of(wish.store, wish.name), datetime.now(UTC)
    if wish.run and wish.wait:
        write_activated(ledger, plan.released.record, runs, address, now)
    entries = ledger.entries()
    activation = ActivationRecord(
        activated_at=now,
        airflow=airflow,
        dags_folder=folder.uri,
        dag_runs=runs,
        model=serving_model(plan.released, entries, wish.root, console),
        infrastructure=infrastructure,
    )
    # The run may have ended days ago, and somebody has promoted its model since.
    held = tuple(
        each.held.sentence
        for each in ended
        if each.held and not serves_since(each.held.model, each.held.version, entries, activation.model)
    )
    return plan.released.record.model_copy(update={"activation": activation}), held


def _compared(found: Released, past: Past, wish: Wish) -> tuple[tuple[Change, ...] | None, bool]:
    """What changed since the release before, and whether its image is another."""
    if past.before is None:
        return None, False
    name = wish.name
    before = wish.store.fetch_release(name.project, name.environment, past.before)
    if before is None:
        return None, False
    follows = PreviousRelease(
        name=before.name, commit=before.source.commit, config_digest=before.config_digest
    )
    record = found.record.model_copy(update={"previous": follows})
    comparison = compare_with_previous(record, meanings_of(found.files), [wish.store], wish.validators)
    old, new = before.image, found.record.image
    return comparison.changes, (old.by_digest if old else None) != (new.by_digest if new else None)


@contextmanager
def _going_on() -> Iterator[None]:
    """Says of a service that failed that asking again goes on."""
    try:
        yield
    except ServiceError as error:
        error.hint = going_on(error.hint)
        raise
