"""A real Airflow: API server, scheduler, DAG processor and triggerer, on a free port of loopback."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tools.environments import airflow as airflow_environment
from tools.loop.servers import Servers
from tools.loop.servers_airflow import PARTS, Airflow

from mlops_config.http import HttpClient
from mlops_config.orchestration.api import AirflowApi
from mlops_config.orchestration.api_login import FetchedLogin, Login
from tests.services import unavailable


def python_with(version: str) -> Path:
    """The interpreter of the environment with this Airflow; ends the test where there is none.

    A Python that this Airflow is not for is no fault of the machine: the test is skipped, in CI too.
    """
    environment = airflow_environment(version)
    if not environment.runs_here:
        pytest.skip(f"Airflow {version} is not for this Python")
    if not environment.python.exists():
        unavailable(f"there is no Airflow {version}: make environments")
    return environment.python


@contextmanager
def running_airflow(
    folder: Path,
    *,
    version: str = "3.3",
    parts: tuple[str, ...] = tuple(PARTS),
    users: dict[str, str] | None = None,
    dags: tuple[Path, ...] | None = None,
) -> Iterator[Airflow]:
    """An Airflow below ``folder`` that is healthy; ``dags`` are its DAG files, by default this repository's.

    Without a DAG processor among its ``parts`` they are parsed once. ``users`` are names with passwords;
    without any, everybody is an admin and needs no login.
    """
    python_with(version)
    with Servers(folder / "logs") as servers:
        airflow = Airflow(servers, folder / "airflow", version=version, users=users)
        airflow.add_dags(dags)
        airflow.start(parts)
        if "dag-processor" not in parts:
            airflow.command("dags", "reserialize")
        airflow.until_healthy()
        yield airflow


def report_asset_event(
    address: str,
    uri: str,
    extra: Mapping[str, Any],
    *,
    login: Login | None = None,
    http: HttpClient | None = None,
) -> None:
    """Reports an event of an asset that some DAG names, as an operator does by hand."""
    http, login = http or HttpClient(), login or FetchedLogin(address)

    def asked(method: str, path: str, **options: Any) -> Any:
        url = f"{address}/api/v2{path}"
        answer = http.request(method, url, headers=login.headers(http, method, url), **options)
        assert answer.ok, answer.text
        return answer.json()

    known = asked("GET", "/assets", params={"uri_pattern": uri})["assets"]
    (number,) = [each["id"] for each in known if each["uri"] == uri]
    asked("POST", "/assets/events", json={"asset_id": number, "extra": dict(extra)})


class AssetEvent(NamedTuple):
    """A change of an asset that a task reported."""

    uri: str
    extra: Mapping[str, Any]
    created: tuple[tuple[str, str], ...]
    """DAG and run ids that it started."""


def asset_events(api: AirflowApi, source_dag_id: str | None = None) -> list[AssetEvent]:
    """Events of assets, oldest first; of one DAG only if that is given."""
    query = {"order_by": "timestamp"} | ({"source_dag_id": source_dag_id} if source_dag_id else {})
    found = api._pages("/assets/events", "asset_events", "listing asset events", query)
    return [
        AssetEvent(
            uri=each["uri"],
            extra=each["extra"] or {},
            created=tuple((run["dag_id"], run["run_id"]) for run in each["created_dagruns"]),
        )
        for each in found
    ]


def dag_versions(api: AirflowApi, dag_id: str) -> list[int]:
    """Numbers of the DAG's versions, oldest first."""
    found = api._pages(f"/dags/{dag_id}/dagVersions", "dag_versions", f"listing the versions of {dag_id}")
    return sorted(each["version_number"] for each in found)
