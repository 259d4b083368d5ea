"""One comment tells the plans of all environments, and one issue for each environment its drift."""

import json

import pytest
from tests.github.test_deploying_targets import context

from mlops_config.errors import UsageError
from mlops_config.github.client import NotFoundError
from mlops_config.github.deploying_report import comment_of, plans_in
from mlops_config.github.limits import COMMENT_CHARACTERS
from mlops_config.github.posting import post
from mlops_config.github.step import Step

ENVIRONMENTS = ["dev", "staging", "prod"]
DIGEST = "sha256:" + "ab" * 32
DRIFTED = {"drifted": True, "drift-digest": DIGEST}


class Listening:
    """Keeps what a step says."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    command = say


@pytest.fixture
def left(tmp_path):
    """Leaves what the job of an environment would; a second call replaces it."""

    def leave(environment, text="", **outputs):
        folder = tmp_path / "plans" / f"mlops-config-deploy-plan-{environment}" / environment
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "outputs.json").write_text(json.dumps({"environment": environment, **outputs}))
        (folder / "plan.md").unlink(missing_ok=True)
        if text:
            (folder / "plan.md").write_text(text)

    leave.folder = tmp_path / "plans"
    return leave


@pytest.fixture
def three(left):
    """Three plans: one that creates, one that changes nothing, one that deletes."""
    left("dev", "dev's plan", **{"changes": "3 to create", "has-changes": True, "plan-digest": DIGEST})
    left("staging", "No changes.", **{"has-changes": False, "plan-digest": DIGEST})
    left("prod", "prod's plan", **{"changes": "1 to delete", "has-changes": True, "deletes": True})
    return left


@pytest.fixture
def posted(api, tmp_path, left):
    """Runs the step that posts; what it said."""

    def run(what, event="pull_request", token="job-token", environments=ENVIRONMENTS):  # noqa: S107 a stand-in's
        given = {
            "WHAT": what,
            "PATH": str(left.folder),
            "ENVIRONMENTS": json.dumps(environments),
            "GITHUB_TOKEN": token,
        }
        inputs = {f"MLOPS_INPUT_{name}": value for name, value in given.items()}
        about = context(tmp_path, event)
        console = Listening()
        step = Step(
            about.__class__(**{**about.__dict__, "api_url": api.api_url}), tmp_path, tmp_path, inputs, console
        )
        assert post(step) == 0
        return console.lines

    return run


def rows(body):
    cells = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| **")]
    return {cell[0].strip("*"): cell[1] for cell in cells}


@pytest.mark.usefixtures("three")
def test_one_comment_has_a_row_for_every_environment_in_the_settings_order(api, posted):
    posted("plans")
    (comment,) = api.state.comments
    assert rows(comment["body"]) == {
        "dev": "`3 to create`",
        "staging": "✅ change nothing",
        "prod": "⚠️ `1 to delete`",
    }
    assert comment["body"].index("dev's plan") < comment["body"].index("prod's plan")


def test_the_next_push_updates_the_comment(api, three, posted):
    posted("plans")
    three("dev", "another plan", **{"changes": "4 to create", "has-changes": True})
    assert posted("plans")[0].startswith("comment updated")
    (comment,) = api.state.comments
    assert rows(comment["body"])["dev"] == "`4 to create`"


def test_it_is_not_the_comment_of_the_validation(api, three, posted):
    (three.folder / "report.md").write_text("validated")
    posted("report")
    posted("plans")
    assert len(api.state.comments) == 2


def test_a_plan_that_failed_has_a_row_that_says_why(api, three, posted):
    three("prod", failed="no credentials: <b>@team</b>")
    posted("plans")
    (comment,) = api.state.comments
    assert "no plan" in rows(comment["body"])["prod"]
    assert "@team" not in comment["body"].replace("&#64;team", "")
    assert "<b>" not in comment["body"]


@pytest.mark.usefixtures("three")
def test_an_environment_whose_job_left_nothing_has_a_row_too(posted, api):
    posted("plans", environments=[*ENVIRONMENTS, "canary"])
    assert "no plan" in rows(api.state.comments[0]["body"])["canary"]


def test_three_long_plans_share_the_room_of_one_comment(left):
    for name in ENVIRONMENTS:
        left(name, f"begin {name}\n" + "a line of the plan\n" * 9_000, **{"has-changes": True})
    body = comment_of(plans_in(left.folder, ENVIRONMENTS), "https://example.com/run", project=".")
    assert COMMENT_CHARACTERS - 4_000 < len(body) < COMMENT_CHARACTERS - 200
    assert body.count("The rest of this plan is in the run's summary") == 3
    assert body.count("<details>") == body.count("</details>") == 3


@pytest.mark.usefixtures("three")
def test_a_token_that_cannot_comment_is_a_notice_and_no_failure(api, posted):
    (line,) = posted("plans", token="fork-token")
    assert line.startswith("::notice")
    assert "the job summary has the same plans" in line
    assert api.state.comments == []


def test_two_plans_of_one_environment_are_refused(three):
    copy = three.folder / "other"
    copy.mkdir()
    (copy / "outputs.json").write_text('{"environment": "dev"}')
    with pytest.raises(UsageError, match="two plans for dev"):
        plans_in(three.folder, ENVIRONMENTS)


@pytest.mark.usefixtures("three")
def test_what_is_posted_is_known(posted):
    with pytest.raises(UsageError, match="'planes'"):
        posted("planes")


def states(api):
    return {issue["title"].split()[0]: issue["state"] for issue in api.state.issues}


@pytest.fixture
def drifted(left):
    """dev is as Terraform made it, prod is not, and staging's check failed."""
    left("dev", drifted=False)
    left("staging", failed="no credentials")
    left("prod", "a bucket lost its versions", **DRIFTED)
    return left


@pytest.mark.usefixtures("drifted")
def test_only_the_environment_that_drifted_gets_an_issue(api, posted):
    said = posted("drift", "schedule")
    assert states(api) == {"prod": "open"}
    assert "a bucket lost its versions" in api.state.issues[0]["body"]
    assert [line.split(":")[0] for line in said] == ENVIRONMENTS


def test_the_same_drift_the_next_night_changes_nothing(api, drifted, posted):
    posted("drift", "schedule")
    before = dict(api.state.issues[0])
    drifted("prod", "a bucket lost its versions, and a later release was planned", **DRIFTED)
    posted("drift", "schedule")
    assert api.state.issues == [before]


def test_another_drift_changes_the_issue(api, drifted, posted):
    posted("drift", "schedule")
    drifted("prod", "and a role is gone", **DRIFTED | {"drift-digest": "sha256:" + "cd" * 32})
    posted("drift", "schedule")
    assert len(api.state.issues) == 1
    assert "and a role is gone" in api.state.issues[0]["body"]


def test_the_issue_is_closed_when_the_drift_has_gone(api, drifted, posted):
    posted("drift", "schedule")
    drifted("prod", drifted=False)
    posted("drift", "schedule")
    assert states(api) == {"prod": "closed"}
    assert "The drift has gone" in api.state.comments[0]["body"]


def test_a_check_that_failed_closes_nothing(api, drifted, posted):
    posted("drift", "schedule")
    drifted("prod", failed="the state is locked")
    posted("drift", "schedule")
    assert states(api) == {"prod": "open"}


@pytest.mark.usefixtures("drifted")
def test_a_drift_that_cannot_be_told_fails(api, posted):
    api.state.has_issues = False
    with pytest.raises(NotFoundError):
        posted("drift", "schedule")
