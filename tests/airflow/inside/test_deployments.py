"""Which deployments are found, and what is said of those that no DAG can be made of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.airflow.dags import dags_of
from mlops_config.airflow.deployments import BrokenDeploymentsError, folder_of, read, require_readable
from mlops_config.orchestration.deployment import FOLDER_VARIABLE
from tests.airflow.inside.deployed import dag_folder, deployment, job, write


def test_every_deployment_is_read_in_order(tmp_path: Path) -> None:
    given = [deployment("prod"), deployment("dev"), deployment("dev", project="aaa")]
    for each in given:
        write(tmp_path, each)
    assert list(read(tmp_path).deployments) == [given[2], given[1], given[0]]


def test_folders_without_a_deployment_are_none_yet(tmp_path: Path) -> None:
    (tmp_path / "fares" / "trip-fare" / "dev" / "bundles").mkdir(parents=True)
    (tmp_path / "README.md").write_text("what lies here")
    assert read(tmp_path) == ((), ())


def test_no_folder_is_no_deployment_yet(tmp_path: Path) -> None:
    assert read(tmp_path / "mlops") == ((), ())


def test_a_folder_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "typo"))
    folder = folder_of(str(tmp_path / "training_dag.py"))
    assert "typo: MLOPS_DEPLOYMENTS names this folder" in read(folder).broken[0]


def test_the_folder_lies_beside_the_dag_files(tmp_path: Path) -> None:
    assert folder_of(str(tmp_path / "training_dag.py")) == tmp_path / "mlops"


def broken(folder: Path, content: bytes) -> str:
    """What is said of prod's file with such a content, beside a good one of dev."""
    write(folder, deployment("dev"))
    write(folder, deployment("prod")).write_bytes(content)
    found = read(folder)
    assert [each.environment for each in found.deployments] == ["dev"]
    (sentence,) = found.broken
    assert sentence.startswith(str(folder / "fares" / "trip-fare" / "prod" / "deployment.json"))
    return sentence


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no deployment that this package can read"),
        (b"[]", "no deployment"),
        (b'{"schema_version": 2}', "schema_version 2, this package reads 1"),
        (deployment("prod").to_json()[:-40], "no deployment"),
        (b"\xff\xfe", "no deployment"),
        (deployment("dev").to_json(), "belongs at fares/trip-fare/dev/deployment.json"),
    ],
    ids=["empty", "a list", "a later version", "half written", "no text", "copied from dev"],
)
def test_a_broken_file_spoils_no_other(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in broken(tmp_path, content)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cron": "61 * * * *"}, "Airflow cannot read the schedule of monitoring, '61 * * * *'"),
        ({"cron": "0 0 * * * *"}, "Airflow cannot read the schedule"),
        ({"cron": "0 6 * * *", "timezone": "Mars/Olympus"}, "the time zone 'Mars/Olympus'"),
        ({"execution": {"type": "ssh"}}, "'ssh'; this package knows bash, docker, kubernetes"),
    ],
)
def test_what_airflow_cannot_do_is_said(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    jobs = {"monitoring": job("prod", "monitoring", **changed)}
    assert said in broken(tmp_path, deployment("prod", jobs=jobs).to_json())


def test_an_unknown_job_is_said(tmp_path: Path) -> None:
    content = deployment("prod", jobs={"tuning": job("prod", "tuning")}).to_json()
    assert "there is no job 'tuning'" in broken(tmp_path, content)


def test_a_broken_one_is_left_out_of_every_dag_file(tmp_path: Path) -> None:
    folder = dag_folder(tmp_path / "dags", deployment("dev"), deployment("prod"))
    (folder / "mlops/fares/trip-fare/prod/deployment.json").write_bytes(b"{")
    found = dags_of("training", str(folder / "training_dag.py"))
    assert set(found) == {"fares.trip-fare.dev.training"}


def test_airflow_shows_an_import_error_and_keeps_the_other_dags(tmp_path: Path) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    folder = dag_folder(tmp_path / "dags", deployment("dev"), deployment("prod"))
    (folder / "mlops/fares/trip-fare/prod/deployment.json").write_bytes(b"{")
    bag = DagBag(dag_folder=str(folder))
    assert set(bag.dags) == {
        f"fares.trip-fare.dev.{name}" for name in ("training", "inference", "monitoring", "retraining")
    }
    ((file, error),) = bag.import_errors.items()
    assert file.endswith("deployments_dag.py")
    assert "fares/trip-fare/prod/deployment.json is no deployment that this package can read" in error


def test_nothing_is_said_while_all_is_well(tmp_path: Path) -> None:
    require_readable(str(dag_folder(tmp_path / "dags", deployment("dev")) / "deployments_dag.py"))


def test_all_broken_ones_are_named_at_once(tmp_path: Path) -> None:
    for environment in ("dev", "prod"):
        write(tmp_path / "mlops", deployment(environment)).write_bytes(b"{")
    with pytest.raises(BrokenDeploymentsError) as caught:
        require_readable(str(tmp_path / "deployments_dag.py"))
    assert [line.count("deployment.json") for line in str(caught.value).splitlines()] == [0, 1, 1]


def test_deployments_are_read_without_yaml_or_models(tmp_path: Path) -> None:
    """Of this package's modules only those that need nothing, and neither yaml nor pydantic for them."""
    write(tmp_path / "mlops", deployment("dev"))
    program = (
        "import sys, json\n"
        "from mlops_config.airflow.deployments import read\n"
        f"from pathlib import Path; assert read(Path({str(tmp_path / 'mlops')!r})).deployments\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not {"yaml", "pydantic", "requests", "airflow"} & loaded
    assert {name for name in loaded if name.startswith("mlops_config.")} == {
        "mlops_config.airflow",
        "mlops_config.airflow.deployments",
        "mlops_config.orchestration",
        "mlops_config.orchestration.deployment",
    }


def test_dags_load_nothing_else_of_the_package(tmp_path: Path) -> None:
    folder = dag_folder(tmp_path / "dags", deployment("dev", max_parts=2, bake_seconds=60.0))
    program = (
        "import sys, json, runpy\n"
        "for name in ('training', 'inference', 'monitoring', 'retraining'):\n"
        f"    runpy.run_path({str(folder)!r} + f'/{{name}}_dag.py')\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name for name in json.loads(done.stdout.splitlines()[-1]) if name.startswith("mlops_config.")}
    rooms = {".".join(name.split(".")[:2]) for name in loaded}
    assert rooms == {"mlops_config.airflow", "mlops_config.orchestration"}
