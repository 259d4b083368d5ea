"""Airflow and its jobs get the version of the checkout that Terraform's modules are of."""

import re
from pathlib import Path

import pytest

from mlops_config import __version__

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_airflow_gets_this_version_by_default(cloud: str) -> None:
    text = (TERRAFORM / "modules" / "airflow" / cloud / "variables.tf").read_text("utf-8")
    declared = re.search(r'^variable "package_version" \{\n(.*?)^\}', text, re.M | re.S)
    assert declared is not None
    assert re.findall(r'^  default +?= "(.+)"$', declared[1], re.M) == [__version__], (
        "set package_version's default to the new version, in both clouds' module airflow"
    )


def test_no_other_module_says_a_version() -> None:
    for path in TERRAFORM.rglob("*.tf"):
        if ".terraform" not in path.parts and "airflow" not in path.parts:
            said = re.findall(r'package_version *= .*"\d', path.read_text("utf-8"))
            assert not said, f"{path}: leave it to the module airflow"
