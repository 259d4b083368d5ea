"""Findings as JUnit: a case for each file, failed where it has errors."""

from xml.etree import ElementTree

import pytest
from tests.report.samples import (
    ALL,
    CONTEXT,
    HOSTILE,
    HOSTILE_TEXT,
    INFERENCE,
    SPELLING,
    TEXTS,
    TRAINING,
    many,
)

from mlops_config.findings import Severity
from mlops_config.report.interface import ReportContext
from mlops_config.report.junit import render


def parsed(report: str) -> ElementTree.Element:
    return ElementTree.fromstring(report)  # noqa: S314 - our own output


def case(report: str, name: str) -> ElementTree.Element:
    return next(each for each in parsed(report).iter("testcase") if each.get("name") == name)


def test_every_file_is_a_case_and_errors_fail_it() -> None:
    root = parsed(render(ALL, CONTEXT))
    suite = root[0]
    names = [each.get("name") for each in suite.iter("testcase")]
    assert names == [TRAINING, INFERENCE, "settings", "configs/prod/prod_retrain_config.yaml"]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")


def test_a_failure_holds_the_text_of_its_file() -> None:
    failure = case(render(ALL, CONTEXT), TRAINING).find("failure")
    assert failure is not None
    assert failure.get("type") == "S04,S02"
    assert failure.get("message") == "2 errors, 1 warning"
    assert failure.text is not None
    assert failure.text.startswith(f"{TRAINING}:3:18: error[S04]")
    assert "files read" not in failure.text


def test_warnings_fail_nothing() -> None:
    element = case(render([SPELLING], ReportContext(texts=TEXTS)), TRAINING)
    assert element.find("failure") is None
    assert "Y20" in (element.findtext("system-out") or "")


def test_a_clean_file_is_a_passed_case() -> None:
    assert len(case(render([], ReportContext(texts=TEXTS)), TRAINING)) == 0


@pytest.mark.parametrize("findings", [[HOSTILE], many(300, Severity.ERROR)])
def test_any_text_makes_well_formed_xml(findings: list) -> None:  # type: ignore[type-arg]  # of findings
    place = findings[0].place
    root = parsed(render(findings, ReportContext(texts={place.file: HOSTILE_TEXT})))
    assert root.tag == "testsuites"
