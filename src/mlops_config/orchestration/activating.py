"""Sets a release's DAGs going once Airflow has parsed them: unpaused, their runs asked for and waited for.

Each step may be repeated: a run that was asked for is there under its own id, and a deployment that was
interrupted goes on when the same command is given again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from mlops_config.console import Console, StageLog
from mlops_config.errors import ServiceError, UsageError
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import Dag, TaskInstance
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.patience import AGAIN, Patience
from mlops_config.release.record import DagRunRecord

IDLE_SECONDS = 20.0
"""No task may run for so long before it is asked why."""
LOG_LINES = 15
"""Of a failed task, that are shown."""
_LOG_READ = 50
_GOING = frozenset({"running", "deferred", "up_for_reschedule", "up_for_retry"})
_TOLD = frozenset({"success", "failed", "upstream_failed", "skipped", "up_for_retry", "removed"})


class Waiting(NamedTuple):
    """A model that a run made and that a person has to let serve."""

    model: str
    version: int
    why: str

    @property
    def sentence(self) -> str:
        """The same for people."""
        return f"{self.model} version {self.version} does not serve: {self.why}"


class Ended(NamedTuple):
    """A DAG run that came to its end, or was not waited for."""

    record: DagRunRecord
    failed: tuple[str, ...] = ()
    """Lines that say which task failed, what it said last, and where to look."""
    held: Waiting | None = None
    """A model that the run made and that waited for a person when the run ended."""


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


class Unpaused(NamedTuple):
    """What became of the DAGs that were paused, by the names of their jobs."""

    now: tuple[str, ...] = ()
    """The scheduler runs them from now on."""
    left: tuple[str, ...] = ()
    """Somebody paused them, and so they stay."""


def unpause(
    api: AirflowApi, dags: Mapping[str, Dag], needed: Collection[str], *, every: bool = False
) -> Unpaused:
    """Lets the scheduler run each DAG that is new, or of a job that is ``needed``; ``every`` one if asked to.

    A DAG that has run before was paused by somebody, perhaps in the middle of an incident: a release that
    comes along is no reason to set it going again.
    """
    now, left = [], []
    for job, dag in dags.items():
        if dag.is_paused and not (every or job in needed) and api.runs(dag.dag_id):
            left.append(job)
        elif dag.is_paused:
            api.unpause(dag.dag_id)
            now.append(job)
    return Unpaused(tuple(now), tuple(left))


def await_run(api: AirflowApi, run: DagRunRecord, patience: Patience, console: Console) -> Ended:
    """The run at its end; each task that ends is said on the way, and why nothing happens if so.

    Raises:
        ServiceError: it is still going when the time is over, or it was deleted.
        KeyboardInterrupt: somebody stopped the wait; it says that the run goes on.
    """
    try:
        with console.stage(run.job) as log:
            tasks = _follow(api, run, patience, console, log)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"interrupted; {run.job} goes on in Airflow: {run.url}") from stop
    except _RunFailedError as failure:
        ended = run.model_copy(update={"state": "failed"})
        return Ended(ended, _failure(api, ended, failure.tasks))
    return Ended(run.model_copy(update={"state": "success"}), held=_held(api, tasks, console))


class _RunFailedError(Exception):
    """Shows the stage as failed; to whoever deploys, a run that failed is an answer."""

    def __init__(self, tasks: Sequence[TaskInstance]) -> None:
        super().__init__()
        self.tasks = tasks


def _follow(
    api: AirflowApi, run: DagRunRecord, patience: Patience, console: Console, log: StageLog
) -> Sequence[TaskInstance]:
    """Says what happens in the run until it has succeeded; its tasks then."""
    told: set[tuple[str, int, int, str | None]] = set()
    obstacle, busy, waited = None, 0.0, 0.0
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
                busy = waited
                console.say(f"  {run.job}.{in_words(task)}")
        if found.is_finished:
            log.done(f"{found.state}: {', '.join(_names(tasks))}")
            if found.state == "failed":
                raise _RunFailedError(tasks)
            return tasks
        if any(task.state == "running" for task in tasks):
            obstacle, busy = None, waited
        elif waited - busy >= IDLE_SECONDS:
            before, obstacle = obstacle, _obstacle(api, run, tasks)
            if obstacle is not None and obstacle != before:
                console.say(f"  {run.job} does not go on: {obstacle}")
        doing = obstacle or ", ".join(_going(tasks)) or "no task yet"
        log.progress(f"{found.state}: {doing} ({waited:.0f} s)")
    so_long = f" after {waited:.0f} s" if waited >= patience.poll else ", and no time was left to wait for it"
    raise ServiceError(
        f"the DAG run {run.run_id} of {run.dag_id} is still going{so_long}: {run.url}",
        hint=f"{obstacle or 'it goes on without us'}; run the same command again to wait on",
    )


def _held(api: AirflowApi, tasks: Iterable[TaskInstance], console: Console) -> Waiting | None:
    """The model that a task of the run left to a person, as its outcome says: it ended well all the same."""
    try:
        outcomes = [api.xcom(task) for task in tasks if task.state == "success" and task.map_index < 0]
    except ServiceError as error:
        # The run ended, and that has to be written down whatever we may not read.
        console.say(f"Airflow was not asked whether a model waits: {error.message}")
        return None
    told = (outcome.get("waits") for outcome in outcomes if isinstance(outcome, dict))
    return next((Waiting(each["model"], each["version"], each["why"]) for each in told if each), None)


def _obstacle(api: AirflowApi, run: DagRunRecord, tasks: Sequence[TaskInstance]) -> str | None:
    """Why a run in which no task runs waits for a person; ``None``: for nobody, as far as can be told."""
    try:
        health, dag = api.health(), api.dag(run.dag_id)
    except ServiceError:
        # Who waits for a run that goes well need not be allowed to ask this.
        return None
    parts = ["scheduler"] + ["triggerer"] * any(task.state == "deferred" for task in tasks)
    for part in parts:
        if health.get(part) != "healthy":
            return f"Airflow's {part} is {health.get(part) or 'not running'}"
    if dag is not None and dag.is_paused:
        return "somebody paused its DAG: unpause it in Airflow"
    return None


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
            lines += [f"  {line}" for line in _told(api.log(task, _LOG_READ))]
    return tuple(lines) or (f"{run.dag_id} {run.run_id} failed, and none of its tasks did: {run.url}",)


def _told(log: Sequence[str]) -> list[str]:
    """The end of a log for a person: no outcome, which programs read, and no line twice."""
    return list(dict.fromkeys(line for line in log if not line.startswith('{"')))[-LOG_LINES:]


def _names(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.map_index < 0 or task.state == "failed"]


def _going(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.state in _GOING]


def _name(task: TaskInstance) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
