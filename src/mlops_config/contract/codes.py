"""Every finding code, with its title and the severity it has before the settings change it."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

from mlops_config.findings import ConfigPath, Finding, Place, Related, Severity


class Code(NamedTuple):
    """What a code stands for; ``docs/rules/<code>.md`` says more."""

    title: str
    severity: Severity = Severity.ERROR


_WARNING, _NOTE = Severity.WARNING, Severity.NOTE

OWN_CODES: Mapping[str, Code] = {
    "Y01": Code("The file is not valid YAML"),
    "Y02": Code("The file is empty"),
    "Y03": Code("The file is not a mapping"),
    "Y04": Code("The file holds several documents"),
    "Y05": Code("A key is there twice"),
    "Y06": Code("An anchor or alias"),
    "Y07": Code("A merge key"),
    "Y08": Code("A tag"),
    "Y09": Code("The file is not UTF-8 text"),
    "Y10": Code("A control character"),
    "Y11": Code("An invisible character"),
    "Y12": Code("A tab where only spaces may stand"),
    "Y13": Code("The file is too large"),
    "Y14": Code("The file is nested too deeply"),
    "Y15": Code("A key is not text"),
    "Y16": Code("A number that cannot be kept"),
    "Y17": Code("A YAML directive"),
    "Y20": Code("A word that other parsers read as a boolean", _WARNING),
    "Y21": Code("A number that other parsers read differently", _WARNING),
    "Y22": Code("A text that other parsers read as something else", _WARNING),
    "Y23": Code("A version written as a number", _WARNING),
    "F01": Code("An environment has no folder"),
    "F02": Code("A file is missing"),
    "F03": Code("A file that nothing reads", _WARNING),
    "F04": Code("A folder that is no environment", _WARNING),
    "F05": Code("Two files for one kind"),
    "F06": Code("A link that leads out of the configuration folder"),
    "F07": Code("Not a regular file"),
    "F08": Code("A file that cannot be read"),
    "F09": Code("The configuration folder lies outside the repository"),
    "F10": Code("The header names another environment"),
    "F11": Code("The header names another kind"),
    "S01": Code("A required key is missing"),
    "S02": Code("An unknown key"),
    "S03": Code("A value of the wrong type"),
    "S04": Code("A value out of its range"),
    "S05": Code("A value that is none of the choices"),
    "S06": Code("A value of the wrong form"),
    "S07": Code("Values that do not go together"),
    "W01": Code("A waiver has expired", _WARNING),
    "W02": Code("A waiver that nothing needs", _NOTE),
    "W03": Code("The settings name a code that does not exist", _WARNING),
    "W04": Code("The settings lower what cannot be lowered", _WARNING),
    "W05": Code("A rule cannot read the team's own model", _WARNING),
}

AT_RELEASE: Mapping[str, Literal["error", "warning", "note", "off"]] = {"E06": "off"}
"""Codes that a release checks, since the files cannot tell, with the severity each has by default."""


def finding(
    code: str,
    message: str,
    place: Place | None,
    *,
    path: ConfigPath = (),
    hint: str | None = None,
    related: Iterable[Related] = (),
    replacement: str | None = None,
) -> Finding:
    """A finding of one of our own codes, with the severity the code has by default."""
    return Finding(code, OWN_CODES[code].severity, message, place, path, hint, tuple(related), replacement)


def can_be_lowered(code: str) -> bool:
    """Whether settings and waivers may weaken a code: not where its finding leaves no valid file behind."""
    return code[0] not in "YFS" or OWN_CODES[code].severity is not Severity.ERROR


@cache
def all_codes() -> Mapping[str, Code]:
    """Our own codes and those of every rule, in the order of the codes."""
    from mlops_config.contract.rules.catalog import RULES

    codes = {**OWN_CODES, **{rule.code: Code(rule.title, rule.severity) for rule in RULES}}
    return dict(sorted(codes.items()))
