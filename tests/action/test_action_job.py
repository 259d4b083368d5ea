"""The main job as a step: annotations, summary, outputs, files, and words for whatever goes wrong."""

import errno
import hashlib
import json
from dataclasses import replace

import pytest
from tests.action.runner import commands_in

from mlops_config import pipeline
from mlops_config.findings import Severity
from mlops_config.github.console import ActionConsole

FULL = "validate, build, publish, notes"


@pytest.fixture
def store(tmp_path):
    return (tmp_path / "store").as_uri()


def test_valid_files_pass_with_a_summary_and_no_annotation(run, runner):
    ran = run()
    assert (ran.exit_code, ran.commands) == (0, [])
    assert runner.outputs == {"findings-errors": "0", "findings-warnings": "0"}
    assert runner.summary.read_text().count("✅") == 12


def test_an_environment_alone_hands_on_the_digest_that_coreutils_compute(run, runner, repository):
    assert run(environment="prod").exit_code == 0
    files = sorted((repository.folder / "configs" / "prod").glob("*.yaml"))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    assert runner.outputs["config-digest"] == f"sha256:{hashlib.sha256(sums.encode()).hexdigest()}"
    assert runner.outputs["environment"] == "prod"


def test_an_error_is_annotated_on_its_line_and_written_to_files(run, runner, repository):
    path = repository.config("staging", "training")
    line = repository.edit(path, "test_fraction: 0.2", "test_fraction: twenty")
    ran = run()
    assert ran.exit_code == 1
    (error,) = ran.commands
    assert (error.name, error.properties["line"]) == ("error", str(line))
    assert error.properties["file"] == "configs/staging/staging_training_config.yaml"
    assert runner.outputs["findings-errors"] == "1"
    files = runner.temp / "mlops-config"
    assert json.loads((files / "findings.sarif").read_bytes())["version"] == "2.1.0"
    assert "twenty" in (files / "findings.json").read_text()
    assert (files / "report.md").read_text() in runner.summary.read_text()


def test_a_warning_fails_the_step_only_where_the_caller_wants_that(run, repository):
    path = repository.config("dev", "training")
    repository.edit(path, "test_fraction: 0.2", "test_fraction: 2e-1")
    lenient, severe = run(), run(fail_on="warning")
    assert {each.name for each in lenient.commands} == {"warning"}
    assert (lenient.exit_code, severe.exit_code) == (0, 1)


def test_the_digest_is_left_out_where_a_file_is_missing(run, runner, repository):
    repository.config("prod", "retrain").unlink()
    assert run(environment="prod").exit_code == 1
    assert "config-digest" not in runner.outputs


def test_files_of_a_project_below_the_root_are_named_from_the_root(run, repository):
    team = repository.folder / "teams" / "fares"
    team.mkdir(parents=True)
    repository.git("mv", "configs", "teams/fares/configs")
    path = team / "configs" / "dev" / "dev_training_config.yaml"
    repository.edit(path, "test_fraction: 0.2", "test_fraction: twenty")
    (error,) = run(working_directory="teams/fares").commands
    assert error.properties["file"] == "teams/fares/configs/dev/dev_training_config.yaml"


def test_the_folder_of_the_inputs_wins_over_the_settings(run, repository):
    repository.git("mv", "configs", "conf")
    (repository.folder / "mlops-config.yaml").write_text("schema_version: 1\nconfig_dir: nowhere\n")
    assert run(config_dir="conf").exit_code == 0


HOSTILE = "x\n::error file=a::planted\n##[error]planted\n::add-mask::planted"


def test_text_from_the_files_cannot_command_the_runner(run, repository):
    path = repository.config("dev", "training")
    repository.edit(
        path, "owner: fares@example.com", f"owner: {json.dumps(HOSTILE)}\n  planted: {json.dumps(HOSTILE)}"
    )
    ran = run()
    assert ran.exit_code == 1
    assert all(each.properties["file"].startswith("configs/dev/") for each in ran.commands)
    assert not [each for each in commands_in(ran.printed) if each.name == "add-mask"]


