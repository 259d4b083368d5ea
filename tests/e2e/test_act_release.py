"""examples/release.yml and examples/dispatch.yml as they stand, run by act on a real engine and registry."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.services import unavailable
from tests.services.act import Act, Run
from tests.services.caller import Caller
from tests.services.github_api import GitHubApi, serving
from tests.services.registry import Registry, running_registry
from tests.services.s3 import running_s3

MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass
class World:
    """A caller's repository, its forge and its registry."""

    act: Act
    caller: Caller
    github: GitHubApi
    registry: Registry

    def run(self, workflow: str, event: str, payload: dict[str, Any], artifacts: Path | None = None) -> Run:
        """Runs one of the caller's workflows."""
        return self.act.run(
            self.caller.folder,
            f".github/workflows/{workflow}",
            event,
            payload,
            env={"GITHUB_API_URL": self.github.api_url},
            variables={"MLOPS_REGISTRY": self.registry.host},
            artifacts=artifacts,
        )

    def tags(self, repository: str) -> list[str]:
        """The registry's tags of a repository."""
        found = requests.get(f"http://{self.registry.host}/v2/{repository}/tags/list", timeout=10)
        return sorted(found.json()["tags"]) if found.ok else []

    def digest(self, repository: str, tag: str) -> str:
        """The digest the registry has for a tag."""
        url = f"http://{self.registry.host}/v2/{repository}/manifests/{tag}"
        found = requests.head(url, headers={"Accept": MANIFESTS}, timeout=10)
        return found.headers["Docker-Content-Digest"]


