"""The stand-in for GitHub notices what is wrong with a request, and with its own answers."""

import json
import signal
import subprocess
import sys

import pytest
import requests
from tests.services.github_api import GitHubApi, serving

HEADERS = {
    "Authorization": "Bearer job-token",
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
}


@pytest.fixture
def api():
    api = GitHubApi()
    api.state.pull_requests.append(7)
    with serving(api):
        yield api


def ask(api, method, path, headers=HEADERS, **arguments):
    return requests.request(
        method, f"{api.api_url}/repos/acme/fares{path}", headers=headers, timeout=10, **arguments
    )


def test_a_fitting_request_is_no_violation(api):
    assert ask(api, "POST", "/issues/7/comments", json={"body": "hello"}).status_code == 201
    assert api.state.violations == []


@pytest.mark.parametrize(
    ("method", "path", "arguments", "violation"),
    [
        ("GET", "/actions/runs", {}, "no request this stand-in knows"),
        ("PUT", "/releases", {}, "no request this stand-in knows"),
        ("POST", "/issues/7/comments", {"json": {"bod": "x"}}, "'body' is a required property"),
        ("POST", "/issues/7/comments", {"json": {"body": 1}}, "1 is not of type 'string'"),
        ("POST", "/issues/7/comments", {"json": {"body": "x", "boddy": 1}}, "unknown property boddy"),
        ("POST", "/releases", {"json": {"tag_name": "v1", "make_latest": "yes"}}, "'yes' is not one of"),
        ("GET", "/releases?per_page=many", {}, "per_page"),
        ("GET", "/releases", {"headers": HEADERS | {"X-GitHub-Api-Version": "1999-01-01"}}, "no version"),
        ("GET", "/releases", {"headers": HEADERS | {"Accept": "text/html"}}, "Accept"),
    ],
)
def test_what_does_not_fit_is_written_down_and_refused(api, method, path, arguments, violation):
    answer = ask(api, method, path, **arguments)
    assert answer.status_code in (404, 422)
    assert len(api.state.violations) == 1
    assert violation in api.state.violations[0]


@pytest.mark.parametrize(
    ("broken", "violation"),
    [({"body": 3}, "3 is not of type 'string'"), ({"created_at": "yesterday"}, "yesterday")],
)
def test_its_own_wrong_answers_are_written_down(api, broken, violation):
    comment = api.add_comment(7, "hello", api.tokens["job-token"])
    comment |= broken
    ask(api, "GET", "/issues/7/comments")
    assert len(api.state.violations) == 1
    assert "answer 200" in api.state.violations[0]
    assert violation in api.state.violations[0]


def test_a_refusal_of_another_form_than_githubs_is_written_down(api):
    api.answer_next(418)
    api._planned[0].answer.document = {"message": ["no", "tea"]}
    ask(api, "GET", "/releases")
    assert "answer 418" in api.state.violations[0]


def test_as_a_process_it_keeps_its_state_in_a_file(tmp_path):
    path = tmp_path / "state.json"
    command = [sys.executable, "-m", "tests.services.github_api", "--state", str(path), "--pull-request", "7"]
    for expected in (1, 2):
        server = subprocess.Popen([*command, "--token", "ghs_fake"], stdout=subprocess.PIPE, text=True)
        with server:
            url = server.stdout.readline().split()[0]
            answer = requests.post(
                f"{url}/repos/acme/fares/issues/7/comments",
                json={"body": "hello"},
                headers=HEADERS | {"Authorization": "Bearer ghs_fake"},
                timeout=10,
            )
            server.send_signal(signal.SIGTERM)
        assert answer.status_code == 201
        assert server.returncode == 0
        state = json.loads(path.read_text())
        assert len(state["comments"]) == expected
        assert state["violations"] == []
