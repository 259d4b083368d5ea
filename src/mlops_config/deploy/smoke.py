"""What a new revision must answer before traffic moves to it."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlops_config.deploy.interface import DeployFailedError, Deployment

Row = Mapping[str, Any]
Ask = Callable[[Sequence[Row]], list[Any]]
"""Sends rows to the new revision alone and returns its predictions."""

HEADER = "X-Mlops-Smoke-Test"
"""Carries the token that a server on this machine was started with: its rows are answered as any, and neither
recorded nor counted. Who asks through the router does not know it."""

_MILLISECONDS = 1000.0


def smoke_test(deployment: Deployment, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> str:
    """Asks for the rows one by one, as ``smoke_test`` of the retrain file says; returns what came out.

    The first row is asked once before, unmeasured: a server may load things with its first request.

    Raises:
        DeployFailedError: an answer is missing, too slow, or does not fit the signature.
    """
    test = deployment.smoke_test
    rows = list(deployment.smoke_rows[: test.rows])
    if not rows:
        return "no rows for a smoke test"
    _predictions(ask, rows[:1], 0)
    slowest = 0.0
    kinds: set[str] = set()
    for number, row in enumerate(rows):
        started = clock()
        prediction = _predictions(ask, [row], number)[0]
        took = (clock() - started) * _MILLISECONDS
        slowest = max(slowest, took)
        if took > test.max_latency_ms:
            raise _failed(
                f"row {number} took {took:.0f} ms, and at most {test.max_latency_ms:.0f} ms are allowed"
            )
        if test.expected_schema:
            kinds.add(_kind(prediction, number))
    if test.expected_schema:
        _check_kinds(deployment, kinds)
    return f"smoke test of {len(rows)} rows passed, the slowest in {slowest:.0f} ms"


def predictions_of(body: bytes | str, count: int) -> list[Any]:
    """The ``count`` predictions in the body of a server's answer.

    Raises:
        ValueError: it is not JSON with so many predictions.
    """
    return predictions_in(json.loads(body), count)


def predictions_in(document: Any, count: int) -> list[Any]:
    """The ``count`` predictions of ``{"predictions": […]}``: values, or objects with a ``prediction``.

    Raises:
        ValueError: there are not so many.
    """
    found = document.get("predictions") if isinstance(document, dict) else None
    if not isinstance(found, list) or len(found) != count:
        what = f"{len(found)} predictions" if isinstance(found, list) else "no list of predictions"
        raise ValueError(f"the answer has {what} for {count} rows")
    return [each.get("prediction") if isinstance(each, dict) else each for each in found]


def _predictions(ask: Ask, rows: Sequence[Row], number: int) -> list[Any]:
    try:
        return ask(rows)
    except ValueError as error:
        raise _failed(f"row {number}: {error}") from error


def _kind(prediction: Any, number: int) -> str:
    if prediction is None or (isinstance(prediction, float) and not math.isfinite(prediction)):
        raise _failed(f"row {number} was answered with {prediction!r}")
    if isinstance(prediction, bool):
        return "boolean"
    if isinstance(prediction, int):
        return "integral"
    if isinstance(prediction, float):
        return "integral" if prediction.is_integer() else "fractional"
    if isinstance(prediction, str):
        return "string"
    raise _failed(f"row {number} was answered with a {type(prediction).__name__}, not one value")


def _check_kinds(deployment: Deployment, kinds: set[str]) -> None:
    numbers = kinds <= {"integral", "fractional"}
    if len(kinds) > 1 and not numbers:
        raise _failed(f"the answers are of different types: {', '.join(sorted(kinds))}")
    signature = deployment.inference.signature
    if signature.source != "declared":
        return
    expected = signature.output.type
    fits = {
        "fractional": numbers,
        "integral": kinds <= {"integral"},
        "boolean": kinds <= {"boolean"},
    }.get(expected, kinds <= {"string"})
    if not fits:
        raise _failed(f"the answers are {', '.join(sorted(kinds))}; the signature says {expected}")


def _failed(reason: str) -> DeployFailedError:
    return DeployFailedError(
        f"the smoke test failed: {reason}",
        hint="the revision before goes on serving; ask the new one with the same rows on your machine",
    )
