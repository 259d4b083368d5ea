"""Asks Airflow for the DAG runs of a deployment: those that are there already are gone on with.

A run goes by its id, so asking again for the same thing finds it. What somebody asks for by name is another
thing once the run of before has ended and a deployment said so.
"""

from collections.abc import Callable
from typing import NamedTuple

from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_answers import DagRun
from mlops_config.orchestration.choosing import PlannedRun, again
from mlops_config.orchestration.deployment import Deployment
from mlops_config.release.record import DagRunRecord

_DONE = frozenset({"success", "removed"})
"""States of a task that another try of its run leaves as it is."""


class Wanted(NamedTuple):
    """A planned run with the id that it is asked for by, and what Airflow has of that id."""

    planned: PlannedRun
    run_id: str
    state: str | None = None
    """``None``: nobody asked for it before."""

    @property
    def is_done(self) -> bool:
        """Whether nothing has to run for it any more."""
        return self.state == "success"


def find_run(
    api: AirflowApi,
    deployment: Deployment,
    planned: PlannedRun,
    run_id: str,
    is_over: Callable[[DagRun], bool],
) -> Wanted:
    """Which run the planned one is: the one of ``run_id``, or a later one where that was something else.

    ``is_over`` says of a run that ended well whether whoever asks now asks for another one.
    """
    dag_id = deployment.dag_id(planned.job)
    number, found = 1, api.run(dag_id, run_id)
    while found is not None and (
        found.conf.get("only") != planned.only or (found.state == "success" and is_over(found))
    ):
        number += 1
        found = api.run(dag_id, again(run_id, number))
    return Wanted(planned, again(run_id, number), found.state if found else None)


def request_run(
    api: AirflowApi, deployment: Deployment, wanted: Wanted, say: Callable[[str], None]
) -> DagRunRecord:
    """Asks for the run, or goes on with the one of an earlier try; says behind which run it waits.

    Of one that failed, what did not end well is tried again: asking for the deployment again asks for that.
    """
    planned, run_id = wanted.planned, wanted.run_id
    dag_id = deployment.dag_id(planned.job)
    earlier = [run for run in api.runs(dag_id) if not run.is_finished and run.run_id != run_id]
    state = "queued"
    if not api.trigger(dag_id, run_id, planned.conf(deployment)):
        state = _state(api.run(dag_id, run_id))
        if state == "failed":
            state = _tried_again(api, planned.job, dag_id, run_id, say)
        else:
            say(f"{planned.job} was asked for before: {run_id} is there, and this goes on with it")
    for run in earlier if state != "success" else ():
        say(f"{planned.job} waits behind {run.run_id}, which is still {run.state}")
    return DagRunRecord(
        job=planned.job,
        dag_id=dag_id,
        run_id=run_id,
        state=state,
        because=planned.because,
        url=api.page(dag_id, run_id),
    )


def _tried_again(api: AirflowApi, job: str, dag_id: str, run_id: str, say: Callable[[str], None]) -> str:
    """Clears what did not end well in a run that failed; the run's state then."""
    tasks = [task for task in api.task_instances(dag_id, run_id) if task.state not in _DONE]
    if not tasks:
        say(f"{job} was asked for before: {run_id} failed, though each of its tasks ended well")
        return "failed"
    api.clear(dag_id, run_id, tasks)
    names = ", ".join(dict.fromkeys(task.task_id for task in tasks))
    say(f"{job} was asked for before, and {run_id} failed: it goes on with {names}")
    return "queued"


def _state(run: DagRun | None) -> str:
    return run.state if run else "queued"
