"""Every rule finds what breaks it, where it stands, and nothing else."""

from types import SimpleNamespace

import pytest
from tests.contract.rules.case_types import Breaking, Passing
from tests.contract.rules.cases import BREAKING, CASES, PASSING, TODAY
from tests.contract.rules.example_configs import configs, raw_configs

from mlops_config.contract.compiled import load_validators
from mlops_config.contract.rules.catalog import RESERVED, RULES
from mlops_config.contract.rules.engine import Rule, Violation, check
from mlops_config.findings import ConfigPath, format_path

BY_CODE = {rule.code: rule for rule in RULES}


def found(code: str, case: Breaking | Passing) -> list[Violation]:
    return list(check(configs(case.changes), rules=[BY_CODE[code]], today=TODAY))


def is_there_or_could_be(document: object, path: ConfigPath) -> bool:
    """Whether the value is there, or is a key that its mapping lacks."""
    for number, step in enumerate(path):
        if isinstance(document, dict) and step not in document:
            return all(isinstance(key, str) for key in path[number:])
        document = document[step]  # type: ignore[index]  # a wrong step is the failure looked for
    return True


@pytest.mark.parametrize("case", BREAKING, ids=lambda case: f"{case.code}-{format_path(case.path)}")
def test_a_rule_finds_what_breaks_it_at_the_very_value(case: Breaking) -> None:
    violations = found(case.code, case)
    places = [(each.environment, each.kind, each.path) for each in violations]
    assert (case.environment, case.kind, case.path) in places
    there = [each for each in violations if each.path == case.path]
    assert any(case.says in f"{each.message} | {each.hint}" for each in there), there
    assert all(each.code == case.code for each in violations)


@pytest.mark.parametrize("case", BREAKING, ids=lambda case: f"{case.code}-{format_path(case.path)}")
def test_a_violation_says_what_to_do_and_points_at_values_that_exist(case: Breaking) -> None:
    raw = raw_configs(case.changes)
    for each in found(case.code, case):
        assert each.hint
        assert "\n" not in f"{each.message}{each.hint}"
        assert is_there_or_could_be(raw[each.environment][each.kind], each.path)
        for other in each.related:
            assert other.message
            assert is_there_or_could_be(raw[other.environment][other.kind], other.path)


@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.code)
def test_a_rule_lets_pass_what_only_comes_close(case: Passing) -> None:
    assert found(case.code, case) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_examples_break_no_rule(rule: Rule) -> None:
    assert list(check(configs(), rules=[rule])) == []


@pytest.mark.parametrize("case", BREAKING, ids=lambda case: f"{case.code}-{format_path(case.path)}")
def test_a_rule_finds_the_same_in_stand_ins_for_models(case: Breaking) -> None:
    validators = load_validators()
    if validators is None:
        pytest.skip("the stored schemas are of another version of pydantic-core")
    stand_ins = {
        environment: SimpleNamespace(
            **{kind.value: validators[kind].validate_python(document) for kind, document in files.items()}
        )
        for environment, files in raw_configs(case.changes).items()
    }
    assert list(check(stand_ins, rules=[BY_CODE[case.code]], today=TODAY)) == found(case.code, case)


def test_every_rule_has_a_case_that_breaks_it_and_every_case_a_rule() -> None:
    assert {case.code for case in BREAKING} == {rule.code for rule in RULES}
    assert {case.code for case in CASES} == {rule.code for rule in RULES}


def test_codes_are_unique_and_none_is_reserved() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert not set(codes) & set(RESERVED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_explains_what_it_demands_why_and_how_to_mend(rule: Rule) -> None:
    paragraphs = rule.explanation.split("\n\n")
    assert not paragraphs[0].startswith(("Why:", "Mend:"))
    assert sum(paragraph.startswith("Why: ") for paragraph in paragraphs) == 1
    assert sum(paragraph.startswith("Mend: ") for paragraph in paragraphs) == 1
    assert not rule.title.endswith(".")
