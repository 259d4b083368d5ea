"""A job on the worker: its command, its environment, its outcome, and what its exit code means."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import DAG, Asset

from mlops_config.airflow.operators import verify_operator
from mlops_config.bundle.bundle import Bundle
from mlops_config.kinds import Kind
from mlops_config.orchestration.deployment import Deployment, JobDeployment
from tests.airflow.inside.deployed import DIGEST, IMAGE, deployment, job
from tests.airflow.inside.operators.running import (
    RUN_ID,
    connection,
    context_of,
    entry_point,
    extra_of,
    pin,
    run,
    task_of,
)

HOSTILE = [
    "'; touch owned; '",
    '"; touch owned; "',
    "$(touch owned)",
    "`touch owned`",
    "a\nb",
    "{{ ti }}",
    "{% raw %}",
    "*",
    "~",
    "",
    "ends.sh",
    "\\",
    "ü\u2028",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of entry points, named by dev's Connection."""
    entry_point(tmp_path / "app")
    connection(monkeypatch, tmp_path / "app")
    return tmp_path / "app"


def test_the_command_is_what_a_person_would_type() -> None:
    template = task_of(deployment()).bash_command
    assert " monitoring_main.py --config " in template
    assert " --format jsonl" in template


@pytest.mark.usefixtures("folder")
def test_the_rendered_command_names_the_pins_own_file() -> None:
    task = task_of(deployment())
    context = context_of(task, pin("/bundles/ab"))
    task.render_template_fields(context, task.dag.get_template_env())
    config = "/bundles/ab/dev_monitoring_config.yaml"
    assert task.bash_command == f"{sys.executable} monitoring_main.py --config {config} --format jsonl"


@pytest.mark.parametrize("word", HOSTILE)
def test_whatever_a_parameter_says_is_one_word_to_the_job(folder: Path, word: str) -> None:
    task = task_of(deployment(), arguments=lambda _context: ["--manual", word], part=word)
    outcome = run(task, pin(folder / "it's here"))
    config = f"{folder}/it's here/dev_monitoring_config.yaml"
    assert outcome["argv"] == ["--config", config, "--format", "jsonl", "--manual", word, f"--part={word}"]
    assert not (folder / "owned").exists()


def test_a_word_no_command_can_have_runs_nothing(folder: Path) -> None:
    with pytest.raises(AirflowFailException, match="no word of a command, so nothing was run"):
        run(task_of(deployment(), arguments=["a\0b"]), pin(folder))


def test_arguments_are_made_of_the_context_when_it_runs(folder: Path) -> None:
    task = task_of(deployment(), arguments=lambda context: [context["run_id"]])
    assert run(task, pin(folder))["argv"][-1] == RUN_ID


def test_verbs_run_as_the_package() -> None:
    template = task_of(deployment(), words=("promote",), arguments=["--if-allowed"]).bash_command
    assert shlex.split(template.partition("}}")[2])[:3] == ["-m", "mlops_config", "promote"]


def test_the_job_is_told_what_it_belongs_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(
        monkeypatch, folder, variables={"MLOPS_STORE": "s3://a", "MLOPS_RELEASE": "none of its business"}
    )
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    environment = run(task_of(deployment()), pin("/bundles/ab"))["environment"]
    told = {name: value for name, value in environment.items() if name.startswith("MLOPS_")}
    assert told == {
        "MLOPS_STORE": "s3://a",
        "MLOPS_ENVIRONMENT": "dev",
        "MLOPS_CONFIG_DIR": "/bundles/ab",
        "MLOPS_CONFIG_DIGEST": DIGEST,
        "MLOPS_RELEASE": "1.1.0",
        "MLOPS_COMMIT": "e" * 40,
        "MLOPS_IMAGE": IMAGE,
        "MLOPS_IMAGE_DIGEST": IMAGE.partition("@")[2],
        "MLOPS_DAG_RUN": f"fares.trip-fare.dev.monitoring/{RUN_ID}",
    }
    assert not any(name.startswith("AIRFLOW__") for name in environment)


def test_it_runs_in_the_entry_points_folder_and_with_the_root_it_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, folder, root="/srv/x y")
    outcome = run(task_of(deployment()), pin(folder))
    assert outcome["folder"] == str(folder.resolve())
    assert outcome["argv"][-2:] == ["--root", "/srv/x y"]


