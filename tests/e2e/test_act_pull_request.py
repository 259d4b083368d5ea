"""examples/pull-request.yml as it stands, run by act: a pull request is checked, and told in one comment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.act import Act, Run
from tests.services.caller import Caller
from tests.services.github_api import GitHubApi, State, serving

WORKFLOW = ".github/workflows/pull-request.yml"


@pytest.fixture
def github() -> Iterator[GitHubApi]:
    with serving(GitHubApi(state=State(pull_requests=[7]))) as api:
        yield api
    assert api.state.violations == []


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    caller = Caller(tmp_path / "fares")
    caller.git("switch", "--quiet", "--create", "change")
    return caller


def opened(act: Act, caller: Caller, github: GitHubApi, token: str = "job-token") -> Run:  # noqa: S107 a stand-in's
    event = caller.pull_request(fork=token == "fork-token")
    return act.run(
        caller.folder, WORKFLOW, "pull_request", event, env={"GITHUB_API_URL": github.api_url}, token=token
    )


def test_a_good_change_passes_with_a_row_for_every_file_in_summary_and_comment(act, caller, github):
    training = caller.config("dev", "training")
    caller.edit(training, "owner: fares@example.com", "owner: rides@example.com")
    caller.commit("Change the owner")
    run = opened(act, caller, github)
    assert run.exit_code == 0, run.log
    assert run.results == {"Configuration": "success", "Pull-request comment": "success"}
    assert run.annotations == []
    rows = [f"| {env} | {kind} |" for env in ("dev", "staging", "prod") for kind in ("training", "retrain")]
    (comment,) = github.state.comments
    assert "`metadata.owner` `fares@example.com` → `rides@example.com`" in comment["body"]
    for row in rows:
        assert row in run.summary
        assert row in comment["body"]


def test_a_bad_change_fails_with_each_error_on_its_very_line(act, caller, github):
    training, inference = caller.config("staging", "training"), caller.config("prod", "inference")
    lines = {
        (training, caller.edit(training, "test_fraction: 0.2", "test_fraction: twenty")),
        (inference, caller.edit(inference, "kind: inference", "kind: inferense")),
    }
    caller.commit("Break two files")
    run = opened(act, caller, github)
    assert run.exit_code != 0
    assert run.results["Configuration"] == "failure"
    errors = {each.place for each in run.annotations if each.level == "error"}
    assert errors == {(path.relative_to(caller.folder).as_posix(), line) for path, line in lines}
    findings = run.artifacts / "mlops-config-findings"
    assert {path.name for path in findings.iterdir()} >= {"findings.json", "findings.sarif", "report.md"}


COMMENT_ALONE = """
on: pull_request
permissions: {}
jobs:
  comment:
    uses: org/mlops-config-action/.github/workflows/comment.yml@v1
"""


def test_the_report_of_a_failed_validation_is_posted_and_the_next_one_updates_it(act, caller, github):
    alone = caller.workflow("comment.yml", COMMENT_ALONE)
    training = caller.config("dev", "training")
    caller.edit(training, "test_fraction: 0.2", "test_fraction: 1.2")
    caller.commit("Break it")
    failed = opened(act, caller, github)
    env = {"GITHUB_API_URL": github.api_url}
    act.run(caller.folder, alone, "pull_request", caller.pull_request(), env=env, artifacts=failed.artifacts)
    (broken,) = [comment["body"] for comment in github.state.comments]
    caller.edit(training, "test_fraction: 1.2", "test_fraction: 0.2")
    caller.commit("Mend it")
    run = opened(act, caller, github)
    assert run.exit_code == 0, run.log
    (mended,) = [comment["body"] for comment in github.state.comments]
    assert ("❌" in broken, "❌" in mended) == (True, False)


def test_a_pull_request_from_a_fork_is_checked_though_its_token_cannot_comment(act, caller, github):
    run = opened(act, caller, github, token="fork-token")
    assert run.exit_code == 0, run.log
    assert github.state.comments == []
    (notice,) = run.annotations
    assert notice.level == "notice"
    assert "the job summary has the same report" in notice.message


TESTED = """
on: pull_request
permissions: {}
jobs:
  validate:
    uses: org/mlops-config-action/.github/workflows/validate.yml@v1
    with:
      tests: true
      tests-install: touch installed
      tests-lint: LINT
      tests-command: ls installed && echo "<coverage/>" > coverage.xml
"""


def test_the_callers_own_linter_and_tests_run_in_a_job_of_their_own(act, caller):
    workflow = caller.workflow("tested.yml", TESTED.replace("LINT", "test -d configs"))
    run = act.run(caller.folder, workflow, "pull_request", caller.pull_request())
    assert run.exit_code == 0, run.log
    assert run.results == {"Configuration": "success", "Lint and tests": "success"}
    assert (run.artifacts / "mlops-config-findings-coverage" / "coverage.xml").read_text() == "<coverage/>\n"


def test_a_failing_linter_of_the_callers_fails_that_job(act, caller):
    workflow = caller.workflow("tested.yml", TESTED.replace("LINT", "test -d nowhere"))
    run = act.run(caller.folder, workflow, "pull_request", caller.pull_request())
    assert run.exit_code != 0
    assert run.results["Lint and tests"] == "failure"
    assert run.failed_steps == ["Lint"]
