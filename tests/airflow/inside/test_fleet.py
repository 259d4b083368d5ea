"""One DAG over every deployment of an environment."""

from pathlib import Path

from airflow.utils.types import DagRunType

from tests.airflow.inside.deployed import ROOT, dag_folder, deployment


def test_the_example_maps_over_the_deployments_of_its_environment_alone(tmp_path: Path) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    unscheduled = {name: each for name, each in deployment("prod").jobs.items() if name != "monitoring"}
    folder = dag_folder(
        tmp_path / "dags",
        deployment("prod", project="tips"),
        deployment("prod", project="fares"),
        deployment("dev"),
        deployment("prod", project="without", jobs=unscheduled),
    )
    example = ROOT / "examples" / "airflow" / "fleet_dag.py"
    (folder / example.name).write_bytes(example.read_bytes())
    bag = DagBag(dag_folder=str(folder / example.name), safe_mode=False)
    assert not bag.import_errors
    (dag,) = bag.dags.values()
    assert dag.dag_id == "fleet.prod.monitoring"
    assert dag.get_task("deployments").python_callable() == [
        "fares.trip-fare.prod.monitoring",
        "tips.trip-fare.prod.monitoring",
    ]
    monitoring = dag.get_task("monitoring")
    assert monitoring.is_mapped
    assert monitoring.expand_input.value["trigger_dag_id"].operator is dag.get_task("deployments")
    assert monitoring.max_active_tis_per_dagrun == 16
    for kind in DagRunType:
        of_member = monitoring.partial_kwargs["trigger_run_id"].replace("{{ run_id }}", f"{kind.value}__1")
        assert DagRunType.from_run_id(of_member) is DagRunType.MANUAL, "Airflow takes no other from a task"
    assert monitoring.partial_kwargs["reset_dag_run"]
