"""A deployment's Terraform part from release to ledger, on real Terraform."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from tools.generate_terraform_variables import written

from mlops_config.console import TerminalConsole
from mlops_config.infrastructure.lease import Holder, deployment
from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables
from mlops_config.ledger.entries import Event
from mlops_config.ledger.history import ledger_of
from mlops_config.orchestration.api import AirflowApi
from tests.infrastructure.deployments import (
    DRIFTS_SOONER,
    ENDED,
    FAILING,
    FIRST,
    HANGING,
    NAME,
    NO_AIRFLOW,
    PROVISIONED,
    RESOURCES,
    STARTED,
    Checkout,
)
from tests.infrastructure.releases import image
from tests.orchestration.releases import adding, release
from tests.orchestration.scripted import ALL, RELEASE, run, task
from tests.orchestration.test_deploying import Answering
from tests.services.registry import running_registry


def test_a_release_is_provisioned_and_given_to_the_dag_folder_that_terraform_names(
    checkout: Checkout,
) -> None:
    checkout.release(FIRST)
    said = checkout.deploy("--yes", *NO_AIRFLOW)
    assert checkout.made()["release"] == "1.0.0"
    assert f"terraform {len(checkout.made())} created in infra/dev\n" in said.out
    assert list(checkout.dags.rglob("deployment.json"))
    assert checkout.events == [STARTED, PROVISIONED, ENDED]
    started, provisioned, ended = checkout.entries
    assert {started.job_id, provisioned.job_id, ended.job_id} == {started.job_id}
    assert provisioned.release == "1.0.0"
    assert provisioned.config_digest == FIRST.bundle.digest
    done = provisioned.infrastructure
    assert done is not None
    assert (done.directory, done.changed, done.deleted) == ("infra/dev", 0, 0)
    assert done.created == len(checkout.made())
    document = json.loads((checkout.plan_folder / "plan.json").read_bytes())
    assert document["digest"] == done.plan_digest
    assert done.program.startswith(("Terraform 1.", "OpenTofu 1."))


@pytest.mark.parametrize(("told", "is_another"), [("s3://acme-models/fares", True), ("{ours}/", False)])
def test_another_store_in_the_outputs_than_the_one_with_the_release_is_warned_of(
    checkout: Checkout, told: str, is_another: bool
) -> None:
    named = told.format(ours=checkout.store.uri)
    checkout.describe(f'{RESOURCES}\noutput "store_uri" {{\n  value = "{named}"\n}}\n')
    checkout.release(FIRST)
    warned = f"warning: the release is in {checkout.store.uri}, and its jobs will look for it in {named}"
    assert (warned in checkout.deploy("--yes", *NO_AIRFLOW).err) is is_another


def test_the_second_time_nothing_has_to_be_done_and_nothing_more_is_said_of_it(checkout: Checkout) -> None:
    checkout.release(FIRST)
    checkout.deploy("--yes", *NO_AIRFLOW)
    said = checkout.deploy("--yes", *NO_AIRFLOW)
    assert "nothing to change" in said.out
    assert checkout.events == [STARTED, PROVISIONED, ENDED, STARTED, ENDED]


def test_a_dag_folder_that_is_named_comes_before_terraforms(checkout: Checkout) -> None:
    checkout.release(FIRST)
    other = checkout.folder / "other"
    other.mkdir()
    checkout.deploy("--yes", "--dags-folder", str(other), *NO_AIRFLOW)
    assert list(other.rglob("deployment.json"))
    assert not list(checkout.dags.iterdir())


def test_the_variables_are_those_of_the_release_not_of_the_work_tree(checkout: Checkout) -> None:
    checkout.release(FIRST)
    checkout.release(DRIFTS_SOONER)
    checkout.deploy("--release", "1.0.0", "--only-terraform", "--yes")
    found = ReleaseVariables.model_validate_json((checkout.root / FILE_NAME).read_bytes())
    assert found.release.name == "1.0.0"
    assert found.config.alerts["fare-drift"].expr.count(">= 0.5") == 1


def test_a_dry_run_needs_no_terraform_and_writes_below_its_own_folder_alone(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.release(FIRST)
    before = {path for path in checkout.folder.rglob("*") if ".mlops-config" not in path.parts}
    monkeypatch.setenv("PATH", "")
    said = checkout.deploy("--dry-run").out
    assert "terraform plan, review and apply infra/dev\n" in said
    assert "runs      training as deploy__dev__1.0.0" in said
    path = checkout.folder / ".mlops-config" / "dev" / FILE_NAME
    assert json.loads(path.read_bytes())["release"]["name"] == "1.0.0"
    assert {path for path in checkout.folder.rglob("*") if ".mlops-config" not in path.parts} == before
    document = json.loads(checkout.deploy("--dry-run", "--format", "json").out)
    assert document["variables"] == json.loads(path.read_bytes())


def test_an_apply_that_fails_half_way_is_written_down_and_goes_on_with_the_same_command(
    checkout: Checkout,
) -> None:
    checkout.describe(RESOURCES + FAILING)
    checkout.release(FIRST)
    said = checkout.deploy("--yes", *NO_AIRFLOW, code=3)
    assert "the quota is used up" in said.err or "local-exec" in said.err
    assert "the same command" in said.err
    assert checkout.events == [STARTED, (Event.PROVISIONED, "failed"), (Event.DEPLOYMENT_ENDED, "failed")]
    done = checkout.entries[1].infrastructure
    assert done is not None
    assert done.created == len(checkout.made()) - 1
    assert "half-way" in checkout.entries[1].reasons[0].text
    assert not list(checkout.dags.iterdir())
    (checkout.folder / "mended").touch()
    checkout.deploy("--yes", *NO_AIRFLOW)
    assert checkout.events[3:] == [STARTED, PROVISIONED, ENDED]


def test_two_deployments_do_not_go_on_at_once(checkout: Checkout) -> None:
    checkout.release(FIRST)
    quiet = TerminalConsole(quiet=True)
    other = {"holder": Holder("bob on laptop"), "lasts": timedelta(hours=1), "console": quiet}
    with deployment(ledger_of(checkout.store, NAME), {"release": "0.9.0"}, **other) as held:
        said = checkout.deploy("--yes", *NO_AIRFLOW, code=3)
        assert "bob on laptop deploys release 0.9.0 to dev since" in said.err
        assert checkout.made() == {}
        checkout.deploy("--yes", "--take-over", *NO_AIRFLOW)
        assert checkout.made()["release"] == "1.0.0"
        assert held.entry == checkout.entries[0]


def test_a_release_whose_image_is_gone_changes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        gone = image("dev").model_copy(update={"repository": f"{registry.host}/acme/fares"})
        checkout.release(release("1.0.0", image=gone))
        said = checkout.deploy("--yes", *NO_AIRFLOW, code=4)
    assert "has no image" in said.err
    assert checkout.events == []
    assert not (checkout.root / FILE_NAME).exists()


def test_a_root_module_of_another_environment_refuses_the_release(checkout: Checkout) -> None:
    (checkout.root / "release.tf").write_text(written("prod"), encoding="utf-8")
    checkout.release(FIRST)
    said = checkout.deploy("--yes", *NO_AIRFLOW, code=2)
    assert "This is prod: the release must be one of prod." in " ".join(said.err.split())
    assert checkout.made() == {}


def test_infrastructure_alone_is_told_to_programs(checkout: Checkout) -> None:
    checkout.release(FIRST)
    said = json.loads(checkout.deploy("--yes", "--only-terraform", "--format", "json").out)
    assert said["infrastructure"]["created"] == len(checkout.made())
    assert said["outputs"] == {"dags_folder": str(checkout.dags)}
    assert not list(checkout.dags.iterdir())


def test_infrastructure_is_left_alone_where_that_is_said(checkout: Checkout) -> None:
    checkout.release(FIRST)
    checkout.deploy("--no-terraform", "--dags-folder", str(checkout.dags), *NO_AIRFLOW)
    assert checkout.made() == {}
    assert checkout.events == []
    assert list(checkout.dags.rglob("deployment.json"))


def test_what_is_no_release_is_applied_before_the_first_one_alone(checkout: Checkout) -> None:
    shutil.copytree(Path(__file__).parents[2] / "configs", checkout.folder / "configs")
    document = checkout.planned("--from-tree")
    assert document["summary"].startswith("7 to create")
    checkout.deploy("--from-tree", "--yes")
    assert checkout.events == []
    assert checkout.made()["release"] == document["release"]
    checkout.release(FIRST)
    said = checkout.deploy("--from-tree", "--yes", code=2)
    assert "dev runs release 1.0.0; what was not released is not applied to it" in said.err
    monitoring = checkout.folder / "configs/dev/dev_monitoring_config.yaml"
    monitoring.write_text(adding("nonsense: true")(monitoring.read_text()))
    assert "mlops-config validate" in checkout.deploy("--from-tree", "--plan", code=1).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-terraform", "--drift"], "--no-terraform leaves nothing to do for --drift"),
        (["--from-tree", "--release", "1.0.0"], "say one of them"),
        (["--terraform", "nowhere", "--plan"], "there is no such folder"),
        (["--plan-file", "nowhere"], "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused(checkout: Checkout, words: list[str], said: str) -> None:
    checkout.release(FIRST)
    assert said in checkout.deploy(*words, code=2).err


def test_a_root_module_can_be_named_without_settings(checkout: Checkout) -> None:
    (checkout.folder / "mlops-config.yaml").unlink()
    checkout.release(FIRST)
    assert "nothing says which root module" in checkout.deploy("--plan", code=2).err
    checkout.deploy("--terraform", str(checkout.root), "--yes", "--only-terraform")
    assert checkout.made()["release"] == "1.0.0"


@pytest.mark.parametrize("text", ["sha256:12", "latest", f"sha256:{'G' * 64}"])
def test_what_is_no_digest_is_refused(
    checkout: Checkout, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        checkout.deploy("--reviewed", text)
    assert "is no digest, sha256: and 64 hex digits" in capsys.readouterr().err


def test_airflow_is_the_one_that_terraform_made_and_the_record_says_what_it_runs_on(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.describe(f'{RESOURCES}\noutput "airflow_url" {{\n  value = "https://airflow.example"\n}}\n')
    checkout.release(RELEASE)
    asked = []

    def at(address: str) -> Answering:
        asked.append(address)
        return Answering(dags=[ALL], runs=[run("success")], tasks=[[task("train", "success")]])

    monkeypatch.setattr(AirflowApi, "at", at)
    checkout.deploy("--yes")
    assert asked == ["https://airflow.example"]
    assert checkout.events == [STARTED, PROVISIONED, (Event.ACTIVATED, "succeeded"), ENDED]
    kept = json.loads((checkout.folder / ".mlops-config/dev/release.json").read_bytes())
    done = checkout.entries[1].infrastructure
    assert done is not None
    assert kept["activation"]["infrastructure"] == done.model_dump(mode="json")


def test_a_dag_run_that_failed_ends_the_deployment_as_failed(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.release(RELEASE)
    failed = Answering(dags=[ALL], runs=[run("failed")], tasks=[[task("train", "failed")]])
    monkeypatch.setattr(AirflowApi, "at", lambda _: failed)
    said = checkout.deploy("--yes", "--airflow", "https://airflow.example", code=1)
    assert "the table has no rows" in said.err
    assert checkout.events[2:] == [(Event.ACTIVATED, "failed"), (Event.DEPLOYMENT_ENDED, "failed")]


@pytest.mark.parametrize(
    ("form", "answer", "code"), [("text", "dev\n", 0), ("text", "yes\n", 1), ("json", "\x04", 1)]
)
def test_on_a_terminal_the_environments_name_is_the_yes(
    checkout: Checkout, form: str, answer: str, code: int
) -> None:
    checkout.release(FIRST)
    ours, theirs = pty.openpty()
    asked = after = b""
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "mlops_config", *checkout.words(*NO_AIRFLOW, "--format", form)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as process:
            while b"to leave: " not in asked:
                asked += os.read(ours, 4096)
            os.write(ours, answer.encode())
            assert process.stdout is not None
            shown = process.stdout.read().decode()
            if code:
                while b"error:" not in after:
                    after += os.read(ours, 4096)
    finally:
        os.close(theirs)
        os.close(ours)
    assert process.returncode == code
    assert b"+   terraform_data.release" in asked  # whoever is asked sees it, wherever standard output goes
    assert ("terraform_data.release" in shown) is (form == "text")
    assert not code or after.splitlines()[0] in (b"", answer.strip().encode())  # a line of its own
    assert bool(checkout.made()) is (code == 0)


def test_an_interrupted_apply_ends_in_good_order_and_can_be_gone_on_with(checkout: Checkout) -> None:
    checkout.describe(RESOURCES + HANGING)
    checkout.release(FIRST)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlops_config", *checkout.words("--yes", *NO_AIRFLOW)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (checkout.root / "begun").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert checkout.events == [STARTED, (Event.PROVISIONED, "failed"), (Event.DEPLOYMENT_ENDED, "failed")]
    (checkout.root / "go").touch()
    checkout.deploy("--yes", *NO_AIRFLOW)
    assert checkout.events[3:] == [STARTED, PROVISIONED, ENDED]
