"""Keeps a sample of requests and predictions for monitoring; never in the way of a request.

Requests leave their rows in a bounded buffer. A thread of its own makes files of them: after a time, when
enough have come, and when the server ends. A file that cannot be written is tried again with the next; when
the buffer is full meanwhile, the newest rows are dropped and counted.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from mlops_config.contract.models.tables import TableSchema
from mlops_config.runtime.inference.records import record_table, recorded_columns

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

WriteTable = Callable[["pa.Table", str], None]
"""Writes a table to a URI as Parquet, whole or not at all."""

FILE_ROWS = 10_000
FILE_SECONDS = 60.0
BUFFER_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Captured:
    """One request's rows as they were answered."""

    time: datetime
    first_number: int
    rows: Sequence[Mapping[str, Any]]
    predictions: Sequence[Any]


class Capture:
    """Rows on their way to ``destination``; files are ``date=YYYY-MM-DD/<job_id>-<n>.parquet`` below it."""

    def __init__(
        self,
        schema: TableSchema,
        *,
        destination: str,
        sampling_percent: int,
        include_output: bool,
        extra_columns: Sequence[str],
        model_version: int,
        config_digest: str,
        job_id: str,
        write: WriteTable,
        on_dropped: Callable[[int], None],
        file_rows: int = FILE_ROWS,
        file_seconds: float = FILE_SECONDS,
        buffer_rows: int = BUFFER_ROWS,
    ) -> None:
        self._schema = schema
        self._destination = destination.rstrip("/")
        self._percent = sampling_percent
        self._include_output = include_output
        self._extra_columns = tuple(extra_columns)
        self._names = recorded_columns(schema, extra_columns)
        self._model_version = model_version
        self._config_digest = config_digest
        self._job_id = job_id
        self._write = write
        self._on_dropped = on_dropped
        self._file_rows = file_rows
        self._file_seconds = file_seconds
        self._buffer_rows = buffer_rows
        self._draw = random.Random(job_id)  # noqa: S311 a sample, no secret
        self._changed = threading.Condition()
        self._buffer: list[Captured] = []
        self._rows = 0
        self._number = 0
        self._closing = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def add(self, captured: Captured) -> None:
        """Takes the request's rows if the sample falls on them and there is room; returns at once."""
        if self._percent < 100 and self._draw.random() * 100 >= self._percent:
            return
        with self._changed:
            if self._closing or self._rows + len(captured.rows) > self._buffer_rows:
                self._on_dropped(len(captured.rows))
                return
            self._buffer.append(captured)
            self._rows += len(captured.rows)
            if self._rows >= self._file_rows:
                self._changed.notify()

    def close(self) -> None:
        """Writes what is left; rows that cannot be written now are dropped and counted."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                # After a failure nothing is tried before the time is over: a full disk stays so for a while.
                self._changed.wait_for(
                    lambda: self._closing or (self._rows >= self._file_rows and not self._failing),
                    timeout=self._file_seconds,
                )
                closing, taken = self._closing, self._buffer
                self._buffer = []
            left = self._write_all(taken)
            with self._changed:
                self._buffer[:0] = left
                self._rows -= sum(len(each.rows) for each in taken) - sum(len(each.rows) for each in left)
                self._failing = bool(left)
            if closing:
                lost = sum(len(each.rows) for each in left)
                if lost:
                    self._on_dropped(lost)
                    log.error("%d captured rows are lost: they could not be written", lost)
                return

    def _write_all(self, taken: Sequence[Captured]) -> list[Captured]:
        """Writes a file a day; returns what could not be written."""
        left: list[Captured] = []
        for day, requests in _by_day(taken):
            uri = f"{self._destination}/date={day.isoformat()}/{self._job_id}-{self._number}.parquet"
            try:
                self._write(self._table(requests), uri)
            except Exception as error:  # noqa: BLE001 nothing that befalls a capture may befall a request
                log.warning("captured rows are not written yet, %s: %s", uri, error)
                left.extend(requests)
            else:
                self._number += 1
        return left

    def _table(self, requests: Sequence[Captured]) -> "pa.Table":
        rows = [row for each in requests for row in each.rows]
        return record_table(
            self._schema,
            extra_columns=self._extra_columns,
            prediction_ids=[
                f"{self._job_id}-{each.first_number + offset}"
                for each in requests
                for offset in range(len(each.rows))
            ],
            event_times=[each.time for each in requests for _ in each.rows],
            model_version=self._model_version,
            config_digest=self._config_digest,
            values={name: [row.get(name) for row in rows] for name in self._names},
            predictions=(
                [value for each in requests for value in each.predictions] if self._include_output else None
            ),
        )


def _by_day(taken: Sequence[Captured]) -> Iterator[tuple[date, list[Captured]]]:
    days: dict[date, list[Captured]] = {}
    for each in taken:
        days.setdefault(each.time.astimezone(UTC).date(), []).append(each)
    yield from sorted(days.items())
