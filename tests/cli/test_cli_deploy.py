"""`mlops-config deploy` without an Airflow: what it would do, what it writes, and what it refuses."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.orchestration.releases import adding, release
from tests.repositories import Repository

from mlops_config.bundle.archive import read_folder
from mlops_config.cli import main
from mlops_config.kinds import Kind
from mlops_config.orchestration.deployment import Deployment, JobDeployment
from mlops_config.release.record import ActivationRecord, DagRunRecord
from mlops_config.release.verification import read_record
from mlops_config.store import open_store

FIRST = release("1.0.0")
PLACE = Path("mlops/city-taxi/trip-fare/dev")


class Tree:
    """A folder with a store, its first release in force, and a DAG folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.dags = folder / "dags"
        self.dags.mkdir()
        self.store = open_store((folder / ".mlops-config" / "store").as_uri())
        self._capsys = capsys
        FIRST.publish(self.store)

    def deploy(self, *words: str, code: int = 0) -> Any:
        """What it printed on its two streams; it must end with ``code``."""
        named = ["--project", "city-taxi", "--model", "trip-fare", "--root", str(self.folder)]
        ended = main(["deploy", "--environment", "dev", *named, *words])
        said = self._capsys.readouterr()
        assert ended == code, said
        return said


@pytest.fixture
def tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tree:
    return Tree(tmp_path, capsys)


def test_retraining_goes_by_monitorings_schedule_only_without_one_of_its_own() -> None:
    training, monitoring, own = (JobDeployment("a.yaml", cron) for cron in (None, "30 6 * * *", "0 1 * * *"))
    jobs = {"training": training, "monitoring": monitoring, "retraining": training}
    deployment = Deployment("p", "m", "dev", "o", {}, "1.0.0", None, "sha256:1", None, jobs)
    assert deployment.timed_by("training") is None
    assert deployment.timed_by("retraining") is monitoring
    assert deployment._replace(jobs=jobs | {"retraining": own}).timed_by("retraining") is own
    assert deployment._replace(jobs={"retraining": training}).timed_by("retraining") is None


def test_a_dry_run_needs_neither_airflow_nor_a_folder_and_writes_nothing(tree: Tree) -> None:
    said = tree.deploy("--dry-run").out
    assert f"config    {FIRST.bundle.digest}\n" in said
    assert f"<DAG folder>/{PLACE}/deployment.json\n" in said
    assert "city-taxi.trip-fare.dev.inference: 0 6 * * * UTC, by bash\n" in said
    retraining = "city-taxi.trip-fare.dev.retraining: 30 6 * * * UTC"
    assert f"{retraining} and when a drift report arrives, by bash\n" in said
    assert "runs      training as deploy__dev__1.0.0: this is the first deployment\n" in said
    assert not list(tree.dags.iterdir())


def test_a_dry_run_says_to_programs_what_it_would_write(tree: Tree) -> None:
    said = json.loads(tree.deploy("--dry-run", "--format", "json").out)
    assert Deployment.from_json(json.dumps(said["deployment"]).encode(), "it").release == "1.0.0"
    (run,) = said["runs"]
    assert (run["dag_id"], run["run_id"]) == ("city-taxi.trip-fare.dev.training", "deploy__dev__1.0.0")


def test_without_a_run_and_an_address_the_files_alone_are_written(tree: Tree) -> None:
    tree.deploy("--no-run", "--dags-folder", str(tree.dags), "--with-dags")
    deployment = Deployment.from_json((tree.dags / PLACE / "deployment.json").read_bytes(), "it")
    assert read_folder(tree.dags / PLACE / deployment.bundle_folder) == FIRST.bundle
    assert {"training_dag.py", "deployments_dag.py"} <= {path.name for path in tree.dags.glob("*.py")}
    assert (tree.dags / ".airflowignore").read_text() == "mlops/\n"
    assert not (tree.folder / ".mlops-config" / "dev" / "notes.md").exists()
    again = tree.deploy("--no-run", "--dags-folder", str(tree.dags), "--with-dags")
    assert "is of this release already" in again.err


def test_a_dag_file_of_somebody_s_own_stays(tree: Tree) -> None:
    (tree.dags / "training_dag.py").write_text("mine")
    said = tree.deploy("--no-run", "--dags-folder", str(tree.dags), "--with-dags")
    assert "training_dag.py in" in said.err
    assert (tree.dags / "training_dag.py").read_text() == "mine"


