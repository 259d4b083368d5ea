"""How long a job may run."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from mlops_config.contract.scalar_checks import format_duration
from mlops_config.errors import UsageError


class TimeLimitError(UsageError):
    """The job ran longer than its configuration lets it."""


class _OutOfTime(BaseException):
    """Not an Exception: a library that tries again after any error must not swallow it."""


@contextmanager
def time_limit(limit: timedelta) -> Iterator[None]:
    """Stops what runs within once ``limit`` is over; a single call into C is let finish first.

    It works by SIGALRM, so in the main thread and not on Windows; elsewhere nothing is stopped, and whoever
    started the job (Airflow, SageMaker, Vertex AI) has the same limit from the same file.

    Raises:
        TimeLimitError: the time is over.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    try:
        yield
    except _OutOfTime as error:
        raise TimeLimitError(
            f"the job was stopped after {format_duration(limit)}, as compute.max_runtime says",
            hint="give it more time in the training file, fewer rows, or a cheaper search",
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
