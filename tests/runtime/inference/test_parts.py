"""A batch in parts: planned, predicted by processes of their own, and completed."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.kinds import Kind
from mlops_config.ledger.entries import Event
from mlops_config.runtime.inference import job
from mlops_config.runtime.inference.job import PartsOutcome
from mlops_config.runtime.inference.planning import PlanOutcome
from mlops_config.runtime.serving import loading
from tests.runtime.inference.scenes import LATER, PARTS, VERSION, Scene

NAMES = [f"part-{name.replace('/', '-')}" for name in PARTS]
DAG_RUN = "city-taxi.trip-fare.dev.inference/scheduled__2026-11-20T06:00:00+00:00"


def planned(scene: Scene) -> PlanOutcome:
    outcome = scene.work(plan=True)
    assert isinstance(outcome, PlanOutcome)
    return outcome


def predicted(scene: Scene, *names: str) -> PartsOutcome:
    outcome = scene.work(LATER, parts=names)
    assert isinstance(outcome, PartsOutcome)
    return outcome


@pytest.fixture
def dag_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process is of one DAG run."""
    monkeypatch.setenv("MLOPS_DAG_RUN", DAG_RUN)


def without_plans(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.startswith("_plans/")}


def test_a_plan_names_the_parts_and_predicts_nothing(scene: Scene) -> None:
    outcome = planned(scene)
    assert outcome.document()["parts"] == NAMES
    assert outcome.document()["model_version"] == VERSION
    assert outcome.summary == f"batch {outcome.plan.job_id} has 3 parts to predict"
    assert [name.rpartition("/")[2] for name in scene.files()] == ["_STARTED.json"]
    assert scene.context().ledger.entries() == ()


def test_a_part_is_predicted_alone_and_who_comes_last_completes_the_batch(
    scene: Scene, whole_files: dict[str, bytes]
) -> None:
    planned(scene)
    one = predicted(scene, NAMES[1])
    assert [part.name for part in one.parts] == [NAMES[1]]
    assert (one.document()["rows"], one.document()["predicted"]) == (10, 10)
    assert not [name for name in scene.files() if name.endswith("_SUCCESS.json")]
    assert scene.context().ledger.entries() == ()
    complete = scene.run(LATER)
    assert (complete.rows, complete.job_id) == (30, one.job_id)
    assert [entry.event for entry in scene.context().ledger.entries()] == [Event.SCORED]
    assert scene.files() == whole_files, "the plan's moment is the batch's, whoever predicts it and when"


def test_a_complete_batch_has_no_parts_left(scene: Scene) -> None:
    scene.run()
    assert planned(scene).parts == ()


def test_parts_of_one_batch_may_be_predicted_by_processes_at_the_same_time(
    scene: Scene, whole_files: dict[str, bytes]
) -> None:
    planned(scene)
    command = [sys.executable, "-m", "mlops_config", "run", "inference", "--environment", "dev"]
    command += ["--root", str(scene.folder), "--format", "jsonl"]
    environment = os.environ | {"MLOPS_PACKAGE": str(scene.model), "MLOPS_MODEL_VERSION": str(VERSION)}
    # The middle part is everybody's: the second process finds it half done, or done.
    processes = [
        subprocess.Popen(
            [*command, *(word for name in names for word in ("--part", name))],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for names in (NAMES[:2], NAMES[1:])
    ]
    documents = []
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        documents.append(json.loads(out.splitlines()[-1]))
    assert [[part["name"] for part in each["parts"]] for each in documents] == [NAMES[:2], NAMES[1:]]
    assert scene.run(LATER).rows == 30
    assert scene.files() == whole_files


def test_a_part_that_there_is_not_is_named_with_those_there_are(scene: Scene) -> None:
    planned(scene)
    with pytest.raises(UsageError, match="no part 'part-x'") as refused:
        predicted(scene, NAMES[0], "part-x")
    assert NAMES[0] in (refused.value.hint or "")
    assert not [name for name in scene.files() if "_done" in name], "nothing is begun"


def test_a_part_of_a_batch_that_nobody_planned_is_refused(scene: Scene) -> None:
    with pytest.raises(IntegrityError, match="was planned"):
        predicted(scene, NAMES[0])


@pytest.mark.usefixtures("dag_run")
@pytest.mark.parametrize("names", [NAMES[:1], []], ids=["a part", "the completion"])
def test_input_that_changed_since_the_plan_is_refused(scene: Scene, names: list[str]) -> None:
    planned(scene)
    scene.write(PARTS[2], scene.rows(7))
    with pytest.raises(IntegrityError, match="changed since the batch was planned"):
        scene.work(LATER, parts=names)


@pytest.mark.usefixtures("dag_run")
def test_the_dag_run_keeps_the_model_it_was_planned_with(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = planned(scene)
    seen: list[Any] = []
    load = loading.load

    def watched(context: Any, package: str | None, version: int | None) -> Any:
        seen.append(version)
        return load(context, package, version)

    monkeypatch.setattr(job, "load", watched)
    later = job.run(
        scene.context(LATER), package=str(scene.model), model_version=VERSION + 1, parts=NAMES[:1]
    )
    assert isinstance(later, PartsOutcome)
    assert seen == [VERSION]
    assert later.job_id == outcome.plan.job_id
    assert scene.run(LATER).model_version == VERSION
    assert [name for name in without_plans(scene.files()) if "run=" not in name] == []


@pytest.mark.usefixtures("dag_run")
def test_a_configuration_that_changed_since_the_plan_is_refused(scene: Scene) -> None:
    planned(scene)
    file = scene.project.file(Kind.INFERENCE)
    file.write_text(f"{file.read_text()}\n# another\n")
    with pytest.raises(IntegrityError, match="was planned with the configuration"):
        predicted(scene, NAMES[0])
