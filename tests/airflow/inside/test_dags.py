"""Each DAG's tasks, schedule, assets and documentation."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from mlops_config.airflow.dags import dag_of, dags_of
from mlops_config.orchestration.deployment import JOBS
from tests.airflow.inside.deployed import DIGEST, IMAGE, deployment, job, serialized, write

URI = "x-mlops://dev/fares/trip-fare"


def edges(dag: Any) -> dict[str, set[str]]:
    return {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}


def test_training_verifies_trains_and_promotes() -> None:
    dag = dag_of("training", deployment())
    assert edges(dag) == {"verify": {"train"}, "train": {"promote"}, "promote": set()}
    assert dag.get_task("promote").words == ("promote",)


def test_a_batch_of_one_part_is_one_task() -> None:
    assert edges(dag_of("inference", deployment())) == {"verify": {"score"}, "score": set()}


def test_a_batch_of_many_parts_is_planned_mapped_and_completed() -> None:
    dag = dag_of("inference", deployment(max_parts=3))
    assert edges(dag) == {
        "verify": {"plan"},
        "plan": {"score"},
        "score": {"complete"},
        "complete": set(),
    }
    score = dag.get_task("score")
    assert score.is_mapped
    assert score.max_active_tis_per_dagrun == 3
    assert score.expand_input.value["part"].operator is dag.get_task("plan")
    assert dag.get_task("complete").trigger_rule == "none_failed"


def test_mapped_tasks_have_the_jobs_own_retries_and_pool() -> None:
    jobs = {"inference": job("dev", "inference", retries=5, pool="gpu", queue="big")}
    score = dag_of("inference", deployment(max_parts=3, jobs=jobs)).get_task("score")
    assert (score.retries, score.pool, score.queue) == (5, "gpu", "big")


def test_monitoring_verifies_and_monitors() -> None:
    assert edges(dag_of("monitoring", deployment())) == {"verify": {"monitor"}, "monitor": set()}


def test_retraining_watches_only_where_alarms_bake() -> None:
    assert edges(dag_of("retraining", deployment())) == {"verify": {"retrain"}, "retrain": set()}
    watched = dag_of("retraining", deployment(bake_seconds=600.0))
    assert edges(watched) == {"verify": {"retrain"}, "retrain": {"watch"}, "watch": set()}


@pytest.mark.parametrize("name", JOBS)
def test_every_dag_begins_with_the_proof_and_runs_once_at_a_time(name: str) -> None:
    dag = dag_of(name, deployment(max_parts=3, bake_seconds=600.0))
    assert [task.task_id for task in dag.roots] == ["verify"]
    assert dag.max_active_runs == 1
    assert dag.catchup is False


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_jobs_run_where_their_files_say(name: str, kind: str) -> None:
    pytest.importorskip(f"mlops_config.airflow.operators.{kind}")
    execution = {"type": kind, "namespace": "jobs", "cpus": 1.0, "memory_gib": 2.0}
    jobs = {each: job("dev", each, execution=execution) for each in JOBS}
    dag = dag_of(name, deployment(jobs=jobs, max_parts=3))
    modules = {
        task.operator_class.__module__ if task.is_mapped else type(task).__module__ for task in dag.tasks
    }
    assert modules <= {f"mlops_config.airflow.operators.{kind}", "mlops_config.airflow.dags"}


def test_tags_and_documentation_name_the_release() -> None:
    dag = dag_of("monitoring", deployment())
    assert dag.tags == {"mlops", "fares", "dev", "release:1.2.0", "config:abababababab"}
    values = ("1.2.0", DIGEST, IMAGE, "f" * 40, "team@example.com", "dev_monitoring_config.yaml")
    for said in (*values, "mlops_dev", "mlops-config rollback --environment dev"):
        assert f"`{said}`" in dag.doc_md


def test_documentation_leaves_out_what_is_not_known() -> None:
    assert "None" not in dag_of("training", deployment(commit=None, image=None)).doc_md


def outlets(dag: Any, task: str) -> dict[str, str]:
    """By URI: whether the task always makes one (``Asset``) or sometimes (``AssetAlias``)."""
    found = dag.get_task(task).outlets
    return {getattr(each, "uri", each.name): type(each).__name__ for each in found}


def test_training_makes_a_baseline_and_a_model() -> None:
    dag = dag_of("training", deployment())
    assert outlets(dag, "train") == {f"{URI}/baseline": "Asset", f"{URI}/model": "Asset"}


def test_what_may_not_happen_is_announced_only_when_it_did() -> None:
    sometimes = {f"{URI}/model": "AssetAlias", f"{URI}/deployment": "AssetAlias"}
    assert outlets(dag_of("training", deployment()), "promote") == sometimes
    assert outlets(dag_of("retraining", deployment()), "retrain") == sometimes
    assert outlets(dag_of("monitoring", deployment()), "monitor") == {f"{URI}/drift-report": "AssetAlias"}


def awaited(dag: Any) -> list[str]:
    """URIs of the assets that start the DAG."""
    return re.findall(r'"uri": "([^"]+)"', json.dumps(serialized(dag)["timetable"]))


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_retraining_waits_for_its_own_environments_reports_alone(environment: str) -> None:
    dag = dag_of("retraining", deployment(environment))
    assert awaited(dag) == [f"x-mlops://{environment}/fares/trip-fare/drift-report"]


@pytest.mark.parametrize("name", ["training", "inference", "monitoring"])
def test_no_other_dag_waits_for_an_asset(name: str) -> None:
    assert awaited(dag_of(name, deployment())) == []


@pytest.mark.parametrize(
    "window",
    [
        None,
        "2026-11-01T00:00:00Z/2026-11-02T00:00:00Z",
        "2026-11-01T00:00+01:00/2026-11-02T00:00:00.5-05:30",
    ],
)
def test_monitoring_takes_a_window(window: str | None) -> None:
    dag = dag_of("monitoring", deployment())
    dag.params["window"] = window
    assert dag.params.validate() == {"window": window}
    words = dag.get_task("monitor").arguments_given({"params": {"window": window}})
    assert words == ([f"--window={window}"] if window else [])


@pytest.mark.parametrize(
    "window", ["yesterday", "2026-11-01/2026-11-02", "2026-11-01T00:00:00Z/x; rm -rf /", 7]
)
def test_monitoring_takes_nothing_else_for_a_window(window: object) -> None:
    from airflow.providers.common.compat.sdk import ParamValidationError

    with pytest.raises(ParamValidationError):
        dag_of("monitoring", deployment()).params["window"] = window


def test_retraining_takes_a_reason() -> None:
    dag = dag_of("retraining", deployment())
    dag.params["because"] = "the fares rose; $(date)"
    words = dag.get_task("retrain").arguments_given({"params": dag.params.validate()})
    assert words == ["--manual=the fares rose; $(date)"]


@pytest.mark.parametrize("only", [None, "redeploy"])
def test_training_redeploys_alone_where_it_is_asked_to(only: str | None) -> None:
    from airflow.providers.common.compat.sdk import AirflowSkipException

    dag = dag_of("training", deployment())
    assert dag.params.validate() == {"only": None}
    dag.params["only"] = only
    context = {"params": dag.params.validate()}
    promote = dag.get_task("promote")
    assert promote.trigger_rule == "none_failed"
    assert promote.arguments_given(context) == (["--redeploy"] if only else ["--if-allowed"])
    with pytest.raises(AirflowSkipException) if only else nullcontext():
        dag.get_task("train")._pre_execute_hook(context)


def test_training_takes_no_other_wish() -> None:
    from airflow.providers.common.compat.sdk import ParamValidationError

    with pytest.raises(ParamValidationError):
        dag_of("training", deployment()).params["only"] = "promote"


@pytest.mark.parametrize("name", ["inference"])
def test_other_runs_take_nothing(name: str) -> None:
    assert not dag_of(name, deployment()).params


def test_a_dag_for_each_deployment_that_has_the_job(tmp_path: Path) -> None:
    write(tmp_path / "mlops", deployment("dev"))
    without = {name: each for name, each in deployment("prod").jobs.items() if name != "inference"}
    write(tmp_path / "mlops", deployment("prod", jobs=without))
    file = str(tmp_path / "inference_dag.py")
    assert set(dags_of("inference", file)) == {"fares.trip-fare.dev.inference"}
    assert set(dags_of("training", file)) == {
        "fares.trip-fare.dev.training",
        "fares.trip-fare.prod.training",
    }


def test_a_task_reads_its_own_deployment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mlops", deployment("dev"))
    write(tmp_path / "mlops", deployment("prod"))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "fares.trip-fare.prod.training")
    found = dags_of("training", str(tmp_path / "training_dag.py"))
    assert set(found) == {"fares.trip-fare.prod.training"}