@pytest.fixture(scope="module")
def world(act: Act, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        unavailable("no Docker engine answers")
    folder = tmp_path_factory.mktemp("world")
    caller = Caller(folder / "fares")
    with serving(GitHubApi()) as github, running_registry(folder / "registry") as registry:
        yield World(act, caller, github, registry)
        assert github.state.violations == []
        remove_images(registry.host)


def remove_images(host: str) -> None:
    listed = ["docker", "images", "--quiet", "--no-trunc", "--filter", f"reference={host}/*/*/*"]
    found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    for image in set(found):
        subprocess.run(["docker", "rmi", "--force", image], capture_output=True, check=True)


@pytest.fixture(scope="module")
def tagged(world: World, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of a push of the tag release/v1.2.0; another call in it left an artifact of a longer name."""
    event = world.caller.push("refs/tags/release/v1.2.0")
    world.github.state.tags["release/v1.2.0"] = event["after"]
    artifacts = tmp_path_factory.mktemp("artifacts")
    others = artifacts / "mlops-config-release-tips-prod" / "prod"
    others.mkdir(parents=True)
    (others / "outputs.json").write_text('{"environment": "prod"}')
    (others / "notes.md").write_text("of the tips")
    return world.run("release.yml", "push", event, artifacts)


@pytest.fixture(scope="module")
def released(tagged: Run) -> dict[str, Any]:
    """What the workflow hands on of that run: the one release."""
    assert tagged.exit_code == 0, tagged.log
    releases = json.loads(tagged.outputs("Collect")["releases"])
    assert list(releases) == ["prod"]
    release: dict[str, Any] = releases["prod"]
    return release


def test_a_pushed_release_tag_goes_through_every_job(tagged):
    assert tagged.exit_code == 0, tagged.log
    assert tagged.results == {
        "Environments": "success",
        "Release to prod": "success",
        "Collect the releases": "success",
        "Post the notes": "success",
    }


def test_the_record_handed_on_names_version_commit_and_image(released, world):
    record = released["record"]
    assert (record["environment"], record["version"]) == ("prod", "1.2.0")
    assert record["source"]["commit"] == world.caller.git("rev-parse", "HEAD")
    assert record["source"]["repository"] == "acme/fares"
    assert record["source"]["ref"] == "refs/tags/release/v1.2.0"
    assert released["config-digest"] == record["config_digest"]
    assert released["changed"] is True


def test_the_image_is_in_the_registry_under_the_commit_and_the_version(released, world):
    commit = world.caller.git("rev-parse", "HEAD")
    repository = "acme/fares/city-taxi"
    assert world.tags(repository) == sorted([f"{commit}-prod", "1.2.0-prod"])
    assert world.digest(repository, "1.2.0-prod") == released["image-digest"]
    assert released["image"] == f"{world.registry.host}/{repository}:{commit}-prod"


def test_the_bundle_is_in_the_registry_under_its_digest(released, world):
    (uri,) = released["bundle-uris"].splitlines()
    place, _, digest = uri.partition("@")
    assert place == f"oci://{world.registry.host}/acme/fares/configs"
    assert world.digest("acme/fares/configs", digest) == digest


def test_the_notes_are_in_the_summary_and_in_the_tags_release(tagged, released, world):
    (release,) = world.github.state.releases
    assert (release["tag_name"], release["prerelease"]) == ("release/v1.2.0", False)
    assert "tips" not in release["body"]
    for text in (tagged.summary, release["body"]):
        assert released["config-digest"] in text
        assert "prod_training_config.yaml" in text


def test_record_notes_and_archive_are_kept_as_an_artifact_of_the_environment(tagged, released):
    kept = tagged.artifacts / "mlops-config-release-prod" / "prod"
    assert json.loads((kept / "release.json").read_bytes()) == released["record"]
    assert {"bundle.tar", "notes.md", "outputs.json"} <= {path.name for path in kept.iterdir()}


@pytest.mark.usefixtures("released")
def test_the_same_tag_again_changes_nothing_and_posts_no_second_release(world):
    before = (world.tags("acme/fares/city-taxi"), world.tags("acme/fares/configs"))
    event = {
        "ref": "refs/tags/release/v1.2.0",
        "repository": world.caller.push("refs/heads/main")["repository"],
    }
    again = world.run("release.yml", "push", event)
    assert again.exit_code == 0, again.log
    assert json.loads(again.outputs("Collect")["releases"])["prod"]["changed"] is False
    assert (world.tags("acme/fares/city-taxi"), world.tags("acme/fares/configs")) == before
    assert len(world.github.state.releases) == 1


@pytest.mark.usefixtures("released")
def test_a_push_to_main_releases_to_dev_and_posts_no_release(world):
    posted = len(world.github.state.releases)
    run = world.run("release.yml", "push", world.caller.push("refs/heads/main"))
    assert run.exit_code == 0, run.log
    assert "Post the notes" not in run.results
    (release,) = json.loads(run.outputs("Collect")["releases"]).values()
    assert (release["environment"], release["record"]["version"]) == ("dev", None)
    commit = world.caller.git("rev-parse", "HEAD")
    assert f"{commit}-dev" in world.tags("acme/fares/city-taxi")
    assert len(world.github.state.releases) == posted


def test_a_start_by_hand_is_a_dry_run_first(world):
    before = (world.tags("acme/fares/city-taxi"), world.tags("acme/fares/configs"))
    run = world.run("dispatch.yml", "workflow_dispatch", world.caller.dispatch(environment="staging"))
    assert run.exit_code == 0, run.log
    assert "dry run: would build and publish staging" in run.log
    assert (world.tags("acme/fares/city-taxi"), world.tags("acme/fares/configs")) == before


def test_a_start_by_hand_releases_to_the_chosen_environment(world):
    event = world.caller.dispatch(environment="staging", **{"dry-run": "false"})
    run = world.run("dispatch.yml", "workflow_dispatch", event)
    assert run.exit_code == 0, run.log
    (release,) = json.loads(run.outputs("Collect")["releases"]).values()
    assert release["environment"] == "staging"
    assert release["image-digest"] in run.log  # the job that says what happened


def test_an_environment_nobody_knows_ends_before_anything_is_protected_by_it(world):
    event = world.caller.dispatch(environment="production", **{"dry-run": "false"})
    run = world.run("dispatch.yml", "workflow_dispatch", event)
    assert run.exit_code != 0
    assert run.results["Environments"] == "failure"
    assert not any(name.startswith("Release to") for name in run.results)
    (error,) = run.annotations
    assert error.message.startswith("there is no environment 'production'")


SEVERAL = """
name: Several
on: workflow_dispatch
permissions: {}
jobs:
  release:
    uses: org/mlops-config-action/.github/workflows/release.yml@v1
    with:
      environments: staging, dev
      image: ${{ vars.MLOPS_REGISTRY }}/acme/several/{project}
      stores: oci://${{ vars.MLOPS_REGISTRY }}/acme/several/configs
  after:
    needs: release
    runs-on: ubuntu-latest
    steps:
      - env:
          RELEASES: ${{ needs.release.outputs.releases }}
          ENVIRONMENTS: ${{ needs.release.outputs.environments }}
        run: printf 'environments %s\\nreleases %s\\n' "$ENVIRONMENTS" "$RELEASES"
"""


def test_several_environments_are_released_in_order_and_none_overwrites_the_other(world):
    workflow = world.caller.workflow("several.yml", SEVERAL)
    run = world.run(Path(workflow).name, "workflow_dispatch", world.caller.dispatch())
    assert run.exit_code == 0, run.log
    said = dict(
        line.split(" ", 1) for line in run.log.splitlines() if line.startswith(("environments ", "releases "))
    )
    assert json.loads(said["environments"]) == ["dev", "staging"]
    found = json.loads(said["releases"])
    assert {name: release["record"]["environment"] for name, release in found.items()} == {
        "dev": "dev",
        "staging": "staging",
    }
    assert found["dev"]["config-digest"] != found["staging"]["config-digest"]


TO_A_BUCKET = """
name: To a bucket
on: workflow_dispatch
permissions: {}
jobs:
  release:
    uses: org/mlops-config-action/.github/workflows/release.yml@v1
    with:
      environments: dev
"""


def test_the_environments_variables_lead_to_its_role_its_bucket_and_its_image(world, tmp_path):
    import boto3

    world.caller.workflow("bucket.yml", TO_A_BUCKET)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    with running_s3(tmp_path / "s3") as endpoint:
        client = boto3.client("s3", endpoint_url=endpoint, **keys)
        client.create_bucket(Bucket="configs")
        run = world.act.run(
            world.caller.folder,
            ".github/workflows/bucket.yml",
            "workflow_dispatch",
            world.caller.dispatch(),
            env={"AWS_ENDPOINT_URL_S3": endpoint},
            variables={
                "MLOPS_REGISTRY": world.registry.host,
                "MLOPS_IMAGE": f"{world.registry.host}/acme/bucket/{{project}}",
                "MLOPS_STORE": "s3://configs/models",
                "MLOPS_AWS_ROLE": "arn:aws:iam::111122223333:role/dev",
                "MLOPS_AWS_REGION": "us-east-1",
            },
        )
        stored = [entry["Key"] for entry in client.list_objects_v2(Bucket="configs")["Contents"]]
    assert run.exit_code == 0, run.log
    assert "would assume arn:aws:iam::111122223333:role/dev" in run.log
    assert f"would log in to {world.registry.host}" in run.log
    assert "models/city-taxi/environments/dev/current.json" in stored
    (release,) = json.loads(run.outputs("Collect")["releases"]).values()
    assert release["image"].startswith(f"{world.registry.host}/acme/bucket/city-taxi:")
