"""A GitHub that holds every request and answer against the published description, and clients of it."""

import pytest
from tests.services.github_api import GitHubApi, serving

from mlops_config.github.client import GitHubClient
from mlops_config.retrying import Retries

JOB_TOKEN = "job-token"


@pytest.fixture
def api():
    """GitHub with pull request 7 and the tag release/v1.2.0; nothing may be amiss in what was said to it."""
    api = GitHubApi()
    api.state.pull_requests.append(7)
    api.state.tags["release/v1.2.0"] = "a" * 40
    with serving(api):
        yield api
    assert api.state.violations == []


@pytest.fixture
def waits():
    """The seconds that clients waited instead of sleeping."""
    return []


@pytest.fixture
def connect(api, waits):
    """Makes a client with a token; it notes its waits and does not sleep."""
    clients = []

    def with_token(token=JOB_TOKEN, *, repository=None, api_url=None):
        retries = Retries(tries=3, longest_wait=300.0, deadline=600.0, sleep=waits.append, jitter=lambda: 0.0)
        client = GitHubClient(api_url or api.api_url, token, repository or api.repository, retries=retries)
        clients.append(client)
        return client

    yield with_token
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):
    """A client with a job's own token."""
    return connect()
