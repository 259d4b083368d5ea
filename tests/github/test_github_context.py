"""The context says where in GitHub Actions the process runs, or that it does not."""

import json

import pytest

from mlops_config.errors import UsageError
from mlops_config.github import context
from mlops_config.github.context import GitHubContext, PullRequest

SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
HEAD = "1111111111111111111111111111111111111111"
BASE = "2222222222222222222222222222222222222222"


def environ(**changes):
    given = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/fares",
        "GITHUB_SHA": SHA,
        "GITHUB_REF": "refs/tags/release/v1.2.0",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_ACTOR": "dependabot[bot]",
        "GITHUB_RUN_ID": "42",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": "https://api.github.com",
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def with_event(tmp_path, payload, **changes):
    path = tmp_path / "event.json"
    path.write_bytes(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return GitHubContext.from_env(environ(GITHUB_EVENT_PATH=str(path), **changes))


def pull_request_payload(head_repository="acme/fares"):
    return {
        "pull_request": {
            "number": 7,
            "head": {
                "sha": HEAD,
                "ref": "more-trees",
                "repo": {"full_name": head_repository} if head_repository else None,
            },
            "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "acme/fares"}},
        },
        "repository": {"default_branch": "main"},
    }


@pytest.mark.parametrize("value", [None, "", "false"])
def test_outside_github_actions_there_is_no_context(value):
    assert GitHubContext.from_env(environ(GITHUB_ACTIONS=value)) is None


def test_the_variables_of_a_tag_push():
    found = GitHubContext.from_env(environ())
    assert (found.repository, found.sha, found.ref) == ("acme/fares", SHA, "refs/tags/release/v1.2.0")
    assert (found.event_name, found.actor) == ("push", "dependabot[bot]")
    assert found.run_url == "https://github.com/acme/fares/actions/runs/42"
    assert found.commit == SHA
    assert found.pull_request is None
    assert found.default_branch is None


def test_a_second_attempt_has_its_own_page():
    found = GitHubContext.from_env(environ(GITHUB_RUN_ATTEMPT="2"))
    assert found.run_url == "https://github.com/acme/fares/actions/runs/42/attempts/2"


def test_an_enterprise_server_keeps_its_addresses():
    found = GitHubContext.from_env(
        environ(
            GITHUB_SERVER_URL="https://git.acme.example/",
            GITHUB_API_URL="https://git.acme.example/api/v3",
        )
    )
    assert found.api_url == "https://git.acme.example/api/v3"
    assert found.repository_url == "https://git.acme.example/acme/fares"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_REPOSITORY", None),
        ("GITHUB_REPOSITORY", "acme/fares/../other"),
        ("GITHUB_SHA", "main"),
        ("GITHUB_REF", ""),
        ("GITHUB_RUN_ID", "4 2"),
    ],
)
def test_a_variable_that_is_missing_or_no_such_thing_is_named(name, value):
    with pytest.raises(UsageError, match=name):
        GitHubContext.from_env(environ(**{name: value}))


def test_the_token_does_not_show_when_the_context_is_printed():
    found = GitHubContext.from_env(environ(GITHUB_TOKEN="ghs_secret"))
    assert found.token == "ghs_secret"
    assert "ghs_secret" not in repr(found)


def test_a_pull_request_from_the_same_repository(tmp_path):
    found = with_event(tmp_path, pull_request_payload(), GITHUB_EVENT_NAME="pull_request")
    assert found.pull_request == PullRequest(
        7, HEAD, "more-trees", "acme/fares", BASE, "main", from_fork=False
    )
    assert found.commit == HEAD
    assert found.default_branch == "main"


@pytest.mark.parametrize("fork", ["someone/fares", None])
def test_a_pull_request_from_a_fork_even_one_since_deleted(tmp_path, fork):
    found = with_event(tmp_path, pull_request_payload(fork), GITHUB_EVENT_NAME="pull_request")
    assert found.pull_request.from_fork


def test_a_pull_request_that_lacks_what_github_sends(tmp_path):
    found = with_event(tmp_path, {"pull_request": {"number": 7}}, GITHUB_EVENT_NAME="pull_request")
    with pytest.raises(UsageError, match="pull_request event is not as GitHub sends it"):
        _ = found.pull_request


def test_a_missing_event_file_is_an_empty_event(tmp_path):
    found = GitHubContext.from_env(environ(GITHUB_EVENT_PATH=str(tmp_path / "none.json")))
    assert found.event == {}


@pytest.mark.parametrize("payload", [b"{", b"[" * 100_000, b"[]", b"\xff\xfe"])
def test_an_event_that_is_no_json_object_is_refused(tmp_path, payload):
    with pytest.raises(UsageError, match="GITHUB_EVENT_PATH"):
        _ = with_event(tmp_path, payload).event


def test_an_event_larger_than_github_sends_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(context, "MAX_EVENT_BYTES", 100)
    with pytest.raises(UsageError, match="larger than 100 bytes"):
        _ = with_event(tmp_path, {"text": "x" * 100}).event
