"""``mlops-config promote``: the challenger becomes the champion, and the endpoint serves it."""

import argparse

from mlops_config.cli.outcomes import Outcome, tell
from mlops_config.cli.run import add_job_arguments, job_context

NAME = "promote"
SUMMARY = "make the waiting challenger the champion, and deploy it"
DESCRIPTION = """\
What `promotion: {mode: manual}` waits for: deploys the challenger as the inference file says, moves the
champion's alias once it serves, and writes both into the ledger. If it does not come up, or fails its smoke
test, the champion serves as before and the exit code is 1."""
EXAMPLES = """\
  mlops-config promote --environment dev
  mlops-config promote --environment prod --version 7 --because "approved in CHG-1042"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_job_arguments(parser)
    parser.add_argument(
        "--version", type=int, metavar="N", help="this version instead of the waiting challenger"
    )
    parser.add_argument("--because", metavar="WHY", help="who approved it and why; goes into the ledger")


def run(arguments: argparse.Namespace) -> int:
    """Promotes and prints what serves now."""

    def work() -> Outcome:
        with job_context("promotion", arguments) as context:
            from mlops_config.ledger.entries import Reason
            from mlops_config.runtime.retraining.promoting import promote, waiting

            version = waiting(context, arguments.version)
            why = Reason(code="approved", text=arguments.because or "promoted by hand")
            return promote(context, version, (why,))

    return tell(arguments.format, work)
