"""The main job: four YAML files in; bundle, image, published release record and notes out, stage by stage."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from mlops_config.bundle.archive import to_tar
from mlops_config.bundle.bundle import Bundle
from mlops_config.console import Console
from mlops_config.contract.validation import EnvironmentConfigs, Validation, validate
from mlops_config.contract.validators import Validators
from mlops_config.errors import FindingsError, IntegrityError, MlopsConfigError, UsageError
from mlops_config.files import make_output_folder, write_atomically
from mlops_config.findings import Severity
from mlops_config.kinds import Kind
from mlops_config.release.assembly import file_records, first_record, refuse_untraceable
from mlops_config.release.imaging import ImageChoice, choose_builder, specify, with_image
from mlops_config.release.publishing import Standing, publish
from mlops_config.release.record import FileRecord, PreviousRelease, ReleaseRecord
from mlops_config.release.signoff import require_verified
from mlops_config.release.source import Checkout, Target, read_checkout, target_of
from mlops_config.release.verification import read_record
from mlops_config.settings import SETTINGS_NAME, Settings

RECORD_NAME = "release.json"
NOTES_NAME = "notes.md"
ARCHIVE_NAME = "bundle.tar"
LAYOUT_NAME = "image"
STORE_NAME = "store"
OUTPUT_NAME = ".mlops-config"


class Stage(StrEnum):
    """A part of the job that can be asked for alone; validation and bundling always come first."""

    VALIDATE = "validate"
    BUILD = "build"
    PUBLISH = "publish"
    NOTES = "notes"


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is asked to do. ``None`` leaves a choice to the settings, or the ref."""

    root: Path
    stages: frozenset[Stage] = frozenset(Stage)
    environment: str | None = None
    version: str | None = None
    ref: str | None = None
    default_branch: str | None = None
    repository: str | None = None
    actor: str | None = None
    run_url: str | None = None
    server_url: str = "https://github.com"
    image_repository: str | None = None
    base_image: str | None = None
    dockerfile: Path | None = None
    platforms: tuple[str, ...] = ()
    push: bool = False
    stores: tuple[str, ...] = ()
    fail_on: Severity = Severity.ERROR
    dry_run: bool = False
    output: Path | None = None
    """Where generated files go, a folder per environment; ``None``: ``.mlops-config`` under the root."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run made. Validation alone makes no release: no environment, no record."""

    validation: Validation
    environment: str | None = None
    changed: bool = False
    """Whether something was published (on a dry run: would be) that was not in force before."""
    record: ReleaseRecord | None = None
    folder: Path | None = None
    """Where the archive, the record and the notes lie; of a dry run, the archive alone."""
    notes: str | None = None
    is_dry: bool = False

    def whereabouts(self) -> list[tuple[str, str]]:
        """What was made and where it lies, as label and value, in the order it was made."""
        if self.record is None or self.folder is None:
            return []
        record, image = self.record, self.record.image
        places = [("config", record.config_digest), ("archive", str(self.folder / ARCHIVE_NAME))]
        if image:
            by_digest = f"@{image.digest}" if image.digest and image.pushed else f":{image.tags[0]}"
            places.append(
                ("image", f"{image.layout} (OCI layout)" if image.layout else image.repository + by_digest)
            )
        places += [("bundle", location.uri) for location in record.bundles]
        if not self.is_dry:
            places.append(("record", str(self.folder / RECORD_NAME)))
        if self.notes and not self.is_dry:
            places.append(("notes", str(self.folder / NOTES_NAME)))
        return places


class RefusedError(FindingsError):
    """Validation found something at or above the refused severity; ``validation`` holds everything found."""

    def __init__(self, validation: Validation, count: int) -> None:
        super().__init__(f"{count} finding{'s' if count != 1 else ''} must be mended first")
        self.validation = validation


