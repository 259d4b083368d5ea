"""The steps around a matrix of releases: which environments there are, and what each release left behind."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlops_config.errors import UsageError
from mlops_config.github.context import GitHubContext
from mlops_config.github.inputs import words
from mlops_config.github.step import Outputs, Posted, Step
from mlops_config.release.source import target_of
from mlops_config.settings import Settings

OUTPUTS_NAME = "outputs.json"
REPORT_NAME = "report.md"


def find_environments(step: Step) -> int:
    """Hands on the environments to release, or (``for: deployment``) to deploy to, and what that needs.

    Raises:
        UsageError: as :func:`environments_of` and :func:`targets_of`, or the settings are not valid.
    """
    from mlops_config.github.deploying_targets import program_of, require_terraform, targets_of

    root, settings = step.tree(step.input("working-directory") or ".", step.input("settings") or None)
    names = words(step.input("environments"))
    outputs: Outputs = {"program": program_of(settings)}
    if step.input("for") == "deployment":
        require_terraform(settings)
        targets = targets_of(names, step.input("mode"), step.context, settings, root)
        found, none = list(targets.environments), targets.left_out or ""
        outputs["mode"] = targets.mode
        if targets.left_out:
            step.tell(Posted(targets.left_out, refused=True))
    else:
        found = environments_of(names, step.context, settings)
        none = "none: what is not merged releases nothing"
    step.write(outputs | {"environments": json.dumps(found)})
    step.console.say(", ".join(found) or none)
    return 0


def collect(step: Step) -> int:
    """Hands on what the releases, or (``what: plans``) the plans, left behind, as JSON.

    Raises:
        UsageError: as :func:`releases_in`.
    """
    if step.input("what") == "plans":
        plans = {outputs["environment"]: outputs for _, outputs in left_behind(Path(step.input("path")))}
        step.write({"plans": json.dumps(plans)})
        for name, plan in plans.items():
            step.console.say(f"{name}: {plan.get('plan-digest')}")
        return 0
    releases = releases_in(Path(step.input("path")))
    step.write({"releases": json.dumps(releases)})
    for name, release in releases.items():
        step.console.say(f"{name}: {release.get('config-digest')}")
    return 0


def environments_of(names: tuple[str, ...], context: GitHubContext, settings: Settings) -> list[str]:
    """The environments to release to, in the settings' order: those named, else the ref's.

    A pull request releases to none, and neither does a merge queue.

    Raises:
        UsageError: a name is not in the settings, or the ref belongs to no environment.
    """
    found = known(names, settings)
    if context.unmerged:
        return []
    return found or [released_to(context, settings)]


def known(names: Sequence[str], settings: Settings) -> list[str]:
    """The named environments in the settings' order.

    Raises:
        UsageError: a name is not in the settings.
    """
    for name in names:
        settings.require_environment(name)
    return [name for name in settings.environments if name in names]


def released_to(context: GitHubContext, settings: Settings) -> str:
    """The environment that the branch or tag releases to.

    Raises:
        UsageError: it belongs to none.
    """
    return target_of(context.ref, settings, default_branch=context.default_branch or "main").environment


def releases_in(folder: Path) -> dict[str, dict[str, Any]]:
    """What each release left under ``folder``: its outputs, and its record as ``record``, by environment.

    Raises:
        UsageError: a file there is not what the action writes, or two are of one environment.
    """
    releases: dict[str, dict[str, Any]] = {}
    for place, outputs in left_behind(folder):
        name = outputs["environment"]
        if name in releases:
            raise UsageError(f"{folder} holds two releases to {name}", hint="give each call its own artifact")
        record = place / "release.json"
        releases[name] = outputs | {"record": _document(record) if record.is_file() else None}
    return releases


def left_behind(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of each release under ``folder``, with the outputs it wrote there.

    Raises:
        UsageError: a file there is not what the action writes.
    """
    for path in sorted(folder.rglob(OUTPUTS_NAME)):
        outputs = _document(path)
        if not isinstance(outputs.get("environment"), str) or not outputs["environment"]:
            raise UsageError(f"{path} does not say which environment it is of")
        yield path.parent, outputs


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path} is JSON, but not an object")
    return document
