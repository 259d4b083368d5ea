"""Which environments a run of deploy.yml is about, and whether it plans, deploys or looks for drift."""

import json

import pytest

from mlops_config.errors import UsageError
from mlops_config.github.console import ActionConsole
from mlops_config.github.context import GitHubContext
from mlops_config.github.deploying_targets import LEFT_OUT, program_of, require_terraform, targets_of
from mlops_config.github.matrix import find_environments
from mlops_config.github.step import Step
from mlops_config.settings import Settings, TerraformSettings

SETTINGS = Settings(terraform=TerraformSettings("terraform/environments/{environment}/aws"))


@pytest.fixture
def root(tmp_path):
    """A work tree with root modules for dev and prod."""
    for name in ("dev", "prod"):
        (tmp_path / "terraform" / "environments" / name / "aws").mkdir(parents=True)
    return tmp_path


def context(tmp_path, event="push", ref="refs/heads/main", *, fork=False):
    payload = {"repository": {"full_name": "acme/fares", "default_branch": "main"}}
    if event.startswith("pull_request"):
        ref = "refs/pull/7/merge"
        head = {"sha": "a" * 40, "ref": "x", "repo": {"full_name": "other/fares" if fork else "acme/fares"}}
        base = {"sha": "b" * 40, "ref": "main", "repo": {"full_name": "acme/fares"}}
        payload["pull_request"] = {"number": 7, "head": head, "base": base}
    path = tmp_path / "event.json"
    path.write_text(json.dumps(payload))
    return GitHubContext(
        repository="acme/fares",
        sha="a" * 40,
        ref=ref,
        event_name=event,
        actor="someone",
        run_id="1",
        run_attempt=1,
        server_url="https://github.com",
        api_url="https://api.github.com",
        event_path=path,
        output_path=tmp_path / "output",
        summary_path=None,
    )


def found(root, event="push", names=(), mode="", **about):
    targets = targets_of(names, mode, context(root, event, **about), SETTINGS, root)
    return targets.mode, targets.environments


def test_a_pull_request_plans_every_environment_with_a_root_module(root):
    assert found(root, "pull_request") == ("plan", ("dev", "prod"))


def test_a_schedule_looks_for_drift_in_every_environment_with_a_root_module(root):
    assert found(root, "schedule") == ("drift", ("dev", "prod"))


@pytest.mark.parametrize(
    ("ref", "environment"),
    [
        ("refs/heads/main", "dev"),
        ("refs/tags/release/v1.2.0-rc.1", "staging"),
        ("refs/tags/release/v1.2.0", "prod"),
    ],
)
def test_a_push_deploys_to_the_environment_of_its_ref(root, ref, environment):
    assert found(root, ref=ref) == ("deploy", (environment,))


def test_a_branch_of_no_environment_deploys_nowhere(root):
    with pytest.raises(UsageError):
        found(root, ref="refs/heads/feature")


def test_what_is_named_counts_in_the_settings_order(root):
    assert found(root, "workflow_dispatch", ("prod", "dev")) == ("deploy", ("dev", "prod"))
    assert found(root, "workflow_dispatch", ("staging",), "plan") == ("plan", ("staging",))


def test_a_name_nobody_knows_is_refused_before_it_protects_anything(root):
    with pytest.raises(UsageError, match="no environment 'production'") as refused:
        found(root, "workflow_dispatch", ("production",))
    assert refused.value.hint == "environments are dev, staging, prod"


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_a_pull_request_is_never_deployed(root, event):
    with pytest.raises(UsageError, match="never deployed"):
        found(root, event, ("dev",), "deploy")


@pytest.mark.parametrize("event", ["merge_group", "push"])
def test_what_waits_in_a_merge_queue_is_planned_and_never_deployed(root, event):
    queued = {"ref": f"refs/heads/gh-readonly-queue/main/pr-7-{'a' * 40}"}
    assert found(root, event, **queued) == ("plan", ("dev", "prod"))
    assert found(root, event, ("prod",), **queued) == ("plan", ("prod",))
    with pytest.raises(UsageError, match="never deployed"):
        found(root, event, ("prod",), "deploy", **queued)


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
def test_nothing_is_planned_with_credentials_for_a_fork(root, event):
    targets = targets_of(("dev",), "plan", context(root, event, fork=True), SETTINGS, root)
    assert (targets.environments, targets.left_out) == ((), LEFT_OUT)


def test_another_mode_is_refused(root):
    with pytest.raises(UsageError, match="'aply'"):
        found(root, mode="aply")


def test_a_work_tree_without_root_modules_says_where_it_looked(tmp_path):
    with pytest.raises(UsageError, match="terraform/environments/prod/aws"):
        found(tmp_path, "schedule")


def test_settings_without_terraform_are_refused_with_the_key_to_write():
    with pytest.raises(UsageError) as refused:
        require_terraform(Settings())
    assert "terraform: {directory:" in refused.value.hint
    assert program_of(Settings()) == ""


def test_the_settings_choose_the_program():
    assert program_of(SETTINGS) == "terraform"
    assert program_of(Settings(terraform=TerraformSettings("x/{environment}", program="tofu"))) == "tofu"


def said_by(step, capsys):
    assert find_environments(step) == 0
    lines = step.context.output_path.read_text().splitlines()
    values = {line.split("<<")[0]: lines[number + 1] for number, line in enumerate(lines) if "<<" in line}
    return values, capsys.readouterr().out


@pytest.fixture
def step_of(root):
    """A step that asks which environments there are."""
    text = "terraform: {directory: 'terraform/environments/{environment}/aws', program: tofu}\n"
    (root / "mlops-config.yaml").write_text(text)

    def make(event, *, fork=False, **inputs):
        given = {f"MLOPS_INPUT_{name.upper()}": value for name, value in inputs.items()}
        return Step(context(root, event, fork=fork), root, root / "out", given, ActionConsole())

    return make


def test_the_step_hands_on_environments_mode_and_program(step_of, capsys):
    values, _ = said_by(step_of("pull_request", **{"for": "deployment"}), capsys)
    assert values == {"program": "tofu", "mode": "plan", "environments": '["dev", "prod"]'}


def test_the_step_says_of_a_fork_what_is_left_out(step_of, capsys):
    values, printed = said_by(step_of("pull_request", fork=True, **{"for": "deployment"}), capsys)
    assert values["environments"] == "[]"
    assert f"::notice title=mlops-config::{LEFT_OUT}" in printed


def test_what_waits_in_a_merge_queue_is_not_released(step_of, capsys):
    values, printed = said_by(step_of("merge_group", environments="prod"), capsys)
    assert values["environments"] == "[]"
    assert "what is not merged releases nothing" in printed


def test_a_rollback_learns_which_program_it_needs(step_of, capsys):
    values, _ = said_by(step_of("workflow_dispatch", environments="prod"), capsys)
    assert values == {"program": "tofu", "environments": '["prod"]'}
