"""Gathers the rows of concurrent requests into one call of the model, and deals the predictions out again.

Nobody waits for company: rows go to the model at the end of the event loop's turn in which they came,
together with whatever else came in it. While the model is busy in its thread, what comes gathers.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Rows = Sequence[Mapping[str, Any]]
Predict = Callable[[Rows], list[Any]]

_INLINE_SECONDS = 0.001
"""A call expected to take less stays on the event loop: handing it to a thread costs about as much."""
_WEIGHT = 0.2
"""Of the newest call in the moving average of seconds a row and a call."""


@dataclass(slots=True)
class _Waiting:
    rows: Rows
    answer: asyncio.Future[list[Any]]


class Batcher:
    """One model, called by one thread at a time. Use it on the event loop it was made on."""

    def __init__(self, predict: Predict, *, max_batch_rows: int) -> None:
        self._predict = predict
        self._max_batch_rows = max_batch_rows
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._scheduled = False
        self._busy = False
        # Unknown as yet, so the first call goes to the thread.
        self._seconds_per_row = 1.0

    def submit(self, rows: Rows) -> asyncio.Future[list[Any]]:
        """The predictions of ``rows``; fails with what the model raises for these rows alone."""
        answer = self._loop.create_future()
        self._waiting.append(_Waiting(rows, answer))
        self._schedule()
        return answer

    def close(self) -> None:
        """Ends the thread, once it has finished what it was given."""
        self._worker.shutdown(wait=True)

    def _schedule(self) -> None:
        if self._waiting and not (self._scheduled or self._busy):
            self._scheduled = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        batch, rows = self._take()
        if not batch:
            return
        if len(rows) * self._seconds_per_row <= _INLINE_SECONDS:
            self._deal(batch, *self._call(batch, rows))
            self._schedule()
            return
        self._busy = True
        self._loop.run_in_executor(self._worker, self._call, batch, rows).add_done_callback(
            lambda done: self._finish(batch, done)
        )

    def _take(self) -> tuple[list[_Waiting], list[Mapping[str, Any]]]:
        """The next requests, as many as fit; one with more rows than fit goes alone."""
        batch: list[_Waiting] = []
        rows: list[Mapping[str, Any]] = []
        while self._waiting and (not batch or len(rows) + len(self._waiting[0].rows) <= self._max_batch_rows):
            first = self._waiting.popleft()
            if not first.answer.cancelled():
                batch.append(first)
                rows.extend(first.rows)
        return batch, rows

    def _call(self, batch: list[_Waiting], rows: Rows) -> tuple[list[list[Any] | Exception], float]:
        """Each request's predictions or what the model raised for it, and the seconds a row took."""
        started = time.perf_counter()
        outcomes: list[list[Any] | Exception] = []
        try:
            predicted = self._predict(rows)
        except Exception as error:  # noqa: BLE001 a model raises what it likes
            if len(batch) == 1:
                outcomes.append(error)
            else:
                # Some request's rows upset the model: each is asked alone, and its neighbours are answered.
                outcomes.extend(self._alone(each) for each in batch)
        else:
            start = 0
            for each in batch:
                outcomes.append(predicted[start : start + len(each.rows)])
                start += len(each.rows)
        return outcomes, (time.perf_counter() - started) / len(rows)

    def _alone(self, one: _Waiting) -> list[Any] | Exception:
        try:
            return self._predict(one.rows)
        except Exception as error:  # noqa: BLE001 as above
            return error

    def _finish(
        self, batch: list[_Waiting], done: asyncio.Future[tuple[list[list[Any] | Exception], float]]
    ) -> None:
        self._busy = False
        self._deal(batch, *done.result())
        self._schedule()

    def _deal(
        self, batch: list[_Waiting], outcomes: list[list[Any] | Exception], seconds_per_row: float
    ) -> None:
        first = self._seconds_per_row == 1.0
        weight = 1.0 if first else _WEIGHT
        self._seconds_per_row += weight * (seconds_per_row - self._seconds_per_row)
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.answer.cancelled():
                continue
            if isinstance(outcome, Exception):
                each.answer.set_exception(outcome)
            else:
                each.answer.set_result(outcome)
