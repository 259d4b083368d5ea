"""The rehearsal's steps: release, plan, apply, change, refuse, drift."""

import json
import re
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from tools.rehearsal.project import Project
from tools.rehearsal.scene import NAMED, Scene

FIRST, SECOND = "1.0.0", "1.1.0"
_MODULE = re.compile(r"^module\.environment\.module\.(\w+)")
_MARGIN = 14
"""Columns that stand before a note."""
_BUCKETS = {"aws": "aws_s3_bucket_versioning", "gcp": "google_storage_bucket"}
"""Where the stand-in keeps whether the store keeps former versions."""


def release(scene: Scene, project: Project) -> None:
    """Each environment's first release."""
    environments = scene.options.environments
    with scene.progress.step("release", "the four files of each environment") as step:
        for environment in environments:
            record = scene.release(project, environment, FIRST, step)
            step.note(f"{environment:<9} {FIRST} is {record['config_digest'][:19]}…")
        step.found(f"{', '.join(environments)}: {FIRST}, in a store on disk", environments=environments)


def make(scene: Scene, project: Project, environment: str) -> None:
    """Plans an environment from nothing, and applies the very plan that was shown."""
    with scene.progress.step(environment, "planning") as step:
        said = scene.deploy(project, environment, "--plan", step=step)
        plan = _plan(project, environment)
        if scene.options.plans:
            scene.show(said.out)
        created = plan["counts"]["create"]
        scene.require(
            created > 0 and not plan["destructive"], f"the plan of {environment} is {plan['summary']}"
        )
        sealed = _plan_folder(project, environment) / "plan.sealed"
        applied = scene.deploy(project, environment, "--plan-file", str(sealed), step=step)
        outputs = _outputs(applied.out)
        made = len(_objects(project, environment))
        step.found(
            f"{created} planned, {created} made; plan {plan['digest'][:19]}…", created=created, objects=made
        )
        for line in _by_module(plan):
            step.note(line)
        step.note(f"Airflow: {outputs['airflow_url']}")
        step.note(f"plan: {_below(scene, _plan_folder(project, environment) / 'plan.md')}")


def change(scene: Scene, project: Project, environment: str) -> str:
    """A second release with one other threshold; its plan, shown whole, names the key. Returns the digest."""
    with scene.progress.step("change", "one threshold") as step:
        before, after = project.lower_drift_share(environment)
        project.commit(scene.variables, "Take a smaller share of drifting features as drift")
        scene.release(project, environment, SECOND, step)
        said = scene.deploy(project, environment, "--plan", step=step)
        plan = _plan(project, environment)
        cause = f"monitoring.drift.drift_share_fraction {before} → {after}"
        scene.require(f"because {cause}" in said.out, f"the plan does not say that it is for {cause}")
        counts = [each for each in plan["summary"].split(", ") if not each.startswith("0 ")]
        step.found(f"{environment} {SECOND}: {', '.join(counts)}", because=cause)
    scene.show(said.out.split("\nrelease   ")[0])
    return str(plan["digest"])


def refuse(scene: Scene, project: Project, environment: str, digest: str) -> None:
    """After the review somebody changes another thing: what was agreed to is not what would be applied."""
    settings = project.root(environment) / "terraform.tfvars"
    reviewed = settings.read_text("utf-8")
    with scene.progress.step(
        "refuse", "the plan was agreed to; then somebody edits terraform.tfvars"
    ) as step:
        before = _objects(project, environment)
        settings.write_text(reviewed.replace("https://mlflow.", "https://other-mlflow."), "utf-8")
        try:
            said = scene.deploy(project, environment, "--reviewed", digest, step=step, codes=(4,))
        finally:
            settings.write_text(reviewed, "utf-8")
        scene.require(_objects(project, environment) == before, "the refused plan changed something")
        step.found("terraform.tfvars was edited after the review: exit code 4", code=said.code)
        for line in error_lines(said.err, scene.columns):
            step.note(line)


def agree(scene: Scene, project: Project, environment: str, digest: str) -> None:
    """As it was reviewed, it is applied."""
    with scene.progress.step("apply", "the plan that was reviewed") as step:
        scene.deploy(project, environment, "--reviewed", digest, step=step)
        step.found(f"edit undone: plan {digest[:19]}… again, and applied", digest=digest)


