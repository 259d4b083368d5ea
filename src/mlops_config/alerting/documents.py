"""The rule files as Prometheus loads them: groups of rules, labels, annotations."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from mlops_config.alerting.promql import span, untemplated
from mlops_config.alerting.recording import Names, RecordingRule
from mlops_config.alerting.rules import Age, AlertRule, AlertRules

Format = Literal["yaml", "json"]

VALUE = '{{ printf "%.4g" $value }}'
DURATION = "{{ humanizeDuration $value }}"


def recording_document(names: Names, rules: Sequence[RecordingRule]) -> dict[str, Any]:
    """The file of the recording rules."""
    labels = dict(names.labels)
    return _document(
        names,
        "recording",
        [{"record": rule.record, "expr": rule.expr, "labels": labels} for rule in rules],
    )


def alerts_document(names: Names, alerts: AlertRules, config_digest: str) -> dict[str, Any]:
    """The file of the alerting rules."""
    entries = []
    for rule in alerts.rules:
        entry: dict[str, Any] = {"alert": rule.name, "expr": rule.expr}
        if rule.for_:
            entry["for"] = span(rule.for_)
        entry["labels"] = {name: untemplated(value) for name, value in labels_of(rule, alerts).items()}
        entry["annotations"] = annotations_of(rule, config_digest)
        entries.append(entry)
    return _document(names, "alerts", entries)


def labels_of(rule: AlertRule, alerts: AlertRules) -> dict[str, str]:
    """The labels of an alert. None changes with a release: with other labels ``for`` would begin anew."""
    return {**alerts.labels, "severity": rule.severity, "signal": rule.signal, **rule.labels}


def annotations_of(rule: AlertRule, config_digest: str) -> dict[str, str]:
    """The annotations as templates: what Prometheus expands when the alert fires."""
    value = DURATION if isinstance(rule.fires_on, Age) else VALUE
    return {
        name: untemplated(text).replace(untemplated("{{value}}"), value)
        for name, text in plain_annotations(rule, config_digest).items()
    }


def plain_annotations(rule: AlertRule, config_digest: str) -> dict[str, str]:
    """The annotations with ``{{value}}`` where the value goes."""
    annotations = {
        "summary": rule.summary,
        "description": rule.description,
        "threshold": rule.threshold,
        "config_digest": config_digest,
    }
    if rule.runbook_url is not None:
        annotations["runbook_url"] = rule.runbook_url
    return annotations


def _document(names: Names, what: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    group = ".".join(value for _, value in names.labels)
    return {"groups": [{"name": f"{group}.{what}", "rules": rules}]}


def written(document: dict[str, Any], form: Format, heading: str = "") -> str:
    """A document as text, the same for the same document; ``heading`` is a comment where the form has any."""
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes text of several lines as a block, and repeats what occurs twice instead of an anchor."""

        def ignore_aliases(self, _data: object) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 as PyYAML calls it
            super().increase_indent(flow, indentless=False)

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + yaml.dump(document, Dumper=Dumper, sort_keys=False, width=4096, allow_unicode=True)
