"""The step that deploys, with real Terraform on stand-in providers: what it says, leaves and refuses."""

import io
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.github.root_modules import SECRET, add_root_modules
from tests.github.test_deploying_targets import context
from tests.repositories import Repository

from mlops_config.cli import main
from mlops_config.errors import IntegrityError, MlopsConfigError, UsageError
from mlops_config.github import deploying
from mlops_config.github.console import ActionConsole
from mlops_config.github.deploying import Lines, deploy
from mlops_config.github.step import Step
from mlops_config.infrastructure.left_state import bring_back
from mlops_config.infrastructure.left_state import main as bring_state_back
from mlops_config.infrastructure.sealing import KEY_VARIABLE
from mlops_config.ledger.history import ledger_of
from mlops_config.store import open_store
from mlops_config.store.interface import LedgerName

KEY = "twenty characters, or more"
NAMED = "fares-dev"


REVIEWED = {"plan-digest": "sha256:" + "0" * 64, "release": "1.0.0"}


def reviewed(**plan):
    """What the job that deploys is given of the job that planned."""
    return {"reviewed": json.dumps({"dev": plan}), "only-terraform": "true"}


class Project:
    """A repository with a root module for dev and a release of dev, and the cloud that Terraform makes."""

    def __init__(self, folder, cloud):
        self.repository = Repository(folder / "fares")
        self.store = (folder / "store").as_uri()
        self.cloud = cloud
        add_root_modules(self.repository.folder, folder / "state", ("dev",))

    def release(self, version):
        self.repository.commit(f"Prepare {version}")
        words = ["release", "--environment=dev", f"--version={version}", f"--store={self.store}"]
        assert main([*words, f"--root={self.repository.folder}"]) == 0

    @contextmanager
    def edited(self, before, after):
        """The root module with something else in it."""
        path = self.repository.folder / "terraform" / "environments" / "dev" / "aws" / "main.tf"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))
        try:
            yield
        finally:
            path.write_text(text)

    def objects(self):
        """What is in the cloud, by the file it lies in."""
        found = {path: json.loads(path.read_text()) for path in self.cloud.rglob("*.json")}
        return {path: each for path, each in found.items() if NAMED in json.dumps(each)}


@pytest.fixture(scope="module")
def project(tmp_path_factory, terraform, standin_mirror):  # noqa: ARG001 it is on PATH
    folder = tmp_path_factory.mktemp("project")
    standin = standin_mirror.with_cloud(folder / "cloud")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in standin.variables.items():
            patch.setenv(name, value)
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")
        project = Project(folder, standin.cloud)
        project.release("1.0.0")
        yield project