def run(options: Options, settings: Settings, console: Console) -> RunResult:
    """Runs the asked stages in order and returns what they made.

    Raises:
        RefusedError: findings at or above ``options.fail_on``.
        UsageError: arguments, settings or the work tree do not allow a release.
        ServiceError: engine, registry or store failed after retries; running again goes on from there.
        IntegrityError: something stored or built is not what its digest says.
    """
    if options.environment is not None:
        settings.require_environment(options.environment)
    validation = validated(options, settings, console)
    if options.stages <= {Stage.VALIDATE}:
        return RunResult(validation)
    draft, bundle, checkout = _drafted(options, settings, validation)
    output = options.output or options.root / OUTPUT_NAME
    folder = output / draft.environment
    with console.stage("bundle") as log:
        make_output_folder(output)
        write_atomically(folder / ARCHIVE_NAME, to_tar(bundle))
        log.done(f"{draft.environment} {draft.config_digest}")
    standing = _standing(draft, options, settings, output) if Stage.PUBLISH in options.stages else None
    if options.dry_run:
        return _rehearsed(draft, validation, standing, options, settings, folder, console)
    if Stage.BUILD in options.stages:
        record, in_force = _built(draft, bundle, checkout, standing, options, settings, folder, console)
    else:
        record = _recorded(folder / RECORD_NAME, draft)
        in_force = standing.in_force(record, pushed=options.push) if standing else None
    if in_force:
        record = in_force
        console.say(f"unchanged: {record.environment} runs release {record.name} of these very files already")
    elif standing:
        record = _published(record.as_released(), bundle, standing, settings, console)
    record = _with_activation(record, folder / RECORD_NAME)
    write_atomically(folder / RECORD_NAME, record.to_json())
    notes = None
    if Stage.NOTES in options.stages:
        with console.stage("notes") as log:
            notes = notes_of(record, validation, standing, options, settings)
            write_atomically(folder / NOTES_NAME, notes.encode())
            log.done(str(folder / NOTES_NAME))
    return RunResult(validation, record.environment, in_force is None, record, folder, notes)


def validated(options: Options, settings: Settings, console: Console) -> Validation:
    """The whole tree validated, all environments, since rules compare them.

    Raises:
        RefusedError: findings at or above ``options.fail_on``.
    """
    with console.stage("validate") as log:
        validation = validate(options.root, settings)
        refused = sum(finding.severity.rank <= options.fail_on.rank for finding in validation.findings)
        found = len(validation.findings)
        log.done(f"{validation.files_read} files, {found} finding{'s' if found != 1 else ''}")
        if refused:
            raise RefusedError(validation, refused)
    return validation


def bundle_of(configs: EnvironmentConfigs) -> Bundle:
    """The environment's bundle, of the very bytes that were validated."""
    metadata = configs.training.metadata
    data = {kind: configs.files[kind].data for kind in Kind}
    return Bundle.of(metadata.project, metadata.model_name, configs.environment, data)


def files_of(configs: EnvironmentConfigs, bundle: Bundle) -> tuple[FileRecord, ...]:
    """What the record says of each of the environment's files."""
    sources = {kind: configs.files[kind].path for kind in Kind}
    return file_records(bundle, sources, {kind: configs.model(kind) for kind in Kind})


def _drafted(
    options: Options, settings: Settings, validation: Validation
) -> tuple[ReleaseRecord, Bundle, Checkout]:
    """What is released, the record of it so far, and where it comes from."""
    inputs = [options.root / settings.config_dir, options.root / SETTINGS_NAME]
    if options.dockerfile:
        inputs.append(options.dockerfile)
    checkout = read_checkout(options.root, inputs, ref=options.ref, default_branch=options.default_branch)
    if options.repository:
        checkout = replace(checkout, repository=options.repository)
    target = _target(options, settings, checkout)
    refuse_untraceable(checkout, target.environment, settings)
    configs = validation.environment(target.environment)
    bundle = bundle_of(configs)
    record = first_record(
        bundle,
        files_of(configs, bundle),
        checkout,
        version=options.version or target.version,
        actor=options.actor,
        run_url=options.run_url,
    )
    return record, bundle, checkout


def _target(options: Options, settings: Settings, checkout: Checkout) -> Target:
    """The environment asked for, else the ref's; a version in the ref counts for its own environment only."""
    if options.environment is None:
        return target_of(checkout.ref, settings, default_branch=checkout.default_branch)
    try:
        by_ref = target_of(checkout.ref, settings, default_branch=checkout.default_branch)
    except UsageError:
        return Target(options.environment, None)
    return by_ref if by_ref.environment == options.environment else Target(options.environment, None)


def _recorded(path: Path, draft: ReleaseRecord) -> ReleaseRecord:
    """The record an earlier ``build`` left, if it is of these very files and this commit."""
    if not path.is_file():
        raise UsageError(f"there is no release record {path}", hint="run 'mlops-config build' first")
    record = read_record(path)
    if (record.config_digest, record.revision) != (draft.config_digest, draft.revision):
        raise IntegrityError(
            f"{path} describes other files: {record.config_digest[:19]} of {record.revision[:12]},"
            f" but here are {draft.config_digest[:19]} of {draft.revision[:12]}",
            hint="run 'mlops-config build' again",
        )
    return record


