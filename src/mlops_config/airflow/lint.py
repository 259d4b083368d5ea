"""Checks DAG files as Airflow will load them: ``python -m mlops_config.airflow.lint dags``.

Runs in Airflow's Python, 3.1 to 3.3. Each file is imported twice, in two processes that order sets and hashes
differently, with an ear on what it opens, connects to and starts meanwhile. Exit code 1 with findings.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_SEEDS = ("1", "4242")
"""Of PYTHONHASHSEED: what depends on the order of a set shows."""
_NO_DAG = b"No DAG:"
"""In a file that only reports, such as ``deployments_dag.py``."""
_MOST_FINDINGS = 5
"""Of one kind in one file; the rest is counted."""


class Finding(NamedTuple):
    """Something that is wrong with a DAG file."""

    file: str
    code: str
    """``import``, ``no-dag``, ``io``, ``secret``, ``slow``, ``unstable`` or ``duplicate``."""
    message: str


class Parsed(NamedTuple):
    """What came of importing a file once."""

    seconds: float
    """Import, validation and serialisation."""
    cpu_seconds: float = 0.0
    """Of the processor: the same on a busy machine."""
    errors: Sequence[str] = ()
    io: Sequence[str] = ()
    asked: Sequence[str] = ()
    """Variables and Connections asked for."""
    dags: Mapping[str, Any] = {}
    """By id: as Airflow serialises it."""


class Report(NamedTuple):
    """All that was found in some files."""

    findings: Sequence[Finding]
    seconds: Mapping[str, float]
    """By file: how long it took, the faster of two."""
    empty_seconds: float
    """How long a file with one empty DAG took."""
    dags: int


def lint(files: Sequence[Path], *, most_seconds: float) -> Report:
    """Imports each file twice and says what Airflow, or its users, will trip over.

    Raises:
        RuntimeError: Airflow itself does not start here.
    """
    first, second = (_parsed(files, seed) for seed in _SEEDS)
    return judged(first, second, most_seconds=most_seconds)


def judged(first: dict[str, Parsed], second: dict[str, Parsed], *, most_seconds: float) -> Report:
    """What two imports of the same files, and of an empty DAG under the empty name, say of them."""
    first, second = dict(first), dict(second)
    empty_seconds = min(each.pop("").seconds for each in (first, second))
    seconds = {name: min(first[name].seconds, second[name].seconds) for name in first}
    findings = [
        finding
        for name, parsed in first.items()
        for finding in (*_of_one(name, parsed), *_of_two(name, parsed, second[name]))
    ]
    findings += [
        Finding(
            name,
            "slow",
            f"takes {taken:.1f} s, and Airflow parses it again and again: at most {most_seconds} s",
        )
        for name, taken in seconds.items()
        if taken > most_seconds
    ]
    findings += _duplicates(first)
    return Report(
        sorted(findings), seconds, empty_seconds, sum(len(parsed.dags) for parsed in first.values())
    )


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The Python files below ``paths`` that Airflow would look at: they say ``airflow`` and ``dag``."""
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            text = file.read_bytes().lower()
            if not path.is_dir() or (b"airflow" in text and b"dag" in text):
                yield file


def _of_one(name: str, parsed: Parsed) -> Iterator[Finding]:
    for asked in _few(parsed.asked):
        yield Finding(name, "secret", f"asks for {asked} while it is imported: ask in a task")
    for what in _few(parsed.io):
        yield Finding(name, "io", f"{what} while it is imported: do that in a task")
    for error in parsed.errors:
        yield Finding(name, "import", error)
    nothing = not (parsed.dags or parsed.errors or parsed.asked)
    if nothing and _NO_DAG not in Path(name).read_bytes():
        yield Finding(name, "no-dag", f"has no DAG; if that is meant, say {_NO_DAG.decode()!r} in it")


def _of_two(name: str, first: Parsed, second: Parsed) -> Iterator[Finding]:
    """Airflow makes a new version of a DAG whenever it is serialised differently."""
    for dag_id in sorted({*first.dags, *second.dags}):
        place = _difference(first.dags.get(dag_id), second.dags.get(dag_id))
        if place is not None:
            yield Finding(
                name, "unstable", f"{dag_id} differs between two parses{place}: each is a new version of it"
            )


def _duplicates(parsed: Mapping[str, Parsed]) -> Iterator[Finding]:
    homes = defaultdict(list)
    for name, each in parsed.items():
        for dag_id in each.dags:
            homes[dag_id].append(name)
    for dag_id, names in homes.items():
        for name in names[1:]:
            yield Finding(name, "duplicate", f"has {dag_id}, which {names[0]} has too")


def _difference(one: Any, other: Any, place: str = "") -> str | None:
    """Where two serialised DAGs first differ, as `` at tasks[0].retries``; ``None``: nowhere."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            found = _difference(one.get(key), other.get(key), f"{place}.{key}")
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            found = _difference(left, right, f"{place}[{number}]")
            if found is not None:
                return found
        return None
    if one == other:
        return None
    return f" at {place.removeprefix('.')}" if place else ""


def _few(items: Sequence[str]) -> Iterator[str]:
    yield from items[:_MOST_FINDINGS]
    if len(items) > _MOST_FINDINGS:
        yield f"{len(items) - _MOST_FINDINGS} more such things"


def _parsed(files: Sequence[Path], seed: str) -> dict[str, Parsed]:
    """Each file's import in one more process, by path; by the empty name that of an empty DAG."""
    done = subprocess.run(  # noqa: S603 this very interpreter, on files the caller names
        [sys.executable, "-m", "mlops_config.airflow.importing", *map(str, files)],
        env={**os.environ, "PYTHONHASHSEED": seed, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Airflow does not start: {done.stderr.strip()[-2000:]}")
    lines = (line for line in done.stdout.splitlines() if line.startswith("{"))
    documents = [json.loads(line) for line in lines]
    return {document.pop("file"): Parsed(**document) for document in documents}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what is found; 0: nothing, 1: something, 2: there is no file to look at."""
    parser = argparse.ArgumentParser(prog="python -m mlops_config.airflow.lint", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|FOLDER")
    parser.add_argument(
        "--most-seconds",
        type=float,
        default=10.0,
        metavar="N",
        help="a file may take this long (default: 10)",
    )
    given = parser.parse_args(arguments)
    missing = [str(path) for path in given.paths if not path.exists()]
    files = [] if missing else list(files_of(given.paths))
    if missing or not files:
        return _refused(f"{', '.join(missing) or 'a DAG file'}: not found")
    try:
        report = lint(files, most_seconds=given.most_seconds)
    except RuntimeError as error:
        return _refused(str(error))
    for finding in report.findings:
        sys.stdout.write(f"{finding.file}: {finding.code}: {finding.message}\n")
    for name, seconds in report.seconds.items():
        ratio = seconds / report.empty_seconds
        sys.stderr.write(f"{name}: {seconds:.3f} s, {ratio:.1f} times an empty DAG's\n")
    sys.stderr.write(f"{len(files)} files, {report.dags} DAGs, {len(report.findings)} findings\n")
    return 1 if report.findings else 0


def _refused(reason: str) -> int:
    sys.stderr.write(f"error: {reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
