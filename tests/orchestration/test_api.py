"""What the client asks of Airflow's REST API, against the API servers of both ends of what is supported."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from tests.services.airflow import asset_events, dag_versions, report_asset_event, running_airflow
from tools.environments import AIRFLOW_VERSIONS
from tools.environments import airflow as airflow_environment
from tools.loop.servers_airflow import Airflow

from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient
from mlops_config.orchestration.api import AirflowApi, MissingDagError
from mlops_config.orchestration.api_answers import TaskInstance
from mlops_config.orchestration.api_login import FetchedLogin, TokenLogin

MODEL = "x-mlops://dev/taxi/fare/model"
RUN = "deploy__dev__1.2.0"
DAG_FILE = f"""
from airflow.sdk import Asset, DAG, Param
from airflow.providers.standard.operators.bash import BashOperator
model = Asset("{MODEL}")
with DAG("taxi.fare.dev.training", schedule=None, tags=["mlops", "release:1.2.0"],
         params={{"window": Param("", type="string")}}):
    BashOperator(task_id="verify", bash_command="true") >> BashOperator(
        task_id="train", bash_command="true", outlets=[model])
with DAG("taxi.fare.dev.retraining", schedule=[model], tags=["mlops"]):
    BashOperator(task_id="verify", bash_command="true")
"""
TRAINING, RETRAINING = "taxi.fare.dev.training", "taxi.fare.dev.retraining"
USER, PASSWORD = "deployer", "correct horse"


class HeldAgainstItsDescription(HttpClient):
    """Sends as the client does, and holds each request and answer against Airflow's own OpenAPI document."""

    def __init__(self, description: OpenAPI) -> None:
        super().__init__()
        self.description = description
        self.seen: set[str] = set()

    def send(self, method: str, url: str, **options: Any) -> requests.Response:
        response = super().send(method, url, **options)
        if "/auth/" not in url:
            request = RequestsOpenAPIRequest(response.request)
            self.description.validate_request(request)
            self.description.validate_response(request, RequestsOpenAPIResponse(response))
        self.seen.add(method)
        return response


def description_of(version: str, address: str) -> OpenAPI:
    (path,) = (
        airflow_environment(version)
        .python.parents[1]
        .glob("lib/python*/site-packages/airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml")
    )
    document = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    document["servers"] = [{"url": address}]
    # How to log in is not what is held against it here: some of its schemes openapi-core does not know.
    for operation in (each for path in document["paths"].values() for each in path.values()):
        if isinstance(operation, dict):
            operation.pop("security", None)
    return OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))


