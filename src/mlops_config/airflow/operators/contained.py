"""What is the same in a container and in a pod: the image by digest, its folders, and who may do what."""

import math
from typing import Any

from jinja2 import pass_context

from mlops_config.airflow.operators.process import GRACE_SECONDS
from mlops_config.airflow.operators.work import CONFIG_DIR, VERIFY, JobTask, Verification, image_of, script_of

SCRATCH = ("/app/.mlops-config", "/app/build")
"""Where the runtime image writes; all else of it is read-only."""
STOP_SECONDS = GRACE_SECONDS


class ContainedTask(JobTask):
    """A job in the environment's image."""

    def shown_command(self) -> list[str]:
        """The command as templates, for Airflow's pages; a run's own arguments come after it."""
        fixed = ["python", *script_of(self.words), "--config", "{{ task.config() }}"]
        return [*fixed, "--format", "jsonl"]

    @pass_context
    def config(self, context: Any) -> str:
        """For the template: the job's own file, in the image."""
        return f"{self.pin(context).config_dir}/{self.config_name}"

    @pass_context
    def image_name(self, context: Any) -> str:
        """For the template: the image by digest.

        Raises:
            AirflowFailException: the deployment has none.
        """
        return image_of(self.pin(context), self.deployment)


class ContainedVerification(Verification, ContainedTask):
    """Proves the configuration that is in the image."""

    def shown_command(self) -> list[str]:
        """``mlops-config verify`` of the folder in the image."""
        proof = ["--bundle", CONFIG_DIR, "--digest", self.deployment.config_digest]
        return ["python", "-m", "mlops_config", VERIFY, *proof]


def threads(cpus: float) -> str:
    """As many as the container's share has processors: libraries count the machine's."""
    return str(max(1, math.ceil(cpus)))
