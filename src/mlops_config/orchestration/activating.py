"""Hands a release to Airflow: its DAGs parsed and unpaused, their runs asked for and waited for.

Each step may be repeated: a run that was asked for is there under its own id, and a deployment that was
interrupted goes on when the same command is given again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_config.console import Console
from mlops_config.errors import FindingsError, ServiceError, UsageError
from mlops_config.orchestration.api import AirflowApi, MissingDagError
from mlops_config.orchestration.api_answers import Dag, DagRun, ParseError, TaskInstance
from mlops_config.orchestration.choosing import PlannedRun
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.folder import DEPLOYMENTS_DAG, dag_files
from mlops_config.release.record import DagRunRecord

PARSE_SECONDS = 600.0
"""Airflow looks for new files every few minutes, and a managed one copies its bucket before that."""
LOG_LINES = 15
"""Of a failed task, that are shown."""
_GOING = frozenset({"running", "deferred", "up_for_reschedule", "up_for_retry"})
_TOLD = frozenset({"success", "failed", "upstream_failed", "skipped", "up_for_retry", "removed"})
AGAIN = "run the same command again: it goes on from there"


class DagBrokenError(FindingsError):
    """Airflow cannot load the DAGs of the deployment."""


class Ended(NamedTuple):
    """A DAG run that came to its end, or was not waited for."""

    record: DagRunRecord
    failed: tuple[str, ...] = ()
    """Lines that say which task failed, what it said last, and where to look."""


@dataclass(slots=True)
class Patience:
    """How long a deployment waits, all told, and how often it looks. Times are in seconds."""

    seconds: float
    poll: float = 1.0
    slowest_poll: float = 10.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _deadline: float | None = None

    def looks(self, limit: float | None = None) -> Iterator[float]:
        """The seconds waited so far, again and again until the time is over; less and less often."""
        started = self.clock()
        if self._deadline is None:
            self._deadline = started + self.seconds
        ends = min(self._deadline, started + limit) if limit is not None else self._deadline
        pause = self.poll
        while True:
            now = self.clock()
            yield now - started
            if now >= ends:
                return
            self.sleep(min(pause, max(0.0, ends - self.clock())))
            pause = min(pause * 1.1, self.slowest_poll)


def tags_of(deployment: Deployment) -> frozenset[str]:
    """The tags by which a DAG is known to be of this very release."""
    hexadecimal = deployment.config_digest.removeprefix("sha256:")
    return frozenset({f"release:{deployment.release}", f"config:{hexadecimal[:12]}"})


def require_pools(api: AirflowApi, deployment: Deployment) -> None:
    """Airflow has every pool that the release's tasks take a slot of.

    Raises:
        UsageError: one is missing: its tasks would wait for ever.
    """
    jobs: dict[str, list[str]] = {}
    for name, job in deployment.jobs.items():
        jobs.setdefault(job.pool, []).append(name)
    for pool, names in jobs.items():
        if not api.has_pool(pool):
            raise UsageError(
                f"Airflow has no pool {pool!r}, and {' and '.join(names)} of {deployment.environment} run in"
                " it",
                hint=f"make it: airflow pools set {pool} 1 'tasks of {deployment.project}'; or name another"
                " in `orchestration.pool`",
            )


def await_dags(
    api: AirflowApi,
    deployment: Deployment,
    known: Iterable[ParseError],
    patience: Patience,
    progress: Callable[[str], None],
) -> dict[str, Dag]:
    """The release's DAGs by job, once Airflow has parsed all of them.

    ``known`` are the import errors from before the deployment was written: others that concern it end the
    wait.

    Raises:
        DagBrokenError: Airflow cannot import them.
        ServiceError: they are not there in time.
    """
    before, wanted = frozenset(known), tags_of(deployment)
    missing: list[str] = []
    for _ in patience.looks(PARSE_SECONDS):
        found = {job: api.dag(deployment.dag_id(job)) for job in deployment.jobs}
        there = {job: dag for job, dag in found.items() if dag and not dag.is_stale and wanted <= dag.tags}
        if len(there) == len(found):
            return there
        missing = [deployment.dag_id(job) for job in found if job not in there]
        progress(f"{len(there)} of {len(found)} DAGs are of release {deployment.release}")
        broken = [each for each in api.parse_errors() if each not in before and concerns(each, deployment)]
        if broken:
            raise _broken(broken, api)
    raise _not_parsed(missing, deployment, api)


def concerns(error: ParseError, deployment: Deployment) -> bool:
    """Whether an import error stands in the way of this deployment, rather than of somebody else's."""
    name = error.file.replace("\\", "/").rpartition("/")[2]
    if name == DEPLOYMENTS_DAG:
        place = f"{deployment.project}/{deployment.model_name}/{deployment.environment}/"
        return place in error.trace.replace("\\", "/")
    return name in dag_files()


