"""The smaller actions around a matrix of releases: naming environments, collecting what was left, posting."""

import json

import pytest
from tests.services.github_api import GitHubApi, State, serving

PULL_REQUEST = {
    "pull_request": {
        "number": 7,
        "head": {"sha": "1" * 40, "ref": "change", "repo": {"full_name": "acme/fares"}},
        "base": {"sha": "2" * 40, "ref": "main", "repo": {"full_name": "acme/fares"}},
    }
}
TAG = "refs/tags/release/v1.2.0"


@pytest.fixture
def github():
    with serving(GitHubApi(state=State(pull_requests=[7], tags={"release/v1.2.0": "3" * 40}))) as api:
        yield api
    assert api.state.violations == []


@pytest.fixture
def left(tmp_path):
    """What the artifacts of two releases hold."""
    folder = tmp_path / "artifacts"
    for name in ("dev", "prod"):
        place = folder / f"mlops-config-release-{name}" / name
        place.mkdir(parents=True)
        (place / "outputs.json").write_text(json.dumps({"environment": name, "changed": name == "prod"}))
        (place / "release.json").write_text(json.dumps({"environment": name, "version": None}))
        (place / "notes.md").write_text(f"# Notes of {name}\n")
    return folder


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"environments": "prod, dev"}, ["dev", "prod"]),
        ({"environments": "staging"}, ["staging"]),
        ({"ref": TAG}, ["prod"]),
        ({"ref": "refs/tags/release/v1.2.0-rc.3"}, ["staging"]),
        ({"ref": "refs/heads/main"}, ["dev"]),
        ({"event": "pull_request", "payload": PULL_REQUEST, "ref": "refs/pull/7/merge"}, []),
        ({"event": "pull_request", "payload": PULL_REQUEST, "environments": "dev"}, []),
    ],
)
def test_environments_are_those_named_or_the_refs_in_the_settings_order(run, runner, inputs, named):
    assert run("environments", **inputs).exit_code == 0
    assert json.loads(runner.outputs["environments"]) == named


def test_the_settings_of_the_project_decide_which_environments_there_are(run, runner, repository):
    (repository.folder / "mlops-config.yaml").write_text("schema_version: 1\nenvironments: [test, live]\n")
    assert run("environments", environments="live,test").exit_code == 0
    assert json.loads(runner.outputs["environments"]) == ["test", "live"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"environments": "dev, prd"},
            "there is no environment 'prd'\nhint: did you mean prod? environments are dev, staging, prod",
        ),
        (
            {"event": "pull_request", "payload": PULL_REQUEST, "environments": "x"},
            "there is no environment 'x'",
        ),
        ({"ref": "refs/heads/topic"}, "no environment belongs to refs/heads/topic"),
        ({"environments": "$(touch planted)"}, "there is no environment '$(touch'"),
    ],
)
def test_an_environment_nobody_knows_ends_the_run(run, runner, inputs, said):
    ran = run("environments", **inputs)
    assert ran.exit_code == 2
    assert ran.commands[0].message.startswith(said)
    assert runner.outputs == {}


def test_what_each_release_left_is_gathered_under_its_environment(run, runner, left):
    assert run("collect", path=str(left)).exit_code == 0
    assert json.loads(runner.outputs["releases"]) == {
        name: {
            "environment": name,
            "changed": name == "prod",
            "record": {"environment": name, "version": None},
        }
        for name in ("dev", "prod")
    }


def test_a_dry_run_leaves_no_record(run, runner, left):
    for record in left.rglob("release.json"):
        record.unlink()
    assert run("collect", path=str(left)).exit_code == 0
    assert [each["record"] for each in json.loads(runner.outputs["releases"]).values()] == [None, None]


def test_nothing_left_is_no_release(run, runner, tmp_path):
    assert run("collect", path=str(tmp_path / "nowhere")).exit_code == 0
    assert runner.outputs["releases"] == "{}"


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), ("[]", "is JSON, but not an object"), ("{}", "does not say which environment")],
)
def test_a_file_that_is_not_ours_is_refused(run, left, text, said):
    next(left.rglob("outputs.json")).write_text(text)
    ran = run("collect", path=str(left))
    assert ran.exit_code == 2
    assert said in ran.commands[0].message


