"""What is found in DAG files: each kind in a file that has it, and nothing in ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_config.airflow.lint import Parsed, judged
from tests.airflow.inside.deployed import dag_folder, deployment

DAG = "from airflow.sdk import DAG\n"
BAD = {
    "broken": f"{DAG}import nothing_of_this_name\n",
    "no_dag": f"{DAG}dags = []\n",
    "reads": f'{DAG}open("/etc/hostname").close()\nDAG("reads")\nreads = DAG("reads")\n',
    "writes": f'{DAG}open(__file__ + ".txt", "w").close()\nwrites = DAG("writes")\n',
    "connects": f"{DAG}import socket\ntry:\n    socket.create_connection(('127.0.0.1', 9))\n"
    'except OSError:\n    pass\nconnects = DAG("connects")\n',
    "starts": f'{DAG}import subprocess\nsubprocess.run(["true"])\nstarts = DAG("starts")\n',
    "asks_database": f"{DAG}import sqlite3\nsqlite3.connect(':memory:').close()\n"
    'asks_database = DAG("asks_database")\n',
    "variable": f"from airflow.sdk import Variable\n{DAG}"
    'Variable.get("region")\nvariable = DAG("variable")\n',
    "connection": f"from airflow.sdk import BaseHook\n{DAG}"
    'BaseHook.get_connection("mlops_prod")\nconnection = DAG("connection")\n',
    "unstable": f'{DAG}names = {{"a", "b", "c", "d", "e", "f", "g", "h"}}\n'
    'unstable = DAG("unstable", doc_md=" ".join(names))\n',
    "twin_one": f'{DAG}twin = DAG("twin")\n',
    "twin_two": f'{DAG}twin = DAG("twin")\n',
    "ends": f'{DAG}import os\nos._exit(3)\nends = DAG("ends")\n',
    "settings": f'{DAG}import os\nsettings = DAG("settings", tags=[os.environ.get("TZ", "-")])\n',
    "beside": f'{DAG}from pathlib import Path\nPath(__file__).with_name("rows.csv").read_text()\n'
    'beside = DAG("beside")\n',
}


def lint(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mlops_config.airflow.lint", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is said of each seeded file and of ours, all looked at in one call."""
    folder = tmp_path_factory.mktemp("lint")
    ours = dag_folder(folder / "ours", deployment("dev", max_parts=2, bake_seconds=60.0))
    for name, text in BAD.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "rows.csv").write_text("a\n1\n")
    done = lint("--most-seconds", "1e9", folder)
    assert done.returncode == 1, done.stderr
    said: dict[str, list[str]] = {name: [] for name in (*BAD, *(path.stem for path in ours.glob("*.py")))}
    for line in done.stdout.splitlines():
        file, _, message = line.partition(": ")
        said[Path(file).stem].append(message)
    said["summary"] = done.stderr.splitlines()[-1:]
    return said


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("broken", "import", "No module named 'nothing_of_this_name'"),
        ("no_dag", "no-dag", "has no DAG"),
        ("reads", "io", "reads /etc/hostname while it is imported"),
        ("writes", "io", "writes "),
        ("connects", "io", "connects to ('127.0.0.1', 9)"),
        ("starts", "io", "starts a process"),
        ("asks_database", "io", "opens the database :memory:"),
        ("variable", "secret", "asks for the Variable region"),
        ("connection", "secret", "asks for the Connection mlops_prod"),
        ("unstable", "unstable", "unstable differs between two parses at dag.doc_md"),
        ("twin_two", "duplicate", "has twin, which "),
        ("ends", "import", "ends the process"),
    ],
)
def test_a_fault_is_found(found: dict[str, list[str]], name: str, code: str, words: str) -> None:
    assert found[name], "nothing was found"
    assert any(message.startswith(f"{code}: ") and words in message for message in found[name]), found[name]
    assert {message.partition(":")[0] for message in found[name]} == {code}


@pytest.mark.parametrize("name", ["settings", "beside", "twin_one"])
def test_what_is_fine_is_not_found(found: dict[str, list[str]], name: str) -> None:
    assert found[name] == []


@pytest.mark.parametrize("name", ["training", "inference", "monitoring", "retraining", "deployments"])
def test_our_dag_files_are_fine(found: dict[str, list[str]], name: str) -> None:
    assert found[f"{name}_dag"] == []


def test_the_summary_counts_files_and_dags(found: dict[str, list[str]]) -> None:
    assert found["summary"][0].startswith(f"{len(BAD) + 5} files, ")


def test_a_file_that_takes_too_long_is_found() -> None:
    empty, fast, slow = (Parsed(seconds, dags={"a": {}}) for seconds in (0.01, 1.9, 2.1))
    first = {"": empty, "one.py": slow, "two.py": slow._replace(dags={"b": {}})}
    report = judged(first, {**first, "two.py": fast._replace(dags={"b": {}})}, most_seconds=2.0)
    assert [(each.file, each.code) for each in report.findings] == [("one.py", "slow")]
    assert report.seconds == {"one.py": 2.1, "two.py": 1.9}


def test_no_file_is_wrong_usage(tmp_path: Path) -> None:
    done = lint(tmp_path / "dags")
    assert (done.returncode, done.stdout) == (2, "")
    assert "not found" in done.stderr


def test_each_release_is_one_version_of_a_dag() -> None:
    """Nothing but tags and documentation tell it from the last one's."""
    from mlops_config.airflow.dags import dag_of
    from tests.airflow.inside.deployed import serialized

    release = {"release": "1.3.0", "config_digest": f"sha256:{'ef' * 32}", "commit": "e" * 40}
    for name in ("training", "inference", "monitoring", "retraining"):
        one = serialized(dag_of(name, deployment("dev", max_parts=2)))
        same = serialized(dag_of(name, deployment("dev", max_parts=2)))
        other = serialized(dag_of(name, deployment("dev", max_parts=2, **release)))
        assert json.dumps(one) == json.dumps(same)
        changed = {key for key in one if one[key] != other[key]}
        # A mapped task carries what it is unmapped with, the deployment among it.
        assert changed == {"tags", "doc_md"} | ({"tasks"} if name == "inference" else set())
