"""Ctrl-C while an engine builds or pushes: the process ends at once and nothing half-made stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from tests.image.making import COMMIT, SHIPPED_DOCKERFILE, names, own_bundle, traces
from tests.image.test_image_push_rules import digest_of
from tests.services import unavailable
from tests.services.flaky_proxy import Stall, flaky_proxy
from tests.services.registry import Registry

from mlops_config.bundle.bundle import Bundle

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 60

JOB = """
import sys
from pathlib import Path
from mlops_config.bundle.bundle import Bundle
from mlops_config.image import engine
from mlops_config.kinds import Kind
from tests.image.making import a_bundle, a_spec

def say(line):
    print(line, flush=True)

verb, project, repository, building, base, dockerfile = sys.argv[1:]
engine.BUILD_NAME = building
builder = engine.connect(say)
spec = a_spec(a_bundle("prod", project), repository, base=base, dockerfile=Path(dockerfile))
record = builder.build(spec, say)
if verb == "push":
    builder.push(record, say)
"""


@contextmanager
def running(
    verb: str, bundle: Bundle, repository: str, base: str, dockerfile: Path
) -> "Iterator[subprocess.Popen[str]]":
    """The job as a process of its own, stopped in any case."""
    building = f"{repository.rpartition('/')[2]}-building"
    arguments = [verb, bundle.project, repository, building, base, str(dockerfile)]
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ.copy(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_line(process: "subprocess.Popen[str]", part: str) -> None:
    for line in process.stdout or ():
        if part in line:
            return
    pytest.fail(f"the job ended without saying {part!r}: {process.stderr.read() if process.stderr else ''}")


def until(holds: Callable[[], bool], what: str) -> None:
    """Returns as soon as it holds: an engine takes a moment to stop what its caller gave up."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"still not so after {LIMIT_SECONDS} s: {what}")
        time.sleep(0.05)


@pytest.mark.parametrize("switch", ["0", "1"], ids=["classic", "buildx"])
def test_ctrl_c_in_a_build_stops_the_engine_too_and_leaves_nothing(
    engine: docker.DockerClient,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    busybox: str,
    image_name: str,
    tmp_path: Path,
    switch: str,
) -> None:
    if not Path("/proc/self/cmdline").exists():
        unavailable("the engine's processes cannot be seen from here")
    if switch == "1":
        request.getfixturevalue("buildx")
    monkeypatch.setenv("DOCKER_BUILDKIT", switch)
    bundle = own_bundle()
    sleeping = f"sleep 300; echo {bundle.project}"
    own = tmp_path / "Dockerfile"
    own.write_text(f"{SHIPPED_DOCKERFILE.read_text()}\nRUN {sleeping}\n")

    def is_building() -> bool:
        return bool(sleepers(bundle.project))

    with running("build", bundle, image_name, busybox, own) as job:
        wait_for_line(job, f"RUN {sleeping}")
        until(is_building, "the engine runs the step")
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=LIMIT_SECONDS)
        assert job.returncode == -signal.SIGINT
    assert names(engine, image_name) == []
    assert traces(engine, bundle) == []
    until(lambda: not is_building(), "the engine stopped the step")
    until(lambda: not containers(engine, bundle.project), "the step's container is gone")


def containers(engine: docker.DockerClient, word: str) -> list[str]:
    listed = engine.api.containers(all=True, trunc=False)
    return [container["Id"] for container in listed if word in container["Command"]]


def sleepers(word: str) -> list[str]:
    """Processes of this machine that run a build step with ``word`` in it, but for the tests' own."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[:2] == [b"/bin/sh", b"-c"] and word.encode() in command[2]:
            found.append(entry.name)
    return found


def test_ctrl_c_in_a_push_leaves_no_tag_and_the_next_push_finishes_it(
    engine: docker.DockerClient,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    busybox: str,
    image_name: str,
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    bundle = own_bundle()
    with flaky_proxy(registry.host) as proxy:
        repository = f"{proxy.host}/{image_name}"
        stall = Stall()
        proxy.fail(stall, times=99, when=lambda method, _: method == "POST")
        with running("push", bundle, repository, busybox, SHIPPED_DOCKERFILE) as job:
            until(stall.reached.is_set, "the engine began to upload")
            job.send_signal(signal.SIGINT)
            job.communicate(timeout=LIMIT_SECONDS)
            assert job.returncode == -signal.SIGINT
        stall.release.set()
        assert digest_of(f"{registry.host}/{image_name}", COMMIT) is None
    # The image is proven and stays, so nothing has to be built for the next push.
    assert names(engine, image_name) == [f"{repository}:{COMMIT}"]
    direct = f"{registry.host}/{image_name}"
    with running("push", bundle, direct, busybox, SHIPPED_DOCKERFILE) as job:
        _, complaint = job.communicate(timeout=LIMIT_SECONDS)
        assert job.returncode == 0, complaint
    assert digest_of(direct, COMMIT)
