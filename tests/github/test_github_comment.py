"""The pull request has one comment of ours, found again and updated, and no other comment is touched."""

import pytest
from tests.services.github_api import TOKENS

from mlops_config.github.client import BadTokenError, NotFoundError
from mlops_config.github.comment import marker, post_comment
from mlops_config.github.limits import COMMENT_CHARACTERS

KEY = "fares/configs"
REST = "*Cut here: the rest is in the job summary.*"


def bodies(api):
    return [comment["body"] for comment in api.state.comments]


def test_the_first_run_makes_the_comment(api, client):
    result = post_comment(client, 7, KEY, "hello", rest=REST)
    assert result.created
    assert result.url.endswith("/issues/7#issuecomment-1")
    assert bodies(api) == [f"{marker(KEY)}\nhello"]


@pytest.mark.parametrize("token", ["job-token", "user-token"])
def test_the_next_run_updates_it(api, connect, token):
    client = connect(token)
    first = post_comment(client, 7, KEY, "hello", rest=REST)
    second = post_comment(client, 7, KEY, "hello again", rest=REST)
    assert (second.url, second.created) == (first.url, False)
    assert bodies(api) == [f"{marker(KEY)}\nhello again"]


def test_the_same_text_is_not_sent_again(api, client):
    post_comment(client, 7, KEY, "hello", rest=REST)
    del api.state.requests[:]
    post_comment(client, 7, KEY, "hello", rest=REST)
    assert [request.split()[0] for request in api.state.requests] == ["GET", "GET"]


def test_it_is_found_behind_many_others(api, client):
    for number in range(150):
        api.add_comment(7, f"comment {number}", TOKENS["user-token"])
    post_comment(client, 7, KEY, "hello", rest=REST)
    post_comment(client, 7, KEY, "hello again", rest=REST)
    assert len(bodies(api)) == 151
    assert bodies(api)[-1].endswith("hello again")


def test_two_projects_have_a_comment_each(api, client):
    post_comment(client, 7, "fares/configs", "one", rest=REST)
    post_comment(client, 7, "fares/services/eta", "two", rest=REST)
    assert len(bodies(api)) == 2


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("{marker}\nmine", "user-token"),
        ("> {marker}\nquoted", "job-token"),
        ("nothing of ours", "job-token"),
    ],
)
def test_what_others_wrote_is_not_touched(api, client, text, author):
    foreign = text.format(marker=marker(KEY))
    api.add_comment(7, foreign, TOKENS[author])
    post_comment(client, 7, KEY, "hello", rest=REST)
    assert bodies(api) == [foreign, f"{marker(KEY)}\nhello"]


def test_a_user_does_not_touch_what_an_app_wrote(api, connect):
    api.add_comment(7, f"{marker(KEY)}\nthe app's", TOKENS["job-token"])
    post_comment(connect("user-token"), 7, KEY, "hello", rest=REST)
    assert bodies(api) == [f"{marker(KEY)}\nthe app's", f"{marker(KEY)}\nhello"]


def test_a_comment_made_twice_ends_as_one(api, client):
    api.answer_next(None, method="POST", carried_out=True)
    post_comment(client, 7, KEY, "hello", rest=REST)
    assert bodies(api) == [f"{marker(KEY)}\nhello"]
    assert sum(request.startswith("POST") for request in api.state.requests) == 2


def test_two_runs_at_once_end_in_one_comment(api, client):
    def other_run_comes_first(request):
        if request.method == "POST" and not api.state.comments:
            api.add_comment(7, f"{marker(KEY)}\nby the other run", TOKENS["job-token"])

    api.before = other_run_comes_first
    post_comment(client, 7, KEY, "hello", rest=REST)
    assert bodies(api) == [f"{marker(KEY)}\nhello"]


def test_a_double_that_the_other_run_deleted_first_is_no_failure(api, client):
    api.add_comment(7, f"{marker(KEY)}\none", TOKENS["job-token"])
    double = api.add_comment(7, f"{marker(KEY)}\ntwo", TOKENS["job-token"])

    def other_run_deletes_it(request):
        if request.method == "DELETE":
            api.state.comments.remove(double)

    api.before = other_run_deletes_it
    post_comment(client, 7, KEY, "hello", rest=REST)
    assert bodies(api) == [f"{marker(KEY)}\nhello"]


def test_a_read_only_token_is_reported_and_does_not_fail(api, connect):
    result = post_comment(connect("fork-token"), 7, KEY, "hello", rest=REST)
    assert result.url is None
    assert "Resource not accessible by integration" in result.refused
    assert bodies(api) == []


def test_a_bad_token_fails(connect):
    with pytest.raises(BadTokenError):
        post_comment(connect("none"), 7, KEY, "hello", rest=REST)


def test_a_pull_request_that_is_not_there_fails(client):
    with pytest.raises(NotFoundError):
        post_comment(client, 8, KEY, "hello", rest=REST)


def test_a_body_beyond_the_limit_is_cut_and_says_where_the_rest_is(api, client):
    post_comment(client, 7, KEY, "one line of text 🌈\n" * 9_000, rest=REST)
    (body,) = bodies(api)
    assert COMMENT_CHARACTERS - 40 < len(body) <= COMMENT_CHARACTERS
    assert body.startswith(f"{marker(KEY)}\none line")
    assert body.endswith(f"\n{REST}\n")


def test_a_marker_cannot_be_broken_out_of():
    line = marker("a --> <b>\n@team-x")
    assert line.count("--") == 2
    assert line.count(">") == 1
    assert "\n" not in line
