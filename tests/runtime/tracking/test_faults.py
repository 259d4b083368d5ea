"""MLflow away, refusing, dying in the middle, or with a broken database: one sentence, nothing half-made."""

import errno
import re
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlops_config.errors import IntegrityError, MlopsConfigError, ServiceError, UsageError
from mlops_config.retrying import Retries
from mlops_config.runtime.tracking import recording, sqlite
from mlops_config.runtime.tracking.failures import without_credentials
from mlops_config.runtime.tracking.mlflow import MlflowRegistry, from_environment
from tests.runtime.tracking import models
from tests.services.flaky_proxy import ALWAYS, Answer, CutShort, Drop, FlakyProxy, flaky_proxy
from tests.services.processes import free_port

PACKAGE = models.package()
NO_WAIT = Retries(tries=3, sleep=lambda _seconds: None)


@pytest.fixture
def proxy(mlflow_server: str) -> Iterator[FlakyProxy]:
    with flaky_proxy(mlflow_server.removeprefix("http://")) as running:
        yield running


@pytest.fixture
def name() -> str:
    return f"faulty-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def behind(proxy: FlakyProxy) -> MlflowRegistry:
    """The server, seen through the proxy."""
    return MlflowRegistry(f"http://{proxy.host}", retries=NO_WAIT)


def record(registry: MlflowRegistry, name: str) -> Any:
    return registry.record(models.run(name), PACKAGE, registered_model_name=name)


def runs(uri: str, experiment: str) -> list[Any]:
    from mlflow.tracking.client import MlflowClient

    client = MlflowClient(uri, uri)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id])) if found else []


def to(step: str) -> Callable[[str, str], bool]:
    """Picks the requests of a step."""
    return lambda method, path: re.fullmatch(STEPS[step], f"{method} {path}") is not None


STEPS = {
    "start": r"POST .*/runs/create",
    "make model": r"POST .*/logged-models",
    "store model": r"PUT .*/mlflow-artifacts/.*",
    "log": r"POST .*/runs/log-batch",
    "link": r"POST .*/runs/outputs",
    "finish": r"POST .*/runs/update",
    "name": r"POST .*/registered-models/create",
    "register": r"POST .*/model-versions/create",
}
"""The requests of a recording that change something, in their order but for the documents."""
LOST = Drop(delivered=True)
LOST_ONCE = [(step, LOST) for step in STEPS] + [
    (step, fault) for step in ("start", "register") for fault in (CutShort(), Answer(503))
]


@pytest.mark.parametrize("step", STEPS)
def test_a_server_that_dies_at_a_step_leaves_no_version(
    step: str, behind: MlflowRegistry, proxy: FlakyProxy, mlflow_server: str, name: str
) -> None:
    dead = False

    def from_then_on(method: str, path: str) -> bool:
        nonlocal dead
        dead = dead or to(step)(method, path)
        return dead

    proxy.fail(Drop(), times=ALWAYS, when=from_then_on)
    with pytest.raises(
        ServiceError, match=r"failed: no answer from http://127\.0\.0\.1:\d+: .*\(tried 3 times"
    ):
        record(behind, name)

    healthy = MlflowRegistry(mlflow_server)
    assert healthy.versions(name) == ()
    proxy.heal()
    assert record(behind, name).version == 1


@pytest.mark.parametrize("step", ["start", "store model", "finish", "register"])
def test_a_step_that_is_refused_leaves_no_version_and_a_failed_run(
    step: str, behind: MlflowRegistry, proxy: FlakyProxy, mlflow_server: str, name: str
) -> None:
    refusal = Answer(
        400, {"Content-Type": "application/json"}, b'{"error_code": "BAD_REQUEST", "message": "no"}'
    )
    proxy.fail(refusal, when=to(step))
    with pytest.raises(ServiceError, match="failed: "):
        record(behind, name)

    assert MlflowRegistry(mlflow_server).versions(name) == ()
    assert [run.info.status for run in runs(mlflow_server, name)] == ([] if step == "start" else ["FAILED"])


@pytest.mark.parametrize(("step", "fault"), LOST_ONCE, ids=str)
def test_an_answer_that_is_lost_once_doubles_nothing(
    step: str,
    fault: Drop | CutShort | Answer,
    behind: MlflowRegistry,
    proxy: FlakyProxy,
    mlflow_server: str,
    name: str,
) -> None:
    proxy.fail(fault, when=to(step))
    version = record(behind, name)

    assert MlflowRegistry(mlflow_server).versions(name) == (version,)
    (run,) = runs(mlflow_server, name)
    assert run.info.status == "FINISHED"
    assert len(run.outputs.model_outputs) == 1


def test_an_interruption_at_any_call_leaves_no_version_and_a_killed_run(
    mlflow_database: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = MlflowRegistry(mlflow_database)
    registry.versions(name)
    whole = registry._mlflow.call
    calls = 0
    statuses = []
    for stop_at in range(1, 30):
        calls = 0

        def interrupted(once: Any, *, doing: str, retries: Any = None) -> Any:
            nonlocal calls
            calls += 1
            done = whole(once, doing=doing, retries=retries)
            if calls == stop_at:  # noqa: B023 - called within this turn
                raise KeyboardInterrupt
            return done

        monkeypatch.setattr(registry._mlflow, "call", interrupted)
        experiment = f"{name}-{stop_at}"
        try:
            registry.record(models.run(experiment), PACKAGE, registered_model_name=experiment)
        except KeyboardInterrupt:
            assert MlflowRegistry(mlflow_database).versions(experiment) == ()
            statuses += [run.info.status for run in runs(mlflow_database, experiment)]
        else:
            break
    assert calls > 8
    assert set(statuses) == {"KILLED"}


def test_a_server_that_is_away_is_told_in_one_sentence(name: str) -> None:
    registry = MlflowRegistry(f"http://ada:s3cret@127.0.0.1:{free_port()}", retries=NO_WAIT)

    with pytest.raises(ServiceError) as away:
        registry.versions(name)

    message = away.value.message
    assert message.startswith(
        f"listing the versions of {name} in MLflow failed: no answer from http://127.0.0.1:"
    )
    assert "Connection refused" in message
    assert not {"s3cret", "ada", "\n", "Traceback", "HTTPConnectionPool"} & {
        word for word in ("s3cret", "ada", "\n", "Traceback", "HTTPConnectionPool") if word in message
    }
    assert away.value.hint == "is MLFLOW_TRACKING_URI right, the server up, and reachable from here?"


def test_credentials_are_sent_and_never_shown(proxy: FlakyProxy, name: str) -> None:
    registry = MlflowRegistry(f"http://ada:s3cret@{proxy.host}", retries=NO_WAIT)

    assert registry.versions(name) == ()
    assert proxy.authorized
    assert registry.uri == f"http://{proxy.host}"
    proxy.fail(Answer(403, {}, b"not for ada"), times=ALWAYS)
    with pytest.raises(ServiceError, match="refused us") as refused:
        registry.versions(name)
    assert "s3cret" not in f"{refused.value.message} {refused.value.hint}"
    assert "MLFLOW_TRACKING_USERNAME" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ada:s3cret@mlflow.example/path?token=1", "https://mlflow.example/path"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
    ],
)
def test_an_address_is_shown_without_secrets(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


@pytest.mark.parametrize("uri", ["./mlruns", "file:///srv/mlruns", "postgresql://a:b@db/mlflow", "mlflow"])
def test_an_address_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match=r"expected was sqlite:///<file> or http\(s\)://<server>") as refused:
        MlflowRegistry(uri)
    assert "a:b" not in refused.value.message


def path_of(uri: str) -> Path:
    return Path(uri.removeprefix("sqlite:///"))


def test_a_locked_database_is_named(mlflow_database: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LONGEST_WAIT_SECONDS", 0.05)
    with closing(sqlite3.connect(path_of(mlflow_database), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServiceError, match=r"mlflow\.db is locked by another process"):
            MlflowRegistry(mlflow_database).versions(name)


@pytest.mark.parametrize("content", [b"this is no database at all" * 50, b"SQLite format 3\0" + bytes(5000)])
def test_a_broken_database_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)

    with pytest.raises(IntegrityError, match="is no SQLite database, or is damaged"):
        MlflowRegistry(f"sqlite:///{path}").versions("any")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("revision", "said", "todo"),
    [
        ("ffffffffffff", "was made by a newer MLflow than 3.", "use the MLflow version that made it"),
        ("451aebb31d03", "was made by an older MLflow than 3.", "mlflow db upgrade sqlite:///"),
    ],
)
def test_tables_of_another_mlflow_are_told(
    revision: str, said: str, todo: str, mlflow_database: str, name: str
) -> None:
    with closing(sqlite3.connect(path_of(mlflow_database))) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
        database.commit()

    with pytest.raises(UsageError, match=said) as refused:
        MlflowRegistry(mlflow_database).versions(name)
    assert todo in (refused.value.hint or "")