def unpause(api: AirflowApi, deployment: Deployment, dags: Iterable[Dag]) -> list[str]:
    """Lets the scheduler run all of them; the names of the jobs that were paused."""
    paused = [dag.dag_id for dag in dags if dag.is_paused]
    for dag_id in paused:
        api.unpause(dag_id)
    return [job for job in deployment.jobs if deployment.dag_id(job) in paused]


def request_run(
    api: AirflowApi, deployment: Deployment, planned: PlannedRun, run_id: str, say: Callable[[str], None]
) -> DagRunRecord:
    """Asks for the run, or finds it there from an earlier try; says behind which run it waits."""
    dag_id = deployment.dag_id(planned.job)
    earlier = [run for run in api.runs(dag_id) if not run.is_finished and run.run_id != run_id]
    created = api.trigger(dag_id, run_id, planned.conf(deployment))
    for run in earlier:
        say(f"{planned.job} waits behind {run.run_id}, which is still {run.state}")
    if not created:
        say(f"{planned.job} was asked for before: {run_id} is there, and this goes on with it")
    state = "queued" if created else _state(api.run(dag_id, run_id))
    return DagRunRecord(
        job=planned.job,
        dag_id=dag_id,
        run_id=run_id,
        state=state,
        because=planned.because,
        url=api.page(dag_id, run_id),
    )


def await_run(api: AirflowApi, run: DagRunRecord, patience: Patience, console: Console) -> Ended:
    """The run at its end; each task that ends is said on the way.

    Raises:
        ServiceError: it is still going when the time is over, or it was deleted.
    """
    told: set[tuple[str, int, int, str | None]] = set()
    with console.stage(run.job) as log:
        for waited in patience.looks():
            found = api.run(run.dag_id, run.run_id)
            if found is None:
                raise ServiceError(
                    f"the DAG run {run.run_id} of {run.dag_id} is gone: somebody deleted it", hint=AGAIN
                )
            tasks = api.task_instances(run.dag_id, run.run_id)
            for task in tasks:
                mark = (task.task_id, task.map_index, task.try_number, task.state)
                if task.state in _TOLD and mark not in told:
                    told.add(mark)
                    console.say(f"  {run.job}.{in_words(task)}")
            if found.is_finished:
                ended = run.model_copy(update={"state": found.state})
                log.done(f"{found.state}: {', '.join(_names(tasks))}")
                failed = _failure(api, ended, tasks) if found.state == "failed" else ()
                return Ended(ended, failed)
            log.progress(f"{found.state}: {', '.join(_going(tasks)) or 'no task yet'} ({waited:.0f} s)")
    raise ServiceError(
        f"the DAG run {run.run_id} of {run.dag_id} is still going after {patience.seconds:.0f} s: {run.url}",
        hint="it goes on without us; run the same command again to wait on",
    )


def in_words(task: TaskInstance) -> str:
    """A task instance in a phrase: ``score[3] success after 12 s``."""
    words = f"{_name(task)} {task.state}"
    if task.seconds is not None:
        words += f" after {task.seconds:.0f} s"
    if task.state == "up_for_retry" or (task.state == "failed" and task.max_tries > 0):
        words += f", try {max(task.try_number, 1)} of {task.max_tries + 1}"
    return words


def _failure(api: AirflowApi, run: DagRunRecord, tasks: Sequence[TaskInstance]) -> tuple[str, ...]:
    lines = []
    for task in tasks:
        if task.state == "failed":
            lines.append(f"{run.job}.{in_words(task)}: {api.page(run.dag_id, run.run_id, task.task_id)}")
            lines += [f"  {line}" for line in api.log(task, LOG_LINES)]
    return tuple(lines) or (f"{run.dag_id} {run.run_id} failed, and none of its tasks did: {run.url}",)


def _broken(errors: Sequence[ParseError], api: AirflowApi) -> DagBrokenError:
    lines = [f"  {error.file}: {error.sentence}" for error in errors]
    return DagBrokenError(
        "\n".join(["Airflow cannot make this deployment's DAGs:", *lines]),
        hint=f"see {api.address}; mend it, then {AGAIN}",
    )


def _not_parsed(missing: Sequence[str], deployment: Deployment, api: AirflowApi) -> ServiceError:
    absent = next((dag_id for dag_id in missing if api.dag(dag_id) is None), None)
    if absent is not None:
        found: MissingDagError = api.missing(absent)
        hint = f"{found.hint}; without DAG files of your own, put ours there with --with-dags"
        return ServiceError(found.message, hint=hint)
    return ServiceError(
        f"Airflow still has {', '.join(missing)} of another release than {deployment.release}",
        hint=f"does it read the folder that was written to? When it has parsed the files, {AGAIN}",
    )


def _state(run: DagRun | None) -> str:
    return run.state if run else "queued"


def _names(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.map_index < 0 or task.state == "failed"]


def _going(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.state in _GOING]


def _name(task: TaskInstance) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
