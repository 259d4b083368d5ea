"""Validation: every file of every environment read once, checked by itself and against the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.contract.codes import finding
from mlops_config.contract.overrides import Waived, judge
from mlops_config.contract.reading.positions import Positions
from mlops_config.contract.reading.sources import SourceFile, read_sources
from mlops_config.contract.reading.yaml_reader import Document, read_document
from mlops_config.contract.validators import Validators
from mlops_config.findings import ConfigPath, Finding, Place, Related, Severity, in_reading_order
from mlops_config.kinds import Kind
from mlops_config.settings import unknown_environment

if TYPE_CHECKING:
    from mlops_config.contract.rules.engine import Violation
    from mlops_config.settings import Settings


class ConfigFile(NamedTuple):
    """One file: where it lies, its bytes as they were validated, and what they mean."""

    kind: Kind
    path: str
    """Relative to the repository root, with ``/``."""
    data: bytes
    document: Document
    model: Any
    """The validated model; ``None`` when the file has errors of its own."""

    @property
    def positions(self) -> Positions:
        """Where each key and value stands."""
        return self.document.positions


class EnvironmentConfigs(NamedTuple):
    """One environment's files, those that could be read."""

    environment: str
    files: Mapping[Kind, ConfigFile]

    @property
    def training(self) -> Any:
        """The valid training model, or ``None``."""
        return self.model(Kind.TRAINING)

    @property
    def inference(self) -> Any:
        """The valid inference model, or ``None``."""
        return self.model(Kind.INFERENCE)

    @property
    def monitoring(self) -> Any:
        """The valid monitoring model, or ``None``."""
        return self.model(Kind.MONITORING)

    @property
    def retrain(self) -> Any:
        """The valid retrain model, or ``None``."""
        return self.model(Kind.RETRAIN)

    def model(self, kind: Kind) -> Any:
        """The valid model of a kind, or ``None``."""
        file = self.files.get(kind)
        return file.model if file else None

    @property
    def complete(self) -> bool:
        """Whether all four files are there and each is valid by itself; rules may still be broken."""
        return all(self.model(kind) is not None for kind in Kind)


