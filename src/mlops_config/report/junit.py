"""Findings as a JUnit report: a test case for each file, failed where the file has errors."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from mlops_config.findings import Finding, Severity
from mlops_config.report.interface import TOOL_NAME, ReportContext, closing_line, counts, printable
from mlops_config.report.text import render as render_text

_ELSEWHERE = "settings"


def render(findings: Sequence[Finding], context: ReportContext) -> str:
    """One suite. Warnings and notes do not fail a case; they stand in its output."""
    by_file: dict[str, list[Finding]] = {name: [] for name in context.texts}
    for each in findings:
        by_file.setdefault(each.place.file if each.place else _ELSEWHERE, []).append(each)
    failed = sum(_has_errors(group) for group in by_file.values())
    head = f'name="{TOOL_NAME}" tests="{len(by_file)}" failures="{failed}" errors="0" skipped="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {head}>", f"  <testsuite {head}>"]
    for name, group in by_file.items():
        lines += _case(name, group, context)
    lines += [f"    <system-out>{escape(closing_line(findings, context))}</system-out>", "  </testsuite>"]
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _case(name: str, findings: Sequence[Finding], context: ReportContext) -> Iterable[str]:
    file = quoteattr(printable(context.prefix + name))
    opening = f"    <testcase classname={_attribute(_folder(name))} name={file} file={file}"
    if not findings:
        yield f"{opening}/>"
        return
    yield f"{opening}>"
    plain = ReportContext(texts=context.texts, prefix=context.prefix)
    text = escape(render_text(findings, plain).rsplit("\n\n", 1)[0])
    if _has_errors(findings):
        codes = ",".join(dict.fromkeys(each.code for each in findings if each.severity is Severity.ERROR))
        yield f'      <failure type="{codes}" message="{counts(findings)}">{text}</failure>'
    else:
        yield f"      <system-out>{text}</system-out>"
    yield "    </testcase>"


def _has_errors(findings: Iterable[Finding]) -> bool:
    return any(each.severity is Severity.ERROR for each in findings)


def _folder(name: str) -> str:
    return ".".join(name.split("/")[:-1]) or TOOL_NAME


def _attribute(text: str) -> str:
    return quoteattr(printable(text))