def test_a_folder_in_place_of_the_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="cannot be opened as a database"):
        MlflowRegistry(f"sqlite:///{tmp_path}").versions("any")


def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ServiceError, match=r"Not a directory|File exists"):
        MlflowRegistry(f"sqlite:///{tmp_path}/file/mlflow.db").versions("any")


def test_a_full_disk_leaves_no_version_and_says_so(
    mlflow_database: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    registry = MlflowRegistry(mlflow_database)
    monkeypatch.setattr(LocalArtifactRepository, "log_artifacts", full)
    with pytest.raises(ServiceError, match="storing the model in MLflow failed: the disk is full"):
        record(registry, name)

    assert registry.versions(name) == ()
    assert [run.info.status for run in runs(mlflow_database, name)] == ["FAILED"]


def test_a_full_database_is_told(mlflow_database: str, name: str) -> None:
    import sqlalchemy
    from sqlalchemy import event

    def shrink(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    registry = MlflowRegistry(mlflow_database, retries=NO_WAIT)
    run = models.run(name, parameters={f"parameter_{number}": "x" * 5000 for number in range(50)})

    event.listen(sqlalchemy.engine.Engine, "connect", shrink)
    try:
        with pytest.raises(ServiceError, match="the disk is full"):
            registry.record(run, PACKAGE, registered_model_name=name)
    finally:
        event.remove(sqlalchemy.engine.Engine, "connect", shrink)


def test_a_deleted_experiment_is_named_with_the_way_back(mlflow_database: str, name: str) -> None:
    from mlflow.tracking.client import MlflowClient

    registry = MlflowRegistry(mlflow_database)
    version = record(registry, name)
    client = MlflowClient(mlflow_database, mlflow_database)
    client.delete_experiment(client.get_run(version.run_id).info.experiment_id)

    with pytest.raises(UsageError, match=f"the MLflow experiment {name} is deleted") as refused:
        registry.record(models.run(name), models.package("b81153e"), registered_model_name=name)
    assert "mlflow experiments restore" in (refused.value.hint or "")


def test_a_model_that_cannot_be_stored_makes_no_run(mlflow_database: str, name: str) -> None:
    from dataclasses import replace

    with pytest.raises(MlopsConfigError):
        MlflowRegistry(mlflow_database).record(
            models.run(name), replace(PACKAGE, pipeline=object()), registered_model_name=name
        )
    assert runs(mlflow_database, name) == []


def test_artifacts_that_are_gone_are_told(mlflow_database: str, name: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(mlflow_database, retries=NO_WAIT)
    version = record(registry, name)
    shutil.rmtree(path_of(mlflow_database).parent / "mlartifacts")

    with pytest.raises(ServiceError, match=f"fetching version 1 of {name} from MLflow failed"):
        registry.fetch(version, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_changed_artifacts_are_refused(mlflow_database: str, name: str, tmp_path: Path) -> None:
    registry = MlflowRegistry(mlflow_database)
    version = record(registry, name)
    (model,) = (path_of(mlflow_database).parent / "mlartifacts").rglob("model.skops")
    model.write_bytes(model.read_bytes()[:-1] + b"!")

    with pytest.raises(IntegrityError, match=r"model\.skops is sha256"):
        registry.fetch(version, tmp_path / "model")


def test_without_an_address_a_database_is_made_quietly_in_the_projects_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from mlops_config.runtime.tracking.mlflow import from_environment;"
        "print(from_environment(Path(sys.argv[1])).versions('none'))"
    )
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "project")],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "()\n", "")
    folder = tmp_path / "project" / ".mlops-config"
    assert {path.name for path in folder.iterdir()} == {".gitignore", ".mlflow.db.lock", "mlflow.db"}
    assert list(work.iterdir()) == []


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ada:s3cret@mlflow.example")

    assert from_environment(tmp_path).uri == "https://mlflow.example"
    assert list(tmp_path.iterdir()) == []


def test_cleaning_up_is_bounded() -> None:
    assert recording._CLEANING_UP.deadline <= 10
