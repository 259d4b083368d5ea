"""Findings as SARIF 2.1.0, the form code scanning services take (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from mlops_config import __version__
from mlops_config.contract.codes import all_codes
from mlops_config.findings import Finding, Place, format_path
from mlops_config.report.interface import TOOL_NAME, TOOL_URI, ReportContext, rule_uri

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "mlopsConfigFinding/v1"
# Code scanning shows nothing without a file, so what belongs to no file is shown at the settings.
_NOWHERE = Place("mlops-config.yaml")


def render(findings: Sequence[Finding], context: ReportContext) -> str:
    """One run with every rule described, and a result for each finding, waived ones marked as suppressed."""
    codes = all_codes()
    numbers = {code: number for number, code in enumerate(codes)}
    waived = [each.finding for each in context.waived]
    results = list(_results([*findings, *waived], numbers, context))
    for result, each in zip(results[len(findings) :], context.waived, strict=True):
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": each.waiver.reason}
        ]
    driver = {
        "name": TOOL_NAME,
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": TOOL_URI,
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": about.title},
                "fullDescription": {"text": about.title},
                "helpUri": rule_uri(code),
                "help": {"text": f"{about.title}. See {rule_uri(code)}"},
                "defaultConfiguration": {"level": about.severity.value},
            }
            for code, about in codes.items()
        ],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{TOOL_NAME}/"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _results(
    findings: Sequence[Finding], numbers: dict[str, int], context: ReportContext
) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for each in findings:
        place = each.place or _NOWHERE
        # Lines move when others are added, so the place in the document's structure names the finding.
        identity = f"{each.code}\n{context.prefix}{place.file}\n{format_path(each.path)}"
        seen[identity] += 1
        location: dict[str, Any] = {"physicalLocation": _physical(place, context)}
        if each.path:
            location["logicalLocations"] = [{"fullyQualifiedName": format_path(each.path), "kind": "member"}]
        result: dict[str, Any] = {
            "ruleId": each.code,
            "level": each.severity.value,
            "message": {"text": f"{each.message}\n{each.hint}" if each.hint else each.message},
            "locations": [location],
            "partialFingerprints": {
                FINGERPRINT: sha256(f"{identity}\n{seen[identity]}".encode()).hexdigest()
            },
        }
        if each.code in numbers:
            result["ruleIndex"] = numbers[each.code]
        if each.related:
            result["relatedLocations"] = [
                {
                    "id": number,
                    "physicalLocation": _physical(one.place, context),
                    "message": {"text": one.message},
                }
                for number, one in enumerate(each.related, start=1)
            ]
        if each.replacement is not None and each.place and each.place.end_column is not None:
            result["fixes"] = [_fix(each.replacement, each.place, context)]
        yield result


def _physical(place: Place, context: ReportContext) -> dict[str, Any]:
    return {"artifactLocation": _artifact(place, context), "region": _region(place)}


def _artifact(place: Place, context: ReportContext) -> dict[str, str]:
    path = context.prefix + place.file
    return {"uri": quote(path, errors="replace"), "uriBaseId": "%SRCROOT%"}


def _region(place: Place) -> dict[str, int]:
    region = {"startLine": place.line, "startColumn": place.column}
    if place.end_line is not None and place.end_column is not None:
        region |= {"endLine": place.end_line, "endColumn": place.end_column}
    return region


def _fix(replacement: str, place: Place, context: ReportContext) -> dict[str, Any]:
    change = {
        "artifactLocation": _artifact(place, context),
        "replacements": [{"deletedRegion": _region(place), "insertedContent": {"text": replacement}}],
    }
    return {"description": {"text": f"Write {replacement}"}, "artifactChanges": [change]}
