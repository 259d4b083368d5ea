"""An Airflow whose answers are written down beforehand, for waits that a real one makes long or rare."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.orchestration.releases import release

from mlops_config.orchestration.activating import in_words
from mlops_config.orchestration.api import AirflowApi, MissingDagError
from mlops_config.orchestration.api_answers import Dag, DagRun, ParseError, TaskInstance
from mlops_config.orchestration.api_login import FetchedLogin
from mlops_config.orchestration.choosing import PlannedRun
from mlops_config.orchestration.describing import deployment_of
from mlops_config.orchestration.parsing import tags_of
from mlops_config.orchestration.patience import Patience
from mlops_config.release.record import DagRunRecord

RELEASE = release("1.1.0")
DEPLOYMENT = deployment_of(RELEASE.record, RELEASE.released.configs)
ADDRESS = "http://airflow.example"
RUN_ID = "deploy__dev__1.1.0"
HEALTHY = {"scheduler": "healthy", "dag_processor": "healthy", "triggerer": "healthy"}
TRAINING = DEPLOYMENT.dag_id("training")
RECORD = DagRunRecord(
    job="training", dag_id=TRAINING, run_id=RUN_ID, state="queued", because="it was asked for", url=ADDRESS
)


def dag(job: str, tags: frozenset[str] | None = None, **more: Any) -> Dag:
    given = {"is_paused": False, "is_stale": False, "has_import_errors": False}
    return Dag(DEPLOYMENT.dag_id(job), tags_of(DEPLOYMENT) if tags is None else tags, **(given | more))


def run(state: str, run_id: str = RUN_ID, **conf: str) -> DagRun:
    return DagRun(TRAINING, run_id, state, "manual", conf, None, None)


def task(name: str, state: str | None, **more: Any) -> TaskInstance:
    given = {
        "map_index": -1,
        "try_number": 1,
        "max_tries": 2,
        "started": None,
        "ended": None,
        "seconds": None,
    }
    return TaskInstance(TRAINING, RUN_ID, name, state=state, **(given | more))


class Scripted(AirflowApi):
    """Airflow whose answers change from look to look; the last ones stay."""

    def __init__(
        self,
        *,
        dags: Sequence[Mapping[str, Dag]] = ({},),
        errors: Sequence[Sequence[ParseError]] = ((),),
        runs: Sequence[DagRun | None] = (None,),
        tasks: Sequence[Sequence[TaskInstance]] = ((),),
        going: Sequence[DagRun] = (),
        is_new: bool = True,
        outcome: Any = None,
        health: Sequence[Mapping[str, str]] = (HEALTHY,),
        pools: Sequence[str] = ("default_pool",),
    ) -> None:
        super().__init__(ADDRESS, FetchedLogin(ADDRESS))
        self._dags, self._errors, self._runs, self._tasks = list(dags), list(errors), list(runs), list(tasks)
        self._going = list(going)
        self._is_new = is_new
        self._outcome = outcome
        self._health = list(health)
        self._pools = pools
        self.unpaused: list[str] = []
        self.cleared: list[tuple[str, str, list[str]]] = []
        self.triggered: list[tuple[str, str, Mapping[str, Any]]] = []

    def dag(self, dag_id: str) -> Dag | None:
        found = self._dags[0].get(dag_id.rpartition(".")[2])
        if dag_id.endswith("retraining") and len(self._dags) > 1:
            self._dags.pop(0)
        return found

    def has_pool(self, name: str) -> bool:
        return name in self._pools

    def parse_errors(self) -> list[ParseError]:
        return list(self._errors.pop(0) if len(self._errors) > 1 else self._errors[0])

    def missing(self, dag_id: str) -> MissingDagError:
        return MissingDagError(f"Airflow has no DAG {dag_id}", hint="look at its folder")

    def unpause(self, dag_id: str) -> None:
        self.unpaused.append(dag_id)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> bool:
        self.triggered.append((dag_id, run_id, conf or {}))
        return self._is_new

    def health(self) -> dict[str, str]:
        return dict(self._health.pop(0) if len(self._health) > 1 else self._health[0])

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[TaskInstance]) -> None:
        self.cleared.append((dag_id, run_id, [in_words(each).partition(" ")[0] for each in tasks]))

    def run(self, dag_id: str, run_id: str) -> DagRun | None:  # noqa: ARG002 there is one
        return self._runs.pop(0) if len(self._runs) > 1 else self._runs[0]

    def runs(self, dag_id: str) -> list[DagRun]:  # noqa: ARG002 AirflowApi's signature; one DAG is scripted
        return self._going

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:  # noqa: ARG002 of one run
        return list(self._tasks.pop(0) if len(self._tasks) > 1 else self._tasks[0])

    def log(self, task: TaskInstance, lines: int = 20) -> list[str]:  # noqa: ARG002 of one task
        return ["error: the table has no rows"]

    def xcom(self, task: TaskInstance, key: str = "return_value") -> Any:  # noqa: ARG002 of one task
        return self._outcome


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def patience(self, seconds: float, within: float | None = None) -> Patience:
        return Patience(seconds, within, sleep=self.sleep, clock=lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


ALL = {job: dag(job) for job in DEPLOYMENT.jobs}
OLD = {job: dag(job, frozenset({"release:1.0.0"})) for job in DEPLOYMENT.jobs}
PLANNED = PlannedRun("training", "training changed: random_seed")
