"""A rollback where nothing serves yet: pointer, Airflow's deployment and ledger, for real."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_config.console import TerminalConsole
from mlops_config.errors import IntegrityError, JobRefusedError, ServiceError, UsageError
from mlops_config.ledger.entries import Draft, Event
from mlops_config.orchestration.describing import deployment_of
from mlops_config.orchestration.folder import open_folder
from mlops_config.runtime.opening import Request
from mlops_config.runtime.rollback import running
from mlops_config.runtime.rollback.job import dags_folder_of, run
from mlops_config.runtime.rollback.opening import Opened, opened
from mlops_config.runtime.rollback.running import Asked, RollbackOutcome, carry_out, prepare
from tests.repositories import Repository
from tests.runtime.rollback.activated import copied, ledger_of, record_of, releases


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Dev ran 0.1.0 and runs 0.2.0."""
    folder = tmp_path_factory.mktemp("template")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")
        yield releases(folder / "fares")
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def repository(
    template: Repository, tmp_path: Path, mlflow_database: str, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    """A copy of that checkout, with an empty registry."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
    return copied(template, tmp_path / "fares")


def here(repository: Repository, environment: str = "dev") -> Opened:
    request = Request(environment=environment, root=repository.folder)
    return opened(request, TerminalConsole(quiet=True))


def go_back(repository: Repository, *, dags_folder: str | None = None) -> RollbackOutcome:
    return run(here(repository), Asked(because="INC-1", dags_folder=dags_folder))


def in_force(repository: Repository) -> str:
    return here(repository).release(None).record.name


def events(repository: Repository) -> list[tuple[Event, str]]:
    return [(entry.event, entry.outcome) for entry in ledger_of(repository.folder).entries()]


def test_the_pointer_goes_back_and_the_ledger_says_from_where_and_why(repository: Repository) -> None:
    outcome = go_back(repository)
    assert outcome.rolled_back
    assert in_force(repository) == "0.1.0"
    begun, done = ledger_of(repository.folder).entries()[-2:]
    assert (begun.event, done.event) == (Event.ROLLBACK_STARTED, Event.ROLLED_BACK)
    assert done.config_digest == record_of(repository.folder, "0.1.0").config_digest
    assert done.commit == record_of(repository.folder, "0.1.0").source.commit
    assert [reason.text for reason in done.reasons] == ["INC-1"]
    with pytest.raises(UsageError, match="nothing to go back to"):
        go_back(repository)


def test_the_same_version_can_be_released_again_afterwards(repository: Repository) -> None:
    from mlops_config.cli import main

    go_back(repository)
    assert main(["release", "-e", "dev", "--version", "0.2.0", "--root", str(repository.folder)]) == 0
    assert in_force(repository) == "0.2.0"
    assert prepare(here(repository), Asked()).plan.target.record.name == "0.1.0"


def test_airflows_deployment_goes_back_with_its_bundle(repository: Repository, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    folder, found = open_folder(str(dags)), here(repository)
    release = found.release("0.2.0")
    nothing = folder.standing("city-taxi", "trip-fare", "dev")
    folder.write(deployment_of(release.record, release.configs), release.bundle, nothing)
    go_back(repository, dags_folder=str(dags))
    deployment = folder.standing("city-taxi", "trip-fare", "dev").deployment
    assert deployment is not None
    assert deployment.release == "0.1.0"
    place = dags / "mlops/city-taxi/trip-fare/dev"
    bundle = place / deployment.bundle_folder
    assert len(list(bundle.iterdir())) == 5
    config = bundle / "dev_retrain_config.yaml"
    assert dags_folder_of(None, here(repository), config) == str(dags)
    assert dags_folder_of("s3://acme/dags", here(repository), config) == "s3://acme/dags"
    assert dags_folder_of(None, here(repository), repository.config("dev", "retrain")) is None


def test_a_dag_folder_without_a_deployment_stays_without_one(repository: Repository, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    go_back(repository, dags_folder=str(dags))
    assert list(dags.rglob("*")) == []


def test_a_dag_folder_that_is_not_there_is_found_before_anything_goes_back(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(ledger_of(repository.folder).entries())
    for folder in (str(tmp_path / "typo"), "oci://ghcr.io/acme/dags"):
        with pytest.raises(UsageError, match="DAG") as refused:
            go_back(repository, dags_folder=folder)
        assert (refused.value.hint or "").endswith("; nothing was changed")
    assert (in_force(repository), len(ledger_of(repository.folder).entries())) == ("0.2.0", before)
    looked = opened(Request(environment="dev", root=repository.folder), TerminalConsole())
    assert run(looked, Asked(dags_folder=str(tmp_path / "typo")), dry_run=True).exit_code == 0
    assert f"warning: there is no DAG folder {tmp_path / 'typo'}" in capsys.readouterr().err


def test_a_dag_folder_that_has_gone_meanwhile_is_no_mistake_in_the_call(
    repository: Repository, tmp_path: Path
) -> None:
    found, dags = here(repository), tmp_path / "dags"
    asked = Asked(dags_folder=str(dags))
    with pytest.raises(ServiceError, match=r"dev serves .*0\.1\.0.* again, but Airflow was not told") as told:
        carry_out(found, prepare(found, asked), asked, ())
    assert "--dags-folder" in (told.value.hint or "")
    dags.mkdir()
    assert run(here(repository), asked).rolled_back


@pytest.mark.parametrize("step", ["_set_champion", "_point", "_give_to_airflow", "_note_end"])
def test_stopped_at_any_step_it_goes_on_when_it_is_asked_for_again(
    repository: Repository, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    note = running._note

    def stop(*arguments: object, **more: object) -> None:
        if step == "_note_end" and arguments[1] is not Event.ROLLED_BACK:
            note(*arguments, **more)  # type: ignore[arg-type]  # as it was called
            return
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "_note" if step == "_note_end" else step, stop)
        with pytest.raises(KeyboardInterrupt):
            go_back(repository, dags_folder=str(dags))
    outcome = run(here(repository), Asked(dags_folder=str(dags)))
    assert outcome.plan is not None
    assert outcome.plan.resumed
    assert in_force(repository) == "0.1.0"
    assert events(repository)[-2:] == [
        (Event.ROLLBACK_STARTED, "succeeded"),
        (Event.ROLLED_BACK, "succeeded"),
    ]
    assert [each.text for each in ledger_of(repository.folder).entries()[-1].reasons] == ["INC-1"]


def test_of_two_at_once_one_goes_back(repository: Repository) -> None:
    found = here(repository)
    prepared = prepare(found, Asked())
    go_back(repository)
    with pytest.raises(ServiceError, match="was changed by somebody else"):
        running.carry_out(found, prepared, Asked(), ())
    assert events(repository).count((Event.ROLLED_BACK, "succeeded")) == 1


def test_a_release_in_between_does_not_lose_its_place_unseen(repository: Repository) -> None:
    found = here(repository)
    prepared = prepare(found, Asked())
    file = repository.config("dev", "inference")
    repository.edit(file, "retention: P14D", "retention: P21D")
    repository.commit("Meanwhile")
    from mlops_config.cli import main

    assert main(["release", "-e", "dev", "--version", "0.3.0", "--root", str(repository.folder)]) == 0
    with pytest.raises(ServiceError, match=r"0\.3\.0"):
        running.carry_out(found, prepared, Asked(), ())
    assert in_force(repository) == "0.3.0"
    assert go_back(repository).rolled_back
    assert in_force(repository) == "0.1.0"


@pytest.mark.parametrize(
    "lost", ["releases/dev/0.1.0.json", "bundles/sha256/{digest}/dev_training_config.yaml"]
)
def test_what_is_not_all_there_is_no_way_back(repository: Repository, lost: str) -> None:
    digest = record_of(repository.folder, "0.1.0").config_digest.removeprefix("sha256:")
    before = events(repository)
    path = repository.folder / ".mlops-config/store/city-taxi" / lost.format(digest=digest)
    path.unlink()
    with pytest.raises((IntegrityError, UsageError)):
        go_back(repository)
    assert (in_force(repository), events(repository)) == ("0.2.0", before)


def test_a_checkout_that_cannot_be_read_any_more_is_enough_to_go_back(repository: Repository) -> None:
    for kind in ("training", "inference", "monitoring"):
        repository.config("dev", kind).write_text("metadata: [")
    assert go_back(repository).rolled_back
    repository.config("dev", "retrain").unlink()
    with pytest.raises(UsageError, match="says which project and model"):
        here(repository)


def test_in_an_image_its_own_environment_goes_back_and_no_other(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = here(repository).release("0.2.0")
    baked = tmp_path / "app"
    baked.mkdir()
    for name, data in release.bundle.contents().items():
        (baked / name).write_bytes(data)
    monkeypatch.setenv("MLOPS_CONFIG_DIR", str(baked))
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", release.record.config_digest)
    store = (repository.folder / ".mlops-config/store").as_uri()
    with pytest.raises(IntegrityError, match="prod was to go back"):
        opened(Request(environment="prod", root=tmp_path, store=store), TerminalConsole(quiet=True))
    found = opened(Request(root=tmp_path, store=store), TerminalConsole(quiet=True))
    assert run(found, Asked()).rolled_back
    monkeypatch.setenv("MLOPS_CONFIG_DIGEST", "sha256:" + "0" * 64)
    with pytest.raises(IntegrityError, match="not the one that was deployed"):
        opened(Request(root=tmp_path, store=store), TerminalConsole(quiet=True))


def test_another_environments_surroundings_are_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ENVIRONMENT", "prod")
    with pytest.raises(IntegrityError, match="this is the prod environment"):
        here(repository)


def test_without_a_release_there_is_nothing_to_go_back_from(repository: Repository) -> None:
    with pytest.raises(UsageError, match="has no release"):
        run(here(repository, "prod"), Asked())
    with pytest.raises(UsageError, match="there is no environment 'prd'") as caught:
        here(repository, "prd")
    assert caught.value.hint == "did you mean prod? environments are dev, staging, prod"


def test_needed_and_nowhere_to_go_is_told_loudly(repository: Repository) -> None:
    go_back(repository)
    ledger = ledger_of(repository.folder)
    last = ledger.entries()[-1]
    # Somebody wanted to go further, and was stopped: what it left names no release that there is.
    wanted = {name: getattr(last, name) for name in Draft.model_fields}
    ledger.append(Draft(**{**wanted, "event": Event.ROLLBACK_STARTED, "release": "0.0.9"}))
    with pytest.raises(JobRefusedError, match=r"a rollback was begun and did not end, but .*0\.0\.9") as told:
        run(here(repository), Asked(), if_needed=True)
    assert told.value.document["done"] is False
    assert [each["code"] for each in told.value.document["reasons"]] == ["begun", "refused"]
