"""Builds with BuildKit, through the docker command's buildx plug-in."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mlops_config.bundle.bundle import Bundle
from mlops_config.image.connection import Engine, engine_failure
from mlops_config.image.context import build_context
from mlops_config.image.interface import Progress

LOG_LINES = 20
"""How much of the end of a failed build's log is shown."""

_VERSION_SECONDS = 30
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build, whichever program carries it out."""

    bundle: Bundle
    dockerfile: bytes
    tag: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    platform: str | None
    """``None``: the engine's own."""

    def context(self, more: bytes = b"") -> bytes:
        """The build context, ``more`` put at the end of its Dockerfile."""
        return build_context(self.bundle, self.dockerfile + more)


def find_buildx() -> str | None:
    """The docker command if it has buildx; ``None`` without, or where ``DOCKER_BUILDKIT=0`` says not to."""
    program = shutil.which("docker")
    if program is None or os.environ.get("DOCKER_BUILDKIT") == "0":
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the docker command, with fixed arguments
            [program, "buildx", "version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if answer.returncode == 0 else None


@contextmanager
def built_by_buildx(
    program: str, engine: Engine, request: BuildRequest, progress: Progress
) -> Iterator[None]:
    """Inside, the engine has the image under ``request.tag``.

    The builder is the engine itself, never a container's: only so are local base images seen, and the image
    needs no second copy.

    Raises:
        ServiceError: the build failed; the message holds the end of its log.
    """
    command = [program, "buildx", "build", "--builder", engine.context, "--load", "--progress", "plain"]
    command += ["--tag", request.tag, "--file", "Dockerfile"]
    command += ["--platform", request.platform] if request.platform else []
    for option, pairs in (("--build-arg", request.arguments), ("--label", request.labels)):
        for name, value in pairs.items():
            command += [option, f"{name}={value}"]
    # An attestation would turn the image into an index, whose digest differs from build to build.
    environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    log: deque[str] = deque(maxlen=LOG_LINES)
    with tempfile.TemporaryFile() as context:
        context.write(request.context())
        context.seek(0)
        process = subprocess.Popen(  # noqa: S603 - a list, no shell
            [*command, "-"],
            stdin=context,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own: see _end
        )
    try:
        for line in process.stdout or ():
            step = line.strip()
            if step.startswith("#"):
                step = step.partition(" ")[2]
            if step:
                log.append(step)
                progress(step)
        code = process.wait()
    finally:
        _stop(process)
    if code != 0:
        raise engine_failure("docker buildx build", f"exit code {code}", list(log))
    yield


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        _end(process, kill=False)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _end(process, kill=True)
            process.wait()
    if process.stdout:
        process.stdout.close()


def _end(process: "subprocess.Popen[str]", *, kill: bool) -> None:
    """Ends the docker command and the buildx it runs: Debian 12's dies without telling its child."""
    if sys.platform == "win32":
        process.terminate()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
