"""The action's inputs: what they mean, and which mistakes end the run with a sentence."""

import pytest

from mlops_config.errors import UsageError
from mlops_config.github.inputs import Inputs, read_inputs, requirements_for, settings_text, variable


def given(**inputs):
    return {variable(name.replace("_", "-")): value for name, value in inputs.items()}


def read(platform="linux", **inputs):
    return read_inputs(given(**inputs), platform=platform)


def test_without_inputs_everything_has_its_default():
    assert read() == Inputs()


def test_blank_inputs_count_as_left_out():
    assert read(stages=" ", environment="", push="\n", stores="\n\n", notes="", fail_on="") == Inputs()


@pytest.mark.parametrize("text", ["notes,build,validate", "validate build notes", "build\nnotes\n validate,"])
def test_stages_are_taken_in_their_own_order_however_they_are_separated(text):
    assert read(stages=text).stages == ("validate", "build", "notes")


def test_an_unknown_stage_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match="stages has 'biuld'") as caught:
        read(stages="validate,biuld")
    assert caught.value.hint == "did you mean build?"


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("TRUE", True), (" false ", False), ("", False)])
def test_flags_are_true_or_false(text, meant):
    assert read(dry_run=text).dry_run is meant


@pytest.mark.parametrize("text", ["yes", "1", "on", "true; rm -rf /"])
def test_a_flag_that_is_neither_is_refused(text):
    with pytest.raises(UsageError, match="dry-run must be true or false"):
        read(dry_run=text)


def test_stores_come_one_per_line_and_may_hold_commas_and_spaces():
    stores = read(stages="publish", stores="s3://bucket/a,b\n\n  file:///some folder/store  \n").stores
    assert stores == ("s3://bucket/a,b", "file:///some folder/store")


@pytest.mark.parametrize("text", ["bucket/prefix", "s3://", "s3:/bucket", "://x", "file://", "S3 ://x"])
def test_a_store_that_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="is not the address of a store"):
        read(stages="publish", stores=text)


def test_registry_names_are_lower_case_whatever_the_repository_is_called():
    inputs = read(stages="build,publish", image="ghcr.io/Acme/Fares", stores="oci://ghcr.io/Acme/Fares")
    assert (inputs.image, inputs.stores) == ("ghcr.io/acme/fares", ("oci://ghcr.io/acme/fares",))


def test_bucket_names_keep_their_case():
    assert read(stages="publish", stores="s3://bucket/Prefix").stores == ("s3://bucket/Prefix",)


@pytest.mark.parametrize("name", ["config-dir", "settings", "dockerfile", "working-directory"])
@pytest.mark.parametrize(
    "path", ["/etc", "../other", "a/../../b", "\\\\host\\share", "C:\\Windows", "a\\..\\..\\b"]
)
def test_a_path_out_of_the_repository_is_refused(name, path):
    with pytest.raises(UsageError, match=f"the input {name} leads out of the repository"):
        read_inputs({variable(name): path, variable("stages"): "build"}, platform="linux")


def test_a_path_with_spaces_quotes_and_letters_of_any_script_is_fine():
    assert read(working_directory="my 'team'/Modèle \"β\"").working_directory == "my 'team'/Modèle \"β\""


@pytest.mark.parametrize("name", ["environment", "config-dir", "image", "base-image", "github-token"])
def test_a_line_break_in_a_single_value_is_refused_and_shown_escaped(name):
    with pytest.raises(UsageError, match="line break or control character") as caught:
        read_inputs({variable(name): "a\n::error::b"}, platform="linux")
    assert "\n" not in caught.value.message


def test_shell_text_stays_text():
    assert read(environment="$(touch x)`id`;").environment == "$(touch x)`id`;"


@pytest.mark.parametrize("name", ["image", "base-image", "dockerfile", "platforms", "push"])
def test_an_input_for_the_image_without_the_build_stage_is_refused(name):
    value = "true" if name == "push" else "x"
    with pytest.raises(UsageError, match=f"the input {name} means nothing without the stage build"):
        read_inputs({variable(name): value}, platform="linux")


def test_several_inputs_without_their_stage_are_named_together():
    with pytest.raises(UsageError, match="the inputs image, base-image mean nothing"):
        read(image="x", base_image="y")


def test_push_false_without_the_build_stage_is_fine():
    assert not read(push="false").push


def test_stores_without_the_publish_stage_are_refused():
    with pytest.raises(UsageError, match="stores means nothing without the stage publish"):
        read(stages="validate,build", stores="s3://bucket")


def test_several_platforms_need_a_registry_to_go_to():
    with pytest.raises(UsageError, match=r"2 platforms .* into a registry"):
        read(stages="build", platforms="linux/amd64,linux/arm64")
    pushed = read(stages="build", platforms="linux/amd64 linux/arm64", push="true")
    assert pushed.platforms == ("linux/amd64", "linux/arm64")


@pytest.mark.parametrize("notes", ["pull-request", "release", "summary,release"])
def test_notes_to_github_need_a_token(notes):
    with pytest.raises(UsageError, match="need a token, and github-token is empty"):
        read(stages="validate,notes", notes=notes)


def test_notes_to_the_release_need_the_stage_that_makes_them():
    with pytest.raises(UsageError, match="needs the stage notes"):
        read(notes="release", github_token="t")


def test_building_on_windows_is_refused_with_a_way_out():
    with pytest.raises(UsageError, match="needs a Linux or macOS runner") as caught:
        read(platform="win32", stages="validate,build")
    assert "ubuntu-latest" in caught.value.hint


def test_validating_on_windows_is_fine():
    assert read(platform="win32").stages == ("validate",)


@pytest.mark.parametrize(
    ("inputs", "needed"),
    [
        ({}, "core"),
        ({"notes": "pull-request", "github_token": "t"}, "build"),
        ({"stages": "validate,build"}, "build"),
        ({"stages": "publish", "stores": "oci://ghcr.io/acme/configs"}, "build"),
        ({"stages": "publish", "stores": "s3://bucket"}, "s3"),
        ({"stages": "publish", "stores": "file:///x\ns3://bucket"}, "s3"),
        ({"stages": "publish", "stores": "gs://bucket/x\noci://ghcr.io/acme/configs"}, "gcs"),
        ({"stages": "publish", "stores": "s3://bucket\ngs://bucket"}, "run"),
    ],
)
def test_only_what_the_stages_and_stores_need_is_installed(inputs, needed):
    assert requirements_for(read(**inputs)) == needed


def test_stores_of_the_settings_count_when_the_inputs_name_none():
    settings = "stores:\n  - s3://bucket/prefix\n"
    assert requirements_for(read(stages="publish"), settings) == "s3"
    assert requirements_for(read(stages="publish", stores="file:///x"), settings) == "build"
    assert requirements_for(read(stages="validate"), settings) == "core"


def test_the_settings_are_looked_for_in_the_working_directory(tmp_path):
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "mlops-config.yaml").write_text("stores: [s3://a]")
    (tmp_path / "team" / "other.yaml").write_text("stores: [s3://b]")
    assert settings_text(read(working_directory="team"), tmp_path) == "stores: [s3://a]"
    assert (
        settings_text(read(working_directory="team", settings="other.yaml"), tmp_path) == "stores: [s3://b]"
    )
    assert settings_text(read(), tmp_path) == ""


def test_messages_name_the_input_as_the_caller_writes_it():
    with pytest.raises(UsageError, match="the input fail-on has 'fatal', which is none of error, warning"):
        read(fail_on="fatal")
