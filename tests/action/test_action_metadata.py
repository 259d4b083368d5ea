"""The action's two files: equal but for one path, and complete for a marketplace."""

import pytest
from tests.workflows.repository_files import ACTIONS, ROOT, load, name_of, steps

from mlops_config.github.inputs import Inputs, read_inputs, variable

MAIN = ROOT / "action.yml"
BODY = ROOT / "action" / "action.yml"


def without_comment(path):
    lines = path.read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def test_the_two_files_are_equal_but_for_one_path():
    expected = without_comment(MAIN).replace("$GITHUB_ACTION_PATH/action/", "$GITHUB_ACTION_PATH/")
    assert without_comment(BODY) == expected


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_every_input_and_output_is_described(path):
    data = load(path)
    for about in [*data.get("inputs", {}).values(), *data.get("outputs", {}).values()]:
        assert about["description"].strip().endswith(".")


def test_the_action_has_what_a_marketplace_shows():
    data = load(MAIN)
    assert set(data["branding"]) == {"icon", "color"}
    assert len(data["description"]) < 125
    assert data["author"]


CONTRACT = {
    "inputs": """stages environment config-dir settings image base-image dockerfile push platforms stores
        notes fail-on dry-run github-token working-directory""",
    "outputs": """environment config-digest changed image image-digest bundle-uris release-record notes
        findings-errors findings-warnings""",
}


@pytest.mark.parametrize("what", CONTRACT)
def test_inputs_and_outputs_are_the_public_contract(what):
    assert list(load(MAIN)[what]) == CONTRACT[what].split()


def test_every_output_comes_from_the_step_that_runs():
    for name, about in load(MAIN)["outputs"].items():
        assert about["value"] == f"${{{{ steps.run.outputs.{name} }}}}"


@pytest.mark.parametrize("step", ["prepare", "run"])
def test_every_input_reaches_the_script_through_the_environment(step):
    (found,) = [each for each in steps(MAIN) if each.get("id") == step]
    expected = {variable(name): f"${{{{ inputs.{name} }}}}" for name in load(MAIN)["inputs"]}
    if step == "prepare":
        expected[variable("github-token")] = "${{ inputs.github-token && 'given' }}"
    python = {"MLOPS_PYTHON": "${{ steps.python.outputs.python-path }}"}
    assert found["env"] == expected | python


def test_the_declared_defaults_are_those_of_the_program():
    declared = {name: about["default"] for name, about in load(MAIN)["inputs"].items()}
    declared["github-token"] = ""
    environ = {variable(name): value for name, value in declared.items()}
    assert read_inputs(environ, platform="linux") == Inputs()


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_the_callers_python_is_left_alone(path):
    (setup,) = [step for step in steps(path) if step.get("uses", "").startswith("actions/setup-python@")]
    assert setup["with"]["update-environment"] == "false"


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_the_script_takes_the_shells_place_so_that_a_cancelled_job_reaches_it(path):
    for step in steps(path):
        if "run" in step:
            assert step["run"].startswith('exec "$MLOPS_PYTHON" -I "$GITHUB_ACTION_PATH/')
