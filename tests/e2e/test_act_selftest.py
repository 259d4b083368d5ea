"""Jobs of our own .github/workflows/selftest.yml, run by act: what it sees need not wait for GitHub."""

import pytest

from tests.repositories import Repository
from tests.services.act import stage

WORKFLOW = ".github/workflows/selftest.yml"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """This repository as act would see it."""
    repository = Repository(tmp_path_factory.mktemp("own") / "repository")
    stage(repository.folder)
    repository.git("remote", "add", "origin", "https://github.com/org/mlops-config-action.git")
    repository.commit("Everything")
    return repository


@pytest.mark.parametrize("job", ["nested", "spaces", "release", "expected-failures"])
def test_a_job_of_the_self_test_passes(act, own, job):
    event = {
        "ref": "refs/heads/main",
        "repository": {"full_name": "org/mlops-config-action", "default_branch": "main"},
    }
    run = act.run(own.folder, WORKFLOW, "push", event, job=job, env={"DOCKER_HOST": "unix:///none.sock"})
    assert run.exit_code == 0, run.log
    assert set(run.results.values()) == {"success"}
