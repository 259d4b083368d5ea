"""The client pages, waits for rate limits and says in words why GitHub refused."""

import time

import pytest
import requests
from tests.services.github_api import TOKENS, GitHubApi, serving
from tests.services.github_description import Answer

from mlops_config.errors import ServiceError
from mlops_config.github.client import (
    BadTokenError,
    GitHubError,
    NotFoundError,
    PermissionDeniedError,
    RejectedError,
    rate_limit_wait,
)

THREAD = "/issues/7/comments"


def answer(status=403, text="", **headers):
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def test_every_page_is_read(api, client):
    for number in range(250):
        api.add_comment(7, f"comment {number}", TOKENS["user-token"])
    assert [comment["body"] for comment in client.pages(THREAD)] == [f"comment {n}" for n in range(250)]
    assert len(api.state.requests) == 3


def test_pages_are_read_as_they_are_wanted(api, client):
    for number in range(250):
        api.add_comment(7, f"comment {number}", TOKENS["user-token"])
    assert next(client.pages(THREAD))["body"] == "comment 0"
    assert len(api.state.requests) == 1


def test_a_page_on_another_host_does_not_get_the_token(api, client):
    api.answer_next(200, headers={"Link": '<http://elsewhere.invalid/2>; rel="next"'}, carried_out=True)
    api._planned[0].answer.document = []
    with pytest.raises(ServiceError, match=r"another host .* must not get the token"):
        list(client.pages(THREAD))


def test_an_enterprise_server_is_spoken_to_below_its_prefix(connect):
    api = GitHubApi(prefix="/api/v3")
    api.state.pull_requests.append(7)
    with serving(api):
        assert list(connect(api_url=f"{api.url}/api/v3/").pages(THREAD)) == []
    assert api.state.requests == ["GET /api/v3/repos/acme/fares/issues/7/comments?per_page=100"]
    assert api.state.violations == []


def test_a_bad_token_is_named(connect):
    with pytest.raises(BadTokenError, match=r"answered 401 \(Bad credentials\)") as caught:
        connect("no-such-token").get("/releases/1")
    assert "expired" in caught.value.hint


def test_a_token_that_may_not_is_told_what_it_needs(connect):
    with pytest.raises(PermissionDeniedError, match="Resource not accessible") as caught:
        connect("fork-token").post(THREAD, {"body": "hello"})
    assert "issues: write or pull-requests: write" in caught.value.hint


def test_a_repository_out_of_sight_is_not_found(connect):
    with pytest.raises(NotFoundError) as caught:
        connect(repository="acme/other").get("/releases/1")
    assert "acme/other" in caught.value.hint


def test_a_refusal_carries_its_codes(api, client):
    api.add_release("release/v1.2.0")
    with pytest.raises(RejectedError, match="tag_name: already_exists") as caught:
        client.post("/releases", {"tag_name": "release/v1.2.0"})
    assert caught.value.codes == {"already_exists"}


def test_any_other_refusal_is_an_error_with_its_status(api, client):
    api.answer_next(451, "gone for good\u202e")
    with pytest.raises(GitHubError, match=r"451 \(gone for good\)") as caught:
        client.get("/releases/1")
    assert caught.value.status == 451
    assert caught.value.exit_code == 3


def test_an_answer_from_something_in_between_is_an_error_without_words(api, client):
    class Page(Answer):
        body = b"<html>blocked by the proxy</html>"

    api.answer_next(404)
    api._planned[0].answer = Page(404, None)
    with pytest.raises(NotFoundError, match=r"^GitHub answered 404 to GET /repos/acme/fares/releases/1$"):
        client.get("/releases/1")
    api.state.violations.clear()


def test_a_list_without_end_is_given_up(api, client, monkeypatch):
    monkeypatch.setattr("mlops_config.github.client.MAX_PAGES", 2)
    for number in range(250):
        api.add_comment(7, f"comment {number}", TOKENS["user-token"])
    with pytest.raises(ServiceError, match="longer than 200 entries"):
        list(client.pages(THREAD))