def test_two_releases_of_one_environment_are_refused(run, left):
    (left / "mlops-config-release-dev").rename(left / "a")
    (left / "b").mkdir()
    (left / "b" / "outputs.json").write_text('{"environment": "dev"}')
    ran = run("collect", path=str(left))
    assert "holds two releases to dev" in ran.commands[0].message


def test_the_notes_of_every_environment_go_into_the_tags_one_release(run, left, github):
    ran = run("post", path=str(left), ref=TAG, api_url=github.api_url, github_token="job-token")
    assert ran.exit_code == 0, ran.printed
    (release,) = github.state.releases
    assert (release["name"], release["prerelease"]) == ("v1.2.0", False)
    assert "# Notes of dev" in release["body"]
    assert "# Notes of prod" in release["body"]


def test_a_release_candidate_is_posted_as_a_prerelease(run, left, github):
    github.state.tags["release/v1.3.0-rc.1"] = "4" * 40
    ref = "refs/tags/release/v1.3.0-rc.1"
    assert (
        run("post", path=str(left), ref=ref, api_url=github.api_url, github_token="job-token").exit_code == 0
    )
    assert github.state.releases[0]["prerelease"] is True


def test_notes_of_a_branch_are_posted_nowhere(run, left, github):
    ran = run("post", path=str(left), api_url=github.api_url, github_token="job-token")
    assert ran.exit_code == 0
    assert "refs/heads/main is not a tag" in ran.printed
    assert github.state.requests == []


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.md").write_text("| dev | training | ✅ valid |")
    return folder


def comment(run, report, github, **inputs):
    merge = {"event": "pull_request", "payload": PULL_REQUEST, "ref": "refs/pull/7/merge"}
    given = {"github_token": "job-token"} | inputs
    return run("post", path=str(report), api_url=github.api_url, **merge, **given)


def test_the_report_goes_into_one_comment_for_each_project(run, report, github):
    for project in (".", "teams/a", "."):
        assert comment(run, report, github, working_directory=project).exit_code == 0
    assert len(github.state.comments) == 2


def test_a_token_that_cannot_write_is_a_notice_and_no_failure(run, report, github):
    ran = comment(run, report, github, github_token="fork-token")
    assert ran.exit_code == 0
    (notice,) = ran.commands
    assert notice.name == "notice"
    assert "the job summary has the same report" in notice.message


def test_a_token_that_cannot_write_releases_is_a_notice_and_no_failure(run, left, github):
    ran = run("post", path=str(left), ref=TAG, api_url=github.api_url, github_token="fork-token")
    assert ran.exit_code == 0
    assert {each.name for each in ran.commands} == {"notice"}


def test_nothing_to_post_says_which_job_should_have_left_it(run, github, tmp_path):
    ran = run("post", path=str(tmp_path / "none"), ref=TAG, api_url=github.api_url, github_token="job-token")
    assert ran.exit_code == 2
    assert "did it get that far?" in ran.commands[0].message


def test_a_missing_token_says_so(run, left):
    ran = run("post", path=str(left), ref=TAG)
    assert "github-token is empty" in ran.commands[0].message


def test_the_action_itself_posts_the_report_when_asked(run, github):
    merge = {"event": "pull_request", "payload": PULL_REQUEST, "ref": "refs/pull/7/merge"}
    ran = run(notes="pull-request", github_token="job-token", api_url=github.api_url, **merge)
    assert ran.exit_code == 0, ran.printed
    assert "✅" in github.state.comments[0]["body"]


def test_the_action_itself_posts_the_notes_when_asked(run, github, repository, tmp_path):
    repository.git("tag", "release/v1.2.0")
    given = {"stages": "validate,build,publish,notes", "notes": "release", "github_token": "job-token"}
    ran = run(**given, ref=TAG, stores=(tmp_path / "store").as_uri(), api_url=github.api_url)
    assert ran.exit_code == 0, ran.printed
    assert github.state.releases[0]["tag_name"] == "release/v1.2.0"


def test_a_dry_run_posts_no_notes(run, github, repository):
    repository.git("tag", "release/v1.2.0")
    given = {
        "stages": "validate,build,notes",
        "notes": "release",
        "github_token": "job-token",
        "dry_run": "true",
    }
    ran = run(**given, ref=TAG, api_url=github.api_url)
    assert ran.exit_code == 0, ran.printed
    assert github.state.releases == []
