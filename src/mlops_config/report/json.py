"""Findings as JSON, for programs; docs/findings.md describes the document."""

import json
from collections.abc import Sequence
from typing import Any

from mlops_config import __version__
from mlops_config.findings import Finding, Place, Severity, format_path
from mlops_config.report.interface import TOOL_NAME, ReportContext, rule_uri

SCHEMA_VERSION = 1


def render(findings: Sequence[Finding], context: ReportContext) -> str:
    """The document: tool, counts, findings, and the findings that waivers cover."""
    count = {
        f"{severity.value}s": sum(each.severity is severity for each in findings) for severity in Severity
    }
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": TOOL_NAME, "version": __version__},
        "summary": {**count, "waived": len(context.waived), "files_read": context.files_read},
        "files": [
            {
                "environment": each.environment,
                "kind": each.kind.value,
                "path": each.path,
                "valid": each.is_valid,
            }
            for each in context.files
        ],
        "findings": [_finding(each, context) for each in findings],
        "waived": [
            {
                **_finding(each.finding, context),
                "reason": each.waiver.reason,
                "expires": each.waiver.expires.isoformat(),
            }
            for each in context.waived
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _finding(each: Finding, context: ReportContext) -> dict[str, Any]:
    return {
        "code": each.code,
        "severity": each.severity.value,
        "message": each.message,
        "hint": each.hint,
        "place": _place(each.place, context),
        "path": list(each.path),
        "path_text": format_path(each.path),
        "related": [{"place": _place(one.place, context), "message": one.message} for one in each.related],
        "replacement": each.replacement,
        "help": rule_uri(each.code),
    }


def _place(place: Place | None, context: ReportContext) -> dict[str, Any] | None:
    if place is None:
        return None
    return {
        "file": context.prefix + place.file,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }
