"""``mlops-config promote``: the challenger becomes the champion, and the endpoint serves it."""

import argparse
from typing import TYPE_CHECKING

from mlops_config.cli.arguments import whole_number
from mlops_config.cli.outcomes import Outcome, tell
from mlops_config.cli.run import add_job_arguments, job_context

if TYPE_CHECKING:
    from mlops_config.runtime.context import JobContext

NAME = "promote"
SUMMARY = "make the waiting challenger the champion, and deploy it"
DESCRIPTION = """\
What `promotion: {mode: manual}` waits for: deploys the challenger as the inference file says, moves the
champion's alias once it serves, and writes both into the ledger. If it does not come up, or fails its smoke
test, the champion serves as before and the exit code is 1. With --if-allowed it promotes what needs nobody's
approval, and says why it did not otherwise."""
EXAMPLES = """\
  mlops-config promote --environment dev
  mlops-config promote --environment prod --version 7 --because "approved in CHG-1042"
  mlops-config promote --environment dev --if-allowed        the first model, or one that is no worse
  mlops-config promote --environment dev --redeploy          the champion, under the present configuration
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_job_arguments(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--version", type=whole_number(1), metavar="N", help="this version instead of the waiting challenger"
    )
    what.add_argument(
        "--if-allowed",
        action="store_true",
        help="only if nobody has to approve it: there is no champion yet and that is accepted, or"
        " promotion.mode is automatic and it is no worse than the champion; else exit 0 with the reason",
    )
    what.add_argument(
        "--redeploy",
        action="store_true",
        help="deploy the champion again, for a release that changes what it serves with and not the model",
    )
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="on a cloud: start what can be started and say how far it is; asked again it goes on",
    )
    parser.add_argument("--because", metavar="WHY", help="who approved it and why; goes into the ledger")


def run(arguments: argparse.Namespace) -> int:
    """Promotes and prints what serves now."""

    def work() -> Outcome:
        with job_context("promotion", arguments) as context:
            return _promoted(context, arguments)

    return tell(arguments.format, work)


def _promoted(context: "JobContext", arguments: argparse.Namespace) -> Outcome:
    from mlops_config.ledger.entries import Reason
    from mlops_config.runtime.retraining.allowing import promote_if_allowed
    from mlops_config.runtime.retraining.promoting import promote, redeploy, waiting

    wait = not arguments.no_wait
    if arguments.if_allowed:
        return promote_if_allowed(context, wait=wait)
    if arguments.redeploy:
        return redeploy(context, wait=wait)
    version = waiting(context, arguments.version)
    why = Reason(code="approved", text=arguments.because or "promoted by hand")
    return promote(context, version, (why,), wait=wait)