def test_nothing_of_the_environment_is_rendered() -> None:
    assert set(task_of(deployment()).template_fields) == {"bash_command"}


def test_the_last_line_of_output_is_the_outcome_whatever_is_said_beside_it(folder: Path) -> None:
    entry_point(
        folder,
        """\
        import sys
        print('{"f1": 0.5, "odd": NaN}', flush=True)
        print("a warning at the end", file=sys.stderr)
        """,
    )
    assert run(task_of(deployment()), pin(folder)) == {"f1": 0.5, "odd": "NaN"}


def test_a_job_that_gives_no_outcome_fails_at_once(folder: Path) -> None:
    entry_point(folder, "print('done')")
    with pytest.raises(AirflowFailException, match="gave no outcome"):
        run(task_of(deployment()), pin(folder))


def test_an_assets_event_says_what_came_of_it_and_with_what_it_was_made(folder: Path) -> None:
    entry_point(folder, 'print(\'{"drifted": true, "windows": [1, 2], "score": 0.25, "reason": null}\')')
    asset = Asset("x-mlops://dev/fares/trip-fare/drift-report")
    task = task_of(deployment(), outlets=[asset])
    context = context_of(task, pin(folder))
    run(task, None, context)
    assert extra_of(context, asset) == {
        "drifted": True,
        "score": 0.25,
        "environment": "dev",
        "config_digest": DIGEST,
        "release": "1.1.0",
        "dag_run": f"fares.trip-fare.dev.monitoring/{RUN_ID}",
    }


def test_who_asked_is_given_the_outcome_and_the_context(folder: Path) -> None:
    told: list[Any] = []
    task = task_of(deployment(), on_outcome=lambda outcome, context: told.append((outcome, context)))
    context = context_of(task, pin(folder))
    outcome = run(task, None, context)
    assert told == [(outcome, context)]


@pytest.mark.parametrize("code", [1, 2, 4])
def test_what_another_try_does_not_change_fails_at_once_with_the_jobs_own_sentence(
    folder: Path, code: int
) -> None:
    entry_point(
        folder,
        f"""\
        import sys
        print("error: the digest is another one", file=sys.stderr)
        print(" hint: deploy again", file=sys.stderr)
        print("something after it", file=sys.stderr)
        sys.exit({code})
        """,
    )
    sentence = f"task ended with exit code {code}: the digest is another one; hint: deploy again"
    with pytest.raises(AirflowFailException, match=sentence):
        run(task_of(deployment()), pin(folder))


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("sys.exit(3)", "ended with exit code 3: no answer"),
        ("sys.exit(130)", "ended with exit code 130: no answer"),
        ("os.kill(os.getpid(), 15)", "was ended by SIGTERM: no answer"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL: no answer"),
    ],
)
def test_what_may_pass_is_left_to_airflows_retries(folder: Path, end: str, said: str) -> None:
    source = f"import os, sys; print('error: no answer', file=sys.stderr, flush=True); {end}"
    entry_point(folder, source)
    with pytest.raises(AirflowException, match=said) as caught:
        run(task_of(deployment()), pin(folder))
    assert not isinstance(caught.value, AirflowFailException)


def test_a_python_that_is_not_there_fails_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, folder, python="/no/such/python")
    with pytest.raises(AirflowFailException, match=r"127: .*No such file"):
        run(task_of(deployment()), pin(folder))


def test_a_folder_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, folder / "nowhere")
    with pytest.raises(AirflowFailException, match=r"nowhere on this worker.*write .entrypoints."):
        run(task_of(deployment()), pin(folder))


def test_no_secret_reaches_the_log_or_the_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, folder, variables={"MLOPS_SECRET_X": "abc", "DB_PASSWORD": "hunter22"})
    entry_point(
        folder,
        """\
        import os, sys
        print("it is", os.environ["MLOPS_SECRET_X"], flush=True)
        print("error: refused", os.environ["DB_PASSWORD"], file=sys.stderr)
        sys.exit(3)
        """,
    )
    task, logged = task_of(deployment()), []
    monkeypatch.setattr(type(task), "log", Log(logged))
    with pytest.raises(AirflowException, match=r"error|refused \*\*\*"):
        run(task, pin(folder))
    assert "it is ***" in logged
    assert not [line for line in logged if "hunter22" in line or "abc" in line]


