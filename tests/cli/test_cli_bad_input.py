"""Whatever is wrong, the command ends with a sentence, what to do next, and the right exit code."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import NO_ENGINE, Command
from tests.repositories import Repository
from tests.services import s3
from tests.services.registry import password_auth, running_registry

from mlops_config.cli import main
from mlops_config.retrying import Retries

Prepare = Callable[[Repository], object]


def config(repository: Repository) -> Path:
    return repository.config("prod", "training")


SITUATIONS: dict[str, tuple[Prepare, list[str], int, tuple[str, ...]]] = {
    "no configuration folder": (
        lambda r: shutil.rmtree(r.folder / "configs"),
        ["validate"],
        1,
        ("there is no configuration folder configs",),
    ),
    "a root that is not there": (
        lambda _: None,
        ["validate", "--root", "none"],
        2,
        ("there is no folder none",),
    ),
    "an empty file": (lambda r: config(r).write_bytes(b""), ["validate"], 1, ("holds nothing",)),
    "a binary file": (
        lambda r: config(r).write_bytes(b"\x7fELF\xff\xfe\x00"),
        ["validate"],
        1,
        ("the file is not text",),
    ),
    "a file of a gigabyte": (lambda r: os.truncate(config(r), 1 << 30), ["validate"], 1, ("256 KiB",)),
    "a link out of the repository": (
        lambda r: (config(r).unlink(), config(r).symlink_to("/etc/hostname")),
        ["validate"],
        1,
        ("prod_training_config.yaml",),
    ),
    "a folder outside the repository": (
        lambda _: None,
        ["validate", "../configs"],
        1,
        ("outside the repository",),
    ),
    "an unknown environment, before what is wrong with the others": (
        lambda r: config(r).write_bytes(b""),
        ["release", "--environment", "prd", "--dry-run"],
        2,
        ("there is no environment 'prd'", "did you mean prod? environments are dev, staging, prod"),
    ),
    "a bundle of an unknown environment": (
        lambda r: config(r).write_bytes(b""),
        ["bundle", "--environment", "life"],
        2,
        ("there is no environment 'life'", "hint: environments are dev, staging, prod"),
    ),
    "a ref that belongs to no environment": (
        lambda _: None,
        ["release", "--ref", "refs/heads/feature"],
        2,
        ("no environment belongs to refs/heads/feature", "--environment"),
    ),
    "a detached head": (
        lambda r: r.git("checkout", "--quiet", "--detach"),
        ["release"],
        2,
        ("HEAD is detached", "--environment"),
    ),
    "no git": (
        lambda r: shutil.rmtree(r.folder / ".git"),
        ["release", "--environment", "prod"],
        2,
        ("must come from a git commit",),
    ),
    "a dirty work tree": (
        lambda r: r.edit(config(r), "random_seed: ", "random_seed: 1"),
        ["release", "--environment", "prod"],
        2,
        ("configs/prod/prod_training_config.yaml", "commit or stash"),
    ),
    "findings in a release": (
        lambda r: r.edit(config(r), "random_seed: ", "random_sed: "),
        ["release", "--environment", "prod"],
        1,
        ("random_sed", "did you mean", "must be mended first"),
    ),
    "an unreachable S3": (
        lambda _: None,
        ["release", "--environment", "dev", "--store", "s3://none/x"],
        3,
        ("s3://none",),
    ),
    "an unreachable registry": (
        lambda _: None,
        ["release", "--environment", "dev", "--store", "oci://127.0.0.1:1/fares"],
        3,
        ("127.0.0.1:1",),
    ),
    "a store of an unknown kind": (
        lambda _: None,
        ["release", "--environment", "dev", "--store", "ftp://x/y"],
        2,
        ("ftp://", "file:///folder"),
    ),
    "a Dockerfile without an engine": (
        lambda r: (r.folder / "Dockerfile").write_text("FROM scratch\n"),
        ["build", "--environment", "dev", "--dockerfile", "Dockerfile"],
        2,
        ("needs a Docker engine",),
    ),
    "a record that is none": (
        lambda r: (r.folder / "release.json").write_text("{}"),
        ["verify", "--record", "release.json"],
        4,
        ("is not a release record",),
    ),
    "nothing to verify": (
        lambda _: None,
        ["verify", "--environment", "prod"],
        2,
        ("there is no release record", "'mlops-config build' and 'release' write one"),
    ),
    "publish before build": (
        lambda _: None,
        ["publish", "--environment", "dev"],
        2,
        ("run 'mlops-config build'",),
    ),
    "a folder for the archive": (
        lambda _: None,
        ["bundle", "--environment", "dev", "--output", "configs"],
        2,
        ("a folder where a file is meant (configs)", "name a file"),
    ),
    "a report in an unknown format": (
        lambda _: None,
        ["validate", "--report", "pdf=x"],
        2,
        ("formats: text",),
    ),
}


@pytest.fixture
def in_repository(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """The repository, and this process as one started there: a process for each sentence takes minutes."""
    monkeypatch.chdir(repository.folder)
    for name, value in {**NO_ENGINE, **s3.KEYS, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    # How long is waited between tries is shown in test_retrying.py.
    monkeypatch.setattr(Retries, "_wait", lambda *_: 0.0)
    before = signal.getsignal(signal.SIGTERM)
    yield repository
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_it_says_what_is_wrong_and_what_to_do(
    in_repository: Repository, capsys: pytest.CaptureFixture[str], situation: str
) -> None:
    prepare, arguments, code, fragments = SITUATIONS[situation]
    prepare(in_repository)
    try:
        ended: object = main(arguments)
    except SystemExit as stop:  # argparse
        ended = stop.code
    said = "".join(capsys.readouterr())
    assert ended == code, said
    assert "Traceback" not in said
    for fragment in fragments:
        assert fragment in said


def test_a_dirty_work_tree_is_marked_in_dev(
    in_repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    in_repository.edit(in_repository.config("dev", "training"), "random_seed: ", "random_seed: 1")
    assert main(["release", "--environment", "dev"]) == 0
    assert "-dirty-" in capsys.readouterr().out


def test_dev_is_released_without_git(in_repository: Repository) -> None:
    shutil.rmtree(in_repository.folder / ".git")
    assert main(["release", "--environment", "dev"]) == 0


def test_a_shallow_clone_releases_like_any_other(repository: Repository, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(shallow))
    finished = Command(shallow)("release", "--environment", "prod")
    assert finished.returncode == 0, finished.stderr


def test_a_bucket_that_is_not_there_is_said(command: Command, tmp_path: Path) -> None:
    with s3.running_s3(tmp_path / "s3") as endpoint:
        given = {name: value for name, value in s3.environment(endpoint).items() if value is not None}
        finished = command("release", "--environment", "dev", "--store", "s3://no-such-bucket/x", **given)
    assert finished.returncode == 3
    assert "no-such-bucket" in finished.stderr


def test_a_registry_that_refuses_the_credentials_is_said(command: Command, tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry", auth=password_auth(tmp_path)) as registry:
        store = f"oci://{registry.host}/fares"
        finished = command("release", "--environment", "dev", "--store", store)
    assert finished.returncode == 3
    assert registry.host in finished.stderr
    assert "docker login" in finished.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("left", [0, 24, 48])
def test_a_full_disk_is_said_and_leaves_no_half_release(
    command: Command, small_disk: Path, left: int
) -> None:
    (small_disk / "ballast").write_bytes(bytes((64 - left) * 1024 - 4096))
    finished = command("release", "--environment", "prod", "--output", str(small_disk / "out"))
    assert finished.returncode == 3, finished.stderr
    assert "full" in finished.stderr or "space" in finished.stderr
    assert not list(small_disk.rglob("current.json"))


@contextmanager
def silent_server(path: Path | None = None) -> Iterator[tuple[str, threading.Event]]:
    """A server that accepts and never answers; the event is set when somebody has spoken to it."""
    server = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
    server.bind(str(path) if path else ("127.0.0.1", 0))
    server.listen()
    spoken = threading.Event()
    connections = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            if connection.recv(1):
                spoken.set()

    threading.Thread(target=serve, daemon=True).start()
    yield (f"unix://{path}" if path else f"127.0.0.1:{server.getsockname()[1]}"), spoken
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for connection in connections:
        connection.close()


def interrupted(process: "subprocess.Popen[str]", spoken: threading.Event, number: int) -> str:
    """What the process says when it is signalled while it waits for a server."""
    assert spoken.wait(60), "the command never reached the server"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_engine_is_asked_stops_with_a_sentence(
    command: Command, tmp_path: Path, number: int
) -> None:
    with silent_server(tmp_path / "s") as (host, spoken):
        process = command.start("build", "--environment", "dev", DOCKER_HOST=host)
        assert "interrupted" in interrupted(process, spoken, number)


@pytest.mark.parametrize("kind", ["oci", "s3"])
def test_a_signal_while_a_store_is_asked_leaves_nothing_released(
    command: Command, repository: Repository, kind: str
) -> None:
    with silent_server() as (host, spoken):
        store = f"oci://{host}/fares" if kind == "oci" else "s3://bucket/x"
        given = s3.KEYS | {"AWS_ENDPOINT_URL_S3": f"http://{host}"}
        process = command.start("release", "--environment", "dev", "--store", store, **given)
        assert "run the same command again" in interrupted(process, spoken, signal.SIGINT)
    assert not (repository.folder / ".mlops-config" / "dev" / "release.json").exists()


@pytest.mark.parametrize("stage", ["validate", "choose_builder", "publish", "notes_of"])
def test_a_signal_in_any_stage_is_survived_and_the_next_run_finishes(
    in_repository: Repository, stage: str
) -> None:
    program = (
        "import signal, sys, mlops_config.pipeline as p\n"
        f"p.{stage} = lambda *a, **k: signal.raise_signal(signal.SIGINT)\n"
        "from mlops_config.cli import main\n"
        "sys.exit(main(['release', '--environment', 'prod']))"
    )
    broken = subprocess.run(
        [sys.executable, "-c", program],
        cwd=in_repository.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert broken.returncode == 130, broken.stderr
    assert "Traceback" not in broken.stderr
    assert main(["release", "--environment", "prod"]) == 0
    assert main(["verify", "--environment", "prod"]) == 0
