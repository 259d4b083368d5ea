"""No engine, or one that does not answer: said in one line with its reason, and no traceback."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
from tests.image.making import a_spec, ignore, own_bundle
from tests.services.processes import free_port

from mlops_config.errors import ServiceError
from mlops_config.image import connection
from mlops_config.image.engine import EngineBuilder, connect
from mlops_config.image.verify import verify_image


def reason(monkeypatch: pytest.MonkeyPatch, host: str) -> str:
    monkeypatch.setenv("DOCKER_HOST", host)
    said: list[str] = []
    assert connect(said.append) is None
    [line] = said
    assert "\n" not in line
    return line


def test_a_socket_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/docker.sock"
    assert reason(monkeypatch, host) == (
        f"no Docker engine answers at {host}: there is no such socket (is Docker installed and running?)"
    )


def test_a_socket_nobody_listens_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "docker.sock"))
    assert "nothing listens there" in reason(monkeypatch, f"unix://{tmp_path}/docker.sock")


def test_a_port_nobody_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing listens there" in reason(monkeypatch, f"tcp://127.0.0.1:{free_port()}")


def test_a_socket_that_takes_connections_and_never_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "docker.sock"))
        silent.listen()
        assert "does not answer in time" in reason(monkeypatch, f"unix://{tmp_path}/docker.sock")


def test_a_socket_one_may_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may open every socket, so the refusal is made here.
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert "is this user in the docker group?" in reason(monkeypatch, "unix:///var/run/docker.sock")


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no Docker engine answers at carrier-pigeon://roof: " in reason(
        monkeypatch, "carrier-pigeon://roof"
    )


def test_a_context_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    said: list[str] = []
    assert connect(said.append) is None
    assert said == ["no Docker engine answers: there is no Docker context elsewhere"]


def test_the_engine_of_the_current_context_is_found(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with Docker Desktop, whose socket is known to its context alone."""
    from docker.context import ContextAPI

    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert engine.ping()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"currentContext": "desk"}')
    ContextAPI.create_context("desk", host=host)
    found = connection.find_engine()
    assert found.context == "desk"
    assert found.client.ping()
    found.client.close()


class _Engine(BaseHTTPRequestHandler):
    """As much of the Docker API as a build asks for; the build itself ends as ``ending`` says."""

    protocol_version = "HTTP/1.1"
    ending = b""
    system = "linux"

    def do_GET(self) -> None:
        if self.path.endswith("/version"):
            self._answer(200, b'{"ApiVersion": "1.41", "Os": "%s", "Arch": "amd64"}' % self.system.encode())
        else:
            self._answer(404, b'{"message": "no such image"}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response_only(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in filter(None, [self.ending]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_DELETE(self) -> None:
        self._answer(404, b'{"message": "no such image"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it is called by
        """Nothing: the test says what it saw."""


@contextmanager
def stand_in(**attributes: Any) -> Iterator[str]:
    """The address of an engine that fails in ways the real one cannot be asked to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Engine,), attributes))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_engine_for_windows_images_is_none_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(system="windows") as host:
        assert "runs windows/amd64 images; linux is needed" in reason(monkeypatch, host)


def built_by(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    builder = connect(ignore)
    assert isinstance(builder, EngineBuilder)
    builder.build(a_spec(own_bundle()), ignore)


def test_a_full_disk_of_the_engine_says_how_to_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    said = b'{"stream":"Step 1/7 : COPY\\n"}\n{"error":"write /tmp/x: no space left on device"}\n'
    with stand_in(ending=said) as host, pytest.raises(ServiceError, match="no space left") as caught:
        built_by(host, monkeypatch)
    assert "Step 1/7 : COPY" in caught.value.message
    assert caught.value.hint
    assert "docker system prune" in caught.value.hint


def test_an_engine_that_ends_the_build_without_an_image_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in(ending=b"") as host, pytest.raises(ServiceError, match="mlops-config-build"):
        built_by(host, monkeypatch)


def test_an_image_that_no_engine_and_no_registry_has_is_a_failure_of_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    said: list[str] = []
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1"):
        verify_image(f"127.0.0.1:{free_port()}/fares:1", progress=said.append)
    assert said[0].startswith("no Docker engine answers")
    assert said[1].startswith("reading 127.0.0.1")