class Log:
    """A logger that keeps what it is told."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def info(self, text: str, *values: object) -> None:
        self._lines.append(text % values)

    warning = error = info


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (None, "this run has no pin"),
        ("1.2.0", "is no pin"),
        ({"release": "1"}, "is no pin"),
        (pin("/x", config_digest="sha256:ab"), "is no pin"),
        (pin(""), "is no pin"),
    ],
)
def test_without_a_pin_nothing_runs(broken: Any, sentence: str) -> None:
    with pytest.raises(AirflowFailException, match=f"{sentence}.*clear the task 'verify'"):
        run(task_of(deployment()), broken)


@pytest.fixture
def deployed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Deployment, Path]:
    """A deployment whose bundle lies where it belongs, and that bundle's folder."""
    bundle = Bundle.of("fares", "trip-fare", "dev", {kind: f"# {kind}\n".encode() for kind in Kind})
    monkeypatch.setenv("MLOPS_DEPLOYMENTS", str(tmp_path / "mlops"))
    connection(monkeypatch, folder)
    given = deployment(config_digest=bundle.digest)
    home = tmp_path / "mlops" / "fares" / "trip-fare" / "dev" / given.bundle_folder
    home.mkdir(parents=True)
    for name, data in bundle.contents().items():
        (home / name).write_bytes(data)
    return given, home


def verify_of(given: Deployment) -> Any:
    """The task that the monitoring DAG begins with."""
    with DAG("fares.trip-fare.dev.monitoring", schedule=None):
        return verify_operator(given, "monitoring")


def test_the_pin_is_the_deployments_once_its_bundle_is_proven(deployed: tuple[Deployment, Path]) -> None:
    given, home = deployed
    assert run(verify_of(given), None) == {
        "release": "1.2.0",
        "config_digest": given.config_digest,
        "config_dir": str(home),
        "image": IMAGE,
        "commit": "f" * 40,
    }


def test_a_bundle_that_was_touched_ends_the_run_at_once(deployed: tuple[Deployment, Path]) -> None:
    given, home = deployed
    (home / "dev_monitoring_config.yaml").write_text("# monitorinG\n")
    with pytest.raises(AirflowFailException, match=r"exit code 4: .*dev_monitoring_config\.yaml"):
        run(verify_of(given), None)


def test_another_bundle_than_the_deployments_ends_the_run_at_once(
    deployed: tuple[Deployment, Path],
) -> None:
    given, home = deployed
    other = given._replace(config_digest=f"sha256:{'0' * 64}")
    home.rename(home.with_name("0" * 64))
    with pytest.raises(AirflowFailException, match="exit code 4"):
        run(verify_of(other), None)


@pytest.mark.usefixtures("folder")
def test_later_tasks_obey_the_pin_and_not_a_newer_deployment() -> None:
    newer = deployment(release="2.0.0", config_digest=f"sha256:{'9' * 64}", image=None)
    outcome = run(task_of(newer), pin("/bundles/ab"))
    assert outcome["argv"][1].startswith("/bundles/ab/")
    assert outcome["environment"]["MLOPS_CONFIG_DIGEST"] == DIGEST
    assert outcome["environment"]["MLOPS_RELEASE"] == "1.1.0"
    assert outcome["environment"]["MLOPS_IMAGE"] == IMAGE


def test_a_task_tries_as_often_and_as_long_as_the_jobs_file_says() -> None:
    jobs = {
        "monitoring": JobDeployment(
            "dev_monitoring_config.yaml",
            retries=7,
            retry_delay_seconds=10,
            timeout_seconds=60,
            pool="gpu",
            queue="big",
        )
    }
    task = task_of(deployment(jobs=jobs))
    assert (task.retries, task.retry_delay.total_seconds(), task.pool, task.queue) == (7, 10, "gpu", "big")
    assert task.execution_timeout.total_seconds() == 60
    assert task.max_retry_delay.total_seconds() == 86_400
    assert task.owner == "team@example.com"
    # Version 3.1 has a flag, later ones a factor: one of these is 1 and does nothing in its version.
    assert task.retry_exponential_backoff is True or task.retry_exponential_backoff == 2.0


def test_an_option_of_the_dag_comes_before_the_jobs_file() -> None:
    task = task_of(deployment(jobs={"monitoring": job("dev", "monitoring", retries=7)}), retries=0)
    assert task.retries == 0