def test_the_release_that_is_named_is_deployed_rather_than_the_one_in_force(tree: Tree) -> None:
    release("1.1.0", {Kind.MONITORING: adding("# later")}).publish(tree.store)
    tree.deploy("--release", "1.0.0", "--no-run", "--dags-folder", str(tree.dags))
    assert b'"release": "1.0.0"' in (tree.dags / PLACE / "deployment.json").read_bytes()


def test_the_settings_say_where_airflow_is_and_variables_and_options_come_first(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("by-settings", "by-variable", "by-option"):
        (tree.folder / name).mkdir()
    (tree.folder / "mlops-config.yaml").write_text(
        f"airflow: {{dags_folder: '{tree.folder / 'by-settings'}'}}\n"
    )
    tree.deploy("--no-run")
    monkeypatch.setenv("MLOPS_DAGS_FOLDER", str(tree.folder / "by-variable"))
    tree.deploy("--no-run")
    tree.deploy("--no-run", "--dags-folder", str(tree.folder / "by-option"))
    for name in ("by-settings", "by-variable", "by-option"):
        assert (tree.folder / name / PLACE / "deployment.json").is_file()


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--no-run"], "nothing says where Airflow's DAG folder is", "MLOPS_DAGS_FOLDER"),
        (["--dags-folder", "."], "nothing says where Airflow is", "MLOPS_AIRFLOW_URL"),
        (["--dags-folder", "no/such", "--no-run"], "there is no DAG folder", "dags_folder"),
        (["--release", "9.9.9", "--dry-run"], "holds no dev release '9.9.9'", "releases there: 1.0.0"),
        (["--airflow", "ftp://x", "--dags-folder", "."], "is no address of an Airflow", "mwaa://"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(
    tree: Tree, words: list[str], message: str, hint: str
) -> None:
    said = tree.deploy(*words, code=2).err
    assert message in said
    assert hint in said


def test_an_environment_without_a_release_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--project", "city-taxi", "--model", "trip-fare", "--root", str(tmp_path), "--dry-run"]
    assert main(["deploy", "--environment", "staging", *words]) == 2
    assert "mlops-config release --environment staging" in capsys.readouterr().err


def test_a_bundle_that_is_not_what_the_record_says_is_not_deployed(tree: Tree) -> None:
    (path,) = (tree.folder / ".mlops-config" / "store").rglob("dev_training_config.yaml")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"random_seed: ", b"random_seed: 9"))
    said = tree.deploy("--no-run", "--dags-folder", str(tree.dags), code=4)
    assert "dev_training_config.yaml" in said.err
    assert not list(tree.dags.iterdir())


def test_a_bundle_that_is_gone_is_not_deployed(tree: Tree) -> None:
    for path in (tree.folder / ".mlops-config" / "store").rglob("manifest.json"):
        path.unlink()
    assert "not its bundle" in tree.deploy("--dry-run", code=4).err


def test_a_pointer_to_another_digest_than_the_record_has_is_refused(tree: Tree) -> None:
    (path,) = (tree.folder / ".mlops-config" / "store").rglob("current.json")
    path.write_text(path.read_text().replace(FIRST.bundle.digest, f"sha256:{'0' * 64}"))
    assert "but that release is of" in tree.deploy("--dry-run", code=4).err


def test_the_notes_keep_what_runs_whenever_they_are_written_again(
    command: Command, repository: Repository
) -> None:
    assert command("release", "--environment", "dev").returncode == 0
    folder = repository.folder / ".mlops-config" / "dev"
    run = DagRunRecord(
        job="training",
        dag_id="city-taxi.trip-fare.dev.training",
        run_id="deploy__dev__1",
        state="success",
        because="this is the first deployment",
    )
    activation = ActivationRecord(
        activated_at=datetime(2026, 11, 22, tzinfo=UTC),
        airflow="https://airflow.example",
        dags_folder="s3://dags",
        dag_runs=(run,),
    )
    record = read_record(folder / "release.json").model_copy(update={"activation": activation})
    (folder / "release.json").write_bytes(record.to_json())
    assert command("verify", "--environment", "dev").returncode == 0
    for words in (("notes",), ("publish",), ("release",)):
        finished = command(*words, "--environment", "dev")
        assert finished.returncode == 0, finished.stderr
        assert read_record(folder / "release.json") == record
    assert "`deploy__dev__1`" in (folder / "notes.md").read_text()
    assert b"activation" not in b"".join(
        path.read_bytes() for path in (repository.folder / ".mlops-config" / "store").rglob("*.json")
    )


@pytest.mark.parametrize("seconds", ["soon", "0", "-5", "inf", "nan"])
def test_a_time_that_is_none_is_refused(tree: Tree, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        tree.deploy("--timeout", seconds)
    assert "is no number of seconds" in capsys.readouterr().err
