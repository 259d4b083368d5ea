"""Runs one operator as Airflow's task runner does: templates rendered, then executed."""

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.execution_time.context import OutletEventAccessors

from mlops_config.airflow.operators import operator_class
from mlops_config.orchestration.deployment import Deployment
from tests.airflow.inside.deployed import DIGEST, IMAGE

RUN_ID = "deploy__dev__1.2.0"
TELLS = """\
import json, os, sys
print("a line before")
print(json.dumps({"argv": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}))
"""
"""An entry point whose outcome is what it was given."""


class TaskInstance:
    """What operators ask of Airflow's: the XComs of the run, and who they are."""

    def __init__(self, pin: Any, map_index: int = -1) -> None:
        self.pushed: dict[str, Any] = {}
        self.run_id = RUN_ID
        self.map_index = map_index
        self.try_number = 1
        self.dag_id = self.task_id = ""
        self._pin = pin

    def xcom_pull(self, *, task_ids: str, map_indexes: None) -> Any:
        assert (task_ids, map_indexes) == ("verify", None)
        return self._pin

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def pin(config_dir: Path | str, **more: Any) -> dict[str, Any]:
    """What the first task returned."""
    fields = {"release": "1.1.0", "config_digest": DIGEST, "image": IMAGE, "commit": "e" * 40}
    return {"config_dir": str(config_dir), **fields, **more}


def task_of(deployment: Deployment, job: str = "monitoring", **options: Any) -> Any:
    """A task in a DAG of its own."""
    given = {"task_id": "task", "words": ("run", job), **options}
    with DAG(deployment.dag_id(job), schedule=None):
        return operator_class(deployment, job)(deployment=deployment, job=job, **given)


def context_of(task: Any, the_pin: Any) -> dict[str, Any]:
    """A task's context."""
    instance = TaskInstance(the_pin)
    instance.dag_id, instance.task_id = task.dag.dag_id, task.task_id
    return {
        "dag": task.dag,
        "task": task,
        "ti": instance,
        "run_id": RUN_ID,
        "params": {},
        "outlet_events": OutletEventAccessors(),
    }


def run(task: Any, the_pin: Any, context: dict[str, Any] | None = None) -> Any:
    """The task's XCom."""
    context = context or context_of(task, the_pin)
    task.render_template_fields(context, task.dag.get_template_env())
    return task.execute(context)


def connection(patch: Any, folder: Path, environment: str = "dev", **extra: Any) -> None:
    """Gives the environment a Connection whose jobs run in ``folder`` with this Python."""
    given = {
        "environment": environment,
        "python": sys.executable,
        "entrypoints": str(folder),
        **extra,
    }
    document = {"conn_type": "generic", "extra": given}
    patch.setenv(f"AIRFLOW_CONN_MLOPS_{environment.upper().replace('-', '_')}", json.dumps(document))


def entry_point(folder: Path, source: str = TELLS, name: str = "monitoring_main.py") -> Path:
    """Writes an entry point."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return path


def extra_of(context: Mapping[str, Any], asset: Any) -> dict[str, Any]:
    """What an asset's event will say."""
    return dict(context["outlet_events"][asset].extra)