class Job:
    """A job of its own with the step in it: what that wrote, said and left."""

    def __init__(self, project, folder, mode, event="push", **inputs):
        folder.mkdir()
        self.said = io.StringIO()
        self.artifact = folder / "mlops-config"
        """What the workflow uploads, and the job that deploys gets back as it is."""
        self.left = self.artifact / "dev"
        self.state = folder / "mlops-config-state" / "dev" / "state.sealed"
        self._summary = folder / "summary.md"
        given = {"environment": "dev", "mode": mode, "store": project.store} | inputs
        names = {f"MLOPS_INPUT_{name.upper().replace('-', '_')}": value for name, value in given.items()}
        about = replace(context(folder, event), summary_path=self._summary)
        tree = project.repository.folder
        self._step = Step(about, tree, self.artifact, names, ActionConsole(self.said))

    def run(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(KEY_VARIABLE, "")
            assert deploy(self._step) == 0
        return self

    @property
    def outputs(self):
        return json.loads((self.left / "outputs.json").read_text())

    @property
    def summary(self):
        return self._summary.read_text()

    @property
    def files(self):
        return sorted(path.name for path in self.left.iterdir())


@pytest.fixture(scope="module")
def job(project, tmp_path_factory):
    """Makes a job."""
    folder = tmp_path_factory.mktemp("jobs")
    return lambda *given, **inputs: Job(project, folder / str(len(list(folder.iterdir()))), *given, **inputs)


@pytest.fixture(scope="module")
def planned(job):
    """The job that plans the first release, with a key."""
    return job("plan", **{"plan-key": KEY}).run()


def test_a_plan_is_in_the_summary_and_leaves_its_digest(planned):
    assert planned.outputs["changes"] == "3 to create, 0 to change, 0 to delete"
    assert (planned.outputs["has-changes"], planned.outputs["deletes"]) == (True, False)
    assert planned.outputs["release"] == "1.0.0"
    assert planned.outputs["plan-digest"] in planned.summary
    assert "aws_s3_bucket.releases" in planned.summary


def test_with_a_key_the_plan_file_leaves_the_job_sealed(planned):
    assert planned.files == ["outputs.json", "plan.json", "plan.md", "plan.sealed"]
    sealed = (planned.left / "plan.sealed").read_bytes()
    assert b"tfplan" not in sealed
    assert b"aws_s3_bucket" not in sealed
    assert f"::add-mask::{KEY}" in planned.said.getvalue()


def test_no_file_that_leaves_the_job_holds_a_secret(planned):
    document = json.loads((planned.left / "plan.json").read_bytes())
    assert any(value["sensitive"] for change in document["changes"] for value in change["values"])
    for path in planned.left.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path.name
    assert SECRET not in planned.summary + planned.said.getvalue()


@pytest.mark.parametrize("event", ["pull_request", "merge_group"])
def test_what_is_not_merged_is_planned_as_its_files_are_and_without_a_key_no_plan_file_leaves(
    event, project, job
):
    inference = project.repository.config("dev", "inference")
    before = inference.read_text()
    project.repository.edit(inference, "retention: P7D", "retention: P14D")
    try:
        did = job("plan", event).run()
    finally:
        inference.write_text(before)
    assert did.outputs["release"] != "1.0.0"
    assert "retention_in_days = 14" in did.summary
    assert did.files == ["outputs.json", "plan.json", "plan.md"]
    assert list(did.left.parents[1].rglob("plan.sealed")) == []


def test_nothing_is_applied_that_was_not_reviewed(project, job):
    for given in ("", "{}", '{"prod": {}}', '{"dev": {"plan-digest": "x", "release": "1.0.0"}}'):
        with pytest.raises(UsageError, match="reviewed"):
            job("deploy", reviewed=given).run()
    assert project.objects() == {}


def test_another_plan_than_the_reviewed_one_is_refused_and_nothing_is_made(project, job):
    asked = job("deploy", **reviewed(**REVIEWED))
    with pytest.raises(IntegrityError):
        asked.run()
    assert project.objects() == {}
    assert "It failed" in asked.summary


def test_a_plan_that_changed_since_is_refused_by_the_names_of_what_differs(project, job, planned):
    asked = job("deploy", **reviewed(**planned.outputs), plan=str(planned.artifact))
    with (
        project.edited('"Enabled"', '"Suspended"'),
        pytest.raises(IntegrityError, match=r"_versioning\.releases: create, with another"),
    ):
        asked.run()
    assert project.objects() == {}
    assert "aws_s3_bucket_versioning.releases: create" in asked.summary


def test_a_key_without_a_sealed_plan_is_refused_and_nothing_is_made(project, job, planned, tmp_path):
    given = reviewed(**planned.outputs) | {"plan-key": KEY}
    for more in ({}, {"plan": str(tmp_path)}, {"plan": str(planned.left)}):
        with pytest.raises(UsageError, match="key for the plan of dev, and no sealed plan"):
            job("deploy", **given, **more).run()
    assert project.objects() == {}


def test_a_plan_that_fails_leaves_why_for_the_comment(job, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    asked = job("plan")
    with pytest.raises(MlopsConfigError) as failed:
        asked.run()
    assert asked.outputs == {"environment": "dev", "mode": "plan", "failed": failed.value.message}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"mode": "aply"}, "'aply'"),
        ({"environment": "production"}, "no environment 'production'"),
        ({"from-tree": "yes"}, "from-tree is 'yes'"),
        ({"variables": "PATH=/tmp"}, "line 1"),
        (reviewed(**REVIEWED) | {"mode": "deploy", "minutes": "1e3"}, "minutes is '1e3'"),
    ],
)
def test_an_input_that_is_wrong_is_named(job, inputs, words):
    with pytest.raises(UsageError, match=words):
        job(**{"mode": "plan"} | inputs).run()


def test_no_drift_is_looked_for_before_the_first_release(project, job, tmp_path):
    did = job("drift", store=(tmp_path / "empty").as_uri()).run()
    assert did.outputs["drifted"] is False
    assert "dev has no release yet" in did.summary
    assert project.objects() == {}


@pytest.mark.parametrize(
    ("minutes", "seconds"), [("", (7200, None)), ("360", (21300, 21300)), ("2", (60, 60))]
)
def test_applying_and_airflow_are_waited_for_no_longer_than_the_job_may_last(
    job, monkeypatch, minutes, seconds
):
    wishes = []

    def look(wish):
        wishes.append(wish)
        raise UsageError("looked")

    monkeypatch.setattr("mlops_config.orchestration.deploying.plan_deployment", look)
    with pytest.raises(UsageError, match="looked"):
        job("deploy", reviewed=json.dumps({"dev": REVIEWED}), minutes=minutes).run()
    assert [(wish.patience.seconds, wish.patience.within) for wish in wishes] == [seconds]


