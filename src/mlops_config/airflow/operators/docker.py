"""A job in the environment's image on the worker's Docker engine: by digest, read-only, without a shell."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.providers.docker.operators.docker import DockerOperator
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import Mount

from mlops_config.airflow.operators.contained import (
    SCRATCH,
    STOP_SECONDS,
    ContainedTask,
    ContainedVerification,
    threads,
)
from mlops_config.airflow.operators.process import Lines
from mlops_config.airflow.operators.work import (
    Arguments,
    Context,
    image_of,
    outcome_in,
    task_options,
)
from mlops_config.airflow.surroundings import Surroundings, masked, secrets_in
from mlops_config.orchestration.deployment import Deployment

LABEL = "io.mlops-config"
_LOOK_SECONDS = 2.0
_SILENT_LOOKS = 2
"""Looks at a container that has ended without anything more of its output."""
_Chunk = tuple[bytes | None, bytes | None]
"""Of standard output and of standard error."""
_OUT_OF_MEMORY = "it needed more memory than execution.memory_gib allows"


class DockerJob(ContainedTask, DockerOperator):  # type: ignore[misc]  # Airflow has no types here
    """A job in a container that ends with its task.

    The container has no capability, no writable file but its scratch folders and what the surroundings mount,
    and the environment variables that nobody but the engine's own users can read.
    """

    template_fields: Sequence[str] = ("image", "command")
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
        given = {
            "image": "{{ task.image_name() }}",
            "command": self.shown_command(),
            "network_mode": deployment.jobs[job].execution.get("network_mode", "bridge"),
            "auto_remove": "force",
            "mount_tmp_dir": False,
            **task_options(deployment, job),
        }
        super().__init__(**{**given, **options})
        self._killed = False

    def execute(self, context: Any) -> Any:
        """Runs the job; its outcome is the task's XCom."""
        surroundings, pin = self.surroundings(), self.pin(context)
        self.image, self.command = image_of(pin, self.deployment), self.argv(pin, context)
        if surroundings.docker_url:
            self.docker_url = surroundings.docker_url
        if surroundings.docker_conn_id:
            self.docker_conn_id = surroundings.docker_conn_id
        self._pull()
        labels = self._labels(context)
        self._remove_earlier(labels)
        self.container = self.cli.create_container(
            image=self.image,
            command=self.command,
            environment={**self._threads(), **self.variables(pin, context, surroundings)},
            labels=labels,
            host_config=self.cli.create_host_config(**self._host(surroundings)),
        )
        secrets = secrets_in(surroundings.variables)
        try:
            exit_code, output, errors = self._run(lambda line: masked(line, secrets))
        except Exception:
            self._remove()
            raise
        # Without this for what is no Exception: a task out of time stops its container before it is removed.
        self._remove()
        if exit_code != 0:
            self.failed(exit_code, errors.sentence or output.sentence)
        return self.concluded(outcome_in(output.last_line), pin, context)

    def on_kill(self) -> None:
        """The task was ended or took too long: so does the container, after a time to write its end."""
        if self.container is None:
            return
        self._killed = True
        self.log.info("Ending the job: it gets SIGTERM, and %d s to write its end", STOP_SECONDS)
        with suppress(NotFound):
            self.cli.stop(self.container["Id"], timeout=STOP_SECONDS)
        self._remove()

    def _run(self, masking: Callable[[str], str]) -> tuple[int, Lines, Lines]:
        """The job's exit code, and what it wrote to standard output and standard error."""
        container = self.container["Id"]
        output, errors = Lines(self.log, masking), Lines(self.log, masking)
        stream = self.cli.attach(container, stdout=True, stderr=True, stream=True, demux=True)
        self.log.info("Running in %s: %s", self.image, self.command)
        self.cli.start(container)
        for out, err in self._chunks(stream):
            output.feed(out or b"")
            errors.feed(err or b"")
        output.finish()
        errors.finish()
        try:
            exit_code = int(self.cli.wait(container)["StatusCode"])
            if self.cli.inspect_container(container)["State"]["OOMKilled"]:
                raise AirflowException(f"{self.task_id} was ended: {_OUT_OF_MEMORY}")
        except NotFound:
            raise AirflowException(f"{self.task_id}: its container was ended and removed") from None
        return exit_code, output, errors

    def _chunks(self, stream: Iterable[_Chunk]) -> Iterator[_Chunk]:
        """The stream's chunks until it or the container ends: engines leave the stream of a container open
        that was ended and removed at the wrong moment, and so nobody waits for its end alone.
        """
        chunks: SimpleQueue[_Chunk | Exception | None] = SimpleQueue()

        def read() -> None:
            try:
                for chunk in stream:
                    chunks.put(chunk)
                chunks.put(None)
            except Exception as error:  # noqa: BLE001 raised where the task is
                chunks.put(error)

        Thread(target=read, daemon=True).start()
        silent = 0
        while silent < _SILENT_LOOKS:
            try:
                chunk = chunks.get(timeout=_LOOK_SECONDS)
            except Empty:
                silent = 0 if self._is_running() else silent + 1
                continue
            if isinstance(chunk, Exception):
                raise chunk
            if chunk is None:
                return
            yield chunk

    def _is_running(self) -> bool:
        try:
            return bool(self.cli.inspect_container(self.container["Id"])["State"]["Running"])
        except NotFound:
            return False

    def _pull(self) -> None:
        """Pulls the image where the engine does not have these very bytes."""
        try:
            self.cli.inspect_image(self.image)
        except ImageNotFound:
            self.log.info("Pulling %s", self.image)
            for answer in self.cli.pull(self.image, stream=True, decode=True):
                if error := answer.get("error"):
                    raise AirflowException(f"{self.image} cannot be pulled: {error}") from None

    def _labels(self, context: Context) -> dict[str, str]:
        """What tells this task's containers from every other task's; the same for each try."""
        deployment = self.deployment
        return {
            f"{LABEL}.project": deployment.project,
            f"{LABEL}.environment": deployment.environment,
            f"{LABEL}.dag-run": f"{context['dag'].dag_id}/{context['run_id']}",
            f"{LABEL}.task": f"{self.task_id}/{context['ti'].map_index}",
        }

    def _remove_earlier(self, labels: Mapping[str, str]) -> None:
        """Ends what an earlier try left running because its worker was killed: nothing is done twice."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        for found in self.cli.containers(all=True, filters={"label": wanted}):
            self.log.warning("Ending the container %s of an earlier try", found["Id"][:12])
            with suppress(NotFound):
                self.cli.stop(found["Id"], timeout=STOP_SECONDS)
            with suppress(NotFound, APIError):
                self.cli.remove_container(found["Id"], v=True, force=True)

    def _remove(self) -> None:
        try:
            self.cli.remove_container(self.container["Id"], v=True, force=True)
        except NotFound:
            pass
        except APIError as error:
            self.log.warning("The container could not be removed: %s", error)

    def _host(self, surroundings: Surroundings) -> dict[str, Any]:
        """What the engine allows the container."""
        given = self.deployment.jobs[self.job].execution
        mounts = [Mount(**mount) for mount in surroundings.mounts]
        taken = {mount["Target"] for mount in mounts}
        # Scratch that nobody mounts is an empty volume, which goes with the container.
        mounts += [Mount(folder, None) for folder in SCRATCH if folder not in taken]
        limits: dict[str, Any] = {}
        if given.get("memory_gib"):
            most = int(given["memory_gib"] * 2**30)
            limits |= {"mem_limit": most, "memswap_limit": most}
        if given.get("cpus"):
            limits["nano_cpus"] = int(given["cpus"] * 1e9)
        return {
            "network_mode": self.network_mode,
            "mounts": mounts,
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            **limits,
        }

    def _threads(self) -> dict[str, str]:
        cpus = self.deployment.jobs[self.job].execution.get("cpus")
        return {"OMP_NUM_THREADS": threads(cpus)} if cpus else {}


class DockerVerification(ContainedVerification, DockerJob):
    """Proves the configuration in the image."""
