"""How long `make run` takes: from nothing, with everything set up, and again with nothing changed.

The goal: again with nothing changed under 2 s.
"""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from timing import table, time_processes

ROOT = Path(__file__).resolve().parent.parent


def docker(*arguments: str) -> str:
    """What the docker command prints; nothing where there is none, or no engine."""
    if shutil.which("docker") is None:
        return ""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def measure(rounds: int = 11) -> str:
    """The Markdown section with the table. Works in a clone of the last commit, which it removes."""
    with tempfile.TemporaryDirectory(prefix="mlops-config-bench-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
        run = ["make", "run"]
        images = docker("image", "ls", "--quiet", "--no-trunc")

        def seconds() -> float:
            started = time.perf_counter()
            subprocess.run(run, cwd=clone, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return time.perf_counter() - started

        from_nothing = seconds()
        shutil.rmtree(clone / ".mlops-config")
        set_up = seconds()
        python = "`python -c pass`"
        commands = {
            python: [[str(clone / ".venv" / "bin" / "python"), "-c", "pass"]],
            "`make setup`, nothing changed": [["make", "setup"]],
            "**`make run`, nothing changed**": [run],
        }
        timings = time_processes(commands, rounds=rounds, cwd=clone, quiet=True)
        record = json.loads((clone / ".mlops-config" / "prod" / "release.json").read_bytes())
        for tag in record["image"]["tags"]:
            name = f"{record['image']['repository']}:{tag}"
            if docker("image", "inspect", "--format", "{{.Id}}", name) not in images.splitlines():
                docker("image", "rm", name)
    return (
        "## `make run`\n\n"
        f"- From a fresh clone, packages downloaded and installed: {from_nothing:.1f} s (once).\n"
        f"- Set up, first release: {set_up:.2f} s (once).\n\n"
        "The goal for a run with nothing changed is under 2 s.\n\n"
        f"{table(timings, baseline=python)}\n\nMedian of {rounds} rounds in turns.\n"
    )


if __name__ == "__main__":
    print(measure())
