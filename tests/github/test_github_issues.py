"""There is one open issue of ours about a thing; it is found again, changed when that changes, and closed."""

import pytest
from tests.services.github_api import TOKENS

from mlops_config.github.client import NotFoundError, PermissionDeniedError
from mlops_config.github.issues import ISSUE_CHARACTERS, close_issue, keep_issue

KEY = "drift services/eta prod"
TITLE = "prod has drifted"
REST = "*Cut here: the rest is in the job summary.*"
FIRST, SECOND = (f"sha256:{letter * 64}" for letter in "ab")


def keep(client, body="one bucket", *, key=KEY, title=TITLE, meaning=FIRST):
    return keep_issue(client, key, title, body, meaning=meaning, rest=REST)


def open_ones(api):
    return [issue for issue in api.state.issues if issue["state"] == "open"]


def texts(api):
    return [issue["body"].partition("\n")[2] for issue in open_ones(api)]


def test_the_first_run_opens_it(api, client):
    result = keep(client)
    assert (result.done, result.url) == ("opened", f"{api.repository_url}/issues/8")
    assert texts(api) == ["one bucket"]
    assert [issue["title"] for issue in api.state.issues] == [TITLE]


@pytest.mark.parametrize("token", ["job-token", "user-token"])
def test_another_meaning_updates_it(api, connect, token):
    client = connect(token)
    keep(client)
    result = keep(client, "two buckets", title="prod has drifted: 2", meaning=SECOND)
    assert result.done == "updated"
    assert texts(api) == ["two buckets"]
    assert open_ones(api)[0]["title"] == "prod has drifted: 2"


def test_the_same_meaning_in_another_run_writes_nothing(api, client):
    keep(client, "one bucket, seen by run 1")
    del api.state.requests[:]
    assert keep(client, "one bucket, seen by run 2").done == "unchanged"
    assert {request.split()[0] for request in api.state.requests} == {"GET"}


def test_it_is_found_behind_many_others(api, client):
    keep(client)
    for number in range(130):
        api.issues.add(f"Question {number}", "?", TOKENS["user-token"])
    keep(client, "two buckets", meaning=SECOND)
    assert len(api.state.issues) == 131
    assert texts(api)[0] == "two buckets"


def test_two_environments_have_an_issue_each(api, client):
    keep(client)
    keep(client, key="drift services/eta dev")
    assert len(open_ones(api)) == 2


def test_what_others_opened_is_not_touched(api, client):
    keep(client)
    ours = api.state.issues.pop()
    foreign = api.issues.add("Copied", ours["body"], TOKENS["user-token"])
    keep(client, "two buckets", meaning=SECOND)
    close_issue(client, KEY, "gone")
    assert (foreign["state"], foreign["body"]) == ("open", ours["body"])


def test_two_runs_at_once_end_with_one_open_issue(api, connect, client):
    def other_run_comes_first(request):
        if request.method == "POST" and not api.state.issues:
            api.before = lambda _: None
            keep(connect())

    api.before = other_run_comes_first
    keep(client)
    first, second = api.state.issues
    assert (first["state"], second["state"], second["state_reason"]) == ("open", "closed", "not_planned")
    assert api.state.comments[-1]["body"] == "The same as #8."


def test_an_issue_opened_twice_because_the_answer_was_lost_ends_as_one(api, client):
    api.answer_next(None, method="POST", containing="/issues", carried_out=True)
    keep(client)
    assert len(open_ones(api)) == 1


def test_it_is_closed_with_a_comment_when_the_matter_is_over(api, client):
    keep(client)
    result = close_issue(client, KEY, "The drift has gone.")
    assert result.done == "closed"
    (issue,) = api.state.issues
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert [(each["issue"], each["body"]) for each in api.state.comments] == [(8, "The drift has gone.")]


def test_nothing_is_closed_where_nothing_is_open(api, client):
    keep(client)
    close_issue(client, KEY, "The drift has gone.")
    assert close_issue(client, KEY, "The drift has gone.").done == "none"
    assert len(api.state.comments) == 1


def test_what_drifts_again_opens_a_new_one(api, client):
    keep(client)
    close_issue(client, KEY, "The drift has gone.")
    assert keep(client).done == "opened"
    assert len(open_ones(api)) == 1


def test_a_repository_without_issues_is_said(api, client):
    api.state.has_issues = False
    with pytest.raises(NotFoundError, match="disabled"):
        keep(client)


def test_a_token_that_may_not_write_issues_is_said(connect):
    with pytest.raises(PermissionDeniedError) as refused:
        keep(connect("fork-token"))
    assert "issues: write" in refused.value.hint


def test_a_body_beyond_the_limit_is_cut_and_says_where_the_rest_is(api, client):
    keep(client, "one line of text 🌈\n" * 9_000)
    (issue,) = api.state.issues
    assert ISSUE_CHARACTERS - 40 < len(issue["body"]) <= ISSUE_CHARACTERS
    assert issue["body"].endswith(f"\n{REST}\n")


def test_the_hidden_mark_cannot_be_broken_out_of(api, client):
    keep(client, key="a --> <b>\n@team-x")
    first_line = api.state.issues[0]["body"].partition("\n")[0]
    assert first_line.count("--") == 2
    assert first_line.count(">") == 1


def test_a_meaning_must_be_a_digest(client):
    with pytest.raises(ValueError, match="no digest"):
        keep(client, meaning="-->")
