"""``mlops-config undeploy``: the environment's endpoint is removed, with all that was started for it."""

import argparse
import sys

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


def run(arguments: argparse.Namespace) -> int:
    """Removes the endpoint and says so; without one there is nothing to do."""
    with job_context("undeployment", arguments) as context:
        from mlops_config.runtime.retraining.deploying import undeploy

        name, removed = undeploy(context)
    sys.stdout.write(f"{name} is removed\n" if removed else f"there is no endpoint {name}\n")
    return 0