def test_a_busy_service_is_tried_again(api, client, waits):
    api.add_release("release/v1.2.0")
    api.answer_next(502, times=2)
    assert client.get("/releases/1")["tag_name"] == "release/v1.2.0"
    assert waits == [0.5, 1.0]


def test_a_dropped_connection_is_tried_again(api, client):
    api.add_release("release/v1.2.0")
    api.answer_next(None)
    assert client.get("/releases/1")["tag_name"] == "release/v1.2.0"


def test_a_service_that_stays_down_ends_in_one_sentence(api, client):
    api.answer_next(503, times=9)
    with pytest.raises(ServiceError, match=r"the request to GitHub failed: 127.* 503 .* \(tried 3 times"):
        client.get("/releases/1")


@pytest.mark.parametrize("status", [403, 429])
def test_the_primary_limit_is_waited_for(api, client, waits, status):
    api.add_release("release/v1.2.0")
    reset = str(int(time.time()) + 90)
    api.answer_next(
        status,
        "API rate limit exceeded for installation",
        headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset},
    )
    client.get("/releases/1")
    assert waits == [pytest.approx(90, abs=3)]


def test_the_secondary_limit_is_waited_for_as_it_asks(api, client, waits):
    api.answer_next(403, "You have exceeded a secondary rate limit", headers={"Retry-After": "7"})
    client.post(THREAD, {"body": "hello"})
    assert waits == [7.0]
    assert len(api.state.comments) == 1


def test_a_limit_that_lasts_too_long_is_said(api, client, waits):
    reset = str(int(time.time()) + 3000)
    api.answer_next(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset})
    with pytest.raises(ServiceError, match=r"asks us to wait \d+ s, and the limit is 300 s"):
        client.get("/releases/1")
    assert waits == []


def test_the_wait_goes_by_githubs_clock():
    limited = answer(
        Date="Thu, 01 Jan 2026 00:00:00 GMT", x_ratelimit_remaining="0", x_ratelimit_reset="1767225630"
    )
    assert rate_limit_wait(limited, now=lambda: 0.0) == 31.0


def test_without_githubs_clock_the_wait_goes_by_ours():
    limited = answer(x_ratelimit_remaining="0", x_ratelimit_reset="1767225630")
    assert rate_limit_wait(limited, now=lambda: 1767225600.0) == 31.0


def test_a_limit_told_in_words_alone_is_waited_for_a_minute():
    assert rate_limit_wait(answer(text='{"message": "You have exceeded a secondary rate limit"}')) == 60.0


@pytest.mark.parametrize(
    "response",
    [answer(text="Resource not accessible"), answer(200, Retry_After="1"), answer(x_ratelimit_remaining="5")],
)
def test_other_answers_are_no_rate_limit(response):
    assert rate_limit_wait(response) is None


def test_a_renamed_repository_is_followed_with_the_same_method(api, client):
    api.answer_next(301, headers={"Location": f"{api.api_url}/repos/acme/fares{THREAD}"})
    client.post(THREAD, {"body": "hello"})
    assert [request.split()[0] for request in api.state.requests] == ["POST", "POST"]


def test_redirects_without_end_are_an_error(api, client):
    api.answer_next(301, headers={"Location": f"{api.api_url}/repos/acme/fares{THREAD}"}, times=9)
    with pytest.raises(GitHubError, match="answered 301"):
        client.get("/releases/1")


def test_a_redirect_to_another_host_does_not_get_the_token(api, client):
    api.answer_next(302, headers={"Location": "https://elsewhere.invalid/"})
    with pytest.raises(ServiceError, match="must not get the token"):
        client.get("/releases/1")


def test_whose_token_it_is(connect):
    assert connect("user-token").login() == "release-robot"
    assert connect("job-token").login() is None
