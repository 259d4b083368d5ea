"""The story's end: a worse challenger, the way back, and where a prediction comes from."""

from typing import Any

from mlops_config.bundle.bundle import sha256_of
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event
from tools.loop.project import ENVIRONMENT, LATER_ROWS, REGISTERED_MODEL
from tools.loop.scene import Scene, known, shown
from tools.loop.steps_drift import SHIFT, contest_of, run_dag, took_over
from tools.loop.steps_setup import FIRST_RELEASE

SECOND_RELEASE = "0.2.0"
BECAUSE = "try the cheaper training"


def refused(scene: Scene) -> None:
    """Release 0.2.0 makes retraining cheap, and its challenger bad: it is refused, the champion stays."""
    with scene.progress.step("refused", "a release that makes retraining too cheap") as step:
        project = scene.project
        project.edit(
            "retrain",
            "evaluation:\n",
            "training:\n  overrides: {estimator.hyperparameters.max_iter: 2}\n\nevaluation:\n",
        )
        project.commit(scene.variables, "Make retraining cheaper")
        scene.run("release", "--environment", ENVIRONMENT, "--version", SECOND_RELEASE, step=step)
        scene.run("deploy", "--environment", ENVIRONMENT, step=step)
        project.write_trips(project.trips_file, LATER_ROWS, seed=263, start=project.day(50), shift=SHIFT)
        before = scene.ledger(Event.PROMOTED)
        run_dag(scene, "retraining", "cheaper", {"because": BECAUSE}, step)
        contest = contest_of(scene, "cheaper")
        scene.require(contest["accepted"] is False, f"it was not refused: {shown(contest)}")
        scene.require(scene.ledger(Event.PROMOTED) == before, "something was promoted")
        ended = scene.ledger(Event.RETRAIN_ENDED)[-1]
        scene.require(ended.outcome == "refused", f"the ledger says {ended.outcome}")
        scene.require(ended.release == SECOND_RELEASE, f"release {ended.release} retrained")
        scene.require_no_failed_request()
        ours, theirs = contest["metrics"]["rmse"], contest["champion_metrics"]["rmse"]
        step.found(
            f"release {SECOND_RELEASE}'s challenger has rmse {ours:.2f}, the champion {theirs:.2f}: refused"
        )


def rollback(scene: Scene) -> None:
    """Configuration and model go back as one unit while requests flow."""
    with scene.progress.step("rollback", "mlops-config rollback") as step:
        words = ["rollback", "--environment", ENVIRONMENT, "--to", FIRST_RELEASE, "--model-version", "1"]
        before = scene.ledger()
        dry = scene.run(*words, "--dry-run", step=step)
        scene.require(scene.ledger() == before, "the dry run wrote into the ledger")
        done = scene.run(*words, "--because", "the fares team asked for it", step=step)
        took_over(scene, step, old=2, new=1)
        (entry,) = scene.ledger(Event.ROLLED_BACK)
        scene.require(entry.outcome == "succeeded", f"the ledger says {entry.outcome}")
        last = scene.clients.last
        scene.require(last is not None and last.model_version == 1, f"{last} answers")
        scene.require(
            last is not None and last.config_digest == scene.config_digest,
            f"it answers with another configuration than {scene.config_digest}",
        )
        scene.recording.put("rollback", {"words": words, "dry_run": dry.out, "done": done.out})
        step.found(
            f"version 1 and configuration {FIRST_RELEASE} are back;"
            f" {scene.clients.total:,} requests so far, {scene.clients.failed} failed"
        )


def trace(scene: Scene) -> None:
    """One answer, followed back to the commit and the very bytes of the four files."""
    with scene.progress.step("trace", "where one prediction comes from") as step:
        answer = known(scene.traced, "a prediction")
        document = scene.run("trace", answer.prediction_id, "--format", "json", step=step).document
        names = _names(document)
        scene.require(scene.commit in names["commit"], f"no commit {scene.commit}: {shown(names)}")
        scene.require(f"{REGISTERED_MODEL}:{answer.model_version}" in names["model"], shown(names))
        (release,) = (node for node in document["nodes"] if node["kind"] == "release")
        digests = release["details"]["files"]
        scene.require(len(digests) == len(Kind), f"the trace names the files {shown(digests)}")
        for name, digest in digests.items():
            path = f"{scene.commit}:configs/{ENVIRONMENT}/{name}"
            data = scene.project.git_bytes(scene.variables, "show", path)
            scene.require(digest == sha256_of(data), f"{path} is {sha256_of(data)}, the trace says {digest}")
        scene.recording.put(
            "trace",
            {"prediction_id": answer.prediction_id, "prediction": answer.prediction, "document": document},
        )
        step.found(
            f"prediction {answer.prediction_id} ({answer.prediction:.2f} €) ← version {answer.model_version}"
            f" ← release {FIRST_RELEASE} ← commit {scene.commit[:8]}"
        )
        step.note(f"its {len(digests)} YAML files are, to the byte, those of the commit")


def _names(document: dict[str, Any]) -> dict[str, list[str]]:
    """What the trace names, by kind."""
    names: dict[str, list[str]] = {}
    for node in document["nodes"]:
        names.setdefault(node["kind"], []).append(node["name"])
    return names
