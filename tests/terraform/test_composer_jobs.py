"""The jobs' Python on Cloud Composer's workers: its own environment, and secrets that no state ever saw."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

FILES = Path(__file__).parents[2] / "terraform/modules/airflow/gcp/files"
SECRET = "projects/acme-ml-prod/secrets/mlops-city-taxi-prod-chat-fares"
FILLED = base64.b64encode(b"swordfish").decode()


class _Google(BaseHTTPRequestHandler):
    """The metadata server and Secret Manager, as far as a job asks them."""

    refusals: ClassVar[list[int]] = []
    """Codes to answer with before the secret's value."""

    def do_GET(self) -> None:
        if self.path.startswith("/computeMetadata/v1/instance/service-accounts/default/token"):
            granted = self.headers["Metadata-Flavor"] == "Google"
            self._answer(200 if granted else 403, {"access_token": "a-token"})
        elif self.headers["Authorization"] != "Bearer a-token":
            self._answer(401, {})
        elif self.refusals:
            self._answer(self.refusals.pop(0), {})
        elif self.path == f"/v1/{SECRET}/versions/latest:access":
            self._answer(200, {"payload": {"data": FILLED}})
        else:
            self._answer(404, {})

    def _answer(self, code: int, document: Mapping[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the parent's name
        pass


@pytest.fixture
def google() -> Iterator[str]:
    """The address of both."""
    _Google.refusals.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Google)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _run(code: str, variables: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FILES), "no_proxy": "*", **variables}
    return subprocess.run(
        [sys.executable, *words, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def _looked_up(google: str, **secrets: str) -> dict[str, str]:
    return {
        "GCE_METADATA_HOST": google,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": f"http://{google}/",
        "MLOPS_LOOKED_UP": json.dumps(secrets),
    }


def test_a_job_gets_its_secrets_and_what_it_starts_does_not_look_again(google: str) -> None:
    code = "import os; print(os.environ['MLOPS_SECRET_CHAT_FARES'], 'MLOPS_LOOKED_UP' in os.environ)"
    ended = _run(code, _looked_up(google, MLOPS_SECRET_CHAT_FARES=SECRET))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "swordfish False\n", "")


def test_a_value_that_is_there_is_not_looked_up() -> None:
    wanted = _looked_up("127.0.0.1:9", MLOPS_SECRET_CHAT_FARES=SECRET)
    ended = _run(
        "import os; print(os.environ['MLOPS_SECRET_CHAT_FARES'])",
        {**wanted, "MLOPS_SECRET_CHAT_FARES": "own"},
    )
    assert (ended.returncode, ended.stdout) == (0, "own\n")


def test_a_secret_without_a_value_is_left_out_and_named(google: str) -> None:
    wanted = _looked_up(google, MLOPS_SECRET_PAGER="projects/acme-ml-prod/secrets/mlops-city-taxi-prod-pager")
    ended = _run("import os; print('MLOPS_SECRET_PAGER' in os.environ)", wanted)
    assert (ended.returncode, ended.stdout) == (0, "False\n")
    secret = "projects/acme-ml-prod/secrets/mlops-city-taxi-prod-pager"
    assert ended.stderr == f"the secret {secret} has no value yet: MLOPS_SECRET_PAGER is not set\n"


def test_what_passes_is_asked_again(google: str) -> None:
    _Google.refusals.append(503)
    ended = _run("import os; print(os.environ['X'])", _looked_up(google, X=SECRET))
    assert (ended.returncode, ended.stdout) == (0, "swordfish\n")


def test_a_refusal_ends_the_job_before_it_begins(google: str) -> None:
    _Google.refusals.append(403)
    ended = _run("print('began')", _looked_up(google, X=SECRET))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "the job cannot start on this worker: HTTP Error 403" in ended.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small packages: one that is locked, and one that comes on top."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("acme_locked", "acme_jobs"):
        info = f"{name}-1.0.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")
    return folder


def _jobs(folder: Path, wheels: Path, digest: str) -> dict[str, str]:
    requirements = folder / "jobs-0123456789abcdef.txt"
    requirements.write_text(f"acme-locked==1.0.0 --hash=sha256:{digest}\n")
    return {
        "MLOPS_JOBS": json.dumps({"requirements": str(requirements), "package": "acme-jobs==1.0.0"}),
        "TMPDIR": str(folder),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


def test_jobs_run_in_an_environment_of_their_own_which_a_worker_makes_once(
    tmp_path: Path, wheels: Path
) -> None:
    digest = hashlib.sha256((wheels / "acme_locked-1.0.0-py3-none-any.whl").read_bytes()).hexdigest()
    variables = _jobs(tmp_path, wheels, digest)
    code = (
        "import acme_jobs, acme_locked, os, sys;"
        " print(sys.prefix, sys.flags.dev_mode, 'MLOPS_JOBS' in os.environ)"
    )
    first = _run(code, variables, "-X", "dev")
    home = tmp_path / "mlops-jobs-0123456789abcdef"
    assert (first.returncode, first.stdout) == (0, f"{home} True False\n"), first.stderr
    # The second finds no packages any more, and needs none.
    again = _run(code, {**variables, "PIP_FIND_LINKS": str(tmp_path / "nothing")}, "-X", "dev")
    assert (again.returncode, again.stdout) == (0, f"{home} True False\n"), again.stderr


def test_a_package_that_is_not_the_locked_one_starts_no_job(tmp_path: Path, wheels: Path) -> None:
    ended = _run("print('began')", _jobs(tmp_path, wheels, "0" * 64))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "HASHES" in ended.stderr
    assert "the job cannot start on this worker" in ended.stderr
    assert not (tmp_path / "mlops-jobs-0123456789abcdef/ready").exists()


def test_the_triggerer_keeps_airflows_own_interpreter() -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; print('MLOPS_JOBS' in os.environ)",
            "mlops_config.airflow.operators.endpoint_state",
        ],
        env={"PYTHONPATH": str(FILES), "MLOPS_JOBS": "{}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n")
