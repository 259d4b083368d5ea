"""What the settings make of findings: other severities, and waivers with an end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlops_config.contract.codes import AT_RELEASE, all_codes, can_be_lowered, finding
from mlops_config.findings import Finding, Place, Severity, format_path

if TYPE_CHECKING:
    from mlops_config.settings import Settings, Waiver


class Waived(NamedTuple):
    """A finding somebody decided to live with, and the waiver that says so."""

    finding: Finding
    waiver: "Waiver"


class Judged(NamedTuple):
    """Findings with the severities the settings give them, and those that are waived."""

    findings: list[Finding]
    waived: list[Waived]


def judge(
    findings: Iterable[tuple[str | None, Finding]],
    settings: "Settings",
    *,
    root: Path,
    today: date,
    complete: frozenset[str],
) -> Judged:
    """Applies the settings to findings, each given with its environment.

    ``complete`` are the environments whose rules all ran: only of a waiver for those can be said that nothing
    needs it. A waiver holds up to and including its last day.
    """
    if not settings.severity and not settings.waivers:
        return Judged([each for _, each in findings], [])
    judged = Judged([], [])
    used: set[int] = set()
    for environment, each in findings:
        weighed = _weighed(each, settings.severity)
        if weighed is None:
            continue
        number = _waiver_for(environment, weighed, settings.waivers, today)
        if number is None:
            judged.findings.append(weighed)
        else:
            used.add(number)
            judged.waived.append(Waived(weighed, settings.waivers[number]))
    judged.findings.extend(_about_severities(settings, root))
    judged.findings.extend(_about_waivers(settings, root, today, used, complete))
    return judged


def _weighed(each: Finding, severities: Mapping[str, str]) -> Finding | None:
    wanted = severities.get(each.code)
    if wanted is None or (_is_lower(wanted, each.severity) and not can_be_lowered(each.code)):
        return each
    if wanted == "off":
        return None
    return each._replace(severity=Severity(wanted))


def _is_lower(wanted: str, severity: Severity) -> bool:
    return wanted == "off" or Severity(wanted).rank > severity.rank


def _waiver_for(
    environment: str | None, each: Finding, waivers: Sequence["Waiver"], today: date
) -> int | None:
    for number, waiver in enumerate(waivers):
        if (
            waiver.rule == each.code
            and waiver.expires >= today
            and waiver.environment in (None, environment)
            and (waiver.path is None or _is_below(format_path(each.path), waiver.path))
            and can_be_lowered(each.code)
        ):
            return number
    return None


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith((f"{top}.", f"{top}["))


def _about_severities(settings: "Settings", root: Path) -> Iterable[Finding]:
    codes = all_codes()
    for code, wanted in settings.severity.items():
        if code in AT_RELEASE:
            continue
        if code not in codes:
            yield _unknown(code, _place(root, ("severity", code)))
        elif not can_be_lowered(code) and _is_lower(wanted, codes[code].severity):
            message = f"{code} stays an error: no valid file is left where it is found"
            place = _place(root, ("severity", code))
            yield finding("W04", message, place, hint="delete the line; mend the files instead")


def _about_waivers(
    settings: "Settings", root: Path, today: date, used: set[int], complete: frozenset[str]
) -> Iterable[Finding]:
    codes = all_codes()
    for number, waiver in enumerate(settings.waivers):
        what = f"the waiver for {waiver.rule}{f' at {waiver.path}' if waiver.path else ''}"
        place = _place(root, ("waivers", number))
        concerned = {waiver.environment} if waiver.environment else set(settings.environments)
        if waiver.rule not in codes and waiver.rule not in AT_RELEASE:
            yield _unknown(waiver.rule, place)
        elif not can_be_lowered(waiver.rule):
            message = f"{waiver.rule} cannot be waived: no valid file is left where it is found"
            yield finding("W04", message, place, hint="delete the waiver; mend the files instead")
        elif waiver.expires < today:
            message = f"{what} expired on {waiver.expires.isoformat()}"
            hint = f"mend what it covered, or renew it; its reason was: {waiver.reason}"
            yield finding("W01", message, place, hint=hint)
        elif number not in used and concerned <= complete and waiver.rule not in AT_RELEASE:
            yield finding("W02", f"{what} covers nothing", place, hint="delete it")


def _unknown(code: str, place: Place | None) -> Finding:
    from difflib import get_close_matches

    near = get_close_matches(code, all_codes(), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? docs/rules lists all codes" if near else "docs/rules lists all codes"
    return finding("W03", f"there is no code {code}", place, hint=hint)


def _place(root: Path, path: tuple[str | int, ...]) -> Place | None:
    """Where the settings file says it; ``None`` when the settings come from elsewhere."""
    from mlops_config.contract.reading.yaml_reader import read_document
    from mlops_config.settings import SETTINGS_NAME

    try:
        document = read_document((root / SETTINGS_NAME).read_bytes(), SETTINGS_NAME)
    except OSError:
        return None
    return document.positions.nearest(path) if document.positions.has(path) else None
