"""Builds with the engine's classic builder, for clients that have no buildx."""

import io
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from mlops_config.image.buildx import LOG_LINES, BuildRequest
from mlops_config.image.connection import Engine, engine_errors, engine_failure
from mlops_config.image.interface import Progress

_STEP = re.compile(r"Step \d+/\d+ : (?P<instruction>\w+)")
_IMAGE = re.compile(r"---> (?P<id>[0-9a-f]{12})")


def build_with_engine(engine: Engine, request: BuildRequest, progress: Progress) -> None:
    """Leaves the image in the engine under ``request.tag``; a build that fails leaves nothing.

    Raises:
        ServiceError: the build failed; the message holds the end of its log.
    """
    steps = _Steps()
    done = False
    try:
        with engine_errors("docker build"):
            events: Iterator[Mapping[str, Any]] = engine.client.api.build(
                fileobj=io.BytesIO(request.context),
                custom_context=True,
                tag=request.tag,
                buildargs=dict(request.arguments),
                labels=dict(request.labels),
                platform=request.platform,
                rm=True,
                forcerm=True,
                decode=True,
            )
            for event in events:
                _follow(event, steps, progress)
        done = True
    finally:
        if not done:
            _remove(engine, steps.made)


class _Steps:
    """What the build's log told so far."""

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.made: list[str] = []
        """Short IDs of the images this build made itself, oldest first."""
        self._instruction = ""
        self._cached = False

    def add(self, line: str) -> None:
        """Takes one line of the log."""
        self.log.append(line)
        step = _STEP.match(line)
        if step:
            self._instruction, self._cached = step["instruction"].upper(), False
        elif line == "---> Using cache":
            self._cached = True
        elif (image := _IMAGE.fullmatch(line)) and self._instruction != "FROM" and not self._cached:
            self.made.append(image["id"])


def _follow(event: Mapping[str, Any], steps: _Steps, progress: Progress) -> None:
    # A request the engine refuses outright comes back as a message, a step that fails as an error.
    wrong = event.get("error") or event.get("message")
    if wrong:
        raise engine_failure("docker build", str(wrong), list(steps.log))
    for line in str(event.get("stream") or event.get("status") or "").splitlines():
        if step := line.strip():
            steps.add(step)
            if not step.startswith(("--->", "Removing intermediate container")):
                progress(step)


def _remove(engine: Engine, images: list[str]) -> None:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    for image in reversed(images):
        try:
            engine.client.api.remove_image(image, noprune=True)
        except (DockerException, RequestException):
            # Gone already, or the engine went away: the failure to report is the one on its way.
            continue