class Validation(NamedTuple):
    """The outcome: findings in reading order, and the files they are about."""

    findings: tuple[Finding, ...]
    environments: Mapping[str, EnvironmentConfigs]
    waived: tuple[Waived, ...] = ()
    """Findings that waivers in the settings cover."""

    def environment(self, name: str) -> EnvironmentConfigs:
        """The files of one environment.

        Raises:
            UsageError: it was not validated.
        """
        if name not in self.environments:
            raise unknown_environment(name, self.environments)
        return self.environments[name]

    @property
    def files(self) -> tuple[ConfigFile, ...]:
        """Every file that was read, by environment and kind."""
        return tuple(file for configs in self.environments.values() for file in configs.files.values())

    @property
    def files_read(self) -> int:
        """How many files were read."""
        return len(self.files)

    def number_of(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(each.severity is severity for each in self.findings)


def validate(
    root: Path,
    settings: "Settings",
    environments: Sequence[str] | None = None,
    *,
    light: bool = False,
    today: date | None = None,
) -> Validation:
    """Reads and checks the files of ``environments`` (all that the settings name, unless given).

    Rules that compare environments see only those that are validated. With ``light`` the models are stand-ins
    that have a model's attributes but none of its methods: faster, and enough for reports. ``today`` (UTC)
    decides which waivers have expired, and where rules on the calendar begin to look.

    Raises:
        UsageError: an environment the settings do not know, or a contracts module that cannot be used.
    """
    names = tuple(dict.fromkeys(environments)) if environments else settings.environments
    for name in names:
        settings.require_environment(name)
    validators = Validators(settings.contracts, root, light=light)
    sources = read_sources(root, settings.config_dir, names, settings.environments)
    found: list[tuple[str | None, Finding]] = [(None, each) for each in sources.findings]
    checked: dict[str, EnvironmentConfigs] = {}
    for name in names:
        files = {}
        for kind, source in sources.files.get(name, {}).items():
            files[kind], findings = _check_file(source, name, validators)
            found += [(name, each) for each in findings]
        checked[name] = EnvironmentConfigs(name, files)
    day = today or datetime.now(UTC).date()
    found += _check_rules(checked, settings, day)
    judged = judge(
        found,
        settings,
        root=root,
        today=day,
        complete=frozenset(name for name, configs in checked.items() if configs.complete),
    )
    return Validation(tuple(in_reading_order(judged.findings)), checked, tuple(judged.waived))


def read_files(
    sources: Iterable[SourceFile], environment: str, validators: Validators
) -> tuple[EnvironmentConfigs, tuple[Finding, ...]]:
    """One environment's files, each checked by itself: for files whose rules were checked when released."""
    files, found = {}, []
    for source in sources:
        files[source.kind], findings = _check_file(source, environment, validators)
        found += findings
    return EnvironmentConfigs(environment, files), tuple(in_reading_order(found))


def _check_file(
    source: SourceFile, environment: str, validators: Validators
) -> tuple[ConfigFile, list[Finding]]:
    document = read_document(source.data, source.path)
    findings = list(document.findings)
    model = None
    if document.is_whole:
        about_header = list(_check_header(document, environment, source.kind))
        declared = _declared_kind(document) or source.kind
        model, about_schema = _check_schema(document, declared, validators, environment)
        findings = _without_echoes(findings, about_schema) + about_header + about_schema
        if about_header or not document.is_sound:
            model = None
    return ConfigFile(source.kind, source.path, source.data, document, model), findings


def _check_schema(
    document: Document, kind: Kind, validators: Validators, environment: str
) -> tuple[Any, list[Finding]]:
    from mlops_config.contract.core import ValidationError

    try:
        return validators.validator(kind).validate_python(document.data), []
    except ValidationError as error:
        from mlops_config.contract.schema_findings import findings_of

        own = {("metadata", "environment"): f"add `environment: {environment}`"}
        findings = findings_of(error, document, validators.model(kind))
        return None, [
            each._replace(hint=own[each.path]) if each.code == "S01" and each.path in own else each
            for each in findings
        ]


def _without_echoes(findings: list[Finding], about_schema: list[Finding]) -> list[Finding]:
    """The reader's findings without warnings about scalars that the schema refuses anyway."""
    refused = {each.path for each in about_schema}
    unknown = {each.path for each in about_schema if each.code == "S02"}

    def is_echo(path: ConfigPath) -> bool:
        return path in refused or any(path[:end] in unknown for end in range(1, len(path)))

    return [each for each in findings if each.severity is Severity.ERROR or not is_echo(each.path)]


def _declared_kind(document: Document) -> Kind | None:
    declared = document.data.get("kind")
    return next((kind for kind in Kind if kind == declared), None)


def _check_header(document: Document, environment: str, kind: Kind) -> Iterator[Finding]:
    """Whether the header names the folder and the kind that the file's place and name say."""
    metadata = document.data.get("metadata")
    named = metadata.get("environment") if isinstance(metadata, dict) else None
    path: ConfigPath = ("metadata", "environment")
    if isinstance(named, str) and named != environment:
        message = (
            f"the header says the environment is {named}, but the file lies in the folder of {environment}"
        )
        hint = f"write {environment}, or move the file"
        place = document.positions.nearest(path)
        yield finding("F10", message, place, path=path, hint=hint, replacement=environment)
    declared = _declared_kind(document)
    if declared not in (None, kind):
        message = f"the header says this is the {declared} file, but its name says it is the {kind} file"
        hint = f"write {kind}, or rename the file"
        place = document.positions.nearest(("kind",))
        yield finding("F11", message, place, path=("kind",), hint=hint, replacement=kind.value)


def _check_rules(
    checked: Mapping[str, EnvironmentConfigs], settings: "Settings", today: date
) -> Iterator[tuple[str | None, Finding]]:
    from mlops_config.contract.rules.catalog import RULES
    from mlops_config.contract.rules.engine import check

    for rule in RULES:
        if settings.severity.get(rule.code) == "off":
            continue
        try:
            for violation in check(checked, order=settings.environments, rules=[rule], today=today):
                yield violation.environment, _placed(violation, checked, rule.severity)
        except (AttributeError, TypeError, LookupError, ValueError) as error:
            if settings.contracts is None:
                raise
            message = f"{rule.code} cannot be checked on the models of {settings.contracts}: {error}"
            hint = "extend this package's models, or turn the rule off in the settings"
            yield None, finding("W05", message, None, hint=hint)


def _placed(violation: "Violation", checked: Mapping[str, EnvironmentConfigs], severity: Severity) -> Finding:
    def place(environment: str, kind: Kind, path: ConfigPath) -> Place:
        return checked[environment].files[kind].positions.nearest(path)

    related = tuple(
        Related(place(each.environment, each.kind, each.path), each.message) for each in violation.related
    )
    return Finding(
        violation.code,
        severity,
        violation.message,
        place(violation.environment, violation.kind, violation.path),
        violation.path,
        violation.hint,
        related,
    )
