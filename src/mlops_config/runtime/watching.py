"""Around every job: its context opened, and how it ended told to Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlops_config.console import Console
from mlops_config.errors import IntegrityError
from mlops_config.runtime.context import JobContext
from mlops_config.runtime.opening import Request, open_context


@contextmanager
def watched(job: str, request: Request, console: Console) -> Iterator[JobContext]:
    """The job's context; when the block ends, so do its metrics say how.

    Raises:
        MlopsConfigError: the context could not be opened, or whatever the block raises.
    """
    from mlops_config.runtime.metrics.jobs import job_metrics, report_integrity_failure

    try:
        context = open_context(request, console)
    except IntegrityError:
        report_integrity_failure(job, request, console)
        raise
    with job_metrics(context, job):
        yield context
