"""Runs every benchmark and writes docs/benchmarks.md: numbers as measured, with the machine they are from."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import drift
import profiles
import reader
import rerun
import serving
import validate_startup

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def processor() -> str:
    """The processor's name as the kernel gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine() -> str:
    """Bullets on the machine and versions, with no name of a host in them."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    measured = ("pydantic", "pyyaml", "duckdb", "ibis-framework", "scipy")
    packages = ", ".join(f"{name} {version(name)}" for name in measured)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"- {processor()}, {os.cpu_count()} cores\n"
        f"- {platform.system()} {platform.machine()}, {python}\n"
        f"- {packages}; peers as in `requirements/bench.txt`\n"
        f"- commit `{commit}`\n"
    )


def main() -> None:
    """Measures and writes the page."""
    sections = []
    for benchmark in (validate_startup, reader, rerun, serving, profiles, drift):
        print(f"bench: {benchmark.__name__}", file=sys.stderr, flush=True)
        sections.append(benchmark.measure())
    intro = (
        "# Benchmarks\n\n"
        "`make bench` writes this page: numbers as they came, good and bad, all rows of a table from one run "
        "on one machine, in turns. Compare the ratios, not the seconds.\n\n"
    )
    PAGE.write_text(intro + machine() + "\n" + "\n".join(sections))
    print(f"bench: wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