def drift(scene: Scene, project: Project, environment: str) -> None:
    """Somebody changes the cloud by hand: it is told."""
    with scene.progress.step("drift", "somebody changes the store's bucket by hand") as step:
        bucket = _stop_versions(project, environment)
        said = scene.deploy(project, environment, "--drift", step=step, codes=(1,))
        step.found(f"versions of the store's bucket were turned off: exit code {said.code}", code=said.code)
        step.note(f"by an edit of {_below(scene, bucket)}")
    scene.show(said.out)


def mend(scene: Scene, project: Project, environment: str) -> None:
    """The next deployment puts back what drifted."""
    with scene.progress.step("mend", "the next deployment") as step:
        scene.deploy(project, environment, "--yes", step=step)
        scene.deploy(project, environment, "--drift", step=step)
        step.found("the next deployment puts them back, and nothing drifts")


def ledger(scene: Scene, project: Project, environment: str) -> None:
    """What is written down of all this."""
    with scene.progress.step("ledger", "what is written down") as step:
        words = ("log", "--environment", environment, *NAMED)
        said = scene.run(project, *words, environment=environment)
        entries = said.out.strip().splitlines()[1:]
        events = Counter(line.split()[2] for line in entries)
        applied = 2 if scene.options.short else 3
        scene.require(events["provisioned"] == applied, f"the ledger says {dict(events)}")
        step.found(f"{len(entries)} entries: who deployed what, when, by which plan", entries=len(entries))
    scene.show("\n".join(_cut(line, scene.columns) for line in said.out.splitlines()))


def _below(scene: Scene, path: Path) -> Path:
    """A path below the run's folder."""
    return path.relative_to(scene.folder)


def _plan_folder(project: Project, environment: str) -> Path:
    return project.folder / ".mlops-config" / environment / "plan"


def _plan(project: Project, environment: str) -> dict[str, Any]:
    """The plan for programs, as ``--plan`` wrote it."""
    found = json.loads((_plan_folder(project, environment) / "plan.json").read_text("utf-8"))
    return dict(found)


def _by_module(plan: dict[str, Any]) -> list[str]:
    """How many resources each module makes, in lines."""
    found = Counter(_MODULE.sub(r"\1", address).split("[")[0].split(".")[0] for address in _addresses(plan))
    words = [f"{name} {number}" for name, number in sorted(found.items())]
    middle = -(-len(words) // 2)
    return [" · ".join(words[:middle]), " · ".join(words[middle:])] if len(words) > 3 else [" · ".join(words)]


def _addresses(plan: dict[str, Any]) -> list[str]:
    return [each["address"] for each in plan["changes"]]


def _outputs(printed: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^(?:outputs)?\s+(\w+) = (.+)$", printed))


def _objects(project: Project, environment: str) -> dict[str, str]:
    """Every object of the environment's cloud, by its file."""
    folder = project.objects(environment)
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.glob("*/*.json")}


def _stop_versions(project: Project, environment: str) -> Path:
    """Turns off that the store keeps former versions, as somebody could in the console; the object's file."""
    kind = _BUCKETS[project.cloud]
    store = next(
        path
        for path in sorted((project.objects(environment) / kind).glob("*.json"))
        if not path.stem.endswith("-logs") and "airflow" not in path.stem
    )
    values = json.loads(store.read_text("utf-8"))
    if project.cloud == "aws":
        values["versioning_configuration"][0]["status"] = "Suspended"
    else:
        values["versioning"][0]["enabled"] = False
    store.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", "utf-8")
    return store


def error_lines(err: str, columns: int) -> list[str]:
    """The error and its hint, of a command's progress, for a terminal of so many columns."""
    lines = err.strip().splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("error")), len(lines) - 1)
    return [part for line in lines[at:] if line.strip() for part in _wrapped(line, columns - _MARGIN)]


def _wrapped(line: str, width: int) -> list[str]:
    margin = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(
        line.strip(),
        width,
        initial_indent=margin,
        subsequent_indent=f"{margin}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"
