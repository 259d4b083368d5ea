"""Rules run where the files they need are valid, in the environments they hold in."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from mlops_config.contract.rules.catalog import RULES
from mlops_config.contract.rules.engine import (
    Breach,
    Environment,
    File,
    Role,
    Violation,
    check,
    environment_rule,
    file_rule,
    project_rule,
    role_of,
)
from mlops_config.findings import Severity
from mlops_config.kinds import Kind


def models(**valid: object) -> SimpleNamespace:
    return SimpleNamespace(**{kind.value: valid.get(kind.value) for kind in Kind})


@file_rule("T01", "A file rule", Kind.TRAINING, Kind.RETRAIN, severity=Severity.WARNING)
def of_a_file(file: File) -> Iterator[Breach]:
    yield file.breach(("a", 1), f"{file.environment} {file.kind} {file.config}", "mend it")


@environment_rule("T02", "An environment rule", Kind.TRAINING, Kind.INFERENCE, roles=(Role.PRODUCTION,))
def of_an_environment(environment: Environment) -> Iterator[Breach]:
    seen = environment.see(Kind.INFERENCE, ("b",), str(environment.inference))
    yield environment.breach(Kind.TRAINING, ("a",), str(environment.training), None, seen)


@project_rule("T03", "A project rule", Kind.TRAINING)
def of_the_project(environments: Sequence[Environment]) -> Iterator[Breach]:
    names = [environment.name for environment in environments]
    yield environments[0].breach(Kind.TRAINING, (), f"{names}")


@environment_rule("T04", "A rule that reads more than it says", Kind.TRAINING)
def of_more_than_it_says(environment: Environment) -> Iterator[Breach]:
    yield environment.breach(Kind.TRAINING, (), str(environment.retrain))


def test_a_file_rule_runs_on_each_valid_file_of_its_kinds() -> None:
    found = check(
        {"dev": models(training="t", inference="i"), "prod": models(retrain="r")}, rules=[of_a_file]
    )
    assert [each.message for each in found] == ["dev training t", "prod retrain r"]


def test_a_violation_carries_the_rules_code_and_what_the_rule_said() -> None:
    (found,) = check({"dev": models(training="t")}, rules=[of_a_file])
    assert found == Violation("T01", "dev training t", "dev", Kind.TRAINING, ("a", 1), "mend it", ())


def test_an_environment_rule_needs_all_its_files_and_its_role() -> None:
    both = models(training="t", inference="i")
    configs = {"dev": both, "staging": both, "prod": both}
    assert [each.environment for each in check(configs, rules=[of_an_environment])] == ["prod"]
    assert not list(check({"prod": models(training="t")}, rules=[of_an_environment]))


def test_the_other_side_of_a_violation_names_its_file() -> None:
    (found,) = check({"prod": models(training="t", inference="i")}, rules=[of_an_environment])
    assert found.related == (("prod", Kind.INFERENCE, ("b",), "i"),)


def test_a_project_rule_sees_the_environments_with_valid_files_in_release_order() -> None:
    configs = {
        "prod": models(training="p"),
        "qa": models(),
        "dev": models(training="d"),
        "extra": models(training="e"),
    }
    (found,) = check(configs, order=("dev", "qa", "prod"), rules=[of_the_project])
    assert found.message == "['dev', 'prod', 'extra']"


def test_a_rule_cannot_read_a_file_it_does_not_name() -> None:
    with pytest.raises(LookupError, match="reads the retrain file but does not name it"):
        list(check({"prod": models(training="t", retrain="r")}, rules=[of_more_than_it_says]))


@pytest.mark.parametrize(
    ("environment", "order", "role"),
    [
        ("dev", ("dev", "staging", "prod"), Role.DEVELOPMENT),
        ("staging", ("dev", "staging", "prod"), Role.STAGING),
        ("prod", ("dev", "staging", "prod"), Role.PRODUCTION),
        ("dev", ("dev",), Role.DEVELOPMENT),
        ("prod", ("prod", "prod-eu"), Role.PRODUCTION),
        ("live", ("lab", "qa", "live"), Role.PRODUCTION),
        ("qa", ("lab", "qa", "live"), Role.STAGING),
        ("lab", ("lab", "qa", "live"), Role.DEVELOPMENT),
        ("live", ("live",), Role.PRODUCTION),
        ("unknown", ("dev", "prod"), Role.DEVELOPMENT),
    ],
)
def test_an_environment_has_its_role_by_its_name_or_else_by_its_place(
    environment: str, order: tuple[str, ...], role: Role
) -> None:
    assert role_of(environment, order) is role


def test_all_rules_run_on_no_environments_at_all() -> None:
    assert list(check({})) == []


def test_rules_are_loaded_without_the_models_and_without_pydantic() -> None:
    code = (
        "import sys, mlops_config.contract.rules.catalog\n"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('pydantic', 'pydantic_core', 'scipy', 'numpy', 'yaml') or name.endswith('contract.models')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_scope_has_rules() -> None:
    assert {rule.scope for rule in RULES} == {"file", "environment", "project"}
