"""The six roots' plans are those that were reviewed."""

import copy
import json
from pathlib import Path

import pytest

from tests.terraform import golden, standin


@pytest.fixture(scope="module")
def plans(
    terraform: Path, standin_mirror: standin.Environment, tmp_path_factory: pytest.TempPathFactory
) -> golden.Plans:
    """Of all roots, each made when it is asked for."""
    return golden.Plans(tmp_path_factory.mktemp("golden"), terraform, standin_mirror)


def reviewed(name: str) -> golden.Document:
    """A root's plan as its file has it."""
    document: golden.Document = json.loads((golden.FOLDER / f"{name}.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("name", golden.ROOTS)
def test_a_plan_is_the_reviewed_one(plans: golden.Plans, name: str) -> None:
    lines = golden.differences(reviewed(name), plans.of(name))

    assert not lines, "\n".join([*lines, "Is it meant? python -m tests.terraform.golden --write"])


def test_the_files_are_written_as_the_program_writes_them() -> None:
    for name in golden.ROOTS:
        assert (golden.FOLDER / f"{name}.json").read_text("utf-8") == golden.text_of(reviewed(name))
    assert {file.stem for file in golden.FOLDER.glob("*.json")} == set(golden.ROOTS)


def test_a_difference_is_said_to_the_attribute() -> None:
    document = reviewed("prod-aws")
    changed = copy.deepcopy(document)
    airflow = "module.environment.module.airflow[0].aws_mwaa_environment.this"
    changed["resources"][airflow]["max_workers"] = 25
    del changed["resources"][airflow]["environment_class"]
    role = "module.environment.module.airflow[0].aws_iam_role.execution"
    changed["resources"][role]["assume_role_policy"]["JSON"]["Statement"][0]["Principal"] = {"AWS": "*"}

    assert golden.differences(document, changed) == [
        f'+ resources {role} assume_role_policy JSON Statement [0] Principal AWS: "*"',
        f"- resources {role} assume_role_policy JSON Statement [0] Principal Service [0]:"
        ' "airflow.amazonaws.com"',
        f"- resources {role} assume_role_policy JSON Statement [0] Principal Service [1]:"
        ' "airflow-env.amazonaws.com"',
        f'- resources {airflow} environment_class: "mw1.medium"',
        f"~ resources {airflow} max_workers: 10 -> 25",
    ]


def test_no_path_of_this_machine_is_in_a_plan() -> None:
    for name in golden.ROOTS:
        for path, value in golden.leaves(reviewed(name)):
            assert not (isinstance(value, str) and str(standin.ROOT) in value), path
            assert "/tmp/" not in str(value), path  # noqa: S108 it is looked for, not written to
