"""A job on Airflow's worker: the very command a person would type, in a shell."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from jinja2 import pass_context

from mlops_config.airflow.operators.process import JobProcess, bash
from mlops_config.airflow.operators.work import (
    VERIFY,
    Arguments,
    Context,
    JobTask,
    Verification,
    outcome_in,
    script_of,
    task_options,
)
from mlops_config.airflow.surroundings import masked, secrets_in
from mlops_config.orchestration.deployment import Deployment

_AIRFLOWS_OWN = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "_AIRFLOW_")
"""Beginnings of Airflow's own settings and connections: no job's business."""


class BashJob(JobTask, BashOperator):  # type: ignore[misc]  # Airflow has no types here
    """A job, in the interpreter and folder that the environment's surroundings name.

    ``bash_command`` is a template that the pin is put into when the task runs; all that comes from a run's
    parameters is quoted. The job's environment is nowhere rendered.
    """

    template_fields: Sequence[str] = ("bash_command",)
    # No field is a file's name, whatever it ends with.
    template_ext: Sequence[str] = ()

    def __init__(
        self,
        *,
        deployment: Deployment,
        job: str,
        words: Sequence[str],
        arguments: Arguments = (),
        part: Any = None,
        on_outcome: Callable[[Mapping[str, Any], Any], None] | None = None,
        **options: Any,
    ) -> None:
        self.describe(deployment, job, words, arguments, part, on_outcome)
        super().__init__(bash_command=self.template(), **{**task_options(deployment, job), **options})
        self._process: JobProcess | None = None

    def template(self) -> str:
        """The command, with the run's own in braces."""
        script = shlex.join(script_of(self.words))
        command = f"{script} --config {{{{ task.config() }}}} --format jsonl"
        return f"{{{{ task.interpreter() }}}} {command}{{{{ task.more() }}}}"

    def interpreter(self) -> str:
        """For the template: the Python that has the jobs, quoted."""
        return shlex.quote(self.surroundings().python)

    @pass_context
    def config(self, context: Any) -> str:
        """For the template: the job's own file, quoted."""
        return shlex.quote(f"{self.pin(context).config_dir}/{self.config_name}")

    @pass_context
    def more(self, context: Any) -> str:
        """For the template: the words after it, each quoted."""
        root = self.surroundings().root
        words = self.own_words(context.parent, ["--root", root] if root else [])
        return "".join(f" {shlex.quote(word)}" for word in words)

    def execute(self, context: Any) -> Any:
        """Runs the job; its outcome is the task's XCom."""
        surroundings, pin = self.surroundings(), self.pin(context)
        folder = surroundings.entrypoints
        if not Path(folder).is_dir():
            raise AirflowFailException(
                f"there is no folder {folder} on this worker, where the jobs of"
                f' {self.deployment.environment} are to run: write "entrypoints" in its Connection\'s extra'
            )
        secrets = secrets_in(surroundings.variables)
        self._process = JobProcess(
            self.log, masked=lambda line: masked(line, secrets), orphaned=_orphaned(os.getppid())
        )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_AIRFLOWS_OWN)},
            **self.variables(pin, context, surroundings),
        }
        self.log.info("Running in %s: %s", folder, self.bash_command)
        ended = self._process.run([bash(), "-c", str(self.bash_command)], environment, folder)
        if ended.exit_code != 0:
            self.failed(ended.exit_code, ended.sentence or ended.last_line)
        return self.concluded(outcome_in(ended.last_line), pin, context)

    def on_kill(self) -> None:
        """The task was ended or took too long: so does the job, and all that it started."""
        if self._process is not None:
            self._process.stop()


class BashVerification(Verification, BashJob):
    """Proves the bundle beside the deployment's file."""

    def template(self) -> str:
        """``mlops-config verify`` of the folder."""
        proof = "--bundle {{ task.folder() }} --digest {{ task.digest() }}"
        return f"{{{{ task.interpreter() }}}} -m mlops_config {VERIFY} {proof}"

    @pass_context
    def folder(self, context: Any) -> str:
        """For the template: the bundle's folder, quoted."""
        return shlex.quote(self.config_dir(context))

    def digest(self) -> str:
        """For the template: what the digest must be, quoted."""
        return shlex.quote(self.deployment.config_digest)

    def config_dir(self, context: Context) -> str:
        """The bundle's folder, as this worker has it."""
        from mlops_config.airflow.deployments import bundle_of, folder_of

        return str(bundle_of(self.deployment, folder_of(context["dag"].fileloc)).absolute())


def _orphaned(parent: int) -> Callable[[], bool]:
    """Whether the supervisor that started this task has ended; in ``dag.test()`` there is none."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    supervised = isinstance(getattr(task_runner, "SUPERVISOR_COMMS", None), CommsDecoder)
    return lambda: supervised and os.getppid() != parent
