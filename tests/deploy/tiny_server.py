"""A model server of the standard library alone: what a package's ``behaviour.json`` says is what it does.

It stands for our own server where a test is about deployers, since it starts in a tenth of the time.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        if self.path == "/variables":
            self._answer(200, dict(os.environ))
        else:
            self._answer(200 if self.path == "/readyz" else 404, {})

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        value = behaviour["prediction"]
        while "hold" in rows[0] and not Path(sys.argv[1], "go").exists():
            time.sleep(0.005)
        self._answer(behaviour.get("status", 200), {"predictions": [value for _ in rows]})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False


if __name__ == "__main__":
    behaviour = json.loads(Path(sys.argv[1], "behaviour.json").read_text())
    if behaviour.get("dies"):
        sys.exit("the model file is damaged")
    server = Server(("127.0.0.1", int(sys.argv[2])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.02)
    server.server_close()
