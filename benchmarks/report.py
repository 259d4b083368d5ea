"""Runs every benchmark and writes docs/benchmarks.md: numbers as measured, with the machine they are from."""

import argparse
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import dags
import drift
import profiles
import reader
import rerun
import serving
import validate_startup

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BENCHMARKS = (validate_startup, reader, rerun, serving, profiles, drift, dags)


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
    measured = ("pydantic", "pyyaml", "duckdb", "ibis-framework", "scipy")
    packages = ", ".join(f"{name} {version(name)}" for name in measured)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"- {processor()}, {os.cpu_count()} cores\n"
        f"- {platform.system()} {platform.machine()}, {python}\n"
        f"- {packages}; peers as in `requirements/bench.txt`\n"
    )


def commit() -> str:
    """The line that ends a section: what was measured, and when."""
    said = ["git", "log", "-1", "--abbrev=12", "--format=Measured at commit `%h`."]
    return subprocess.run(said, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def measured(page: str) -> dict[str, str]:
    """The sections of a page by benchmark, each with the line that says what it was measured on."""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", page, re.DOTALL))


def main() -> None:
    """Measures what is named, by default everything, and writes the page; other sections stay as they are."""
    names = {benchmark.__name__: benchmark for benchmark in BENCHMARKS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"sections to measure anew: {', '.join(names)}")
    only = parser.parse_args().only or list(names)
    if unknown := set(only) - names.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    known = measured(PAGE.read_text()) if PAGE.exists() else {}
    sections = {name: known[name] for name in names if name in known}
    for name in only:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        sections[name] = f"{names[name].measure().strip()}\n\n{commit()}"
    intro = (
        "# Benchmarks\n\n"
        "`make bench` writes this page: numbers as they came, good and bad, all rows of a table from one run "
        "on one machine, in turns. Compare the ratios, not the seconds.\n\n"
    )
    marked = [f"<!-- {name} -->\n{text}\n<!-- end -->" for name, text in sections.items()]
    body = "\n\n".join(marked)
    PAGE.write_text(f"{intro}{machine()}\n{body}\n")
    print(f"bench: wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
