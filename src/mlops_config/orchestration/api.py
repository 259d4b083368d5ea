"""Airflow's REST API (v2, of Airflow 3.1 and later), as far as a deployment needs it."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from mlops_config.errors import ServiceError, UsageError
from mlops_config.http import HttpClient, answer_excerpt
from mlops_config.orchestration.api_answers import (
    Dag,
    DagRun,
    ParseError,
    TaskInstance,
    dag_of,
    parse_error_of,
    run_of,
    said_in,
    task_of,
    unpacked,
)
from mlops_config.orchestration.api_login import Login, is_unknown, login_to, refused

OLDEST = (3, 1)
"""The first Airflow that the DAGs are for."""
_API = "/api/v2"
_PAGE = 100


class MissingDagError(ServiceError):
    """Airflow does not have a DAG, or not in a state to run."""


class AirflowApi:
    """An Airflow at an address, with a login. The address is that of the pages too."""

    def __init__(self, address: str, login: Login, http: HttpClient | None = None) -> None:
        self.address = address
        self._login = login
        self._http = http or HttpClient()

    @classmethod
    def at(
        cls, address: str, environment: Mapping[str, str] = os.environ, http: HttpClient | None = None
    ) -> "AirflowApi":
        """The Airflow at ``address`` (``mwaa://<name>`` too), logged in as the environment says.

        Raises:
            UsageError: the address is none, or what a login needs is not there.
            ServiceError: AWS or Google does not let us in.
        """
        return cls(*login_to(address, environment), http)

    def close(self) -> None:
        """Closes the connections kept open."""
        self._http.close()

    def __enter__(self) -> "AirflowApi":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def health(self) -> dict[str, str]:
        """The status of each part (``scheduler``, ``dag_processor``, ...): ``healthy`` or ``unhealthy``.

        A part that was never there has none. Airflow itself wants no login for this.
        """
        answer = self._json(self._sent("GET", "/monitor/health", "asking Airflow for its health", open_=True))
        return {name: part["status"] for name, part in answer.items() if part and part.get("status")}

    def version(self) -> str:
        """Airflow's version; it wants no login for this itself.

        Raises:
            UsageError: it is older than the DAGs are for, or there is no Airflow at the address.
        """
        doing = "asking Airflow for its version"
        response = self._sent("GET", "/version", doing, open_=True)
        version = str(self._json(response)["version"]) if response.ok else self._version_of_airflow_2(doing)
        found = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if found < OLDEST:
            raise UsageError(
                f"Airflow at {self.address} is {version}, and the DAGs are for"
                f" {'.'.join(map(str, OLDEST))} and later",
                hint="update Airflow; its own upgrade guide leads from 2 to 3",
            )
        return version

    def dag(self, dag_id: str) -> Dag | None:
        """The DAG; ``None``: Airflow has not parsed such a one."""
        response = self._sent("GET", f"/dags/{_in_path(dag_id)}", f"looking for the DAG {dag_id}")
        return None if _not_there(response) else dag_of(self._json(response))

    def has_pool(self, name: str) -> bool:
        """Whether there is a pool of that name: tasks of one that is not there are never scheduled."""
        response = self._sent("GET", f"/pools/{_in_path(name)}", f"looking for the pool {name}")
        if _not_there(response):
            return False
        self._json(response)
        return True

    def parse_errors(self) -> list[ParseError]:
        """The DAG files that Airflow could not read."""
        found = self._pages("/importErrors", "import_errors", "asking for import errors")
        return [parse_error_of(each) for each in found]

    def missing(self, dag_id: str) -> MissingDagError:
        """Why a DAG is not there: its file cannot be read, or was not yet."""
        errors = self.parse_errors()
        if errors:
            lines = [f"  {error.file}: {error.sentence}" for error in errors]
            return MissingDagError(
                "\n".join([f"Airflow has no DAG {dag_id}, and could not import:", *lines]),
                hint="mend these files; Airflow reads them again by itself",
            )
        parser = self.health().get("dag_processor")
        if parser != "healthy":
            return MissingDagError(
                f"Airflow has no DAG {dag_id}: its DAG processor is {parser or 'not running'}",
                hint="start it: airflow dag-processor",
            )
        return MissingDagError(
            f"Airflow has no DAG {dag_id}: it has not parsed it yet, or reads another folder",
            hint="does its DAG folder have the DAG files, and is the deployment in the folder that"
            " MLOPS_DEPLOYMENTS names, by default mlops beside them?",
        )

    def unpause(self, dag_id: str) -> None:
        """Lets the scheduler run the DAG.

        Raises:
            MissingDagError: there is no such DAG.
        """
        doing = f"unpausing the DAG {dag_id}"
        body = {"is_paused": False}
        response = self._sent("PATCH", f"/dags/{_in_path(dag_id)}", doing, body=body, repeatable=True)
        if _not_there(response):
            raise self.missing(dag_id)
        self._json(response)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> bool:
        """Starts a run of that id; whether it is new: one that is there already is left as it is.

        Raises:
            MissingDagError: there is no such DAG, or its file cannot be read any more.
            UsageError: Airflow does not take the id or ``conf``.
        """
        doing = f"starting the DAG run {run_id} of {dag_id}"
        path = f"/dags/{_in_path(dag_id)}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        response = self._sent("POST", path, doing, body=body, repeatable=True)
        if response.status_code == requests.codes.conflict:
            return False
        if _not_there(response):
            raise self.missing(dag_id)
        if response.status_code in (requests.codes.bad_request, requests.codes.unprocessable_entity):
            if (dag := self.dag(dag_id)) is not None and dag.has_import_errors:
                raise self.missing(dag_id)
            raise UsageError(f"{doing} failed, since Airflow refuses it: {_detail(response)}")
        self._json(response)
        return True

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[TaskInstance]) -> None:
        """Lets the run go on with these tasks once more, whatever they ended as; at least one."""
        names = [each.task_id if each.map_index < 0 else [each.task_id, each.map_index] for each in tasks]
        # Both flags stand for their contrary where they are left out.
        body = {"dag_run_id": run_id, "task_ids": names, "dry_run": False, "only_failed": False}
        doing = f"clearing tasks of the DAG run {run_id} of {dag_id}"
        path = f"/dags/{_in_path(dag_id)}/clearTaskInstances"
        self._json(self._sent("POST", path, doing, body=body, repeatable=True), doing)

    def run(self, dag_id: str, run_id: str) -> DagRun | None:
        """The run; ``None``: there is none of that id."""
        doing = f"looking at the DAG run {run_id} of {dag_id}"
        response = self._sent("GET", _run_path(dag_id, run_id), doing)
        return None if _not_there(response) else run_of(self._json(response))

    def runs(self, dag_id: str) -> list[DagRun]:
        """The newest runs of a DAG, at most 100, newest first."""
        query = {"order_by": "-run_after", "limit": str(_PAGE)}
        path = f"/dags/{_in_path(dag_id)}/dagRuns"
        response = self._sent("GET", path, f"listing the runs of {dag_id}", query=query)
        return [] if _not_there(response) else [run_of(each) for each in self._json(response)["dag_runs"]]

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """The tasks of a run, in the order they started; those to come last."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances"
        doing = f"looking at the tasks of {run_id}"
        found = [task_of(each) for each in self._pages(path, "task_instances", doing)]
        return sorted(found, key=lambda task: (task.started is None, task.started or ""))

    def log(self, task: TaskInstance, lines: int = 20) -> list[str]:
        """The last lines of the log of a task's last try, without what Airflow says of itself."""
        path = f"{_task_path(task)}/logs/{max(task.try_number, 1)}"
        query = {"full_content": "true", "map_index": str(task.map_index)}
        response = self._sent("GET", path, f"reading the log of {task.task_id}", query=query)
        if _not_there(response):
            return []
        return list(said_in(self._json(response)["content"]))[-lines:]

    def xcom(self, task: TaskInstance, key: str = "return_value") -> Any:
        """What a task returned; ``None``: nothing."""
        path = f"{_task_path(task)}/xcomEntries/{_in_path(key)}"
        query = {"map_index": str(task.map_index), "deserialize": "false", "stringify": "false"}
        response = self._sent("GET", path, f"reading what {task.task_id} returned", query=query)
        if _not_there(response):
            return None
        value = self._json(response)["value"]
        return unpacked(value)

    def put_connection(self, connection_id: str, extra: Mapping[str, Any]) -> None:
        """Makes the generic Connection with this ``extra``, or gives it to the one that is there."""
        body = {"connection_id": connection_id, "conn_type": "generic", "extra": json.dumps(extra)}
        doing = f"setting the Connection {connection_id}"
        response = self._sent("POST", "/connections", doing, body=body, repeatable=True)
        if response.status_code == requests.codes.conflict:
            path = f"/connections/{_in_path(connection_id)}"
            response = self._sent("PATCH", path, doing, body=body, repeatable=True)
        self._json(response, doing)

    def page(self, dag_id: str, run_id: str | None = None, task_id: str | None = None) -> str:
        """The address of the page of a DAG, of a run of it, or of a task of that."""
        path = f"/dags/{_in_path(dag_id)}"
        path += f"/runs/{_in_path(run_id)}" if run_id else ""
        path += f"/tasks/{_in_path(task_id)}" if run_id and task_id else ""
        return self.address + path

    def _pages(
        self, path: str, key: str, doing: str, query: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            window = {"limit": str(_PAGE), "offset": str(offset)}
            answer = self._json(self._sent("GET", path, doing, query={**(query or {}), **window}), doing)
            yield from answer[key]
            offset += len(answer[key])
            if not answer[key] or offset >= answer["total_entries"]:
                return

    def _sent(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool | None = None,
        open_: bool = False,
    ) -> requests.Response:
        """The answer; a login that has run out is renewed once.

        What is ``open_`` Airflow answers to anybody, but what stands before it may not: only who would have
        to ask Airflow for a token first leaves it out.
        """
        url = f"{self.address}{_API}{path}"
        bare = open_ and self._login.is_airflows_own

        def once() -> requests.Response:
            return self._http.request(
                method,
                url,
                doing=doing,
                headers={"Accept": "application/json"} | ({} if bare else self._proof(method, url, doing)),
                params=query,
                json=body,
                repeatable=repeatable,
            )

        response = once()
        if is_unknown(response) and not bare and self._login.renew():
            response = once()
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise refused(response, doing, self.address, self._login)
        return response

    def _proof(self, method: str, url: str, doing: str) -> dict[str, str]:
        def login() -> dict[str, str]:
            return self._login.headers(self._http, method, url)

        return self._http.retries.run(login, doing=doing)

    def _version_of_airflow_2(self, doing: str) -> str:
        """What an Airflow before 3 says, which has the API's first version."""
        url = f"{self.address}/api/v1/version"
        proof = {} if self._login.is_airflows_own else self._proof("GET", url, doing)
        headers = {"Accept": "application/json", **proof}
        response = self._http.request("GET", url, doing=doing, headers=headers)
        if response.ok:
            try:
                return str(response.json()["version"])
            except (ValueError, KeyError, TypeError):
                pass
        raise UsageError(
            f"there is no Airflow at {self.address}: {_API}/version does not answer as its API does",
            hint="give the address that its pages have, without /api",
        )

    def _json(self, response: requests.Response, doing: str = "") -> Any:
        """The answer's document.

        Raises:
            ServiceError: it is a refusal, or no JSON.
        """
        path = urlsplit(response.url).path
        if not response.ok:
            raise ServiceError(
                f"{doing or path} failed: Airflow at {self.address} answered {response.status_code}"
                f" {response.reason}{answer_excerpt(response, 400)}"
            )
        try:
            return response.json()
        except ValueError as error:
            raise ServiceError(
                f"{self.address} answered {path} with something other than JSON",
                hint="is this Airflow's address, and does no login page stand before it?",
            ) from error


def _in_path(text: str) -> str:
    return quote(text, safe="")


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{_in_path(dag_id)}/dagRuns/{_in_path(run_id)}"


def _task_path(task: TaskInstance) -> str:
    return f"{_run_path(task.dag_id, task.run_id)}/taskInstances/{_in_path(task.task_id)}"


def _detail(response: requests.Response) -> str:
    """What Airflow says is wrong with a request."""
    try:
        said = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason}{answer_excerpt(response, 400)}"
    return said if isinstance(said, str) else "; ".join(str(each.get("msg", each)) for each in said)


def _not_there(response: requests.Response) -> bool:
    return bool(response.status_code == requests.codes.not_found)