def test_a_log_line_from_outside_cannot_command_the_runner(capsys):
    with ActionConsole().stage("build") as log:
        log.progress("Step 1\n::error::planted")
        log.progress("##[warning]planted")
        log.progress("nothing special")
        log.done("::error::planted")
    printed = capsys.readouterr().out
    assert [each.name for each in commands_in(printed)] == ["group", "endgroup"]
    assert "nothing special" in printed


def test_a_stage_that_fails_closes_its_group(capsys):
    with pytest.raises(ZeroDivisionError), ActionConsole().stage("build"):
        raise ZeroDivisionError
    printed = capsys.readouterr().out
    assert [each.name for each in commands_in(printed)] == ["group", "endgroup"]
    assert "✗ build: failed" in printed


def test_a_release_hands_on_what_it_made_and_where_it_lies(run, runner, repository, store):
    ran = run(stages=FULL, environment="prod", stores=store)
    assert ran.exit_code == 0, ran.printed
    outputs = runner.outputs
    record = json.loads((runner.temp / "mlops-config" / "prod" / "release.json").read_bytes())
    assert outputs["environment"] == "prod"
    assert outputs["config-digest"] == record["config_digest"]
    assert outputs["changed"] == "true"
    assert outputs["image"] == f"city-taxi-prod:{repository.git('rev-parse', 'HEAD')}"
    assert outputs["image-digest"] == ""
    assert outputs["bundle-uris"].startswith(f"{store}/city-taxi/bundles/")
    assert outputs["release-record"] == str(runner.temp / "mlops-config" / "prod" / "release.json")
    assert (
        runner.temp / "mlops-config" / "prod" / "notes.md"
    ).read_text().strip() in runner.summary.read_text()
    assert record["source"]["run_url"] == "https://github.com/acme/fares/actions/runs/42"
    assert (record["source"]["actor"], record["source"]["repository"]) == ("ada", "acme/fares")


def test_the_same_release_again_says_that_nothing_changed(run, runner, store):
    run(stages=FULL, environment="prod", stores=store)
    runner.output.unlink()
    ran = run(stages=FULL, environment="prod", stores=store)
    assert (ran.exit_code, runner.outputs["changed"]) == (0, "false")
    assert "unchanged: prod runs release" in ran.printed


def test_the_ref_decides_the_environment_and_the_version(run, runner, repository, store):
    repository.git("tag", "release/v1.2.0-rc.1")
    ran = run(stages=FULL, ref="refs/tags/release/v1.2.0-rc.1", stores=store)
    assert ran.exit_code == 0, ran.printed
    assert runner.outputs["environment"] == "staging"
    record = json.loads((runner.temp / "mlops-config" / "staging" / "release.json").read_bytes())
    assert record["version"] == "1.2.0-rc.1"


def test_a_dry_run_publishes_nothing(run, runner, store, tmp_path):
    ran = run(stages=FULL, environment="prod", stores=store, dry_run="true")
    assert ran.exit_code == 0, ran.printed
    assert not (tmp_path / "store").exists()
    assert runner.outputs["release-record"] == ""
    assert runner.outputs["changed"] == "true"


def test_a_release_of_files_with_errors_stops_before_anything_is_made(
    run, runner, repository, store, tmp_path
):
    repository.edit(repository.config("dev", "training"), "test_fraction: 0.2", "test_fraction: twenty")
    repository.commit("Break dev")
    ran = run(stages=FULL, environment="prod", stores=store)
    assert ran.exit_code == 1
    assert [each.name for each in ran.commands] == ["error"]
    assert runner.outputs == {"findings-errors": "1", "findings-warnings": "0"}
    assert not (tmp_path / "store").exists()


def test_a_release_without_a_store_says_where_it_goes(run):
    (warning,) = run(stages=FULL, environment="prod").commands
    assert (warning.name, warning.properties) == ("warning", {"title": "mlops-config"})
    assert "no store is named" in warning.message


