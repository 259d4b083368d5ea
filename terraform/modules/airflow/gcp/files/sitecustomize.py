"""What Python runs when a job on Composer's worker starts: the jobs' PYTHONPATH names this folder.

First it becomes the interpreter of the jobs' own environment, made where this worker has none yet of the
locked requirements that MLOPS_JOBS names. Then it looks up the secrets that MLOPS_LOOKED_UP names, so that a
new value needs no restart, and is in that job's environment and nowhere else. A secret without a value is
left out: the job that needs it says which variable is missing. What fails here ends the job with exit code 3,
and Airflow tries it again.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

_SERVICE_FAILED = 3
_TIMEOUT_SECONDS = 30
_MISSING = 404
_TEMPORARY = {408, 429, 500, 502, 503, 504}


def become(jobs: dict[str, str]) -> None:
    """Runs what was to be run with the jobs' interpreter; returns where this is it already."""
    requirements = Path(jobs["requirements"])
    home = Path(tempfile.gettempdir()).resolve() / f"mlops-{requirements.stem}"
    if Path(sys.prefix).resolve() != home:
        python = make(home, requirements, jobs["package"])
        os.execv(python, [str(python), *sys.orig_argv[1:]])  # noqa: S606 the same arguments


def make(home: Path, requirements: Path, package: str) -> Path:
    """The interpreter of the environment in ``home``; of several jobs that start at a time one makes it."""
    python, ready = home / "bin/python", home / "ready"
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(home, ignore_errors=True)
            _run(sys.executable, "-I", "-m", "venv", "--without-pip", str(home))
            pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
            install = [*pip, "install", "--quiet"]
            _run(*install, "--require-hashes", "--only-binary", ":all:", "-r", str(requirements))
            _run(*install, "--no-deps", package)
            ready.touch()
    return python


def _run(*command: str) -> None:
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # The job's last line of output is its outcome, so none of this goes there.
    subprocess.run(command, check=True, env=without, stdout=sys.stderr)  # noqa: S603 our own words


def look_up(wanted: dict[str, str]) -> dict[str, str]:
    """The variables with the newest values of their secrets, as the worker's service account reads them."""
    # https://cloud.google.com/compute/docs/metadata/querying-metadata
    metadata = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    account = f"http://{metadata}/computeMetadata/v1/instance/service-accounts/default/token"
    token = json.loads(_ask(account, {"Metadata-Flavor": "Google"}))["access_token"]
    # The variable is gcloud's.
    service = os.environ.get(
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", "https://secretmanager.googleapis.com/"
    )
    found = {}
    for variable, secret in wanted.items():
        newest = f"{service}v1/{secret}/versions/latest:access"
        try:
            answer = json.loads(_ask(newest, {"Authorization": f"Bearer {token}"}))
        except FileNotFoundError:
            sys.stderr.write(f"the secret {secret} has no value yet: {variable} is not set\n")
        else:
            found[variable] = base64.b64decode(answer["payload"]["data"]).decode()
    return found


def _ask(url: str, headers: dict[str, str]) -> bytes:
    """The answer's body.

    Raises:
        FileNotFoundError: 404.
        OSError: a refusal, or no answer after some attempts.
    """
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 our own address
    for wait in (0.5, 1, 2, None):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 as above
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == _MISSING:
                raise FileNotFoundError(url) from error
            if error.code not in _TEMPORARY or wait is None:
                raise
        except OSError:
            if wait is None:
                raise
        time.sleep(wait)
    raise AssertionError


def start() -> None:
    """Does both, and ends the process where that fails: Python itself would go on without."""
    if any(word.startswith("mlops_config.airflow.") for word in sys.orig_argv):
        return  # The triggerer looks at an endpoint, with Airflow's own interpreter.
    try:
        if "MLOPS_JOBS" in os.environ:
            become(json.loads(os.environ["MLOPS_JOBS"]))
        # Done, for what the job itself starts.
        os.environ.pop("MLOPS_JOBS", None)
        wanted = json.loads(os.environ.pop("MLOPS_LOOKED_UP", "{}"))
        missing = {variable: secret for variable, secret in wanted.items() if variable not in os.environ}
        if missing:
            os.environ.update(look_up(missing))
    except Exception as error:  # noqa: BLE001 whatever it is, no job starts in half an environment
        sys.stderr.write(f"the job cannot start on this worker: {error}\n")
        sys.stderr.flush()
        os._exit(_SERVICE_FAILED)


start()