def test_what_a_deployment_leaves_to_people_is_a_warning(job, monkeypatch):
    held = "trip-fare-dev version 3 does not serve: it waits for approval"
    said = deploying.Said({"held": [held], "paused": ["monitoring"]})
    monkeypatch.setattr(deploying, "_run", lambda *_: said)
    printed = job("deploy", reviewed=json.dumps({"dev": REVIEWED})).run().said.getvalue()
    assert f"::warning title=mlops-config::dev: {held}" in printed
    assert "::warning title=mlops-config::dev: somebody paused the DAG of monitoring in Airflow" in printed


STATE = b'{"version": 4, "terraform_version": "1.11.4", "serial": 2, "lineage": "ours", "outputs": {}}'


@pytest.fixture
def left_state(project):
    """A state that an apply could not save, where Terraform leaves it."""
    path = project.repository.folder / "terraform" / "environments" / "dev" / "aws" / "errored.tfstate"
    path.write_bytes(STATE)
    yield path
    path.unlink()


def test_a_state_that_could_not_be_saved_leaves_the_job_sealed_and_comes_back(
    job, planned, left_state, tmp_path, monkeypatch, capsys
):
    given = reviewed(**planned.outputs) | {"plan": str(planned.artifact), "plan-key": KEY}
    asked = job("deploy", **given)
    with pytest.raises(UsageError, match="could not save its state") as failed:
        asked.run()
    assert "dev/state.sealed in an artifact" in failed.value.hint
    assert "gh run download 1 --pattern '*-state-dev-1'" in failed.value.hint
    assert "before anything runs again, this job too" in failed.value.hint
    assert asked.files == []
    sealed = asked.state
    assert b"lineage" not in sealed.read_bytes()
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert bring_back(sealed, tmp_path).read_bytes() == STATE == left_state.read_bytes()
    assert bring_state_back([str(sealed), str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.usefixtures("left_state")
def test_without_a_key_no_state_leaves_the_job_and_it_says_so(job, planned):
    asked = job("deploy", **reviewed(**planned.outputs), plan=str(planned.artifact))
    with pytest.raises(UsageError) as failed:
        asked.run()
    assert "without plan-key errored.tfstate is not kept" in failed.value.hint
    assert not asked.state.exists()


@pytest.fixture(scope="module")
def made(job, planned):
    """The job that applies what the first one planned and sealed."""
    given = reviewed(**planned.outputs) | {"plan": str(planned.artifact), "plan-key": KEY}
    return job("deploy", **given).run()


def test_the_reviewed_plan_is_applied_and_written_down(made, project):
    assert made.outputs["deployed"] is True
    assert len(project.objects()) == 3
    name = LedgerName("city-taxi", "trip-fare", "dev")
    events = [str(entry.event) for entry in ledger_of(open_store(project.store), name).entries()]
    assert events[-3:] == ["deployment_started", "provisioned", "deployment_ended"]


def test_the_very_plan_is_applied_that_was_sealed_and_none_is_made_anew(planned, made):
    assert "✓ plan " in planned.said.getvalue()
    assert "✓ apply " in made.said.getvalue()
    assert "✓ plan " not in made.said.getvalue()


@pytest.mark.usefixtures("made")
def test_what_is_as_it_was_made_has_not_drifted(job):
    did = job("drift", "schedule").run()
    assert did.outputs["drifted"] is False
    assert "::warning" not in did.said.getvalue()


@pytest.mark.usefixtures("made")
def test_what_somebody_changed_has_drifted_and_is_no_failure(project, job):
    (place,) = (path for path in project.objects() if "log_group" in str(path))
    before = place.read_text()
    place.write_text(before.replace('"retention_in_days": 7', '"retention_in_days": 1'))
    assert place.read_text() != before
    try:
        did = job("drift", "schedule").run()
    finally:
        place.write_text(before)
    assert did.outputs["drifted"] is True
    assert did.outputs["drift-digest"].startswith("sha256:")
    assert "retention_in_days" in (did.left / "plan.md").read_text()
    assert "::warning" in did.said.getvalue()


def test_what_terraform_prints_is_no_command_to_the_runner():
    said = io.StringIO()
    lines = Lines(ActionConsole(said))
    lines.write("one\n::add-mask::two")
    lines.write("\nthree")
    lines.end()
    first, stop, second, start, third = said.getvalue().splitlines()
    assert (first, second, third) == ("one", "::add-mask::two", "three")
    assert stop == f"::stop-commands::{start.strip(':')}"
