"""What every report format is given and gives back."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlops_config.findings import Finding, Severity
from mlops_config.kinds import Kind

if TYPE_CHECKING:
    from mlops_config.contract.overrides import Waived
    from mlops_config.contract.validation import Validation

TOOL_NAME = "mlops-config"
TOOL_URI = "https://github.com/org/mlops-config-action"


SECRET_CODES = frozenset({"C01"})
"""Findings about a credential: a report that showed its line would spread it further."""


class FileStatus(NamedTuple):
    """One of an environment's four files, whether or not it is there."""

    environment: str
    kind: Kind
    path: str | None
    """Where it lies; ``None`` when it could not be read."""
    is_valid: bool
    """Valid by itself; rules may still be broken."""


class ReportContext(NamedTuple):
    """What a report shows beside the findings."""

    texts: Mapping[str, str] = MappingProxyType({})
    """The text of each file that was read, to show the lines that findings are about."""
    files: Sequence[FileStatus] = ()
    waived: "Sequence[Waived]" = ()
    color: bool = False
    prefix: str = ""
    """What turns a file's name into its path from the repository root, such as ``services/fares/``."""

    @property
    def files_read(self) -> int:
        """How many files were read."""
        return len(self.texts)


class Renderer(Protocol):
    """A report format: a pure function in a module of its own, called ``render``."""

    def __call__(self, findings: Sequence[Finding], context: ReportContext) -> str:
        """The report, with a final newline. ``findings`` are in the order they are to be shown in."""


def context_of(validation: "Validation", *, color: bool = False, prefix: str = "") -> ReportContext:
    """The context of a validation's report."""
    statuses = []
    for environment, configs in validation.environments.items():
        for kind in Kind:
            file = configs.files.get(kind)
            path = file.path if file else None
            statuses.append(FileStatus(environment, kind, path, file is not None and file.model is not None))
    texts = {file.path: file.document.text for file in validation.files}
    return ReportContext(texts, statuses, validation.waived, color, prefix)


def rule_uri(code: str) -> str:
    """The page that explains a code."""
    return f"{TOOL_URI}/blob/v1/docs/rules/{code}.md"


def counts(findings: Sequence[Finding]) -> str:
    """``3 errors, 1 warning``, or ``no findings``."""
    numbers = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    parts = [plural(number, severity.value) for severity, number in numbers.items() if number]
    return ", ".join(parts) or "no findings"


def closing_line(findings: Sequence[Finding], context: ReportContext) -> str:
    """``3 errors, 1 warning in 2 files; 12 files read``."""
    files = {each.place.file for each in findings if each.place}
    where = f" in {plural(len(files), 'file')}" if files else ""
    waived = f"; {len(context.waived)} waived" if context.waived else ""
    return f"{counts(findings)}{where}; {plural(context.files_read, 'file')} read{waived}"


def plural(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """``text`` on one line, with an escape for everything that does not show or would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )
