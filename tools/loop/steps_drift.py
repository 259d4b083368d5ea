"""The story's middle: a quiet day, a shift, the alert, the retraining nobody asked for, and green again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlops_config.ledger.entries import Event, LedgerEntry
from mlops_config.orchestration.api_answers import DagRun
from mlops_config.runtime.monitoring.report import Comparison, MonitoringReport
from tools.loop.alerts import FIRING, INACTIVE
from tools.loop.progress import Step
from tools.loop.project import ENVIRONMENT, NEWER_ROWS
from tools.loop.scene import Scene, StoryError, known
from tools.loop.steps_setup import next_second

ALERT = "fare-drift"
SHIFT = 1.0
LEAST_SECONDS = 6.0
"""A window is at least as long."""
MOST_SHIFTED_WINDOWS = 3
_RUN_SECONDS = 600.0
_RETRAIN_SECONDS = 900.0
_CAPTURE_SECONDS = 300.0
_ALERT_SECONDS = 120.0


def quiet(scene: Scene) -> None:
    """A day like those the model learned from is no drift."""
    with scene.progress.step("quiet", "a day like any other is judged") as step:
        report = judged(scene, step, "quiet")
        scene.require(
            not report.signal("drift").violated, f"a day like any other drifts: {_drifting(report)}"
        )
        scene.require(_alert(scene) == INACTIVE, f"the alert {ALERT} is {_alert(scene)}")
        step.found(f"{report.rows:,} predictions judged: nothing drifts", window=report.window_id)


def batch(scene: Scene) -> None:
    """The batch DAG scores a file of trips, and every row says by what."""
    with scene.progress.step("batch", "the batch DAG scores a file") as step:
        today = scene.project.folder / "data" / "today.csv"
        scene.project.write_trips(today, 2000, seed=77, start=scene.project.day(20))
        run_dag(scene, "inference", "batch__today", {}, step)
        (scored,) = scene.ledger(Event.SCORED)
        scene.require(scored.rows == 2000, f"{scored.rows} of 2000 rows were scored")
        step.found(f"2,000 trips scored by version {scored.model.version if scored.model else None}")


def shift(scene: Scene) -> None:
    """The city grows; drift is seen once, and counts when it is seen again."""
    with scene.progress.step("shift", "the city grows: longer trips, farther out") as step:
        scene.clients.shift(SHIFT, seed=2)
        # What these trips cost becomes known with time: here at once.
        project = scene.project
        project.write_trips(project.trips_file, NEWER_ROWS, seed=262, start=project.day(110), shift=SHIFT)
        scene.window_start = next_second()
        report: MonitoringReport | None = None
        for number in range(1, MOST_SHIFTED_WINDOWS + 1):
            report = judged(scene, step, "shifted")
            drift = report.signal("drift")
            scene.require(drift.violated, f"the shift is not seen in {report.window_id}")
            step.note(
                f"window {number}, drift {'confirmed' if drift.confirmed else 'seen'}: {_drifting(report)}"
            )
            if drift.confirmed:
                break
        report = known(report, "a report")
        scene.require(report.signal("drift").confirmed, "drift was never confirmed")
        entry = _monitored(scene, report)
        found_at = scene.recording.at(report.created_at)
        scene.recording.put("headline", {"drift_found_at": found_at, "window": report.window_id})
        step.found(
            "drift is seen, and counts when the next window has it too",
            window=report.window_id,
            ledger_entry=entry.sequence,
        )


def alert(scene: Scene) -> None:
    """The configuration's own alert fires in Prometheus."""
    with scene.progress.step("alert", f"{ALERT} has to fire in Prometheus") as step:
        scene.until(
            f"the alert {ALERT}",
            lambda: _alert(scene) == FIRING,
            step=step,
            limit=_ALERT_SECONDS,
        )
        fired = next(
            each["at"]
            for each in reversed(scene.recording.parts["alerts"])
            if each["name"] == ALERT and each["state"] == FIRING
        )
        after = max(0.0, fired - scene.recording.parts["headline"]["drift_found_at"])
        step.found(f"{ALERT} fires in Prometheus, {after:.0f} s after the report", after_seconds=after)


def retrain(scene: Scene) -> None:
    """Airflow retrains by itself, the challenger beats the champion, and takes over while requests flow."""
    with scene.progress.step("retrain", "Airflow retrains, and nobody asked it to") as step:
        promoted = scene.until(
            "a retraining",
            lambda: _promoted_after(scene, step, 1),
            step=step,
            limit=_RETRAIN_SECONDS,
            every=1.0,
        )
        run_id = known(promoted.dag_run, "the promotion's DAG run").partition("/")[2]
        run = scene.until(
            "its DAG run to end",
            lambda: _finished(scene, "retraining", run_id),
            step=step,
            limit=_RUN_SECONDS,
            every=1.0,
        )
        scene.require(run.state == "success", scene.runs.failure("retraining", run_id))
        kinds = {each.run_type for each in scene.runs.runs("retraining")}
        scene.require(kinds == {"asset_triggered"}, f"somebody started a retraining by hand: {kinds}")
        contest = contest_of(scene, run_id)
        scene.require(contest["accepted"], f"the challenger was refused: {contest['reasons']}")
        ours, theirs = contest["metrics"]["rmse"], contest["champion_metrics"]["rmse"]
        scene.require(ours < theirs, f"the challenger's rmse {ours} is no better than {theirs}")
        version = known(promoted.model, "the promoted model").version
        took_over(scene, step, old=1, new=version)
        scene.traced = scene.clients.last
        headline = scene.recording.parts["headline"]
        redeployed = scene.recording.at(scene.ledger(Event.DEPLOYED)[-1].time)
        first = scene.clients.first_answer_of(version)
        seconds = round(redeployed - headline["drift_found_at"], 1)
        headline |= {
            "redeployed_at": redeployed,
            "first_answer_at": first,
            "drift_to_redeployed_seconds": seconds,
        }
        step.found(
            f"rmse {ours:.2f} beats the champion's {theirs:.2f} on the same newest trips:"
            f" version {version} serves",
            drift_to_redeployed_seconds=seconds,
        )
        step.note(f"{seconds:.0f} s from the drift report to the redeployed model")
        step.note(f"{scene.clients.total:,} requests so far, {scene.clients.failed} failed")


def green(scene: Scene) -> None:
    """The same traffic is no drift any more: the new model knows the grown city. The alert ends."""
    with scene.progress.step("green", "the same traffic, judged by the new model's baseline") as step:
        scene.window_start = next_second()
        report = judged(scene, step, "shifted")
        scene.require(report.model_version == 2, f"version {report.model_version} made most predictions")
        scene.require(not report.signal("drift").violated, f"it still drifts: {_drifting(report)}")
        scene.until(
            f"the alert {ALERT} to end",
            lambda: _alert(scene) == INACTIVE,
            step=step,
            limit=_ALERT_SECONDS,
        )
        step.found(f"{report.rows:,} predictions judged: nothing drifts, and {ALERT} has ended")


def judged(scene: Scene, step: Step, kind: str) -> MonitoringReport:
    """The report on the window from :attr:`Scene.window_start` until now, judged by Airflow's monitoring.

    It ends where the model server last wrote down what it answered, so that no row of it is missing.
    """
    start = scene.window_start
    least = start + timedelta(seconds=LEAST_SECONDS)
    end = scene.until(
        f"predictions from {start:%H:%M:%S} on to be written down",
        lambda: _captured_since(scene.project.folder, least),
        step=step,
        limit=_CAPTURE_SECONDS,
    )
    window = f"{start:%Y%m%dT%H%M%SZ}-{end:%Y%m%dT%H%M%SZ}"
    asked = {"window": f"{_iso(start)}/{_iso(end)}"}
    run_dag(scene, "monitoring", f"window__{window}", asked, step)
    scene.window_start = end
    report = scene.report(window)
    scene.recording.add(
        "windows",
        window_id=window,
        traffic=kind,
        start=scene.recording.at(start),
        end=scene.recording.at(end),
        judged_at=scene.recording.at(report.created_at),
        rows=report.rows,
        model_version=report.model_version,
        signals=[signal.model_dump(mode="json") for signal in report.signals],
        features=[_feature(each) for each in report.drift],
        report=str(Path("project/build") / ENVIRONMENT / "reports" / window / "report.html"),
    )
    scene.recording.write(scene.folder)
    return report


def contest_of(scene: Scene, run_id: str) -> dict[str, Any]:
    """What the retraining of a DAG run decided, written down."""
    outcome: dict[str, Any] = scene.runs.outcome("retraining", run_id, "retrain")
    contest = {
        "at": scene.recording.now(),
        "run_id": run_id,
        **{name: outcome[name] for name in ("accepted", "challenger", "metrics", "champion_metrics")},
        "triggered": outcome["triggered"],
        "reasons": outcome["reasons"],
    }
    scene.recording.add("contests", **contest)
    return contest


def took_over(scene: Scene, step: Step, *, old: int, new: int) -> None:
    """Returns once ``new`` alone answers; no request failed meanwhile.

    Raises:
        StoryError: one did, or ``new`` never answers alone.
    """
    scene.until(
        f"version {new} alone to answer",
        lambda: _alone_since(scene, old, new),
        step=step,
        limit=300.0,
    )
    scene.require_no_failed_request()


def _alone_since(scene: Scene, old: int, new: int) -> bool:
    newest, before = scene.clients.last_answer_of(new), scene.clients.last_answer_of(old)
    return newest is not None and before is not None and newest > before + 1.0


def _promoted_after(scene: Scene, step: Step, version: int) -> LedgerEntry | None:
    """The promotion of a later version, once the ledger has it; fails as soon as a retraining has."""
    for run in scene.runs.runs("retraining"):
        if run.state == "failed":
            said = scene.runs.failure("retraining", run.run_id)
            raise StoryError(f"the retraining failed:\n{said}")
        if run.state == "running":
            step.progress(f"retraining: {scene.runs.now_doing('retraining', run.run_id)}")
    for ended in scene.ledger(Event.RETRAIN_ENDED):
        if ended.outcome != "succeeded":
            why = "; ".join(reason.text for reason in ended.reasons)
            raise StoryError(f"the challenger was {ended.outcome}: {why}")
    later = [entry for entry in scene.ledger(Event.PROMOTED) if entry.model and entry.model.version > version]
    return later[-1] if later else None


def run_dag(scene: Scene, job: str, run_id: str, conf: dict[str, Any], step: Step) -> None:
    """A DAG run, from its trigger to its good end."""
    scene.runs.trigger(job, run_id, conf)
    run = scene.until(
        f"the {job} DAG run",
        lambda: _finished(scene, job, run_id, step),
        step=step,
        limit=_RUN_SECONDS,
        every=0.5,
    )
    scene.require(run.state == "success", f"{job} failed:\n{scene.runs.failure(job, run_id)}")


def _finished(scene: Scene, job: str, run_id: str, step: Step | None = None) -> DagRun | None:
    run = scene.runs.run(job, run_id)
    if run is not None and run.is_finished:
        return run
    if step is not None:
        step.progress(f"{job}: {scene.runs.now_doing(job, run_id)}")
    return None


def _captured_since(project: Path, moment: datetime) -> datetime | None:
    """When the model server last wrote down its answers, cut to the second, if that is after ``moment``."""
    files = (project / "build" / ENVIRONMENT / "capture").rglob("*.parquet")
    newest = max((file.stat().st_mtime for file in files), default=0.0)
    written = datetime.fromtimestamp(int(newest), UTC)
    return written if written >= moment else None


def _monitored(scene: Scene, report: MonitoringReport) -> LedgerEntry:
    """The ledger's entry of the report."""
    for entry in reversed(scene.ledger(Event.MONITORED)):
        if entry.job_id == report.job_id:
            return entry
    raise StoryError(f"the ledger has no entry of {report.window_id}")


def _feature(compared: Comparison) -> dict[str, Any]:
    names = ("name", "family", "method", "value", "threshold", "direction", "drifted", "important")
    return {name: getattr(compared, name) for name in names}


def _drifting(report: MonitoringReport) -> str:
    found = [each for each in report.drift if each.drifted and each.value is not None]
    return ", ".join(f"{each.name} {each.value:.2f} > {each.threshold:g}" for each in found)


def _alert(scene: Scene) -> str:
    return known(scene.alerts, "the watcher of alerts").state(ALERT)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
