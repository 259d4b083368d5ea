"""Concurrent requests share a call of the model, and each gets what is its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mlops_config.runtime.serving.batching import Batcher, Rows


class Model:
    """Doubles a number; remembers how many rows each call had, and on which thread it ran."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.threads: list[str] = []
        self.release = threading.Event()
        self.release.set()

    def predict(self, rows: Rows) -> list[Any]:
        self.calls.append(len(rows))
        self.threads.append(threading.current_thread().name)
        assert self.release.wait(30)
        if any(row["x"] < 0 for row in rows):
            raise ValueError("below zero")
        return [row["x"] * 2 for row in rows]


def rows(*numbers: int) -> list[dict[str, int]]:
    return [{"x": number} for number in numbers]


def run(scene: Callable[[Batcher, Model], Coroutine[Any, Any, None]], *, most: int = 100) -> Model:
    """Plays the scene with a batcher whose model has been called once before."""
    model = Model()

    async def play() -> None:
        batcher = Batcher(model.predict, max_batch_rows=most)
        await batcher.submit(rows(0))
        model.calls.clear()
        try:
            await scene(batcher, model)
        finally:
            batcher.close()

    asyncio.run(play())
    return model


def test_requests_of_one_moment_share_a_call() -> None:
    async def scene(batcher: Batcher, _model: Model) -> None:
        answers = await asyncio.gather(*(batcher.submit(rows(n, n + 1)) for n in range(5)))
        assert answers == [[2 * n, 2 * n + 2] for n in range(5)]

    assert run(scene).calls == [10]


def test_a_call_has_no_more_rows_than_allowed_but_for_one_large_request() -> None:
    async def scene(batcher: Batcher, _model: Model) -> None:
        sizes = (3, 3, 9, 1, 1)
        answers = await asyncio.gather(*(batcher.submit(rows(*range(size))) for size in sizes))
        assert [len(answer) for answer in answers] == list(sizes)

    assert run(scene, most=5).calls == [3, 3, 9, 2]


def test_rows_that_upset_the_model_fail_alone() -> None:
    async def scene(batcher: Batcher, _model: Model) -> None:
        answers = await asyncio.gather(*(batcher.submit(rows(n)) for n in (1, -1, 2)), return_exceptions=True)
        assert answers[0] == [2]
        assert isinstance(answers[1], ValueError)
        assert answers[2] == [4]

    assert run(scene).calls == [3, 1, 1, 1]


def test_a_slow_call_goes_to_a_thread_and_what_comes_meanwhile_goes_together() -> None:
    async def scene(batcher: Batcher, model: Model) -> None:
        many = rows(*range(100_000))
        model.release.clear()
        slow = batcher.submit(many)
        while not model.calls:
            await asyncio.sleep(0)
        later = [batcher.submit(rows(n)) for n in range(4)]
        await asyncio.sleep(0)
        assert model.calls == [100_000], "the model is called by one thread at a time"
        model.release.set()
        assert len(await slow) == 100_000
        assert await asyncio.gather(*later) == [[0], [2], [4], [6]]

    model = run(scene, most=200_000)
    assert model.calls == [100_000, 4]
    assert model.threads[1].startswith("model")


def test_a_caller_who_is_gone_is_not_predicted_for() -> None:
    async def scene(batcher: Batcher, _model: Model) -> None:
        gone, there = batcher.submit(rows(1)), batcher.submit(rows(2))
        gone.cancel()
        assert await there == [4]
        last = batcher.submit(rows(3))
        last.cancel()
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await last
        assert await batcher.submit(rows(5)) == [10]

    assert run(scene).calls == [1, 1]


def test_the_first_call_goes_to_the_thread_since_nobody_knows_how_long_it_takes() -> None:
    async def scene(_batcher: Batcher, _model: Model) -> None:
        return

    assert run(scene).threads[0].startswith("model")
