"""Hands a release to Airflow: its DAGs parsed and unpaused, their runs asked for and waited for.

Each step may be repeated: a run that was asked for is there under its own id, and a deployment that was
interrupted goes on when the same command is given again.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_config.console import Console, StageLog
from mlops_config.errors import FindingsError, ServiceError, UsageError
from mlops_config.orchestration.api import AirflowApi, MissingDagError
from mlops_config.orchestration.api_answers import Dag, ParseError, TaskInstance
from mlops_config.orchestration.deployment import Deployment
from mlops_config.orchestration.folder import DEPLOYMENTS_DAG, dag_files
from mlops_config.release.record import DagRunRecord

PARSE_SECONDS = 600.0
"""Airflow looks for new files every few minutes, and a managed one copies its bucket before that."""
IDLE_SECONDS = 20.0
"""No task may run for so long before it is asked why."""
LOG_LINES = 15
"""Of a failed task, that are shown."""
_LOG_READ = 50
_GOING = frozenset({"running", "deferred", "up_for_reschedule", "up_for_retry"})
_TOLD = frozenset({"success", "failed", "upstream_failed", "skipped", "up_for_retry", "removed"})
AGAIN = "run the same command again: it goes on from there"
_SAYS_AGAIN = "command again"


class DagBrokenError(FindingsError):
    """Airflow cannot load the DAGs of the deployment."""


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


@dataclass(slots=True)
class Patience:
    """How long a deployment waits, all told, and how often it looks. Times are in seconds."""

    seconds: float
    """From the first look on."""
    within: float | None = None
    """From now on, whatever happens before the first look; it ends the waiting early."""
    poll: float = 1.0
    slowest_poll: float = 10.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _deadline: float | None = field(default=None, init=False)
    _latest: float = field(default=math.inf, init=False)

    def __post_init__(self) -> None:
        """Begins to count."""
        if self.within is not None:
            self._latest = self.clock() + self.within

    def looks(self, limit: float | None = None) -> Iterator[float]:
        """The seconds waited so far, again and again until the time is over; less and less often."""
        started = self.clock()
        if self._deadline is None:
            self._deadline = min(started + self.seconds, self._latest)
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
    waited = 0.0
    for waited in patience.looks(PARSE_SECONDS):  # noqa: B007 read after the loop
        found = {job: api.dag(deployment.dag_id(job)) for job in deployment.jobs}
        there = {job: dag for job, dag in found.items() if dag and not dag.is_stale and wanted <= dag.tags}
        if len(there) == len(found):
            return there
        missing = [deployment.dag_id(job) for job in found if job not in there]
        progress(f"{len(there)} of {len(found)} DAGs are of release {deployment.release}")
        broken = [each for each in api.parse_errors() if each not in before and concerns(each, deployment)]
        if broken:
            raise _broken(broken, api)
    raise _not_parsed(missing, deployment, api, waited) if waited >= patience.poll else _no_time(patience)


def concerns(error: ParseError, deployment: Deployment) -> bool:
    """Whether an import error stands in the way of this deployment, rather than of somebody else's."""
    name = error.file.replace("\\", "/").rpartition("/")[2]
    if name == DEPLOYMENTS_DAG:
        place = f"{deployment.project}/{deployment.model_name}/{deployment.environment}/"
        return place in error.trace.replace("\\", "/")
    return name in dag_files()


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


def joined(hint: str | None, more: str) -> str:
    """A hint with another one after it, of which the first may be a question."""
    if not hint:
        return more
    return f"{hint} {more[0].upper()}{more[1:]}" if hint.endswith("?") else f"{hint}; {more}"


def going_on(hint: str | None) -> str:
    """The hint with what lets the deployment go on, if it does not say that already."""
    if hint and _SAYS_AGAIN in hint:
        return hint
    return joined(hint, f"then {AGAIN}" if hint else AGAIN)


def _broken(errors: Sequence[ParseError], api: AirflowApi) -> DagBrokenError:
    lines = [f"  {error.file}: {error.sentence}" for error in errors]
    return DagBrokenError(
        "\n".join(["Airflow cannot make this deployment's DAGs:", *lines]),
        hint=f"see {api.address}; mend it, then {AGAIN}",
    )


def _not_parsed(
    missing: Sequence[str], deployment: Deployment, api: AirflowApi, waited: float
) -> ServiceError:
    absent = next((dag_id for dag_id in missing if api.dag(dag_id) is None), None)
    if absent is not None:
        found: MissingDagError = api.missing(absent)
        more = "without DAG files of your own, put ours there with --with-dags"
        return ServiceError(found.message, hint=joined(found.hint, more))
    return ServiceError(
        f"Airflow still has {', '.join(missing)} of another release than {deployment.release},"
        f" after {waited:.0f} s",
        hint=f"does it read the folder that was written to? When it has parsed the files, {AGAIN}",
    )


def _no_time(patience: Patience) -> ServiceError:
    """Nothing is known to be wrong with Airflow then, nor with its folder."""
    if patience.within is None:
        return ServiceError(
            "there was no time to wait for Airflow", hint=f"give --timeout more; then {AGAIN}"
        )
    return ServiceError(
        f"there was no time left to wait for Airflow: what came before took all of {patience.within:.0f} s",
        hint=f"give --within more, in GitHub's workflow deploy-minutes; then {AGAIN}",
    )


def _names(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.map_index < 0 or task.state == "failed"]


def _going(tasks: Sequence[TaskInstance]) -> list[str]:
    return [f"{_name(task)} {task.state}" for task in tasks if task.state in _GOING]


def _name(task: TaskInstance) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"
