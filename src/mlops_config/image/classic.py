"""Builds with the engine's classic builder, for clients that have no buildx."""

import io
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from mlops_config.errors import ServiceError
from mlops_config.image.buildx import LOG_LINES, BuildRequest
from mlops_config.image.connection import Engine, engine_failure
from mlops_config.image.interface import Progress

_STOP_SECONDS = 10
_CONFLICT = 409
_STEP = re.compile(r"Step \d+/\d+ : (?P<instruction>\w+)")
_PLAIN = re.compile(r"[\w./-]+=[\w ./:@+,=()-]*", re.ASCII)
"""A label without quote, backslash, dollar or line end: a Dockerfile reads it as nothing but itself."""
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_IMAGE = re.compile(r"---> (?P<id>[0-9a-f]{12})")


@contextmanager
def built_by_engine(engine: Engine, request: BuildRequest, progress: Progress) -> Iterator[None]:
    """Inside, the engine has the image under ``request.tag``; a failure before or inside leaves nothing.

    Raises:
        ServiceError: the build failed; the message holds the end of its log.
    """
    steps = _Steps()
    context, labels = _labelled(request)
    try:
        with engine.calls("docker build"):
            events: Iterator[Mapping[str, Any]] = engine.client.api.build(
                fileobj=io.BytesIO(context),
                custom_context=True,
                tag=request.tag,
                buildargs=dict(request.arguments),
                labels=labels,
                platform=request.platform,
                rm=True,
                forcerm=True,
                decode=True,
            )
            for event in events:
                _follow(event, steps, progress)
        yield
    except BaseException:
        # What failed is on its way up: an engine that went away meanwhile must not hide it.
        with suppress(ServiceError):
            _discard(engine, steps.made)
        raise


def _discard(engine: Engine, images: list[str]) -> None:
    """Removes what a build made, newest first.

    The newest is in use until the engine has stopped the step that was running on it.
    """
    from docker.errors import APIError, NotFound

    deadline = time.monotonic() + _STOP_SECONDS
    for image in reversed(images):
        while True:
            with engine.calls(f"removing {image}"):
                try:
                    engine.client.api.remove_image(image, noprune=True)
                except NotFound:
                    pass
                except APIError as error:
                    if error.status_code == _CONFLICT and time.monotonic() < deadline:
                        time.sleep(0.1)
                        continue
                    raise
            break


def _labelled(request: BuildRequest) -> tuple[bytes, dict[str, str]]:
    """The context with the labels in one instruction, and those that need the builder's own way.

    That way costs a step and an image for each label. A plain value means the same in a Dockerfile.
    """
    plain = {key: value for key, value in request.labels.items() if _PLAIN.fullmatch(f"{key}={value}")}
    if not plain:
        return request.context(), dict(request.labels)
    instruction = "LABEL " + " ".join(f'{key}="{value}"' for key, value in sorted(plain.items()))
    others = {key: value for key, value in request.labels.items() if key not in plain}
    return request.context(f"\n{instruction}\n".encode()), others


class _Steps:
    """What the build's log told so far."""

    def __init__(self) -> None:
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.made: list[str] = []
        """Short IDs of the images this build made itself, oldest first."""
        self._instruction = ""
        self._cached = False

    def add(self, line: str, progress: Progress) -> None:
        """Takes one line of the log and shows it, unless it is the builder's bookkeeping."""
        if not line.startswith(("--->", "Removing intermediate container")):
            self.log.append(line)
            progress(line)
        step = _STEP.match(line)
        if step:
            self._instruction, self._cached = step["instruction"].upper(), False
        elif line == "---> Using cache":
            self._cached = True
        elif (image := _IMAGE.fullmatch(line)) and self._instruction != "FROM" and not self._cached:
            self.made.append(image["id"])


def _follow(event: Mapping[str, Any], steps: _Steps, progress: Progress) -> None:
    if "error" in event:
        raise engine_failure("docker build", str(event["error"]), list(steps.log))
    for line in str(event.get("stream") or event.get("status") or "").splitlines():
        if step := _COLOR.sub("", line).strip():
            steps.add(step, progress)
