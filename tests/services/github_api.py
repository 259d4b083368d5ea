"""A stand-in for GitHub's REST API on loopback: issues, comments and releases of one repository.

It holds every request and each of its own answers against GitHub's published OpenAPI description
(``github_openapi.json``). What does not fit is answered as GitHub would and kept in ``state.violations``,
which tests assert to be empty. In a test::

    with serving(GitHubApi()) as api:
        GitHubClient(api.api_url, "job-token", api.repository)

As a process of its own, such as beside ``act``; it prints its address and ends on SIGTERM or Ctrl-C::

    python -m tests.services.github_api --port 8790 --state state.json --pull-request 7 --tag release/v1.2.0

``state.json`` holds issues, comments, releases, requests and violations after every request; it is read at
the start.
"""

import argparse
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.github_description import Request
from tests.services.github_repository import TOKENS, GitHubApi, Identity, State

__all__ = ["TOKENS", "GitHubApi", "Identity", "State", "serving"]

MAX_BODY_BYTES = 1 << 20


@contextmanager
def serving(api: GitHubApi, port: int = 0) -> Iterator[GitHubApi]:
    """``api`` answering on 127.0.0.1 (``api.api_url``) while the context lasts; port 0 takes a free one."""
    server = _server(api, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _server(api: GitHubApi, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(size, MAX_BODY_BYTES))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = api.handle(Request(self.command, self.path, headers, body))
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in ({"Content-Type": "application/json; charset=utf-8"} | answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815 the base class's names

        def log_message(self, *_: Any) -> None:
            """Keeps quiet: the state holds every request."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_port}"
    return server


def main() -> None:
    """Serves until told to stop."""
    parser = argparse.ArgumentParser(description="A stand-in for GitHub's REST API on loopback.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--state", type=Path, required=True, help="file the state is read from and kept in")
    parser.add_argument("--repository", default="acme/fares")
    parser.add_argument("--prefix", default="", help="/api/v3 to be an Enterprise Server")
    parser.add_argument("--pull-request", type=int, action="append", default=[])
    parser.add_argument("--tag", action="append", default=[])
    parser.add_argument("--token", action="append", default=[], help="a job's token that may write")
    parser.add_argument("--read-only-token", action="append", default=[], help="one that may not")
    arguments = parser.parse_args()

    def save(state: State) -> None:
        temporary = arguments.state.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(state), indent=1), "utf-8")
        temporary.replace(arguments.state)

    state = State()
    if arguments.state.exists():
        state = State(**json.loads(arguments.state.read_text("utf-8")))
    state.pull_requests = sorted({*state.pull_requests, *arguments.pull_request})
    state.tags |= {tag: "f" * 40 for tag in arguments.tag if tag not in state.tags}
    tokens = TOKENS | dict.fromkeys(arguments.token, TOKENS["job-token"])
    tokens |= dict.fromkeys(arguments.read_only_token, TOKENS["fork-token"])
    api = GitHubApi(arguments.repository, prefix=arguments.prefix, tokens=tokens, state=state, saved=save)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(api, arguments.port):
        save(state)
        print(f"{api.api_url} (process {os.getpid()})", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
