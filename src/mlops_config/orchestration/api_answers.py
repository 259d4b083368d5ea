"""What Airflow's REST API (v2) answers, as types: DAGs, DAG runs, task instances, logs."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

FINISHED = frozenset({"success", "failed"})
"""States of a DAG run that do not change any more."""
_AIRFLOWS_OWN = re.compile(r"task|airflow\.dag_processing\..*|airflow\.models\.dagbag\..*")
"""Loggers of what goes on around a task: its DAG is loaded, its XCom pushed."""
_FOLDED = ("::group::", "::endgroup::")


class Dag(NamedTuple):
    """A DAG as Airflow's parser left it in the database."""

    dag_id: str
    tags: frozenset[str]
    is_paused: bool
    is_stale: bool
    """Whether its file does not have it any more."""
    has_import_errors: bool
    bundle: str | None = None
    """Of DAG files, as Airflow's configuration names it; one Airflow may read many."""
    file: str | None = None
    """Its place in the bundle."""


class DagRun(NamedTuple):
    """A run of a DAG; times are ISO 8601, ``None`` for what has not come yet."""

    dag_id: str
    run_id: str
    state: str
    """``queued``, ``running``, ``success`` or ``failed``."""
    run_type: str
    """``manual``, ``scheduled``, ``asset_triggered`` or ``backfill``."""
    conf: Mapping[str, Any]
    started: str | None
    ended: str | None

    @property
    def is_finished(self) -> bool:
        """Whether its state is its last."""
        return self.state in FINISHED


class TaskInstance(NamedTuple):
    """A task of a DAG run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    """-1 for a task that is not mapped."""
    state: str | None
    """``None``: not scheduled yet."""
    try_number: int
    max_tries: int
    started: str | None
    ended: str | None
    seconds: float | None


class ParseError(NamedTuple):
    """A DAG file that Airflow could not read."""

    file: str
    trace: str
    time: str = ""
    """When Airflow last tried, ISO 8601: a file that stays broken is tried again and again."""
    bundle: str | None = None

    @property
    def sentence(self) -> str:
        """The last line: the exception."""
        return next(reversed(self.trace.strip().splitlines()), "")


def parse_error_of(each: Mapping[str, Any]) -> ParseError:
    """The import error of an answer."""
    return ParseError(
        each["filename"] or "", each["stack_trace"] or "", each["timestamp"], each["bundle_name"]
    )


def dag_of(each: Mapping[str, Any]) -> Dag:
    """The DAG of an answer."""
    return Dag(
        dag_id=each["dag_id"],
        tags=frozenset(tag["name"] for tag in each["tags"]),
        is_paused=each["is_paused"],
        is_stale=bool(each["is_stale"]),
        has_import_errors=bool(each["has_import_errors"]),
        bundle=each["bundle_name"],
        file=each["relative_fileloc"],
    )


def run_of(each: Mapping[str, Any]) -> DagRun:
    """The DAG run of an answer."""
    return DagRun(
        dag_id=each["dag_id"],
        run_id=each["dag_run_id"],
        state=each["state"],
        run_type=each["run_type"],
        conf=each["conf"] or {},
        started=each["start_date"],
        ended=each["end_date"],
    )


def task_of(each: Mapping[str, Any]) -> TaskInstance:
    """The task instance of an answer."""
    return TaskInstance(
        dag_id=each["dag_id"],
        run_id=each["dag_run_id"],
        task_id=each["task_id"],
        map_index=each["map_index"],
        state=each["state"],
        try_number=each["try_number"],
        max_tries=each["max_tries"],
        started=each["start_date"],
        ended=each["end_date"],
        seconds=each["duration"],
    )


def said_in(content: Iterable[str | Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a task's log that are about the task: no headings, and nothing of how Airflow began it."""
    in_sources = False
    for message in content:
        if isinstance(message, str):
            said = message.splitlines()
        elif _is_around(message):
            continue
        else:
            said = [*str(message["event"]).splitlines(), *_errors_in(message)]
        for line in said:
            # Begins each log: the files it was put together of.
            in_sources = line.startswith("::group::Log message source") or (
                in_sources and not line.startswith("::endgroup::")
            )
            if not in_sources and not line.startswith(_FOLDED):
                yield line


def _is_around(message: Mapping[str, Any]) -> bool:
    said = message.get("level") in ("debug", "info")
    return said and _AIRFLOWS_OWN.fullmatch(str(message.get("logger"))) is not None


def _errors_in(message: Mapping[str, Any]) -> Iterator[str]:
    for error in message.get("error_detail") or ():
        yield f"{error['exc_type']}: {error['exc_value']}"


def unpacked(value: Any) -> Any:
    """A value of XCom, which some versions of Airflow give as JSON in a string."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
