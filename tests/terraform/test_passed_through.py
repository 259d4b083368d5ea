"""What a root is told arrives: Terraform drops an attribute that the next module lacks, and says nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_config.settings import _ENVIRONMENT_NAME

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
CLOUDS = ("aws", "gcp")
ENVIRONMENTS = ("dev", "staging", "prod")
NOT_PASSED = {
    "aws": {
        "airflow.encryption_key": "one is made for each Airflow",
        "airflow.source_bucket": "one is made, which the roles of GitHub know by its name",
        "artifact_store.encryption_key": "one is made for the store",
        "artifact_store.state_like": "releases, no states",
        "image_repository.encryption_key": "one is made for the repository",
        "model_endpoint_roles.captures": "the key that the contract has",
        "monitoring.encryption_key": "one is made for the workspace",
        "network.flow_log_days": "its default",
    },
    "gcp": {
        "artifact_store.soft_delete_days": "its default",
        "artifact_store.state_like": "releases, no states",
        "model_endpoint_roles.captures": "the key that the contract has",
        "model_endpoint_roles.encryption_keys": "the files name none for models",
    },
}
"""Variables of modules that an environment leaves as they are, and why."""


def declared(folder: Path) -> dict[str, str]:
    """The variables of a module, each with the text of its block."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.tf")))
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S))


def attributes(body: str) -> set[str]:
    """The attributes of a variable that is one object."""
    found = re.search(r"^  type\s+= object\(\{\n(.*?)^  \}\)", body, re.M | re.S)
    return set(re.findall(r"^    (\w+)\s+= ", found[1], re.M)) if found else set()


def calls(folder: Path) -> Iterator[tuple[str, set[str]]]:
    """Each module that is used, with the arguments that it is given."""
    for path in sorted(folder.glob("*.tf")):
        for name, body in re.findall(r'^module "(\w+)" \{\n(.*?)^\}', path.read_text("utf-8"), re.M | re.S):
            yield name, set(re.findall(r"^  (\w+)\s+= ", body, re.M)) - {"source", "count", "depends_on"}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_environment_passes_on_each_variable_of_its_modules(cloud: str) -> None:
    modules = TERRAFORM / "modules"
    left = {
        f"{name}.{variable}"
        for name, given in calls(modules / "environment" / cloud)
        for variable in set(declared(modules / name / cloud)) - given
    }
    assert left == set(NOT_PASSED[cloud])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_root_passes_on_each_variable_with_the_same_attributes(cloud: str, environment: str) -> None:
    root = TERRAFORM / "environments" / environment / cloud
    ours, theirs = declared(root), declared(TERRAFORM / "modules" / "environment" / cloud)
    given = dict(calls(root))["environment"]
    assert given == set(theirs)
    for name, body in theirs.items():
        if name in ("release", "config"):
            assert attributes(body) <= attributes(ours[name]), "a module takes what it needs of a release"
        elif name != "environment":
            assert attributes(body) == attributes(ours[name]), name


def test_modules_and_settings_take_the_same_names_of_environments() -> None:
    pattern = f"^{_ENVIRONMENT_NAME}$"
    modules = {
        str(path.relative_to(TERRAFORM)): re.findall(r'regex\("([^"]+)", (?:var\.)?environment\)', text)
        + re.findall(r'for name in keys\(var\.environments\) : can\(regex\("([^"]+)", name\)', text)
        for path in sorted(TERRAFORM.glob("modules/*/*/variables.tf"))
        if 'variable "environment' in (text := path.read_text("utf-8"))
    }
    assert len(modules) == 16
    assert modules == {module: [pattern] for module in modules}
