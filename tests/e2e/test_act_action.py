"""The action in workflows of a caller's own, run by act: alone, nested, below a folder, cold, and misused."""

import json
import re
from pathlib import Path

import pytest

from tests.services.act import Act
from tests.services.caller import Caller
from tests.services.s3 import environment, running_s3

HEAD = """
name: Own
on: push
permissions: {}
jobs:
  own:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
"""


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path / "fares")


def run(act: Act, caller: Caller, steps: str, **env: str):
    workflow = caller.workflow("own.yml", HEAD + steps)
    return act.run(caller.folder, workflow, "push", caller.push("refs/heads/main"), env=env)


def test_the_first_start_fetches_the_packages_and_a_second_step_finds_them_ready(act, caller):
    steps = """
      - uses: org/mlops-config-action@v1
      - uses: org/mlops-config-action@v1
"""
    done = run(act, caller, steps, TEST_CACHE="no-cache")
    assert done.exit_code == 0, done.log
    cold, warm = [line for line in done.log.splitlines() if line.startswith("environment: ")]
    assert re.search(r"\b[1-9]\d* packages fetched \(cold start\), ready in \d", cold)
    assert "reused" in warm
    print(cold)


def test_nothing_of_the_action_is_left_in_the_job(act, caller):
    steps = """
      - run: env | cut -d= -f1 | sort > "$RUNNER_TEMP/before"
      - run: git status --porcelain --ignored > "$RUNNER_TEMP/tree"
      - uses: org/mlops-config-action@v1
      - run: env | cut -d= -f1 | sort | diff "$RUNNER_TEMP/before" -
      - run: git status --porcelain --ignored | diff "$RUNNER_TEMP/tree" -
      - run: test "$(command -v mlops-config || echo none)" = none
"""
    done = run(act, caller, steps)
    assert done.exit_code == 0, done.log


def test_a_project_below_a_folder_with_spaces_has_annotations_on_its_files(act, caller):
    (caller.folder / "team a").mkdir()
    caller.git("mv", "configs", "team a/configs")
    training = caller.folder / "team a" / "configs" / "dev" / "dev_training_config.yaml"
    line = caller.edit(training, "test_fraction: 0.2", "test_fraction: twenty")
    caller.commit("Move the project")
    steps = """
      - uses: org/mlops-config-action@v1
        with:
          working-directory: team a
"""
    done = run(act, caller, steps)
    assert done.exit_code != 0
    assert [each.place for each in done.annotations] == [
        ("team a/configs/dev/dev_training_config.yaml", line)
    ]


def test_a_release_by_the_action_alone_hands_on_its_outputs(act, caller, tmp_path):
    steps = """
      - uses: org/mlops-config-action@v1
        id: release
        with:
          stages: validate, build, publish, notes
          environment: prod
          stores: s3://configs/models
      - run: cat "$RECORD"
        env:
          RECORD: ${{ steps.release.outputs.release-record }}
"""
    import boto3

    with running_s3(tmp_path / "s3") as endpoint:
        settings = {name: value for name, value in environment(endpoint).items() if value is not None}
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="configs")
        # No engine: the image is written as a layout.
        done = run(act, caller, steps, DOCKER_HOST=f"unix://{tmp_path}/none.sock", **settings)
    assert done.exit_code == 0, done.log
    outputs = done.outputs()
    record = json.loads(done.log[done.log.index('{\n  "schema_version"') : done.log.rindex("}") + 1])
    assert record["environment"] == outputs["environment"] == "prod"
    assert record["config_digest"] == outputs["config-digest"]
    assert outputs["bundle-uris"].startswith("s3://configs/models/")
    assert outputs["changed"] == "true"
    assert outputs["image-digest"] == ""


def test_the_action_finds_itself_inside_another_composite_action(act, caller):
    nested = caller.folder / "nested"
    nested.mkdir()
    (nested / "action.yml").write_text(
        "name: nested\ndescription: nested\nruns:\n  using: composite\n  steps:\n"
        "    - uses: org/mlops-config-action@v1\n      with:\n        environment: prod\n"
    )
    caller.commit("Nest it")
    done = run(act, caller, "      - uses: ./nested\n")
    assert done.exit_code == 0, done.log
    assert done.outputs()["config-digest"].startswith("sha256:")


MISUSES = {
    "stages: validat": "the input stages has 'validat'",
    "environment: $(touch planted)": "there is no environment '$(touch planted)'",
    'environment: "`touch planted`"': "there is no environment '`touch planted`'",
    'environment: "a\\nb"': "the input environment holds a line break",
    "image: ghcr.io/acme/fares": "the input image means nothing without the stage build",
    "working-directory: ../..": "the input working-directory leads out of the repository",
    "working-directory: nowhere": "there is no folder 'nowhere' in the workspace",
    "settings: nowhere.yaml": "there is no settings file",
    'fail-on: "\\"; touch planted; \\""': "the input fail-on has '\"; touch planted; \"'",
}


@pytest.mark.parametrize("given", MISUSES)
def test_a_mistake_ends_the_step_with_one_sentence_and_runs_nothing(act, caller, given):
    steps = f"""
      - uses: org/mlops-config-action@v1
        with:
          {given}
      - if: always()
        run: test ! -e planted
"""
    done = run(act, caller, steps)
    assert done.exit_code != 0
    (annotation,) = done.annotations
    assert annotation.message.startswith(MISUSES[given])
    assert "Traceback" not in done.log
    assert done.failed_steps == ["org/mlops-config-action@v1"]
