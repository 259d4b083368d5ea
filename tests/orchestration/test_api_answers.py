"""What of a task's log is for a person, and what an XCom holds, as each supported Airflow gives them."""

from typing import Any

import pytest

from mlops_config.orchestration.api_answers import said_in, unpacked

OPERATOR = "airflow.task.operators.mlops_config.airflow.operators.bash.BashJob"
SOURCE = "/opt/airflow/logs/dag_id=fares.training/run_id=1/task_id=train/attempt=1.log"


def message(event: str, logger: str | None = None, level: str = "info", **more: Any) -> dict[str, Any]:
    given = {"level": level, "logger": logger} if logger else {}
    return {"timestamp": "2026-11-23T15:16:22.331471Z", "event": event, **given, **more}


FAILURE = {"exc_type": "AirflowFailException", "exc_value": "train ended with exit code 1", "frames": []}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            [
                {"event": "::group::Log message source details", "sources": [SOURCE]},
                {"event": "::endgroup::"},
                message("rows: 3", OPERATOR),
            ],
            ["rows: 3"],
            id="where the log is, in 3.1",
        ),
        pytest.param(
            [
                {"event": "::group::Log message source details"},
                {"event": SOURCE},
                {"event": f"{SOURCE}.trigger.7.log"},
                {"event": "::endgroup::"},
                message("rows: 3", OPERATOR),
            ],
            ["rows: 3"],
            id="where the log is, in 3.3",
        ),
        pytest.param(
            [
                message("::group::Pre Execute", "task"),
                message("DAG bundles loaded: dags", "airflow.dag_processing.bundles.manager.BundlesManager"),
                message("Filling up the DagBag from a.py", "airflow.dag_processing.dagbag.BundleDagBag"),
                message("Filling up the DagBag from a.py", "airflow.models.dagbag.DagBag"),
                message("Worker startup parse complete", "task"),
                message("::endgroup::", "task"),
                message("Running in /srv/fares: python training_main.py", OPERATOR),
                message("::group::Post Execute", "task"),
                message("Pushing xcom", "task"),
                message("::endgroup::", "task"),
            ],
            ["Running in /srv/fares: python training_main.py"],
            id="how Airflow begins and ends a task",
        ),
        pytest.param(
            [
                message(
                    "the DAG takes long to import", "airflow.dag_processing.dagbag.BundleDagBag", "warning"
                ),
                message("Task failed with exception", "task", "error", error_detail=[FAILURE]),
            ],
            [
                "the DAG takes long to import",
                "Task failed with exception",
                "AirflowFailException: train ended with exit code 1",
            ],
            id="what went wrong around it",
        ),
        pytest.param(
            [message("error: no rows\n hint: look at the table", "airflow.tasks", "debug"), "plain\nlines"],
            ["error: no rows", " hint: look at the table", "plain", "lines"],
            id="several lines, of another logger, and without one",
        ),
        pytest.param(
            [
                message("::group::steps", OPERATOR),
                message("read", OPERATOR),
                message("::endgroup::", OPERATOR),
            ],
            ["read"],
            id="a fold of the job's own",
        ),
        pytest.param([], [], id="nothing"),
    ],
)
def test_of_a_log_what_is_about_the_task_is_left(content: Any, expected: list[str]) -> None:
    assert list(said_in(content)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [('{"rows": 3}', {"rows": 3}), ({"rows": 3}, {"rows": 3}), ("three rows", "three rows"), (None, None)],
)
def test_an_xcom_is_what_the_task_returned(value: Any, expected: Any) -> None:
    assert unpacked(value) == expected
