"""Release notes: what was released, what changed, what alerts when, how to check it and take it back."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from mlops_config.kinds import Kind
from mlops_config.release.change_words import change_table
from mlops_config.release.changes import Change, FileChange, file_change
from mlops_config.release.markdown import (
    code,
    details,
    fenced,
    link,
    plain,
    shortened,
    table,
    value_text,
    visible,
)
from mlops_config.release.record import ActivationRecord, FileRecord, ImageRecord, ReleaseRecord
from mlops_config.release.thresholds import AlertInForce, Limit, Thresholds

MAX_CHANGES = 200
MAX_ALERTS = 200
SHORT_HEX = 12


def render_notes(
    record: ReleaseRecord,
    found: Sequence[Change] | None,
    in_force: Thresholds,
    *,
    previous: ReleaseRecord | None = None,
    not_compared: str | None = None,
    server_url: str = "https://github.com",
) -> str:
    """The notes of a release as Markdown, the same for the same arguments.

    ``found`` are the changes since ``record.previous``; ``None`` where the earlier files could not be read,
    and ``not_compared`` says why. ``previous`` is that release's record, for the hashes of its files.
    ``server_url`` is the forge's address, for links to commits. Long lists are cut and say so.
    """
    sections = (
        _head(record, server_url),
        *_running(record.activation),
        _changed(record, found, previous, not_compared, server_url),
        _thresholds(in_force),
        _files(record, previous),
        _verify(record),
        _roll_back(record, previous),
    )
    return "\n\n".join(sections) + "\n"


def _head(record: ReleaseRecord, server_url: str) -> str:
    title = f"## {plain(record.model_name)} {plain(record.version or _short(record.name))}"
    facts = [
        ("environment", code(record.environment)),
        ("version", code(record.version) if record.version else "none: not a release tag"),
        ("commit", _commit(record, server_url)),
        ("config digest", code(record.config_digest)),
        ("image", _image(record.image)),
        *(("bundle", _address(bundle.uri)) for bundle in record.bundles),
        ("released", _released(record)),
    ]
    (first, value), *others = facts
    rows = table((first, value), others)
    return f"{title} in {plain(record.environment)}\n\n{rows}"


def _commit(record: ReleaseRecord, server_url: str) -> str:
    source = record.source
    if source.commit is None:
        return "none: the files are not under version control"
    words = link(code(source.commit), _commit_url(record, source.commit, server_url))
    if source.ref:
        words += f" ({code(re.sub(r'^refs/(heads|tags)/', '', source.ref))})"
    return f"{words}, with changes that are not committed" if source.dirty else words


def _image(image: ImageRecord | None) -> str:
    if image is None:
        return "none was built"
    if image.layout is not None:
        return f"{code(f'{image.repository}@{image.digest}')}, as an OCI image layout in {code(image.layout)}"
    if image.pushed and image.digest:
        return code(f"{image.repository}@{image.digest}")
    return f"{code(f'{image.repository}:{image.tags[0]}')}, not pushed; image ID {code(image.config_digest)}"


def _released(record: ReleaseRecord) -> str:
    words = f"{record.created_at:%Y-%m-%d %H:%M} UTC"
    if record.source.actor:
        words += f" by {code(record.source.actor)}"
    if record.source.run_url:
        words += f" in {link('this run', record.source.run_url)}"
    return f"{words}, with mlops-config {plain(record.tool.version)}"


def _running(activation: ActivationRecord | None) -> Iterator[str]:
    """What Airflow runs of it, once the release was deployed."""
    if activation is None:
        return
    facts = [
        (
            "airflow",
            link(code(activation.airflow), activation.airflow) if activation.airflow else "not asked",
        ),
        ("DAG folder", code(activation.dags_folder)),
        ("since", f"{activation.activated_at:%Y-%m-%d %H:%M} UTC"),
    ]
    if model := activation.model:
        facts.append(("model", code(model.uri)))
        trained = code(model.config_digest) if model.config_digest else "not known"
        facts.append(("model trained with", trained))
    if done := activation.infrastructure:
        by = f"{code(done.program)} in {code(done.directory)}"
        facts.append(("infrastructure", f"{done.summary} by {by}, plan {code(done.plan_digest)}"))
    yield f"### Running\n\n{table(facts[0], facts[1:])}"
    if activation.dag_runs:
        rows = [
            (link(code(run.dag_id), run.url), code(run.run_id), code(run.state), code(run.because))
            for run in activation.dag_runs
        ]
        yield table(("DAG run of", "id", "state", "because"), rows)
    else:
        yield "No DAG run was needed."


def _changed(
    record: ReleaseRecord,
    found: Sequence[Change] | None,
    previous: ReleaseRecord | None,
    not_compared: str | None,
    server_url: str,
) -> str:
    before = record.previous
    if before is None:
        return f"### What changed\n\nThis is the first release of {plain(record.environment)}."
    name = plain(_short(before.name))
    title = f"### What changed since {link(name, _compare_url(record, server_url))}"
    if before.config_digest == record.config_digest and not found:
        return f"{title}\n\nThe four files are those of {name}, byte for byte.{_reread(record, previous)}"
    if found is None:
        reason = not_compared or "its files could not be read"
        return f"{title}\n\nNot known: {code(reason)}"
    if not found:
        return f"{title}\n\nNo value changed, only comments or layout.{_reread(record, previous)}"
    return "\n\n".join((f"{title}{_reread(record, previous)}", *_change_tables(found)))


def _change_tables(found: Sequence[Change]) -> Iterator[str]:
    left = MAX_CHANGES
    for kind in Kind:
        of_kind = [change for change in found if change.kind is kind]
        if of_kind and left > 0:
            yield f"**{kind}**\n\n{change_table(of_kind, left)}"
            left -= len(of_kind)
        elif of_kind:
            yield f"**{kind}**: {len(of_kind)} more changes"


def _reread(record: ReleaseRecord, previous: ReleaseRecord | None) -> str:
    """A warning where the contract, not the file, changed what a file means."""
    kinds = [kind for kind, change in _file_changes(record, previous).items() if change is FileChange.REREAD]
    if not kinds:
        return ""
    return (
        f"\n\n**{', '.join(kinds)}**: the file is as it was, but this version of mlops-config"
        f" ({plain(record.tool.version)}) reads it differently: a default changed."
    )


def _thresholds(in_force: Thresholds) -> str:
    title = "### Alert thresholds now in force"
    if not in_force.monitored:
        return f"{title}\n\nMonitoring is off in this environment: nothing fires."
    parts = [title]
    if in_force.alerts:
        rows = [_alert_row(alert) for alert in in_force.alerts[:MAX_ALERTS]]
        if len(in_force.alerts) > MAX_ALERTS:
            rows.append((f"… and {len(in_force.alerts) - MAX_ALERTS} more", "", "", ""))
        parts.append(table(("alert", "fires when", "for", "severity"), rows))
    else:
        parts.append("No alerts are declared.")
    if in_force.windows:
        k, n, newest = in_force.windows
        parts.append(
            f"Drift, quality and performance count when {plain(str(k))} of the last {plain(str(n))} windows"
            f" are bad{', the newest among them' if newest else ''}."
        )
    if in_force.limits:
        limits = [(_limit(limit), code(limit.path)) for limit in in_force.limits[:MAX_ALERTS]]
        parts.append(details("All limits and where they stand", table(("bad when", "set by"), limits)))
    return "\n\n".join(parts)


def _alert_row(alert: AlertInForce) -> tuple[str, str, str, str]:
    condition = _limit(alert.limit) if alert.limit else str(alert.event)
    runbook = f" ({link('runbook', alert.runbook_url)})" if alert.runbook_url else ""
    return code(alert.name), condition, _duration(alert.hold), f"{plain(alert.severity)}{runbook}"


def _limit(limit: Limit) -> str:
    subject = f" {code(limit.subject)}" if limit.subject else ""
    words = f"{limit.measure}{subject} {limit.sign} {code(shortened(value_text(limit.threshold), 40))}"
    words += f" {limit.unit}" if limit.unit else ""
    if limit.any_of:
        more = f" and {len(limit.any_of) - 10} more" if len(limit.any_of) > 10 else ""
        words += f", or any of {', '.join(map(code, limit.any_of[:10]))}{more} drifts"
    return words


def _files(record: ReleaseRecord, previous: ReleaseRecord | None) -> str:
    changed = _file_changes(record, previous)
    known = previous is not None or record.previous is None
    rows = [
        (
            code(file.source),
            str(changed[file.kind]) if known else "not known",
            str(file.size),
            code(_short(file.sha256)),
            code(_short(file.semantic_sha256)),
        )
        for file in record.files
    ]
    header = ("file", "since the last release", "bytes", "sha256 of the bytes", "of the meaning")
    full = "\n".join(
        f"{visible(file.name)}\n  bytes    {file.sha256}\n  meaning  {file.semantic_sha256}"
        for file in record.files
    )
    return (
        f"### Files\n\n{table(header, rows, right=(2,))}\n\n{details('Full digests', fenced(full, 'text'))}"
    )


def _file_changes(record: ReleaseRecord, previous: ReleaseRecord | None) -> Mapping[Kind, FileChange]:
    before: dict[Kind, FileRecord] = {file.kind: file for file in previous.files} if previous else {}
    return {file.kind: file_change(before.get(file.kind), file) for file in record.files}


def _verify(record: ReleaseRecord) -> str:
    lines = [
        "# stores and image hold what the release record of this run says",
        _shell("verify", ("--record", "release.json")),
    ]
    image = _image_reference(record.image)
    if image:
        lines += [
            "# the image holds exactly these four files",
            _shell("verify", ("--image", image), ("--digest", record.config_digest)),
        ]
    folder = _folder_of_canonical_names(record)
    if folder is not None:
        lines += [
            "# the config digest by coreutils alone",
            f"(cd {shlex.quote(visible(folder))} && LC_ALL=C sha256sum *_config.yaml | sha256sum)",
        ]
    return f"### Verify\n\n{fenced(chr(10).join(lines), 'sh')}"


def _roll_back(record: ReleaseRecord, previous: ReleaseRecord | None) -> str:
    before = record.previous
    if before is None:
        return "### Roll back\n\nThere is no earlier release to go back to."
    name = plain(_short(before.name))
    going_back = _shell("rollback", ("--environment", record.environment), ("--to", before.name))
    back = (
        "### Roll back\n\nConfiguration, image and model go back together; with `--dry-run` it says what that"
        f" changes.\n\n{fenced(going_back, 'sh')}\n\n"
    )
    if before.commit is None:
        return f"{back}Where no model was promoted yet, release the files of {name} again."
    options = [("--environment", record.environment)]
    if before.name != before.commit:
        options.append(("--version", before.name))
    if previous and previous.image and previous.image.base != "scratch":
        options.append(("--base-image", previous.image.base))
    options += [("--store", bundle.store) for bundle in record.bundles]
    commands = f"git checkout --detach {shlex.quote(visible(before.commit))}\n{_shell('release', *options)}"
    return (
        f"{back}Where no model was promoted yet, run the workflow of {name} again, or release it by hand."
        f" What it published is still there; this points {plain(record.environment)} back at it."
        f"\n\n{fenced(commands, 'sh')}"
    )


def _folder_of_canonical_names(record: ReleaseRecord) -> str | None:
    """The folder of the sources where they have their canonical names there."""
    sources = [PurePosixPath(file.source) for file in record.files]
    folders = {str(source.parent) for source in sources}
    canonical = all(source.name == file.name for source, file in zip(sources, record.files, strict=True))
    return folders.pop() if canonical and len(folders) == 1 else None


def _image_reference(image: ImageRecord | None) -> str | None:
    if image is None:
        return None
    if image.layout is not None:
        return image.layout
    return f"{image.repository}@{image.digest}" if image.pushed else f"{image.repository}:{image.tags[0]}"


def _shell(verb: str, *options: Sequence[str]) -> str:
    """The command, each option with its value on a line of its own where there are several."""
    parts = [" ".join(shlex.quote(visible(part)) for part in option) for option in options]
    return (" " if len(parts) == 1 else " \\\n  ").join((f"mlops-config {verb}", *parts))


def _commit_url(record: ReleaseRecord, commit: str, server_url: str) -> str | None:
    repository = _forge_repository(record)
    return f"{server_url}/{repository}/commit/{commit}" if repository and _is_commit(commit) else None


def _compare_url(record: ReleaseRecord, server_url: str) -> str | None:
    repository = _forge_repository(record)
    before = record.previous.commit if record.previous else None
    if repository is None or not _is_commit(before) or not _is_commit(record.source.commit):
        return None
    return f"{server_url}/{repository}/compare/{before}...{record.source.commit}"


def _is_commit(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


def _forge_repository(record: ReleaseRecord) -> str | None:
    """``owner/name``, or ``None`` where the repository is known by its address alone."""
    repository = record.source.repository or ""
    return repository if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) else None


def _address(uri: str) -> str:
    return link(code(uri), uri)


def _short(name: str) -> str:
    """A digest or commit cut to twelve digits; anything else as it is."""
    return re.sub(rf"\b([0-9a-f]{{{SHORT_HEX}}})[0-9a-f]{{28,52}}\b", r"\1", name.removeprefix("sha256:"))


def _duration(iso: str) -> str:
    """An ISO-8601 duration in words where it has one unit, else as it is."""
    if re.fullmatch(r"PT?0[DHMS]", iso):
        return "at once"
    match = re.fullmatch(r"P(?:(\d+)D|T(?:(\d+)H|(\d+)M|(\d+)S))", iso)
    if match is None:
        return code(iso)
    unit = ("days", "h", "min", "s")[next(index for index, part in enumerate(match.groups()) if part)]
    number = next(part for part in match.groups() if part)
    return f"{number} {'day' if (number, unit) == ('1', 'days') else unit}"