@pytest.fixture(scope="module", params=AIRFLOW_VERSIONS)
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """An API server that wants a login, with the two DAGs parsed; no scheduler, so runs stay queued."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "training_dag.py").write_text(DAG_FILE)
    with running_airflow(
        folder,
        version=request.param,
        parts=("api-server",),
        users={USER: PASSWORD},
        dags=(folder / "training_dag.py",),
    ) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def http(airflow: Airflow) -> HeldAgainstItsDescription:
    return HeldAgainstItsDescription(description_of(airflow.version, airflow.address))


@pytest.fixture
def api(airflow: Airflow, http: HttpClient) -> AirflowApi:
    login = {"MLOPS_AIRFLOW_USER": USER, "MLOPS_AIRFLOW_PASSWORD": PASSWORD}
    return AirflowApi.at(airflow.address, login, http)


def test_it_tells_its_version_and_how_its_parts_are(api: AirflowApi, airflow: Airflow) -> None:
    assert api.version().startswith(f"{airflow.version}.")
    assert api.health()["metadatabase"] == "healthy"


def test_a_dag_is_found_with_its_tags_and_unpaused(api: AirflowApi) -> None:
    dag = api.dag(TRAINING)
    assert dag is not None
    assert dag.tags == {"mlops", "release:1.2.0"}
    assert not dag.is_stale
    api.unpause(TRAINING)
    unpaused = api.dag(TRAINING)
    assert unpaused is not None
    assert not unpaused.is_paused
    assert dag_versions(api, TRAINING) == [1]


def test_it_knows_its_pools(api: AirflowApi) -> None:
    assert api.has_pool("default_pool")
    assert not api.has_pool("trainings/for nobody")


def test_a_run_is_started_once_however_often_it_is_asked_for(api: AirflowApi) -> None:
    assert api.trigger(TRAINING, RUN, {"release": "1.2.0"})
    assert not api.trigger(TRAINING, RUN, {"release": "1.3.0"})
    run = api.run(TRAINING, RUN)
    assert run is not None
    assert (run.state, run.run_type, run.conf["release"]) == ("queued", "manual", "1.2.0")
    assert not run.is_finished
    assert [each.run_id for each in api.runs(TRAINING)] == [RUN]
    assert api.run(TRAINING, "deploy__dev__1.4.0") is None


def test_the_tasks_of_a_run_have_no_log_and_no_return_value_before_they_ran(api: AirflowApi) -> None:
    api.trigger(TRAINING, "tasks")
    tasks = api.task_instances(TRAINING, "tasks")
    assert sorted(task.task_id for task in tasks) == ["train", "verify"]
    assert {task.state for task in tasks} <= {None, "scheduled"}
    assert api.xcom(tasks[0]) is None
    assert [api.log(task) for task in tasks] == [[], []]


@pytest.mark.parametrize("run_id", ["no spaces", "nor/slashes", "../../../connections"])
def test_a_run_id_that_airflow_does_not_take_is_a_mistake_of_the_caller(api: AirflowApi, run_id: str) -> None:
    with pytest.raises(UsageError, match=r"since Airflow refuses it: The run_id "):
        api.trigger(TRAINING, run_id)


def test_a_value_that_breaks_the_dags_schema_is_told_of(api: AirflowApi) -> None:
    with pytest.raises(UsageError, match=r"Invalid input for param window: 5 is not of type 'string'"):
        api.trigger(TRAINING, "wrong", {"window": 5})


def test_a_dag_that_is_not_there_is_told_of_with_the_reason(api: AirflowApi) -> None:
    with pytest.raises(MissingDagError, match=r"has no DAG taxi\.fare\.prod\.training: its DAG processor"):
        api.trigger("taxi.fare.prod.training", RUN)
    with pytest.raises(MissingDagError):
        api.unpause("taxi.fare.prod.training")
    assert api.dag("taxi.fare.prod.training") is None
    assert api.runs("taxi.fare.prod.training") == []


def test_a_run_that_failed_goes_on_with_the_tasks_that_are_cleared(api: AirflowApi, airflow: Airflow) -> None:
    api.trigger(TRAINING, "cleared")
    verify, train = sorted(api.task_instances(TRAINING, "cleared"), key=lambda task: task.task_id)[::-1]
    with closing(sqlite3.connect(airflow.folder / "home" / "airflow.db")) as database, database:
        of_run = "WHERE run_id = 'cleared' AND dag_id = ?"
        database.execute(f"UPDATE dag_run SET state = 'failed' {of_run}", [TRAINING])  # noqa: S608 fixed words
        for task, state in ((verify, "success"), (train, "failed")):
            database.execute(
                f"UPDATE task_instance SET state = ?, try_number = 1 {of_run} AND task_id = ?",  # noqa: S608 fixed words
                [state, TRAINING, task.task_id],
            )
    api.clear(TRAINING, "cleared", [train])
    run = api.run(TRAINING, "cleared")
    assert run is not None
    assert run.state == "queued"
    assert {task.task_id: task.state for task in api.task_instances(TRAINING, "cleared")} == {
        "verify": "success",
        "train": None,
    }


def test_asset_events_are_listed(api: AirflowApi, http: HttpClient) -> None:
    login = FetchedLogin(api.address, USER, PASSWORD)
    report_asset_event(api.address, MODEL, {"environment": "dev"}, login=login, http=http)
    (event,) = asset_events(api)
    assert (event.uri, event.extra["environment"]) == (MODEL, "dev")
    assert asset_events(api, TRAINING) == []


def test_a_connection_is_set_and_set_again(api: AirflowApi) -> None:
    for value in ("one", "two"):
        api.put_connection("mlops_dev", {"environment": "dev", "root": value})
    http = HttpClient()
    headers = FetchedLogin(api.address, USER, PASSWORD).headers(http, "GET", "")
    answer = http.request("GET", f"{api.address}/api/v2/connections/mlops_dev", headers=headers)
    assert "two" in answer.json()["extra"]


def test_a_token_that_has_run_out_is_fetched_anew_once(airflow: Airflow, http: HttpClient) -> None:
    login = FetchedLogin(airflow.address, USER, PASSWORD)
    api = AirflowApi(airflow.address, login, http)
    login.headers(http, "GET", "")
    login._token = "run-out"
    assert api.dag(TRAINING) is not None
    with pytest.raises(ServiceError, match=r"does not know us \(403") as caught:
        AirflowApi(airflow.address, TokenLogin("run-out"), http).dag(TRAINING)
    assert caught.value.hint == "get a new token and set MLOPS_AIRFLOW_TOKEN"
    assert "run-out" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "does not let us without a login in: it answered 403"),
        (
            {"MLOPS_AIRFLOW_USER": USER, "MLOPS_AIRFLOW_PASSWORD": "wrong battery"},
            "does not let 'deployer' in: it answered 401",
        ),
    ],
)
def test_a_login_that_airflow_refuses_is_told_of_without_the_password(
    airflow: Airflow, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        AirflowApi.at(airflow.address, environment).dag(TRAINING)
    assert said in str(caught.value)
    assert "MLOPS_AIRFLOW_PASSWORD" in str(caught.value.hint)
    assert "wrong battery" not in f"{caught.value} {caught.value.hint}"


def test_the_pages_of_a_run_and_a_task_have_addresses(api: AirflowApi) -> None:
    page = api.page(TRAINING, "scheduled__2026-01-01T00:00:00+00:00", "verify")
    assert page.startswith(
        f"{api.address}/dags/{TRAINING}/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00/"
    )
    assert requests.get(page, timeout=30, headers={"Accept": "text/html"}).ok


def test_a_task_that_was_never_there_has_no_log(api: AirflowApi) -> None:
    api.trigger(TRAINING, "logs")
    never = TaskInstance(TRAINING, "logs", "never", -1, None, 1, 0, None, None, None)
    assert api.log(never) == []


def test_every_kind_of_request_was_held_against_the_description(http: HeldAgainstItsDescription) -> None:
    assert http.seen == {"GET", "POST", "PATCH"}