def _with_activation(record: ReleaseRecord, path: Path) -> ReleaseRecord:
    """The record with what `deploy` wrote beside it, where that was of this very release."""
    try:
        there = read_record(path)
    except MlopsConfigError:
        return record
    return there if there.as_released() == record.as_released() else record


def _standing(draft: ReleaseRecord, options: Options, settings: Settings, output: Path) -> Standing:
    from mlops_config.store import open_store

    local = (output / STORE_NAME).resolve().as_uri()
    stores = [open_store(uri) for uri in options.stores or settings.stores or (local,)]
    return Standing.read(stores, draft.project, draft.environment)


def _built(
    draft: ReleaseRecord,
    bundle: Bundle,
    checkout: Checkout,
    standing: Standing | None,
    options: Options,
    settings: Settings,
    folder: Path,
    console: Console,
) -> tuple[ReleaseRecord, ReleaseRecord | None]:
    """The record with its image, pushed if asked; and the release already in force, if it is the same."""
    builder = choose_builder(folder / LAYOUT_NAME, console.say)
    choice = ImageChoice(options.image_repository, options.base_image, options.dockerfile, options.platforms)
    spec = specify(draft, bundle, choice, settings, options.root, checkout.commit_time)
    with console.stage("build") as log:
        image = builder.build(spec, log.progress)
        record = with_image(draft, spec, image)
        in_force = standing.in_force(record, pushed=options.push) if standing else None
        if options.push and in_force is None:
            image = builder.push(image, log.progress)
            record = with_image(draft, spec, image)
        log.done(f"{spec.repository}:{spec.tags[0]} {image.digest or image.config_digest}")
    return record, in_force


def _published(
    record: ReleaseRecord, bundle: Bundle, standing: Standing, settings: Settings, console: Console
) -> ReleaseRecord:
    said = require_verified(record, settings, standing.stores, datetime.now(UTC).date())
    if said:
        console.say(said)
    with console.stage("publish") as log:
        record = standing.earlier_run(record) or _following(record, standing)
        record = publish(record, bundle, standing, log)
        log.done(", ".join(location.uri for location in record.bundles))
    return record


def _following(record: ReleaseRecord, standing: Standing | None) -> ReleaseRecord:
    """The record with the release it follows."""
    released = standing.released if standing else None
    if released is None or released.name == record.name:
        return record
    previous = PreviousRelease(
        name=released.name, commit=released.source.commit, config_digest=released.config_digest
    )
    return record.model_copy(update={"previous": previous})


def notes_of(
    record: ReleaseRecord,
    validation: Validation,
    standing: Standing | None,
    options: Options,
    settings: Settings,
) -> str:
    """The release's notes as Markdown: what it is, what changed, and the thresholds now in force."""
    from mlops_config.release.history import compare_with_previous, meanings_of
    from mlops_config.release.notes import render_notes
    from mlops_config.release.thresholds import thresholds
    from mlops_config.store import open_store

    stores = standing.stores if standing else [open_store(location.store) for location in record.bundles]
    now = meanings_of(validation.environment(record.environment))
    validators = Validators(settings.contracts, options.root, light=False)
    comparison = compare_with_previous(record, now, stores, validators)
    return render_notes(
        record,
        comparison.changes,
        thresholds(now),
        previous=comparison.previous,
        not_compared=comparison.not_compared,
        server_url=options.server_url,
    )


def _rehearsed(
    draft: ReleaseRecord,
    validation: Validation,
    standing: Standing | None,
    options: Options,
    settings: Settings,
    folder: Path,
    console: Console,
) -> RunResult:
    """What a run would do, without building or publishing anything."""
    released = standing.released if standing else None
    same = released is not None and (released.config_digest, draft.version or released.version) == (
        draft.config_digest,
        released.version,
    )
    if Stage.BUILD not in options.stages and (folder / RECORD_NAME).is_file():
        draft = _recorded(folder / RECORD_NAME, draft)
    if released and same:
        console.say(f"dry run: {draft.environment} runs release {released.name} of these very files already")
    else:
        to = f" to {', '.join(store.uri for store in standing.stores)}" if standing else ""
        image = ", and push its image" if options.push else ""
        console.say(f"dry run: would {_work(options)} {draft.environment} release {draft.name}{to}{image}")
    draft = _following(draft, standing)
    notes = notes_of(draft, validation, standing, options, settings)
    return RunResult(validation, draft.environment, not same, draft, folder, notes, is_dry=True)


def _work(options: Options) -> str:
    """What a dry run leaves undone, as a verb."""
    work = [stage for stage in (Stage.BUILD, Stage.PUBLISH) if stage in options.stages]
    return " and ".join(work) or "write the notes of"
