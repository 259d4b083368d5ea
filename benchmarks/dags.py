"""How long Airflow takes to parse the DAG files: against an empty DAG, and with 1,000 projects.

The goals: at most 1.2 times an empty DAG's file, and 1,000 projects within Airflow's default limits.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from timing import table, time_processes

from mlops_config.orchestration.deployment import JOBS, Deployment, JobDeployment, key_of

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".cache" / "airflow" / "3.3" / "bin" / "python"
BASELINE = "a file with an empty DAG"
ONE_TASK = "a file with a DAG of one BashOperator"
PROJECTS = 1_000
FILES = {
    BASELINE: 'from airflow.sdk import DAG\n\nempty = DAG("empty")\n',
    ONE_TASK: (
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        "from airflow.sdk import DAG\n\n"
        'with DAG("one") as one:\n    BashOperator(task_id="run", bash_command="true")\n'
    ),
}


def deployment(number: int) -> Deployment:
    """Monitoring each hour, a batch each day in parts, retraining with a bake: every task there is."""
    crons = {"inference": "0 6 * * *", "monitoring": f"{number % 60} * * * *"}
    jobs = {
        name: JobDeployment(f"prod_{name}_config.yaml", cron=crons.get(name), timezone="Europe/Berlin")
        for name in JOBS
    }
    return Deployment(
        project=f"project-{number:04d}",
        model_name="trip-fare",
        environment="prod",
        owner="team@example.com",
        labels={},
        release="1.2.0",
        commit="f" * 40,
        config_digest=f"sha256:{number:064x}",
        image=None,
        jobs=jobs,
        max_parts=4,
        bake_seconds=600.0,
    )


def folder_with(folder: Path, projects: int) -> Path:
    """The repository's DAG files with so many deployments, and the files they are compared with."""
    shutil.copytree(ROOT / "dags", folder)
    (folder / "deployments_dag.py").unlink()
    for number, text in enumerate(FILES.values()):
        (folder / f"{number}.py").write_text(text)
    for number in range(projects):
        given = deployment(number)
        path = folder / "mlops" / key_of(given.project, given.model_name, given.environment)
        path.parent.mkdir(parents=True)
        path.write_bytes(given.to_json())
    return folder


def names_of(folder: Path) -> dict[str, Path]:
    """What the rows are called, and their files."""
    compared = {label: folder / f"{number}.py" for number, label in enumerate(FILES)}
    return {**compared, **{f"**`{name}_dag.py`**": folder / f"{name}_dag.py" for name in JOBS}}


class Parse(NamedTuple):
    """What parsing a file takes in a forked process that has Airflow loaded, serialisation too."""

    seconds: float
    cpu_seconds: float
    dags: int


def in_the_processor(folder: Path, rounds: int) -> dict[str, Parse]:
    """By label: a parse, the median of so many."""
    files = names_of(folder)
    taken: dict[str, list[Parse]] = {label: [] for label in files}
    for _ in range(rounds):
        done = subprocess.run(
            [PYTHON, "-m", "mlops_config.airflow.importing", *files.values()],
            capture_output=True,
            text=True,
            check=True,
        )
        documents: dict[str, Any] = {
            document["file"]: document for document in map(json.loads, done.stdout.splitlines())
        }
        for label, file in files.items():
            found = documents[str(file)]
            if found["errors"]:
                raise RuntimeError(f"{file}: {found['errors']}")
            taken[label].append(Parse(found["seconds"], found["cpu_seconds"], len(found["dags"])))
    return {
        label: Parse(*map(statistics.median, zip(*parses, strict=True))) for label, parses in taken.items()
    }


def measure(rounds: int = 5) -> str:
    """The Markdown section with the tables."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {
            "AIRFLOW_HOME": scratch,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # On a busy machine a limit in seconds of the clock would end the measurement.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0",
        }
        one = folder_with(Path(scratch) / "one", 1)
        commands = {label: [[str(PYTHON), str(file)]] for label, file in names_of(one).items()}
        processes = time_processes(commands, rounds=rounds, cwd=ROOT, quiet=True)
        small = in_the_processor(one, rounds)
        many = in_the_processor(folder_with(Path(scratch) / "many", PROJECTS), 1)
    return (
        "## Parsing DAG files\n\n"
        "Airflow 3.3. One deployment; whole processes, `python FILE`, as Airflow's guide to faster DAG files "
        f"measures. The goal is at most 1.2 times the baseline.\n\n{table(processes, baseline=BASELINE)}\n\n"
        f"Median of {rounds} rounds in turns.\n\n"
        "For each parse the DAG processor forks a process that has Airflow loaded. What remains is the "
        "file's own: its imports, making the DAGs, checking and serialising them. A file's limits are 30 s "
        f"for its import and 50 s for all, by default. {PROJECTS:,} projects are {4 * PROJECTS:,} DAGs.\n\n"
        f"{_table(small, many)}\n"
    )


def _table(small: dict[str, Parse], many: dict[str, Parse]) -> str:
    rows = [
        f"| what | 1 project (ms) | CPU (ms) | {PROJECTS:,} projects (s) | CPU (s) | CPU for a DAG (ms) |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for label, one in small.items():
        all_of_them = many[label]
        each = all_of_them.cpu_seconds / all_of_them.dags * 1000
        large = f"{all_of_them.seconds:.2f} | {all_of_them.cpu_seconds:.2f} | {each:.1f}"
        if all_of_them.dags == 1:
            large = " | | "
        rows.append(f"| {label} | {one.seconds * 1000:.1f} | {one.cpu_seconds * 1000:.1f} | {large} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(measure())
