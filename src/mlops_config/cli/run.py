"""``mlops-config run``: one of the jobs, obeying the configuration it has proven."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_config.cli.arguments import (
    add_checkout_arguments,
    add_ledger_store_argument,
    whole_number,
    with_jobs,
)
from mlops_config.cli.outcomes import Outcome, add_format, tell
from mlops_config.cli.validating import explained

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext

NAME = "run"
SUMMARY = "run a job: training, inference, monitoring, retraining, or the model server"
DESCRIPTION = """\
Proves that the four configuration files are those that were deployed, then runs the job as they say. In an
image the files lie in /app/configs and MLOPS_CONFIG_DIGEST says what they must be; in a checkout they are
validated first. A mismatch ends with exit code 4 before anything is read or written."""
EXAMPLES = """\
  mlops-config run training --environment dev
  mlops-config run inference --config /app/configs/prod_inference_config.yaml
  mlops-config run monitoring --environment dev --window 2026-11-01T00:00:00Z/2026-11-02T00:00:00Z
  mlops-config run retraining --environment dev --dry-run      decide, and do nothing
  mlops-config run serving --environment dev --port 8080
"""


class Job(NamedTuple):
    """A job of the runtime: its own arguments, and what they mean to it."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    options: Callable[[argparse.Namespace], dict[str, Any]]
    module: str


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    """This job has none."""


def _no_options(_arguments: argparse.Namespace) -> dict[str, Any]:
    return {}


def _inference_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", choices=("local", "spark"), default="local", help="who scores the rows (default: local)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--plan", action="store_true", help="only name the batch's parts, each of which --part predicts"
    )
    which.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="NAME",
        dest="parts",
        help="only this part of the planned batch; may be repeated (default: all that is missing)",
    )


def _inference_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"engine": arguments.engine, "plan": arguments.plan, "parts": tuple(arguments.parts)}


def _monitoring_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window",
        type=_window,
        metavar="START/END",
        help="judge this window (ISO-8601 with time zone) instead of the one that is due",
    )
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="default: duckdb")
    parser.add_argument("--fail-on-violation", action="store_true", help="exit 1 when a signal is confirmed")


def _monitoring_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "window": arguments.window,
        "engine": arguments.engine,
        "fail_on_violation": arguments.fail_on_violation,
    }


def _retraining_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--manual", metavar="WHY", help="ask for it; the guards still hold")
    parser.add_argument("--dry-run", action="store_true", help="decide and say why, do nothing")
    parser.add_argument("--reset", metavar="WHY", help="close the circuit breaker after failures, then end")


def _retraining_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"requested": arguments.manual, "dry_run": arguments.dry_run, "reset": arguments.reset}


def _serving_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--package",
        metavar="PATH",
        help="folder, archive or URI of a model package, instead of the registry (default: MLOPS_PACKAGE)",
    )
    parser.add_argument(
        "--model-version",
        type=whole_number(1),
        metavar="N",
        help="which version that package is (default: as it says)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=whole_number(1, 65_535),
        metavar="N",
        help="default: AIP_HTTP_PORT, the local deployer's port, or 8080",
    )


def _serving_options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ("package", "model_version", "host", "port")}


JOBS = {
    "training": Job("learn a model, judge it, record it", _no_arguments, _no_options, "training.job"),
    "inference": Job(
        "predict a batch of rows",
        _inference_arguments,
        _inference_options,
        "inference.job",
    ),
    "monitoring": Job(
        "judge a window of what was served", _monitoring_arguments, _monitoring_options, "monitoring.job"
    ),
    "retraining": Job(
        "decide whether to retrain, and do it", _retraining_arguments, _retraining_options, "retraining.job"
    ),
    "serving": Job("serve predictions over HTTP", _serving_arguments, _serving_options, "serving.server"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the jobs and their arguments."""
    jobs = parser.add_subparsers(title="jobs", dest="job", metavar="JOB", required=True)
    for name, job in JOBS.items():
        sub = jobs.add_parser(
            name,
            help=job.summary,
            description=f"{job.summary[0].upper()}{job.summary[1:]}.",
            allow_abbrev=False,
        )
        add_job_arguments(sub)
        job.add_arguments(sub)


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Which configuration is obeyed, and where things are kept: the same for every job."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--config", type=Path, metavar="FILE", help="one of the four files; the others lie beside it"
    )
    which.add_argument("-e", "--environment", metavar="NAME", help="in a checkout: the environment's files")
    add_checkout_arguments(parser)
    add_ledger_store_argument(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the job and prints what came of it."""
    job = JOBS[arguments.job]

    def work() -> Outcome:
        with job_context(arguments.job, arguments) as context:
            module = import_module(f"mlops_config.runtime.{job.module}")
            outcome: Outcome = module.run(context, **job.options(arguments))
        return outcome

    return tell(arguments.format, work)


@contextmanager
def job_context(name: str, arguments: argparse.Namespace) -> "Iterator[JobContext]":
    """The context of a job on the configuration that the arguments name.

    Raises:
        UsageError: the packages that jobs need are not installed.
    """
    from mlops_config.console import TerminalConsole

    with with_jobs(name):
        from mlops_config.runtime.opening import Request
        from mlops_config.runtime.watching import watched

        request = Request(
            config=arguments.config,
            environment=arguments.environment,
            root=arguments.root,
            settings=arguments.settings,
            store=arguments.store,
        )
        with explained(), watched(name, request, TerminalConsole()) as context:
            yield context


def _window(text: str) -> tuple[datetime, datetime]:
    """Start and end, both with a time zone, the end exclusive."""
    try:
        start, end = (datetime.fromisoformat(part) for part in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not START/END in ISO-8601") from None
    if start.tzinfo is None or end.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone: write Z for UTC")
    if start >= end:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it starts")
    return start, end
