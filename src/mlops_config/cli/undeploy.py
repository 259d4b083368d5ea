"""``mlops-config undeploy``: the environment's endpoint is removed, with all that was started for it."""

import argparse
from typing import Any, NamedTuple

from mlops_config.cli.outcomes import Outcome, tell
from mlops_config.cli.run import add_job_arguments, job_context

NAME = "undeploy"
SUMMARY = "remove the endpoint and what was started for it"
DESCRIPTION = """\
Ends the model server that `promote` or a retraining deployed, on this machine or on the cloud that the
inference file names. Models, their aliases and the ledger stay; `promote` deploys again."""
EXAMPLES = """\
  mlops-config undeploy --environment dev
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_job_arguments(parser)


class _Undeployment(NamedTuple):
    endpoint: str
    removed: bool

    @property
    def summary(self) -> str:
        return f"{self.endpoint} is removed" if self.removed else f"there is no endpoint {self.endpoint}"

    def document(self) -> dict[str, Any]:
        return self._asdict()


def run(arguments: argparse.Namespace) -> int:
    """Removes the endpoint and says so; without one there is nothing to do."""

    def work() -> Outcome:
        with job_context("undeployment", arguments) as context:
            from mlops_config.runtime.retraining.deploying import undeploy

            return _Undeployment(*undeploy(context))

    return tell(arguments.format, work)
