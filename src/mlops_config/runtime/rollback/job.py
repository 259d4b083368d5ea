"""Goes back when it is asked to, or when what was deployed last turns out to be worse than that before."""

import os
from itertools import islice
from pathlib import Path

from mlops_config.contract.rules.identity import endpoint_name
from mlops_config.deploy.alarms import PROMETHEUS_VARIABLE, alarms_of_environment
from mlops_config.deploy.interface import Deployment, Revision
from mlops_config.errors import JobRefusedError, UsageError
from mlops_config.ledger.entries import Event, Reason
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.metrics.jobs import job_metrics
from mlops_config.runtime.monitoring.job import reports
from mlops_config.runtime.rollback.opening import Opened
from mlops_config.runtime.rollback.running import Asked, RollbackOutcome, carry_out, prepare
from mlops_config.runtime.rollback.units import FROM_RELEASE, Past, past
from mlops_config.runtime.rollback.watching import ALARM, GATE, Need, asks, need

FOLDER_VARIABLE = "MLOPS_DAGS_FOLDER"
_REPORTS = 100
"""Newest reports that are looked at: a bake time has few."""


def run(opened: Opened, asked: Asked, *, dry_run: bool = False, if_needed: bool = False) -> RollbackOutcome:
    """Plans the rollback and carries it out.

    ``if_needed`` first asks whether the deployment that bakes has to be taken back; if not, nothing happens.

    Raises:
        UsageError: there is nothing to go back to, or no DAG folder where somebody says that there is one.
        JobRefusedError: the plan is refused, or it is needed and there is nothing to go back to.
        IntegrityError: a record or bundle is missing or changed.
        ServiceError: a service failed; asked for again, it goes on.
    """
    why: tuple[Reason, ...] = (Reason(code="asked", text=asked.because or "rolled back by hand"),)
    if if_needed:
        found = needed(opened)
        if not found.go:
            return RollbackOutcome(
                rolled_back=found.rolled_back, done=found.done, reasons=found.reasons, dry_run=dry_run
            )
        why = found.reasons
        try:
            prepared = prepare(opened, asked)
        except UsageError as error:
            reasons = (*why, Reason(code="refused", text=error.message))
            raise JobRefusedError(
                f"{why[0].text}, but {error.message}",
                document=RollbackOutcome(done=False, reasons=reasons).document(),
                hint=error.hint,
            ) from error
    else:
        prepared = prepare(opened, asked)
        # By itself it goes back all the same: nobody is there to name another folder.
        _look_for_folder(opened, asked, dry_run=dry_run)
    if dry_run:
        refused = prepared.plan.refusals
        return RollbackOutcome(
            prepared.plan, done=False, reasons=refused or why, dry_run=True, exit_code=int(bool(refused))
        )
    begun = prepared.seen.begun
    if prepared.plan.resumed and begun is not None and asked.because is None:
        why = tuple(reason for reason in begun.reasons if reason.code != FROM_RELEASE)
    with job_metrics(prepared.now, "rollback"):
        return carry_out(opened, prepared, asked, why)


def _look_for_folder(opened: Opened, asked: Asked, *, dry_run: bool) -> None:
    """Opens the DAG folder before anything goes back; who only looks may be where there is none.

    Raises:
        UsageError: there is none.
    """
    from mlops_config.orchestration.folder import open_folder

    if not asked.dags_folder:
        return
    try:
        open_folder(asked.dags_folder)
    except UsageError as error:
        if not dry_run:
            error.hint = f"{error.hint}; nothing was changed" if error.hint else "nothing was changed"
            raise
        opened.console.say(f"warning: {error.message}: going back would be refused for that here")


def needed(opened: Opened) -> Need:
    """Whether the deployment that bakes has to be taken back; only what can change the answer is asked."""
    seen = past(opened.ledger.entries())
    context = opened.context(opened.release(None))
    rollback = context.configs.retrain.rollback
    found = islice(reports(context), _REPORTS) if asks(GATE, seen, rollback, opened.now) else ()
    answer = need(seen, found, (), rollback, opened.now, dag_run=opened.dag_run)
    if answer.go or answer.done or not asks(ALARM, seen, rollback, opened.now):
        return answer
    return need(seen, (), _firing(context, seen), rollback, opened.now, dag_run=opened.dag_run)


def dags_folder_of(
    asked: str | None, opened: Opened, config: Path | None, root_module: Path | None = None
) -> str | None:
    """Airflow's DAG folder: the one that is asked for, or that the environment or the settings name.

    Else the one that the configuration itself lies in, as where Airflow runs the job; or that of an Airflow
    that Terraform made, by the settings' root module or by ``root_module``, which is named in its place.
    """
    from mlops_config.orchestration.deployment import BUNDLES, FILE_NAME
    from mlops_config.orchestration.folder import DEPLOYMENTS

    named = asked or os.environ.get(FOLDER_VARIABLE) or opened.settings.airflow.dags_folder
    if named:
        return named
    if config is None:
        is_provisioned = root_module is not None or opened.settings.terraform is not None
        return _provisioned_folder(opened) if is_provisioned else None
    bundles = config.resolve().parent.parent
    deployments = next(iter(bundles.parents[3:4]), None)
    is_deployment = bundles.name == BUNDLES and (bundles.parent / FILE_NAME).is_file()
    if deployments is None or not is_deployment or deployments.name != DEPLOYMENTS:
        return None
    # A copy that is only read, such as one of a bucket, is not where deployments are made.
    return str(deployments.parent) if os.access(bundles.parent, os.W_OK) else None


def _provisioned_folder(opened: Opened) -> str | None:
    """The DAG folder that Terraform made: where the ledger says that the last release went."""
    from mlops_config.orchestration.deployment import key_of
    from mlops_config.orchestration.folder import DEPLOYMENTS

    given = (each.uri for each in reversed(opened.ledger.entries()) if each.event is Event.ACTIVATED)
    last = next((uri for uri in given if uri), "")
    key = f"/{DEPLOYMENTS}/{key_of(opened.project, opened.model_name, opened.environment)}"
    return last.removesuffix(key) if last.endswith(key) else None


def _firing(context: JobContext, seen: Past) -> tuple[str, ...]:
    """Names of the rollout's alarms that fire."""
    inference, model = context.configs.inference, seen.changed.model if seen.changed else None
    if inference.endpoint is None or not inference.endpoint.rollout.rollback_alarms:
        return ()
    if not os.environ.get(PROMETHEUS_VARIABLE):
        context.console.say(f"warning: nobody watches for an {ALARM}: {PROMETHEUS_VARIABLE} is not set")
        return ()
    revision = Revision(
        model_name=model.name if model else "",
        model_version=model.version if model else 0,
        config_digest=context.config_digest,
        image=None,
        package_uri="",
    )
    return alarms_of_environment()(
        Deployment(
            project=context.bundle.project,
            environment=context.environment,
            endpoint=endpoint_name(inference),
            revision=revision,
            inference=inference,
            smoke_test=context.configs.retrain.redeploy.smoke_test,
        )
    )