@pytest.mark.parametrize(
    ("event", "ref", "what"),
    [
        ("pull_request", "refs/pull/7/merge", "a pull request"),
        ("merge_group", "refs/heads/gh-readonly-queue/main/pr-7-0a1b", "a merge queue"),
    ],
)
def test_what_is_not_merged_builds_nothing_whatever_the_stages_say(event, ref, what, run, store, tmp_path):
    ran = run(stages=FULL, stores=store, event=event, ref=ref)
    assert ran.exit_code == 0, ran.printed
    assert f"{what} builds and publishes nothing" in ran.printed
    assert not (tmp_path / "store").exists()


def test_every_input_reaches_the_job(run, monkeypatch, tmp_path):
    seen = []

    def fake_run(options, settings, _console):
        seen.append((options, settings))
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", fake_run)
    ran = run(
        stages="build, publish",
        environment="dev",
        config_dir="conf",
        image="ghcr.io/Acme/fares",
        base_image="python@sha256:0",
        dockerfile="docker/my.Dockerfile",
        push="true",
        platforms="linux/amd64, linux/arm64",
        stores="s3://a\noci://b/c",
        fail_on="warning",
        dry_run="true",
    )
    assert ran.exit_code == 130
    ((options, settings),) = seen
    root = options.root
    assert settings.config_dir == "conf"
    expected = pipeline.Options(
        root=root,
        stages=frozenset({pipeline.Stage.BUILD, pipeline.Stage.PUBLISH}),
        environment="dev",
        ref="refs/heads/main",
        default_branch="main",
        repository="acme/fares",
        actor="ada",
        run_url="https://github.com/acme/fares/actions/runs/42",
        image_repository="ghcr.io/acme/fares",
        base_image="python@sha256:0",
        dockerfile=root / "docker" / "my.Dockerfile",
        push=True,
        platforms=("linux/amd64", "linux/arm64"),
        stores=("s3://a", "oci://b/c"),
        fail_on=Severity.WARNING,
        dry_run=True,
        output=tmp_path / "runner" / "temp" / "mlops-config",
    )
    assert options == replace(expected, version=options.version)
    assert options.version is None


def test_the_stages_are_those_of_the_pipeline():
    from mlops_config.github.inputs import FAIL_ON, STAGES

    assert tuple(stage.value for stage in pipeline.Stage) == STAGES
    assert tuple(severity.value for severity in Severity) == FAIL_ON


def test_the_token_is_masked_before_anything_else(run):
    ran = run(github_token="ghs_secret")
    assert ran.printed.splitlines()[0] == "::add-mask::ghs_secret"
    assert ran.printed.count("ghs_secret") == 1


@pytest.mark.parametrize(
    ("inputs", "said", "code"),
    [
        ({"environment": "production"}, "there is no environment 'production'\nhint: environments are", 2),
        (
            {"working_directory": "nowhere"},
            "there is no folder 'nowhere' in the workspace\nhint: is actions/",
            2,
        ),
        ({"settings": "nowhere.yaml"}, "there is no settings file", 2),
        ({"stages": "build", "ref": "refs/heads/topic"}, "no environment belongs to refs/heads/topic", 2),
        ({"stages": FULL, "environment": "prod", "stores": "ftp://x"}, "stores of the kind ftp://", 2),
    ],
)
def test_a_mistake_is_one_annotation_with_what_to_do(run, inputs, said, code):
    ran = run(**inputs)
    (error,) = ran.commands
    assert (ran.exit_code, error.name) == (code, "error")
    assert error.message.startswith(said)


def test_outside_a_runner_it_says_so(run):
    ran = run(event="")
    assert ran.exit_code == 2
    assert "GITHUB_EVENT_NAME" in ran.commands[0].message


def test_a_full_disk_is_one_annotation(run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")  # noqa: S108 nothing is written there

    monkeypatch.setattr("mlops_config.github.job.write_atomically", full)
    ran = run()
    assert ran.exit_code == 3
    (error,) = ran.commands
    assert error.message.startswith("the disk is full (/tmp/x)\nhint: free some space")


def test_an_interrupted_step_says_so(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mlops_config.github.job.validate", interrupted)
    ran = run()
    assert ran.exit_code == 130
    assert "interrupted" in ran.commands[0].message
