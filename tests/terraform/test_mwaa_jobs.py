"""The jobs on Amazon MWAA's workers: the startup script that Terraform makes, and a job's Python, are run."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.sagemaker import REGION
from tests.services.terraform import Workspace
from tests.terraform.standin import Environment

ROOT = Path(__file__).resolve().parents[2]
HOME = "/usr/local/airflow/mlops-jobs"
"""Where workers have the jobs' environment."""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


@dataclass(frozen=True)
class Worker:
    """A worker before it starts: what MWAA gives it, and the script."""

    script: str
    home: Path
    variables: Mapping[str, str]

    def start(self, component: str, *, then: str = "true") -> "subprocess.CompletedProcess[str]":
        """Runs the script as MWAA does, in a shell of its own, and ``then`` in the same shell."""
        return subprocess.run(
            ["bash", "-c", f"{self.script}\n{then}"],
            env={**self.variables, "MWAA_AIRFLOW_COMPONENT": component},
            capture_output=True,
            text=True,
            check=False,
        )

    def job(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs a job's Python; this package is the checkout's, boto3 the tests' own."""
        ours = os.pathsep.join(
            [str(ROOT / "src"), *(each for each in sys.path if each.endswith("site-packages"))]
        )
        return subprocess.run(
            [str(self.home / "bin/python-with-secrets"), *words],
            env={**self.variables, "PYTHONPATH": ours, **variables},
            cwd=self.home / "app",
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index without a network: what the jobs' lock names, and a wheel under this package's name."""
    folder = tmp_path_factory.mktemp("wheels")
    for name, version in (("locked", "1.0"), ("mlops_config_action", "1.0.0")):
        metadata = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(
                f"{metadata}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            wheel.writestr(
                f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{metadata}/RECORD", "")
    digest = hashlib.sha256((folder / "locked-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (folder / "jobs.txt").write_text(f"locked==1.0 --hash=sha256:{digest}\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def planned(
    initialised: Callable[[str], Path],
    terraform: Path,
    standin_mirror: Environment,
    wheels: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Any]:
    """What a plan of the module will make, by address."""
    folder = tmp_path_factory.mktemp("planned")
    workspace = Workspace(
        initialised("modules/airflow/aws"), terraform, standin_mirror.with_cloud(folder / "cloud")
    )
    values = {
        "name": "fares-prod",
        "environment": "prod",
        "config_path": "configs/prod/",
        "config_digest": f"sha256:{'a' * 64}",
        "release": "1.2.0",
        "subnet_ids": json.dumps(["subnet-0a", "subnet-0b"]),
        "security_group_ids": json.dumps(["sg-0a"]),
        "store_uri": "s3://acme-releases",
        "secrets": json.dumps(["chat-fares", "pager"]),
        "dag_source": str(ROOT / "dags"),
        "jobs": json.dumps({"requirements": str(wheels / "jobs.txt")}),
    }
    given = {f"TF_VAR_{name}": value for name, value in values.items()}
    plan = folder / "plan"
    workspace.done("plan", "-input=false", f"-out={plan}", **given, AWS_REGION=REGION)
    document = json.loads(workspace.done("show", "-json", str(plan)))
    return {
        each["address"]: each["values"] for each in document["planned_values"]["root_module"]["resources"]
    }


@pytest.fixture(scope="module")
def aws(sagemaker_server: str) -> Callable[[str], Any]:
    """Clients of a server that has S3 and Secrets Manager too."""
    import boto3

    session: Any = boto3.session.Session("test", "test", region_name=REGION)
    return lambda service: session.client(service, endpoint_url=sagemaker_server)


@pytest.fixture(scope="module")
def bucket(planned: Mapping[str, Any], aws: Callable[[str], Any]) -> Iterator[None]:
    """What Terraform puts there for the script."""
    s3 = aws("s3")
    jobs = planned["aws_s3_object.jobs[0]"]
    s3.create_bucket(Bucket=jobs["bucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=jobs["bucket"], Key=jobs["key"], Body=Path(jobs["source"]).read_bytes())
    yield
    s3.delete_object(Bucket=jobs["bucket"], Key=jobs["key"])
    s3.delete_bucket(Bucket=jobs["bucket"])


def _worker(planned: Mapping[str, Any], server: str, wheels: Path, home: Path) -> Worker:
    script = planned["aws_s3_object.startup[0]"]["content"]
    assert script.count(HOME) == 1
    variables = {
        **KEYS,
        "AWS_ENDPOINT_URL": server,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home.parent),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "no_proxy": "*",
    }
    return Worker(script.replace(HOME, str(home)), home, variables)


@pytest.fixture(scope="module")
def started(
    planned: Mapping[str, Any],
    bucket: None,  # noqa: ARG001 the script reads from it
    sagemaker_server: str,
    wheels: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Worker:
    """A worker after its start."""
    worker = _worker(planned, sagemaker_server, wheels, tmp_path_factory.mktemp("worker") / "jobs")
    ended = worker.start("worker", then="compgen -v | grep ^JOBS_; declare -F")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (
        ended.stdout == f"the jobs' environment is in {worker.home}\n"
    )  # and it leaves nothing behind in the shell
    return worker


def test_a_job_runs_in_the_environment_that_the_lock_describes(started: Worker) -> None:
    ended = started.job("training_main.py", "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "run training" in ended.stdout
    installed = started.job(
        "-c", "import locked, mlops_config_action, sys; print(sys.executable, sys.argv[1:])", "a b"
    )
    assert installed.stdout == f"{started.home / 'bin/python'} ['a b']\n"


def test_each_job_has_its_entry_point(started: Worker) -> None:
    assert sorted(path.name for path in (started.home / "app").glob("*.py")) == sorted(
        path.name for path in (ROOT / "docker").glob("*_main.py")
    )


def test_a_job_gets_its_secrets_as_the_connection_says(
    started: Worker, planned: Mapping[str, Any], aws: Callable[[str], Any]
) -> None:
    manager = aws("secretsmanager")
    connection = json.loads(planned["aws_secretsmanager_secret_version.connection"]["secret_string"])["extra"]
    assert connection["python"] == f"{HOME}/bin/python-with-secrets"
    made = [
        planned[f'aws_secretsmanager_secret.filled_by_people["{name}"]']["name"]
        for name in ("chat-fares", "pager")
    ]
    try:
        for name in made:
            manager.create_secret(Name=name)
        manager.put_secret_value(SecretId=made[0], SecretString="swordfish")
        ended = started.job(
            "-c",
            "import os; print({key: value for key, value in os.environ.items() if key.startswith('MLOPS_')})",
            MLOPS_LOOKED_UP=connection["variables"]["MLOPS_LOOKED_UP"],
        )
    finally:
        for name in made:
            manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert ended.stdout == "{'MLOPS_SECRET_CHAT_FARES': 'swordfish'}\n", ended.stderr
    assert (
        ended.stderr
        == "the secret airflow/secrets/prod/pager has no value yet: MLOPS_SECRET_PAGER is not set\n"
    )


def test_what_is_set_is_not_looked_up(started: Worker) -> None:
    ended = started.job(
        "-c",
        "import os; print(os.environ['MLOPS_SECRET_X'])",
        MLOPS_LOOKED_UP='{"MLOPS_SECRET_X": "nothing-of-that-name"}',
        MLOPS_SECRET_X="given",
    )
    assert (ended.stdout, ended.stderr) == ("given\n", "")


def test_the_script_carries_the_python_that_lies_beside_it(planned: Mapping[str, Any]) -> None:
    source = (ROOT / "terraform/modules/airflow/aws/files/python.py").read_bytes()
    assert base64.b64encode(source).decode() in planned["aws_s3_object.startup[0]"]["content"]


@pytest.mark.parametrize("component", ["scheduler", "webserver"])
def test_what_runs_no_jobs_makes_nothing(
    planned: Mapping[str, Any], sagemaker_server: str, wheels: Path, tmp_path: Path, component: str
) -> None:
    worker = _worker(planned, sagemaker_server, wheels, tmp_path / "jobs")
    ended = worker.start(component)
    assert (ended.returncode, ended.stdout, ended.stderr, worker.home.exists()) == (0, "", "", False)


def test_airflow_starts_though_the_environment_cannot_be_made(
    planned: Mapping[str, Any], sagemaker_server: str, wheels: Path, tmp_path: Path
) -> None:
    worker = _worker(planned, sagemaker_server, wheels, tmp_path / "jobs")
    elsewhere = Worker(
        worker.script.replace("JOBS_BUCKET='", "JOBS_BUCKET='no-"), worker.home, worker.variables
    )
    ended = elsewhere.start("worker")
    assert ended.returncode == 0
    assert ended.stderr.endswith("the jobs' environment could not be made; jobs on this worker will fail\n")
    assert not (worker.home / "bin/python-with-secrets").exists()
